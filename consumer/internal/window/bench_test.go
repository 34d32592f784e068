package window

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/sordini-go/sordini/consumer/internal/commitmeta"
)

// One Admit and one Complete, with a given number in flight, in order and at random.
func BenchmarkAdmitComplete(b *testing.B) {
	for _, inFlight := range []int{1, 100, 10_000, 100_000} {
		for _, order := range []string{"in order", "at random"} {
			b.Run(fmt.Sprintf("%d in flight, %s", inFlight, order), func(b *testing.B) {
				r := rand.New(rand.NewPCG(1, 2))
				w := New(0, 1, commitmeta.Completed{})
				slots := make([]Slot, inFlight)
				for i := range slots {
					slots[i], _ = w.Admit(int64(i), 1)
				}
				turns := make([]int, max(inFlight, 1<<16))
				for i := range turns {
					turns[i] = i % inFlight
					if order == "at random" {
						turns[i] = r.IntN(inFlight)
					}
				}
				b.ReportAllocs()
				i := 0
				for b.Loop() {
					slot := &slots[turns[i]]
					if i++; i == len(turns) {
						i = 0
					}
					w.Complete(*slot)
					*slot, _ = w.Admit(w.Next(), 1)
				}
			})
		}
	}
}

func BenchmarkCompleted(b *testing.B) {
	for _, n := range []int{100, 10_000, 100_000} {
		b.Run(fmt.Sprintf("%d admitted, half ended at random", n), func(b *testing.B) {
			r := rand.New(rand.NewPCG(1, 2))
			w := New(0, 1, commitmeta.Completed{})
			slots := make([]Slot, n)
			for i := range slots {
				slots[i], _ = w.Admit(int64(i), 1)
			}
			for _, i := range r.Perm(n - 1)[:n/2] {
				w.Complete(slots[i+1])
			}
			b.ReportAllocs()
			for b.Loop() {
				w.Completed()
			}
			b.ReportMetric(float64(w.Completed().Runs()), "runs")
		})
	}
}

func TestAdmitAndCompleteDoNotAllocate(t *testing.T) {
	w := New(0, 1, commitmeta.Completed{})
	slots := make([]Slot, 1000)
	for i := range slots {
		slots[i], _ = w.Admit(int64(i), 1)
	}
	i := 0
	if n := testing.AllocsPerRun(100_000, func() {
		w.Complete(slots[i%len(slots)])
		slots[i%len(slots)], _ = w.Admit(w.Next()+1<<31, 1)
		w.Mark()
		i += 7
	}); n != 0 {
		t.Errorf("%v allocations a record", n)
	}
}

// The memory is that of what is in flight, neither of what ended behind a stuck record nor of the offsets between.
func TestMemoryFollowsWhatIsInFlight(t *testing.T) {
	w := New(0, 1, commitmeta.Completed{})
	chunks := func() (n int) {
		for _, c := range w.slab.chunks {
			if c != nil {
				n++
			}
		}
		return n
	}
	stuck, _ := w.Admit(0, 1)
	for i := range int64(1_000_000) {
		slot, _ := w.Admit(1+i<<20, 1)
		w.Complete(slot)
	}
	if n := chunks(); n != 1 {
		t.Errorf("%d chunks for one record in flight", n)
	}
	for range 3 {
		var slots []Slot
		for range 10 * chunkLen {
			slot, _ := w.Admit(w.Next(), 1)
			slots = append(slots, slot)
		}
		if n := chunks(); n != 11 {
			t.Errorf("%d chunks for %d records in flight", n, w.InFlight())
		}
		rand.Shuffle(len(slots), func(i, j int) { slots[i], slots[j] = slots[j], slots[i] })
		for _, slot := range slots {
			w.Complete(slot)
		}
		if n := chunks(); n > 2 {
			t.Errorf("%d chunks after all but one ended", n)
		}
	}
	if got := w.Completed(); got.Runs() != 1 || got.Len() != w.Next()-1 {
		t.Errorf("%d runs, %d offsets", got.Runs(), got.Len())
	}
	w.Complete(stuck)
	wantMark(t, w, w.Next())
}
