package producer_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/broker"
	"github.com/sordini-go/sordini/broker/brokertest"
	"github.com/sordini-go/sordini/producer"
	"github.com/sordini-go/sordini/serde"
)

var slowProduce = broker.Fault{API: broker.APIProduce, Delay: time.Millisecond}

// A leader that is away for most of the delivery timeout costs time and nothing else: no count of retries ends the wait.
func TestG10LeaderThatIsPausedForLong(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, []brokertest.Option{brokertest.Brokers(1), brokertest.Topic("orders", 1), brokertest.Properties(map[string]string{"broker.session.timeout.ms": "9000"})})
		f.warm()
		began := time.Now()
		if err := f.PauseBroker(1); err != nil {
			t.Fatal(err)
		}
		go func() {
			time.Sleep(100 * time.Second)
			f.ResumeBroker(1)
		}()
		if err := f.pub.Send(context.Background(), order{ID: "1"}); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took < 100*time.Second {
			t.Fatalf("acknowledged after %s by a leader that was paused", took)
		}
		if got := f.ids(); !slices.Equal(got, []string{"1"}) {
			t.Errorf("on the log: %v", got)
		}
	})
}

func TestG10RefusalsAreRetriedBeyondAnyCount(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, nil)
		f.warm()
		refused := f.Inject(broker.Fault{API: broker.APIProduce, Fail: kerr.NotLeaderForPartition.Code})
		go func() {
			time.Sleep(100 * time.Second)
			refused.Remove()
		}()
		if err := f.pub.Send(context.Background(), order{ID: "1"}); err != nil {
			t.Fatal(err)
		}
		if n := refused.Hits(); n < 6 {
			t.Errorf("%d attempts in 100 s", n)
		}
		if got := f.ids(); !slices.Equal(got, []string{"1"}) {
			t.Errorf("on the log: %v", got)
		}
	})
}

func TestG10ResponseDroppedAfterApplyingMakesNoDuplicate(t *testing.T) {
	for name, fault := range map[string]broker.Fault{
		"dropped": {API: broker.APIProduce, DropResponse: true, Count: 3},
		"cut":     {API: broker.APIProduce, CutResponse: true, Count: 3},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				f := start(t, nil)
				f.warm()
				lost := f.Inject(fault)
				var o outcomes
				for _, id := range sequence(50) {
					o.send(context.Background(), f.pub, id)
				}
				if failed := o.wait(t); len(failed) > 0 {
					t.Fatal(failed)
				}
				if lost.Hits() == 0 {
					t.Fatal("the fault was not met")
				}
				if got := f.ids(); !slices.Equal(got, sequence(50)) {
					t.Errorf("on the log: %v", got)
				}
			})
		})
	}
}

// The answer is lost for good: the record is there, and nobody may say that it is not.
func TestG10OutcomeIsUnknownWhenTheAnswerIsLost(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, nil, producer.DeliveryTimeout(20*time.Second))
		f.warm()
		lost := f.Inject(broker.Fault{API: broker.APIProduce, DropResponse: true})
		began := time.Now()
		err := f.pub.Send(context.Background(), order{ID: "1"})
		within(t, began, 20*time.Second)
		if !errors.Is(err, producer.ErrOutcomeUnknown) || errors.Is(err, producer.ErrNotWritten) || !errors.Is(err, producer.ErrDeliveryTimeout) {
			t.Errorf("%v", err)
		}
		if got := f.ids(); !slices.Equal(got, []string{"1"}) {
			t.Errorf("on the log: %v", got)
		}
		lost.Remove()
		if err := f.pub.Send(context.Background(), order{ID: "2"}); err != nil {
			t.Fatal(err)
		}
		if got := f.ids(); !slices.Equal(got, []string{"1", "2"}) {
			t.Errorf("after the fault, on the log: %v", got)
		}
	})
}

// The record is acknowledged after its time was up: its caller has been told once, and is not told again.
func TestG10LateAcknowledgementIsNotReportedTwice(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, nil, producer.DeliveryTimeout(8*time.Second))
		f.warm()
		stall := f.Inject(broker.Fault{API: broker.APIProduce, Stall: true, Count: 1})
		var o outcomes
		for _, id := range sequence(3) {
			o.send(context.Background(), f.pub, id)
		}
		failed := o.wait(t)
		for _, id := range sequence(3) {
			if !errors.Is(failed[id], producer.ErrDeliveryTimeout) {
				t.Errorf("%s: %v", id, failed[id])
			}
		}
		stall.Remove()
		if err := f.p.Close(); err != nil {
			t.Error(err)
		}
		o.wait(t) // counts the calls
		for _, id := range f.ids() {
			if !errors.Is(failed[id], producer.ErrOutcomeUnknown) {
				t.Errorf("%s is on the log, and its caller was told %v", id, failed[id])
			}
		}
	})
}

// A refusal says that this attempt was not applied. Of an attempt before it whose answer was lost it says nothing.
func TestG10RefusalIsCertainUnlessAnAnswerWasLost(t *testing.T) {
	for _, lost := range []bool{false, true} {
		t.Run(fmt.Sprintf("lost %v", lost), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				f := start(t, nil)
				f.warm()
				if lost {
					f.Inject(broker.Fault{API: broker.APIProduce, DropResponse: true, Count: 1})
					f.Inject(broker.Fault{API: broker.APIMetadata, Delay: 100 * time.Millisecond})
					time.AfterFunc(10*time.Millisecond, func() { f.Inject(broker.Fault{API: broker.APIProduce, Fail: kerr.TopicAuthorizationFailed.Code}) })
				} else {
					f.Inject(broker.Fault{API: broker.APIProduce, Fail: kerr.TopicAuthorizationFailed.Code})
				}
				err := f.pub.Send(context.Background(), order{ID: "1"})
				if !errors.Is(err, kerr.TopicAuthorizationFailed) || errors.Is(err, producer.ErrOutcomeUnknown) != lost || errors.Is(err, producer.ErrNotWritten) == lost {
					t.Errorf("%v", err)
				}
				if d, ok := sordini.Diagnose(err); !ok || d.Code != sordini.CodeAuthorization {
					t.Errorf("diagnosis %+v", d)
				}
				if written := len(f.ids()) == 1; written != lost {
					t.Errorf("on the log: %v", f.ids())
				}
			})
		})
	}
}

func TestG10ClusterThatIsNeverReached(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, nil, producer.DeliveryTimeout(30*time.Second))
		f.KillBroker(1)
		began := time.Now()
		err := f.pub.Send(context.Background(), order{ID: "1"})
		within(t, began, 30*time.Second)
		if !errors.Is(err, producer.ErrDeliveryTimeout) || !errors.Is(err, producer.ErrNotWritten) || errors.Is(err, producer.ErrOutcomeUnknown) {
			t.Errorf("%v", err)
		}
		if d, ok := sordini.Diagnose(err); !ok || d.Code != sordini.CodeBrokerUnreachable {
			t.Errorf("diagnosis %+v of %v", d, err)
		}
	})
}

// The answer of an attempt was lost, and every later one is refused: franz-go forgets the first, we may not.
func TestG10RefusalsAfterALostAnswerProveNothing(t *testing.T) {
	for name, hold := range map[string]time.Duration{"lost at once": 0, "lost while being taken back": 9050 * time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				f := start(t, nil, producer.DeliveryTimeout(10*time.Second))
				f.warm()
				f.Inject(broker.Fault{API: broker.APIProduce, Delay: hold, DropResponse: true, Count: 1})
				time.AfterFunc(10*time.Millisecond, func() { f.Inject(broker.Fault{API: broker.APIProduce, Fail: kerr.NotEnoughReplicas.Code}) })
				if err := f.pub.Send(context.Background(), order{ID: "1"}); !errors.Is(err, producer.ErrOutcomeUnknown) || errors.Is(err, producer.ErrNotWritten) {
					t.Errorf("%v", err)
				}
				if got := f.ids(); !slices.Equal(got, []string{"1"}) {
					t.Errorf("on the log: %v", got)
				}
			})
		})
	}
}

// What may be on the log is not taken back: franz-go goes on with it, and with those behind it whose time is not up.
func TestG10LostAnswerSparesItsNeighbours(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, nil, producer.DeliveryTimeout(10*time.Second))
		f.warm()
		f.Inject(broker.Fault{API: broker.APIProduce, Delay: 500 * time.Millisecond, DropResponse: true, Count: 1})
		var refused *broker.Injected
		time.AfterFunc(10*time.Millisecond, func() { refused = f.Inject(broker.Fault{API: broker.APIProduce, Fail: kerr.NotEnoughReplicas.Code}) })
		var o outcomes
		o.send(context.Background(), f.pub, "0")
		time.Sleep(400 * time.Millisecond)
		o.send(context.Background(), f.pub, "1")
		time.Sleep(8850 * time.Millisecond) // the first one's time is nearly up, the second one's not yet
		refused.Remove()
		if failed := o.wait(t); failed["1"] != nil {
			t.Errorf("the neighbour failed: %v", failed["1"])
		}
		if got := f.ids(); !slices.Equal(got, []string{"0", "1"}) {
			t.Errorf("on the log: %v", got)
		}
	})
}

// While a partition's records are taken back nothing new is given, or it would overtake what waits.
func TestG10NothingOvertakesWhatIsTakenBack(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, nil, producer.DeliveryTimeout(10*time.Second))
		f.warm()
		stall := f.Inject(broker.Fault{API: broker.APIProduce, Stall: true, Count: 1})
		f.Inject(broker.Fault{API: broker.APIProduce, Delay: 100 * time.Millisecond})
		var o outcomes
		send := func(id int, then time.Duration) {
			o.send(context.Background(), f.pub, fmt.Sprintf("%02d", id))
			time.Sleep(then)
		}
		for id := range 9 { // five requests on their way, the others behind them
			send(id, 50*time.Millisecond)
		}
		time.Sleep(2 * time.Second)
		send(9, 6750*time.Millisecond) // waits: the partition has stalled. Then the first one's time is nearly up
		stall.Remove()
		time.Sleep(250 * time.Millisecond)
		for id := 10; id < 20; id++ { // in between the acknowledgements
			send(id, 20*time.Millisecond)
		}
		if failed := o.wait(t); len(failed) > 0 {
			t.Errorf("failed: %v", failed)
		}
		if got := f.ids(); !slices.IsSorted(got) || len(got) != 20 {
			t.Errorf("on the log: %v", got)
		}
	})
}

// A record whose time is up before it could be sent is given up with certainty: it is not written, and not later either.
func TestG10TimeIsUpBeforeTheRecordWasSent(t *testing.T) {
	for name, away := range map[string]func(f *fixture) (back func()){
		"leader down": func(f *fixture) func() { // one that there was no connection to
			leader, _ := f.Leader("orders", 0)
			f.KillBroker(leader)
			return func() { f.StartBroker(leader) }
		},
		"cluster down": func(f *fixture) func() {
			for id := range int32(2) {
				f.KillBroker(id + 1)
			}
			return func() {
				for id := range int32(2) {
					f.StartBroker(id + 1)
				}
			}
		},
		"refused": func(f *fixture) func() {
			return f.Inject(broker.Fault{API: broker.APIProduce, Fail: kerr.NotLeaderForPartition.Code}).Remove
		},
		"too few replicas": func(f *fixture) func() {
			return f.Inject(broker.Fault{API: broker.APIProduce, Fail: kerr.NotEnoughReplicas.Code}).Remove
		},
	} {
		for _, timeout := range []time.Duration{2 * time.Second, 2 * time.Minute} {
			t.Run(fmt.Sprintf("%s %s", name, timeout), func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					f := start(t, []brokertest.Option{brokertest.Brokers(2), brokertest.Topic("orders", 1), brokertest.Topic("other", 1)}, producer.DeliveryTimeout(timeout))
					other, _ := f.Leader("orders", 0)
					f.MoveLeader("other", 0, 3-other)
					if err := publisher(t, f.p, orders("other")).Send(context.Background(), order{ID: "warm"}); err != nil {
						t.Fatal(err)
					}
					f.know("orders")
					back := away(f)
					began := time.Now()
					err := f.pub.Send(context.Background(), order{ID: "late"})
					within(t, began, timeout)
					if time.Since(began) < timeout*8/10 {
						t.Errorf("given up after %s already", time.Since(began))
					}
					if !errors.Is(err, producer.ErrNotWritten) || errors.Is(err, producer.ErrOutcomeUnknown) || !errors.Is(err, producer.ErrDeliveryTimeout) {
						t.Errorf("%v", err)
					}
					back()
					if err := f.pub.Send(context.Background(), order{ID: "next"}); err != nil {
						t.Fatal(err)
					}
					time.Sleep(5 * time.Minute)
					if got := f.ids(); !slices.Equal(got, []string{"next"}) {
						t.Errorf("on the log: %v", got)
					}
				})
			})
		}
	}
}

// The broker went away while its connection was open: the client writes to it and can not know.
func TestG10OutcomeIsUnknownWhenTheConnectionIsLost(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, nil, producer.DeliveryTimeout(20*time.Second))
		f.warm()
		f.KillBroker(1)
		began := time.Now()
		if err := f.pub.Send(context.Background(), order{ID: "1"}); !errors.Is(err, producer.ErrOutcomeUnknown) || errors.Is(err, producer.ErrNotWritten) {
			t.Errorf("%v", err)
		}
		within(t, began, 20*time.Second)
		f.StartBroker(1)
		if err := f.pub.Send(context.Background(), order{ID: "2"}); err != nil {
			t.Fatal(err)
		}
		if got := f.ids(); !slices.Equal(got, []string{"1", "2"}) {
			t.Errorf("on the log: %v", got)
		}
	})
}

// One record's time does not end its neighbours': those that were sent later have theirs, and keep their order.
func TestG10TimeoutOfOneSparesItsNeighbours(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, nil, producer.DeliveryTimeout(20*time.Second))
		f.warm()
		refused := f.Inject(broker.Fault{API: broker.APIProduce, Fail: kerr.NotEnoughReplicas.Code})
		var o outcomes
		for i, id := range sequence(30) { // one each second
			o.send(context.Background(), f.pub, id)
			if i == 24 {
				refused.Remove()
			}
			time.Sleep(time.Second)
		}
		failed := o.wait(t)
		var want []string
		for _, id := range sequence(30) {
			if failed[id] == nil {
				want = append(want, id)
			} else if !errors.Is(failed[id], producer.ErrNotWritten) {
				t.Errorf("%s: %v", id, failed[id])
			}
		}
		if len(failed) < 3 || len(failed) > 8 || failed["10"] != nil {
			t.Errorf("%v failed, want those of the first seconds", slices.Sorted(maps.Keys(failed)))
		}
		if got := f.ids(); !slices.Equal(got, want) {
			t.Errorf("on the log:\n%v\nwant\n%v", got, want)
		}
	})
}

func TestG10NotEnoughReplicasIsTheReasonThatIsGiven(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, []brokertest.Option{brokertest.Brokers(3), brokertest.Topics(broker.Topic{Name: "orders", Partitions: 1, ReplicationFactor: 3, Configs: map[string]string{"min.insync.replicas": "2"}})},
			producer.DeliveryTimeout(20*time.Second))
		f.warm()
		leader, _ := f.Leader("orders", 0)
		for id := range int32(3) {
			if id+1 != leader {
				f.KillBroker(id + 1)
			}
		}
		err := f.pub.Send(context.Background(), order{ID: "1"})
		if !errors.Is(err, kerr.NotEnoughReplicas) || !errors.Is(err, producer.ErrDeliveryTimeout) || !errors.Is(err, producer.ErrNotWritten) {
			t.Errorf("%v", err)
		}
		if d, ok := sordini.Diagnose(err); !ok || d.Code != sordini.CodeNotEnoughReplicas {
			t.Errorf("diagnosis %+v of %v", d, err)
		}
		for id := range int32(3) {
			f.StartBroker(id + 1)
		}
		if err := f.pub.Send(context.Background(), order{ID: "2"}); err != nil {
			t.Fatal(err)
		}
		if got := f.ids(); !slices.Equal(got, []string{"2"}) {
			t.Errorf("on the log: %v", got)
		}
	})
}

func TestG10OrderOfAKeySurvivesRetries(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, []brokertest.Option{brokertest.Brokers(3), brokertest.Topics(broker.Topic{Name: "orders", Partitions: 3, ReplicationFactor: 3})})
		f.warm()
		faults := []broker.Fault{
			{API: broker.APIProduce, Fail: kerr.NotLeaderForPartition.Code, Count: 3},
			{API: broker.APIProduce, Fail: kerr.NotEnoughReplicas.Code, Count: 3},
			{API: broker.APIProduce, DropResponse: true, Count: 2},
			{API: broker.APIProduce, CutResponse: true, Count: 2},
			{API: broker.APIProduce, Delay: 3 * time.Second, Count: 2},
			{API: broker.APIMetadata, Fail: kerr.LeaderNotAvailable.Code, Count: 2},
		}
		const keys, each = 7, 200
		var wg sync.WaitGroup
		for k := range keys {
			wg.Go(func() {
				var o outcomes
				for i := range each {
					o.send(context.Background(), f.pub, fmt.Sprintf("%d-%03d", k, i))
					time.Sleep(20 * time.Millisecond)
				}
				if failed := o.wait(t); len(failed) > 0 {
					t.Error(failed)
				}
			})
		}
		go func() {
			for i := range 12 {
				f.Inject(faults[i%len(faults)])
				time.Sleep(300 * time.Millisecond)
				f.MoveLeader("orders", int32(i%3), int32(i%3)+1)
			}
		}()
		wg.Wait()
		// Every id is a key of its own, so the order to look at is that of the partition.
		seen := 0
		for p := range int32(3) {
			rs, err := f.Records("orders", p)
			if err != nil {
				t.Fatal(err)
			}
			last := map[string]string{}
			for _, r := range rs {
				if string(r.Key) == "warm" {
					continue
				}
				k, _, _ := strings.Cut(string(r.Key), "-")
				if string(r.Key) <= last[k] {
					t.Errorf("%s after %s in partition %d", r.Key, last[k], p)
				}
				last[k] = string(r.Key)
				seen++
			}
		}
		if seen != keys*each {
			t.Errorf("%d records on the log, want %d", seen, keys*each)
		}
	})
}

// The context ends while the record is still the producer's own: nothing is sent, now or later.
func TestG10ContextEndsBeforeTheRecordIsSent(t *testing.T) {
	reason := errors.New("the caller has gone")
	for name, prepare := range map[string]func(f *fixture) (back func()){
		"at once": func(*fixture) func() { return func() {} },
		"topic not yet known": func(f *fixture) func() {
			return f.Inject(broker.Fault{API: broker.APIMetadata, Stall: true}).Remove
		},
		"buffer full": func(f *fixture) func() {
			f.warm()
			stall := f.Inject(broker.Fault{API: broker.APIProduce, Stall: true})
			f.pub.SendAsync(context.Background(), order{ID: "first"}, nil)
			f.pub.SendAsync(context.Background(), order{ID: "second"}, nil)
			return stall.Remove
		},
		"partition in trouble": func(f *fixture) func() {
			f.warm()
			stall := f.Inject(broker.Fault{API: broker.APIProduce, Stall: true})
			f.pub.SendAsync(context.Background(), order{ID: "first"}, nil)
			time.Sleep(2 * time.Second)
			return stall.Remove
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				records := 1000
				if name == "buffer full" {
					records = 2
				}
				f := start(t, nil, producer.MaxBuffered(records, 1<<20))
				back := prepare(f)
				ctx, cancel := context.WithCancelCause(context.Background())
				if name == "at once" {
					cancel(reason)
				}
				time.AfterFunc(100*time.Millisecond, func() { cancel(reason) })
				began := time.Now()
				err := f.pub.Send(ctx, order{ID: "gone"})
				within(t, began, 100*time.Millisecond)
				if !errors.Is(err, producer.ErrNotWritten) || errors.Is(err, producer.ErrOutcomeUnknown) || !errors.Is(err, reason) {
					t.Errorf("%v", err)
				}
				back()
				if err := f.pub.Send(context.Background(), order{ID: "next"}); err != nil {
					t.Fatal(err)
				}
				if err := f.p.Close(); err != nil {
					t.Error(err)
				}
				if slices.Contains(f.ids(), "gone") {
					t.Errorf("on the log: %v", f.ids())
				}
			})
		})
	}
}

// The context ends when the record is on its way: it may be written, and it is. Its late acknowledgement is nobody's any more.
func TestG10ContextEndsAfterTheRecordWasSent(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, nil)
		f.warm()
		stall := f.Inject(broker.Fault{API: broker.APIProduce, Stall: true})
		ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
		defer cancel()
		err := f.pub.SendBatch(ctx, []order{{ID: "1"}, {ID: "2"}})
		if !errors.Is(err, producer.ErrOutcomeUnknown) || errors.Is(err, producer.ErrNotWritten) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
		stall.Remove()
		if err := f.p.Close(); err != nil {
			t.Error(err)
		}
		if got := f.ids(); !slices.Equal(got, []string{"1", "2"}) {
			t.Errorf("on the log: %v", got)
		}
	})
}

func TestRecordTooLargeIsRefusedWithLimitAndSize(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, []brokertest.Option{brokertest.Topics(broker.Topic{Name: "orders", Partitions: 1, Configs: map[string]string{"max.message.bytes": "5000"}})})
		f.warm()
		count := f.Inject(broker.Fault{API: broker.APIProduce})
		err := f.pub.Send(context.Background(), order{ID: "1", Text: strings.Repeat("x", 6000)})
		if !errors.Is(err, producer.ErrTooLarge) || !errors.Is(err, producer.ErrNotWritten) || !strings.Contains(err.Error(), "5000") || !strings.Contains(err.Error(), "61") {
			t.Errorf("%v", err)
		}
		if d, ok := sordini.Diagnose(err); !ok || d.Code != sordini.CodeRecordTooLarge {
			t.Errorf("diagnosis %+v", d)
		}
		// Whatever is not refused is taken by the broker: the largest record that passes, and many of it at once.
		lo, hi := 1, 6000
		for lo < hi-1 {
			mid := (lo + hi) / 2
			if err := f.pub.Send(context.Background(), order{ID: "2", Text: strings.Repeat("x", mid)}); err == nil {
				lo = mid
			} else if errors.Is(err, producer.ErrTooLarge) && !errors.Is(err, kerr.MessageTooLarge) {
				hi = mid
			} else {
				t.Fatal(err)
			}
		}
		if lo < 4700 {
			t.Errorf("%d characters are the most that passes a limit of 5000 bytes", lo)
		}
		if count.Hits() == 0 {
			t.Error("nothing was sent")
		}
		var batch []order
		for range 50 {
			batch = append(batch, order{ID: "3", Text: strings.Repeat("x", lo)}, order{ID: "4"}, order{ID: "5", Text: strings.Repeat("x", lo/3)})
		}
		if err := f.pub.SendBatch(context.Background(), batch); err != nil {
			t.Errorf("many at once: %v", err)
		}
	})
}

func TestLimitThatWasLoweredIsNamed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, nil)
		f.warm()
		f.Inject(broker.Fault{API: broker.APIProduce, Fail: kerr.MessageTooLarge.Code, Count: 1})
		err := f.pub.Send(context.Background(), order{ID: "1"})
		if !errors.Is(err, producer.ErrTooLarge) || !errors.Is(err, producer.ErrNotWritten) || !errors.Is(err, kerr.MessageTooLarge) || !strings.Contains(err.Error(), "lowered") {
			t.Errorf("%v", err)
		}
	})
}

func TestCompactedTopicRefusesRecordsWithoutAKey(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, []brokertest.Option{brokertest.Topics(broker.Topic{Name: "orders", Partitions: 1, Configs: map[string]string{"cleanup.policy": "compact"}})})
		f.warm()
		plain := sordini.Topic[order]{Name: "orders", Key: sordini.Unkeyed[order](), Value: serde.JSON[order]()}
		if err := publisher(t, f.p, plain).Send(context.Background(), order{}); !errors.Is(err, sordini.ErrContract) || !errors.Is(err, producer.ErrNotWritten) || !strings.Contains(err.Error(), "compact") {
			t.Errorf("%v", err)
		}
	})
}

// TestTopicThatIsNotKnownEverywhereYetIsWaitedFor: what was just created takes brokers a moment to hear of.
func TestTopicThatIsNotKnownEverywhereYetIsWaitedFor(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, nil)
		sent := make(chan error, 1)
		late := publisher(t, f.p, orders("late"))
		go func() { sent <- late.Send(context.Background(), order{ID: "1"}) }()
		time.Sleep(2500 * time.Millisecond)
		f.createTopic("late", 1)
		if err := <-sent; err != nil {
			t.Error(err)
		}
	})
}

func TestUnknownTopicIsSaidWithTheNearestName(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, []brokertest.Option{brokertest.Topic("orders", 1), brokertest.Topic("payments", 1)})
		began := time.Now()
		err := publisher(t, f.p, orders("order")).Send(context.Background(), order{ID: "1"})
		within(t, began, 4*time.Second)
		if !errors.Is(err, producer.ErrUnknownTopic) || !errors.Is(err, producer.ErrNotWritten) || !strings.Contains(err.Error(), `"order"`) || !strings.Contains(err.Error(), `"orders"`) {
			t.Errorf("%v", err)
		}
		if d, ok := sordini.Diagnose(err); !ok || d.Code != sordini.CodeUnknownTopic {
			t.Errorf("diagnosis %+v", d)
		}
		if f.Partitions("order") != 0 {
			t.Error("the topic was created")
		}
	})
}

func TestTopicThatABrokerDoesNotKnowYetIsAskedForAgain(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, nil)
		f.Inject(broker.Fault{API: broker.APIMetadata, Topic: "orders", Fail: kerr.UnknownTopicOrPartition.Code, Count: 2})
		if err := f.pub.Send(context.Background(), order{ID: "1"}); err != nil {
			t.Error(err)
		}
	})
}

func TestTopicThatWasJustCreatedIsFound(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, nil)
		late := publisher(t, f.p, orders("late"))
		if err := late.Send(context.Background(), order{ID: "1"}); !errors.Is(err, producer.ErrUnknownTopic) {
			t.Fatal(err)
		}
		f.createTopic("late", 2)
		if err := late.Send(context.Background(), order{ID: "1"}); err != nil {
			t.Error(err)
		}
	})
}

func TestTopicThatIsMadeAgainIsSentTo(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, []brokertest.Option{brokertest.Topic("orders", 4)})
		f.warm()
		f.deleteTopic("orders")
		f.createTopic("orders", 2)
		// The client notices by failing; at most the records of that moment are concerned, and of those nobody claims to know.
		deadline := time.Now().Add(2 * time.Minute)
		for {
			err := f.pub.Send(context.Background(), order{ID: "1"})
			if err == nil {
				break
			}
			if !errors.Is(err, producer.ErrOutcomeUnknown) || time.Now().After(deadline) {
				t.Fatal(err)
			}
			time.Sleep(100 * time.Millisecond)
		}
		if err := f.pub.SendBatch(context.Background(), []order{{ID: "2"}, {ID: "3"}, {ID: "4"}, {ID: "5"}}); err != nil {
			t.Error(err)
		}
	})
}

func TestPartitionsThatAreAddedAreUsed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, []brokertest.Option{brokertest.Topic("orders", 1)})
		f.warm()
		f.addPartitions("orders", 5)
		deadline := time.Now().Add(5 * time.Minute)
		for f.EndOffset("orders", 4) == 0 {
			if time.Now().After(deadline) {
				t.Fatal("no record in a partition that was added five minutes ago")
			}
			for _, id := range sequence(20) {
				if err := f.pub.Send(context.Background(), order{ID: id}); err != nil {
					t.Fatal(err)
				}
			}
			time.Sleep(10 * time.Second)
		}
	})
}

func TestG8BufferFullBlocksAndNeverDrops(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, nil, producer.MaxBuffered(10, 1<<20))
		f.warm()
		stall := f.Inject(broker.Fault{API: broker.APIProduce, Stall: true})
		var o outcomes
		accepted := make(chan int, 100)
		go func() {
			for i, id := range sequence(100) {
				o.send(context.Background(), f.pub, id)
				accepted <- i
			}
			close(accepted)
		}()
		time.Sleep(500 * time.Millisecond)
		if n := len(accepted); n != 10 {
			t.Errorf("%d records were accepted, the bound is 10", n)
		}
		stall.Remove()
		for range accepted {
		}
		if failed := o.wait(t); len(failed) > 0 {
			t.Error(failed)
		}
		if got := f.ids(); !slices.Equal(got, sequence(100)) {
			t.Errorf("on the log: %v", got)
		}
	})
}

func TestG8BytesAreBounded(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, nil, producer.MaxBuffered(1000, 3000))
		f.warm()
		stall := f.Inject(broker.Fault{API: broker.APIProduce, Stall: true})
		done := make(chan error, 10)
		accepted := make(chan string, 10)
		send := func(id string, size int) {
			f.pub.SendAsync(context.Background(), order{ID: id, Text: strings.Repeat("x", size)}, func(_ producer.Receipt, err error) { done <- err })
			accepted <- id
		}
		go func() {
			for _, id := range sequence(4) {
				send(id, 800)
			}
			send("large", 9000) // larger than the whole buffer: it gets it alone
		}()
		synctest.Wait()
		if n := len(accepted); n != 3 {
			t.Errorf("%d records of 800 bytes were accepted, the bound is 3000 bytes", n)
		}
		stall.Remove()
		for range 5 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		if got := f.ids(); !slices.Equal(got, []string{"0", "1", "2", "3", "large"}) {
			t.Errorf("on the log: %v", got)
		}
	})
}

// A caller whose context ends at the moment of its answer must not reach into somebody else's send.
func TestContextThatEndsWithTheAnswerConcernsItsOwnSendAlone(t *testing.T) {
	bubble(t, func(t *testing.T) {
		type cancelKey struct{}
		cancelAtAnswer := func(next sordini.Sender) sordini.Sender {
			return func(ctx context.Context, r *sordini.Record, done func(*sordini.Record, error)) {
				cancel, _ := ctx.Value(cancelKey{}).(context.CancelFunc)
				next(ctx, r, func(r *sordini.Record, err error) {
					if cancel != nil {
						cancel()
					}
					done(r, err)
				})
			}
		}
		f := start(t, nil, producer.Middleware(cancelAtAnswer))
		f.warm()
		slow := f.Inject(slowProduce)
		defer slow.Remove()
		var wg sync.WaitGroup
		for g := range 40 {
			wg.Go(func() {
				for range 50 {
					ctx := context.Background()
					if g%2 == 0 {
						c, cancel := context.WithCancel(ctx)
						ctx = context.WithValue(c, cancelKey{}, cancel)
					}
					if err := f.pub.Send(ctx, order{ID: "1"}); err != nil && (g%2 == 1 || !errors.Is(err, context.Canceled)) {
						t.Errorf("sender %d: %v", g, err)
					}
				}
			})
		}
		wg.Wait()
	})
}

// Whatever happens, what callers are told is so: nil is once on the log, not written is not there, unknown at most once; and the log has the order of the calls.
func TestG10WhatCallersAreToldIsSo(t *testing.T) {
	faults := []broker.Fault{
		{API: broker.APIProduce, Fail: kerr.NotLeaderForPartition.Code, Count: 8},
		{API: broker.APIProduce, Fail: kerr.NotEnoughReplicas.Code, Count: 8},
		{API: broker.APIProduce, Fail: kerr.RequestTimedOut.Code, Count: 3},
		{API: broker.APIProduce, DropResponse: true, Count: 4},
		{API: broker.APIProduce, CutResponse: true, Count: 4},
		{API: broker.APIProduce, Delay: 3 * time.Second, Count: 8},
		{API: broker.APIProduce, Stall: true, Count: 2},
		{API: broker.APIMetadata, Delay: 2 * time.Second, Count: 3},
		{API: broker.APIInitProducerID, Fail: kerr.CoordinatorLoadInProgress.Code, Count: 2},
	}
	for seed := range uint64(20) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				rng := rand.New(rand.NewPCG(seed, 0))
				f := start(t, []brokertest.Option{brokertest.Brokers(3), brokertest.Topics(broker.Topic{Name: "orders", Partitions: 1, ReplicationFactor: 3})},
					producer.DeliveryTimeout(5*time.Second), producer.MaxBuffered(200, 1<<20))
				f.warm()
				var o outcomes
				const n = 1500
				var injected []*broker.Injected
				for i := range n {
					o.send(context.Background(), f.pub, fmt.Sprintf("%04d", i))
					time.Sleep(time.Duration(rng.IntN(40)) * time.Millisecond)
					if rng.IntN(60) == 0 {
						injected = append(injected, f.Inject(faults[rng.IntN(len(faults))]))
					}
					if rng.IntN(200) == 0 {
						f.MoveLeader("orders", 0, int32(1+rng.IntN(3)))
					}
					if rng.IntN(300) == 0 {
						id := int32(1 + rng.IntN(3))
						f.KillBroker(id)
						time.AfterFunc(4*time.Second, func() { f.StartBroker(id) })
					}
				}
				for _, x := range injected {
					x.Remove()
				}
				f.p.Close()
				failed := o.wait(t)
				if len(o.of) != n {
					t.Fatalf("%d of %d sends were answered", len(o.of), n)
				}
				onLog := map[string]int{}
				last := ""
				for _, id := range f.ids() {
					onLog[id]++
					if id <= last {
						t.Errorf("%s stands behind %s", id, last)
					}
					last = id
				}
				told := map[string]int{}
				for id := range o.of {
					err := failed[id]
					switch {
					case err == nil:
						told["acknowledged"]++
						if onLog[id] != 1 {
							t.Errorf("%s was acknowledged and is on the log %d times", id, onLog[id])
						}
					case errors.Is(err, producer.ErrNotWritten) && !errors.Is(err, producer.ErrOutcomeUnknown):
						told["not written"]++
						if onLog[id] != 0 {
							t.Errorf("%s is on the log; its caller was told: %v", id, err)
						}
					case errors.Is(err, producer.ErrOutcomeUnknown):
						told["unknown"]++
						if onLog[id] > 1 {
							t.Errorf("%s is on the log %d times", id, onLog[id])
						}
					default:
						t.Errorf("%s: %v says neither", id, err)
					}
				}
				t.Log(told)
			})
		})
	}
}

func TestManyGoroutines(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, []brokertest.Option{brokertest.Brokers(3), brokertest.Topic("orders", 12)}, producer.MaxBuffered(500, 1<<20))
		var wg sync.WaitGroup
		var mu sync.Mutex
		ok := map[string]bool{}
		for g := range 100 {
			wg.Go(func() {
				var o outcomes
				for i := range 20 {
					id := fmt.Sprintf("%d-%d", g, i)
					if g%3 == 0 {
						if err := f.pub.Send(context.Background(), order{ID: id}); err != nil {
							t.Error(err)
						}
					} else {
						o.send(context.Background(), f.pub, id)
					}
					mu.Lock()
					ok[id] = true
					mu.Unlock()
				}
				if failed := o.wait(t); len(failed) > 0 {
					t.Error(failed)
				}
			})
		}
		wg.Wait()
		got := f.ids()
		if len(got) != 2000 {
			t.Errorf("%d records on the log", len(got))
		}
		for _, id := range got {
			if !ok[id] {
				t.Errorf("%s twice or never sent", id)
			}
			delete(ok, id)
		}
	})
}
