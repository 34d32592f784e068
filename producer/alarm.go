package producer

import (
	"sync"
	"sync/atomic"
	"time"
)

// alarm calls ring at the earliest of the times that it was set to: one timer for all records.
type alarm struct {
	ring func() (next time.Time)
	next atomic.Int64 // Unix nanoseconds; 0 when it is not set

	ringing sync.Mutex // held while it rings

	mu      sync.Mutex // guards timer, stopped and changes of next
	timer   *time.Timer
	stopped bool
}

// set makes the alarm ring at t at the latest. It costs one atomic load when it does so anyway, as it does for every record but the first of many.
func (a *alarm) set(t time.Time) {
	at := t.UnixNano()
	if next := a.next.Load(); next != 0 && next <= at {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if next := a.next.Load(); a.stopped || next != 0 && next <= at {
		return
	}
	a.next.Store(at)
	if a.timer == nil {
		a.timer = time.AfterFunc(time.Until(t), a.fire)
		return
	}
	a.timer.Reset(time.Until(t))
}

func (a *alarm) fire() {
	a.ringing.Lock()
	defer a.ringing.Unlock()
	a.mu.Lock()
	stopped := a.stopped
	a.next.Store(0)
	a.mu.Unlock()
	if stopped {
		return
	}
	if next := a.ring(); !next.IsZero() {
		a.set(next)
	}
}

// stop ends it and waits until it does not ring.
func (a *alarm) stop() {
	a.mu.Lock()
	a.stopped = true
	if a.timer != nil {
		a.timer.Stop()
	}
	a.mu.Unlock()
	a.ringing.Lock()
	defer a.ringing.Unlock()
}
