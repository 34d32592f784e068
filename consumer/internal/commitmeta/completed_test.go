package commitmeta

import (
	"math/rand/v2"
	"slices"
	"testing"
)

func TestRangesBecomeSortedRuns(t *testing.T) {
	for _, c := range []struct {
		name     string
		in, want []Range
		offsets  int64
	}{
		{"none", nil, nil, 0},
		{"empty and inverted", []Range{{5, 5}, {7, 6}}, nil, 0},
		{"sorted", []Range{{1, 2}, {4, 9}}, []Range{{1, 2}, {4, 9}}, 6},
		{"adjacent", []Range{{1, 2}, {2, 4}}, []Range{{1, 4}}, 3},
		{"overlapping", []Range{{1, 5}, {2, 3}, {4, 7}}, []Range{{1, 7}}, 6},
		{"unsorted", []Range{{8, 9}, {1, 2}, {3, 4}, {2, 3}}, []Range{{1, 4}, {8, 9}}, 4},
	} {
		got := NewCompleted(1, c.in...)
		if !slices.Equal(got.ranges, c.want) || got.Len() != c.offsets || got.Runs() != len(c.want) {
			t.Errorf("%s: %v with %d offsets", c.name, got.ranges, got.Len())
		}
		if !slices.Equal(slices.Collect(got.All()), c.want) {
			t.Errorf("%s: All gives %v", c.name, slices.Collect(got.All()))
		}
	}
}

func TestZeroCompletedIsEmpty(t *testing.T) {
	var c Completed
	cursor := c.Cursor()
	if c.Len() != 0 || c.Runs() != 0 || c.End() != 0 || c.LeaderEpoch() != -1 || c.Contains(0) || cursor.Contains(0) || len(cursor.Rest(nil, 0)) != 0 {
		t.Errorf("%+v", c)
	}
	if !c.Equal(NewCompleted(-5)) || c.Equal(NewCompleted(0)) {
		t.Error("the zero value is not the empty map of an unknown epoch")
	}
}

func TestCompletedIsReadable(t *testing.T) {
	for want, c := range map[string]Completed{
		"none":                          {},
		"3, 5-9":                        NewCompleted(1, Range{3, 4}, Range{5, 10}),
		"1, 3, 5, 7, 9 and 2 runs more": NewCompleted(1, Range{1, 2}, Range{3, 4}, Range{5, 6}, Range{7, 8}, Range{9, 10}, Range{11, 12}, Range{13, 14}),
	} {
		if c.String() != want {
			t.Errorf("%q, want %q", c, want)
		}
	}
}

func TestContainsIsExact(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 500 {
		want := map[int64]bool{}
		var in []Range
		for range r.IntN(20) {
			from := r.Int64N(120)
			to := from + r.Int64N(10)
			in = append(in, Range{from, to})
			for o := from; o < to; o++ {
				want[o] = true
			}
		}
		c := NewCompleted(1, in...)
		cursor, jump := c.Cursor(), c.Cursor()
		for o := int64(-1); o < 140; o++ {
			if c.Contains(o) != want[o] || cursor.Contains(o) != want[o] {
				t.Fatalf("%v: %d", c, o)
			}
			if r.IntN(4) == 0 && jump.Contains(o) != want[o] {
				t.Fatalf("%v: jump to %d", c, o)
			}
		}
		if int(c.Len()) != len(want) {
			t.Fatalf("%v: %d offsets, want %d", c, c.Len(), len(want))
		}
		at := r.Int64N(130)
		cut := c.Cursor()
		rest := NewCompleted(1, cut.Rest(nil, at)...)
		for o := range int64(140) {
			if rest.Contains(o) != (want[o] && o >= at) {
				t.Fatalf("%v from %d: %v", c, at, rest)
			}
		}
	}
}

func BenchmarkCursor(b *testing.B) {
	var ranges []Range
	for i := range int64(10_000) {
		ranges = append(ranges, Range{i * 10, i*10 + 5})
	}
	c := NewCompleted(1, ranges...)
	cursor, at := c.Cursor(), int64(0)
	b.ReportAllocs()
	for b.Loop() {
		if at++; at == 100_000 {
			cursor, at = c.Cursor(), 0
		}
		cursor.Contains(at)
	}
}
