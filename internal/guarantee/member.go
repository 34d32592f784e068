package guarantee

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sordini-go/sordini/consumer"
	"github.com/sordini-go/sordini/internal/history"
)

// handle is what a member does with a record.
type handle func(ctx context.Context, m *consumer.Message[Item]) error

// member is a handling service: one life of one member of a group.
type member struct {
	sc       *scene
	name     string
	client   string // its client id: its name, or what all lives of a static member share
	instance string // of a static member
	group    string
	net      *network
	g        *consumer.Group
	cancel   context.CancelFunc
	done     chan struct{} // closed when Run has returned; err is set then
	err      error
	recorder *recorder
	expected atomic.Bool // the scenario has looked at err
	hurried  bool        // its handlers are cancelled as soon as it stops
	twin     bool        // another process had its instance id while it ran
}

// recorder puts the member's name to its events, and forgets what happens after its death.
type recorder struct {
	log  *history.Log
	name string

	mu   sync.Mutex
	dead bool
	gone chan struct{} // closed with its death
}

func (r *recorder) Record(events ...history.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.dead {
		return
	}
	named := make([]history.Event, len(events))
	for i, e := range events {
		e.Member = r.name
		named[i] = outputID(e)
	}
	r.log.Record(named...)
}

// errDead is what handlers of a dead member return; nobody hears it.
var errDead = errors.New("the member is dead")

// member starts a member of the group that handles the topics. Its handlers drain within 5 s unless an option says otherwise.
func (sc *scene) member(group string, topics []*topic, h handle, opts ...consumer.Option) *member {
	sc.t.Helper()
	m := sc.newMember(group, topics, h, opts...)
	m.start()
	return m
}

// newMember is member without running it.
func (sc *scene) newMember(group string, topics []*topic, h handle, opts ...consumer.Option) *member {
	sc.t.Helper()
	m := sc.bareMember(group, topics, opts...)
	for _, tp := range topics {
		if err := consumer.Handle(m.g, tp.Topic, m.alive(h)); err != nil {
			sc.t.Fatalf("handle: %v", err)
		}
	}
	return m
}

// bareMember is newMember without handlers.
func (sc *scene) bareMember(group string, topics []*topic, opts ...consumer.Option) *member {
	sc.t.Helper()
	return sc.instanceOf("", group, topics, opts...)
}

// instanceOf is bareMember for a static member with that instance id, a dynamic one where it is "".
func (sc *scene) instanceOf(instance, group string, topics []*topic, opts ...consumer.Option) *member {
	sc.t.Helper()
	m := &member{sc: sc, group: group, name: fmt.Sprintf("m%d-%s", len(sc.members)+1, group), instance: instance, net: &network{}, done: make(chan struct{})}
	m.client = m.name
	if instance != "" {
		m.client = instance + "-" + group // as its pod is called: a coordinator keeps that of the life before
		opts = append([]consumer.Option{consumer.StaticMember(instance)}, opts...)
	}
	m.recorder = &recorder{log: sc.log, name: m.name, gone: make(chan struct{})}
	cluster := m.net.over(sc.target.Cluster, m.client)
	cluster.Logger = sc.logger(m.name)
	var err error
	m.g, err = consumer.New(cluster, group, append([]consumer.Option{consumer.DrainTimeout(5 * time.Second), consumer.Observe(m.recorder)}, opts...)...)
	if err != nil {
		sc.t.Fatalf("new group: %v", err)
	}
	sc.members = append(sc.members, m)
	sc.expect(group, history.KeyOrder, topics...)
	return m
}

func (m *member) start() {
	ctx, cancel := context.WithCancel(m.sc.ctx)
	m.cancel = cancel
	go func() {
		defer close(m.done)
		m.err = m.g.Run(ctx)
	}()
}

// alive ends handlers with the member's death: a dead process handles nothing.
func (m *member) alive(h handle) handle {
	return func(ctx context.Context, msg *consumer.Message[Item]) error {
		ctx, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		stop := make(chan struct{})
		defer close(stop)
		go func() {
			select {
			case <-m.recorder.gone:
				cancel(errDead)
			case <-stop:
			}
		}()
		select {
		case <-m.recorder.gone:
			return errDead
		default:
			return h(ctx, msg)
		}
	}
}

// drain asks the member to stop and does not wait.
func (m *member) drain() { m.cancel() }

// wait returns what Run returned.
func (m *member) wait() error {
	m.sc.t.Helper()
	ctx, cancel := m.sc.patience()
	defer cancel()
	select {
	case <-m.done:
	case <-ctx.Done():
		m.sc.t.Fatalf("Run of %s has not returned after %s (G12)", m.name, m.sc.target.Patience)
	}
	m.expected.Store(true)
	return m.err
}

// stop stops the member; it must stop cleanly.
func (m *member) stop() {
	m.sc.t.Helper()
	m.drain()
	if err := m.wait(); err != nil {
		m.sc.t.Errorf("Run of %s: %v", m.name, err)
	}
}

// kill ends the member as kill -9 does: from one moment to the next it says nothing more, to the cluster or to the history, and handles nothing.
func (m *member) kill() {
	m.net.mu.Lock()
	m.net.isCut = true // with its death: what it commits is of what the history has
	m.recorder.mu.Lock()
	if !m.recorder.dead {
		m.recorder.dead = true
		close(m.recorder.gone)
		m.recorder.log.Record(history.Event{Kind: history.RunEnd, Group: m.group, Member: m.name, Outcome: history.Killed})
	}
	m.recorder.mu.Unlock()
	m.net.mu.Unlock()
	m.net.drop()
	m.expected.Store(true)
	m.cancel()
}

// cutOff takes the member's network away and lets it live: to the group it is dead, to itself it is not.
func (m *member) cutOff() { m.net.cut() }

func (m *member) running() bool {
	if m.cancel == nil {
		return false
	}
	select {
	case <-m.done:
		return false
	default:
		return true
	}
}

// killed reports whether it was killed.
func (m *member) killed() bool {
	select {
	case <-m.recorder.gone:
		return true
	default:
		return false
	}
}

// abandon ends the member at the end of a scene.
func (m *member) abandon() {
	if m.cancel == nil {
		return
	}
	m.cancel()
	select {
	case <-m.done:
	case <-time.After(m.sc.target.Patience):
		m.sc.t.Errorf("Run of %s has not returned %s after its context ended (G12)", m.name, m.sc.target.Patience)
		return
	}
	if !m.expected.Load() && m.err != nil {
		m.sc.t.Errorf("Run of %s: %v", m.name, m.err)
	}
	if n := m.net.openSoon(); n > 0 {
		m.sc.t.Errorf("%s has %d connections open after Run (G12)", m.name, n)
	}
}

// standard handles an item as its Do says: "" works; "fail:N" fails N times first; "fail" always fails; "permanent", "skip" and "panic" do that.
func standard(ctx context.Context, m *consumer.Message[Item]) error {
	var times int
	switch do := m.Value.Do; {
	case do == "":
		return nil
	case do == "fail":
		return fmt.Errorf("item %s fails", m.Value.ID)
	case do == "permanent":
		return consumer.Permanent(fmt.Errorf("item %s can not work", m.Value.ID))
	case do == "skip":
		return consumer.Skip(fmt.Errorf("item %s is of no interest", m.Value.ID))
	case do == "panic":
		panic("item " + m.Value.ID)
	default:
		if _, err := fmt.Sscanf(do, "fail:%d", &times); err != nil {
			return consumer.Permanent(fmt.Errorf("item %s: what is %q?", m.Value.ID, do))
		}
		if m.Attempt <= times {
			return fmt.Errorf("item %s fails on attempt %d", m.Value.ID, m.Attempt)
		}
		return nil
	}
}

// gate holds handlers until it is opened.
type gate struct {
	open    chan struct{}
	once    sync.Once
	mu      sync.Mutex
	waiting int
	changed chan struct{}
}

func newGate() *gate { return &gate{open: make(chan struct{}), changed: make(chan struct{})} }

// pass waits for the gate, or for the end of ctx, and returns why ctx ended.
func (g *gate) pass(ctx context.Context) error {
	g.note(1)
	defer g.note(-1)
	select {
	case <-g.open:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// block waits for the gate whatever ctx says, as a handler that ignores its context.
func (g *gate) block() {
	g.note(1)
	defer g.note(-1)
	<-g.open
}

func (g *gate) note(n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.waiting += n
	close(g.changed)
	g.changed = make(chan struct{})
}

func (g *gate) release() { g.once.Do(func() { close(g.open) }) }

// awaitAt waits until n handlers stand at the gate.
func (sc *scene) awaitAt(g *gate, n int) {
	sc.t.Helper()
	ctx, cancel := sc.patience()
	defer cancel()
	for {
		g.mu.Lock()
		waiting, changed := g.waiting, g.changed
		g.mu.Unlock()
		if waiting >= n {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			sc.t.Fatalf("waited %s for %d handlers at the gate, there are %d\n%s%s", sc.target.Patience, n, waiting, sc.tally, sc.healths())
		}
	}
}

// quick is a retry policy for scenarios that wait for many failures.
func quick(retries int) consumer.Option {
	return consumer.Retry(consumer.RetryPolicy{Retries: retries, Delay: 20 * time.Millisecond, Max: 200 * time.Millisecond})
}
