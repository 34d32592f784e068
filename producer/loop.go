package producer

import (
	"log/slog"
	"sync/atomic"
	"time"
)

// loopLength is how many synchronous sends in a row, with no other beside them, are looked at together.
const loopLength = 1000

// loop notices a service that sends one record after another and waits for each: what it loses is the round trip's time a record. It is reported once.
type loop struct {
	now      atomic.Int32 // synchronous sends at this moment
	overlap  atomic.Bool  // two of them at once since began
	n        atomic.Int64
	waited   atomic.Int64 // nanoseconds
	began    atomic.Int64 // Unix nanoseconds of the first of the row
	reported atomic.Bool
}

// enter is called when a synchronous send begins; it returns zero when nobody listens any more.
func (l *loop) enter() time.Time {
	if l.reported.Load() {
		return time.Time{}
	}
	if l.now.Add(1) > 1 {
		l.overlap.Store(true)
	}
	return time.Now()
}

// leave is called with what enter returned.
func (l *loop) leave(began time.Time, log *slog.Logger) {
	if began.IsZero() {
		return
	}
	l.now.Add(-1)
	waited := l.waited.Add(int64(time.Since(began)))
	l.began.CompareAndSwap(0, began.UnixNano())
	n := l.n.Add(1)
	if n < loopLength {
		return
	}
	took := time.Since(time.Unix(0, l.began.Load()))
	alone := !l.overlap.Swap(false)
	l.n.Store(0)
	l.waited.Store(0)
	l.began.Store(0)
	// Mostly waiting, and at a rate that a round trip bounds: somebody waits for this loop.
	if alone && waited > int64(took)*7/10 && l.reported.CompareAndSwap(false, true) {
		log.Info("records are sent one at a time, each waiting for the one before it; SendBatch or SendAsync sends many in one request",
			"records", n, "took", took.Round(time.Millisecond), "per_second", int64(float64(n)/took.Seconds()))
	}
}
