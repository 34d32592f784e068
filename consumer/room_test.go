package consumer

import (
	"math/rand/v2"
	"testing"

	"github.com/sordini-go/sordini/consumer/internal/commitmeta"
)

// Whatever ends of what was admitted, the map of it fits: n offsets in flight over a span for which worstMap has room, an arbitrary part of them ended.
func TestG7WhatRoomAdmitsFitsTheMetadata(t *testing.T) {
	for _, enc := range []commitmeta.Encoding{commitmeta.Base64, commitmeta.UTF16} {
		t.Run(enc.String(), func(t *testing.T) { admitted(t, enc) })
	}
}

func admitted(t *testing.T, enc commitmeta.Encoding) {
	const limit = 4096
	r := rand.New(rand.NewPCG(1, 2))
	bits := mapBits(enc.Capacity(limit))
	patterns := map[string]func(i, n int) bool{
		"each second":     func(i, _ int) bool { return i%2 == 0 },
		"at random":       func(int, int) bool { return r.IntN(2) == 0 },
		"few":             func(int, int) bool { return r.IntN(10) == 0 },
		"most":            func(int, int) bool { return r.IntN(10) != 0 },
		"the newest half": func(i, n int) bool { return i > n/2 && r.IntN(2) == 0 },
		"crowds":          func(i, _ int) bool { return i/7%2 == 0 },
	}
	places := map[string]func(n int, span int64) []int64{
		"even": func(n int, span int64) (at []int64) {
			for i := range n {
				at = append(at, 1+int64(i)*(span-1)/int64(n))
			}
			return at
		},
		"random gaps": func(n int, span int64) (at []int64) {
			o := int64(1)
			for range n {
				at = append(at, o)
				o += 1 + r.Int64N(max(1, 2*(span-int64(n))/int64(n)))
			}
			return at
		},
		"dense at the end": func(n int, span int64) (at []int64) {
			for i := range n / 4 {
				at = append(at, 1+int64(i)*(span/2)/int64(n/4+1))
			}
			for i := range n - n/4 {
				at = append(at, span-int64(n)+int64(i))
			}
			return at
		},
	}
	for _, span := range []int64{25_000, 50_000, 200_000, 1_000_000, 1 << 31} {
		n := 1
		for worstMap(n+1, span) <= bits {
			n++
		}
		for placed, place := range places {
			for ended, end := range patterns {
				at := place(n, span)
				inFlight := map[int64]bool{0: true} // the one that is stuck
				for i, o := range at {
					if !end(i, n) {
						inFlight[o] = true
					}
				}
				var ranges []commitmeta.Range
				from := int64(1)
				for _, o := range append(at, at[len(at)-1]+1) {
					if inFlight[o] || o == at[len(at)-1]+1 {
						ranges = append(ranges, commitmeta.Range{From: from, To: o})
						from = o + 1
					}
				}
				m := commitmeta.Metadata{TopicID: [16]byte{1}, Base: 0, Completed: commitmeta.NewCompleted(3, ranges...), Incarnation: 1 << 40}
				if got := m.Size(enc); got > limit {
					t.Errorf("%d in flight over %d offsets, %s, %s ended: %d units, the limit is %d", n, span, placed, ended, got, limit)
				}
			}
		}
		t.Logf("a span of %d offsets has room for %d in flight", span, n)
	}
}
