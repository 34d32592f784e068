package broker

import (
	"sync"
	"time"
)

// timers are what the cluster does later. A timer is set only when something is due, so that a cluster in which nothing happens waits for nothing:
// a test in virtual time that waits in vain is then a deadlock that is seen.
type timers struct {
	running sync.WaitGroup

	mu     sync.Mutex // guards what follows; it is taken last
	all    map[*timer]struct{}
	closed bool
}

type timer struct{ t *time.Timer }

// after calls f once d has passed, unless the timers are closed before.
func (ts *timers) after(d time.Duration, f func()) *timer {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	t := new(timer)
	if ts.closed {
		return t
	}
	if ts.all == nil {
		ts.all = make(map[*timer]struct{})
	}
	ts.all[t] = struct{}{}
	t.t = time.AfterFunc(d, func() {
		if !ts.begin(t) {
			return
		}
		defer ts.running.Done()
		f()
	})
	return t
}

// begin says whether a timer that has run out may do its work.
func (ts *timers) begin(t *timer) bool {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if _, due := ts.all[t]; !due {
		return false
	}
	delete(ts.all, t)
	ts.running.Add(1)
	return true
}

// close stops what has not begun and waits for what has.
func (ts *timers) close() {
	ts.mu.Lock()
	ts.closed = true
	for t := range ts.all {
		t.t.Stop()
	}
	clear(ts.all)
	ts.mu.Unlock()
	ts.running.Wait()
}
