package broker_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sordini-go/sordini/broker"
	"github.com/sordini-go/sordini/broker/internal/files/crashfs"
)

// chronicle is what a cluster has promised, and when its disk had seen how much.
type chronicle struct {
	disk     *crashfs.FS
	promises []promised
	aborted  map[string]bool // values that nobody may ever see as committed
}

// promised is something that was confirmed.
type promised struct {
	ops  int
	what string
	kept func(*broker.Cluster) bool
}

func (c *chronicle) promise(what string, kept func(*broker.Cluster) bool) {
	c.promises = append(c.promises, promised{c.disk.Ops(), what, kept})
}

// holds says whether a record is there for readers of committed records.
func holds(cluster *broker.Cluster, topic string, partition int32, value string) bool {
	all, err := cluster.CommittedRecords(topic, partition)
	return err == nil && slices.ContainsFunc(all, func(r broker.Record) bool { return string(r.Value) == value })
}

var crashConfig = broker.Config{Brokers: 2, Properties: map[string]string{"offsets.topic.num.partitions": "2", "transaction.state.log.num.partitions": "2"},
	Authorizer: &broker.Authorizer{AllowUnlisted: true, SuperUsers: []string{"User:ANONYMOUS"}}}

// promiseEverything has a cluster confirm something of everything.
func (c *chronicle) promiseEverything(ctx context.Context, t *testing.T) {
	t.Helper()
	cfg := crashConfig
	cfg.Topics = []broker.Topic{{Name: "orders", Partitions: 2, ReplicationFactor: 2, Configs: map[string]string{"min.insync.replicas": "1"}}}
	cluster := startOn(t, cfg, c.disk)
	c.promise("topic orders", func(cl *broker.Cluster) bool { return cl.Partitions("orders") == 2 })
	client := txnClient(t, cluster, kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ConsumerGroup("billing"), kgo.ConsumeTopics("orders"), kgo.DisableAutoCommit())
	send := func(topic string, partition int32, value string) {
		t.Helper()
		if err := client.ProduceSync(ctx, &kgo.Record{Topic: topic, Partition: partition, Value: []byte(value)}).FirstErr(); err != nil {
			t.Fatal(err)
		}
		c.promise("record "+value, func(cl *broker.Cluster) bool { return holds(cl, topic, partition, value) })
	}
	for i := range 6 {
		send("orders", int32(i%2), fmt.Sprint("order ", i))
	}
	c.commits(ctx, t, client)
	c.transacts(ctx, t, cluster)
	c.governs(ctx, t, client)
	if err := cluster.KillBroker(2); err != nil { // the in-sync replicas shrink, and only then is more promised
		t.Fatal(err)
	}
	for i := range 3 {
		send("orders", 0, fmt.Sprint("alone ", i))
	}
	if err := cluster.StartBroker(2); err != nil {
		t.Fatal(err)
	}
	send("orders", 1, "together")
	remove := kmsg.NewPtrDeleteTopicsRequest()
	remove.TimeoutMillis = 1000
	remove.Topics = []kmsg.DeleteTopicsRequestTopic{{Topic: kmsg.StringPtr("payments")}}
	request[*kmsg.DeleteTopicsResponse](ctx, t, client, remove)
	c.promise("payments is deleted", func(cl *broker.Cluster) bool { return cl.Partitions("payments") == 0 })
	send("orders", 0, "last")
	if err := cluster.Close(); err != nil {
		t.Fatal(err)
	}
}

func (c *chronicle) commits(ctx context.Context, t *testing.T, client *kgo.Client) {
	t.Helper()
	var got []*kgo.Record
	for len(got) < 6 {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			t.Fatal(err)
		}
		got = append(got, fetches.Records()...)
	}
	for _, r := range got {
		if err := client.CommitRecords(ctx, r); err != nil {
			t.Fatal(err)
		}
		partition, offset := r.Partition, r.Offset+1
		c.promise(fmt.Sprint("offset ", offset), func(cl *broker.Cluster) bool {
			now, _, ok := cl.Committed("billing", "orders", partition)
			return ok && now >= offset && now <= cl.EndOffset("orders", partition)
		})
	}
}

func (c *chronicle) transacts(ctx context.Context, t *testing.T, cluster *broker.Cluster) {
	t.Helper()
	txn := txnClient(t, cluster, kgo.TransactionalID("tx"), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	for i := range 4 {
		if err := txn.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		value := fmt.Sprint("txn ", i)
		if i%2 == 1 {
			c.aborted[value] = true
		}
		for p := range int32(2) {
			if err := txn.ProduceSync(ctx, &kgo.Record{Topic: "orders", Partition: p, Value: []byte(value)}).FirstErr(); err != nil {
				t.Fatal(err)
			}
		}
		if err := txn.EndTransaction(ctx, kgo.TransactionEndTry(i%2 == 0)); err != nil {
			t.Fatal(err)
		}
		if i%2 == 0 {
			c.promise(value, func(cl *broker.Cluster) bool { return holds(cl, "orders", 0, value) && holds(cl, "orders", 1, value) })
		}
	}
}

func (c *chronicle) governs(ctx context.Context, t *testing.T, client *kgo.Client) {
	t.Helper()
	create := kmsg.NewPtrCreateTopicsRequest()
	create.TimeoutMillis = 1000
	topic := kmsg.NewCreateTopicsRequestTopic()
	topic.Topic, topic.NumPartitions, topic.ReplicationFactor = "payments", 2, 1
	create.Topics = append(create.Topics, topic)
	request[*kmsg.CreateTopicsResponse](ctx, t, client, create)
	govern(ctx, t, client)
	c.promise("user bob", func(cl *broker.Cluster) bool { return slices.Contains(cl.Users(), "bob") })
	c.promise("an ACL", func(cl *broker.Cluster) bool {
		n, _ := cl.ACLs()
		return n == 1
	})
}

// judge starts a cluster on what a crash has left, and says which promise it has not kept.
func (c *chronicle) judge(t *testing.T, n int, keep crashfs.Keep) error {
	t.Helper()
	cfg := crashConfig
	cfg.DataDir, cfg.Network = dataDir, broker.NewNetwork()
	cluster, err := broker.StartOn(cfg, c.disk.Crash(n, keep, uint64(n)))
	if err != nil {
		return err
	}
	defer cluster.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for _, x := range cluster.Transactions() {
		if x.State == broker.TransactionPrepareCommit {
			if err := cluster.WaitTransaction(ctx, x.TransactionalID, broker.TransactionCompleteCommit); err != nil {
				return err
			}
		}
	}
	for _, p := range c.promises {
		if p.ops <= n && !p.kept(cluster) {
			return fmt.Errorf("%s was confirmed after %d operations and is gone", p.what, p.ops)
		}
	}
	for partition := range int32(cluster.Partitions("orders")) {
		all, err := cluster.CommittedRecords("orders", partition)
		if err != nil {
			return err
		}
		for _, r := range all {
			if c.aborted[string(r.Value)] {
				return fmt.Errorf("%s was never committed, and is read as if it had been", r.Value)
			}
		}
	}
	return nil
}

// crashes looks at what crashes leave, all of them or every so many, and returns the first that has cost what was promised.
func (c *chronicle) crashes(t *testing.T, every int) error {
	t.Helper()
	for n := 0; n <= c.disk.Ops(); n += every {
		for keep := crashfs.Nothing; keep <= crashfs.Some; keep++ {
			if err := c.judge(t, n, keep); err != nil {
				last := "nothing was done"
				if n > 0 {
					last = c.disk.Op(n - 1)
				}
				return fmt.Errorf("crash %d of %d after %s, keeping %d: %w", n, c.disk.Ops(), last, keep, err)
			}
		}
	}
	return nil
}

func TestNoCrashCostsWhatTheBrokerHasPromised(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	c := &chronicle{disk: crashfs.New(), aborted: make(map[string]bool)}
	c.promiseEverything(ctx, t)
	every := 1
	if testing.Short() {
		every = 7
	}
	if err := c.crashes(t, every); err != nil {
		t.Error(err)
	}
}

// Every kind of sync is left out once, and somebody has to see it.
func TestASyncThatTheBrokerLeavesOutCostsWhatItHasPromised(t *testing.T) {
	for name, deaf := range map[string]func(string) bool{
		"of the logs": func(name string) bool { return strings.Contains(name, "/orders-") && strings.HasSuffix(name, ".log") },
		"of the offsets": func(name string) bool {
			return strings.Contains(name, "/__consumer_offsets-") && strings.HasSuffix(name, ".log")
		},
		"of the transactions": func(name string) bool {
			return strings.Contains(name, "/__transaction_state-") && strings.HasSuffix(name, ".log")
		},
		"of the metadata": func(name string) bool { return strings.Contains(name, "/__cluster_metadata-0/") },
		"of the brokers' directories": func(name string) bool {
			return strings.HasPrefix(name, dataDir+"/broker-") && strings.Count(name, "/") == 2
		},
		"of the directories of the logs": func(name string) bool { return strings.Contains(name, "/orders-") && !strings.Contains(name, ".") },
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			c := &chronicle{disk: crashfs.New(), aborted: make(map[string]bool)}
			c.disk.Deafen(deaf)
			c.promiseEverything(ctx, t)
			if c.crashes(t, 5) == nil {
				t.Error("nobody has seen it")
			}
		})
	}
}
