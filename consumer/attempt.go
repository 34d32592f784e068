package consumer

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"runtime/debug"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.opentelemetry.io/otel/trace"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/internal/history"
	"github.com/sordini-go/sordini/internal/txn"
)

// attempt is one run of a handler over the head of a lane.
type attempt struct {
	*shown
	p       *partition
	l       *lane
	h       *handler
	src     *kgo.Record // as it was fetched
	wait    *waiting    // where it came from, if that is an inbox
	over    time.Time   // when the handler returned
	number  int
	ended   error // what its context had been cancelled with when the handler returned, nil for nothing
	closing bool  // the group was draining when the handler returned
	serves  bool  // it serves again, once it is over and went well
	started time.Time
	span    *trace.SpanContext
	doomed  error             // why it is not made
	exited  bool              // the handler ended its goroutine
	decoded bool              // its value was asked for
	undone  error             // why the value does not decode
	d       *sordini.Delivery // where there is middleware
	own     sordini.Delivery  // what d points to
	self    any               // the *job or *txJob that it is part of, for the typed handler
	stage   *txn.Stage        // what it sends in its transaction; nil outside of HandleTx

	// Of a batch. Its lead is the context and has the parts, one for each record.
	parts   []*attempt
	claimed int64 // bytes of room for values that are kept elsewhere, of single records too
	lead    *attempt
	task    *task
	given   bool  // the handler gets it, or got it
	left    bool  // the handler does not get it: it is behind one that has to be tried again
	shared  bool  // the batch failed as a whole: nobody knows whose fault it was
	spared  bool  // the handler's circuit is open
	answer  error // what became of a part
	batch   int64 // which call of the handler it is in, in a history

	// Guarded by the partition's mutex.
	index   int  // in partition.running
	zombie  bool // the partition was closed meanwhile: the worker is no longer counted
	overdue bool // it was told to stop and goes on
}

// shown is what a handler is given of an attempt: its context and its record. It is made for this once, because a handler may keep it, while the attempt itself
// may serve again.
type shown struct {
	attemptContext
	rec sordini.Record
	of  *attempt // nil once that is over and serves again. Guarded by the context's mutex
}

// newAttempt prepares an attempt of l's head. p.mu is held.
func newAttempt(p *partition, l *lane, now time.Time) *attempt {
	t := l.head
	a := p.newAttempt()
	if h := t.handler; h != nil && h.batch == nil {
		h.prepare(a)
		a.deadline = now.Add(h.cfg.timeout)
		// A service's own middleware may still be on its way with an attempt that is over; transactions and circuit breakers keep theirs.
		a.serves = !p.e.foreign && !h.transactional && h.circuit == nil
	} else { // nobody is called
		a.shown = new(shown)
	}
	a.of = a
	a.p, a.l, a.src, a.wait, a.h = p, l, t.rec, t.wait, t.handler
	a.number, a.started, a.span = l.attempts+1, now, l.span
	a.base = p.e.base
	return a
}

// newAttempt returns one that served before, or one of several that are made at once. p.mu is held.
func (p *partition) newAttempt() *attempt {
	a := p.spent
	if p.spent = nil; a != nil {
		return a
	}
	if len(p.unused) == 0 {
		p.unused = newSlab[attempt]()
	}
	a = &p.unused[0]
	p.unused = p.unused[1:]
	return a
}

// recycle lets an attempt that succeeded serve again, where nobody else can have it. What newAttempt, take and run do not write is as in a new one. p.mu is held.
func (p *partition) recycle(a *attempt) {
	if !a.serves {
		return
	}
	a.shown, a.self, a.l, a.src, a.wait, a.span, a.overdue, a.decoded = nil, nil, nil, nil, nil, nil, false, false
	p.spent = a
}

// end cancels the context of an attempt that is over, and returns the cause it had been cancelled with before, if it had. The context forgets an attempt that
// serves again.
func (s *shown) end(forget bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if forget {
		s.of = nil
	}
	if s.cause != nil {
		return s.cause
	}
	s.cause = context.Canceled
	if s.inner != nil {
		s.inner.cancel(context.Canceled)
	}
	return nil
}

// attemptKey finds the attempt in a context that middleware derived from it.
type attemptKey struct{}

// Value is the context's, and finds the attempt itself.
func (s *shown) Value(key any) any {
	switch key.(type) {
	case attemptKey, txn.Key:
		if v := s.attempt(key); v != nil {
			return v
		}
	}
	return s.attemptContext.Value(key)
}

func (s *shown) attempt(key any) any {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.of == nil:
		return nil
	case key == attemptKey{}:
		return s.of
	case s.of.stage != nil:
		return txn.Handlers{}
	}
	return nil
}

// cancel cancels the attempt's context and reports it. The partition's mutex is held.
func (a *attempt) cancel(cause error) {
	if !a.stop(cause) || !a.p.e.observed {
		return
	}
	for x := range a.each() {
		a.p.e.record(x.event(history.AttemptCancel, func(e *history.Event) { e.Cause = causeOf(cause) }))
	}
}

// each yields the attempts of single records: the parts of a batch, or the attempt itself.
func (a *attempt) each() iter.Seq[*attempt] {
	return func(yield func(*attempt) bool) {
		if a.parts == nil {
			yield(a)
			return
		}
		for _, x := range a.parts {
			if !yield(x) {
				return
			}
		}
	}
}

// run calls the handler and says what it answered. The context is over when it returns.
func (a *attempt) run() (err error) {
	if a.doomed != nil {
		return a.doomed
	}
	a.fill()
	defer func() {
		if a.exited {
			err = errGoexit
		}
		a.unclaim()
		if a.stage != nil {
			a.stage.Close()
		}
		a.ended, a.closing = a.end(a.serves), a.p.e.draining()
		err = a.late(err)
		a.observeEnd(err)
	}()
	if err = a.call(); err == nil && a.stage != nil {
		err = a.stage.Settle()
	}
	return err
}

// fill makes the record that the handler sees.
func (a *attempt) fill() {
	r := a.src
	a.rec = sordini.Record{
		Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, LeaderEpoch: r.LeaderEpoch, Timestamp: r.Timestamp,
		Key: r.Key, Value: r.Value, Headers: r.Headers[:len(r.Headers):len(r.Headers)],
	}
	if a.p.e.foreign {
		a.rec.Key, a.rec.Value, a.rec.Headers = clone(r.Key), clone(r.Value), sordini.Headers(r.Headers).Clone()
	}
}

// late wraps the error of an attempt that exceeded its time.
func (a *attempt) late(err error) error {
	if err != nil && errors.Is(a.ended, ErrHandlerTimeout) && !errors.Is(err, ErrHandlerTimeout) {
		return fmt.Errorf("%w after %v: %w", ErrHandlerTimeout, a.h.cfg.timeout, err)
	}
	return err
}

// observeStart records that the handler is about to be called, once for each record of a batch. The partition's mutex is held, so that a revocation or a loss comes
// either before, and the attempt is not made, or after, and cancels it.
func (a *attempt) observeStart() {
	if a.doomed != nil {
		return
	}
	if a.parts != nil {
		a.batch = batches.Add(1)
	}
	for x := range a.each() {
		x.batch = a.batch
		a.p.e.record(x.event(history.AttemptStart, nil))
	}
}

// observeEnd records that the handler returned.
func (a *attempt) observeEnd(err error) {
	if !a.p.e.observed {
		return
	}
	a.p.e.record(a.event(history.AttemptEnd, func(ev *history.Event) {
		ev.Outcome = history.Succeeded
		ev.Cause = causeOf(a.ended)
		if err != nil && !errors.Is(err, sordini.ErrSkipped) {
			ev.Outcome, ev.Err = history.Failed, err.Error()
			if ev.Cause != 0 {
				ev.Outcome = history.Cancelled
			}
		}
	}))
}

// call runs the chain and recovers its panics.
func (a *attempt) call() (err error) {
	if a.h == nil {
		return a.p.e.unhandled(a)
	}
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
		err = &panicError{value: v, stack: debug.Stack()}
	}()
	if a.h.chain == nil {
		err = a.h.direct(a)
		finished = true
		return err
	}
	var decode func() (any, error) // the default middleware does not ask for the value
	if a.p.e.foreign {
		decode = func() (any, error) { return a.h.value(a) }
	}
	a.own = *sordini.NewDelivery(&a.rec, a.p.e.g.name, a.number, a.p.fence, decode)
	a.d, a.own.TopicID, a.own.PreviousSpan = &a.own, a.p.topic.id, a.span
	defer func() { a.span = a.d.PreviousSpan }()
	err = a.h.chain(a.shown, a.d)
	finished = true
	if a.undone != nil && !errors.Is(err, ErrDecode) && !errors.Is(err, errClaim) {
		err = undecoded(a.undone) // a middleware swallowed it, and the handler has not seen the record (guarantee G9)
	}
	return err
}

var errGoexit = errors.New("the handler ended its goroutine (runtime.Goexit)")

func (a *attempt) event(k history.Kind, more func(*history.Event)) func() history.Event {
	return func() history.Event {
		r := a.src
		ev := history.Event{Kind: k, Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, Key: r.Key, Attempt: a.number, Fence: a.p.fence, Call: a.batch}
		a.wait.mark(&ev)
		if more != nil {
			more(&ev)
		}
		return ev
	}
}

func clone(b []byte) []byte {
	if b == nil {
		return nil
	}
	return append(make([]byte, 0, len(b)), b...)
}
