package guarantee

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sordini-go/sordini/consumer"
	"github.com/sordini-go/sordini/internal/history"
)

// links are the scenarios of bad networks: what happens to requests and connections on their way.
var links = []Scenario{
	{Guarantee: "G1", Name: "RequestsThatNeverArriveTakeNothing", Targets: Reference | Kafka, Verbs: []Verb{DropBeforeApply}, body: requestsNeverArrive},
	{Guarantee: "G1", Name: "AnswersCutAnywhereTakeNothing", Targets: Reference | Kafka, Verbs: []Verb{CutAtByte}, body: answersCutAnywhere},
	{Guarantee: "G1", Name: "SlowLinkTakesNothing", Targets: Reference | Kafka, Verbs: []Verb{SlowLink}, body: slowLink},
	{Guarantee: "G1", Name: "RefusedConnectionsTakeNothing", Targets: Reference | Kafka, Verbs: []Verb{RefuseConnection}, Alone: true, body: refusedConnections},
	{Guarantee: "G1", Name: "CommittedForeignTransactionsAreHandledWhole", Targets: Reference | Kafka, Verbs: []Verb{MoveTxnCoordinator},
		body: foreignTransactions},
	{Guarantee: "G3", Name: "JitterKeepsOrder", Targets: Reference | Kafka, Verbs: []Verb{JitterRequest}, body: jitterKeepsOrder},
	{Guarantee: "G5", Name: "ExpiredMemberIsReplaced", Targets: Reference | Kafka, Verbs: []Verb{ExpireMember}, body: expiredMemberIsReplaced},
	{Guarantee: "G10", Name: "RandomRefusalsKeepOrderAndMakeNoDuplicates", Targets: Reference | Kafka, Verbs: []Verb{WithProbability, RefuseProduce},
		body: randomRefusals},
}

// trafficked is a group with a member and a source, and a few records of every fate.
func (sc *scene) trafficked(partitions int) (tp *topic, group string, m *member, src *source, send func(n int)) {
	sc.t.Helper()
	tp, group = sc.topic(partitions), sc.group("billing")
	m = sc.member(group, []*topic{tp}, standard, quick(2))
	src = sc.source()
	send = func(n int) {
		sc.t.Helper()
		items := sc.items(n, 10, "")
		for i := range items {
			items[i].Do = []string{"", "", "fail:1", "", "", "permanent", "", "skip", "", ""}[i%10]
		}
		src.sendAll(tp, items...)
	}
	return tp, group, m, src, send
}

// requestsNeverArrive: connections end under sends, commits, fetches and dead letters before the broker has read them.
func requestsNeverArrive(sc *scene) {
	tp, group, _, _, send := sc.trafficked(2)
	send(10)
	sc.awaitAllEnded(group, tp)
	var dropped []Injected
	for _, f := range []Fault{
		{API: kmsg.Produce, Topic: tp.Name, Partition: Any}, {API: kmsg.Produce, Topic: sc.deadLetters(tp, group), Partition: Any},
		{API: kmsg.OffsetCommit, Topic: tp.Name, Partition: Any}, {API: kmsg.Fetch, Topic: tp.Name, Partition: Any},
	} {
		f.Count, f.Do = 2, DropRequest
		dropped = append(dropped, sc.inject(f))
	}
	send(60)
	for _, in := range dropped {
		sc.awaitHits(in, 2)
	}
	sc.awaitAllEnded(group, tp)
	sc.awaitCommitted(group, tp)
}

// answersCutAnywhere: in the size, in the header, in the body.
func answersCutAnywhere(sc *scene) {
	tp, group, m, src, send := sc.trafficked(1)
	send(10)
	sc.awaitAllEnded(group, tp)
	for _, at := range []int{1, 4, 6, 12, 40} {
		produced := sc.inject(Fault{API: kmsg.Produce, Topic: tp.Name, Partition: Any, Client: src.name, Count: 1, Do: CutResponse, CutAfter: at})
		fetched := sc.inject(Fault{API: kmsg.Fetch, Topic: tp.Name, Partition: Any, Client: m.name, Count: 1, Do: CutResponse, CutAfter: at})
		send(10)
		sc.awaitHits(produced, 1)
		sc.awaitHits(fetched, 1)
	}
	sc.awaitAllEnded(group, tp)
	sc.awaitCommitted(group, tp)
}

// slowLink: everything of the source and of the member comes through at 4 KiB a second, in both directions.
func slowLink(sc *scene) {
	tp, group, m, src, send := sc.trafficked(1)
	send(10)
	sc.awaitAllEnded(group, tp)
	for _, client := range []string{src.name, m.name} {
		in := sc.inject(Fault{API: AnyAPI, Client: client, Do: Slow, BytesPerSecond: 4 << 10})
		defer in.Remove()
	}
	send(40)
	sc.awaitAllEnded(group, tp)
	sc.awaitCommitted(group, tp)
}

// refusedConnections: what has a connection loses it, and for a while nobody gets a new one.
func refusedConnections(sc *scene) {
	tp, group, m, src, send := sc.trafficked(2)
	send(10)
	sc.awaitAllEnded(group, tp)
	refused := sc.inject(Fault{API: AnyAPI, Do: RefuseConnections, Partition: Any, Count: 12})
	m.net.drop()
	src.net.drop()
	send(40)
	sc.awaitHits(refused, 12)
	sc.awaitAllEnded(group, tp)
	sc.awaitCommitted(group, tp)
}

// jitterKeepsOrder: every request takes a time of its own.
func jitterKeepsOrder(sc *scene) {
	tp, group, _, _, send := sc.trafficked(3)
	send(10)
	sc.awaitAllEnded(group, tp)
	for _, api := range []kmsg.Key{kmsg.Produce, kmsg.Fetch, kmsg.OffsetCommit, kmsg.Heartbeat} {
		in := sc.inject(Fault{API: api, Partition: Any, Do: Delay, Delay: time.Millisecond, Jitter: 40 * time.Millisecond})
		defer in.Remove()
	}
	for range 4 {
		send(40)
	}
	sc.awaitAllEnded(group, tp)
	sc.awaitCommitted(group, tp)
}

// randomRefusals: a third of all sends is refused, in ways after which a producer tries again.
func randomRefusals(sc *scene) {
	tp, group, _, _, send := sc.trafficked(2)
	in := sc.inject(Fault{
		API: kmsg.Produce, Topic: tp.Name, Partition: Any, Probability: 0.3, Do: Refuse, Code: kerr.NotEnoughReplicas.Code,
	})
	for range 20 {
		send(10)
	}
	sc.awaitHits(in, 1)
	in.Remove()
	sc.awaitAllEnded(group, tp)
	sc.awaitCommitted(group, tp)
}

// expiredMemberIsReplaced: the coordinator takes a member out while its handlers run. It learns of it, loses its partitions without committing, and joins
// again; the other member goes on meanwhile.
func expiredMemberIsReplaced(sc *scene) {
	tp, group := sc.topic(2), sc.group("billing")
	hold := newGate()
	h := func(ctx context.Context, m *consumer.Message[Item]) error {
		if m.Value.Do == "hold" {
			return hold.pass(ctx)
		}
		return nil
	}
	victim := sc.member(group, []*topic{tp}, h)
	sc.await("the member to own both partitions", func(t *tally) bool { return t.group(group).assigned[victim.name] == 2 })
	src := sc.source()
	src.sendAll(tp, sc.items(10, 10, "hold")...)
	sc.awaitAt(hold, 10)
	sc.do("expire a member", func(ctx context.Context) error { return sc.target.Faults.ExpireMember(ctx, group, victim.name) })
	sc.member(group, []*topic{tp}, h)
	sc.await("the member to learn of it", func(t *tally) bool { return t.group(group).lost[victim.name] > 0 })
	hold.release()
	src.sendAll(tp, sc.items(20, 10, "")...)
	sc.awaitAllEnded(group, tp)
	sc.awaitCommitted(group, tp)
}

// foreignTransactions: a transactional producer of another make commits and aborts while its coordinator moves; the group handles what was committed, and
// nothing of what was not.
func foreignTransactions(sc *scene) {
	tp, group := sc.topic(2), sc.group("billing")
	sc.member(group, []*topic{tp}, standard, quick(2))
	id := "tx-" + sc.unique
	producer, err := kgo.NewClient(
		kgo.SeedBrokers(sc.target.Cluster.Brokers...), kgo.ClientID("foreign-"+sc.unique), kgo.TransactionalID(id), kgo.DefaultProduceTopic(tp.Name),
		dialer(sc.target.Cluster.Dial),
	)
	if err != nil {
		sc.t.Fatalf("foreign producer: %v", err)
	}
	defer producer.Close()
	ctx, cancel := sc.patience()
	defer cancel()
	for n := range 6 {
		commit := n%3 != 1
		if err := producer.BeginTransaction(); err != nil {
			sc.t.Fatalf("begin a transaction: %v", err)
		}
		records := make([]*kgo.Record, 5)
		for i := range records {
			it := sc.item(fmt.Sprintf("k%d", i), "")
			records[i] = &kgo.Record{
				Key: []byte(it.Key), Value: fmt.Appendf(nil, `{"id":%q,"key":%q}`, it.ID, it.Key), Headers: []kgo.RecordHeader{{Key: "id", Value: []byte(it.ID)}},
			}
		}
		for _, r := range records { // the second waits until franz-go 1.22.2 knows that the first is in the transaction
			if err := producer.ProduceSync(ctx, r).FirstErr(); err != nil {
				sc.t.Fatalf("produce in a transaction: %v", err)
			}
		}
		sc.do("move a transaction coordinator", func(ctx context.Context) error {
			from, err := sc.target.Faults.TxnCoordinator(ctx, id)
			if err != nil {
				return err
			}
			return sc.target.Faults.MoveTxnCoordinator(ctx, id, sc.other(from))
		})
		if err := producer.EndTransaction(ctx, kgo.TransactionEndTry(commit)); err != nil {
			sc.t.Fatalf("end a transaction: %v", err)
		}
		for _, r := range records {
			if commit {
				sc.log.Record(history.Event{
					Kind: history.Accepted, Member: "foreign-" + sc.unique, ID: string(r.Headers[0].Value), Topic: tp.Name, Partition: r.Partition, Offset: r.Offset,
					Key: r.Key, Hash: history.HashValue(r.Value),
				})
			}
		}
	}
	sc.awaitAllEnded(group, tp)
	sc.awaitCommitted(group, tp)
	sc.look(func(t *tally) {
		if got := t.group(group).ended; got != 20 {
			sc.t.Errorf("%d records ended, want the 20 that were committed", got)
		}
	})
}

// seeded gives a fault of chance a seed, and says which.
func (sc *scene) seeded(f Fault) Fault {
	if f.Seed == 0 && (f.Probability > 0 || f.Jitter > 0) {
		f.Seed = rand.Uint64()
		sc.t.Logf("the fault of %s has seed %d", kmsg.NameForKey(int16(f.API)), f.Seed)
	}
	return f
}
