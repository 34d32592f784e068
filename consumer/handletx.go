package consumer

import (
	"context"
	"fmt"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/producer"
)

// HandleTx registers a handler whose sends and whose record's offset are committed together or not at all (guarantee G11). A group has handlers of one kind:
// HandleTx beside Handle is refused.
//
// Transactions come with a later release. Until then HandleTx checks the contract and the group as Handle does and returns an error that wraps ErrNotYet.
func HandleTx[T any](g *Group, t sordini.Topic[T], h func(ctx context.Context, tx *producer.Tx, m *Message[T]) error, opts ...HandlerOption) error {
	if h == nil {
		return refuse("group %q: handle topic %q: the handler is nil", g.name, t.Name)
	}
	if _, err := t.Bind(g.cluster); err != nil {
		return fmt.Errorf("group %q: handle: %w", g.name, err)
	}
	cfg := g.cfg.handler
	for _, o := range opts {
		o.applyHandler(&cfg)
	}
	if len(cfg.errs) > 0 {
		return fmt.Errorf("group %q: handle topic %q: %w", g.name, t.Name, cfg.errs[0])
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.handlers) > 0 {
		return refuse("group %q: handle topic %q in transactions: topic %q is handled without; use a second group for one of them", g.name, t.Name, g.handlers[0].spec.Name)
	}
	return fmt.Errorf("group %q: handle topic %q in transactions: %w", g.name, t.Name, ErrNotYet)
}
