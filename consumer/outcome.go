package consumer

import (
	"errors"
	"fmt"
	"time"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/dlt"
	"github.com/sordini-go/sordini/internal/history"
	"github.com/sordini-go/sordini/serde"
)

// fate is what becomes of a record after an attempt.
type fate uint8

const (
	fateDone    fate = iota // the handler returned nil
	fateSkipped             // it said Skip, or nobody handles the type and the group skips those
	fateRetry               // it is tried again in place
	fateLater               // it goes to the inbox, and is tried again from there
	fateDead                // it goes to the dead-letter topic
	fateAgain               // of a batch: it is behind one of its lane that has not ended, and is given to the handler again after it
	fateOver                // of a batch: it was handled, and ends with the dead letter of one that it is behind
	fateCut                 // the attempt was cut short and does not count; somebody handles the record again
)

// decision is a fate and what it needs.
type decision struct {
	fate   fate
	err    error
	class  dlt.Class
	stack  []byte
	delay  time.Duration
	counts bool // the attempt counts against the retries
	flood  bool // it waits for the flood breaker
	spared bool // the handler's circuit is open: nothing is held against the record
	letter *letter
}

// decide turns what an attempt returned into a decision. It is called by the worker that ran the attempt, without locks: while its head runs, nobody else
// writes to a lane.
func (a *attempt) decide(err error, now time.Time) decision {
	e := a.p.e
	if errors.Is(a.ended, ErrRevoked) {
		return decision{fate: fateCut, err: err} // also when it returned nil: somebody else may have begun (guarantee G5)
	}
	if err == nil {
		return decision{fate: fateDone}
	}
	if errors.Is(err, sordini.ErrSkipped) {
		return decision{fate: fateSkipped, err: err}
	}
	if errors.Is(a.ended, ErrDraining) {
		return decision{fate: fateCut, err: err}
	}
	var permanent *permanentError
	var retryable *serde.RetryableError
	var access *serde.AccessError
	switch {
	case errors.Is(err, ErrDecode) && errors.As(err, &access):
		// Every record would fail alike until somebody gives other credentials: the group stops where it is, and says so.
		e.fail(sordini.Explain(fmt.Errorf("%s[%d]@%d: %w", a.src.Topic, a.src.Partition, a.src.Offset, err), sordini.About{}))
		return decision{fate: fateCut, err: err}
	case errors.Is(err, ErrDecode) && errors.As(err, &retryable):
		// The registry is away. That says nothing about the record: it waits, and does not die.
		return decision{fate: fateRetry, err: err, delay: a.h.cfg.retry.delay(a.l.away+1, err)}
	case errors.Is(err, ErrDecode):
		return decision{fate: fateDead, class: dlt.Decode, err: err, counts: true}
	case a.doomed != nil:
		return decision{fate: fateDead, class: dlt.Crash, err: err, counts: true}
	case errors.As(err, &permanent) && !a.shared:
		return decision{fate: fateDead, class: dlt.Permanent, err: err, counts: true}
	case a.closing:
		// What the handler needs is being shut down as well. The failure may be true, but nothing shows it; the record comes again after the start.
		return decision{fate: fateCut, err: err}
	case errors.Is(err, sordini.ErrUnavailable):
		return decision{fate: fateRetry, err: err, delay: a.h.cfg.retry.delay(a.l.away+1, err)}
	}
	if c := a.circuit(); a.spared || c != nil && !c.judge(a, err, now) {
		return decision{fate: fateRetry, err: err, spared: true}
	}
	d := decision{fate: fateRetry, err: err, counts: true}
	ladder := a.h.cfg.ladder(err)
	if failed, again := a.inPlace(); a.shared || again && failed <= ladder.Retry.Retries {
		d.delay = ladder.Retry.delay(failed, err)
		var after *retryAfterError
		if errors.As(err, &after) {
			d.delay = after.delay
		}
		return d
	}
	if delay, ok := a.afterwards(ladder.Later); ok {
		d.fate, d.delay = fateLater, delay
		return d
	}
	d.class = dlt.Exhausted
	var p *panicError
	if errors.As(err, &p) {
		d.class, d.stack = dlt.Panic, p.stack
	}
	first := a.l.firstFailed
	if first.IsZero() {
		first = now
	}
	if verdict := a.h.breaker.Exhausted(recordID(a.src), dlt.Fingerprint(d.class, err), first, now); !verdict.Die {
		d.flood, d.delay = true, verdict.Wait
		return d
	}
	d.fate = fateDead
	return d
}

// unhandled decides over a record that no handler of the group is for.
func (e *engine) unhandled(a *attempt) error {
	typ := sordini.Headers(a.src.Headers).Text(sordini.HeaderType)
	why := fmt.Errorf("type %q: %w", typ, ErrUnhandledType)
	if e.g.cfg.otherTypes == DeadOthers {
		return Permanent(why)
	}
	return Skip(why)
}

// finish carries out a decision and returns the worker's next attempt in the same partition, if it should go on there. alive is false when the worker was
// disowned while the handler ran.
func (p *partition) finish(a *attempt, d decision, again bool) (next *attempt, alive bool) {
	e := p.e
	if d.fate == fateDead {
		e.bury(a, &d)
	}
	p.mu.Lock()
	if a.zombie {
		p.mu.Unlock()
		e.late.remove(a)
		e.stats.fenced.Add(1)
		return nil, false
	}
	l, ran, over := a.l, a, a.over
	l.run = nil
	p.pace.add(a.over.Sub(a.started))
	if l.convicted != nil { // what ran came too early
		a, d = p.convict(l)
	}
	post, resume := p.carryOut(a, d)
	p.leave(ran)
	plain := d.fate == fateDone && a.ended == nil && a.circuit() == nil
	if plain {
		e.count(a, d)
		p.recycle(a)
	}
	if again && !post {
		next = p.take(over)
	} else {
		p.dispatch()
	}
	p.mu.Unlock()
	if !plain {
		e.count(a, d)
	}
	if resume {
		e.steer(tp{p.topic.name, p.id})
	}
	if post {
		e.post(p, l)
	}
	return next, true
}

// carryOut does what was decided over the head of a lane. post says that its dead letter is to be written, resume that fetching the partition should go on.
// p.mu is held.
func (p *partition) carryOut(a *attempt, d decision) (post, resume bool) {
	e, l := p.e, a.l
	l.span = a.span
	if l.flooded && d.fate != fateRetry {
		e.floods.end(a.h, recordID(a.src), d.fate == fateDone)
	}
	if d.err != nil {
		l.cause = d.err
	}
	if d.fate == fateRetry && !d.counts && !d.spared {
		l.away++ // the delays grow, though nothing is held against the record
	}
	if d.counts {
		l.away = 0
		l.attempts++
		if l.firstFailed.IsZero() {
			l.firstFailed = time.Now()
		}
		p.changed() // the commit says how often it failed
	}
	l.stuck = d.fate == fateRetry && d.class != "" && !d.flood
	switch d.fate {
	case fateDone, fateSkipped:
		if e.tx != nil && p.stage(a, d) {
			break
		}
		if e.observed {
			e.record(a.event(history.Ended, func(ev *history.Event) {
				ev.Outcome = history.Handled
				if d.fate == fateSkipped {
					ev.Outcome = history.Skipped
				}
			}))
		}
		resume = p.complete(l, a.over)
	case fateRetry:
		p.list(l)
		if d.delay > idle {
			l.head.rec = detach(l.head.rec)
		}
		due := time.Now().Add(d.delay)
		if l.flooded, l.again = d.flood, due; d.flood || !d.counts {
			l.again = time.Time{}
		}
		if p.stopping {
			l.state = laneHeld
			break
		}
		l.state = laneWaiting
		e.due.add(l, due)
		if d.flood {
			e.floods.wait(a.h, recordID(a.src), l)
		}
	case fateLater:
		p.list(l)
		p.hand(l, l.hash, time.Now().Add(d.delay), a.round()+1)
	case fateDead:
		p.list(l)
		l.state, l.letter = laneParked, d.letter
		p.parked++
		post = true
	case fateCut:
		l.state = laneHeld
	}
	return post, resume
}
