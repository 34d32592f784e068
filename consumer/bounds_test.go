package consumer_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sordini-go/sordini/consumer"
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
		until(t, "50 handlers run", func() bool { return running.Load() == 50 })
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
