package consumer

import (
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sordini-go/sordini/internal/history"
	"github.com/sordini-go/sordini/internal/txn"
)

// staged is a record whose handler returned nil, or that died, and that ends with a transaction. Until that is committed the record is in flight; those behind it
// in its lane go on meanwhile, and follow it into the same transaction or a later one.
type staged struct {
	p      *partition
	l      *lane
	t      *task
	a      *attempt // nil for a dead letter
	letter *letter  // nil but for a dead letter or a hand-off to the inbox, whose lane is parked
	at     int64    // where it is in the transaction that is about to be committed
	outs   []txn.Output
	bytes  int64

	skipped     bool
	firstFailed time.Time
	alone       bool // an earlier transaction failed with it and others: the next one has it alone
	unnamed     bool // the history does not have it in the transaction that collects
}

// stage keeps the head of a lane for the next transaction and lets the lane go on. It reports false where there is no need: the record has no outputs, and
// nothing of its lane waits. p.mu is held.
func (p *partition) stage(a *attempt, d decision) bool {
	l := a.l
	s := &staged{p: p, l: l, t: l.head, a: a, skipped: d.fate == fateSkipped, firstFailed: l.firstFailed}
	if !s.skipped {
		s.outs, s.bytes = a.stage.Outputs()
	}
	if len(s.outs) == 0 && l.held == nil {
		return false
	}
	if l.head = s.t.next; l.head == nil {
		l.tail = nil
	}
	l.n--
	s.t.next = nil
	last := &l.held
	for *last != nil {
		last = &(*last).next
	}
	*last = s.t
	p.unlist(l)
	l.fresh()
	p.lastEnd = a.over
	if l.head == nil {
		l.state = laneStaged
	} else {
		p.present(l, a.over)
	}
	p.e.tx.add(s)
	return true
}

// ended ends a staged record: its transaction is committed. p.mu is held.
func (p *partition) ended(s *staged, now time.Time) (resume bool) {
	h := (*handoff)(nil)
	if s.letter != nil {
		h = s.letter.hand
	}
	if p.closed {
		if h != nil {
			h.arrived(s.t, s.at)
		}
		p.over(s.t)
		return false
	}
	if s.letter != nil {
		p.parked--
		defer p.settle()
		if h != nil {
			return p.handed(s.l, s.at)
		}
		return p.complete(s.l, now)
	}
	p.over(s.t)
	p.moved(now)
	l := s.l
	l.held = s.t.next
	p.release(int64(s.t.size))
	if s.t.wait != nil {
		p.forgetBody()
	}
	p.freeTask(s.t)
	switch {
	case l.head != nil:
		if l.state == laneBehind { // maybe only behind this one
			p.present(l, now)
		}
	case l.held == nil:
		p.discard(l)
	}
	return p.goOn()
}

// verdict says that a record can not end as its handler wanted: an output of it is refused.
type verdict struct {
	s   *staged
	err error
}

// rewind takes a staged record, and those of its lane that were staged after it, back into the lane's queue, and fails the record's attempt. Where an attempt of the
// lane runs, that happens when it returns, and its result does not count. p.mu is held, and the records are staged no more.
func (p *partition) rewind(v *verdict) (post, resume bool) {
	l := v.s.l
	l.convicted = v
	if l.state == laneRunning {
		return false, false
	}
	switch l.state {
	case laneReady:
		p.ready.remove(l)
	case laneAside:
		p.aside.remove(l)
	case laneParked:
		if l.letter.hand != nil {
			l.letter.hand.recall(l.head)
		}
		p.parked--
		defer p.settle()
	}
	a, d := p.convict(l)
	return p.carryOut(a, d)
}

// convict carries out a lane's verdict: it puts back what was staged too early, and returns the attempt that failed and what becomes of it. p.mu is held.
func (p *partition) convict(l *lane) (*attempt, decision) {
	v := l.convicted
	l.convicted = nil
	if l.flooded && l.head != nil {
		p.e.floods.end(l.head.handler, recordID(l.head.rec), false)
	}
	p.unlist(l)
	l.fresh()
	at := &l.held
	for *at != v.s.t {
		at = &(*at).next
	}
	first := *at
	*at = nil
	last := first
	for n := 1; ; n++ {
		if last.next == nil {
			l.n += n
			break
		}
		last = last.next
	}
	if last.next = l.head; l.head == nil {
		l.tail = last
	}
	l.head = first
	a := v.s.a
	l.attempts, l.firstFailed = a.number-1, v.s.firstFailed
	d := a.decide(v.err, time.Now())
	if d.fate == fateDead {
		if d.letter = p.e.write(a, d); d.letter == nil {
			d.fate, d.delay, d.flood = fateRetry, time.Minute, false
		}
	}
	return a, d
}

// events are what a history has of a staged record in the transaction of that name.
func (s *staged) events(name string) (all []history.Event) {
	if s.letter != nil {
		return nil // told when the dead letter is there
	}
	r := s.t.rec
	for _, o := range s.outs {
		all = append(all, history.Event{
			Kind: history.Output, Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, Tx: name, ID: OutputID(o.Record),
			To: &history.Place{Topic: o.Record.Topic, Partition: o.Record.Partition, Offset: -1},
		})
	}
	return append(all, s.a.event(history.Ended, func(ev *history.Event) {
		ev.Outcome, ev.Tx = history.Handled, name
		if s.skipped {
			ev.Outcome = history.Skipped
		}
	})())
}

// OutputID is how a history knows an output: by its value.
func OutputID(r *kgo.Record) string { return string(r.Value) }
