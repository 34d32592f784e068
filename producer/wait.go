package producer

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/sordini-go/sordini"
)

// wait is a caller that waits for the answers of its records. Accept tells it where they are, so that the caller can give them up when its context ends.
type wait struct {
	ctx    context.Context
	corked atomic.Bool // more records are to come: those that are there wait for them

	mu   sync.Mutex // guards what follows
	at   []place
	left int
	over bool          // the caller is gone
	done chan struct{} // closed when left is 0
}

// place is where a call is.
type place struct {
	t *topic
	c *call
}

// expect makes it the wait of a call that is to be sent.
func (w *wait) expect(c *call) {
	c.Context, c.wait = w.ctx, w
	w.left++
}

// attach notes where a record is.
func (w *wait) attach(t *topic, c *call) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.over {
		w.at = append(w.at, place{t, c})
	}
}

// answer notes one answer, unless the caller is gone.
func (w *wait) answer(to *error, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.over {
		return
	}
	*to = err
	if w.left--; w.left == 0 {
		close(w.done)
	}
}

// uncork has what is there sent: no more records come, or not before some of these are answered.
func (w *wait) uncork() {
	w.corked.Store(false)
	w.mu.Lock()
	at := w.at
	w.mu.Unlock()
	var last *partition
	for _, x := range at {
		if p := x.t.partOf(x.c); p != nil && p != last {
			p.uncork()
			last = p
		}
	}
}

// await waits for all answers. When the context ends first it gives up what has none.
func (w *wait) await() {
	select {
	case <-w.done:
		return
	case <-w.ctx.Done():
	}
	w.mu.Lock()
	at := w.at
	w.mu.Unlock()
	cause := context.Cause(w.ctx)
	for _, x := range at {
		x.t.abandon(x.c, cause)
	}
}

// errNoAnswer stands where an answer is to come. It is still there when the context ended while middleware had the record, or its answer, in hands.
var errNoAnswer = errors.New("no answer yet")

// send sends one record and waits.
func (p *Producer) send(ctx context.Context, c *call) error {
	w := &wait{ctx: ctx, done: make(chan struct{})}
	w.expect(c)
	err := errNoAnswer
	p.sender(c, &c.record, func(_ *sordini.Record, e error) { w.answer(&err, e) })
	w.await()
	return w.leave(&c.record, &err)
}

// leave ends the wait for one answer: what has not come by now is nobody's.
func (w *wait) leave(r *sordini.Record, err *error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.over = true
	if *err == errNoAnswer {
		*err = unknown(r.Topic, context.Cause(w.ctx))
	}
	return truthful(r.Topic, *err)
}

// sendAll sends records and waits. errs has a place for each; what has an error there was not encoded and is not sent.
func (p *Producer) sendAll(ctx context.Context, calls []*call, errs []error) {
	w := &wait{ctx: ctx, done: make(chan struct{})}
	w.corked.Store(true)
	for i, c := range calls {
		if errs[i] == nil {
			w.expect(c)
			errs[i] = errNoAnswer
		}
	}
	if w.left == 0 {
		return
	}
	for i, c := range calls {
		if c.wait != nil {
			p.sender(c, &c.record, func(_ *sordini.Record, e error) { w.answer(&errs[i], e) })
		}
	}
	w.uncork()
	w.await()
	for i, c := range calls {
		if c.wait != nil {
			errs[i] = w.leave(&c.record, &errs[i])
		}
	}
}
