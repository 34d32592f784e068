package jsonschema

import "strconv"

// combined compares two combinations: their criteria, how many parts they have, and whether each part of the smaller one has a partner of its own in the
// other that it is compatible with.
func (d *differ) combined(original, update *node) {
	if original.criterion != update.criterion {
		one := func(n *node) bool { return len(n.parts) == 1 }
		switch {
		case update.criterion == anyOf, one(original) && one(update), one(original) && update.criterion == oneOf, one(update) && original.criterion == allOf:
			d.add(combinedExtended)
		default:
			d.add(combinedChanged)
			return
		}
	}
	originals, updates := distinct(original.parts), distinct(update.parts)
	switch {
	case len(originals) < len(updates) && update.criterion == allOf:
		d.add(productTypeExtended)
	case len(originals) < len(updates):
		d.add(sumTypeExtended)
	case len(originals) > len(updates) && original.criterion != allOf:
		d.add(sumTypeNarrowed)
	case len(originals) > len(updates):
		d.add(productTypeNarrowed)
	}
	fitting := make([][]int, len(originals)) // the updates that each original is compatible with
	for i, o := range originals {
		for j, u := range updates {
			if d.pair(pair{o, u}).fits && d.budget > 0 {
				fitting[i] = append(fitting[i], j)
			}
		}
	}
	count := 0
	for j, i := range match(fitting, len(updates)) {
		if i >= 0 {
			count++
			d.in(func() { d.rebase(d.pair(pair{originals[i], updates[j]})) }, string(original.criterion), strconv.Itoa(i))
		}
	}
	if count < min(len(originals), len(updates)) {
		d.add(subschemasChanged)
	}
}

// distinct leaves parts out that are there twice.
func distinct(parts []*node) (out []*node) {
	seen := make(map[any]bool)
	for _, p := range parts {
		p = p.deref()
		key := any(p)
		if p.src != nil {
			key = p.src.String()
		}
		if !seen[key] {
			seen[key] = true
			out = append(out, p)
		}
	}
	return out
}

// match finds as many pairs as possible (Kuhn's algorithm). The result holds each update's original, or -1.
func match(fitting [][]int, updates int) []int {
	partner := make([]int, updates)
	for j := range partner {
		partner[j] = -1
	}
	var tried []bool
	var place func(i int) bool
	place = func(i int) bool {
		for _, j := range fitting[i] {
			if tried[j] {
				continue
			}
			tried[j] = true
			if partner[j] < 0 || place(partner[j]) {
				partner[j] = i
				return true
			}
		}
		return false
	}
	for i := range fitting {
		tried = make([]bool, updates)
		place(i)
	}
	return partner
}
