package consumer_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sordini-go/sordini/broker"
	"github.com/sordini-go/sordini/broker/brokertest"
	"github.com/sordini-go/sordini/consumer"
	"github.com/sordini-go/sordini/internal/history"
)

func TestG8InFlightIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.whole = true
		fill(w, 1000)
		held, got := newGate(), newSeen(t)
		var running, most atomic.Int64
		g := w.group(func(ctx context.Context, m *consumer.Message[string]) error {
			if n := running.Add(1); n > most.Load() {
				most.Store(n)
			}
			defer running.Add(-1)
			if err := held.wait(ctx); err != nil {
				return err
			}
			got.add(m.Value)
			return nil
		}, consumer.Concurrency(50), consumer.MaxInFlight(50, 1<<20))
		r := start(t, g)
		waitFor(t, "50 handlers run", func() bool { return running.Load() == 50 })
		time.Sleep(time.Minute)
		if n := g.InFlight(); n > 50 {
			t.Errorf("%d records are in flight, the bound is 50", n)
		}
		held.pass()
		got.wait(1000)
		if most.Load() > 50 {
			t.Errorf("%d handlers ran at the same time", most.Load())
		}
		r.cleanly()
	})
}

func TestG8BytesInFlightAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.whole = true
		value := string(make([]byte, 1000))
		for i := range 300 {
			w.put(fmt.Sprintf("k%d=%s", i, value))
		}
		held, got := newGate(), newSeen(t)
		g := w.group(func(ctx context.Context, m *consumer.Message[string]) error {
			if err := held.wait(ctx); err != nil {
				return err
			}
			got.add(string(m.Record.Key))
			return nil
		}, consumer.MaxInFlight(10_000, 20_000))
		r := start(t, g)
		time.Sleep(time.Minute)
		if n := g.InFlight(); n == 0 || n > 300 {
			t.Errorf("%d records are in flight", n)
		}
		held.pass()
		got.wait(300)
		r.cleanly()
	})
}

func TestG8KeyThatFillsTheBoundIsNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		for i := range 100 {
			w.put(fmt.Sprintf("hot=%d", i))
		}
		held, got := newGate(), newSeen(t)
		g := w.group(func(ctx context.Context, m *consumer.Message[string]) error {
			if err := held.wait(ctx); err != nil {
				return err
			}
			got.add(m.Value)
			return nil
		}, consumer.Concurrency(4), consumer.MaxInFlight(64, 1<<20))
		r := start(t, g)
		time.Sleep(time.Second)
		named := false
		for _, reason := range g.Health().Reasons {
			named = named || reason.Code == "key-slow" && reason.Partition == 0
		}
		if !named {
			t.Errorf("health %+v does not name the key that fills the bound", g.Health())
		}
		held.pass()
		got.wait(100)
		r.cleanly()
	})
}

func TestG4OneStuckRecordStopsNoOtherAndTheMapHoldsThemAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		const n = 40_000 // more than a bitmap of the metadata has bits for
		fill(w, n)
		got, held := newSeen(t), newGate()
		c, l := w.wire()
		r := start(t, w.groupOn(c, func(ctx context.Context, m *consumer.Message[string]) error {
			if m.Value == "17" {
				return held.wait(ctx)
			}
			got.add(m.Value)
			return nil
		}))
		got.wait(n - 1)
		time.Sleep(time.Second)
		l.sever()
		again := newSeen(t)
		r2 := start(t, w.group(func(_ context.Context, m *consumer.Message[string]) error { again.add(m.Value); return nil }))
		waitFor(t, "everything is committed", func() bool { return w.committed() == n })
		if all := again.all(); len(all) != 1 || all[0] != "17" {
			t.Errorf("%d records were handled again after the crash, want the one that was stuck", len(all))
		}
		r2.cleanly()
		r.stop()
	})
}

func TestG7SmallMetadataSlowsAdmissionAndIsNeverExceeded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, brokertest.Properties(map[string]string{"offset.metadata.max.bytes": "400"}))
		w.whole = true
		const n = 10_000
		fill(w, n)
		commits := w.Inject(broker.Fault{API: broker.APIOffsetCommit})
		got := newSeen(t)
		g := w.group(func(_ context.Context, m *consumer.Message[string]) error {
			d := time.Duration(m.Record.Offset*7919%97) * 20 * time.Millisecond
			if m.Record.Offset%1000 == 0 {
				d = time.Minute
			}
			time.Sleep(d)
			got.add(m.Value)
			return nil
		}, consumer.Concurrency(2000))
		r := start(t, g)
		got.wait(n)
		r.cleanly()
		if commits.Hits() < 2 {
			t.Fatalf("only %d commits", commits.Hits())
		}
		top, before := int64(-1), int64(-1) // the highest offset that has ended: now, and when the commit before this one began
		for _, e := range w.history.Events() {
			switch e.Kind {
			case history.Ended:
				top = max(top, e.Offset)
			case history.CommitStart:
				if e.Topic != "orders" {
					continue
				}
				if before >= e.Offset && (len(e.Ranges) == 0 || e.Ranges[len(e.Ranges)-1].To <= before) {
					t.Errorf("the commit of offset %d leaves out offset %d, which had ended: %v", e.Offset, before, e.Ranges)
				}
				before = top
			}
		}
		if w.committed() != n {
			t.Errorf("committed %d", w.committed())
		}
	})
}
