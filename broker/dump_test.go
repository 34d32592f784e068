package broker_test

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/plain"

	"github.com/sordini-go/sordini/broker"
)

// transactional is a client with a transaction for each call of end.
type transactional struct {
	t      *testing.T
	client *kgo.Client
}

func newTransactional(t *testing.T, cluster *broker.Cluster, id string, opts ...kgo.Opt) transactional {
	t.Helper()
	return transactional{t, newClient(t, cluster, append(append(placing(), kgo.TransactionalID(id)), opts...)...)}
}

func (x transactional) begin(topic string, partition int32, values ...string) {
	x.t.Helper()
	if err := x.client.BeginTransaction(); err != nil {
		x.t.Fatal(err)
	}
	produceTo(x.t, x.client, topic, partition, values...)
	synctest.Wait() // franz-go 1.22.2 publishes a topic's partitions after it has produced to them, and a transaction that ends before does not know of them
}

func (x transactional) end(try kgo.TransactionEndTry) {
	x.t.Helper()
	if err := x.client.EndTransaction(x.t.Context(), try); err != nil {
		x.t.Fatal(err)
	}
	synctest.Wait() // the markers are written after the answer
}

func values(records []broker.Record, err error) string {
	if err != nil {
		return err.Error()
	}
	var list []string
	for _, r := range records {
		switch {
		case r.Marker:
			list = append(list, "marker:"+string(r.Txn))
		case r.Txn != broker.NoTxn:
			list = append(list, string(r.Value)+":"+string(r.Txn))
		default:
			list = append(list, string(r.Value))
		}
	}
	return strings.Join(list, " ")
}

// Records are asked for as consumers of either isolation get them, and with the markers.
func TestRecordsSayWhatBecameOfTheirTransaction(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := start(t, broker.Config{Network: broker.NewNetwork(), Topics: []broker.Topic{{Name: "orders", Partitions: 2}}})
		plain := newClient(t, c, placing()...)
		a, b := newTransactional(t, c, "a"), newTransactional(t, c, "b")
		produceTo(t, plain, "orders", 0, "1")
		a.begin("orders", 0, "2")
		b.begin("orders", 0, "3")
		a.end(kgo.TryAbort)
		a.begin("orders", 0, "4")
		b.end(kgo.TryCommit)
		a.end(kgo.TryCommit)
		b.begin("orders", 0, "5")
		produceTo(t, plain, "orders", 0, "6")
		for what, got := range map[string]string{
			"1 2:aborted 3:committed 4:committed 5:open 6": values(c.Records("orders", 0)),
			"1 3:committed 4:committed":                    values(c.CommittedRecords("orders", 0)),
			"1 2:aborted 3:committed marker:aborted 4:committed marker:committed marker:committed 5:open 6": values(c.LogRecords("orders", 0)),
		} {
			if got != what {
				t.Errorf("got  %s\nwant %s", got, what)
			}
		}
		all, err := c.LogRecords("orders", 0)
		if err != nil {
			t.Fatal(err)
		}
		if r := all[1]; r.ProducerID < 0 || r.ProducerEpoch < 0 || r.LeaderEpoch != 0 || r.ProducerID != all[3].ProducerID {
			t.Errorf("record %+v, its marker %+v", r, all[3])
		}
		// Markers are not records that somebody has written.
		past, cancel := context.WithCancel(t.Context())
		cancel()
		if err := c.WaitRecords(past, "orders", 6); err != nil {
			t.Error(err)
		}
		if err := c.WaitRecords(past, "orders", 7); err == nil || !strings.Contains(err.Error(), "have 6") {
			t.Errorf("error %v", err)
		}
		ended := make(chan error, 2)
		go func() { ended <- c.WaitTransactionsEnded(t.Context()) }()
		synctest.Wait()
		select {
		case err := <-ended:
			t.Fatalf("b's transaction is open: %v", err)
		default:
		}
		b.end(kgo.TryAbort)
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if got := values(c.CommittedRecords("orders", 0)); got != "1 3:committed 4:committed 6" {
			t.Errorf("after all have ended: %s", got)
		}
		b.begin("orders", 0, "7")
		go func() { ended <- c.WaitTransactionsEnded(t.Context()) }()
		synctest.Wait()
		c.Close()
		if err := <-ended; !errors.Is(err, broker.ErrClosed) || !strings.Contains(err.Error(), "wait for all transactions to end, b is Ongoing") {
			t.Errorf("error %v", err)
		}
	})
}

// The dump of a cluster with something of everything, but for what is random in it.
const goldenDump = `broker 1 127.0.0.1:PORT running, rack a
broker 2 127.0.0.1:PORT down, rack b
broker 3 127.0.0.1:PORT running, rack c, clock off by 2m0s
fault API=Produce ClientID=nobody Count=3 Fail=NOT_ENOUGH_REPLICAS, happened to 0
fault API=Fetch Topic=audit Partitions=[1 2] Delay=1m0s, happened to 0
2 ACLs
users admin
topic audit, 1 partition, retention.ms=-1
  audit[0] leader 1 epoch 0, replicas [1], in sync [1], offsets 0 to 1
    0 TIME key=null value="\x00\x01"
topic orders, 2 partitions
  orders[0] leader 1 epoch 0, replicas [1 2], in sync [1], offsets 0 to 5, last stable offset 4
    0 TIME key=null value=one
    1 TIME key=17 value=violins source=shop note=null
    2 TIME (transaction of producer N aborted) key=null value=two
    3 TIME marker: transaction of producer N epoch 1 aborted
    4 TIME (transaction of producer N open) key=null value=three
  orders[1] leader 3 epoch 1, replicas [2 3], in sync [3], offsets 0 to 22
    … 2 records before these
    (20 records)
group billing Stable (classic, cooperative-sticky) generation 1, coordinator 1
  member ID client kgo MEMBER epoch 1 has orders[0 1]
  orders[0] nothing committed, lag 5
  orders[1] nothing committed, lag 22
group retired Empty (classic) generation 0, coordinator 3
  orders[0] committed 1, lag 4, metadata so far
transactional id pay Ongoing producer N epoch 1 timeout 40s, coordinator 3
  orders[0] open from offset 4
`

func TestDumpTellsEverythingReadably(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		admin := broker.NewUser("admin", "admin-secret")
		c := start(t, broker.Config{
			Brokers: 3, Network: broker.NewNetwork(), Racks: []string{"a", "b", "c"}, SASL: &broker.SASL{Users: []broker.User{admin}},
			Authorizer: &broker.Authorizer{SuperUsers: []string{"User:admin"}, ACLs: []broker.ACL{{Principal: "User:x", Operations: []string{"READ", "WRITE"}, Name: "orders"}}},
			Topics:     []broker.Topic{{Name: "audit", Configs: map[string]string{"retention.ms": "-1"}}, {Name: "orders", Partitions: 2, ReplicationFactor: 2}},
		})
		login := kgo.SASL(plain.Auth{User: "admin", Pass: "admin-secret"}.AsMechanism())
		client := newClient(t, c, append(placing(), login)...)
		produceTo(t, client, "audit", 0, "\x00\x01")
		produceTo(t, client, "orders", 0, "one")
		full := &kgo.Record{Topic: "orders", Key: []byte("17"), Value: []byte("violins"), Headers: []kgo.RecordHeader{{Key: "source", Value: []byte("shop")}, {Key: "note"}}}
		if err := client.ProduceSync(t.Context(), full).FirstErr(); err != nil {
			t.Fatal(err)
		}
		for i := range 22 {
			produceTo(t, client, "orders", 1, fmt.Sprint(i))
		}
		pay := newTransactional(t, c, "pay", login)
		pay.begin("orders", 0, "two")
		pay.end(kgo.TryAbort)
		pay.begin("orders", 0, "three")
		newClient(t, c, login, kgo.ConsumerGroup("billing"), kgo.ConsumeTopics("orders"), kgo.DisableAutoCommit())
		commitAs(t, client, "retired", "orders", 0, 1, "so far")
		if err := errors.Join(c.WaitGroup(t.Context(), "billing", "Stable", 1), c.KillBroker(2), c.SkewClock(3, 2*time.Minute)); err != nil {
			t.Fatal(err)
		}
		if err := c.WaitLeader(t.Context(), "orders", 1, 3); err != nil {
			t.Fatal(err)
		}
		c.Inject(broker.Fault{API: broker.APIProduce, ClientID: "nobody", Count: 3, Fail: kerr.NotEnoughReplicas.Code})
		c.Inject(broker.Fault{API: broker.APIFetch, Topic: "audit", Partitions: []int32{1, 2}, Delay: time.Minute})
		var out strings.Builder
		c.Dump(&out)
		if got := settled(out.String()); got != goldenDump {
			t.Errorf("dump:\n%s\nwant:\n%s", got, goldenDump)
		}
	})
}

// settled replaces what differs from run to run.
func settled(dump string) string {
	dump = regexp.MustCompile(`(?s)(\n {4}2 \S+ key=null value=2\n).*?(\ngroup)`).ReplaceAllString(dump, "\n    (20 records)$2")
	for pattern, by := range map[string]string{
		`member kgo-\S+`: "member ID", `127\.0\.0\.1:\d+`: "127.0.0.1:PORT", `\d{4}-\d\d-\d\dT[0-9:.]+Z`: "TIME", `producer \d+`: "producer N", ` MEMBER|/127\.0\.0\.1:PORT| /\S+`: " MEMBER",
	} {
		dump = regexp.MustCompile(pattern).ReplaceAllString(dump, by)
	}
	return dump
}
