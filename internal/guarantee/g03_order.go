package guarantee

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sordini-go/sordini/consumer"
	"github.com/sordini-go/sordini/internal/history"
)

var order = []Scenario{
	{Guarantee: "G3", Name: "KeyOrderSurvivesRetries", Targets: Reference | Kafka, body: keyOrderSurvivesRetries},
	{Guarantee: "G3", Name: "KeyOrderSurvivesRebalances", Targets: Reference | Kafka, Verbs: []Verb{KillMember}, body: keyOrderSurvivesRebalances},
	{Guarantee: "G3", Name: "PartitionOrderWhereItIsAskedFor", Targets: Reference | Kafka, body: partitionOrder},
	{Guarantee: "G3", Name: "FenceGrowsWithEachOwnership", Targets: Reference | Kafka, body: fenceGrows},
	{Guarantee: "G3", Name: "DeadRecordLeavesTheOrder", Targets: Reference | Kafka, body: deadRecordLeavesTheOrder},
}

// work lets a handler take a moment, so that handlers of several keys run at the same time.
func work(ctx context.Context) {
	select {
	case <-time.After(2 * time.Millisecond):
	case <-ctx.Done():
	}
}

// keyOrderSurvivesRetries: many keys at once, every fifth record fails first. That attempts of one key neither overlap nor overtake, the checker says; that
// there was something to overtake, we do.
func keyOrderSurvivesRetries(sc *scene) {
	tp, group := sc.topic(2), sc.group("billing")
	sc.member(group, []*topic{tp}, func(ctx context.Context, m *consumer.Message[Item]) error {
		work(ctx)
		return standard(ctx, m)
	}, quick(3), consumer.Concurrency(16))
	src := sc.source()
	items := sc.items(300, 20, "")
	for i := range items {
		if i%5 == 0 {
			items[i].Do = "fail:2"
		}
	}
	src.sendAll(tp, items...)
	sc.awaitAllEnded(group, tp)
	sc.awaitCommitted(group, tp)
	sc.look(func(t *tally) {
		if most := t.group(group).most; most < 4 {
			sc.t.Errorf("at most %d handlers ran at the same time; 20 keys allow 16", most)
		}
	})
}

// keyOrderSurvivesRebalances: members come, go and die while records fail and are tried again.
func keyOrderSurvivesRebalances(sc *scene) {
	tp, group := sc.topic(4), sc.group("billing")
	h := func(ctx context.Context, m *consumer.Message[Item]) error {
		work(ctx)
		return standard(ctx, m)
	}
	src := sc.source()
	send := func() {
		items := sc.items(120, 24, "")
		for i := range items {
			if i%6 == 0 {
				items[i].Do = "fail:1"
			}
		}
		src.sendAll(tp, items...)
	}
	first := sc.member(group, []*topic{tp}, h, quick(3))
	send()
	second := sc.member(group, []*topic{tp}, h, quick(3))
	send()
	third := sc.member(group, []*topic{tp}, h, quick(3))
	sc.await("the third member to own something", func(t *tally) bool { return t.group(group).assigned[third.name] > 0 })
	send()
	first.stop()
	send()
	second.kill()
	send()
	sc.awaitAllEnded(group, tp)
	sc.awaitCommitted(group, tp)
}

func partitionOrder(sc *scene) {
	tp, group := sc.unkeyedTopic(2), sc.group("billing")
	sc.member(group, []*topic{tp}, func(ctx context.Context, m *consumer.Message[Item]) error {
		work(ctx)
		return standard(ctx, m)
	}, quick(3), consumer.Ordering(consumer.ByPartition))
	sc.judgement.Groups[0].Order = history.PartitionOrder
	src := sc.source()
	items := sc.items(60, 20, "")
	for i := range items {
		if i%7 == 0 {
			items[i].Do = "fail:2"
		}
	}
	src.sendAll(tp, items...)
	sc.awaitAllEnded(group, tp)
}

// fenceGrows: over a clean stop, a deleted group (whose generations begin again) and a change of members.
func fenceGrows(sc *scene) {
	tp, group := sc.topic(1), sc.group("billing")
	src := sc.source()
	var fence atomic.Int64
	life := func(why string) {
		sc.t.Helper()
		before := fence.Load()
		m := sc.member(group, []*topic{tp}, func(_ context.Context, m *consumer.Message[Item]) error {
			fence.Store(m.Fence)
			return nil
		})
		src.sendAll(tp, sc.item("a", ""))
		sc.awaitAllEnded(group, tp)
		sc.awaitCommitted(group, tp)
		m.stop()
		if got := fence.Load(); got <= before {
			sc.t.Errorf("%s: the fence went from %d to %d", why, before, got)
		}
	}
	life("first life")
	life("after a clean stop")
	life("after another")
	sc.do("delete the group", func(ctx context.Context) error {
		for {
			req := kmsg.NewPtrDeleteGroupsRequest()
			req.Groups = []string{group}
			resp, err := req.RequestWith(ctx, sc.admin)
			if err == nil && len(resp.Groups) == 1 {
				err = kerr.ErrorForCode(resp.Groups[0].ErrorCode)
			}
			if err == nil || ctx.Err() != nil {
				return err
			}
			sc.hold(100 * time.Millisecond) // the last member's leaving may be under way
		}
	})
	// What the deleted group had committed is forgotten with it, so it handles everything again: that is the deletion's doing, and a Seek says so.
	sc.log.Record(history.Event{Kind: history.Seek, Group: group, Topic: tp.Name, Offset: 0})
	life("after the group was deleted")
}

func deadRecordLeavesTheOrder(sc *scene) {
	tp, group := sc.topic(1), sc.group("billing")
	sc.member(group, []*topic{tp}, standard, quick(1))
	src := sc.source()
	src.sendAll(tp, sc.item("a", "fail"), sc.item("a", ""), sc.item("a", "permanent"), sc.item("a", ""))
	sc.awaitAllEnded(group, tp)
	sc.awaitCommitted(group, tp)
	sc.look(func(t *tally) {
		g := t.group(group)
		if g.count(history.Dead) != 2 || g.count(history.Handled) != 2 {
			sc.t.Errorf("%d dead and %d handled, want 2 and 2", g.count(history.Dead), g.count(history.Handled))
		}
	})
}
