package consumer_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/sordini-go/sordini/broker"
	"github.com/sordini-go/sordini/broker/brokertest"
	"github.com/sordini-go/sordini/consumer"
	"github.com/sordini-go/sordini/producer"
)

// once says what is wrong unless a reader of committed records sees each of these outputs exactly once.
func (w *txWorld) once(records int) {
	w.t.Helper()
	got := w.visible()
	slices.Sort(got)
	if n := len(slices.Compact(slices.Clone(got))); n != records || len(got) != records {
		w.t.Errorf("%d outputs are visible, %d different ones, want %d", len(got), n, records)
	}
}

// TestG11CoordinatorMovesInTheMiddleOfACommit moves each coordinator at the moments at which it has a part of a commit: while the request that ends the transaction is on
// its way, after that was decided and before its markers are written, and while the offsets are on their way.
func TestG11CoordinatorMovesInTheMiddleOfACommit(t *testing.T) {
	next := func(id int32) int32 { return id%3 + 1 }
	for name, move := range map[string]func(w *txWorld){
		"EndTxn on its way": func(w *txWorld) {
			end := w.Inject(broker.Fault{API: broker.APIEndTxn, Stall: true, Count: 1})
			w.put("k=1")
			w.hits(end)
			w.must(w.MoveTxnCoordinator(fixedID, next(w.TxnCoordinator(fixedID))))
			end.Remove()
		},
		"decided, its markers not written": func(w *txWorld) {
			end := w.Inject(broker.Fault{API: broker.APIEndTxn, Stall: true, Count: 1})
			w.put("k=1")
			w.hits(end)
			leader, _ := w.Leader("shipped", 0)
			if leader == w.TxnCoordinator(fixedID) {
				w.must(w.MoveTxnCoordinator(fixedID, next(leader)))
			}
			w.must(w.PauseBroker(leader))
			end.Remove()
			w.must(w.WaitTransaction(w.t.Context(), fixedID, broker.TransactionPrepareCommit))
			others := 6 - leader - w.TxnCoordinator(fixedID)
			w.must(w.MoveTxnCoordinator(fixedID, others))
			w.must(w.ResumeBroker(leader))
		},
		"offsets on their way": func(w *txWorld) {
			offsets := w.Inject(broker.Fault{API: broker.APITxnOffsetCommit, Stall: true, Count: 1})
			w.put("k=1")
			w.hits(offsets)
			w.must(w.MoveCoordinator("g", next(w.Coordinator("g"))))
			offsets.Remove()
		},
		"both": func(w *txWorld) {
			end := w.Inject(broker.Fault{API: broker.APIEndTxn, Stall: true, Count: 1})
			w.put("k=1")
			w.hits(end)
			w.must(w.MoveCoordinator("g", next(w.Coordinator("g"))))
			w.must(w.MoveTxnCoordinator(fixedID, next(w.TxnCoordinator(fixedID))))
			end.Remove()
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newTxWorld(t, 1, brokertest.Brokers(3))
				var calls atomic.Int64
				r := start(t, w.txGroup(func(ctx context.Context, tx *producer.Tx, m *consumer.Message[string]) error {
					calls.Add(1)
					return w.ship(ctx, tx, m)
				}, consumer.TransactionalInstance("one")))
				w.put("k=0")
				w.ended(1)
				move(w)
				w.ended(2)
				w.put("k=2")
				w.ended(3)
				r.cleanly()
				w.once(3)
				if n := calls.Load(); n != 3 {
					t.Errorf("handlers were called %d times for 3 records", n)
				}
			})
		})
	}
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) hits(f *broker.Injected) {
	w.t.Helper()
	w.must(f.Wait(w.t.Context(), 1))
}

// TestG11RecoveryLeavesOtherHandlersAlone: whatever ends a transaction's producer, a handler that runs meanwhile goes on, is called once, and the member keeps its
// partitions. After an answer that does not say what became of the transaction the producer is initialised again before anything else is sent.
func TestG11RecoveryLeavesOtherHandlersAlone(t *testing.T) {
	code := func(err *kerr.Error) int16 { return err.Code }
	for name, fault := range map[string]broker.Fault{
		"fenced at the end":            {API: broker.APIEndTxn, Fail: code(kerr.ProducerFenced), Count: 1},
		"epoch refused at the end":     {API: broker.APIEndTxn, Fail: code(kerr.InvalidProducerEpoch), Count: 1},
		"fatal producer id, produce":   {API: broker.APIProduce, Topic: "shipped", Fail: code(kerr.InvalidProducerIDMapping), Count: 1},
		"fatal producer id, end":       {API: broker.APIEndTxn, Fail: code(kerr.InvalidProducerIDMapping), Count: 1},
		"producer id forgotten":        {API: broker.APIProduce, Topic: "shipped", Fail: code(kerr.UnknownProducerID), Count: 1},
		"poisoned, produce":            {API: broker.APIProduce, Topic: "shipped", Fail: code(kerr.TransactionAbortable), Count: 1},
		"poisoned, offsets":            {API: broker.APITxnOffsetCommit, Fail: code(kerr.TransactionAbortable), Count: 1},
		"poisoned, end":                {API: broker.APIEndTxn, Fail: code(kerr.TransactionAbortable), Count: 1},
		"indefinite: applied, no word": {API: broker.APIEndTxn, DropResponse: true, Count: 60},
		"indefinite: never arrived":    {API: broker.APIEndTxn, DropRequest: true, Count: 60},
		"outlasts its timeout":         {API: broker.APIProduce, Topic: "shipped", Stall: true, Count: 6},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newTxWorld(t, 1, brokertest.Brokers(3))
				started, finish := make(chan struct{}), make(chan struct{})
				var calls atomic.Int64
				fences := map[int64]bool{}
				r := start(t, w.txGroup(func(ctx context.Context, tx *producer.Tx, m *consumer.Message[string]) error {
					calls.Add(1)
					if m.Value == "long" {
						fences[m.Fence] = true
						close(started)
						select {
						case <-finish:
						case <-ctx.Done():
							t.Errorf("the handler was cut off: %v", context.Cause(ctx))
						}
					}
					return w.ship(ctx, tx, m)
				}, consumer.TransactionalInstance("one")))
				w.put("a=0")
				w.ended(1)
				w.put("a=long")
				<-started
				inits := w.Inject(broker.Fault{API: broker.APIInitProducerID, TransactionalID: fixedID})
				f := w.Inject(fault)
				w.put("b=1", "c=2")
				waitFor(t, "what was staged is visible", func() bool { return len(w.visible()) == 3 })
				if f.Hits() == 0 {
					t.Error("nothing went wrong")
				}
				w.hits(inits) // the producer is initialised again
				f.Remove()
				close(finish)
				w.ended(4)
				w.put("a=last")
				w.ended(5)
				r.cleanly()
				w.once(5)
				if n := calls.Load(); n != 5 {
					t.Errorf("handlers were called %d times for 5 records", n)
				}
			})
		})
	}
}

// TestG11HopsAndDeadLettersAreInTheTransaction: whatever becomes of a transaction, a dead letter and a hand-off to the inbox are visible once, with the outputs and offsets
// of their neighbours.
func TestG11HopsAndDeadLettersAreInTheTransaction(t *testing.T) {
	for name, fault := range map[string]broker.Fault{
		"none":                          {},
		"EndTxn applied, no word":       {API: broker.APIEndTxn, DropResponse: true, Count: 60},
		"EndTxn never arrived":          {API: broker.APIEndTxn, DropRequest: true, Count: 60},
		"fenced":                        {API: broker.APIEndTxn, Fail: kerr.ProducerFenced.Code, Count: 3},
		"offsets refused":               {API: broker.APITxnOffsetCommit, Fail: kerr.UnknownServerError.Code, Count: 3},
		"dead letters refused at first": {API: broker.APIProduce, Topic: "orders.g.dlt", Fail: kerr.NotLeaderForPartition.Code, Count: 3},
		"hand-offs refused at first":    {API: broker.APIProduce, Topic: "orders.g.retry", Fail: kerr.TransactionAbortable.Code, Count: 2},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newTxWorld(t, 1)
				r := start(t, w.txGroup(func(ctx context.Context, tx *producer.Tx, m *consumer.Message[string]) error {
					if err := w.ship(ctx, tx, m); err != nil {
						return err
					}
					switch {
					case strings.HasPrefix(m.Value, "dead"):
						return consumer.Permanent(errBoom)
					case strings.HasPrefix(m.Value, "later") && m.Attempt == 1:
						return errBoom
					}
					return nil
				}, consumer.TransactionalInstance("one"), consumer.Retry(consumer.RetryPolicy{Retries: -1}), consumer.RetryLater(time.Minute)))
				w.put("warm=0")
				w.ended(1)
				var f *broker.Injected
				if fault.API != 0 {
					f = w.Inject(fault)
				}
				for i := range 20 {
					w.put(fmt.Sprintf("k%d=%s%d", i, []string{"fine", "dead", "later", "fine"}[i%4], i))
				}
				w.ended(21)
				waitFor(t, "the hand-offs are over", func() bool { return !w.waits() && len(w.read("orders.g.retry")) == 5 })
				r.cleanly()
				if f != nil && f.Hits() == 0 {
					t.Error("nothing went wrong")
				}
				w.once(16)
				for _, topic := range []string{"orders.g.dlt", "orders.g.retry"} {
					all, err := w.Records(topic, 0)
					w.must(err)
					for _, x := range all {
						if x.Txn == broker.NoTxn {
							t.Errorf("%s@%d is in no transaction", topic, x.Offset)
						}
					}
				}
				if n := len(w.read("orders.g.dlt")); n != 5 {
					t.Errorf("%d dead letters are visible, want 5", n)
				}
			})
		})
	}
}
