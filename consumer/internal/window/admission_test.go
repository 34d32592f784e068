package window

import (
	"container/heap"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/sordini-go/sordini/consumer/internal/commitmeta"
)

// task is a record in flight and when it ends.
type task struct {
	slot Slot
	end  float64
}

type tasks []task

func (t tasks) Len() int           { return len(t) }
func (t tasks) Less(i, j int) bool { return t[i].end < t[j].end }
func (t tasks) Swap(i, j int)      { t[i], t[j] = t[j], t[i] }
func (t *tasks) Push(x any)        { *t = append(*t, x.(task)) }
func (t *tasks) Pop() any {
	last := (*t)[len(*t)-1]
	*t = (*t)[:len(*t)-1]
	return last
}

// A partition whose records take times of all scales, some as good as for ever, offered more than the map can hold. Admission asks Worst, with a
// size that it measures again only once some records have ended while it held back. No commit may ever be too large, and admission goes on although
// some records never end.
func TestAdmissionThatAsksWorstNeverOverflows(t *testing.T) { // G7, G8
	const limit, commitEvery, measureEvery, records = 1024, 500, 20, 60_000
	for _, c := range []struct {
		name    string
		service func(r *rand.Rand) float64
	}{
		{"as long as each other", func(r *rand.Rand) float64 { return r.ExpFloat64() }},
		{"with a heavy tail", func(r *rand.Rand) float64 { return math.Pow(1-r.Float64(), -1/0.9) }},
		{"one in fifty retried for long", func(r *rand.Rand) float64 {
			if r.IntN(50) == 0 {
				return 300 * r.ExpFloat64()
			}
			return r.ExpFloat64()
		}},
		{"one in a thousand stuck", func(r *rand.Rand) float64 {
			if r.IntN(1000) == 0 {
				return 1e9
			}
			return r.ExpFloat64()
		}},
	} {
		for _, enc := range encodings {
			r := rand.New(rand.NewPCG(21, 22))
			w := New(0, 1, commitmeta.Completed{})
			var (
				flying          tasks
				now             float64
				admitted, ended int
				largest, most   int
				held            bool
				size, since     int // of the map when it was measured, and how many ended since
			)
			room := func() int {
				mark, epoch := w.Mark()
				return enc.Capacity(limit) - commitmeta.Metadata{Base: mark, LeaderEpoch: epoch}.Bytes()
			}
			commit := func() {
				mark, epoch := w.Mark()
				m := commitmeta.Metadata{Base: mark, LeaderEpoch: epoch, Completed: w.Completed()}
				s, err := m.Encode(enc, limit)
				if err != nil {
					t.Fatalf("%s, %v: after %d records, %d in flight: %v", c.name, enc, ended, w.InFlight(), err)
				}
				largest = max(largest, m.Size(enc))
				got, err := commitmeta.Decode(s)
				if err != nil || !got.Completed.Equal(m.Completed) && m.Completed.Runs() > 0 {
					t.Fatalf("%s, %v: %v", c.name, enc, err)
				}
			}
			measure := func() {
				mark, _ := w.Mark()
				size, since = w.Completed().Bytes(mark), 0
			}
			left := room()
			for admitted < records {
				if w.Worst(size+since*commitmeta.Growth)+commitmeta.Growth <= left {
					slot, _ := w.Admit(w.Next(), 1)
					heap.Push(&flying, task{slot, now + c.service(r)})
					admitted++
					most = max(most, w.InFlight())
					continue
				}
				held = true
				if flying.Len() == 0 || flying[0].end > 1e8 {
					t.Fatalf("%s, %v: %d admitted, all in flight are stuck, and nothing is admitted", c.name, enc, admitted)
				}
				next := heap.Pop(&flying).(task)
				now = next.end
				w.Complete(next.slot)
				ended++
				since++
				if ended%commitEvery == 0 {
					commit()
					left = room()
				}
				if since >= measureEvery || flying.Len() == 0 || flying[0].end > 1e8 {
					measure()
				}
			}
			for flying.Len() > 0 {
				w.Complete(heap.Pop(&flying).(task).slot)
				if flying.Len()%50 == 0 {
					commit()
				}
			}
			t.Logf("%s, %v: %d admitted, at most %d in flight, largest commit %d of %d units, held back: %v", c.name, enc, admitted, most, largest, limit, held)
			if !held {
				t.Errorf("%s, %v: admission was never held back: the limit was not felt", c.name, enc)
			}
		}
	}
}
