package main

import (
	"context"
	"sync"
)

// barrier carries a restart out once all who are there have asked for it, so that a dozen clients live through one.
type barrier struct {
	mu      sync.Mutex
	absent  int // who has neither asked nor ended
	waiting chan struct{}
	err     error
	do      func() error
}

func newBarrier(parties int, do func() error) *barrier {
	return &barrier{absent: parties, waiting: make(chan struct{}), do: do}
}

// ask returns when the restart is done.
func (b *barrier) ask(ctx context.Context) error {
	b.arrive()
	select {
	case <-b.waiting:
		return b.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// arrive counts one that asked, or that ended without asking.
func (b *barrier) arrive() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.absent--
	if b.absent == 0 {
		b.err = b.do()
		close(b.waiting)
	}
}
