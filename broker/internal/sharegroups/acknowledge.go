package sharegroups

import (
	"cmp"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
)

// What a member says of a record. A gap is an offset that has no record.
const (
	Gap     = 0
	Accept  = 1
	Release = 2
	Reject  = 3
	Renew   = 4
)

var becomes = map[int8]RecordState{Gap: Archived, Accept: Acknowledged, Release: Available, Reject: Archived}

// Acknowledgement is what a member says of a run of records: one word for all of them, or one for each. Last is inclusive.
type Acknowledgement struct {
	First, Last int64
	Types       []int8
}

// ofRecord is what is said of one record.
func (a Acknowledgement) ofRecord(offset int64) int8 {
	if len(a.Types) == 1 {
		return a.Types[0]
	}
	return a.Types[offset-a.First]
}

func invalidState(text string) error { return &refusal{kerr.InvalidRecordState, text} }

// change is a state as it was before an acknowledgement.
type change struct {
	of  *delivery
	was delivery
}

// acknowledging is an acknowledgement under way: all of it is taken over, or nothing.
type acknowledging struct {
	p         *Partition
	member    string
	limit     int
	renews    bool
	completed int32 // as it was
	changes   []change
	batches   []StateBatch
}

// Acknowledge takes over what a member says of records that it has acquired: all of it, or nothing where it fails. The runs must be in order.
func (p *Partition) Acknowledge(member string, acks []Acknowledgement) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	set := p.cfg.Settings()
	a := acknowledging{p: p, member: member, limit: set.DeliveryLimit, renews: set.Renew, completed: p.completed}
	for _, ack := range acks {
		if ack.Last < p.start {
			continue
		}
		if err := a.run(ack); err != nil {
			a.undo()
			return err
		}
	}
	return a.finish()
}

// finish writes down what has changed. What can not be written down has not happened.
func (a *acknowledging) finish() error {
	defer a.p.wind()
	if len(a.batches) == 0 {
		return nil
	}
	slices.SortFunc(a.batches, func(x, y StateBatch) int { return cmp.Compare(x.First, y.First) })
	if err := a.p.write(a.batches); err != nil {
		a.undo()
		return err
	}
	for _, c := range a.changes {
		if c.of.state == Available {
			a.p.again = true
		}
	}
	a.p.advance()
	a.p.cfg.Changed()
	return nil
}

func (a *acknowledging) undo() {
	for i := len(a.changes) - 1; i >= 0; i-- {
		*a.changes[i].of = a.changes[i].was
	}
	a.p.completed = a.completed
}

// becomes gives records a state, nobody's. One that was delivered as often as it may be does not become available again.
func (a *acknowledging) becomes(d *delivery, state RecordState, first, last int64) {
	if state == Available && d.count >= a.limit {
		state = Archived
	}
	a.changes = append(a.changes, change{d, *d})
	*d = delivery{state: state, count: d.count}
	a.batches = append(a.batches, StateBatch{first, last, state, int16(d.count)})
	if state.ended() {
		a.p.completed += a.p.countFrom(first, last)
	}
}

func (a *acknowledging) run(ack Acknowledgement) error {
	p := a.p
	i := p.floor(ack.First)
	if i < 0 && ack.First < p.start { // the start has moved into the run
		i = p.floor(p.start)
	}
	if i < 0 {
		return invalidState("Batch record not found. The request batch offsets are not found in the cache.")
	}
	of := p.between(p.flights[i].first, ack.Last)
	switch end := of[len(of)-1].last; {
	case end < ack.First:
		return &refusal{kerr.InvalidRequest, "Batch record not found. The first offset in request is past acquired records."}
	case end < ack.Last:
		return &refusal{kerr.InvalidRequest, "Batch record not found. The last offset in request is past acquired records."}
	}
	for _, f := range of {
		if f.last < p.start {
			continue
		}
		if err := a.flight(ack, f); err != nil {
			return err
		}
	}
	return nil
}

func (a *acknowledging) flight(ack Acknowledgement, f *flight) error {
	if f.each == nil {
		switch f.one.member {
		case a.member:
		case "":
			return invalidState("The batch cannot be acknowledged. The batch is not in the acquired state.")
		default:
			return invalidState("Member is not the owner of batch record")
		}
		whole := f.first >= ack.First && f.last <= ack.Last && f.first >= a.p.start
		if whole && len(ack.Types) == 1 {
			return a.state(ack.Types[0], &f.one, f.first, f.last)
		}
		f.split()
	}
	for i := range f.each {
		offset, d := f.first+int64(i), &f.each[i]
		if offset < ack.First || offset < a.p.start {
			continue
		}
		if offset > ack.Last {
			break
		}
		switch {
		case d.state != Acquired:
			return invalidState("The offset cannot be acknowledged. The offset is not acquired.")
		case d.member != a.member:
			return invalidState("Member is not the owner of offset")
		}
		if err := a.state(ack.ofRecord(offset), d, offset, offset); err != nil {
			return err
		}
	}
	return nil
}

// state does to records what is said of them.
func (a *acknowledging) state(said int8, d *delivery, first, last int64) error {
	if said == Renew {
		if !a.renews {
			return invalidState("Renewing acquisition locks is not enabled for the group.")
		}
		a.changes = append(a.changes, change{d, *d})
		d.until = a.p.lockUntil()
		return nil
	}
	state, known := becomes[said]
	if !known {
		return &refusal{kerr.InvalidRequest, "Unknown acknowledge type."}
	}
	a.becomes(d, state, first, last)
	return nil
}

// ReleaseAll gives back what a member has acquired.
func (p *Partition) ReleaseAll(member string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.release(func(d *delivery) bool { return d.member == member })
}

// release gives back what is acquired and fits. What lies before the start ends.
func (p *Partition) release(fits func(*delivery) bool) error {
	a := acknowledging{p: p, limit: p.cfg.Settings().DeliveryLimit, completed: p.completed}
	for _, f := range p.flights {
		if f.each == nil {
			if f.one.state != Acquired || !fits(&f.one) {
				continue
			}
			if f.first >= p.start || f.last < p.start {
				a.released(&f.one, f.first, f.last)
				continue
			}
			f.split()
		}
		for i := range f.each {
			if d := &f.each[i]; d.state == Acquired && fits(d) {
				a.released(d, f.first+int64(i), f.first+int64(i))
			}
		}
	}
	return a.finish()
}

func (a *acknowledging) released(d *delivery, first, last int64) {
	state := Available
	if last < a.p.start {
		state = Archived
	}
	a.becomes(d, state, first, last)
}
