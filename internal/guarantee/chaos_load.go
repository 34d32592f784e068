package guarantee

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/sordini-go/sordini/consumer"
	"github.com/sordini-go/sordini/internal/history"
	"github.com/sordini-go/sordini/producer"
)

// kind is a kind of work: what records there are, and how a group handles them.
type kind struct {
	name  string
	order history.Order
	// options of its members, beside those of all.
	options func(l *load) []consumer.Option
	// register registers the handler of a member; nil registers load.handler with Handle.
	register func(l *load, m *member) error
	// fate decides what becomes of an item.
	fate func(rng *rand.Rand, it *Item)
	// prepare makes what its members need beside the topic; nil for nothing.
	prepare func(l *load)
	// faults adds what happens to this kind of work alone; nil for nothing.
	faults func(l *load, verbs map[string]func())
	// transactional says that offsets are committed in transactions, so that an end alone says nothing.
	transactional bool
}

// kinds are the kinds of work that share a run, each with a topic and a group of its own.
var kinds = []kind{keyedWork, partitionWork, unorderedWork, batchWork, inboxWork, txWork}

// load is one kind of work in a round.
type load struct {
	*chaos
	kind  kind
	index int
	topic *topic
	group string
	live  []*member

	static bool // its members are static ones

	protocol consumer.GroupProtocol // that members join with
	redriven redriven

	out    *topic // of what transactional members copy
	copies *producer.Publisher[Item]
	lives  int // transactional instances that have a name

	mu       sync.Mutex
	sources  []*chaosSource
	crashes  map[string]int  // how often an item has killed its member
	forgiven map[string]bool // items that work now
}

// join starts one more member.
func (l *load) join() *member { return l.joinAs(l.instance()) }

// joinAs starts a member with that instance id, a dynamic one where it is "".
func (l *load) joinAs(instance string) *member {
	concurrency := 4 + l.rng.IntN(61)
	opts := []consumer.Option{
		quick(4), consumer.Protocol(l.protocol), consumer.Concurrency(concurrency), consumer.CommitInterval(time.Duration(20+l.rng.IntN(300)) * time.Millisecond),
	}
	hurried := l.rng.IntN(4) == 0
	if hurried {
		opts = append(opts, consumer.DrainTimeout(0)) // handlers are cancelled at once
	}
	if l.rng.IntN(4) == 0 {
		opts = append(opts, consumer.MaxInFlight(concurrency+l.rng.IntN(200), 1<<20)) // fewer are refused
	}
	if l.kind.options != nil {
		opts = append(opts, l.kind.options(l)...)
	}
	register := l.kind.register
	if register == nil {
		register = func(l *load, m *member) error { return consumer.Handle(m.g, l.topic.Topic, m.alive(l.handler(m))) }
	}
	m := l.instanceOf(instance, l.group, []*topic{l.topic}, opts...)
	m.hurried = hurried
	if err := register(l, m); err != nil {
		l.t.Fatalf("handle: %v", err)
	}
	m.start()
	l.live = append(l.live, m)
	return m
}

// pick takes a random member out of the live ones.
func (l *load) pick() *member {
	i := l.rng.IntN(len(l.live))
	m := l.live[i]
	l.live = slices.Delete(l.live, i, i+1)
	return m
}

// handler is what a member does with a record: chaos of its own, then what the standard handler does.
func (l *load) handler(m *member) handle {
	return func(ctx context.Context, msg *consumer.Message[Item]) error {
		if l.isForgiven(msg.Value.ID) {
			return nil
		}
		if l.suffer(ctx, m, msg.Value) {
			return errDead
		}
		return standard(ctx, msg)
	}
}

// suffer is the time that an item takes, and what it does to the member; it reports whether that is dead.
func (l *load) suffer(ctx context.Context, m *member, it Item) bool {
	var times int
	switch {
	case it.Slow > 0:
		select {
		case <-time.After(time.Duration(it.Slow) * time.Millisecond):
		case <-ctx.Done():
		}
	case it.Slow < 0: // and does not listen
		time.Sleep(time.Duration(-it.Slow) * time.Millisecond)
	case l.kind.order != history.PartitionOrder: // one lane that does it all has no moment to spare
		work(ctx)
	}
	if _, err := fmt.Sscanf(it.Crash, "crash:%d", &times); err != nil {
		return false
	}
	l.mu.Lock()
	l.crashes[it.ID]++
	crash := l.crashes[it.ID] <= times
	l.mu.Unlock()
	if crash {
		m.kill()
		l.died <- m
	}
	return crash
}

// chaosSource is a publishing service that is replaced when it ends.
type chaosSource struct {
	l      *load
	prefix string // of its keys: its own, so that there is an order to keep
	loops  bool   // the record in the middle of its work kills every process

	mu     sync.Mutex
	src    *source
	ctx    context.Context
	cancel context.CancelFunc
}

func (l *load) addSource(n int) *chaosSource {
	s := &chaosSource{l: l, prefix: fmt.Sprintf("s%d", n), loops: n == 0 && l.loops()}
	s.replace()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sources = append(l.sources, s)
	return s
}

// loops reports whether a record of this load kills every process that handles it: in each round those of one kind of work do.
func (l *load) loops() bool {
	return (l.index+l.number+int(l.Seed%uint64(len(l.kinds()))))%len(l.kinds()) == 0
}

// replace starts a new service in place of the old one, which the caller has closed.
func (s *chaosSource) replace() {
	src := s.l.source(producer.DeliveryTimeout(30 * time.Second))
	ctx, cancel := context.WithCancel(s.l.ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.src, s.ctx, s.cancel = src, ctx, cancel
}

// current is the service that sends, and the context of its sends.
func (s *chaosSource) current() (*source, context.Context) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.src, s.ctx
}

// cancelSends ends the context of what is being sent, at whatever step it is.
func (s *chaosSource) cancelSends() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cancel()
	s.ctx, s.cancel = context.WithCancel(s.l.ctx)
}

// run sends n items in batches. A send may fail for good or stay in doubt; the history says which, and the checker whether it was true.
func (s *chaosSource) run(ctx context.Context, n int, rng *rand.Rand) {
	for sent := 0; sent < n; {
		batch := min(chaosBatch, n-sent)
		if !s.l.pace.take(ctx, batch) {
			return
		}
		src, sends := s.current()
		var wg sync.WaitGroup
		for i := range batch {
			it := Item{ID: fmt.Sprintf("%s-%s-%s-%d", s.l.unique, s.l.kind.name, s.prefix, sent+i), Key: fmt.Sprintf("%s-k%d", s.prefix, rng.IntN(max(chaosKeys, n/chaosPerKey)))}
			s.l.kind.fate(rng, &it)
			if s.loops && sent+i == n/2 {
				it.Do, it.Slow, it.Crash = "", 0, "crash:1000" // every process that handles it, until it is found
			}
			wg.Add(1)
			src.start(sends, s.l.topic, it, func(error) { wg.Done() })
		}
		wg.Wait()
		sent += batch
		s.l.pace.done(batch)
	}
}
