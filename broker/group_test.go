package broker_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sordini-go/sordini/broker"
)

func newClient(t *testing.T, cluster *broker.Cluster, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	client, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(cluster.Addrs()...), kgo.Dialer(cluster.Dial)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

func start(t *testing.T, cfg broker.Config) *broker.Cluster {
	t.Helper()
	cluster, err := broker.Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cluster.Close() })
	return cluster
}

func TestGroupGoesOnWhereItCommitted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cluster := start(t, broker.Config{Brokers: 3, Network: broker.NewNetwork(), Topics: []broker.Topic{{Name: "orders", Partitions: 4}}})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		producer := newClient(t, cluster, kgo.RecordPartitioner(kgo.ManualPartitioner()))
		produce := func(from, to int) {
			for i := from; i < to; i++ {
				r := &kgo.Record{Topic: "orders", Partition: int32(i % 4), Value: []byte(fmt.Sprint(i))}
				if err := producer.ProduceSync(ctx, r).FirstErr(); err != nil {
					t.Fatal(err)
				}
			}
		}
		seen := make(map[string]int)
		consume := func(want int) {
			member := newClient(t, cluster, kgo.ConsumerGroup("billing"), kgo.ConsumeTopics("orders"), kgo.DisableAutoCommit())
			for len(seen) < want {
				fetches := member.PollFetches(ctx)
				if err := fetches.Err(); err != nil {
					t.Fatal(err)
				}
				fetches.EachRecord(func(r *kgo.Record) { seen[string(r.Value)]++ })
				if err := member.CommitUncommittedOffsets(ctx); err != nil {
					t.Fatal(err)
				}
			}
			if n := len(cluster.Members("billing")); n != 1 {
				t.Errorf("%d members", n)
			}
			member.Close()
		}
		produce(0, 40)
		consume(40)
		produce(40, 80)
		consume(80)
		for v, n := range seen {
			if n != 1 {
				t.Errorf("record %s came %d times", v, n)
			}
		}
		committed := int64(0)
		for p := range int32(4) {
			o, _, ok := cluster.Committed("billing", "orders", p)
			if !ok || o != cluster.EndOffset("orders", p) {
				t.Errorf("partition %d: committed %d of %d", p, o, cluster.EndOffset("orders", p))
			}
			committed += o
		}
		if committed != 80 {
			t.Errorf("committed %d records", committed)
		}
		if s := cluster.GroupState("billing"); s != "Empty" {
			t.Errorf("group is %s after its members left", s)
		}
	})
}

func TestMembersOfTheConsumerProtocolShareATopic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cluster := start(t, broker.Config{Brokers: 3, Network: broker.NewNetwork(), Topics: []broker.Topic{{Name: "orders", Partitions: 4}}})
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		producer := newClient(t, cluster, kgo.RecordPartitioner(kgo.ManualPartitioner()))
		for i := range 40 {
			if err := producer.ProduceSync(ctx, &kgo.Record{Topic: "orders", Partition: int32(i % 4), Value: []byte(fmt.Sprint(i))}).FirstErr(); err != nil {
				t.Fatal(err)
			}
		}
		got := make(chan int, 100)
		for range 2 {
			member := newClient(t, cluster, kgo.ConsumerGroup("billing"), kgo.ConsumeTopics("orders"), kgo.ServerSideBalancer(),
				kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()))
			go func() {
				for ctx.Err() == nil {
					got <- member.PollFetches(ctx).NumRecords()
				}
			}()
		}
		for n := 0; n < 40; {
			select {
			case k := <-got:
				n += k
			case <-ctx.Done():
				t.Fatalf("%d records came", n)
			}
		}
		time.Sleep(time.Minute) // heartbeats settle who has what
		members := cluster.Members("billing")
		if len(members) != 2 || len(members[0].Partitions["orders"]) != 2 || len(members[1].Partitions["orders"]) != 2 {
			t.Errorf("members %+v", members)
		}
		cancel()
	})
}

func TestOffsetsOfADeletedTopicAreForgotten(t *testing.T) {
	bubble(t, func(t *testing.T, cluster *broker.Cluster) {
		w := dial(t, cluster, int(cluster.Coordinator("billing")))
		commit := kmsg.NewPtrOffsetCommitRequest()
		commit.Group, commit.Generation = "billing", -1
		commit.Topics = []kmsg.OffsetCommitRequestTopic{{Topic: "orders", Partitions: []kmsg.OffsetCommitRequestTopicPartition{{Offset: 7, LeaderEpoch: -1}}}}
		if r := ask[*kmsg.OffsetCommitResponse](w, 8, commit); r.Topics[0].Partitions[0].ErrorCode != 0 {
			t.Fatalf("commit: %+v", r)
		}
		if _, _, ok := cluster.Committed("billing", "orders", 0); !ok {
			t.Error("the offset was not committed")
		}
		drop := kmsg.NewPtrDeleteTopicsRequest()
		drop.TopicNames = []string{"orders"}
		ask[*kmsg.DeleteTopicsResponse](w, 3, drop)
		create(t, w, "orders", 1, 1)
		if o, _, ok := cluster.Committed("billing", "orders", 0); ok {
			t.Errorf("the new topic has the old one's offset %d", o)
		}
	})
}
