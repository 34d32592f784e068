package consumer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sordini-go/sordini/internal/history"
	"github.com/sordini-go/sordini/internal/lograte"
)

// engine is one run of a group. Its goroutines: the poll loop, the workers of the pool, the due queue, the watch over handler timeouts, the committer; and
// franz-go's, which call its callbacks. run starts and awaits them all.
type engine struct {
	g        *Group
	topics   []*topicPlan
	log      *slog.Logger
	member   string          // its name in a history
	base     context.Context // of every attempt: the values of Run's context, never cancelled
	observed bool            // a test records what happens
	alone    bool            // it is not a run, but takes one record through the ladder
	foreign  bool            // there is middleware of the service's own, which might write to a record and keep what belongs to an attempt
	text     string          // for dead letters: who wrote them

	cl    *kgo.Client        // the member
	side  *kgo.Client        // writes dead letters, asks about topics
	abort context.CancelFunc // ends what the clients still do

	tasks  tasks // of the poll loop
	paces  paces
	budget *budget
	claims *claims       // nil without a store
	tx     *transactions // nil where handlers are not transactional
	pool   *pool
	solo   solo
	due    *dueQueue
	floods floods
	late   outlived
	stats  stats
	limit  lograte.Limiter
	clock  clock // of the records' path

	joined   chan struct{} // closed once cl is set
	stopping chan struct{} // closed when the drain begins
	hurry    chan struct{} // closed at the drain deadline
	fatal    chan error    // what ends the run from within

	dirty      chan struct{} // tells the commit loop that something changed
	urgent     chan struct{} // and that something waits for it
	growth     chan struct{} // tells the grow loop that a partition has no companions
	committing chan struct{} // held, by what is in it, while a commit is out: an older one is never sent after a newer one
	metadata   metaLimit
	owns       atomic.Int64 // how many partitions the member owns

	steering sync.Mutex // what the client may fetch is being changed

	mu      sync.Mutex
	parts   map[tp]*partition
	bodies  bodies
	reader  *inboxReader
	fetched map[tp]committed // what the last OffsetFetch answered, until the partitions are taken over
	trouble map[string]Reason
	behind  error // what was given up without a commit while the group stopped
}

// tp names a partition.
type tp struct {
	topic     string
	partition int32
}

func (x tp) String() string { return fmt.Sprintf("%s[%d]", x.topic, x.partition) }

func newEngine(g *Group, topics []*topicPlan) *engine {
	e := &engine{
		g: g, topics: topics, log: g.cfg.logger.With("group", g.name),
		budget: newBudget(g.cfg.maxRecords, g.cfg.maxBytes, g.cfg.concurrency), claims: newClaims(&g.cfg),
		joined: make(chan struct{}), stopping: make(chan struct{}), hurry: make(chan struct{}), fatal: make(chan error, 1),
		dirty: make(chan struct{}, 1), urgent: make(chan struct{}, 1), paces: paces{wake: make(chan struct{}, 1)}, tasks: tasks{some: make(chan struct{}, 1)}, growth: make(chan struct{}, 1), committing: make(chan struct{}, 1), observed: g.cfg.recorder != nil,
		parts: map[tp]*partition{}, fetched: map[tp]committed{}, trouble: map[string]Reason{},
	}
	e.clock.set()
	e.pool = newPool(g.cfg.concurrency, e.work)
	e.due = newDueQueue(func(l *lane) { l.p.wake(l) })
	e.floods.due = e.due
	e.tx = newTransactions(e)
	e.metadata.most.Store(defaultMetadataMax)
	e.bodies.most = int64(max(1, g.cfg.maxRecords/shareOfBound))
	return e
}

// How long committing and leaving may take after the drain: 3 s together.
const (
	lastCommitTimeout = 2 * time.Second
	leaveTimeout      = time.Second
)

// run is Group.Run.
func (e *engine) run(ctx context.Context) (err error) {
	if e.g.cfg.recorder != nil {
		e.member = memberName(e)
		defer func() {
			e.record(func() history.Event {
				ev := history.Event{Kind: history.RunEnd, Outcome: history.Clean}
				if err != nil {
					ev.Outcome, ev.Err = history.Unclean, err.Error()
				}
				return ev
			})
		}()
	}
	e.base = context.WithoutCancel(ctx)
	if err := e.open(ctx); err != nil {
		if ctx.Err() != nil {
			return nil // told to stop before it began: nothing was taken
		}
		return fmt.Errorf("group %q: run: %w", e.g.name, err)
	}
	defer e.measure()()
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for _, f := range []func(){
		func() { e.due.run(stop) },
		func() { e.watch(stop) },
		func() { e.paceLoop(stop) },
		func() { e.commitLoop(stop) },
		func() { e.lagLoop(stop) },
		func() { e.growLoop(stop) },
		func() { e.unreadLoop(stop) },
		func() { e.reader.run(stop) },
		func() { e.reader.open(stop) },
		func() { e.reader.load(stop) },
		func() { e.pollLoop() },
	} {
		wg.Add(1)
		go func() { defer wg.Done(); f() }()
	}

	var cause error
	select {
	case <-ctx.Done():
	case cause = <-e.fatal:
	}
	e.g.mu.Lock()
	e.g.state = stateDraining
	e.g.mu.Unlock()
	e.record(func() history.Event { return history.Event{Kind: history.DrainStart} })
	close(e.stopping)
	err = e.drain()
	close(stop)

	for _, p := range e.partitions() {
		p.handOver()
	}
	if cerr := e.lastCommit(); cerr != nil {
		err = errors.Join(err, fmt.Errorf("%w: %w", ErrCommit, cerr))
	}
	e.give(e.partitions())
	e.close()
	e.pool.stop()
	wg.Wait()
	e.pool.wg.Wait()
	e.mu.Lock()
	defer e.mu.Unlock()
	if err = errors.Join(cause, err, e.behind); err != nil {
		return fmt.Errorf("group %q: run: %w", e.g.name, err)
	}
	return nil
}

// drain lets what runs finish until the deadline, then cancels it. It returns an error that names what did not finish in time.
func (e *engine) drain() error {
	deadline := time.NewTimer(e.g.cfg.drainTimeout)
	defer deadline.Stop()
	parts := e.partitions()
	var waits []<-chan struct{}
	for _, p := range parts {
		waits = append(waits, p.stop())
	}
	inTime := all(waits, deadline.C, nil) && all([]<-chan struct{}{e.late.wait()}, deadline.C, nil) // the others first: a partition may be lost meanwhile
	close(e.hurry)
	if inTime {
		return nil
	}
	cut := e.runningNow()
	for _, p := range parts {
		p.cancel(ErrDraining)
	}
	grace := time.NewTimer(graceTimeout)
	defer grace.Stop()
	all(append(waits, e.late.wait()), grace.C, nil)
	return undrained(e.g.cfg.drainTimeout, cut, e.runningNow(), e.parkedNow())
}

// graceTimeout is how long a handler may take to return once its context is cancelled by a drain or a revocation.
const graceTimeout = time.Second

// undrained says what did not finish: cut is what was cancelled, still is what goes on, parked how many dead letters were not acknowledged.
func undrained(timeout time.Duration, cut, still []string, parked int) error {
	if len(cut) == 0 && parked == 0 {
		return nil
	}
	text := fmt.Sprintf("after %v", timeout)
	var returned []string
	for _, s := range cut {
		if !slices.Contains(still, s) {
			returned = append(returned, s)
		}
	}
	if len(still) > 0 {
		text += fmt.Sprintf(", handlers that ignore their context still run: %s", list(still))
	}
	if len(returned) > 0 {
		text += fmt.Sprintf(", handlers were cancelled: %s", list(returned))
	}
	if parked > 0 {
		text += fmt.Sprintf(", %d dead letters were not acknowledged", parked)
	}
	return fmt.Errorf("%w: %s; these records are handled again after the next start", ErrUndrained, text)
}

// until returns a context that ends when stop is closed, or with its cancel, which must be called.
func until(stop <-chan struct{}) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		select {
		case <-stop:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}

// list joins the first few of many.
func list(s []string) string {
	const most = 5
	text := ""
	for i, x := range s {
		if i == most {
			return fmt.Sprintf("%s and %d more", text, len(s)-most)
		}
		if i > 0 {
			text += ", "
		}
		text += x
	}
	return text
}

func (e *engine) draining() bool {
	select {
	case <-e.stopping:
		return true
	default:
		return false
	}
}

// burst is how many attempts a worker runs in one partition before another partition has its turn.
const burst = 32

// work is what a worker of the pool does with a partition.
func (e *engine) work(p *partition) (alive bool) {
	p.mu.Lock()
	a := p.take(time.Now())
	p.mu.Unlock()
	returned := false
	defer func() {
		if !returned { // the handler called runtime.Goexit, and the worker ends here: its record failed, and another worker takes its place
			a.over = time.Now()
			if a.parts == nil {
				_, alive = p.finish(a, a.decide(errGoexit, a.over), false)
			} else {
				_, alive = p.finishBatch(a, false)
			}
			if alive {
				e.pool.disown()
			}
		}
	}()
	alive = true
	for n := 1; a != nil && alive; n++ {
		var err error
		if a.parts == nil {
			err = a.run()
		} else {
			a.runBatch()
		}
		a.over = e.clock.now()
		if again := n < burst && !e.pool.excess.Load(); a.parts == nil {
			a, alive = p.finish(a, a.decide(err, a.over), again)
		} else {
			a, alive = p.finishBatch(a, again)
		}
	}
	returned = true
	return alive
}

// watch cancels the contexts of handlers that take too long. It sleeps until the earliest deadline: what starts meanwhile has a later one.
func (e *engine) watch(stop <-chan struct{}) {
	least := e.leastTimeout()
	timer := time.NewTimer(least)
	defer timer.Stop()
	for {
		select {
		case <-stop:
			return
		case <-timer.C:
		}
		now := time.Now()
		next := now.Add(least)
		for _, p := range e.partitions() {
			p.mu.Lock()
			for _, a := range p.running {
				switch {
				case a.overdue || a.deadline.IsZero():
				case a.deadline.After(now):
					if a.deadline.Before(next) {
						next = a.deadline
					}
				default:
					a.overdue = true
					if c := a.circuit(); c != nil {
						c.abandon(a, now)
					}
					e.logRecord(slog.LevelWarn, "handler exceeds its timeout: its context is cancelled", a.src, "", "timeout", a.h.cfg.timeout)
					a.cancel(ErrHandlerTimeout)
				}
			}
			p.mu.Unlock()
		}
		timer.Reset(time.Until(next))
	}
}

func (e *engine) leastTimeout() time.Duration {
	least := defaultHandlerTimeout
	for _, t := range e.topics {
		for _, h := range t.byType {
			least = min(least, h.cfg.timeout)
		}
		if t.all != nil {
			least = min(least, t.all.cfg.timeout)
		}
	}
	return least
}

// partitions returns what the member owns.
func (e *engine) partitions() []*partition {
	e.mu.Lock()
	defer e.mu.Unlock()
	parts := make([]*partition, 0, len(e.parts))
	for _, p := range e.parts {
		parts = append(parts, p)
	}
	return parts
}

// runningNow names the records whose handlers run.
func (e *engine) runningNow() (running []string) {
	for _, p := range e.partitions() {
		p.mu.Lock()
		for _, a := range p.running {
			for x := range a.each() {
				running = append(running, fmt.Sprintf("%s@%d", tp{p.topic.name, p.id}, x.src.Offset))
			}
		}
		p.mu.Unlock()
	}
	for _, a := range e.late.all() {
		for x := range a.each() {
			running = append(running, fmt.Sprintf("%s@%d (its partition was taken away)", tp{x.src.Topic, x.src.Partition}, x.src.Offset))
		}
	}
	slices.Sort(running)
	return running
}

func (e *engine) parkedNow() (n int) {
	for _, p := range e.partitions() {
		p.mu.Lock()
		n += p.parked
		p.mu.Unlock()
	}
	return n
}

// fail ends the run with an error.
func (e *engine) fail(err error) {
	select {
	case e.fatal <- err:
	default:
	}
}
