package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/sordini-go/sordini/broker"
	"github.com/sordini-go/sordini/consumer"
	"github.com/sordini-go/sordini/internal/history"
)

// putAcross puts n records, key k<i>, to each of the partitions in turn.
func putAcross(w *world, n, partitions int) {
	w.t.Helper()
	for i := range n {
		r := record(fmt.Sprintf("k%d=%d", i, i))
		r.Partition = int32(i % partitions)
		w.produce(r)
	}
}

func TestG5RevokedPartitionHasNoRunningHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 4)
		w.whole = true
		got := newSeen(t)
		handle := func(ctx context.Context, m *consumer.Message[string]) error {
			select {
			case <-time.After(3 * time.Second):
			case <-ctx.Done():
				return ctx.Err()
			}
			got.add(m.Value)
			return nil
		}
		putAcross(w, 200, 4)
		one := start(t, w.group(handle, consumer.Concurrency(8)))
		got.wait(10)
		two := start(t, w.group(handle, consumer.Concurrency(8)))
		got.wait(100)
		two.cleanly()
		got.wait(200)
		waitFor(t, "everything is committed", func() bool { return w.committed() == 50 })
		one.cleanly()
		if n := len(got.all()); n != 200 {
			t.Errorf("200 records were handled %d times: handlers finish within a revocation", n)
		}
	})
}

func TestG5HandlerThatOutlivesItsRevocationIsFenced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 2)
		w.whole = true
		held := newGate()
		first, second := newSeen(t), newSeen(t)
		var mu sync.Mutex
		causes := map[int32]error{}
		one := start(t, w.group(func(ctx context.Context, m *consumer.Message[string]) error {
			first.add(m.Value)
			<-ctx.Done()
			mu.Lock()
			causes[m.Record.Partition] = context.Cause(ctx)
			mu.Unlock()
			<-held.open // and goes on
			return nil
		}))
		putAcross(w, 2, 2)
		first.wait(2)
		two := start(t, w.group(func(_ context.Context, m *consumer.Message[string]) error {
			second.add(m.Value)
			return nil
		}))
		second.wait(1)
		mu.Lock()
		if len(causes) != 1 {
			t.Errorf("%d handlers were cancelled, want the one of the revoked partition", len(causes))
		}
		for _, cause := range causes {
			if !errors.Is(cause, consumer.ErrRevoked) {
				t.Errorf("the handler was cancelled with %v, want ErrRevoked", cause)
			}
		}
		mu.Unlock()
		if n := len(second.all()); n != 1 {
			t.Errorf("the new owner handled %d records, want the one of its partition", n)
		}
		if h := one.g.Health(); h.OK || h.Reasons[0].Code != "handler-outlived" {
			t.Errorf("health %+v, want handler-outlived", h)
		}
		held.pass()
		two.cleanly()
		if err := one.stop(); !errors.Is(err, consumer.ErrUndrained) { // the handler of the kept partition waits for its context
			t.Errorf("run: %v, want ErrUndrained", err)
		}
	})
}

// What a handler makes of the end of its context says nothing about the record.
func TestG5AttemptCutByARevocationKillsNoRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 2)
		w.whole = true
		first, second := newSeen(t), newSeen(t)
		one := start(t, w.group(func(ctx context.Context, m *consumer.Message[string]) error {
			first.add(m.Value)
			<-ctx.Done()
			return consumer.Permanent(ctx.Err())
		}))
		putAcross(w, 2, 2)
		first.wait(2)
		two := start(t, w.group(func(_ context.Context, m *consumer.Message[string]) error {
			second.add(m.Value)
			return nil
		}))
		second.wait(1)
		if err := one.stop(); !errors.Is(err, consumer.ErrUndrained) {
			t.Errorf("run: %v, want ErrUndrained", err)
		}
		second.wait(2)
		two.cleanly()
		if n := len(w.dead()); n > 0 {
			t.Errorf("%d dead letters of attempts that were cut", n)
		}
	})
}

func TestG6AttemptCutByDrainingKillsNoRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.whole = true
		w.put("a=1")
		cut, handled := newSeen(t), newSeen(t)
		r := start(t, w.group(func(ctx context.Context, m *consumer.Message[string]) error {
			cut.add(m.Value)
			<-ctx.Done()
			return consumer.Permanent(ctx.Err())
		}, consumer.DrainTimeout(time.Second)))
		cut.wait(1)
		if err := r.stop(); !errors.Is(err, consumer.ErrUndrained) {
			t.Errorf("run: %v, want ErrUndrained", err)
		}
		if n := len(w.dead()); n > 0 {
			t.Errorf("%d dead letters of attempts that were cut", n)
		}
		r = start(t, w.group(func(_ context.Context, m *consumer.Message[string]) error {
			handled.add(m.Value)
			return nil
		}))
		handled.wait(1)
		r.cleanly()
	})
}

func TestG5LostPartitionsAreNotCommitted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.whole = true
		var mu sync.Mutex
		var causes []error
		began := newSeen(t)
		w.put("a=1", "b=2")
		r := start(t, w.group(func(ctx context.Context, m *consumer.Message[string]) error {
			began.add(m.Value)
			if len(began.all()) <= 2 {
				<-ctx.Done()
				mu.Lock()
				causes = append(causes, context.Cause(ctx))
				mu.Unlock()
				return nil // too late
			}
			return nil
		}))
		began.wait(2)
		fault := w.Inject(broker.Fault{API: broker.APIHeartbeat, Count: 1, Fail: kerr.UnknownMemberID.Code})
		if err := fault.Wait(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		began.wait(4) // handled again: the late success counted for nothing
		waitFor(t, "everything is committed", func() bool { return w.committed() == 2 })
		mu.Lock()
		for _, c := range causes {
			if !errors.Is(c, consumer.ErrRevoked) {
				t.Errorf("a handler of a lost partition was cancelled with %v, want ErrRevoked", c)
			}
		}
		mu.Unlock()
		r.cleanly()
	})
}

func TestG5RebalanceStormLosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 6)
		w.whole = true
		const n = 1200
		got := newSeen(t)
		handle := func(ctx context.Context, m *consumer.Message[string]) error {
			if m.Record.Offset%11 == 0 && m.Attempt == 1 {
				return errBoom
			}
			select {
			case <-time.After(time.Duration(m.Record.Offset%40) * time.Millisecond):
			case <-ctx.Done():
				return ctx.Err()
			}
			got.add(fmt.Sprint(m.Record.Partition, "@", m.Record.Offset))
			return nil
		}
		putAcross(w, n, 6)
		base := start(t, w.group(handle, consumer.Concurrency(4)))
		for i := range 8 {
			extra := start(t, w.group(handle, consumer.Concurrency(4)))
			got.wait(min(n, (i+1)*100))
			extra.cleanly()
		}
		waitFor(t, "every record was handled", func() bool {
			seen := map[string]bool{}
			for _, x := range got.all() {
				seen[x] = true
			}
			return len(seen) == n
		})
		base.cleanly()
		if all := got.all(); len(all) != n {
			t.Errorf("%d records were handled %d times in clean rebalances", n, len(all))
		}
	})
}

// slowAtLost is a history whose writer takes its time at one kind of event.
type slowAtLost struct{ *history.Log }

func (s slowAtLost) Record(events ...history.Event) {
	s.Log.Record(events...)
	if events[0].Kind == history.Lost {
		time.Sleep(time.Second)
	}
}

// TestG5NothingStartsBehindALoss: handlers are busy while the member hears of it, and hearing takes its time; the history judges.
func TestG5NothingStartsBehindALoss(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		putAcross(w, 2000, 1)
		got := newSeen(t)
		g, err := consumer.New(w.sdk(), "g", consumer.Observe(slowAtLost{w.history}), consumer.Concurrency(10))
		if err != nil {
			t.Fatal(err)
		}
		err = consumer.Handle(g, orders, func(_ context.Context, m *consumer.Message[string]) error {
			time.Sleep(100 * time.Millisecond)
			got.add(m.Value)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		r := start(t, g)
		got.wait(100)
		for _, m := range w.Members("g") {
			if err := w.ExpireMember("g", m.ID); err != nil {
				t.Fatal(err)
			}
		}
		waitFor(t, "all is committed", func() bool { return w.committed() == 2000 })
		r.cleanly()
		lost := 0
		for _, e := range w.history.Events() {
			if e.Kind == history.Lost {
				lost++
			}
		}
		if lost == 0 {
			t.Error("nothing was lost")
		}
	})
}

// TestG5NothingEndsOrIsCommittedBehindALoss: the broker knows the member all the while, and would take what it commits.
func TestG5NothingEndsOrIsCommittedBehindALoss(t *testing.T) {
	for kind, register := range eachKind {
		t.Run(kind, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 1)
				w.whole = true
				putAcross(w, 2000, 1)
				got := newSeen(t)
				g, err := consumer.New(w.sdk(), "g", consumer.Observe(slowAtLost{w.history}), consumer.Concurrency(10), consumer.CommitInterval(20*time.Millisecond))
				if err == nil {
					err = register(g, orders, func(_ context.Context, m *consumer.Message[string]) error {
						time.Sleep(100 * time.Millisecond)
						got.add(m.Value)
						return nil
					})
				}
				if err != nil {
					t.Fatal(err)
				}
				r := start(t, g)
				for i := range 3 {
					got.wait((i + 1) * 200)
					fault := w.Inject(broker.Fault{API: broker.APIHeartbeat, Count: 1, Fail: kerr.UnknownMemberID.Code})
					if err := fault.Wait(t.Context(), 1); err != nil {
						t.Fatal(err)
					}
				}
				waitFor(t, "all is committed", func() bool { return w.committed() == 2000 })
				r.cleanly()
			})
		})
	}
}

// happened says whether an event of a kind is in the history.
func (w *world) happened(kind history.Kind) bool {
	return slices.ContainsFunc(w.history.Events(), func(e history.Event) bool { return e.Kind == kind })
}

// TestG5NothingIsCommittedBehindARevocation: the last commit before it hangs for as long as it may, while another waits for its turn; the history judges what that one
// commits. The broker knows the member all the while, and would take it.
func TestG5NothingIsCommittedBehindARevocation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 2)
		w.whole = true
		started, hold := newSeen(t), make(chan struct{})
		handle := func(_ context.Context, m *consumer.Message[string]) error {
			started.add(m.Value)
			<-hold
			return nil
		}
		one := start(t, w.group(handle, consumer.CommitInterval(100*time.Millisecond)))
		putAcross(w, 2, 2)
		started.wait(2)
		two := start(t, w.group(handle))
		waitFor(t, "a revocation begins", func() bool { return w.happened(history.Revoking) })
		hung := w.Inject(broker.Fault{API: broker.APIOffsetCommit, Count: 1, Stall: true})
		close(hold)
		waitFor(t, "the last commit hangs", func() bool { return hung.Hits() == 1 })
		waitFor(t, "the revocation ends", func() bool { return w.happened(history.Revoked) })
		time.Sleep(time.Minute)
		one.cleanly()
		two.cleanly()
	})
}
