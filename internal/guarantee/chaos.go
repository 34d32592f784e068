package guarantee

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sordini-go/sordini/consumer"
)

// Chaos is a run of random records, members and faults. The seed decides what is done and in which order; when things meet, the scheduler does.
type Chaos struct {
	Seed    uint64
	Records int
	Faults  int

	// Calm is how long the run waits after a fault, at most. A member is cut off for up to 20 times that, a broker paused for up to 10 times. 2 s when 0:
	// longer than a session, which lasts 30 s.
	Calm time.Duration
}

// chaosPartitions, chaosMembers and chaosKeys are the size of it.
const (
	chaosPartitions = 12
	chaosMembers    = 4
	chaosKeys       = 200
	chaosSources    = 3
)

// Run runs it on the target, which nobody else may use at the same time, and fails t when the history shows a guarantee broken.
func (c Chaos) Run(t *testing.T, target *Target) {
	if c.Calm == 0 {
		c.Calm = 2 * time.Second
	}
	t.Logf("chaos: seed %d, %d records, %d faults", c.Seed, c.Records, c.Faults)
	sc := newScene(t, target)
	defer sc.close()
	x := &chaos{
		scene: sc, Chaos: c, rng: rand.New(rand.NewPCG(c.Seed, 0x5073d1)), topic: sc.topic(chaosPartitions), group: sc.group("chaos"),
		counts: map[string]int{},
	}
	x.run()
	sc.judge()
	t.Logf("chaos: %v; %s", x.counts, sc.tally)
}

// chaos is one such run. Its own goroutine decides everything; the sources send in theirs.
type chaos struct {
	*scene
	Chaos
	rng    *rand.Rand
	topic  *topic
	group  string
	live   []*member
	down   func() // brings the broker that is down up again; nil while all are up
	counts map[string]int
}

func (x *chaos) run() {
	for range 2 {
		x.join()
	}
	var sent sync.WaitGroup
	stop, cancel := context.WithCancel(x.ctx)
	defer cancel()
	progress := make(chan struct{})
	for i := range chaosSources {
		items := x.script(x.Records/chaosSources, i)
		src := x.source()
		sent.Go(func() { x.send(stop, src, items, progress) })
	}
	go func() {
		sent.Wait()
		close(progress)
	}()
	each := max(1, x.Records/max(1, x.Faults)/chaosBatch)
	for n := range x.Faults { // one fault for each share of the records, and the rest when they are sent
		for range each {
			if _, ok := <-progress; !ok {
				break
			}
		}
		x.fault(n)
		x.hold(time.Duration(x.rng.Int64N(int64(x.Calm))))
	}
	for range progress { // until every source is done
	}
	if x.down != nil {
		x.down()
	}
	for _, in := range x.injected {
		in.Remove()
	}
	if len(x.live) == 0 {
		x.join()
	}
	x.awaitAllEnded(x.group, x.topic)
	x.awaitCommitted(x.group, x.topic)
}

// chaosBatch is how many records a source sends before it says so.
const chaosBatch = 50

// script is what a source sends: keys of its own, so that there is an order to keep.
func (x *chaos) script(n, source int) []Item {
	items := make([]Item, n)
	for i := range items {
		items[i] = x.item(fmt.Sprintf("s%d-k%d", source, x.rng.IntN(chaosKeys/chaosSources)), "")
		switch p := x.rng.IntN(1000); {
		case p < 40:
			items[i].Do = fmt.Sprintf("fail:%d", 1+x.rng.IntN(3))
		case p < 50:
			items[i].Do = "permanent"
		case p < 60:
			items[i].Do = "skip"
		case p < 63:
			items[i].Do = "panic"
		case p < 65:
			items[i].Do = "fail"
		}
	}
	return items
}

// send sends in batches and reports each. A send may fail for good or stay in doubt; the history says which, and the checker whether it was true.
func (x *chaos) send(ctx context.Context, src *source, items []Item, progress chan<- struct{}) {
	for batch := range slices.Chunk(items, chaosBatch) {
		var wg sync.WaitGroup
		for _, it := range batch {
			wg.Add(1)
			src.start(ctx, x.topic, it, func(error) { wg.Done() })
		}
		wg.Wait()
		select {
		case progress <- struct{}{}:
		case <-ctx.Done():
			return
		}
	}
}

func (x *chaos) join() {
	m := x.member(x.group, []*topic{x.topic}, func(ctx context.Context, m *consumer.Message[Item]) error {
		work(ctx)
		return standard(ctx, m)
	}, quick(4), consumer.Concurrency(32))
	x.live = append(x.live, m)
}

// leave takes a random member out of the live ones.
func (x *chaos) leave() *member {
	i := x.rng.IntN(len(x.live))
	m := x.live[i]
	x.live = slices.Delete(x.live, i, i+1)
	return m
}

// leaveAmidFaults stops a member. With a broker down or a rebalance that can not end, its last commit may not get through: Run says so then, and the checker
// judges what follows as it judges a stop that was not clean. Any other error is a defect.
func (x *chaos) leaveAmidFaults() {
	m := x.leave()
	m.drain()
	if err := m.wait(); err != nil && !errors.Is(err, consumer.ErrCommit) {
		x.t.Errorf("Run of %s: %v", m.name, err)
	}
}

// fault does the next random thing.
func (x *chaos) fault(n int) {
	if x.down != nil && x.rng.IntN(2) == 0 {
		x.down()
		x.down = nil
	}
	verbs := map[string]func(){
		"a member joins":        func() { x.join() },
		"a member leaves":       x.leaveAmidFaults,
		"a member is killed":    func() { x.leave().kill() },
		"a member is cut off":   x.cutAndHeal,
		"a leader moves":        x.moveALeader,
		"a coordinator moves":   x.moveTheCoordinator,
		"a send is refused":     func() { x.wire(kmsg.Produce, x.topic.Name, Refuse, retriable[x.rng.IntN(len(retriable))]) },
		"a send's answer lost":  func() { x.wire(kmsg.Produce, x.topic.Name, DropResponse, nil) },
		"a send's answer cut":   func() { x.wire(kmsg.Produce, x.topic.Name, CutResponse, nil) },
		"a dead letter refused": func() { x.wire(kmsg.Produce, x.deadLetters(x.topic, x.group), Refuse, kerr.TopicAuthorizationFailed) },
		"a dead letter lost":    func() { x.wire(kmsg.Produce, x.deadLetters(x.topic, x.group), DropResponse, nil) },
		"a commit is refused":   func() { x.wire(kmsg.OffsetCommit, x.topic.Name, Refuse, kerr.CoordinatorLoadInProgress) },
		"a commit's answer":     func() { x.wire(kmsg.OffsetCommit, x.topic.Name, DropResponse, nil) },
		"a fetch's answer cut":  func() { x.wire(kmsg.Fetch, x.topic.Name, CutResponse, nil) },
		"a broker is killed":    func() { x.takeDown("kill a broker", x.target.Faults.Kill) },
		"a broker is stopped":   func() { x.takeDown("stop a broker", x.target.Faults.Stop) },
		"a broker is paused":    x.pause,
	}
	if len(x.live) >= chaosMembers {
		delete(verbs, "a member joins")
	}
	if len(x.live) <= 1 {
		delete(verbs, "a member leaves")
		delete(verbs, "a member is killed")
	}
	if x.down != nil { // one broker of three at a time, or nothing can be acknowledged; and a replica that is behind can not lead
		for _, v := range []string{"a broker is killed", "a broker is stopped", "a broker is paused", "a leader moves", "a coordinator moves"} {
			delete(verbs, v)
		}
	}
	names := slices.Sorted(maps.Keys(verbs))
	name := names[x.rng.IntN(len(names))]
	x.counts[name]++
	x.t.Logf("chaos: fault %d at %d events: %s", n, x.log.Len(), name)
	verbs[name]()
}

// retriable are refusals after which a producer has to try again.
var retriable = []*kerr.Error{kerr.NotEnoughReplicas, kerr.NotLeaderForPartition, kerr.RequestTimedOut, kerr.NotEnoughReplicasAfterAppend}

func (x *chaos) wire(api kmsg.Key, topic string, do Action, code *kerr.Error) {
	f := Fault{API: api, Topic: topic, Partition: Any, Count: 1 + x.rng.IntN(3), Do: do}
	if code != nil {
		f.Code = code.Code
	}
	x.inject(f)
}

// cutAndHeal takes a member's network away for a while.
func (x *chaos) cutAndHeal() {
	m := x.live[x.rng.IntN(len(x.live))]
	m.cutOff()
	x.hold(time.Duration(x.rng.Int64N(int64(20 * x.Calm))))
	m.net.heal()
	m.expected = true // its last commit may be one that it no longer had the right to
}

func (x *chaos) moveALeader() {
	partition := x.rng.Int32N(chaosPartitions)
	to := x.other(x.leader(x.topic, partition))
	x.do("move a leader", func(ctx context.Context) error { return x.target.Faults.MoveLeader(ctx, x.topic.Name, partition, to) })
}

func (x *chaos) moveTheCoordinator() {
	x.do("move the coordinator", func(ctx context.Context) error {
		from, err := x.target.Faults.Coordinator(ctx, x.group)
		if err != nil {
			return err
		}
		return x.target.Faults.MoveCoordinator(ctx, x.group, x.other(from))
	})
}

func (x *chaos) takeDown(what string, down func(context.Context, int32) error) {
	x.down = x.downDuring(what, 1+x.rng.Int32N(int32(x.target.Brokers)), down)
}

func (x *chaos) pause() {
	resume := x.pausedDuring(1 + x.rng.Int32N(int32(x.target.Brokers)))
	x.hold(time.Duration(x.rng.Int64N(int64(10 * x.Calm))))
	resume()
}
