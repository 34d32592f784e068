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

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/broker"
	"github.com/sordini-go/sordini/consumer"
	"github.com/sordini-go/sordini/dlt"
	"github.com/sordini-go/sordini/middleware"
)

// A member dies after its handlers and before their commit: who takes over gets the records again and handles none of them a second time.
func TestIdempotentHandlerIsNotCalledAgainAfterACrash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.whole = true
		table := new(middleware.MemoryTable) // as a database outlives the process
		got := newSeen(t)
		handle := func(_ context.Context, m *consumer.Message[string]) error {
			got.add(m.Value)
			return nil
		}
		c, l := w.wire()
		r := start(t, w.groupOn(c, handle, consumer.Middleware(middleware.Idempotent(table))))
		waitFor(t, "the member has the partition", func() bool { return w.committed() == 0 })
		stall := w.Inject(broker.Fault{API: broker.APIOffsetCommit, Stall: true})
		var want []string
		for i := range 50 {
			w.put(fmt.Sprintf("k%d=%02d", i%7, i))
			want = append(want, fmt.Sprintf("%02d", i))
		}
		got.wait(50)
		l.sever()
		stall.Remove()
		r2 := start(t, w.group(handle, consumer.Middleware(middleware.Idempotent(table))))
		waitFor(t, "all is committed", func() bool { return w.committed() == 50 })
		r2.cleanly()
		_ = r.stop() // it has nothing any more
		all := got.all()
		slices.Sort(all)
		if !slices.Equal(all, want) {
			t.Errorf("handled %d times: %v", len(all), all)
		}
	})
}

// A dead letter was not handled: a redrive finds it new.
func TestIdempotentHandlerIsCalledForARedrivenRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.put("a=1", "b=2")
		got := newSeen(t)
		var cured atomic.Bool
		r := start(t, w.group(func(_ context.Context, m *consumer.Message[string]) error {
			if m.Value == "1" && !cured.Load() {
				return consumer.Permanent(errBoom)
			}
			got.add(m.Value)
			return nil
		}, consumer.Middleware(middleware.Idempotent(new(middleware.MemoryTable)))))
		waitFor(t, "one is dead", func() bool { return len(w.dead()) == 1 && w.committed() == 2 })
		cured.Store(true)
		for _, op := range []string{"one", "two"} { // the second finds it handled
			n, _ := w.Records("orders.g.retry", 0)
			if _, err := dlt.Redrive(t.Context(), w.sdk(), dlt.Redriving{Group: "g", All: true, Operation: op}); err != nil {
				t.Fatal(err)
			}
			w.tellRedriven(len(n))
		}
		waitFor(t, "both are over", func() bool { return w.inboxCommitted() == 2 })
		r.cleanly()
		if all := got.all(); !slices.Equal(all, []string{"2", "1"}) {
			t.Errorf("handled %v", all)
		}
	})
}

// Who is late by the table's fence kills nothing: its records wait until it learns that they are somebody else's.
func TestG3LateOwnerWaitsAndKillsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.whole = true
		table := new(middleware.MemoryTable)
		later := middleware.Handling{Group: "g", ID: "x", Topic: "orders", Fence: 1 << 62} // of an owner that this one does not know of
		if err := table.Once(t.Context(), later, func(context.Context) error { return nil }); err != nil {
			t.Fatal(err)
		}
		got := newSeen(t)
		handle := func(_ context.Context, m *consumer.Message[string]) error {
			got.add(m.Value)
			return nil
		}
		r := start(t, w.group(handle, consumer.Middleware(middleware.Idempotent(table))))
		w.put("a=1")
		time.Sleep(time.Hour)
		if n := len(w.dead()); n != 0 || len(got.all()) != 0 || w.committed() > 0 {
			t.Errorf("%d dead letters, handled %v, committed %d", n, got.all(), w.committed())
		}
		h := r.g.Health()
		if h.OK || !strings.Contains(fmt.Sprint(h.Reasons), "later owner") {
			t.Errorf("health: %+v", h)
		}
		if err := r.stop(); err != nil && !errors.Is(err, consumer.ErrUndrained) {
			t.Errorf("run: %v", err)
		}
		r = start(t, w.group(handle, consumer.Middleware(middleware.Idempotent(new(middleware.MemoryTable)))))
		got.wait(1)
		waitFor(t, "it is committed", func() bool { return w.committed() == 1 })
		r.cleanly()
	})
}

func TestIdempotentWithoutATableIsRefused(t *testing.T) {
	if _, err := consumer.New(sordini.Cluster{Brokers: []string{"127.0.0.1:1"}}, "g", consumer.Middleware(middleware.Idempotent(nil))); !errors.Is(err, consumer.ErrConfig) {
		t.Error(err)
	}
}
