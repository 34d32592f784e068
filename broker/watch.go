package broker

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
)

// watchers are the questions that wait for another answer. Whoever changes what can be asked for calls notify afterwards, with whatever locks it likes:
// the one here is taken last. Nothing looks again by the clock, so a test in virtual time that waits in vain is a deadlock that is seen.
type watchers struct {
	waiting atomic.Int32 // how many; a change looks no further when there is none

	mu  sync.Mutex // guards all
	all map[*waiter]struct{}
}

func (ws *watchers) add(w *waiter) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	if ws.all == nil {
		ws.all = make(map[*waiter]struct{})
	}
	ws.all[w] = struct{}{}
	ws.waiting.Add(1)
}

func (ws *watchers) remove(w *waiter) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	delete(ws.all, w)
	ws.waiting.Add(-1)
}

// notify makes everyone look again who waits.
func (ws *watchers) notify() {
	if ws.waiting.Load() == 0 {
		return
	}
	ws.mu.Lock()
	defer ws.mu.Unlock()
	for w := range ws.all {
		w.signal()
	}
}

// answered is what one look has found: whether it is what was waited for, and otherwise how to say what is there instead. An error ends the waiting.
type answered struct {
	done    bool
	instead func() string
	err     error
}

// await looks until it has found what it looks for. Its errors say what was waited for and what was there instead.
func (c *Cluster) await(ctx context.Context, what string, look func() answered) error {
	w := newWaiter()
	c.watchers.add(w) // before the first look, so that no change falls in between
	defer c.watchers.remove(w)
	for {
		found := look()
		if found.err != nil {
			return fmt.Errorf("wait for %s: %w", what, found.err)
		}
		if found.done {
			return nil
		}
		var cause error
		select {
		case <-w.changed:
			continue
		case <-ctx.Done():
			cause = context.Cause(ctx)
		case <-c.done:
			cause = ErrClosed
		}
		return fmt.Errorf("wait for %s, %s: %w", what, found.instead(), cause)
	}
}
