package guarantee

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sordini-go/sordini/consumer"
)

var commits = []Scenario{
	{Guarantee: "G2", Name: "CommitNeverPassesUnfinishedRecord", Targets: Reference | Kafka, body: commitNeverPassesUnfinished},
	{Guarantee: "G2", Name: "CommitWaitsForTheDeadLetter", Targets: Reference | Kafka, Verbs: []Verb{DelayRequest}, body: commitWaitsForDeadLetter},
	{Guarantee: "G2", Name: "CommitWithLostAnswerIsRight", Targets: Reference | Kafka, Verbs: []Verb{DropAfterApply, CutFrame}, body: commitWithLostAnswer},
	{Guarantee: "G2", Name: "RefusedCommitIsMadeAgain", Targets: Reference | Kafka, Verbs: []Verb{RefuseCommit}, body: refusedCommitIsMadeAgain},
}

// commitNeverPassesUnfinished: one record is stuck, everything behind it is done; the offset stays, and says in its metadata what is done.
func commitNeverPassesUnfinished(sc *scene) {
	tp, group := sc.topic(1), sc.group("billing")
	stuck := newGate()
	sc.member(group, []*topic{tp}, func(ctx context.Context, m *consumer.Message[Item]) error {
		if m.Value.Do == "stick" {
			return stuck.pass(ctx)
		}
		return nil
	})
	src := sc.source()
	src.sendAll(tp, sc.item("first", ""), sc.item("stuck", "stick"))
	src.sendAll(tp, sc.items(30, 30, "")...)
	sc.await("a commit whose metadata names what is done behind the stuck record", func(t *tally) bool {
		return t.group(group).ranges[place{tp.Name, 0, 0}] == 30
	})
	if got := sc.committed(group, tp)[0]; got != 1 {
		sc.t.Errorf("committed %d while offset 1 is being handled, want 1", got)
	}
	stuck.release()
	sc.awaitCommitted(group, tp)
	if got := sc.committed(group, tp)[0]; got != 32 {
		sc.t.Errorf("committed %d in the end, want 32", got)
	}
}

// commitWaitsForDeadLetter: between a record's last attempt and the acknowledgement of its dead letter it has not ended.
func commitWaitsForDeadLetter(sc *scene) {
	tp, group := sc.topic(1), sc.group("billing")
	slow := sc.inject(Fault{API: kmsg.Produce, Topic: sc.deadLetters(tp, group), Partition: Any, Count: 1, Do: Delay, Delay: 3 * time.Second})
	sc.member(group, []*topic{tp}, standard)
	src := sc.source()
	src.sendAll(tp, sc.item("bad", "permanent"))
	src.sendAll(tp, sc.items(10, 10, "")...)
	sc.awaitHits(slow, 1)
	sc.await("the others to end", func(t *tally) bool { return t.group(group).ended == 10 })
	sc.hold(time.Second) // several commit intervals
	if got := sc.committed(group, tp)[0]; got > 0 {
		sc.t.Errorf("committed %d before the dead letter of offset 0 was acknowledged", got)
	}
	sc.awaitAllEnded(group, tp)
	sc.awaitCommitted(group, tp)
}

// commitWithLostAnswer: the coordinator has the offset and the group is not told.
func commitWithLostAnswer(sc *scene) {
	tp, group := sc.topic(2), sc.group("billing")
	m := sc.member(group, []*topic{tp}, standard)
	src := sc.source()
	src.sendAll(tp, sc.items(10, 10, "")...)
	sc.awaitCommitted(group, tp)
	for _, do := range []Action{DropResponse, CutResponse} {
		lost := sc.inject(Fault{API: kmsg.OffsetCommit, Topic: tp.Name, Partition: Any, Count: 1, Do: do})
		src.sendAll(tp, sc.items(10, 10, "")...)
		sc.awaitHits(lost, 1)
		sc.awaitAllEnded(group, tp)
		src.sendAll(tp, sc.items(10, 10, "")...)
		sc.awaitCommitted(group, tp)
	}
	m.stop()
	next := sc.member(group, []*topic{tp}, standard) // handles nothing again: the checker would say so
	src.sendAll(tp, sc.items(10, 10, "")...)
	sc.awaitAllEnded(group, tp)
	next.stop()
}

// refusedCommitIsMadeAgain: the coordinator says no for a while, in both ways that are worth another try.
func refusedCommitIsMadeAgain(sc *scene) {
	tp, group := sc.topic(2), sc.group("billing")
	sc.member(group, []*topic{tp}, standard)
	src := sc.source()
	for _, refusal := range []*kerr.Error{kerr.CoordinatorLoadInProgress, kerr.NotCoordinator, kerr.RequestTimedOut} {
		in := sc.inject(Fault{API: kmsg.OffsetCommit, Topic: tp.Name, Partition: Any, Count: 2, Do: Refuse, Code: refusal.Code})
		src.sendAll(tp, sc.items(10, 10, "")...)
		sc.awaitHits(in, 2)
		sc.awaitCommitted(group, tp)
	}
}
