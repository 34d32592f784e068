package middleware

import (
	"context"
	"fmt"
	"sync"
)

// MemoryTable is a [HandledTable] in memory, of the last identities: for tests, and for what is published twice in a short time. It forgets everything with the process,
// so it does not help against a crash. Its zero value is ready to use and keeps 100,000 of each group; it must not be copied.
type MemoryTable struct {
	// Most is how many identities of a group are kept; the oldest make room. 100,000 when it is 0.
	Most int

	mu     sync.Mutex // guards what follows
	groups map[string]*memoryGroup
}

type memoryGroup struct {
	handled map[string]bool
	order   []string                 // of handled, a ring
	oldest  int                      // in order, once it is full
	running map[string]chan struct{} // closed when the attempt that has the identity is over
	fences  map[memoryPartition]int64
}

type memoryPartition struct {
	topic     string
	partition int32
}

// Once implements [HandledTable]. An identity that somebody else is handling is waited for.
func (t *MemoryTable) Once(ctx context.Context, h Handling, handle func(context.Context) error) error {
	g, over, err := t.begin(ctx, h)
	if err != nil {
		return err
	}
	handled := false
	defer func() { // also when the handler panics
		t.mu.Lock()
		defer t.mu.Unlock()
		delete(g.running, h.ID)
		close(over)
		if handled {
			g.note(h.ID, t.most())
		}
	}()
	err = handle(ctx)
	handled = err == nil
	return err
}

// begin takes the identity.
func (t *MemoryTable) begin(ctx context.Context, h Handling) (*memoryGroup, chan struct{}, error) {
	for {
		t.mu.Lock()
		g := t.groups[h.Group]
		if g == nil {
			g = &memoryGroup{handled: map[string]bool{}, running: map[string]chan struct{}{}, fences: map[memoryPartition]int64{}}
			if t.groups == nil {
				t.groups = map[string]*memoryGroup{}
			}
			t.groups[h.Group] = g
		}
		at := memoryPartition{h.Topic, h.Partition}
		seen, other := g.fences[at], g.running[h.ID]
		g.fences[at] = max(seen, h.Fence)
		switch {
		case h.Fence < seen:
			t.mu.Unlock()
			return nil, nil, fmt.Errorf("%w: %s[%d], fence %d after %d", ErrFenced, h.Topic, h.Partition, h.Fence, seen)
		case g.handled[h.ID]:
			t.mu.Unlock()
			return nil, nil, fmt.Errorf("%w: %s", ErrHandledBefore, h.ID)
		case other == nil:
			over := make(chan struct{})
			g.running[h.ID] = over
			t.mu.Unlock()
			return g, over, nil
		}
		t.mu.Unlock()
		select {
		case <-other:
		case <-ctx.Done():
			return nil, nil, fmt.Errorf("wait for another attempt at %s: %w", h.ID, context.Cause(ctx))
		}
	}
}

// note adds a handled identity, in place of the oldest one where there is no room. The table's mutex is held.
func (g *memoryGroup) note(id string, most int) {
	g.handled[id] = true
	if len(g.order) < most {
		g.order = append(g.order, id)
		return
	}
	delete(g.handled, g.order[g.oldest])
	g.order[g.oldest] = id
	g.oldest = (g.oldest + 1) % most
}

func (t *MemoryTable) most() int {
	if t.Most > 0 {
		return t.Most
	}
	return 100_000
}
