package registry

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/sordini-go/sordini/serde"
)

// maxUnknown bounds how many failures are remembered, because whoever writes to a topic chooses the ids that are asked for.
const maxUnknown = 10_000

// memo asks once for each key: who comes while the answer is under way waits for it. A value is kept for ever, that there is none for [UnknownFor].
type memo[K comparable, V any] struct {
	mu      sync.RWMutex // guards what follows
	known   map[K]V
	unknown map[K]absence
	asking  map[K]*question[V]
}

type absence struct {
	err   error
	until time.Time
}

type question[V any] struct {
	answered chan struct{}
	value    V
	err      error
}

// get returns what is known of a key.
func (m *memo[K, V]) get(key K) (V, bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	v, ok := m.known[key]
	return v, ok
}

// ask returns what is known of a key, and asks where nothing is. The question goes on when the context of who asked first ends, for the others; it must
// bound itself.
func (m *memo[K, V]) ask(ctx context.Context, key K, ask func(context.Context) (V, error)) (V, error) {
	if v, ok := m.get(key); ok {
		return v, nil
	}
	m.mu.Lock()
	if v, ok := m.known[key]; ok {
		m.mu.Unlock()
		return v, nil
	}
	if a, ok := m.unknown[key]; ok {
		if time.Now().Before(a.until) {
			m.mu.Unlock()
			var none V
			return none, a.err
		}
		delete(m.unknown, key)
	}
	q := m.asking[key]
	if q == nil {
		q = &question[V]{answered: make(chan struct{})}
		if m.asking == nil {
			m.asking = make(map[K]*question[V])
		}
		m.asking[key] = q
		go m.answer(context.WithoutCancel(ctx), key, q, ask)
	}
	m.mu.Unlock()
	select {
	case <-q.answered:
		return q.value, q.err
	case <-ctx.Done():
		var none V
		return none, &serde.RetryableError{Err: fmt.Errorf("wait for the schema registry: %w", context.Cause(ctx))}
	}
}

func (m *memo[K, V]) answer(ctx context.Context, key K, q *question[V], ask func(context.Context) (V, error)) {
	q.value, q.err = ask(ctx)
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.asking, key)
	var away *serde.RetryableError
	var refused *serde.AccessError
	switch {
	case q.err == nil:
		if m.known == nil {
			m.known = make(map[K]V)
		}
		m.known[key] = q.value
	case !errors.As(q.err, &away) && !errors.As(q.err, &refused):
		if m.unknown == nil || len(m.unknown) >= maxUnknown {
			m.unknown = make(map[K]absence)
		}
		m.unknown[key] = absence{q.err, time.Now().Add(UnknownFor)}
	}
	close(q.answered)
}
