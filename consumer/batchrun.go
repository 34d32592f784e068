package consumer

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/internal/history"
	"github.com/sordini-go/sordini/serde"
)

// batches numbers the calls of batch handlers in histories.
var batches atomic.Int64

// runBatch calls a batch handler; each part has its answer when it returns, also when the handler ends its goroutine.
func (a *attempt) runBatch() {
	e := a.p.e
	for _, x := range a.parts {
		x.fill()
	}
	defer func() {
		a.unclaim()
		if a.exited {
			a.answerAll(errGoexit)
			for _, x := range a.parts {
				if x.answer == nil && !x.left { // the goroutine ended while a value was decoded
					x.answer = errGoexit
				}
			}
		}
		a.ended, a.closing = a.end(false), e.draining()
		for _, x := range a.parts {
			x.ended, x.closing = a.ended, a.closing
			x.answer = x.late(x.answer)
			if err := x.answer; x.left {
				x.observeEnd(errLeft)
			} else {
				x.observeEnd(err)
			}
		}
	}()
	a.callBatch()
}

var errLeft = errors.New("the record waits for one of its key that does not decode yet")

// callBatch runs the chain and recovers its panics.
func (a *attempt) callBatch() {
	finished := false
	defer func() {
		if finished {
			return
		}
		v := recover()
		if v == nil {
			a.exited = true // runtime.Goexit: a testing.FailNow in a handler; the worker is gone with it
			return
		}
		a.answerAll(&panicError{value: v, stack: debug.Stack()})
	}()
	b := a.h.batch
	full := a.claimRoom()
	switch {
	case full != nil:
		for _, x := range a.parts {
			x.answer, x.shared = full, true
		}
	case !a.decodeParts():
	case b.chain == nil:
		a.answerEach(b.call(a.shown, a))
	default:
		a.answerEach(b.chain(a.shown, a.deliveries()))
	}
	finished = true
}

// decodeParts decodes the values, and reports whether any of them did. What never will goes to the dead letters alone; where one has to be tried again, what is
// behind it in its lane waits with it.
func (a *attempt) decodeParts() (some bool) {
	for i, x := range a.parts {
		if i > 0 && x.l == a.parts[i-1].l && (a.parts[i-1].left || passing(a.parts[i-1].answer)) {
			x.left = true
			continue
		}
		if x.answer = a.decodePart(x); x.answer == nil {
			x.given, some = true, true
		}
	}
	return some
}

// decodePart decodes one value; a panic of its serde is that record's alone.
func (a *attempt) decodePart(x *attempt) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &panicError{value: v, stack: debug.Stack()}
		}
	}()
	x.base = a.shown
	if _, err := a.h.value(x); err != nil {
		return undecoded(err)
	}
	return nil
}

// passing says whether a record that did not decode is tried again rather than dead-lettered.
func passing(err error) bool {
	var retryable *serde.RetryableError
	var access *serde.AccessError
	return err != nil && (!errors.Is(err, ErrDecode) || errors.As(err, &retryable) || errors.As(err, &access))
}

// answerAll gives one answer to all that the handler was given.
func (a *attempt) answerAll(err error) {
	n := 0
	for _, x := range a.parts {
		if x.given {
			x.answer = err
			n++
		}
	}
	for _, x := range a.parts {
		x.shared = x.given && n > 1 && !errors.Is(err, sordini.ErrSkipped)
	}
}

// answerEach hands out what a batch handler returned.
func (a *attempt) answerEach(err error) {
	if err == nil {
		return
	}
	each, ok := answers(err)
	if !ok {
		a.answerAll(err)
		return
	}
	n := 0
	for _, x := range a.parts {
		if x.given {
			n++
		}
	}
	if n != len(each) {
		a.answerAll(fmt.Errorf("%w: %d answers for %d messages", ErrBatchAnswers, len(each), n))
		return
	}
	n = 0
	for _, x := range a.parts {
		if x.given {
			x.answer = each[n]
			n++
		}
	}
}

// deliveries are what middleware sees of a batch.
func (a *attempt) deliveries() []*sordini.Delivery {
	ds := make([]*sordini.Delivery, 0, len(a.parts))
	for _, x := range a.parts {
		if x.given {
			x.d = sordini.NewDelivery(&x.rec, a.p.e.g.name, x.number, a.p.fence, func() (any, error) { return a.h.value(x) })
			x.d.TopicID, x.d.PreviousSpan = a.p.topic.id, x.span
			ds = append(ds, x.d)
		}
	}
	return ds
}

// wrap puts a chain around a batch handler.
func (b *batchHandler) wrap(chain []sordini.BatchMiddleware) {
	b.chain = nil
	if len(chain) == 0 {
		return
	}
	h := sordini.BatchHandler(func(ctx context.Context, _ []*sordini.Delivery) error {
		a, ok := ctx.Value(attemptKey{}).(*attempt)
		if !ok {
			return errLostBatch
		}
		return b.call(ctx, a)
	})
	for i := len(chain) - 1; i >= 0; i-- {
		h = chain[i](h)
	}
	b.chain = h
}

var errLostBatch = errors.New("middleware called the batch handler with a context that does not descend from the batch's; derive the context from the one that the middleware was given")

// judge decides over the parts of a batch that was run. Those of one lane are judged in their order: behind one that has to be tried again nothing can be
// decided, and what is there is given to the handler again (guarantee G3).
func (a *attempt) judge() []decision {
	e := a.p.e
	a.tellCircuit()
	ds := make([]decision, len(a.parts))
	waits, dead := false, false
	for i, x := range a.parts {
		x.over = a.over
		if x.d != nil {
			x.span = x.d.PreviousSpan
		}
		if i == 0 || x.l != a.parts[i-1].l {
			waits, dead = false, false
		}
		d := &ds[i]
		switch {
		case waits || !x.given && x.answer == nil:
			d.fate, waits = fateAgain, true
		case dead && x.answer == nil:
			d.fate = fateOver
		case dead:
			d.fate, waits = fateAgain, true
		default:
			*d = x.decide(x.answer, a.over)
			if d.fate == fateDead {
				e.bury(x, d)
			}
			dead = d.fate == fateDead
			waits = !dead && d.fate != fateDone && d.fate != fateSkipped
		}
	}
	return ds
}

// tellCircuit tells the handler's circuit breaker what the call came to: it succeeded where it did for any of the records, and failed where it did for all.
func (a *attempt) tellCircuit() {
	c := a.circuit()
	if c == nil {
		return
	}
	var failed error
	done := false
	for _, x := range a.parts {
		var permanent *permanentError
		switch err := x.answer; {
		case !x.given:
		case err == nil, errors.Is(err, sordini.ErrSkipped):
			done = true
		case x.shared || !errors.As(err, &permanent):
			failed = err
		}
	}
	switch {
	case errors.Is(a.ended, ErrRevoked), errors.Is(a.ended, ErrDraining), !done && (failed == nil || a.closing):
		c.abandon(a, a.over)
	case done:
		c.judge(a, nil, a.over)
	case !c.judge(a, failed, a.over):
		for _, x := range a.parts {
			x.spared = true
		}
	}
}

// bury writes the dead letter of a record that is to die; where dead letters are off it holds up its lane, and says so.
func (e *engine) bury(a *attempt, d *decision) {
	if d.letter = e.write(a, *d); d.letter == nil {
		d.fate, d.delay, d.flood = fateRetry, time.Minute, false
	}
}

// finishBatch carries out what is decided over a batch, and returns as finish does.
func (p *partition) finishBatch(a *attempt, again bool) (next *attempt, alive bool) {
	e := p.e
	ds := a.judge()
	p.mu.Lock()
	if a.zombie {
		p.mu.Unlock()
		e.late.remove(a)
		e.stats.fenced.Add(int64(len(a.parts)))
		return nil, false
	}
	p.pace.add(a.over.Sub(a.started))
	var posts []*lane
	for i, x := range a.parts {
		l, t, d := x.l, x.task, ds[i]
		if l.run == a && l.head != t && d.fate != fateAgain && d.fate != fateOver { // one of its key came before it from the inbox
			ds[i] = decision{fate: fateAgain}
			d = ds[i]
		}
		t.alone = t.alone || x.shared
		switch d.fate {
		case fateAgain:
		case fateOver:
			t.over = true
		case fateDone, fateSkipped:
			p.carryOut(x, d)
		default:
			l.run = nil
			if post, _ := p.carryOut(x, d); post {
				posts = append(posts, l)
			}
		}
		if l.run == a && (i+1 == len(a.parts) || a.parts[i+1].l != l) {
			l.run = nil
			p.present(l, a.over)
		}
	}
	resume := p.goOn()
	p.leave(a)
	if again && len(posts) == 0 {
		next = p.take(a.over)
	} else {
		p.dispatch()
	}
	p.mu.Unlock()
	for i, x := range a.parts {
		e.count(x, ds[i])
	}
	if resume {
		e.steer(tp{p.topic.name, p.id})
	}
	for _, l := range posts {
		e.post(p, l)
	}
	return next, true
}

// endOver ends the head of a lane that was handled in a batch, behind one whose dead letter is there now. p.mu is held.
func (p *partition) endOver(l *lane, now time.Time) {
	e, t := p.e, l.head
	if p.win.Has(t.slot) {
		e.record(func() history.Event {
			return history.Event{
				Kind: history.Ended, Outcome: history.Handled, Topic: t.rec.Topic, Partition: t.rec.Partition, Offset: t.rec.Offset, Key: t.rec.Key,
			}
		})
		e.stats.handled.Add(1)
		p.win.Complete(t.slot)
		p.moved(now)
	}
	p.pop(l)
}
