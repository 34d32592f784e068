package window

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/sordini-go/sordini/consumer/internal/commitmeta"
)

// model is the window as one would write it without caring for speed: a set of offsets in flight and a set of those that are over.
type model struct {
	next     int64
	epoch    int32
	inFlight map[int64]int32 // the epoch each was admitted with
	ended    map[int64]bool  // handled or in the old map
}

func (m *model) mark() (int64, int32) {
	mark, epoch := m.next, m.epoch
	for o, e := range m.inFlight {
		if o < mark {
			mark, epoch = o, e
		}
	}
	return mark, epoch
}

// pair drives a Window and its model with the same operations and compares them.
type pair struct {
	w     *Window
	m     model
	slots map[int64]Slot
	order []int64 // what is in flight, in no particular order
	stale []Slot
	epoch int32 // of the leader now
	// mapEpoch is the highest epoch that the old map is believed for.
	mapEpoch int32
	// cut says that the log was cut in this ownership: where something ended behind a record that was lost is not known exactly then.
	cut bool
}

func newPair(committed int64, epoch int32, done commitmeta.Completed) *pair {
	p := &pair{
		w:     New(committed, epoch, done),
		m:     model{next: committed, epoch: epoch, inFlight: map[int64]int32{}, ended: map[int64]bool{}},
		slots: map[int64]Slot{},
		epoch: epoch,
	}
	if p.mapEpoch = done.LeaderEpoch(); p.mapEpoch < 0 {
		p.mapEpoch = math.MaxInt32
	}
	for r := range done.All() {
		for o := r.From; o < r.To; o++ {
			p.m.ended[o] = true
		}
	}
	return p
}

// step does the operation that op and n choose.
func (p *pair) step(op, n uint8) error {
	switch op % 12 {
	case 0, 1, 2, 3:
		return p.admit(p.m.next)
	case 4:
		return p.admit(p.m.next + int64(n)%5)
	case 5:
		return p.admit(max(0, p.m.next-1-int64(n)%20))
	case 6:
		next := p.m.next + int64(n)%4 - 1
		p.w.Pass(next, p.epoch)
		if next > p.m.next {
			if p.epoch > p.mapEpoch {
				p.forget(next)
			}
			p.m.next, p.m.epoch = next, p.epoch
		}
	case 7, 8, 9:
		if len(p.order) > 0 {
			return p.complete(int(n) % len(p.order))
		}
	case 10:
		for _, slot := range p.stale {
			if p.w.Has(slot) || p.w.Complete(slot) {
				return fmt.Errorf("%v was taken although it ended", slot)
			}
		}
	case 11:
		if n%4 == 0 {
			return p.restart()
		}
		if n%4 == 1 {
			p.epoch++ // a clean election: nothing is written anew
		}
		if n%16 == 2 {
			return p.rewrite(max(0, p.m.next-int64(n)/16))
		}
	}
	return nil
}

func (p *pair) admit(offset int64) error {
	want := Admitted
	switch {
	case offset < p.m.next:
		want = Behind
	case p.m.ended[offset] && p.epoch <= p.mapEpoch:
		want = AlreadyDone
	}
	// A record behind is fetched again with the epoch it has, which is at most the highest seen.
	epoch := p.epoch
	if want == Behind {
		epoch = p.m.epoch
	}
	if want == Admitted && p.epoch > p.mapEpoch {
		p.forget(offset)
	}
	slot, status := p.w.Admit(offset, epoch)
	if status != want {
		return fmt.Errorf("admit %d with epoch %d: %v, want %v", offset, epoch, status, want)
	}
	if want == Behind {
		return nil
	}
	p.m.next, p.m.epoch = offset+1, p.epoch
	if want == Admitted {
		p.m.inFlight[offset] = p.epoch
		p.slots[offset] = slot
		p.order = append(p.order, offset)
	}
	return nil
}

func (p *pair) forget(from int64) {
	for o := range p.m.ended {
		if o >= from {
			delete(p.m.ended, o)
		}
	}
}

func (p *pair) complete(i int) error {
	o := p.order[i]
	p.order[i] = p.order[len(p.order)-1]
	p.order = p.order[:len(p.order)-1]
	before, _ := p.m.mark()
	delete(p.m.inFlight, o)
	p.m.ended[o] = true
	after, _ := p.m.mark()
	if !p.w.Has(p.slots[o]) {
		return fmt.Errorf("%d is not in flight", o)
	}
	if moved := p.w.Complete(p.slots[o]); moved != (after > before) {
		return fmt.Errorf("complete %d: moved %v, the mark went from %d to %d", o, moved, before, after)
	}
	p.stale = append(p.stale, p.slots[o])
	delete(p.slots, o)
	return nil
}

// rewrite is an unclean election: the log is cut at offset, and what is there from now on is another record with a later epoch.
func (p *pair) rewrite(offset int64) error {
	p.epoch++
	p.cut = true
	p.forget(offset)
	p.m.next = min(p.m.next, offset)
	kept := p.order[:0]
	for _, o := range p.order {
		if o < offset {
			kept = append(kept, o)
			continue
		}
		delete(p.m.inFlight, o)
		p.stale = append(p.stale, p.slots[o])
		delete(p.slots, o)
	}
	p.order = kept
	return p.admit(offset)
}

// restart makes a new window from what this one would commit, by way of the persisted format.
func (p *pair) restart() error {
	offset, epoch := p.w.Mark()
	s, err := commitmeta.Metadata{Base: offset, LeaderEpoch: epoch, Completed: p.w.Completed()}.Encode(commitmeta.UTF16, 1<<20)
	if err != nil {
		return err
	}
	meta, err := commitmeta.Decode(s)
	if err != nil {
		return err
	}
	leader, stale := p.epoch, p.stale
	for _, o := range p.order {
		stale = append(stale, p.slots[o])
	}
	*p = *newPair(offset, epoch, meta.Completed)
	p.epoch, p.stale = leader, stale
	return nil
}

func (p *pair) compare() error {
	mark, epoch := p.m.mark()
	if o, e := p.w.Mark(); o != mark || e != epoch {
		return fmt.Errorf("mark %d with epoch %d, want %d with %d", o, e, mark, epoch)
	}
	if p.w.InFlight() != len(p.m.inFlight) || p.w.Next() != p.m.next {
		return fmt.Errorf("%d in flight, next %d, want %d and %d", p.w.InFlight(), p.w.Next(), len(p.m.inFlight), p.m.next)
	}
	if o, ok := p.w.Oldest(); ok != (len(p.m.inFlight) > 0) || ok && o != mark {
		return fmt.Errorf("oldest %d, %v", o, ok)
	}
	done := p.w.Completed()
	if holes := p.w.Holes(); holes < done.Runs() || holes > done.Runs()+1 {
		return fmt.Errorf("%d holes announced, %d runs", holes, done.Runs())
	}
	for o := range p.m.ended {
		if o >= mark && !done.Contains(o) {
			return fmt.Errorf("%d ended, but %v does not name it (mark %d, next %d)", o, done, mark, p.m.next)
		}
	}
	for r := range done.All() {
		if r.From < mark {
			return fmt.Errorf("%v is below the mark %d", r, mark)
		}
		named := false
		for o := r.From; o < r.To; o++ {
			if _, flying := p.m.inFlight[o]; flying || o >= p.m.next && !p.m.ended[o] {
				return fmt.Errorf("%d has not ended, but %v names it (next %d)", o, done, p.m.next)
			}
			named = named || p.m.ended[o]
		}
		if !named && !p.cut {
			return fmt.Errorf("%v costs room and names nothing that ended", r)
		}
	}
	return nil
}

func TestWindowIsItsModel(t *testing.T) { // G2, G7
	for seed := range uint64(150) {
		r := rand.New(rand.NewPCG(seed, 1))
		p := newPair(r.Int64N(100), 1, commitmeta.Completed{})
		lazy := uint8(r.IntN(200)) // how often a completion is put off
		for i := range 400 {
			op := uint8(r.IntN(12))
			if op >= 7 && op <= 9 && uint8(r.IntN(255)) < lazy {
				op = 0
			}
			err := p.step(op, uint8(r.Uint32()))
			if err == nil {
				err = p.compare()
			}
			if err != nil {
				t.Fatalf("seed %d, step %d, operation %d: %v", seed, i, op, err)
			}
		}
	}
}

func FuzzWindow(f *testing.F) {
	f.Add([]byte{0, 0, 0, 0, 0, 0, 7, 1, 7, 1, 11, 0, 0, 0, 0, 0, 7, 0})
	f.Add([]byte{0, 0, 0, 0, 7, 1, 6, 3, 5, 1, 11, 50, 0, 0, 7, 0, 10, 0})
	f.Fuzz(func(t *testing.T, ops []byte) {
		p := newPair(50, 1, commitmeta.NewCompleted(1, commitmeta.Range{From: 52, To: 55}, commitmeta.Range{From: 60, To: 61}))
		for i := 0; i+1 < len(ops); i += 2 {
			err := p.step(ops[i], ops[i+1])
			if err == nil {
				err = p.compare()
			}
			if err != nil {
				t.Fatalf("operation %d: %v", i/2, err)
			}
		}
	})
}
