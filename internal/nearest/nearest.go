// Package nearest finds the name that was probably meant.
package nearest

// Name returns the candidate that differs from name in the fewest places (a letter added, left out, changed or swapped with its neighbour, case aside), and
// whether it is near enough to be worth mentioning: at most a third of the longer name differs, or one contains the other. Ties go to the first.
func Name(name string, candidates []string) (string, bool) {
	best, at := "", -1
	for _, c := range candidates {
		if c == name { // one broker knows it and another does not yet: not what was meant instead
			continue
		}
		d := Distance(name, c)
		if limit := max(len(name), len(c)) / 3; d > max(limit, 1) && !contains(name, c) {
			continue
		}
		if at < 0 || d < at {
			best, at = c, d
		}
	}
	return best, at >= 0
}

// contains reports whether the shorter name is one of the longer one's parts, as "orders" is of "shop.orders".
func contains(a, b string) bool {
	if len(a) > len(b) {
		a, b = b, a
	}
	if len(a) < 3 {
		return false
	}
	for i := 0; i+len(a) <= len(b); i++ {
		if Distance(b[i:i+len(a)], a) == 0 && edge(b, i-1) && edge(b, i+len(a)) {
			return true
		}
	}
	return false
}

func edge(s string, i int) bool {
	return i < 0 || i >= len(s) || s[i] == '.' || s[i] == '-' || s[i] == '_'
}

// Distance is the restricted Damerau-Levenshtein distance of two names, case aside.
func Distance(a, b string) int {
	before, above, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		above[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			x, y := lower(a[i-1]), lower(b[j-1])
			cost := 1
			if x == y {
				cost = 0
			}
			row[j] = min(above[j]+1, row[j-1]+1, above[j-1]+cost)
			if i > 1 && j > 1 && x == lower(b[j-2]) && lower(a[i-2]) == y {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, above, row = above, row, before
	}
	return above[len(b)]
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}
