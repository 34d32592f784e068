package producer

import (
	"context"
	"sync"
	"time"
)

// room is the bound of what is accepted and not yet answered: so many records and so many bytes. Who finds no room waits in line.
type room struct {
	maxRecords, maxBytes int
	closed               <-chan struct{}

	mu      sync.Mutex // guards what follows
	records int
	bytes   int
	line    []*waiter
}

type waiter struct {
	bytes int
	ready chan struct{} // closed when the room is the waiter's
}

// take takes room for one record, blocking until there is some, ctx ends, the deadline passes or the producer closes. A record that is larger than
// the whole room gets it alone.
func (r *room) take(ctx context.Context, bytes int, deadline time.Time) error {
	r.mu.Lock()
	if len(r.line) == 0 && r.fitsLocked(bytes) {
		r.records++
		r.bytes += bytes
		r.mu.Unlock()
		return nil
	}
	w := &waiter{bytes, make(chan struct{})}
	r.line = append(r.line, w)
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
			r.serveLocked() // those behind it may be smaller
			return err
		}
	}
	return nil // it was served meanwhile
}

// give gives a record's room back.
func (r *room) give(bytes int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.records--
	r.bytes -= bytes
	r.serveLocked()
}

func (r *room) serveLocked() {
	for len(r.line) > 0 && r.fitsLocked(r.line[0].bytes) {
		w := r.line[0]
		r.line[0] = nil
		r.line = r.line[1:]
		r.records++
		r.bytes += w.bytes
		close(w.ready)
	}
}

func (r *room) fitsLocked(bytes int) bool {
	return r.records < r.maxRecords && (r.bytes+bytes <= r.maxBytes || r.records == 0)
}
