package producer

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// room is the bound of what is accepted and not yet answered: so many records and so many bytes. Who finds no room waits in line. While nobody does, taking and
// giving cost two atomic additions.
type room struct {
	maxRecords, maxBytes int64
	fails                bool // who finds no room is told so and does not wait
	closed               <-chan struct{}

	records, bytes atomic.Int64
	waiting        atomic.Int64 // the length of line

	mu   sync.Mutex // guards line
	line []*waiter
}

type waiter struct {
	bytes int64
	ready chan struct{} // closed when the room is the waiter's
}

// try takes room for one record if there is some.
func (r *room) try(bytes int64) bool { return r.waiting.Load() == 0 && r.reserve(bytes) }

// take takes room for one record, blocking until there is some, ctx ends, the deadline passes or the producer closes; or not at all, where that was chosen. A record
// that is larger than the whole room gets it alone.
func (r *room) take(ctx context.Context, bytes int64, deadline time.Time) error {
	if r.fails {
		return fmt.Errorf("%w (MaxBuffered(%d records, %d bytes)), and WhenFull(Fail) was chosen", ErrBufferFull, r.maxRecords, r.maxBytes)
	}
	w := &waiter{bytes, make(chan struct{})}
	r.mu.Lock()
	r.line = append(r.line, w)
	r.waiting.Add(1)
	r.serveLocked() // whoever gave room before this did not see us
	r.mu.Unlock()

	timer := time.NewTimer(time.Until(deadline))
	defer timer.Stop()
	var err error
	select {
	case <-w.ready:
		return nil
	case <-ctx.Done():
		err = context.Cause(ctx)
	case <-timer.C:
		err = ErrDeliveryTimeout
	case <-r.closed:
		err = ErrClosed
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range r.line {
		if r.line[i] == w {
			r.line = append(r.line[:i], r.line[i+1:]...)
			r.waiting.Add(-1)
			r.serveLocked() // those behind it may be smaller
			return err
		}
	}
	return nil // it was served meanwhile
}

// give gives the room of some records back.
func (r *room) give(records, bytes int64) {
	r.records.Add(-records)
	r.bytes.Add(-bytes)
	if r.waiting.Load() > 0 {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.serveLocked()
	}
}

// serveLocked gives room to those in line, once an eighth of it is free: who is woken for the room of one record finds none for its next, and sleeping and waking
// costs more than sending.
func (r *room) serveLocked() {
	if n := r.records.Load(); n > 0 && (n > r.maxRecords-max(1, r.maxRecords/8) || r.bytes.Load() > r.maxBytes-r.maxBytes/8) {
		return
	}
	for len(r.line) > 0 && r.reserve(r.line[0].bytes) {
		w := r.line[0]
		r.line[0] = nil
		r.line = r.line[1:]
		r.waiting.Add(-1)
		close(w.ready)
	}
}

// reserve takes room if there is some. One that fails may have made another fail at the same moment; but whoever fails without the lock takes it next and
// serves the line, so nobody sleeps beside room that is free.
func (r *room) reserve(bytes int64) bool {
	n, b := r.records.Add(1), r.bytes.Add(bytes)
	if n <= r.maxRecords && (b <= r.maxBytes || n == 1) {
		return true
	}
	r.records.Add(-1)
	r.bytes.Add(-bytes)
	return false
}
