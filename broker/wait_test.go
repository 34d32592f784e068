package broker_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"github.com/sordini-go/sordini/broker"
)

// placing are the options of a client that produces to the partition that a record names and commits by the topic's name.
func placing() []kgo.Opt {
	v := kversion.Stable()
	v.SetMaxKeyVersion(int16(kmsg.OffsetCommit), 9)
	return []kgo.Opt{kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(0), kgo.MaxVersions(v)}
}

func commit(t *testing.T, client *kgo.Client, group, topic string, partition int32, offset int64) {
	t.Helper()
	commitAs(t, client, group, topic, partition, offset, "")
}

// commitAs is commit with metadata.
func commitAs(t *testing.T, client *kgo.Client, group, topic string, partition int32, offset int64, metadata string) {
	t.Helper()
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Group = group
	p := kmsg.NewOffsetCommitRequestTopicPartition()
	p.Partition, p.Offset, p.Metadata = partition, offset, &metadata
	rt := kmsg.NewOffsetCommitRequestTopic()
	rt.Topic, rt.Partitions = topic, append(rt.Partitions, p)
	req.Topics = append(req.Topics, rt)
	resp, err := req.RequestWith(t.Context(), client)
	if err != nil {
		t.Fatal(err)
	}
	if code := resp.Topics[0].Partitions[0].ErrorCode; code != 0 {
		t.Fatalf("commit: error code %d", code)
	}
}

func produceTo(t *testing.T, client *kgo.Client, topic string, partition int32, values ...string) {
	t.Helper()
	for _, v := range values {
		if err := client.ProduceSync(t.Context(), &kgo.Record{Topic: topic, Partition: partition, Value: []byte(v)}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
}

// Each wait blocks until what it waits for is so, takes no time, and returns at once when it is so already.
func TestWaitsEndWhenItIsSo(t *testing.T) {
	type cluster struct {
		*testing.T
		*broker.Cluster
		client *kgo.Client
	}
	for name, c := range map[string]struct {
		wait func(context.Context, cluster) error
		make func(cluster)
	}{
		"records": {
			func(ctx context.Context, c cluster) error { return c.WaitRecords(ctx, "orders", 3) },
			func(c cluster) {
				produceTo(c.T, c.client, "orders", 0, "a", "b")
				produceTo(c.T, c.client, "orders", 1, "c")
			},
		},
		"commit": {
			func(ctx context.Context, c cluster) error { return c.WaitCommitted(ctx, "billing", "orders", 1, 2) },
			func(c cluster) {
				commit(c.T, c.client, "billing", "orders", 0, 2)
				commit(c.T, c.client, "billing", "orders", 1, 1)
				commit(c.T, c.client, "billing", "orders", 1, 2)
			},
		},
		"group": {
			func(ctx context.Context, c cluster) error { return c.WaitGroup(ctx, "billing", "Stable", 1) },
			func(c cluster) { newClient(c.T, c.Cluster, kgo.ConsumerGroup("billing"), kgo.ConsumeTopics("orders")) },
		},
		"lag": {
			func(ctx context.Context, c cluster) error { return c.WaitLag(ctx, "billing", 0) },
			func(c cluster) {
				produceTo(c.T, c.client, "orders", 0, "a", "b")
				commit(c.T, c.client, "billing", "orders", 0, 1)
				commit(c.T, c.client, "billing", "orders", 0, 2)
			},
		},
		"leader": {
			func(ctx context.Context, c cluster) error { return c.WaitLeader(ctx, "orders", 0, 3) },
			func(c cluster) {
				if err := c.MoveLeader("orders", 0, 3); err != nil {
					c.Fatal(err)
				}
			},
		},
		"in sync": {
			func(ctx context.Context, c cluster) error { return c.WaitInSync(ctx, "orders", 0, 2, 1) },
			func(c cluster) {
				if err := c.KillBroker(3); err != nil {
					c.Fatal(err)
				}
			},
		},
		"partition": {
			func(ctx context.Context, c cluster) error {
				return c.WaitPartition(ctx, "orders", 1, "to hold a record", func(p broker.Partition) bool { return p.End > p.Start })
			},
			func(c cluster) { produceTo(c.T, c.client, "orders", 1, "a") },
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := start(t, broker.Config{Brokers: 3, Network: broker.NewNetwork(), Topics: []broker.Topic{{Name: "orders", Partitions: 2, ReplicationFactor: 3}}})
				in := cluster{t, b, newClient(t, b, placing()...)}
				ended := make(chan error, 1)
				ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
				defer cancel()
				go func() { ended <- c.wait(ctx, in) }()
				synctest.Wait()
				select {
				case err := <-ended:
					t.Fatalf("ended before it was so: %v", err)
				default:
				}
				c.make(in)
				if err := <-ended; err != nil {
					t.Fatal(err)
				}
				past, cancelled := context.WithCancel(t.Context())
				cancelled()
				if err := c.wait(past, in); err != nil {
					t.Errorf("when it is so already: %v", err)
				}
			})
		})
	}
}

// An error of a wait says what it waited for and what was there instead.
func TestWaitsSayWhatWasThereInstead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := start(t, broker.Config{Brokers: 2, Network: broker.NewNetwork(), Topics: []broker.Topic{{Name: "orders", Partitions: 2, ReplicationFactor: 2}}})
		client := newClient(t, c, placing()...)
		produceTo(t, client, "orders", 0, "a", "b", "c")
		commit(t, client, "billing", "orders", 0, 1)
		enough := errors.New("enough")
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, enough)
		defer cancel()
		for want, err := range map[string]error{
			"wait for 4 records of orders, have 3: enough": c.WaitRecords(ctx, "orders", 4),
			"wait for group billing to commit orders[0] up to 2, it has committed 1 (the group is Empty without members): enough":        c.WaitCommitted(ctx, "billing", "orders", 0, 2),
			"wait for group audit to commit orders[0] up to 2, it has committed nothing there (there is no such group): enough":          c.WaitCommitted(ctx, "audit", "orders", 0, 2),
			"wait for group billing to be Stable with 2 members, the group is Empty without members: enough":                             c.WaitGroup(ctx, "billing", "Stable", 2),
			"wait for group billing to be Stable, the group is Empty without members: enough":                                            c.WaitGroup(ctx, "billing", "Stable", broker.AnyMembers),
			"wait for group billing to have a lag of at most 1, it has 2: orders[0] 1 of 3 (the group is Empty without members): enough": c.WaitLag(ctx, "billing", 1),
			"wait for group audit to have a lag of at most 0, it has no partitions and no commits (there is no such group): enough":      c.WaitLag(ctx, "audit", 0),
			"wait for broker 2 to lead orders[0], orders[0] leader 1 epoch 0, replicas [1 2], in sync [1 2], offsets 0 to 3: enough":     c.WaitLeader(ctx, "orders", 0, 2),
			"wait for orders[0] to have no leader, orders[0] leader 1 epoch 0, replicas [1 2], in sync [1 2], offsets 0 to 3: enough":    c.WaitLeader(ctx, "orders", 0, broker.NoLeader),
			"wait for orders[1] to have [2] in sync, orders[1] leader 2 epoch 0, replicas [2 1], in sync [2 1], offsets 0 to 0: enough":  c.WaitInSync(ctx, "orders", 1, 2),
		} {
			if !errors.Is(err, enough) || err.Error() != want {
				t.Errorf("error %v\nwant  %s", err, want)
			}
		}
		for what, err := range map[string]error{
			"records": c.WaitRecords(t.Context(), "none", 1), "commit": c.WaitCommitted(t.Context(), "billing", "orders", 2, 1), "leader": c.WaitLeader(t.Context(), "none", 0, 1),
		} {
			if !errors.Is(err, broker.ErrUnknownPartition) {
				t.Errorf("%s of what there is not: %v", what, err)
			}
		}
		ended := make(chan error)
		go func() { ended <- c.WaitGroup(t.Context(), "billing", "Stable", 1) }()
		synctest.Wait()
		c.Close()
		if err := <-ended; !errors.Is(err, broker.ErrClosed) || !strings.Contains(err.Error(), "Empty") {
			t.Errorf("a cluster that closes: %v", err)
		}
	})
}

// Who waits for something of a topic that is deleted waits no longer.
func TestWaitsEndWithTheirTopic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := start(t, broker.Config{Network: broker.NewNetwork(), Topics: []broker.Topic{{Name: "orders"}}})
		client := newClient(t, c)
		ended := make(chan error)
		waits := []func() error{
			func() error { return c.WaitRecords(t.Context(), "orders", 1) },
			func() error { return c.WaitLeader(t.Context(), "orders", 0, broker.NoLeader) },
			func() error { return c.WaitCommitted(t.Context(), "billing", "orders", 0, 1) },
		}
		for _, wait := range waits {
			go func() { ended <- wait() }()
		}
		synctest.Wait()
		req := kmsg.NewPtrDeleteTopicsRequest()
		rt := kmsg.NewDeleteTopicsRequestTopic()
		rt.Topic = kmsg.StringPtr("orders")
		req.Topics, req.TopicNames = append(req.Topics, rt), []string{"orders"}
		if _, err := req.RequestWith(t.Context(), client); err != nil {
			t.Fatal(err)
		}
		for range waits {
			if err := <-ended; !errors.Is(err, broker.ErrUnknownPartition) {
				t.Errorf("error %v", err)
			}
		}
	})
}

// A lag counts from the commit, or from the start of the log where nothing is committed or what followed the commit is gone, for what is committed and
// what members have.
func TestLagCountsWhatIsCommittedAndWhatMembersHave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := start(t, broker.Config{Network: broker.NewNetwork(), Topics: []broker.Topic{{Name: "orders", Partitions: 3}, {Name: "audit", Partitions: 1}}})
		client := newClient(t, c, placing()...)
		for i := range int32(3) {
			produceTo(t, client, "orders", i, "a", "b", "c", "d")
		}
		produceTo(t, client, "audit", 0, "a")
		commit(t, client, "billing", "orders", 1, 3)
		commit(t, client, "billing", "orders", 2, 1)
		commit(t, client, "billing", "audit", 0, 1)
		del := kmsg.NewPtrDeleteRecordsRequest()
		p := kmsg.NewDeleteRecordsRequestTopicPartition()
		p.Partition, p.Offset = 2, 2
		rt := kmsg.NewDeleteRecordsRequestTopic()
		rt.Topic, rt.Partitions = "orders", append(rt.Partitions, p)
		del.Topics = append(del.Topics, rt)
		if _, err := del.RequestWith(t.Context(), client); err != nil {
			t.Fatal(err)
		}
		if got, want := fmt.Sprint(c.Lag("billing")), "[{audit 0 1 1 0 } {orders 1 3 4 1 } {orders 2 1 4 2 }]"; got != want {
			t.Errorf("lag %s, want %s", got, want)
		}
		newClient(t, c, kgo.ConsumerGroup("billing"), kgo.ConsumeTopics("orders"), kgo.DisableAutoCommit())
		if err := c.WaitGroup(t.Context(), "billing", "Stable", 1); err != nil {
			t.Fatal(err)
		}
		id := c.Members("billing")[0].ID
		if got, want := fmt.Sprint(c.Lag("billing")), fmt.Sprintf("[{audit 0 1 1 0 } {orders 0 -1 4 4 %s} {orders 1 3 4 1 %[1]s} {orders 2 1 4 2 %[1]s}]", id); got != want {
			t.Errorf("lag %s, want %s", got, want)
		}
		if got := fmt.Sprint(c.Commits("billing")); got != "[{audit 0 1 -1 } {orders 1 3 -1 } {orders 2 1 -1 }]" {
			t.Errorf("commits %s", got)
		}
		if g, ok := c.Group("billing"); !ok || g.Type != "classic" || g.State != "Stable" || g.Protocol != "cooperative-sticky" || g.Generation != 1 || g.Coordinator != 1 || len(g.Members) != 1 {
			t.Errorf("group %+v", g)
		}
	})
}
