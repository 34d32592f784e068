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

	"github.com/sordini-go/sordini/consumer"
)

func TestPausedScopeIsNotHandledUntilItIsResumed(t *testing.T) {
	for name, c := range map[string]struct {
		scope consumer.Scope
		waits string // of the values, those that begin so
	}{
		"group":     {consumer.Everything(), ""},
		"topic":     {consumer.InTopic("orders"), ""},
		"partition": {consumer.InPartition("orders", 0), ""},
		"key":       {consumer.WithKey("orders", []byte("a")), "a"},
	} {
		for _, early := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, before Run %v", name, early), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t, 1)
					w.whole = true
					got := newSeen(t)
					g := w.group(func(_ context.Context, m *consumer.Message[string]) error { got.add(m.Value); return nil })
					pause := func() {
						if err := g.Pause(c.scope); err != nil {
							t.Fatal(err)
						}
					}
					if early {
						pause()
					}
					r := start(t, g)
					if !early {
						w.put("w=warm")
						got.wait(1)
						pause()
					}
					w.put("a=a1", "b=b1", "a=a2", "b=b2")
					time.Sleep(15 * time.Minute)
					for _, v := range got.all() {
						if v != "warm" && strings.HasPrefix(v, c.waits) {
							t.Errorf("%s was handled in the pause", v)
						}
					}
					if c.waits != "" {
						got.wait(2)
					} else if n := g.InFlight(); n != 0 {
						t.Errorf("%d records were fetched in the pause", n)
					}
					h := g.Health()
					if h.OK || len(h.Reasons) != 1 || h.Reasons[0].Code != "paused" || !strings.Contains(h.Reasons[0].Summary, name) {
						t.Errorf("health in the pause is %+v", h)
					}
					if p := g.Paused(); len(p) != 1 || p[0] != c.scope {
						t.Errorf("paused are %v", p)
					}
					if err := g.Resume(c.scope); err != nil {
						t.Fatal(err)
					}
					want := 4
					if !early {
						want++ // the warm one
					}
					all := got.wait(want)
					waitFor(t, "everything is committed", func() bool { return w.committed() >= 4 })
					if i, j := slices.Index(all, "a1"), slices.Index(all, "a2"); i > j {
						t.Errorf("order %v", all)
					}
					if h := g.Health(); !h.OK {
						t.Errorf("health after the pause is %+v", h)
					}
					r.cleanly()
				})
			})
		}
	}
}

func TestPausesAreIndependentOfEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		got := newSeen(t)
		g := w.group(func(_ context.Context, m *consumer.Message[string]) error { got.add(m.Value); return nil }, consumer.HealthyWhilePaused())
		r := start(t, g)
		for _, s := range []consumer.Scope{consumer.Everything(), consumer.InTopic("orders"), consumer.WithKey("orders", []byte("a"))} {
			if err := g.Pause(s); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
		}
		w.put("a=1", "b=2")
		for i, s := range g.Paused() {
			time.Sleep(time.Minute)
			if n := len(got.all()); n != max(0, i-1) {
				t.Errorf("%d handled after %d pauses were lifted", n, i)
			}
			if h := g.Health(); !h.OK || len(h.Reasons) != 3-i {
				t.Errorf("health %+v", h)
			}
			if err := g.Resume(s); err != nil {
				t.Fatal(err)
			}
		}
		got.wait(2)
		r.cleanly()
	})
}

func TestPauseOutlivesARebalance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 2)
		got := newSeen(t)
		h := func(_ context.Context, m *consumer.Message[string]) error { got.add(m.Value); return nil }
		a := w.group(h)
		if err := a.Pause(consumer.InPartition("orders", 0)); err != nil {
			t.Fatal(err)
		}
		ra := start(t, a)
		time.Sleep(time.Second)
		for range 2 { // the other member takes a partition and gives it back
			b := w.group(h)
			if err := b.Pause(consumer.Everything()); err != nil {
				t.Fatal(err)
			}
			rb := start(t, b)
			time.Sleep(20 * time.Second)
			rb.cleanly()
			time.Sleep(20 * time.Second)
		}
		w.put("a=1")
		time.Sleep(time.Minute)
		if n := len(got.all()); n != 0 {
			t.Errorf("%d handled of a paused partition", n)
		}
		if err := a.Resume(consumer.InPartition("orders", 0)); err != nil {
			t.Fatal(err)
		}
		got.wait(1)
		ra.cleanly()
	})
}

func TestPausedRetryIsTriedAfterThePause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.whole = true
		var attempts atomic.Int64
		g := w.group(func(context.Context, *consumer.Message[string]) error {
			if attempts.Add(1) == 1 {
				return errBoom
			}
			return nil
		})
		r := start(t, g)
		w.put("a=1")
		waitFor(t, "it failed once", func() bool { return attempts.Load() == 1 })
		if err := g.Pause(consumer.WithKey("orders", []byte("a"))); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if n := attempts.Load(); n != 1 {
			t.Errorf("%d attempts in the pause", n)
		}
		if err := g.Resume(consumer.WithKey("orders", []byte("a"))); err != nil {
			t.Fatal(err)
		}
		waitFor(t, "it is committed", func() bool { return w.committed() == 1 })
		r.cleanly()
	})
}

func TestPausedGroupStopsCleanly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		held := newGate()
		g := w.group(func(ctx context.Context, m *consumer.Message[string]) error { return held.wait(ctx) }, consumer.Concurrency(1))
		r := start(t, g)
		w.put("a=1", "b=2", "c=3")
		time.Sleep(time.Second)
		if err := errors.Join(g.Pause(consumer.Everything()), g.Pause(consumer.WithKey("orders", []byte("c")))); err != nil {
			t.Fatal(err)
		}
		held.pass()
		time.Sleep(time.Second)
		begin := time.Now()
		r.cleanly()
		if took := time.Since(begin); took > time.Second {
			t.Errorf("stopping took %v", took)
		}
		if c := w.committed(); c != 1 {
			t.Errorf("committed %d, want 1: one ran when the pause began", c)
		}
	})
}

func TestImpossiblePausesAreRefused(t *testing.T) {
	w := newWorld(t, 1)
	nop := func(context.Context, *consumer.Message[string]) error { return nil }
	g, inOrder := w.group(nop), w.group(nop, consumer.Ordering(consumer.ByPartition))
	for name, err := range map[string]error{
		"a topic without a handler":       g.Pause(consumer.InTopic("oders")),
		"a partition without a handler":   g.Resume(consumer.InPartition("oders", 1)),
		"a key in order of partitions":    inOrder.Pause(consumer.WithKey("orders", []byte("a"))),
		"no concurrency":                  g.SetConcurrency(0),
		"too much concurrency":            g.SetConcurrency(10_001),
		"concurrency above the in-flight": w.group(nop, consumer.MaxInFlight(100, 1<<20)).SetConcurrency(101),
	} {
		if !errors.Is(err, consumer.ErrConfig) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRedactedKeysAppearNowhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		g := w.group(func(context.Context, *consumer.Message[string]) error { return nil }, consumer.RedactKeys(func([]byte) string { return "***" }))
		r := start(t, g)
		if err := g.Pause(consumer.WithKey("orders", []byte("alice"))); err != nil {
			t.Fatal(err)
		}
		if h := fmt.Sprint(g.Health()); strings.Contains(h, "alice") || !strings.Contains(h, "***") {
			t.Errorf("health %s", h)
		}
		r.cleanly()
	})
}

// crowd counts how many handlers run, and the most that ran.
type crowd struct{ now, most atomic.Int64 }

func (c *crowd) handle(d time.Duration) func(context.Context, *consumer.Message[string]) error {
	return func(context.Context, *consumer.Message[string]) error {
		n := c.now.Add(1)
		defer c.now.Add(-1)
		for m := c.most.Load(); n > m && !c.most.CompareAndSwap(m, n); m = c.most.Load() {
		}
		time.Sleep(d)
		return nil
	}
}

func TestConcurrencyChangesWhileTheGroupRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 3)
		w.whole = true
		fill(w, 1200)
		var c crowd
		g := w.group(c.handle(time.Second), consumer.Concurrency(4))
		r := start(t, g)
		done := int64(0)
		for _, n := range []int{4, 100, 10, 1, 64} {
			if err := g.SetConcurrency(n); err != nil {
				t.Fatal(err)
			}
			time.Sleep(1500 * time.Millisecond) // what ran before ends
			c.most.Store(0)
			before := g.Counts().Handled
			time.Sleep(4 * time.Second)
			if most := c.most.Load(); most != int64(n) {
				t.Errorf("%d handlers at a concurrency of %d", most, n)
			}
			done = g.Counts().Handled
			if got := done - before; got < int64(3*n) || got > int64(5*n) {
				t.Errorf("%d records in 4 s at a concurrency of %d", got, n)
			}
		}
		waitFor(t, "everything is committed", func() bool { return w.committed() == 1200 })
		r.cleanly()
		if n := g.Counts().Handled; n != 1200 {
			t.Errorf("%d handled of 1200", n)
		}
	})
}

func TestIdleGroupWorksOnAfterItsConcurrencyWasLowered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.whole = true
		fill(w, 100)
		var c crowd
		g := w.group(c.handle(time.Second), consumer.Concurrency(50))
		r := start(t, g)
		waitFor(t, "everything is committed", func() bool { return w.committed() == 100 })
		if err := g.SetConcurrency(1); err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		w.put("a=1")
		waitFor(t, "the last one is committed", func() bool { return w.committed() == 101 })
		if took := time.Since(begin); took > 3*time.Second {
			t.Errorf("it took %v", took)
		}
		r.cleanly()
	})
}

func TestConcurrencyOfTenThousand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.whole = true
		fill(w, 20_000)
		var c crowd
		g := w.group(c.handle(time.Minute), consumer.Concurrency(10_000), consumer.MaxInFlight(20_000, 64<<20))
		r := start(t, g)
		time.Sleep(50 * time.Second)
		if n := c.now.Load(); n != 10_000 {
			t.Errorf("%d handlers run at a time", n)
		}
		if err := g.SetConcurrency(1); err != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Second)
		if n := c.now.Load(); n != 1 {
			t.Errorf("%d handlers run after the concurrency was set to 1", n)
		}
		if n := g.Counts().Handled; n != 10_000 {
			t.Errorf("%d handled, want 10,000: none that ran was lost", n)
		}
		if err := g.SetConcurrency(10_000); err != nil {
			t.Fatal(err)
		}
		waitFor(t, "everything is committed", func() bool { return w.committed() == 20_000 })
		r.cleanly()
	})
}
