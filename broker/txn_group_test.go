package broker_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sordini-go/sordini/broker"
	"github.com/sordini-go/sordini/internal/txn"
)

// transform runs one member of a group that writes each record that it reads to another topic, in transactions with the offsets, until its context ends
// or it loses its hold of what it does.
func transform(ctx context.Context, t *testing.T, r *rand.Rand, cluster *broker.Cluster, id string, opts ...kgo.Opt) {
	session, err := kgo.NewGroupTransactSession(append([]kgo.Opt{kgo.SeedBrokers(cluster.Addrs()...), kgo.Dialer(cluster.Dial), kgo.ProducerLinger(0),
		kgo.ProducerBatchCompression(kgo.NoCompression()), kgo.MetadataMinAge(50 * time.Millisecond), kgo.TransactionalID(id), kgo.ConsumerGroup("g"),
		kgo.ConsumeTopics("in"), kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.TransactionTimeout(5 * time.Second), kgo.SessionTimeout(6 * time.Second), kgo.RecordPartitioner(kgo.ManualPartitioner())}, opts...)...)
	if err != nil {
		t.Error(err)
		return
	}
	defer session.Close()
	for ctx.Err() == nil {
		fetches := session.PollRecords(ctx, 1+r.IntN(5))
		if fetches.IsClientClosed() || fetches.Empty() {
			continue
		}
		if session.Begin() != nil {
			return
		}
		var records []*kgo.Record
		fetches.EachRecord(func(in *kgo.Record) {
			for p := range int32(2) {
				records = append(records, &kgo.Record{Topic: "out", Partition: p, Value: in.Value})
			}
		})
		err := session.ProduceSync(ctx, records...).FirstErr()
		txn.AwaitPartitions(session.Client(), "out")
		if r.IntN(15) == 0 {
			return // dies
		}
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 20*time.Second)
		_, err = session.End(end, kgo.TransactionEndTry(err == nil))
		cancel()
		if err != nil {
			return
		}
	}
}

// TestWhatIsReadAndWrittenInTransactionsIsWrittenOnce lets groups of both protocols copy a topic, with clients of both kinds: each record is written
// once to each partition, and the offsets say so. The client holds a mutex while it joins its group and while it ends a transaction, for which the other
// of the two waits; in virtual time that would be for ever. So there is one member at a time, and no other disturbance than that it dies now and then.
func TestWhatIsReadAndWrittenInTransactionsIsWrittenOnce(t *testing.T) {
	for generation, version := range generations {
		for protocol, opts := range map[string][]kgo.Opt{"classic": {version}, "consumer": {version, kgo.ServerSideBalancer()}} {
			t.Run(protocol+" "+generation, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { copyInTransactions(t, opts...) })
			})
		}
	}
}

func copyInTransactions(t *testing.T, opts ...kgo.Opt) {
	const n = 120
	cluster, err := broker.Start(broker.Config{Brokers: 3, Network: broker.NewNetwork(), Topics: []broker.Topic{
		{Name: "in", Partitions: 3, ReplicationFactor: 3}, {Name: "out", Partitions: 4, ReplicationFactor: 3}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cluster.Close() })
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	source := txnClient(t, cluster, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	for i := range n {
		if err := source.ProduceSync(ctx, &kgo.Record{Topic: "in", Partition: int32(i % 3), Value: fmt.Appendf(nil, "%03d", i)}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	copying, stop := context.WithCancel(ctx)
	var members sync.WaitGroup
	r := rand.New(rand.NewPCG(1, 2))
	members.Go(func() {
		for copying.Err() == nil {
			transform(copying, t, r, cluster, "a", opts...)
		}
	})
	for p := range int32(3) {
		if err := cluster.WaitCommitted(ctx, "g", "in", p, n/3); err != nil {
			cluster.Dump(t.Output())
			t.Fatal(err)
		}
	}
	stop()
	members.Wait()
	for p := range int32(2) {
		reader := txnClient(t, cluster, kgo.FetchIsolationLevel(kgo.ReadCommitted()),
			kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{"out": {p: kgo.NewOffset().AtStart()}}))
		got := consume(ctx, t, reader, n)
		slices.Sort(got)
		for i := range n {
			if i >= len(got) || got[i] != fmt.Sprintf("%03d", i) {
				t.Fatalf("partition %d has %v, want each of %d once", p, got, n)
			}
		}
		reader.Close()
	}
}
