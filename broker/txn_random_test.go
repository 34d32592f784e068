package broker_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sordini-go/sordini/broker"
	"github.com/sordini-go/sordini/internal/txn"
)

// outcome is what a client knows of one of its transactions.
type outcome int

const (
	unknown outcome = iota // it was killed, or what it was answered leaves both open
	committed
	aborted
)

// chaos does to a cluster what may happen to one, until its context ends, and puts everything right afterwards.
func chaos(ctx context.Context, t *testing.T, r *rand.Rand, cluster *broker.Cluster, ids []string) {
	var faults []*broker.Injected
	add := func(f broker.Fault) {
		in, err := cluster.Inject(f)
		if err != nil {
			t.Error(err)
			return
		}
		faults = append(faults, in)
	}
	for ctx.Err() == nil {
		b, id, p := 1+r.Int32N(3), ids[r.IntN(len(ids))], r.Int32N(4)
		switch r.IntN(9) {
		case 0:
			_ = cluster.MoveTxnCoordinator(id, b) // it may be down
		case 1:
			_ = cluster.MoveLeader("out", p, b)
		case 2:
			_ = cluster.KillBroker(b)
			pause(ctx, time.Duration(r.IntN(3000))*time.Millisecond)
			_ = cluster.StartBroker(b)
		case 3:
			add(broker.Fault{API: broker.APIEndTxn, DropResponse: true, Count: 1})
		case 4:
			add(broker.Fault{API: broker.APIProduce, Topic: "out", DropResponse: true, Count: 1})
		case 5:
			add(broker.Fault{API: broker.APIWriteTxnMarkers, DropResponse: true, Count: 1 + r.IntN(2)})
		case 6:
			add(broker.Fault{API: broker.APIWriteTxnMarkers, Delay: time.Duration(r.IntN(2000)) * time.Millisecond, Count: 1})
		case 7:
			add(broker.Fault{API: broker.APITxnOffsetCommit, DropResponse: true, Count: 1})
		case 8:
			_ = cluster.MoveCoordinator(id, b)
		}
		pause(ctx, time.Duration(r.IntN(1500))*time.Millisecond)
	}
	for _, f := range faults {
		f.Remove()
	}
	for b := range int32(3) {
		_ = cluster.StartBroker(b + 1)
	}
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// commitOffset commits an offset of partition 0 for a group of the client's own name in its transaction.
func commitOffset(ctx context.Context, client *kgo.Client, id string, offset int64) error {
	producer, epoch, err := client.ProducerID(ctx)
	if err != nil {
		return err
	}
	if strings.HasPrefix(id, "announcing") {
		add := kmsg.NewPtrAddOffsetsToTxnRequest()
		add.TransactionalID, add.ProducerID, add.ProducerEpoch, add.Group = id, producer, epoch, id
		r, err := add.RequestWith(ctx, client)
		if err != nil {
			return err
		}
		if err := kerr.ErrorForCode(r.ErrorCode); err != nil {
			return err
		}
	}
	req := kmsg.NewPtrTxnOffsetCommitRequest()
	req.TransactionalID, req.ProducerID, req.ProducerEpoch, req.Group, req.Generation = id, producer, epoch, id, -1
	t := kmsg.NewTxnOffsetCommitRequestTopic()
	t.Topic = "out"
	p := kmsg.NewTxnOffsetCommitRequestTopicPartition()
	p.Offset = offset
	t.Partitions = append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	r, err := req.RequestWith(ctx, client)
	if err != nil {
		return err
	}
	return kerr.ErrorForCode(r.Topics[0].Partitions[0].ErrorCode)
}

// transact runs one client until its transactions are through or it has lost its hold of them. It reports how many were begun.
func transact(ctx context.Context, r *rand.Rand, client *kgo.Client, id string, from, n int, note func(i int, o outcome)) int {
	for i := from; i < n; i++ {
		if err := client.BeginTransaction(); err != nil {
			return i
		}
		var records []*kgo.Record
		for p := range int32(4) {
			for k := range 1 + r.IntN(2) {
				records = append(records, &kgo.Record{Topic: "out", Partition: p, Value: fmt.Appendf(nil, "%s %d %d", id, i, k)})
			}
		}
		err := client.ProduceSync(ctx, records...).FirstErr()
		txn.AwaitPartitions(client, "out")
		if err == nil {
			err = commitOffset(ctx, client, id, int64(i+1))
		}
		switch r.IntN(12) {
		case 0: // dies
			note(i, aborted)
			return i + 1
		case 1: // hangs for longer than its transaction may last
			pause(ctx, 15*time.Second)
		}
		commit := err == nil && r.IntN(4) > 0
		if err := client.EndTransaction(ctx, kgo.TransactionEndTry(commit)); err != nil {
			if commit {
				note(i, unknown)
			} else {
				note(i, aborted)
			}
			return i + 1
		}
		if commit {
			note(i, committed)
		} else {
			note(i, aborted)
		}
	}
	return n
}

// TestTransactionsAreAllOrNothingWhateverHappens lets clients of both kinds write to four partitions and commit an offset in each transaction, amid
// kills, moves, lost answers and timeouts, and reads what is committed.
func TestTransactionsAreAllOrNothingWhateverHappens(t *testing.T) {
	for seed := range uint64(8) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cluster, err := broker.Start(broker.Config{Brokers: 3, Network: broker.NewNetwork(),
					Topics: []broker.Topic{{Name: "out", Partitions: 4, ReplicationFactor: 3}}})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { cluster.Close() })
				ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
				defer cancel()
				var mu sync.Mutex
				outcomes := map[string][]outcome{}
				ids := []string{"announcing-0", "bumped-1", "bumped-2"}
				var clients sync.WaitGroup
				for k, id := range ids {
					r := rand.New(rand.NewPCG(seed, uint64(k)))
					generation := generations[id[:strings.Index(id, "-")]]
					clients.Go(func() {
						for i := 0; i < 25; {
							client := txnClient(t, cluster, generation, kgo.TransactionalID(id), kgo.TransactionTimeout(4*time.Second),
								kgo.RecordPartitioner(kgo.ManualPartitioner()))
							i = transact(ctx, r, client, id, i, 25, func(i int, o outcome) {
								mu.Lock()
								defer mu.Unlock()
								outcomes[id] = append(outcomes[id], make([]outcome, i+1-len(outcomes[id]))...)
								outcomes[id][i] = o
							})
							client.Close()
						}
					})
				}
				live := follow(ctx, t, cluster)
				disturbed, calm := context.WithCancel(ctx)
				var disturbing sync.WaitGroup
				disturbing.Go(func() { chaos(disturbed, t, rand.New(rand.NewPCG(seed, 99)), cluster, ids) })
				clients.Wait()
				calm()
				disturbing.Wait()
				for _, id := range ids { // a transaction that a dead client has left ends, at the latest by its timeout
					for {
						tx, ok := cluster.Transaction(id)
						if !ok || !tx.Open() {
							break
						}
						pause(ctx, time.Second)
					}
				}
				check(ctx, t, cluster, outcomes, live)
				if t.Failed() {
					cluster.Dump(t.Output())
				}
			})
		})
	}
}

// follow reads committed records while they are written. What it returns waits until every partition has come to its end, and says what they had.
func follow(ctx context.Context, t *testing.T, cluster *broker.Cluster) func() [4][]string {
	reader := txnClient(t, cluster, kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.ConsumeTopics("out"))
	var seen [4][]string
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ended := 0; ended < 4 && ctx.Err() == nil; {
			for _, r := range reader.PollFetches(ctx).Records() {
				seen[r.Partition] = append(seen[r.Partition], string(r.Value))
				if string(r.Value) == "end" {
					ended++
				}
			}
		}
	}()
	return func() [4][]string {
		<-done
		reader.Close()
		return seen
	}
}

// check reads every partition as a consumer of committed records does, and compares with what the clients know, and with what a consumer has seen that
// read all the time.
func check(ctx context.Context, t *testing.T, cluster *broker.Cluster, outcomes map[string][]outcome, live func() [4][]string) {
	t.Helper()
	var values [4][]string
	seen := make([]map[string][]int, 4) // by partition and id: the transactions in their order
	for p := range int32(4) {
		seen[p] = map[string][]int{}
		if lso, end := cluster.LastStableOffset("out", p), cluster.EndOffset("out", p); lso != end {
			t.Errorf("partition %d: last stable offset is %d, its end %d, and no transaction is open", p, lso, end)
		}
		marker := &kgo.Record{Topic: "out", Partition: p, Value: []byte("end")}
		plain := txnClient(t, cluster, kgo.RecordPartitioner(kgo.ManualPartitioner()))
		if err := plain.ProduceSync(ctx, marker).FirstErr(); err != nil {
			t.Fatal(err)
		}
		reader := txnClient(t, cluster, kgo.FetchIsolationLevel(kgo.ReadCommitted()),
			kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{"out": {p: kgo.NewOffset().AtStart()}}))
	reading:
		for {
			fetches := reader.PollFetches(ctx)
			if err := ctx.Err(); err != nil {
				t.Fatal(err)
			}
			for _, r := range fetches.Records() {
				values[p] = append(values[p], string(r.Value))
				if string(r.Value) == "end" {
					break reading
				}
				var id string
				var i, k int
				if _, err := fmt.Sscanf(string(r.Value), "%s %d %d", &id, &i, &k); err != nil {
					t.Fatal(err)
				}
				had := seen[p][id]
				switch {
				case k > 0 && (len(had) == 0 || had[len(had)-1] != i):
					t.Errorf("partition %d: %q without the record before it", p, r.Value)
				case k == 0:
					if len(had) > 0 && had[len(had)-1] >= i {
						t.Errorf("partition %d: %q comes after transaction %d", p, r.Value, had[len(had)-1])
					}
					seen[p][id] = append(had, i)
				}
			}
		}
		reader.Close()
		plain.Close()
	}
	for p, saw := range live() {
		if !slices.Equal(saw, values[p]) {
			t.Errorf("partition %d: who read all the time saw %v, who came later %v", p, saw, values[p])
		}
	}
	for id, list := range outcomes {
		last := int64(-1)
		if in := seen[0][id]; len(in) > 0 {
			last = int64(in[len(in)-1] + 1)
		}
		if offset, _, ok := cluster.Committed(id, "out", 0); ok != (last >= 0) || ok && offset != last {
			t.Errorf("%s has committed offset %d, %v; the last transaction that is to be seen committed %d", id, offset, ok, last)
		}
		for i, o := range list {
			in := 0
			for p := range seen {
				if slices.Contains(seen[p][id], i) {
					in++
				}
			}
			switch {
			case o == committed && in != 4, o == aborted && in != 0, in != 0 && in != 4:
				t.Errorf("%s %d, outcome %d, is in %d partitions of 4", id, i, o, in)
			}
		}
	}
}
