package sharegroups

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// someBatches makes batches that are in order and do not overlap.
func someBatches(r *rand.Rand) (list []StateBatch) {
	at := int64(r.IntN(4))
	for range r.IntN(6) {
		b := StateBatch{First: at, Last: at + int64(r.IntN(5)), State: []RecordState{Available, Acknowledged, Archived}[r.IntN(3)], Deliveries: int16(r.IntN(4))}
		list = append(list, b)
		at = b.Last + 1 + int64(r.IntN(3))
	}
	return list
}

func byOffset(list []StateBatch, into map[int64]StateBatch, start int64) {
	for _, b := range list {
		for o := b.First; o <= b.Last; o++ {
			known, there := into[o]
			if o >= start && (!there || known.compare(b) <= 0) {
				into[o] = StateBatch{State: b.State, Deliveries: b.Deliveries}
			}
		}
	}
}

func TestCombineKeepsOfEachRecordWhatWasDeliveredMostOften(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		known, news, start := someBatches(r), someBatches(r), int64(r.IntN(8))-1
		want, got := make(map[int64]StateBatch), make(map[int64]StateBatch)
		byOffset(known, want, start)
		byOffset(news, want, start)
		merged := combine(known, news, start)
		byOffset(merged, got, math.MinInt64)
		if len(got) != len(want) {
			t.Fatalf("%v and %v from %d: %v", known, news, start, merged)
		}
		for o, b := range want {
			if got[o] != b {
				t.Fatalf("%v and %v from %d: %v: offset %d is %v, want %v", known, news, start, merged, o, got[o], b)
			}
		}
		if !ordered(merged) {
			t.Fatalf("%v and %v from %d: %v is not in order", known, news, start, merged)
		}
		for i := 1; i < len(merged); i++ {
			if merged[i-1].Last+1 == merged[i].First && merged[i-1].compare(merged[i]) == 0 {
				t.Fatalf("%v and %v from %d: %v has neighbours that say the same", known, news, start, merged)
			}
		}
	}
}

func TestBatchesOutOfOrderAreFound(t *testing.T) {
	for _, list := range [][]StateBatch{
		{{First: 4, Last: 3}},
		{{First: -1, Last: 3}},
		{{First: 0, Last: 3}, {First: 3, Last: 5}},
		{{First: 6, Last: 7}, {First: 1, Last: 2}},
		{{First: 6, Last: math.MaxInt64}},
	} {
		if ordered(list) {
			t.Errorf("%v is taken for batches in order", list)
		}
	}
	if list := []StateBatch{{First: 0, Last: 3}, {First: 4, Last: 4}}; !ordered(list) {
		t.Errorf("%v is not taken for batches in order", list)
	}
	if got := combine(nil, slices.Repeat([]StateBatch{{First: 1, Last: 2}}, 1), -1); len(got) != 1 {
		t.Errorf("one batch comes to %v", got)
	}
}
