package consumer

import (
	"sync"
	"time"

	"github.com/sordini-go/sordini/consumer/internal/breaker"
)

// floods finds the lanes that wait for a flood breaker, so that they are tried at once when it closes. The zero value needs its due queue.
type floods struct {
	due *dueQueue

	mu    sync.Mutex
	lanes map[breaker.ID]flooded
}

type flooded struct {
	l *lane
	h *handler
}

// wait remembers a lane whose head waits and is in the due queue. The partition's mutex is held.
func (f *floods) wait(h *handler, id breaker.ID, l *lane) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.lanes == nil {
		f.lanes = map[breaker.ID]flooded{}
	}
	f.lanes[id] = flooded{l, h}
	if !h.breaker.State().Open { // it closed after it had decided over this record, and before this one was known here
		f.due.hasten(l, time.Now())
	}
}

// end forgets a record that is over. The partition's mutex is held.
func (f *floods) end(h *handler, id breaker.ID, succeeded bool) {
	f.mu.Lock()
	delete(f.lanes, id)
	f.mu.Unlock()
	if !succeeded {
		h.breaker.Forget(id)
	}
}

// release makes the lanes of records due now: the breaker closed.
func (f *floods) release(ids []breaker.ID, now time.Time) {
	f.mu.Lock() // held all along: a lane of the map is not reused for another record meanwhile
	defer f.mu.Unlock()
	for _, id := range ids {
		if w, ok := f.lanes[id]; ok {
			f.due.hasten(w.l, now)
		}
	}
}

// drop forgets the records of a partition that is given up. The partition's mutex is held.
func (f *floods) drop(p *partition) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for id, w := range f.lanes {
		if w.l.p == p {
			delete(f.lanes, id)
			w.h.breaker.Forget(id)
		}
	}
}
