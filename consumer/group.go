package consumer

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/dlt"
	"github.com/sordini-go/sordini/middleware"
)

// Group is a member of a consumer group: its handlers, and how they are run. Make it with New, register handlers with Handle, then call Run.
// Its methods are safe for concurrent use.
type Group struct {
	name    string
	cluster sordini.Cluster
	cfg     config

	pauses pauses

	mu       sync.Mutex
	state    groupState
	handlers []*handler
	engine   *engine // while it runs
	failed   error   // what Run answered
}

type groupState uint8

const (
	stateNew groupState = iota
	stateRunning
	stateDraining
	stateStopped
)

func (s groupState) String() string {
	return [...]string{"not started", "running", "draining", "stopped"}[s]
}

// New returns a member of the group named name, which is created on the brokers when its first member joins. It returns an error that wraps ErrConfig when
// an option can not work, and does not talk to a broker.
func New(cluster sordini.Cluster, name string, opts ...Option) (*Group, error) {
	cfg := newConfig(cluster, opts)
	if name == "" {
		return nil, refuse("group: the name is empty")
	}
	for _, err := range append(cfg.errs, cfg.handler.errs...) {
		return nil, fmt.Errorf("group %q: %w", name, err)
	}
	if cfg.maxRecords < cfg.concurrency {
		return nil, refuse("group %q: MaxInFlight(%d records) is below Concurrency(%d); handlers would wait for records that may not be fetched", name, cfg.maxRecords, cfg.concurrency)
	}
	if cl, err := cluster.NewClient(); err != nil {
		return nil, fmt.Errorf("group %q: %w", name, err)
	} else {
		cl.Close()
	}
	cluster.Logger = cfg.logger // franz-go's lines go where the group's go
	return &Group{name: name, cluster: cluster, cfg: cfg}, nil
}

// Name returns the group's name.
func (g *Group) Name() string { return g.name }

// Run joins the group and handles records until ctx is cancelled, then drains: fetching stops, running handlers finish until the drain deadline, what is
// done is committed, the member leaves. It returns nil only when every handler had ended and the last commit was acknowledged. Otherwise its error wraps
// ErrUndrained (naming the records whose handlers were cut off or still run), ErrCommit, or, when it could not start, sordini.ErrCluster,
// sordini.ErrContract, ErrConfig or ErrTopics; where its cause is known, sordini.Diagnose finds it. After ctx is cancelled it returns within the drain timeout and 5 s, whatever the cluster does.
//
// A group runs once: a second call returns ErrRunning.
func (g *Group) Run(ctx context.Context) error {
	g.mu.Lock()
	if g.state != stateNew {
		g.mu.Unlock()
		return fmt.Errorf("group %q: run: a group runs once, make a new one: %w", g.name, ErrRunning)
	}
	plan, err := g.plan()
	if err != nil {
		g.mu.Unlock()
		return err
	}
	g.state = stateRunning
	e := newEngine(g, plan)
	g.engine = e
	g.mu.Unlock()

	err = sordini.Explain(e.run(ctx), sordini.About{Group: g.name, Principal: g.cluster.Principal()})

	g.mu.Lock()
	g.state, g.failed = stateStopped, err
	g.mu.Unlock()
	return err
}

// topicPlan is one source topic and who handles it.
type topicPlan struct {
	name     string
	deadName string // "" where dead-lettering is off
	inbox    string
	inboxID  [16]byte
	old      oldName
	id       [16]byte // known once the topic was looked up
	ordering OrderingPolicy
	batches  bool // a handler of it takes batches
	byType   map[string]*handler
	all      *handler // handles every type; nil where only typed handlers are registered
	specs    []sordini.Spec
	parts    int // known once the topic was looked up
	deadMax  int // the least that the dead-letter topic's max.message.bytes is

	grown atomic.Int32 // how many partitions the companions have at least
}

// plan checks the handlers as a whole and sorts them by topic. g.mu is held.
func (g *Group) plan() ([]*topicPlan, error) {
	if len(g.handlers) == 0 {
		return nil, refuse("group %q: run: no handler is registered; call consumer.Handle first", g.name)
	}
	var topics []*topicPlan
	for _, h := range g.handlers {
		i := slices.IndexFunc(topics, func(t *topicPlan) bool { return t.name == h.spec.Name })
		if i < 0 {
			t := &topicPlan{name: h.spec.Name, ordering: h.cfg.ordering, byType: map[string]*handler{}}
			if g.cfg.deadLetters {
				var err error
				if t.deadName, err = dlt.TopicName(t.name, g.name); err != nil {
					return nil, fmt.Errorf("group %q: run: %w", g.name, err)
				}
				if t.inbox, err = dlt.InboxName(t.name, g.name); err != nil {
					return nil, fmt.Errorf("group %q: run: %w", g.name, err)
				}
			}
			i = len(topics)
			topics = append(topics, t)
		}
		t := topics[i]
		t.specs = append(t.specs, h.spec)
		t.batches = t.batches || h.batch != nil
		if h.spec.Type == "" {
			t.all = h
		} else {
			t.byType[h.spec.Type] = h
			if g.cfg.otherTypes == 0 {
				return nil, refuse("group %q: run: topic %q is handled by type (%q) and nothing says what becomes of other types; add consumer.OtherTypes(consumer.SkipOthers) or consumer.OtherTypes(consumer.DeadOthers)",
					g.name, t.name, h.spec.Type)
			}
			if g.cfg.otherTypes == DeadOthers && !g.cfg.deadLetters {
				return nil, refuse("group %q: run: OtherTypes(DeadOthers) needs dead letters, and WithoutDeadLetters turns them off", g.name)
			}
		}
	}
	if err := g.renamed(topics); err != nil {
		return nil, err
	}
	for _, h := range g.handlers {
		if h.cfg.goesLater() && !g.cfg.deadLetters {
			return nil, refuse("group %q: run: retrying later (RetryLater, OnError) needs the inbox, which comes with dead letters, and WithoutDeadLetters turns them off", g.name)
		}
		if h.batch != nil {
			h.batch.wrap(g.batchMiddleware())
			continue
		}
		h.chain = nil
		if chain := g.middleware(); len(chain) > 0 {
			h.chain = middleware.Wrap(h.handle, chain...)
		}
	}
	return topics, nil
}

// middleware is what wraps every attempt, outermost first.
func (g *Group) middleware() []sordini.AttemptMiddleware {
	if g.cfg.noDefaults {
		return g.cfg.middleware
	}
	return append(middleware.Default(g.middlewareConfig()), g.cfg.middleware...)
}

// batchMiddleware is what wraps every call of a batch handler, outermost first.
func (g *Group) batchMiddleware() []sordini.BatchMiddleware {
	if g.cfg.noDefaults {
		return g.cfg.batchMiddleware
	}
	return append(middleware.DefaultBatch(g.middlewareConfig()), g.cfg.batchMiddleware...)
}

func (g *Group) middlewareConfig() middleware.Config {
	return middleware.Config{
		Logger:         g.cfg.logger,
		TracerProvider: g.cfg.telemetry.TracerProvider,
		MeterProvider:  g.cfg.telemetry.MeterProvider,
		Propagator:     g.cfg.telemetry.Propagator,
		ClientID:       g.cluster.ClientID,
	}
}

// handlerOf returns who handles a record of the given type, nil for nobody.
func (t *topicPlan) handlerOf(typ string) *handler {
	if h := t.byType[typ]; h != nil {
		return h
	}
	return t.all
}

func names(topics []*topicPlan) string {
	s := make([]string, len(topics))
	for i, t := range topics {
		s[i] = t.name
	}
	return strings.Join(s, ", ")
}
