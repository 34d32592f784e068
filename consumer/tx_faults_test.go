package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"github.com/sordini-go/sordini/broker"
	"github.com/sordini-go/sordini/broker/brokertest"
	"github.com/sordini-go/sordini/consumer"
	"github.com/sordini-go/sordini/producer"
)

const fixedID = "sordini-g-one"

// TestG11FaultsInTheMiddleOfACommit lets things go wrong at each step of a transaction. Whatever it is, each output is visible once, each offset is
// committed, and no handler is called a second time: what it sent is still there.
func TestG11FaultsInTheMiddleOfACommit(t *testing.T) {
	code := func(err *kerr.Error) int16 { return err.Code }
	for name, faults := range map[string][]broker.Fault{
		"EndTxn applied, its response dropped":         {{API: broker.APIEndTxn, DropResponse: true, Count: 1}},
		"EndTxn applied, every response dropped":       {{API: broker.APIEndTxn, DropResponse: true, Count: 60}},
		"EndTxn never arrives":                         {{API: broker.APIEndTxn, DropRequest: true, Count: 60}},
		"EndTxn stalls":                                {{API: broker.APIEndTxn, Delay: 25 * time.Second, Count: 1}},
		"offsets applied, EndTxn never arrives":        {{API: broker.APIEndTxn, DropRequest: true, Count: 60}, {API: broker.APIEndTxn, Fail: code(kerr.CoordinatorNotAvailable), Count: 3}},
		"offsets applied, their response dropped":      {{API: broker.APITxnOffsetCommit, DropResponse: true, Count: 3}},
		"offsets refused":                              {{API: broker.APITxnOffsetCommit, Fail: code(kerr.UnknownServerError), Count: 3}},
		"offsets of a stale generation":                {{API: broker.APITxnOffsetCommit, Fail: code(kerr.IllegalGeneration), Count: 2}},
		"group coordinator moves":                      {{API: broker.APITxnOffsetCommit, Fail: code(kerr.NotCoordinator), Count: 2}},
		"transaction coordinator moves":                {{API: broker.APIEndTxn, Fail: code(kerr.NotCoordinator), Count: 2}},
		"transaction coordinator busy":                 {{API: broker.APIEndTxn, Fail: code(kerr.ConcurrentTransactions), Count: 5}},
		"produced, the response dropped":               {{API: broker.APIProduce, Topic: "shipped", DropResponse: true, Count: 2}},
		"fenced at the produce":                        {{API: broker.APIProduce, Topic: "shipped", Fail: code(kerr.InvalidProducerEpoch), Count: 1}},
		"fenced at the end":                            {{API: broker.APIEndTxn, Fail: code(kerr.ProducerFenced), Count: 1}},
		"epoch refused at the end":                     {{API: broker.APIEndTxn, Fail: code(kerr.InvalidProducerEpoch), Count: 1}},
		"fenced at the offsets":                        {{API: broker.APITxnOffsetCommit, Fail: code(kerr.ProducerFenced), Count: 1}},
		"the producer id is unknown to the leader":     {{API: broker.APIProduce, Topic: "shipped", Fail: code(kerr.UnknownProducerID), Count: 1}},
		"the producer id is unknown to coordinator":    {{API: broker.APIEndTxn, Fail: code(kerr.InvalidProducerIDMapping), Count: 1}},
		"sequence numbers out of order":                {{API: broker.APIProduce, Topic: "shipped", Fail: code(kerr.OutOfOrderSequenceNumber), Count: 1}},
		"the transaction is abortable":                 {{API: broker.APIProduce, Topic: "shipped", Fail: code(kerr.TransactionAbortable), Count: 1}},
		"the transaction is in another state":          {{API: broker.APIEndTxn, Fail: code(kerr.InvalidTxnState), Count: 1}},
		"the producer can not be initialised":          {{API: broker.APIEndTxn, Fail: code(kerr.ProducerFenced), Count: 1}, {API: broker.APIInitProducerID, Fail: code(kerr.CoordinatorNotAvailable), Count: 40}},
		"the producer can not be initialised, fatal":   {{API: broker.APIEndTxn, Fail: code(kerr.ProducerFenced), Count: 1}, {API: broker.APIInitProducerID, Fail: code(kerr.UnknownServerError), Count: 3}},
		"the outcome can not be asked at first":        {{API: broker.APIEndTxn, DropResponse: true, Count: 60}, {API: broker.APIInitProducerID, Fail: code(kerr.UnknownServerError), Count: 3}, {API: broker.APIOffsetFetch, Fail: code(kerr.CoordinatorLoadInProgress), Count: 3}},
		"the leader goes away while it is produced to": {{API: broker.APIProduce, Topic: "shipped", Fail: code(kerr.NotLeaderForPartition), Count: 3}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newTxWorld(t, 2, brokertest.Brokers(3))
				var calls atomic.Int64
				r := start(t, w.txGroup(func(ctx context.Context, tx *producer.Tx, m *consumer.Message[string]) error {
					calls.Add(1)
					return w.ship(ctx, tx, m)
				}, consumer.TransactionalInstance("one")))
				w.put("a=0")
				w.ended(1) // so that all is warm when things go wrong
				var injected []*broker.Injected
				for _, f := range faults {
					injected = append(injected, w.Inject(f))
				}
				for i := 1; i < 20; i++ {
					w.put(fmt.Sprintf("k%d=%d", i%5, i))
				}
				w.ended(5)
				for i := 20; i < 40; i++ {
					w.put(fmt.Sprintf("k%d=%d", i%5, i))
				}
				w.ended(40)
				r.cleanly()
				for _, f := range injected {
					if f.Hits() == 0 {
						t.Errorf("never happened: %v", f)
					}
				}
				got := w.visible()
				slices.Sort(got)
				if n := len(slices.Compact(slices.Clone(got))); n != 40 || len(got) != 40 {
					t.Errorf("%d outputs are visible, %d different ones, want 40", len(got), n)
				}
				if n := calls.Load(); n != 40 {
					t.Errorf("handlers were called %d times for 40 records", n)
				}
			})
		})
	}
}

func TestG11SecondInstanceWithTheSameIDFences(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTxWorld(t, 1)
		var calls atomic.Int64
		r := start(t, w.txGroup(func(ctx context.Context, tx *producer.Tx, m *consumer.Message[string]) error {
			calls.Add(1)
			return w.ship(ctx, tx, m)
		}, consumer.TransactionalInstance("one")))
		for i := range 10 {
			w.put(fmt.Sprintf("k=%d", i))
			w.ended(int64(i + 1))
			cl, err := w.sdk().NewClient(kgo.TransactionalID(fixedID)) // another process with this id
			if err != nil {
				t.Fatal(err)
			}
			if _, _, err := cl.ProducerID(context.Background()); err != nil {
				t.Fatal(err)
			}
			cl.Close()
		}
		r.cleanly()
		if got := w.visible(); len(got) != 10 || calls.Load() != 10 {
			t.Errorf("%d outputs, %d calls; want 10 of each", len(got), calls.Load())
		}
	})
}

func TestG11HandlerLongerThanTheTransactionTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTxWorld(t, 1)
		w.put("a=1", "b=2")
		r := start(t, w.txGroup(func(ctx context.Context, tx *producer.Tx, m *consumer.Message[string]) error {
			err := w.ship(ctx, tx, m)
			if m.Value == "1" {
				time.Sleep(4 * time.Minute)
			}
			return err
		}))
		waitFor(t, "the short one is visible", func() bool { return slices.Equal(w.visible(), []string{"orders[0]@1"}) })
		w.ended(2)
		r.cleanly()
		if got := w.visible(); !slices.Equal(got, []string{"orders[0]@1", "orders[0]@0"}) {
			t.Errorf("visible: %q", got)
		}
	})
}

func TestG11CrashBetweenOffsetsAndEnd(t *testing.T) {
	for _, fixed := range []bool{true, false} {
		t.Run(fmt.Sprintf("fixed=%v", fixed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newTxWorld(t, 1)
				w.put("a=1", "b=2", "a=3")
				var opts []consumer.Option
				if fixed {
					opts = append(opts, consumer.TransactionalInstance("one"))
				}
				ends := w.Inject(broker.Fault{API: broker.APIEndTxn, DropRequest: true})
				c, l := w.wire()
				r := start(t, w.txGroupOn(c, w.ship, opts...))
				waitFor(t, "the transaction is about to end", func() bool { return ends.Hits() > 0 })
				l.sever() // the process dies with everything but the end sent
				ends.Remove()
				if got := w.visible(); len(got) != 0 {
					t.Errorf("visible after the crash: %q", got)
				}
				r2 := start(t, w.txGroup(w.ship, opts...))
				w.ended(3)
				r2.cleanly()
				if err := r.stop(); err == nil {
					t.Error("run of the member that died returned nil")
				}
				got := w.visible()
				slices.Sort(got)
				if want := []string{"orders[0]@0", "orders[0]@1", "orders[0]@2"}; !slices.Equal(got, want) {
					t.Errorf("visible: %q, want %q", got, want)
				}
			})
		})
	}
}

func TestG11CoordinatorsMoveInTheMiddleOfCommits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTxWorld(t, 4, brokertest.Brokers(3))
		r := start(t, w.txGroup(w.ship, consumer.TransactionalInstance("one")))
		for i := range 60 {
			rec := record(fmt.Sprintf("k%d=%d", i, i))
			rec.Partition = int32(i % 4)
			w.produce(rec)
			var err error
			switch i % 3 {
			case 0:
				err = w.MoveCoordinator("g", int32(i/3)%3+1)
			case 1:
				err = w.MoveTxnCoordinator(fixedID, int32(i/3)%3+1)
			case 2:
				err = w.MoveLeader("shipped", 0, int32(i/3)%3+1)
			}
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(30 * time.Millisecond)
		}
		w.ended(15)
		waitFor(t, "all are visible", func() bool { return len(w.visible()) == 60 })
		r.cleanly()
	})
}

func TestG11OutputThatItsTopicRefusesFailsItsAttemptAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTxWorld(t, 1)
		var calls, failed atomic.Int64
		r := start(t, w.txGroup(func(ctx context.Context, tx *producer.Tx, m *consumer.Message[string]) error {
			calls.Add(1)
			if m.Value == "7" && m.Attempt <= 2 {
				failed.Add(1)
				return w.out.In(tx).Send(ctx, strings.Repeat("x", 100_000)) // fits when it is sent
			}
			return w.ship(ctx, tx, m)
		}))
		w.put("a=0")
		w.ended(1)
		alter(w.world, "shipped", "max.message.bytes", "20000")
		for i := 1; i < 30; i++ {
			w.put(fmt.Sprintf("k%d=%d", i%3, i))
		}
		w.ended(30)
		r.cleanly()
		got := w.visible()
		if len(got) != 30 || failed.Load() != 2 {
			t.Errorf("%d outputs are visible, want 30; %d attempts sent what is too large", len(got), failed.Load())
		}
		key := func(s string) int { var o int; fmt.Sscanf(s, "orders[0]@%d", &o); return o % 3 }
		for k := range 3 {
			last := -1
			for _, s := range got[1:] {
				var o int
				fmt.Sscanf(s, "orders[0]@%d", &o)
				if key(s) == k && o < last {
					t.Errorf("key k%d: %d after %d", k, o, last)
				}
				if key(s) == k {
					last = o
				}
			}
		}
	})
}

func TestG11OutputThatIsAlwaysRefusedDies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTxWorld(t, 1)
		r := start(t, w.txGroup(func(ctx context.Context, tx *producer.Tx, m *consumer.Message[string]) error {
			switch m.Value {
			case "bad":
				return w.out.In(tx).Send(ctx, strings.Repeat("x", 100_000))
			case "silent": // ends with those before it in its lane
				return nil
			case "slow": // runs while the one before it is found to be refused
				time.Sleep(time.Second)
			}
			return w.ship(ctx, tx, m)
		}))
		w.put("a=0")
		w.ended(1)
		alter(w.world, "shipped", "max.message.bytes", "20000")
		w.put("a=1", "a=bad", "a=silent", "a=3", "b=bad", "b=slow", "6")
		w.ended(8)
		r.cleanly()
		got := w.visible()
		slices.Sort(got)
		if want := []string{"orders[0]@0", "orders[0]@1", "orders[0]@4", "orders[0]@6", "orders[0]@7"}; !slices.Equal(got, want) {
			t.Errorf("visible: %q, want %q", got, want)
		}
		if dead := w.read("orders.g.dlt"); len(dead) != 2 {
			t.Errorf("%d dead letters, want 2", len(dead))
		}
	})
}

func TestG11RebalanceInTheMiddleOfTransactions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTxWorld(t, 6)
		handle := func(ctx context.Context, tx *producer.Tx, m *consumer.Message[string]) error {
			time.Sleep(time.Duration(m.Record.Offset%5) * 10 * time.Millisecond)
			return w.ship(ctx, tx, m)
		}
		one := start(t, w.txGroup(handle))
		var others []*run
		for i := range 600 {
			rec := record(fmt.Sprintf("k%d=%d", i%40, i))
			rec.Partition = int32(i % 6)
			w.produce(rec)
			time.Sleep(5 * time.Millisecond)
			switch i {
			case 100, 150, 300:
				others = append(others, start(t, w.txGroup(handle)))
			case 220, 400:
				others[0].cleanly()
				others = others[1:]
			}
		}
		waitFor(t, "all are visible", func() bool { return len(w.visible()) >= 600 })
		one.cleanly()
		for _, r := range others {
			r.cleanly()
		}
		if got := w.visible(); len(got) != 600 {
			t.Errorf("%d outputs are visible for 600 records", len(got))
		}
	})
}

func TestG11LostPartitionCommitsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTxWorld(t, 1)
		ends := w.Inject(broker.Fault{API: broker.APITxnOffsetCommit, Stall: true})
		c := w.sdk()
		c.ClientID = "first"
		one := start(t, w.txGroupOn(c, w.ship))
		w.put("a=1", "b=2")
		waitFor(t, "the first is about to commit", func() bool { return ends.Hits() > 0 })
		beats := w.Inject(broker.Fault{API: broker.APIHeartbeat, ClientID: "first", Stall: true}) // it is taken for dead
		two := start(t, w.txGroup(w.ship))
		waitFor(t, "the second owns the partition", func() bool {
			m := w.Members("g")
			return len(m) == 1 && m[0].ClientID != "first"
		})
		beats.Remove()
		ends.Remove()
		w.ended(2)
		two.cleanly()
		if err := one.stop(); err != nil && !errors.Is(err, consumer.ErrCommit) {
			t.Errorf("run: %v", err)
		}
		got := w.visible()
		slices.Sort(got)
		if want := []string{"orders[0]@0", "orders[0]@1"}; !slices.Equal(got, want) {
			t.Errorf("visible: %q, want %q", got, want)
		}
	})
}

// alter sets one setting of a topic.
func alter(w *world, topic, name, value string) {
	w.t.Helper()
	req := kmsg.NewPtrIncrementalAlterConfigsRequest()
	res := kmsg.NewIncrementalAlterConfigsRequestResource()
	res.ResourceType, res.ResourceName = kmsg.ConfigResourceTypeTopic, topic
	cfg := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
	cfg.Name, cfg.Value = name, &value
	res.Configs = append(res.Configs, cfg)
	req.Resources = append(req.Resources, res)
	if code := request(w, req.RequestWith).Resources[0].ErrorCode; code != 0 {
		w.t.Fatalf("alter %s of %s: code %d", name, topic, code)
	}
}

func TestTransactionsWithOlderRequestsWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTxWorld(t, 1)
		c := w.sdk()
		c.Kgo = append(c.Kgo, kgo.MaxVersions(kversion.V3_7_0())) // before KIP-890
		r := start(t, w.txGroupOn(c, w.ship))
		for i := range 30 {
			w.put(fmt.Sprintf("k%d=%d", i%4, i))
			time.Sleep(20 * time.Millisecond)
		}
		w.ended(30)
		r.cleanly()
		if got := w.visible(); len(got) != 30 {
			t.Errorf("%d outputs", len(got))
		}
	})
}
