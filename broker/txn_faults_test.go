package broker_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sordini-go/sordini/broker"
	"github.com/sordini-go/sordini/internal/txn"
)

// withTxn starts three brokers, in virtual time, and a producer that has an open transaction with a record in each of two partitions: the first has
// every broker as a replica, the second broker 1 alone. The coordinator is broker 2.
func withTxn(t *testing.T, f func(ctx context.Context, t *testing.T, cluster *broker.Cluster, client *kgo.Client)) {
	synctest.Test(t, func(t *testing.T) {
		cluster, err := broker.Start(broker.Config{Brokers: 3, Network: broker.NewNetwork(), Topics: []broker.Topic{
			{Name: "orders", Partitions: 1, ReplicationFactor: 3}, {Name: "lonely", Partitions: 1}}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { cluster.Close() })
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		if err := cluster.MoveTxnCoordinator("tx", 2); err != nil {
			t.Fatal(err)
		}
		client := txnClient(t, cluster, kgo.TransactionalID("tx"), kgo.RecordPartitioner(kgo.ManualPartitioner()))
		if err := client.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		err = client.ProduceSync(ctx, &kgo.Record{Topic: "orders", Value: []byte("a")}, &kgo.Record{Topic: "lonely", Value: []byte("b")}).FirstErr()
		if err != nil {
			t.Fatal(err)
		}
		txn.AwaitPartitions(client, "orders")
		txn.AwaitPartitions(client, "lonely")
		f(ctx, t, cluster, client)
	})
}

func wantTxn(t *testing.T, cluster *broker.Cluster, state broker.TransactionState, partitions int) broker.Transaction {
	t.Helper()
	tx, ok := cluster.Transaction("tx")
	if !ok || tx.State != state || len(tx.Partitions) != partitions {
		t.Fatalf("the transaction is %+v, %v; want %s with %d partitions", tx, ok, state, partitions)
	}
	return tx
}

func TestCommittedReadersWaitWhileMarkersAreHeld(t *testing.T) {
	withTxn(t, func(ctx context.Context, t *testing.T, cluster *broker.Cluster, client *kgo.Client) {
		wantTxn(t, cluster, broker.TransactionOngoing, 2)
		if n := cluster.LastStableOffset("orders", 0); n != 0 {
			t.Errorf("last stable offset %d while the transaction is open", n)
		}
		held := inject(t, cluster, broker.Fault{API: broker.APIWriteTxnMarkers, Topic: "orders", Stall: true})
		if err := client.EndTransaction(ctx, kgo.TryCommit); err != nil {
			t.Fatal(err)
		}
		if err := held.Wait(ctx, 1); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if tx := wantTxn(t, cluster, broker.TransactionPrepareCommit, 1); !tx.Open() || tx.Partitions[0].Topic != "orders" {
			t.Errorf("the transaction is %+v", tx)
		}
		if n, end := cluster.LastStableOffset("orders", 0), cluster.EndOffset("orders", 0); n != 0 || end != 1 {
			t.Errorf("last stable offset %d, end %d, before the marker", n, end)
		}
		held.Remove()
		if err := cluster.WaitTransaction(ctx, "tx", broker.TransactionCompleteCommit); err != nil {
			t.Fatal(err)
		}
		if n := cluster.LastStableOffset("orders", 0); n != 2 {
			t.Errorf("last stable offset %d after the marker", n)
		}
	})
}

func TestMarkerWaitsForALeaderThatIsDown(t *testing.T) {
	withTxn(t, func(ctx context.Context, t *testing.T, cluster *broker.Cluster, client *kgo.Client) {
		if err := cluster.KillBroker(1); err != nil {
			t.Fatal(err)
		}
		if err := client.EndTransaction(ctx, kgo.TryAbort); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if tx := wantTxn(t, cluster, broker.TransactionPrepareAbort, 1); tx.Partitions[0].Topic != "lonely" {
			t.Errorf("markers are missing in %v", tx.Partitions)
		}
		if err := cluster.StartBroker(1); err != nil {
			t.Fatal(err)
		}
		if err := cluster.WaitTransaction(ctx, "tx", broker.TransactionCompleteAbort); err != nil {
			t.Fatal(err)
		}
		if n, end := cluster.LastStableOffset("lonely", 0), cluster.EndOffset("lonely", 0); n != 2 || end != 2 {
			t.Errorf("last stable offset %d, end %d", n, end)
		}
	})
}

func TestMarkersWaitForACoordinatorThatIsPaused(t *testing.T) {
	withTxn(t, func(ctx context.Context, t *testing.T, cluster *broker.Cluster, client *kgo.Client) {
		held := inject(t, cluster, broker.Fault{API: broker.APIWriteTxnMarkers, DropResponse: true, Count: 2})
		if err := client.EndTransaction(ctx, kgo.TryCommit); err != nil {
			t.Fatal(err)
		}
		if err := held.Wait(ctx, 2); err != nil {
			t.Fatal(err)
		}
		if err := cluster.PauseBroker(2); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		wantTxn(t, cluster, broker.TransactionPrepareCommit, 2)
		if err := cluster.ResumeBroker(2); err != nil {
			t.Fatal(err)
		}
		if err := cluster.WaitTransaction(ctx, "tx", broker.TransactionCompleteCommit); err != nil {
			t.Fatal(err)
		}
		if end := cluster.EndOffset("orders", 0); end != 3 {
			t.Errorf("the partition ends at %d: a marker whose answer is lost is written again", end)
		}
	})
}

func TestTransactionMovesWithItsCoordinator(t *testing.T) {
	for name, move := range map[string]func(*broker.Cluster) error{
		"moved":  func(c *broker.Cluster) error { return c.MoveTxnCoordinator("tx", 3) },
		"killed": func(c *broker.Cluster) error { return c.KillBroker(2) },
	} {
		t.Run(name, func(t *testing.T) {
			withTxn(t, func(ctx context.Context, t *testing.T, cluster *broker.Cluster, client *kgo.Client) {
				before := wantTxn(t, cluster, broker.TransactionOngoing, 2)
				if err := move(cluster); err != nil {
					t.Fatal(err)
				}
				after := wantTxn(t, cluster, broker.TransactionOngoing, 2)
				if before.Coordinator != 2 || after.Coordinator == 2 || cluster.TxnCoordinator("tx") != after.Coordinator {
					t.Errorf("the coordinator is %d, was %d", after.Coordinator, before.Coordinator)
				}
				if name == "moved" {
					end := kmsg.NewPtrEndTxnRequest()
					end.TransactionalID, end.ProducerID, end.ProducerEpoch = "tx", after.ProducerID, after.ProducerEpoch
					if r := ask[*kmsg.EndTxnResponse](dial(t, cluster, 2), 5, end); r.ErrorCode != kerr.NotCoordinator.Code {
						t.Errorf("the old coordinator answers %v", kerr.ErrorForCode(r.ErrorCode))
					}
				}
				if err := client.EndTransaction(ctx, kgo.TryCommit); err != nil {
					t.Fatal(err)
				}
				if err := cluster.WaitTransaction(ctx, "tx", broker.TransactionCompleteCommit); err != nil {
					t.Fatal(err)
				}
				leader, _ := cluster.Leader("orders", 0)
				d := kmsg.NewPtrDescribeProducersRequest()
				d.Topics = []kmsg.DescribeProducersRequestTopic{{Topic: "orders", Partitions: []int32{0}}}
				known := ask[*kmsg.DescribeProducersResponse](dial(t, cluster, int(leader)), 0, d).Topics[0].Partitions[0].ActiveProducers
				if len(known) != 1 || known[0].CoordinatorEpoch < 1 {
					t.Errorf("producers %+v, want the marker of a newer coordinator", known)
				}
			})
		})
	}
}

func TestFaultFindsTheRequestsOfATransaction(t *testing.T) {
	withTxn(t, func(ctx context.Context, t *testing.T, cluster *broker.Cluster, client *kgo.Client) {
		other := inject(t, cluster, broker.Fault{API: broker.APIEndTxn, TransactionalID: "other", Fail: kerr.ProducerFenced.Code})
		once := inject(t, cluster, broker.Fault{API: broker.APIEndTxn, TransactionalID: "tx", Fail: kerr.CoordinatorNotAvailable.Code, Count: 1})
		if err := client.EndTransaction(ctx, kgo.TryCommit); err != nil {
			t.Fatal(err)
		}
		if other.Hits() != 0 || once.Hits() != 1 {
			t.Errorf("hits %d and %d", other.Hits(), once.Hits())
		}
	})
}

func TestDumpShowsWhereATransactionIsOpen(t *testing.T) {
	withTxn(t, func(_ context.Context, t *testing.T, cluster *broker.Cluster, _ *kgo.Client) {
		var text strings.Builder
		cluster.Dump(&text)
		for _, want := range []string{"transactional id tx Ongoing producer 1000 epoch 0", "  orders[0] open from offset 0", "  lonely[0] open from offset 0"} {
			if !strings.Contains(text.String(), want) {
				t.Errorf("%q is missing in\n%s", want, text.String())
			}
		}
	})
}

func TestTransactionOfADeadClientIsAbortedByItsTimeout(t *testing.T) {
	withTxn(t, func(ctx context.Context, t *testing.T, cluster *broker.Cluster, client *kgo.Client) {
		client.Close()
		begun := wantTxn(t, cluster, broker.TransactionOngoing, 2).Started
		if err := cluster.WaitTransaction(ctx, "tx", broker.TransactionCompleteAbort); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begun); took < 40*time.Second || took > 50*time.Second { // the client's timeout, and the next look
			t.Errorf("aborted after %s", took)
		}
	})
}
