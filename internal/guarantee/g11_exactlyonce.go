package guarantee

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sordini-go/sordini/consumer"
	"github.com/sordini-go/sordini/internal/history"
	"github.com/sordini-go/sordini/producer"
)

var exactlyOnce = []Scenario{
	{Guarantee: "G11", Name: "OutputsAndOffsetsAreCommittedTogether", Targets: Reference | Kafka, Verbs: []Verb{KillMember}, body: outputsAndOffsets},
	{Guarantee: "G11", Name: "LostAnswerInATransactionDoublesNothing", Targets: Reference | Kafka, Verbs: []Verb{DropAfterApply, CutFrame, RefuseProduce}, body: lostAnswerInATransaction},
	{Guarantee: "G11", Name: "TransactionsSurviveBrokers", Targets: Reference, Verbs: []Verb{KillBroker, MoveLeader, MoveCoordinator}, Alone: true, body: transactionsSurviveBrokers,
		Why: "each broker that dies costs its transactions' and its group's coordinator a failover of tens of seconds there; what such a failover looks like to a member is shown by lost answers"},
	{Guarantee: "G11", Name: "TransactionsOutsideAGroupAreWholeOrNothing", Targets: Reference | Kafka, Verbs: []Verb{DropAfterApply}, body: wholeOrNothing},
}

// copier is a transactional member: what it handles as the standard handler does, it copies to out.
func (sc *scene) copier(group string, from, out *topic, opts ...consumer.Option) *member {
	sc.t.Helper()
	m := sc.bareMember(group, []*topic{from}, opts...)
	cluster := m.net.over(sc.target.Cluster, m.name)
	cluster.Logger = sc.logger(m.name)
	p, err := producer.New(cluster)
	if err != nil {
		sc.t.Fatal(err)
	}
	sc.repair(func() { _ = p.Close() })
	to, err := producer.To(p, out.Topic)
	if err != nil {
		sc.t.Fatal(err)
	}
	err = consumer.HandleTx(m.g, from.Topic, func(ctx context.Context, tx *producer.Tx, msg *consumer.Message[Item]) error {
		return m.alive(func(ctx context.Context, msg *consumer.Message[Item]) error {
			if err := to.In(tx).Send(ctx, Item{ID: "copy of " + msg.Value.ID, Key: msg.Value.Key}); err != nil {
				return err
			}
			return standard(ctx, msg)
		})(ctx, msg)
	})
	if err != nil {
		sc.t.Fatalf("handle: %v", err)
	}
	m.start()
	return m
}

// outputID is how the history knows an item that a handler published.
func outputID(e history.Event) history.Event {
	var it Item
	if e.Kind == history.Output && json.Unmarshal([]byte(e.ID), &it) == nil {
		e.ID = it.ID
	}
	return e
}

// awaitPosition waits until the group has committed the end of the topic, as the cluster sees it.
func (sc *scene) awaitPosition(group string, tp *topic) {
	sc.t.Helper()
	ctx, cancel := sc.patience()
	defer cancel()
	ends := sc.offsets(ctx, []string{tp.Name}, -1, readCommitted)
	sc.poll("everything to be committed for "+group, func() bool {
		for p, offset := range sc.committed(group, tp) {
			if end := ends[place{tp.Name, int32(p), 0}]; max(0, offset) < end {
				return false
			}
		}
		return true
	})
}

// outputsAndOffsets: records that work, fail for a while, die and are skipped; members come, go and are killed.
func outputsAndOffsets(sc *scene) {
	from, out := sc.topic(3), sc.topic(2)
	src := sc.source()
	group := sc.group("copy")
	one := sc.copier(group, from, out, quick(3))
	for round := range 4 {
		for _, do := range []string{"", "", "fail:2", "permanent", "skip", ""} {
			src.sendAll(from, sc.items(15, 10, do)...)
		}
		switch round {
		case 0:
			sc.copier(group, from, out, quick(3), consumer.TransactionalInstance("b"))
		case 1:
			one.kill()
			one = sc.copier(group, from, out, quick(3))
		case 2:
			one.stop()
		}
	}
	sc.awaitPosition(group, from)
	src.close()
}

// lostAnswerInATransaction: each request of a transaction is applied and its answer lost, and outputs are refused.
func lostAnswerInATransaction(sc *scene) {
	from, out := sc.topic(2), sc.topic(2)
	src := sc.source()
	group := sc.group("copy")
	m := sc.copier(group, from, out, quick(3))
	src.sendAll(from, sc.items(20, 10, "")...)
	sc.awaitPosition(group, from)
	for _, f := range []Fault{
		{API: kmsg.EndTxn, Do: DropResponse}, {API: kmsg.TxnOffsetCommit, Do: CutResponse},
		{API: kmsg.Produce, Topic: out.Name, Partition: Any, Do: DropResponse},
		{API: kmsg.Produce, Topic: out.Name, Partition: Any, Do: Refuse, Code: kerr.InvalidProducerEpoch.Code},
		{API: kmsg.Produce, Topic: out.Name, Partition: Any, Do: Refuse, Code: kerr.InvalidRecord.Code},
		{API: kmsg.EndTxn, Do: CutResponse},
	} {
		f.Client, f.Count = m.name, 1
		in := sc.inject(f)
		src.sendAll(from, sc.items(30, 10, "")...)
		sc.awaitHits(in, 1)
		in.Remove()
	}
	sc.awaitPosition(group, from)
	src.close()
}

// transactionsSurviveBrokers: every broker dies once, leaders and the group's coordinator move, and with them the transactions' coordinators.
func transactionsSurviveBrokers(sc *scene) {
	from, out := sc.topic(3), sc.topic(3)
	src := sc.source()
	group := sc.group("copy")
	sc.copier(group, from, out, quick(3), consumer.TransactionalInstance("a"))
	sc.copier(group, from, out, quick(3), consumer.TransactionalInstance("b"))
	src.sendAll(from, sc.items(30, 10, "")...)
	for id := range int32(sc.target.Brokers) {
		sc.do("move a leader", func(ctx context.Context) error {
			return sc.target.Faults.MoveLeader(ctx, out.Name, id, sc.other(sc.leader(out, id)))
		})
		up := sc.downDuring("kill a broker", id+1, sc.target.Faults.Kill)
		src.sendAll(from, sc.items(60, 20, "")...)
		sc.awaitPosition(group, from)
		up()
	}
	sc.do("move a coordinator", func(ctx context.Context) error {
		at, err := sc.target.Faults.Coordinator(ctx, group)
		if err != nil {
			return err
		}
		return sc.target.Faults.MoveCoordinator(ctx, group, sc.other(at))
	})
	src.sendAll(from, sc.items(60, 20, "")...)
	sc.awaitPosition(group, from)
	src.close()
}

// wholeOrNothing: transactions of a producer without a group, some aborted, some whose end has no answer.
func wholeOrNothing(sc *scene) {
	tp := sc.topic(3)
	net := &network{}
	p, err := producer.New(net.over(sc.target.Cluster, "whole"), producer.TransactionalID("whole-"+sc.unique))
	if err != nil {
		sc.t.Fatal(err)
	}
	sc.repair(func() { _ = p.Close() })
	to, err := producer.To(p, tp.Topic)
	if err != nil {
		sc.t.Fatal(err)
	}
	ctx, cancel := sc.patience()
	defer cancel()
	var want []string
	for n := range 9 {
		tx, err := producer.Begin(ctx, p)
		if err != nil {
			sc.t.Fatal(err)
		}
		items := sc.items(5, 5, "")
		if err := to.In(tx).SendBatch(ctx, items); err != nil {
			sc.t.Fatal(err)
		}
		var lost Injected
		if n%3 == 2 {
			lost = sc.inject(Fault{API: kmsg.EndTxn, Client: "whole", Count: 1, Do: DropResponse})
		}
		if n%3 == 1 {
			err = tx.Abort()
		} else {
			err = tx.Commit(ctx)
			for _, it := range items {
				want = append(want, it.ID)
			}
		}
		if err != nil {
			sc.t.Errorf("transaction %d: %v", n, err)
		}
		if lost != nil {
			sc.awaitHits(lost, 1)
		}
	}
	var got []string
	sc.inspect = func(f found) { got = append(got, f.id()) }
	sc.read(tp.Name)
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		sc.t.Errorf("visible: %d items, want %d: %s", len(got), len(want), fmt.Sprint(got))
	}
	sc.judged = true // nothing of it is in the history
	if err := p.Close(); err != nil {
		sc.t.Error(err)
	}
	if n := net.openSoon(); n > 0 {
		sc.t.Errorf("%d connections are open after Close (G12)", n)
	}
}
