package guarantee

import (
	"context"
	"fmt"
	"sync"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sordini-go/sordini/consumer"
	"github.com/sordini-go/sordini/internal/admin"
	"github.com/sordini-go/sordini/internal/history"
)

var loss = []Scenario{
	{Guarantee: "G1", Name: "EveryAcceptedRecordEnds", Targets: Reference | Kafka, body: everyAcceptedRecordEnds},
	{Guarantee: "G1", Name: "KilledBrokerTakesNothing", Targets: Reference | Kafka, Verbs: []Verb{KillBroker}, Alone: true, body: func(sc *scene) { brokerTakesNothing(sc, "kill a broker", sc.target.Faults.Kill) }},
	{Guarantee: "G1", Name: "StoppedBrokerTakesNothing", Targets: Reference | Kafka, Verbs: []Verb{StopBroker}, Alone: true, body: func(sc *scene) { brokerTakesNothing(sc, "stop a broker", sc.target.Faults.Stop) }},
	{Guarantee: "G1", Name: "PausedBrokerTakesNothing", Targets: Reference | Kafka, Verbs: []Verb{PauseBroker}, Alone: true, body: pausedBrokerTakesNothing},
	{Guarantee: "G1", Name: "MovesTakeNothing", Targets: Reference | Kafka, Verbs: []Verb{MoveLeader, MoveCoordinator}, body: movesTakeNothing},
	{Guarantee: "G1", Name: "KilledMemberTakesNothing", Targets: Reference | Kafka, Verbs: []Verb{KillMember}, body: killedMemberTakesNothing},
	{Guarantee: "G1", Name: "RefusedDeadLetterTakesNothing", Targets: Reference | Kafka, Verbs: []Verb{RefuseProduce}, body: refusedDeadLetterTakesNothing},
	{Guarantee: "G1", Name: "DeadLetterWithLostAnswerIsOneState", Targets: Reference | Kafka, Verbs: []Verb{DropAfterApply}, body: deadLetterWithLostAnswer},
	{Guarantee: "G1", Name: "WhatRetentionTookIsCounted", Targets: Reference | Kafka, body: whatRetentionTookIsCounted},
}

// everyAcceptedRecordEnds: two members, every way in which a record can end.
func everyAcceptedRecordEnds(sc *scene) {
	tp, group := sc.topic(3), sc.group("billing")
	for range 2 {
		sc.member(group, []*topic{tp}, standard, quick(3))
	}
	src := sc.source()
	items := sc.items(300, 40, "")
	for i := range 20 {
		items[i*7].Do = "fail:2"
		if i < 6 {
			items[i*11+1].Do = "permanent"
		}
		if i < 5 {
			items[i*13+2].Do = "skip"
		}
		if i < 3 {
			items[i*17+3].Do, items[i*19+4].Do = "fail", "panic"
		}
	}
	want := map[string]int{}
	for _, it := range items {
		want[it.Do]++
	}
	for i := range 3 {
		sc.poison(tp, fmt.Sprintf("k%d", i), []byte{0xff, byte(i)})
	}
	src.sendAll(tp, items...)
	sc.awaitAllEnded(group, tp)
	sc.awaitCommitted(group, tp)
	sc.look(func(t *tally) {
		g := t.group(group)
		dead, skipped := want["permanent"]+want["fail"]+want["panic"]+3, want["skip"]
		if got := g.count(history.Dead); got != dead {
			sc.t.Errorf("%d dead letters, want %d", got, dead)
		}
		if got := g.count(history.Skipped); got != skipped {
			sc.t.Errorf("%d skipped, want %d", got, skipped)
		}
		if got := g.count(history.Handled); got != 303-dead-skipped {
			sc.t.Errorf("%d handled, want %d", got, 303-dead-skipped)
		}
	})
}

// brokerTakesNothing: the broker that leads partition 0 goes down under load and comes back, and then the one that coordinates the group.
func brokerTakesNothing(sc *scene, what string, down func(context.Context, int32) error) {
	tp, group := sc.topic(3), sc.group("billing")
	sc.member(group, []*topic{tp}, standard, quick(3))
	src := sc.source()
	src.sendAll(tp, sc.items(100, 20, "")...)
	sc.awaitAllEnded(group, tp)
	up := sc.downDuring(what, sc.leader(tp, 0), down)
	src.sendAll(tp, sc.items(100, 20, "fail:1")...)
	src.sendAll(tp, sc.item("k1", "permanent"))
	sc.awaitAllEnded(group, tp)
	up()
	var coordinator int32
	sc.do("find the coordinator", func(ctx context.Context) (err error) {
		coordinator, err = sc.target.Faults.Coordinator(ctx, group)
		return err
	})
	up = sc.downDuring(what, coordinator, down)
	src.sendAll(tp, sc.items(100, 20, "")...)
	sc.awaitAllEnded(group, tp)
	up()
	sc.awaitCommitted(group, tp)
}

// pausedBrokerTakesNothing: the leader hangs with its connections open, which costs a client more than a broker that is gone.
func pausedBrokerTakesNothing(sc *scene) {
	tp, group := sc.topic(3), sc.group("billing")
	sc.member(group, []*topic{tp}, standard, quick(3))
	src := sc.source()
	src.sendAll(tp, sc.items(100, 20, "")...)
	sc.awaitAllEnded(group, tp)
	resume := sc.pausedDuring(sc.leader(tp, 0))
	var sent sync.WaitGroup
	items := sc.items(100, 20, "fail:1")
	var errs []error
	sent.Go(func() { errs = src.trySendAll(tp, items...) })
	sc.hold(sc.target.pause())
	resume()
	sent.Wait()
	for _, err := range errs {
		if err != nil {
			sc.t.Errorf("send while a broker hung: %v", err)
		}
	}
	sc.awaitAllEnded(group, tp)
	sc.awaitCommitted(group, tp)
}

// movesTakeNothing: leaders of the topic and the group's coordinator move from broker to broker while records flow.
func movesTakeNothing(sc *scene) {
	tp, group := sc.topic(3), sc.group("billing")
	for range 2 {
		sc.member(group, []*topic{tp}, standard, quick(3))
	}
	src := sc.source()
	for round := range int32(6) {
		var sent sync.WaitGroup
		items := sc.items(60, 20, "")
		items[7].Do, items[20].Do = "fail:2", "permanent"
		sent.Go(func() {
			for _, err := range src.trySendAll(tp, items...) {
				if err != nil {
					sc.t.Errorf("send while leaders moved: %v", err)
				}
			}
		})
		to := round%int32(sc.target.Brokers) + 1
		sc.do("move a leader", func(ctx context.Context) error { return sc.target.Faults.MoveLeader(ctx, tp.Name, round%3, to) })
		sc.do("move a coordinator", func(ctx context.Context) error { return sc.target.Faults.MoveCoordinator(ctx, group, sc.other(to)) })
		sent.Wait()
	}
	sc.awaitAllEnded(group, tp)
	sc.awaitCommitted(group, tp)
}

// killedMemberTakesNothing: a member dies with handlers running, results uncommitted and retries waiting; another takes its partitions over.
func killedMemberTakesNothing(sc *scene) {
	tp, group := sc.topic(3), sc.group("billing")
	hold := newGate()
	victim := sc.member(group, []*topic{tp}, func(ctx context.Context, m *consumer.Message[Item]) error {
		if m.Value.Do == "hold" {
			return hold.pass(ctx)
		}
		return standard(ctx, m)
	}, quick(3))
	src := sc.source()
	items := sc.items(120, 30, "")
	for i := range 12 {
		items[i*10].Do = []string{"hold", "fail:3", "permanent", "skip"}[i%4]
	}
	src.sendAll(tp, items...)
	sc.awaitAt(hold, 3)
	sc.await("most to have ended", func(t *tally) bool { return t.group(group).ended > 60 })
	victim.kill()
	hold.release()
	sc.member(group, []*topic{tp}, func(ctx context.Context, m *consumer.Message[Item]) error {
		if m.Value.Do == "hold" {
			return nil
		}
		return standard(ctx, m)
	}, quick(3))
	src.sendAll(tp, sc.items(30, 30, "")...)
	sc.awaitAllEnded(group, tp)
	sc.awaitCommitted(group, tp)
}

// refusedDeadLetterTakesNothing: zkafka and kafka-konsumer lose the record here.
func refusedDeadLetterTakesNothing(sc *scene) {
	tp, group := sc.topic(1), sc.group("billing")
	refusal := sc.inject(Fault{
		API: kmsg.Produce, Topic: sc.deadLetters(tp, group), Partition: Any, Do: Refuse, Code: kerr.TopicAuthorizationFailed.Code,
	})
	sc.member(group, []*topic{tp}, standard, quick(2))
	src := sc.source()
	src.sendAll(tp, sc.item("a", ""), sc.item("bad", "permanent"), sc.item("b", ""), sc.item("bad", ""))
	sc.awaitHits(refusal, 2)
	sc.await("the other key to end", func(t *tally) bool { return t.group(group).count(history.Handled) == 2 })
	if got := sc.committed(group, tp)[0]; got > 1 {
		sc.t.Errorf("committed %d while the dead letter of offset 1 is refused (G2)", got)
	}
	refusal.Remove()
	sc.awaitAllEnded(group, tp)
	sc.awaitCommitted(group, tp)
	sc.look(func(t *tally) {
		if got := t.group(group).count(history.Dead); got != 1 {
			sc.t.Errorf("%d dead letters, want 1", got)
		}
	})
}

// deadLetterWithLostAnswer: the broker has the dead letter and the group is not told; folded by identity there is one.
func deadLetterWithLostAnswer(sc *scene) {
	tp, group := sc.topic(1), sc.group("billing")
	lost := sc.inject(Fault{API: kmsg.Produce, Topic: sc.deadLetters(tp, group), Partition: Any, Count: 1, Do: DropResponse})
	sc.member(group, []*topic{tp}, standard, quick(2))
	src := sc.source()
	src.sendAll(tp, sc.item("a", ""), sc.item("bad", "permanent"), sc.item("b", ""))
	sc.awaitHits(lost, 1)
	sc.awaitAllEnded(group, tp)
	sc.awaitCommitted(group, tp)
	sc.look(func(t *tally) {
		if got := t.group(group).record(place{tp.Name, 0, 0}, 1).ends; got != 1 {
			sc.t.Errorf("the record ended %d times, want once", got)
		}
	})
}

// whatRetentionTookIsCounted: records that are gone before the group came to them are no silent loss.
func whatRetentionTookIsCounted(sc *scene) {
	tp, group := sc.topic(1), sc.group("billing")
	src := sc.source()
	src.sendAll(tp, sc.items(20, 5, "")...)
	first := sc.member(group, []*topic{tp}, standard)
	sc.awaitCommitted(group, tp)
	first.stop()
	src.sendAll(tp, sc.items(30, 5, "")...)
	sc.do("delete records", func(ctx context.Context) error {
		_, err := admin.DeleteRecords(ctx, sc.admin, tp.Name, 0, 35)
		return err
	})
	sc.log.Record(history.Event{Kind: history.Truncated, Topic: tp.Name, Ranges: []history.Range{{From: 0, To: 35}}})
	second := sc.member(group, []*topic{tp}, standard)
	src.sendAll(tp, sc.items(5, 5, "")...)
	sc.await("what is left to end", func(t *tally) bool {
		return t.group(group).ended == 40 // 20 of the first life, 20 that were not taken
	})
	second.stop()
	sc.look(func(t *tally) {
		if got := t.group(group).missed; got != 15 {
			sc.t.Errorf("%d records reported as gone before they were handled, want 15", got)
		}
	})
}
