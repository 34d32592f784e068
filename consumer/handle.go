package consumer

import (
	"context"
	"fmt"
	"reflect"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/consumer/internal/breaker"
)

// handler is a registered handler without its type.
type handler struct {
	spec    sordini.Spec
	cfg     handlerConfig
	breaker *breaker.Breaker
	circuit *circuit        // nil where there is none
	chain   sordini.Handler // handle inside the middleware; nil where there is none. Set when the group starts

	transactional bool          // registered with HandleTx
	batch         *batchHandler // registered with HandleBatch

	// The typed part.
	prepare func(a *attempt)              // makes what the handler is given, with room for a Message
	direct  func(a *attempt) error        // decodes and calls the handler
	value   func(a *attempt) (any, error) // decodes, for middleware that asks
	handle  sordini.Handler               // direct as the innermost handler of a chain
}

// job is what a handler is given, with what depends on the contract's type, made at once.
type job[T any] struct {
	shown
	msg Message[T]
}

// Handle registers h for the records of t: for all of them, or with t.Type for those whose type header says so. It returns an error that wraps
// sordini.ErrContract or ErrConfig when the contract, an option, or the combination with what is registered already can not work; it does not talk to
// a broker. Call it before Run.
//
// h is called from several goroutines at the same time, but for the records of one key one after the other (see Ordering). Its context is cancelled with
// cause ErrHandlerTimeout, ErrRevoked or ErrDraining; it carries the values of Run's context, but not its cancellation: see DrainTimeout.
func Handle[T any](g *Group, t sordini.Topic[T], h func(ctx context.Context, m *Message[T]) error, opts ...HandlerOption) error {
	if h == nil {
		return refuse("group %q: handle topic %q: the handler is nil", g.name, t.Name)
	}
	bound, err := t.Bind(g.cluster)
	if err != nil {
		return fmt.Errorf("group %q: handle: %w", g.name, err)
	}
	return g.register(newHandler(bound, t.Spec(), h), opts)
}

// jobOf returns the job that an attempt is part of.
func jobOf[T any](a *attempt) *job[T] {
	if j, ok := a.self.(*job[T]); ok {
		return j
	}
	return &a.self.(*txJob[T]).job
}

// newHandler is h without its type.
func newHandler[T any](bound *sordini.Bound[T], spec sordini.Spec, h func(context.Context, *Message[T]) error) *handler {
	decode := func(a *attempt, j *job[T]) error {
		if !a.decoded {
			a.decoded = true
			if a.undone = a.claim(&j.rec); a.undone == nil {
				j.msg.Value, a.undone = bound.Decode(&j.shown, &j.rec)
			}
		}
		return a.undone
	}
	call := func(ctx context.Context, a *attempt) error {
		j := jobOf[T](a)
		if err := decode(a, j); err != nil {
			return undecoded(err)
		}
		j.msg.Record, j.msg.Attempt, j.msg.Fence = &j.rec, a.number, a.p.fence
		return h(ctx, &j.msg)
	}
	jobs := &slab[job[T]]{}
	return &handler{
		spec: spec,
		prepare: func(a *attempt) {
			j := jobs.get()
			a.shown, a.self = &j.shown, j
		},
		direct: func(a *attempt) error { return call(a.shown, a) },
		value: func(a *attempt) (any, error) {
			j := jobOf[T](a)
			err := decode(a, j)
			return j.msg.Value, err
		},
		handle: func(ctx context.Context, d *sordini.Delivery) error {
			a, ok := ctx.Value(attemptKey{}).(*attempt)
			if ok && d == a.d && d.Record == &a.rec {
				return call(ctx, a)
			}
			if ok {
				if err := a.claim(d.Record); err != nil {
					return undecoded(err)
				}
			}
			return foreign(ctx, d, h, bound) // middleware made a delivery or a context of its own
		},
	}
}

// foreign calls a typed handler with a delivery that is not the runner's, or holds another record.
func foreign[T any](ctx context.Context, d *sordini.Delivery, h func(context.Context, *Message[T]) error, bound *sordini.Bound[T]) error {
	value, err := bound.Decode(ctx, d.Record)
	if err != nil {
		return &decodeError{err}
	}
	return h(ctx, &Message[T]{Value: value, Record: d.Record, Attempt: d.Attempt, Fence: d.Fence})
}

// register checks h against what is registered and keeps it.
func (g *Group) register(h *handler, opts []HandlerOption) error {
	h.cfg = g.cfg.handler
	h.cfg.errs, h.cfg.ladders, h.cfg.batch.given = nil, nil, ""
	for _, o := range opts {
		o.applyHandler(&h.cfg)
	}
	h.cfg.ladders = append(h.cfg.ladders, g.cfg.handler.ladders...)
	where := fmt.Sprintf("group %q: handle topic %q", g.name, h.spec.Name)
	if h.spec.Type != "" {
		where += fmt.Sprintf(" type %q", h.spec.Type)
	}
	if len(h.cfg.errs) > 0 {
		return fmt.Errorf("%s: %w", where, h.cfg.errs[0])
	}
	if err := h.checkBatch(&g.cfg); err != nil {
		return fmt.Errorf("%s: %w", where, err)
	}
	h.cfg.retry = h.cfg.retry.defaults()
	h.breaker = breaker.New(h.cfg.flood)
	if h.cfg.circuit != nil {
		h.circuit = newCircuit(*h.cfg.circuit)
	}

	g.mu.Lock()
	defer g.mu.Unlock()
	if g.state != stateNew {
		return fmt.Errorf("%s: register handlers before Run: %w", where, ErrRunning)
	}
	for _, other := range g.handlers {
		if other.transactional != h.transactional {
			return refuse("%s: topic %q is handled by Handle and the other by HandleTx; a group commits in transactions or without: use a second group for one of them", where, other.spec.Name)
		}
		if other.spec.Name != h.spec.Name {
			continue
		}
		if other.spec.Type == h.spec.Type {
			return refuse("%s: there is a handler for it already; a record has one handler in a group (use a second group for a second purpose)", where)
		}
		if other.cfg.ordering != h.cfg.ordering {
			return refuse("%s: Ordering differs from the handler of type %q on the same topic; the records of one partition have one order", where, other.spec.Type)
		}
		if !reflect.DeepEqual(other.spec.Config, h.spec.Config) {
			return fmt.Errorf("%s: its Config differs from that of type %q; contracts of one topic must agree on it: %w", where, other.spec.Type, sordini.ErrContract)
		}
	}
	g.handlers = append(g.handlers, h)
	return nil
}
