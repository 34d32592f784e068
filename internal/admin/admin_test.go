package admin_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/goleak"

	"github.com/sordini-go/sordini/broker"
	"github.com/sordini-go/sordini/broker/brokertest"
	"github.com/sordini-go/sordini/internal/admin"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bubble runs a test in virtual time with a cluster of three and a client for it.
func bubble(t *testing.T, test func(t *testing.T, c *brokertest.Cluster, cl *kgo.Client)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		c := brokertest.New(t, brokertest.AutoCreateTopics(), brokertest.Brokers(3), brokertest.Topics(broker.Topic{Name: "orders", Partitions: 4, ReplicationFactor: 3}))
		settings := c.SDK()
		settings.Logger = slog.New(slog.DiscardHandler)
		cl, err := settings.NewClient()
		if err != nil {
			t.Fatal(err)
		}
		defer cl.Close()
		test(t, c, cl)
	})
}

func TestMetadataTellsWhatThereIs(t *testing.T) {
	bubble(t, func(t *testing.T, _ *brokertest.Cluster, cl *kgo.Client) {
		all, err := admin.Metadata(t.Context(), cl)
		if err != nil {
			t.Fatal(err)
		}
		if len(all.Brokers) != 3 || all.ID == "" || fmt.Sprint(all.Names()) != "[orders]" {
			t.Errorf("the cluster is %+v", all)
		}
		got, err := admin.Metadata(t.Context(), cl, "orders", "order")
		if err != nil {
			t.Fatal(err)
		}
		orders := got.Topic("orders")
		if !orders.Exists() || len(orders.Partitions) != 4 || orders.ID == [16]byte{} || len(orders.Partitions[3].Replicas) != 3 || len(orders.Partitions[3].ISR) != 3 {
			t.Errorf("the topic is %+v", orders)
		}
		for i, p := range orders.Partitions {
			if p.ID != int32(i) || p.Leader < 0 || p.Err != nil {
				t.Errorf("partition %d is %+v", i, p)
			}
		}
		for _, name := range []string{"order", "never asked for"} {
			if missing := got.Topic(name); missing.Exists() || !errors.Is(missing.Err, kerr.UnknownTopicOrPartition) || !strings.Contains(missing.Err.Error(), name) {
				t.Errorf("%s is %+v", name, missing)
			}
		}
		if again, _ := admin.Metadata(t.Context(), cl); len(again.Names()) != 1 {
			t.Error("asking for a topic created it")
		}
		brokers, err := admin.Brokers(t.Context(), cl)
		if err != nil || len(brokers.Brokers) != 3 || len(brokers.Topics) != 0 {
			t.Errorf("brokers are %+v, %v", brokers, err)
		}
	})
}

func TestOperationsThatNobodyTellsAreAllowed(t *testing.T) {
	for bits, want := range map[int32]bool{-1 << 31: true, 0: true, 1 << 3: true, 1 << 4: false, 1<<3 | 1<<4: true} {
		if got := admin.OperationsOf(bits).Allows(kmsg.ACLOperationRead); got != want {
			t.Errorf("Read with %b is %v", bits, got)
		}
	}
}

func TestTopicsAreCreatedGrownAndDeleted(t *testing.T) {
	bubble(t, func(t *testing.T, _ *brokertest.Cluster, cl *kgo.Client) {
		ctx := t.Context()
		topics := []admin.NewTopic{
			{Name: "a", Partitions: 2, ReplicationFactor: 2, Configs: map[string]string{"cleanup.policy": "compact"}}, {Name: "orders"}, {Name: "b", ReplicationFactor: 9}, {Name: "c"},
		}
		if got, err := admin.CreateTopics(ctx, cl, true, topics[0]); err != nil || got["a"].Err != nil {
			t.Errorf("validated: %v, %v", got, err)
		}
		if got, _ := admin.Metadata(ctx, cl, "a"); got.Topic("a").Exists() {
			t.Fatal("validating created the topic")
		}
		got, err := admin.CreateTopics(ctx, cl, false, topics...)
		if err != nil {
			t.Fatal(err)
		}
		if a := got["a"]; a.Err != nil || a.Partitions != 2 || a.ReplicationFactor != 2 || a.ID == [16]byte{} {
			t.Errorf("a is %+v", a)
		}
		if !errors.Is(got["orders"].Err, kerr.TopicAlreadyExists) || !errors.Is(got["b"].Err, kerr.InvalidReplicationFactor) || got["c"].Err != nil {
			t.Errorf("created %+v", got)
		}
		if _, err := admin.WaitLeaders(ctx, cl, "a", "c"); err != nil {
			t.Fatal(err)
		}
		if err := admin.CreatePartitions(ctx, cl, "a", 5); err != nil {
			t.Fatal(err)
		}
		if err := admin.CreatePartitions(ctx, cl, "a", 3); !errors.Is(err, kerr.InvalidPartitions) || !strings.Contains(err.Error(), `"a"`) {
			t.Errorf("shrinking: %v", err)
		}
		if got, _ := admin.Metadata(ctx, cl, "a"); len(got.Topic("a").Partitions) != 5 {
			t.Errorf("grown to %+v", got.Topic("a"))
		}
		if err := admin.DeleteTopics(ctx, cl, "a", "c"); err != nil {
			t.Fatal(err)
		}
		if err := admin.DeleteTopics(ctx, cl, "a"); !errors.Is(err, kerr.UnknownTopicOrPartition) {
			t.Errorf("deleting again: %v", err)
		}
	})
}

func TestWaitLeadersSaysWhatIsMissing(t *testing.T) {
	bubble(t, func(t *testing.T, _ *brokertest.Cluster, cl *kgo.Client) {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		_, err := admin.WaitLeaders(ctx, cl, "orders", "nothing")
		if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, kerr.UnknownTopicOrPartition) || !strings.Contains(err.Error(), "nothing") {
			t.Errorf("error %v", err)
		}
		if _, err := admin.WaitLeaders(t.Context(), cl); err != nil {
			t.Errorf("no topics: %v", err)
		}
	})
}

func TestWaitLeadersWaitsForALeader(t *testing.T) {
	bubble(t, func(t *testing.T, c *brokertest.Cluster, cl *kgo.Client) {
		fault := c.Inject(broker.Fault{API: broker.APIMetadata, Topic: "orders", Fail: kerr.LeaderNotAvailable.Code})
		done := make(chan error, 1)
		go func() { _, err := admin.WaitLeaders(t.Context(), cl, "orders"); done <- err }()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if err := fault.Wait(ctx, 2); err != nil {
			t.Fatalf("it asked %d times: %v", fault.Hits(), err)
		}
		select {
		case err := <-done:
			t.Fatalf("it returned %v while there was no leader", err)
		default:
		}
		fault.Remove()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestConfigs(t *testing.T) {
	bubble(t, func(t *testing.T, _ *brokertest.Cluster, cl *kgo.Client) {
		ctx := t.Context()
		if _, err := admin.CreateTopics(ctx, cl, false, admin.NewTopic{Name: "a", Configs: map[string]string{"max.message.bytes": "1234"}}); err != nil {
			t.Fatal(err)
		}
		found, failed, err := admin.TopicConfigs(ctx, cl, []string{"a", "orders", "nothing"}, "max.message.bytes", "min.insync.replicas")
		if err != nil {
			t.Fatal(err)
		}
		if n, ok := found["a"].Int("max.message.bytes"); !ok || n != 1234 || !found["a"]["max.message.bytes"].Own || found["a"]["max.message.bytes"].Default {
			t.Errorf("a has %+v", found["a"])
		}
		if c := found["orders"]; len(c) != 2 || !c["max.message.bytes"].Default || c["max.message.bytes"].Own {
			t.Errorf("orders has %+v", c)
		}
		if !errors.Is(failed["nothing"], kerr.UnknownTopicOrPartition) || len(failed) != 1 || found["nothing"] != nil {
			t.Errorf("failed %v", failed)
		}
		if _, ok := found["a"].Int("cleanup.policy"); ok {
			t.Error("a setting that was not asked for is there")
		}
		brokers, err := admin.Brokers(ctx, cl)
		if err != nil {
			t.Fatal(err)
		}
		configs, err := admin.BrokerConfigs(ctx, cl, brokers.Brokers[1].ID, "offset.metadata.max.bytes", "message.max.bytes")
		if n, ok := configs.Int("offset.metadata.max.bytes"); err != nil || !ok || n != 4096 {
			t.Errorf("the broker has %+v, %v", configs, err)
		}
	})
}

func TestOffsetsAndDeleteRecords(t *testing.T) {
	bubble(t, func(t *testing.T, _ *brokertest.Cluster, cl *kgo.Client) {
		ctx := t.Context()
		rs := make([]*kgo.Record, 10)
		for i := range rs {
			rs[i] = &kgo.Record{Topic: "orders", Key: []byte("k"), Value: []byte("v")}
		}
		if err := cl.ProduceSync(ctx, rs...).FirstErr(); err != nil {
			t.Fatal(err)
		}
		p := rs[0].Partition
		all := map[string][]int32{"orders": {0, 1, 2, 3}}
		latest, err := admin.ListOffsets(ctx, cl, true, admin.Latest, all)
		if err != nil || latest["orders"][p].Offset != 10 || latest["orders"][(p+1)%4].Offset != 0 || len(latest["orders"]) != 4 {
			t.Errorf("latest %v, %v", latest, err)
		}
		if low, err := admin.DeleteRecords(ctx, cl, "orders", p, 4); err != nil || low != 4 {
			t.Errorf("low watermark %d, %v", low, err)
		}
		earliest, err := admin.ListOffsets(ctx, cl, false, admin.Earliest, all)
		if err != nil || earliest["orders"][p].Offset != 4 {
			t.Errorf("earliest %v, %v", earliest, err)
		}
		if _, err := admin.DeleteRecords(ctx, cl, "orders", p, 99); !errors.Is(err, kerr.OffsetOutOfRange) {
			t.Errorf("deleting what is not there: %v", err)
		}
	})
}
