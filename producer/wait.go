package producer

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/sordini-go/sordini"
)

// wait is a caller that waits for the answers of its records. It travels through the middleware in the context, so that accept can tell it where a
// record is, and the caller can give it up when its context ends.
type wait struct {
	context.Context
	corked atomic.Bool // more records are to come: those that are there wait for them

	mu      sync.Mutex // guards what follows
	current *sordini.Record
	at      []place
	left    int
	over    bool          // the caller is gone
	done    chan struct{} // closed when left is 0
}

// place is where a call is.
type place struct {
	t *topic
	c *call
}

type waitKey struct{}

// Value makes the wait findable through contexts that middleware derives.
func (w *wait) Value(key any) any {
	if key == (waitKey{}) {
		return w
	}
	return w.Context.Value(key)
}

// attach notes where a record is. Records that middleware sends on its own with the same context are not the caller's.
func (w *wait) attach(r *sordini.Record, t *topic, c *call) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if r == w.current && !w.over {
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
	case <-w.Context.Done():
	}
	w.mu.Lock()
	at := w.at
	w.mu.Unlock()
	cause := context.Cause(w.Context)
	for _, x := range at {
		x.t.abandon(x.c, cause)
	}
}

// errNoAnswer stands where an answer is to come. It is still there when the context ended while middleware had the record, or its answer, in hands.
var errNoAnswer = errors.New("no answer yet")

// send sends one record and waits.
func (p *Producer) send(ctx context.Context, r *sordini.Record) error {
	w := &wait{Context: ctx, current: r, left: 1, done: make(chan struct{})}
	err := errNoAnswer
	p.sender(w, r, func(_ *sordini.Record, e error) { w.answer(&err, e) })
	w.await()
	return w.leave(r, &err)
}

// leave ends the wait for one answer: what has not come by now is nobody's.
func (w *wait) leave(r *sordini.Record, err *error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.over = true
	if *err == errNoAnswer {
		*err = unknown(r.Topic, context.Cause(w.Context))
	}
	return truthful(r.Topic, *err)
}

// sendAll sends records and waits. errs has a place for each; a record that is nil has its error already.
func (p *Producer) sendAll(ctx context.Context, records []*sordini.Record, errs []error) {
	w := &wait{Context: ctx, done: make(chan struct{})}
	w.corked.Store(true)
	for _, r := range records {
		if r != nil {
			w.left++
		}
	}
	if w.left == 0 {
		return
	}
	for i, r := range records {
		if r == nil {
			continue
		}
		w.mu.Lock()
		w.current = r
		errs[i] = errNoAnswer
		w.mu.Unlock()
		p.sender(w, r, func(_ *sordini.Record, e error) { w.answer(&errs[i], e) })
	}
	w.uncork()
	w.await()
	for i, r := range records {
		if r != nil {
			errs[i] = w.leave(r, &errs[i])
		}
	}
}
