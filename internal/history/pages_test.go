package history

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// The ranges agree with plain sets of offsets.
func TestRangesAgreeWithSets(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	const width = 40
	random := func() []Range {
		var rs []Range
		for range r.IntN(6) {
			from := r.Int64N(width)
			rs = append(rs, Range{from, from + r.Int64N(8) - 1})
		}
		return rs
	}
	in := func(rs []Range, o int64) bool {
		return slices.ContainsFunc(rs, func(r Range) bool { return r.From <= o && o < r.To })
	}
	for range 20_000 {
		a, b := random(), random()
		kept := slices.Clone(a)
		na, nb := normal(a), normal(b)
		if !slices.Equal(a, kept) {
			t.Fatal("normal changes its argument")
		}
		for i, x := range na {
			if x.From >= x.To || i > 0 && x.From <= na[i-1].To {
				t.Fatalf("normal(%v) = %v", a, na)
			}
		}
		only := map[int64]bool{}
		na.minus(nb, func(from, to int64) {
			if from >= to {
				t.Fatalf("%v minus %v has the empty %d-%d", na, nb, from, to)
			}
			for o := from; o < to; o++ {
				if only[o] {
					t.Fatalf("%v minus %v has %d twice", na, nb, o)
				}
				only[o] = true
			}
		})
		for o := int64(-1); o < width+10; o++ {
			if na.has(o) != in(a, o) {
				t.Fatalf("%v has %d: %v", na, o, na.has(o))
			}
			if only[o] != (in(a, o) && !in(b, o)) {
				t.Fatalf("%v minus %v has %d: %v", na, nb, o, only[o])
			}
		}
	}
}

// Pages cover any stretch once, in order, however few of them exist.
func TestPagesCoverEveryOffsetOnce(t *testing.T) {
	r := rand.New(rand.NewPCG(6, 6))
	for range 2000 {
		var p pages[groupPage]
		set := map[int64]bool{}
		for range r.IntN(5) {
			o := r.Int64N(40 * pageSize)
			page, i := p.at(o)
			page.end[i] = 1
			set[o] = true
		}
		from := r.Int64N(40 * pageSize)
		to := from + r.Int64N(20*pageSize)
		at, seen := from, 0
		p.each(from, to, func(page *groupPage, f, u int64) {
			if f != at || u <= f {
				t.Fatalf("%d-%d after %d", f, u, at)
			}
			at = u
			for o := f; o < u; o++ {
				if got := page != nil && page.end[o%pageSize] == 1; got != set[o] {
					t.Fatalf("%d is %v", o, got)
				} else if got {
					seen++
				}
				if page != nil && o/pageSize != f/pageSize {
					t.Fatalf("%d-%d spans pages", f, u)
				}
			}
		})
		if at != to && from < to {
			t.Fatalf("ends at %d, not %d", at, to)
		}
		for o := range set {
			if page, i := p.get(o); page == nil || page.end[i] != 1 {
				t.Fatalf("%d is gone", o)
			}
		}
	}
	var p pages[groupPage]
	p.at(1 << 40)
	n := 0
	p.each(0, 1<<62, func(*groupPage, int64, int64) { n++ })
	if n != 3 {
		t.Errorf("%d stretches around one page", n)
	}
}
