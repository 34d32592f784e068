package guarantee

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sordini-go/sordini/consumer"
)

// fault does the next random thing, or the kill of a broker when it is time for one.
func (x *chaos) fault(n int, kill bool) {
	x.replaceDead()
	if x.down != nil && (kill || x.rng.IntN(2) == 0) {
		x.down()
		x.down = nil
	}
	l := x.loads[x.rng.IntN(len(x.loads))]
	verbs := map[string]func(){}
	if l.static && !kill && x.rng.IntN(4) == 0 { // among so many there would be too few of them
		x.staticFaults(verbs, l)
	}
	if len(verbs) == 0 {
		x.memberFaults(verbs, l)
		x.sourceFaults(verbs, l)
		x.wireFaults(verbs, l)
		x.brokerFaults(verbs, l)
		l.redriveVerbs(verbs)
		if l.kind.faults != nil {
			l.kind.faults(l, verbs)
		}
	}
	names := slices.Sorted(maps.Keys(verbs))
	name := names[x.rng.IntN(len(names))]
	if kill && verbs[brokerKilled] != nil {
		name = brokerKilled
	}
	x.counts[name]++
	x.t.Logf("chaos: fault %d at %d events, %s, %s: %s", n, x.log.Len(), x.pace, l.kind.name, name)
	verbs[name]()
}

const brokerKilled = "a broker is killed"

// upTo is a random time up to n times Calm.
func (x *chaos) upTo(n int64) time.Duration { return time.Duration(x.rng.Int64N(n * int64(x.Calm))) }

// memberFaults are what happens to the members of a group.
func (x *chaos) memberFaults(verbs map[string]func(), l *load) {
	if len(l.live) < chaosMembers {
		verbs["a member joins"] = func() { l.join() }
		verbs["a rebalance storm"] = l.storm
	}
	verbs["a member is cancelled while it starts"] = func() {
		l.join()
		x.pass(time.Duration(x.rng.Int64N(int64(50 * time.Millisecond))))
		m := l.live[len(l.live)-1]
		l.live = l.live[:len(l.live)-1]
		l.leaving(m)
	}
	if len(l.live) == 0 {
		return
	}
	verbs["a group goes over to the other protocol"] = l.goOver
	if len(l.live) > 1 {
		verbs["a member leaves"] = func() { l.leaving(l.pick()) }
		verbs["a member is killed"] = func() {
			m := l.pick()
			m.kill()
			x.expireSoon(l, m)
		}
	}
	verbs["a member is cut off"] = func() {
		m := l.live[x.rng.IntN(len(l.live))]
		m.expected.Store(true) // its last commit may be one that it no longer had the right to
		m.cutOff()
		x.pass(x.upTo(20))
		m.net.heal()
	}
	verbs["a member loses its connections"] = func() { l.live[x.rng.IntN(len(l.live))].net.drop() }
	verbs["a member is expired"] = func() {
		m := l.live[x.rng.IntN(len(l.live))]
		ctx, cancel := context.WithTimeout(x.ctx, 5*time.Second)
		defer cancel()
		m.expected.Store(true)
		_ = x.target.Faults.ExpireMember(ctx, l.group, m.client) // it may be between two memberships, and the coordinator may be away
	}
}

// storm lets members come and go, in order and not, one after the other.
func (l *load) storm() {
	for range 3 + l.rng.IntN(4) {
		l.join()
		l.pass(time.Duration(l.rng.Int64N(int64(l.Calm) / 4)))
		l.replaceDead()
		if m := l.pick(); l.rng.IntN(2) == 0 {
			m.kill()
			l.expireSoon(l, m)
		} else {
			l.leaving(m)
		}
	}
	if len(l.live) == 0 {
		l.join()
	}
}

// goOver replaces the members by ones of the other protocol, one by one, as a deploy does.
func (l *load) goOver() {
	l.protocol = map[consumer.GroupProtocol]consumer.GroupProtocol{
		consumer.ClassicProtocol: consumer.ConsumerProtocol, consumer.ConsumerProtocol: consumer.ClassicProtocol,
	}[l.protocol]
	for _, m := range slices.Clone(l.live) {
		l.join()
		l.pass(time.Duration(l.rng.Int64N(int64(l.Calm) / 4)))
		if i := slices.Index(l.live, m); i >= 0 { // no record has killed it meanwhile
			l.live = slices.Delete(l.live, i, i+1)
			l.leaving(m)
		}
	}
}

// leaving stops a member. With a broker down or a rebalance that can not end, its last commit may not get through, and a member that is still starting may
// not have found what it looks for: Run says so then, and the checker judges what follows as it judges a stop that was not clean. So it does of a member in
// a hurry whose handlers were at work. Any other error is a defect.
func (l *load) leaving(m *member) {
	m.drain()
	err := m.wait()
	if err != nil && !errors.Is(err, consumer.ErrCommit) && !errors.Is(err, context.Canceled) && !(m.hurried && errors.Is(err, consumer.ErrUndrained)) &&
		!(m.twin && errors.Is(err, kerr.FencedInstanceID)) {
		l.t.Errorf("Run of %s: %v", m.name, err)
	}
}

// sourceFaults are what happens to a publishing service.
func (x *chaos) sourceFaults(verbs map[string]func(), l *load) {
	s := l.sources[x.rng.IntN(len(l.sources))]
	verbs["sends are cancelled"] = func() {
		for range 1 + x.rng.IntN(5) {
			s.cancelSends()
			x.pass(time.Duration(x.rng.Int64N(int64(20 * time.Millisecond))))
		}
	}
	verbs["a source closes"] = func() {
		src, _ := s.current()
		s.replace()
		src.closed = true
		_ = src.p.Close() // with sends under way; what they were told is in the history
	}
	verbs["a source is cut off"] = func() {
		src, _ := s.current()
		src.net.cut()
		x.pass(x.upTo(5))
		src.net.heal()
	}
}

// retriable are refusals after which a producer has to try again.
var retriable = []*kerr.Error{kerr.NotEnoughReplicas, kerr.NotLeaderForPartition, kerr.RequestTimedOut, kerr.NotEnoughReplicasAfterAppend}

// some lets a few requests go wrong.
func (x *chaos) some(f Fault) func() {
	return func() {
		if f.Partition = Any; f.Count == 0 {
			f.Count = 1 + x.rng.IntN(3)
		}
		f.Seed = x.rng.Uint64()
		x.inject(f)
	}
}

// whilst lets requests go wrong for a while.
func (x *chaos) whilst(f Fault, d time.Duration) func() {
	return func() {
		f.Partition, f.Seed = Any, x.rng.Uint64()
		in := x.inject(f)
		x.pass(d)
		in.Remove()
	}
}

// wireFaults are what happens to requests.
func (x *chaos) wireFaults(verbs map[string]func(), l *load) {
	source, dead := l.topic.Name, x.deadLetters(l.topic, l.group)
	verbs["a send is refused"] = x.some(Fault{API: kmsg.Produce, Topic: source, Do: Refuse, Code: retriable[x.rng.IntN(len(retriable))].Code})
	verbs["a send is dropped"] = x.some(Fault{API: kmsg.Produce, Topic: source, Do: DropRequest})
	verbs["a send's answer is lost"] = x.some(Fault{API: kmsg.Produce, Topic: source, Do: DropResponse})
	verbs["a send's answer is cut"] = x.some(Fault{API: kmsg.Produce, Topic: source, Do: CutResponse, CutAfter: 1 + x.rng.IntN(40)})
	verbs["sends are refused by chance"] = x.whilst(Fault{
		API: kmsg.Produce, Do: Refuse, Probability: 0.3, Topic: source, Code: retriable[x.rng.IntN(len(retriable))].Code,
	}, x.upTo(3))
	verbs["a dead letter is refused"] = x.some(Fault{API: kmsg.Produce, Topic: dead, Do: Refuse, Code: kerr.TopicAuthorizationFailed.Code})
	verbs["a dead letter has to be sent again"] = x.some(Fault{API: kmsg.Produce, Topic: dead, Do: Refuse, Code: kerr.NotEnoughReplicas.Code})
	verbs["a dead letter's answer is lost"] = x.some(Fault{API: kmsg.Produce, Topic: dead, Do: DropResponse})
	verbs["a dead letter is dropped"] = x.some(Fault{API: kmsg.Produce, Topic: dead, Do: DropRequest})
	verbs["a commit is refused"] = x.some(Fault{API: kmsg.OffsetCommit, Topic: source, Do: Refuse, Code: kerr.CoordinatorLoadInProgress.Code})
	verbs["a commit is dropped"] = x.some(Fault{API: kmsg.OffsetCommit, Topic: source, Do: DropRequest})
	verbs["a commit's answer is lost"] = x.some(Fault{API: kmsg.OffsetCommit, Topic: source, Do: DropResponse})
	verbs["a fetch is dropped"] = x.some(Fault{API: kmsg.Fetch, Topic: source, Do: DropRequest})
	verbs["a fetch's answer is cut"] = x.some(Fault{API: kmsg.Fetch, Topic: source, Do: CutResponse, CutAfter: 1 + x.rng.IntN(2000)})
	verbs["a member's words are lost"] = x.some(Fault{API: membership[x.rng.IntN(len(membership))], Do: DropResponse})
	verbs["a member's words are stalled"] = x.whilst(Fault{API: membership[x.rng.IntN(len(membership))], Do: Stall, Count: 2}, x.upTo(3))
	verbs["everything jitters"] = x.whilst(Fault{API: AnyAPI, Do: Delay, Jitter: 50 * time.Millisecond, Probability: 0.5}, x.upTo(3))
	if len(l.live) > 0 {
		verbs["a member's link is slow"] = x.whilst(Fault{API: AnyAPI, Client: l.live[x.rng.IntN(len(l.live))].client, Do: Slow, BytesPerSecond: 20_000}, x.upTo(4))
	}
	verbs["a broker stalls fetches"] = x.whilst(Fault{API: kmsg.Fetch, Broker: x.anyBroker(), Do: Stall}, x.upTo(3))
	verbs["a broker stalls sends"] = x.whilst(Fault{API: kmsg.Produce, Broker: x.anyBroker(), Do: Stall}, x.upTo(3))
	verbs["connections are refused"] = func() {
		x.some(Fault{API: AnyAPI, Do: RefuseConnections, Count: 10})()
		for _, m := range l.live {
			m.net.drop()
		}
	}
}

// membership are the requests by which members come, stay and go, and learn what they had committed.
var membership = []kmsg.Key{
	kmsg.FindCoordinator, kmsg.JoinGroup, kmsg.SyncGroup, kmsg.Heartbeat, kmsg.LeaveGroup, kmsg.OffsetFetch, kmsg.ConsumerGroupHeartbeat, kmsg.Metadata,
	kmsg.InitProducerID,
}

func (x *chaos) anyBroker() int32 { return 1 + x.rng.Int32N(int32(x.target.Brokers)) }

// brokerFaults are what happens to brokers and to what they lead: one of three at a time, or nothing could be acknowledged; and a replica that is behind can
// not lead.
func (x *chaos) brokerFaults(verbs map[string]func(), l *load) {
	if x.down != nil {
		return
	}
	verbs["a leader moves"] = func() { x.moveALeader(l.topic.Name, x.rng.Int32N(chaosPartitions)) }
	verbs["all leaders move"] = func() {
		for p := range int32(chaosPartitions) {
			x.moveALeader(l.topic.Name, p)
		}
	}
	verbs["a coordinator moves"] = l.moveCoordinator
	if x.target.Foreign {
		return
	}
	verbs[brokerKilled] = func() { x.takeDown("kill a broker", x.target.Faults.Kill) }
	verbs["a broker is stopped"] = func() { x.takeDown("stop a broker", x.target.Faults.Stop) }
	verbs["a broker is paused"] = func() {
		resume := x.pausedDuring(x.anyBroker())
		x.pass(x.upTo(10))
		resume()
	}
	if r, ok := x.target.Faults.(ReplicaFaults); ok {
		x.replicaVerbs(verbs, l, r)
	}
}

// replicaVerbs are what only the reference broker can do to itself.
func (x *chaos) replicaVerbs(verbs map[string]func(), l *load, r ReplicaFaults) {
	id := x.anyBroker()
	verbs["a broker is killed and loses its tail"] = func() {
		x.do("kill a broker", func(ctx context.Context) error { return x.target.Faults.Kill(ctx, id) })
		x.pass(x.upTo(2))
		x.do("start a broker without its tail", func(ctx context.Context) error { return r.StartLosing(ctx, id) })
	}
	verbs["a disk is full"] = func() {
		x.do("fill a disk", func(ctx context.Context) error { return r.FillDisk(ctx, id) })
		x.pass(x.upTo(3))
		x.do("free a disk", func(ctx context.Context) error { return r.FreeDisk(ctx, id) })
		x.do("kill a broker", func(ctx context.Context) error { return x.target.Faults.Kill(ctx, id) })
		x.do("start a broker", func(ctx context.Context) error { return x.target.Faults.Start(ctx, id) })
	}
	verbs["a clock is wrong"] = func() {
		by := time.Duration(x.rng.Int64N(int64(time.Hour))) - 30*time.Minute
		x.do("skew a clock", func(ctx context.Context) error { return r.SkewClock(ctx, id, by) })
		x.pass(x.upTo(3))
		if x.rng.IntN(2) == 0 {
			x.do("set a clock right", func(ctx context.Context) error { return r.SkewClock(ctx, id, 0) })
		}
	}
	partition := x.rng.Int32N(chaosPartitions)
	verbs["the in-sync replicas shrink"] = func() {
		topic := l.topic.Name
		x.leader(l.topic, partition) // it has one
		x.do("shrink the ISR", func(ctx context.Context) error { return r.ShrinkISR(ctx, topic, partition) })
		x.pass(x.upTo(3))
		x.do("restore the ISR", func(ctx context.Context) error { return r.RestoreISR(ctx, topic, partition) })
	}
	verbs["replication is held"] = func() {
		x.do("hold replication", func(ctx context.Context) error { return r.HoldReplication(ctx, id) })
		x.pass(x.upTo(3))
		x.do("release replication", func(ctx context.Context) error { return r.ReleaseReplication(ctx, id) })
	}
}

func (l *load) moveCoordinator() {
	l.do("move the coordinator", func(ctx context.Context) error {
		from, err := l.target.Faults.Coordinator(ctx, l.group)
		if err != nil {
			return err
		}
		return l.target.Faults.MoveCoordinator(ctx, l.group, l.other(from))
	})
}

func (x *chaos) moveALeader(topic string, partition int32) {
	to := x.other(x.leaderOf(topic, partition))
	x.do("move a leader", func(ctx context.Context) error { return x.target.Faults.MoveLeader(ctx, topic, partition, to) })
}

func (x *chaos) takeDown(what string, down func(context.Context, int32) error) {
	x.down = x.downDuring(what, x.anyBroker(), down)
}
