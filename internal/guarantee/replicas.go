package guarantee

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/sordini-go/sordini/internal/history"
	"github.com/sordini-go/sordini/producer"
)

// replicas are the scenarios that do to replicas what nobody can do to a real cluster from outside.
var replicas = []Scenario{
	{Guarantee: "G1", Name: "LeaderThatLosesItsTailTakesNothing", Targets: Reference, Verbs: []Verb{KillBroker, LoseTail}, Alone: true, body: leaderLosesItsTail},
	{Guarantee: "G1", Name: "FullDiskTakesNothing", Targets: Reference, Verbs: []Verb{KillBroker, FillDisk}, Alone: true, body: fullDiskTakesNothing},
	{Guarantee: "G1", Name: "WrongClockTakesNothing", Targets: Reference, Verbs: []Verb{SkewClock}, Alone: true, body: wrongClockTakesNothing},
	{Guarantee: "G2", Name: "DeadLetterWaitsForReplicas", Targets: Reference, Verbs: []Verb{ShrinkISR}, body: deadLetterWaitsForReplicas},
	{Guarantee: "G10", Name: "ShrunkISRAcknowledgesNothing", Targets: Reference, Verbs: []Verb{ShrinkISR}, body: shrunkISRAcknowledgesNothing},
	{Guarantee: "G10", Name: "HeldReplicationAcknowledgesNothing", Targets: Reference, Verbs: []Verb{HoldReplication}, Alone: true,
		body: heldReplicationAcknowledgesNothing},
}

// replicaFaults are the target's.
func (sc *scene) replicaFaults() ReplicaFaults {
	sc.t.Helper()
	f, ok := sc.target.Faults.(ReplicaFaults)
	if !ok {
		sc.t.Fatalf("%s has no faults of replicas", sc.target.Kind)
	}
	return f
}

// sending sends items on the side; the function that it returns waits for them, and fails the scenario for those that were not acknowledged.
func (sc *scene) sending(src *source, tp *topic, items []Item) (wait func()) {
	var sent sync.WaitGroup
	var errs []error
	sent.Go(func() { errs = src.trySendAll(tp, items...) })
	return func() {
		sc.t.Helper()
		sent.Wait()
		for _, err := range errs {
			if err != nil {
				sc.t.Errorf("send: %v", err)
			}
		}
	}
}

// leaderLosesItsTail: the leader dies under load and comes back without what the others did not have yet. With acks=all none of that was acknowledged.
func leaderLosesItsTail(sc *scene) {
	tp, group := sc.topic(3), sc.group("billing")
	sc.member(group, []*topic{tp}, standard, quick(3))
	src := sc.source()
	src.sendAll(tp, sc.items(20, 20, "")...)
	sc.awaitAllEnded(group, tp)
	id := sc.leader(tp, 0)
	wait := sc.sending(src, tp, sc.items(150, 20, ""))
	up := sc.downDuring("kill a broker", id, sc.target.Faults.Kill)
	sc.hold(200 * time.Millisecond)
	sc.do("start a broker without its tail", func(ctx context.Context) error { return sc.replicaFaults().StartLosing(ctx, id) })
	up() // it runs already
	wait()
	sc.awaitAllEnded(group, tp)
	sc.awaitCommitted(group, tp)
}

// fullDiskTakesNothing: the leader can not write any more, and gives its partitions up.
func fullDiskTakesNothing(sc *scene) {
	tp, group := sc.topic(3), sc.group("billing")
	sc.member(group, []*topic{tp}, standard, quick(3))
	src := sc.source()
	src.sendAll(tp, sc.items(50, 20, "")...)
	sc.awaitAllEnded(group, tp)
	full := sc.leader(tp, 0)
	sc.do("fill a disk", func(ctx context.Context) error { return sc.replicaFaults().FillDisk(ctx, full) })
	src.sendAll(tp, sc.items(100, 20, "fail:1")...)
	sc.awaitAllEnded(group, tp)
	if now := sc.leader(tp, 0); now == full {
		sc.t.Errorf("broker %d leads with a full disk", full)
	}
	sc.do("free the disk", func(ctx context.Context) error { return sc.replicaFaults().FreeDisk(ctx, full) })
	up := sc.downDuring("kill a broker", full, sc.target.Faults.Kill)
	up()
	src.sendAll(tp, sc.items(50, 20, "")...)
	sc.awaitAllEnded(group, tp)
	sc.awaitCommitted(group, tp)
}

// wrongClockTakesNothing: the brokers' clocks go wrong by minutes and days, each in its own way. A clock that is more than an hour behind makes a broker
// refuse what producers stamp (message.timestamp.after.max.ms), which is an error, and no loss.
func wrongClockTakesNothing(sc *scene) {
	tp, group := sc.topic(3), sc.group("billing")
	sc.member(group, []*topic{tp}, standard, quick(3))
	src := sc.source()
	for _, by := range []time.Duration{30 * time.Minute, -30 * time.Minute, 24 * time.Hour} {
		for id := range int32(sc.target.Brokers) {
			sc.do("skew a clock", func(ctx context.Context) error { return sc.replicaFaults().SkewClock(ctx, id+1, by*time.Duration(id)) })
		}
		sc.repair(func() {
			for id := range int32(sc.target.Brokers) {
				_ = sc.replicaFaults().SkewClock(sc.ctx, id+1, 0) // it was there before
			}
		})
		items := sc.items(60, 20, "fail:1")
		items[7].Do = "permanent"
		src.sendAll(tp, items...)
		sc.awaitAllEnded(group, tp)
	}
	sc.awaitCommitted(group, tp)
}

// deadLetterWaitsForReplicas: the dead-letter topic has one replica in sync of the two that it needs. The record's lane waits, others go on, the group says
// so, and nothing is committed past it.
func deadLetterWaitsForReplicas(sc *scene) {
	tp, group := sc.topic(1), sc.group("billing")
	m := sc.member(group, []*topic{tp}, standard, quick(2))
	src := sc.source()
	src.sendAll(tp, sc.item("a", ""))
	sc.awaitCommitted(group, tp)
	dead := sc.deadLetters(tp, group)
	sc.do("shrink the ISR", func(ctx context.Context) error { return sc.replicaFaults().ShrinkISR(ctx, dead, 0) })
	src.sendAll(tp, sc.item("bad", "permanent"), sc.item("b", ""), sc.item("c", ""))
	sc.await("the others to end", func(t *tally) bool { return t.group(group).count(history.Handled) == 3 })
	sc.hold(time.Second) // several commit intervals
	if got := sc.committed(group, tp)[0]; got > 1 {
		sc.t.Errorf("committed %d while the dead letter of offset 1 waits for replicas", got)
	}
	sc.look(func(t *tally) {
		if got := t.group(group).count(history.Dead); got != 0 {
			sc.t.Errorf("%d dead letters with one replica in sync of two", got)
		}
	})
	sc.do("restore the ISR", func(ctx context.Context) error { return sc.replicaFaults().RestoreISR(ctx, dead, 0) })
	sc.awaitAllEnded(group, tp)
	sc.awaitCommitted(group, tp)
	sc.awaitHealth(m, "the group to be well", true)
}

// shrunkISRAcknowledgesNothing: one replica of the two that min.insync.replicas asks for is in sync. A send does not succeed, and says whether it may have
// been written; what is still waiting when the others are back is.
func shrunkISRAcknowledgesNothing(sc *scene) {
	tp := sc.topic(1)
	src := sc.source()
	src.sendAll(tp, sc.item("a", ""))
	sc.do("shrink the ISR", func(ctx context.Context) error { return sc.replicaFaults().ShrinkISR(ctx, tp.Name, 0) })
	ctx, cancel := context.WithTimeout(sc.ctx, 2*time.Second)
	defer cancel()
	if err := src.send(ctx, tp, sc.item("a", "")); !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, producer.ErrOutcomeUnknown) {
		sc.t.Errorf("send with one replica in sync of two: %v, want ErrOutcomeUnknown and the deadline", err)
	}
	wait := sc.sending(src, tp, sc.items(10, 2, ""))
	sc.hold(time.Second)
	sc.do("restore the ISR", func(ctx context.Context) error { return sc.replicaFaults().RestoreISR(ctx, tp.Name, 0) })
	wait()
	src.sendAll(tp, sc.item("a", ""))
	src.close()
}

// heldReplicationAcknowledgesNothing: the followers are in sync and do not fetch. A send waits for them, and is not acknowledged before they go on.
func heldReplicationAcknowledgesNothing(sc *scene) {
	tp, group := sc.topic(1), sc.group("billing")
	sc.member(group, []*topic{tp}, standard, quick(2))
	src := sc.source()
	src.sendAll(tp, sc.item("a", ""))
	sc.awaitCommitted(group, tp)
	leader := sc.leader(tp, 0)
	release := func() {
		for id := range int32(sc.target.Brokers) {
			_ = sc.replicaFaults().ReleaseReplication(sc.ctx, id+1) // it was there before
		}
	}
	sc.repair(release)
	for id := range int32(sc.target.Brokers) {
		if id+1 != leader {
			sc.do("hold replication", func(ctx context.Context) error { return sc.replicaFaults().HoldReplication(ctx, id+1) })
		}
	}
	wait := sc.sending(src, tp, sc.items(10, 2, "fail:1"))
	sc.hold(2 * time.Second)
	sc.look(func(t *tally) {
		if t.accepted != 1 || t.group(group).ended != 1 {
			sc.t.Errorf("%d records acknowledged and %d handled while nobody follows, want the 1 from before", t.accepted, t.group(group).ended)
		}
	})
	release()
	wait()
	sc.awaitAllEnded(group, tp)
	sc.awaitCommitted(group, tp)
}
