package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sordini-go/sordini/consumer"
)

var errDown = errors.New("connection refused")

func TestCircuitSparesAttemptsWhileTheDependencyIsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 2)
		w.whole = true
		var down atomic.Bool
		var failed, later atomic.Int64
		g := w.group(func(_ context.Context, m *consumer.Message[string]) error {
			if down.Load() {
				failed.Add(1)
				return errDown
			}
			if m.Attempt > 3 {
				later.Add(1)
			}
			return nil
		}, consumer.CircuitBreaker(consumer.CircuitPolicy{}), consumer.Concurrency(8))
		r := start(t, g)
		down.Store(true)
		fill(w, 1000)
		time.Sleep(10 * time.Second)
		h := g.Health()
		if h.OK || len(h.Reasons) != 1 || h.Reasons[0].Code != "circuit-open" || !strings.Contains(h.Reasons[0].Summary, errDown.Error()) || !strings.Contains(h.Reasons[0].Summary, "1000 of its records wait") {
			t.Errorf("health %+v", h)
		}
		time.Sleep(time.Hour)
		if n := failed.Load(); n < 80 || n > 20+8+70 { // 20 open it, 8 may have begun, then one after 1, 2, 4 … 60 s
			t.Errorf("%d attempts in an outage of an hour", n)
		}
		down.Store(false)
		up := time.Now()
		waitFor(t, "everything is committed", func() bool { return w.committed() == 1000 })
		if took := time.Since(up); took > 65*time.Second {
			t.Errorf("it took %v after the outage, which is tried every minute", took)
		}
		if h := g.Health(); !h.OK {
			t.Errorf("health after the outage %+v", h)
		}
		r.cleanly()
		if n := len(w.dead()); n != 0 || later.Load() != 0 {
			t.Errorf("%d dead letters, %d handled later than their third attempt", n, later.Load())
		}
	})
}

func TestFailuresBehindAnOpenCircuitAreNotHeldAgainstTheirRecords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.whole = true
		var down atomic.Bool
		down.Store(true)
		g := w.group(func(context.Context, *consumer.Message[string]) error {
			time.Sleep(time.Second) // all fail at the same time
			if down.Load() {
				return errDown
			}
			return nil
		}, consumer.CircuitBreaker(consumer.CircuitPolicy{Failures: 3}), consumer.Retry(consumer.RetryPolicy{Retries: -1}), consumer.FloodBreaker(-1, 0, 0), consumer.Concurrency(10))
		fill(w, 10)
		r := start(t, g)
		time.Sleep(time.Hour)
		down.Store(false)
		waitFor(t, "everything is committed", func() bool { return w.committed() == 10 })
		r.cleanly()
		if n := len(w.dead()); n != 3 {
			t.Errorf("%d dead letters, want the 3 that opened the circuit", n)
		}
	})
}

func TestCircuitProbesOneRecordAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 2)
		var c crowd
		var at []time.Time
		slow := c.handle(100 * time.Millisecond)
		g := w.group(func(ctx context.Context, m *consumer.Message[string]) error {
			if len(at) >= 5 {
				_ = slow(ctx, m)
			}
			at = append(at, time.Now())
			return errDown
		}, consumer.CircuitBreaker(consumer.CircuitPolicy{Failures: 5, Wait: 10 * time.Second, MaxWait: 35 * time.Second}), consumer.Concurrency(1))
		r := start(t, g)
		fill(w, 100)
		time.Sleep(time.Second)
		if err := g.SetConcurrency(50); err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * time.Minute)
		r.cleanly()
		if most := c.most.Load(); most != 1 {
			t.Errorf("%d records were tried at a time", most)
		}
		for i, want := range []time.Duration{10, 20, 35, 35} {
			if d := at[5+i].Sub(at[4+i]).Round(time.Second); d != want*time.Second {
				t.Errorf("probe %d came after %v, want %d s", i+1, d, want)
			}
		}
	})
}

func TestCircuitOpensOnTheShareOfFailures(t *testing.T) {
	for share, opens := range map[float64]bool{0.3: true, 0.6: false} {
		t.Run(fmt.Sprint(share), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 1)
				fill(w, 100)
				n, open := 0, false
				var g *consumer.Group
				g = w.group(func(context.Context, *consumer.Message[string]) error {
					open = open || !g.Health().OK
					if n++; n%2 == 0 {
						return errDown
					}
					return nil
				}, consumer.CircuitBreaker(consumer.CircuitPolicy{Failures: -1, Share: share}), consumer.Concurrency(1))
				r := start(t, g)
				time.Sleep(time.Minute)
				r.cleanly()
				if open != opens {
					t.Errorf("open %v with half of the attempts failing and a share of %v", open, share)
				}
			})
		})
	}
}

func TestCircuitIgnoresFailuresThatSayNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.whole = true
		fill(w, 60)
		g := w.group(func(_ context.Context, m *consumer.Message[string]) error {
			switch m.Record.Offset % 3 {
			case 0:
				return consumer.Permanent(errBoom)
			case 1:
				return consumer.Skip(errBoom)
			}
			return errBoom // not of the dependency
		}, consumer.CircuitBreaker(consumer.CircuitPolicy{Failures: 3, Counts: func(err error) bool { return errors.Is(err, errDown) }}), consumer.FloodBreaker(-1, 0, 0))
		r := start(t, g)
		waitFor(t, "everything is committed", func() bool { return w.committed() == 60 })
		r.cleanly()
		if n := len(w.dead()); n != 40 {
			t.Errorf("%d dead letters, want 40", n)
		}
	})
}

func TestCircuitGoesOnWhenItsProbeIsTakenAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		var down, hang atomic.Bool
		down.Store(true)
		got := newSeen(t)
		g := w.group(func(ctx context.Context, m *consumer.Message[string]) error {
			if hang.Load() && string(m.Record.Key) == "k0" {
				<-ctx.Done()
				time.Sleep(time.Hour) // it ignores that its time is over
			}
			if down.Load() {
				return errDown
			}
			got.add(m.Value)
			return nil
		}, consumer.CircuitBreaker(consumer.CircuitPolicy{Failures: 3, Wait: time.Minute}), consumer.HandlerTimeout(10*time.Second), consumer.Concurrency(1))
		r := start(t, g)
		fill(w, 3)
		time.Sleep(10 * time.Second)
		hang.Store(true)
		down.Store(false)
		for _, s := range []consumer.Scope{consumer.WithKey("orders", []byte("k1")), consumer.WithKey("orders", []byte("k2"))} {
			if err := g.Pause(s); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(5 * time.Minute) // k0 is tried and hangs
		if err := errors.Join(g.Resume(consumer.WithKey("orders", []byte("k1"))), g.Resume(consumer.WithKey("orders", []byte("k2"))), g.SetConcurrency(2)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Minute)
		if n := len(got.all()); n != 2 {
			t.Errorf("%d handled beside a probe that hangs", n)
		}
		hang.Store(false)
		time.Sleep(2 * time.Hour)
		r.cleanly()
	})
}

func TestImpossibleCircuitsAreRefused(t *testing.T) {
	w := newWorld(t, 1)
	for _, p := range []consumer.CircuitPolicy{{Share: 2}, {Failures: -1}, {Wait: -1}, {Window: time.Second}, {Least: 3}} {
		if _, err := consumer.New(w.sdk(), "g", consumer.CircuitBreaker(p)); !errors.Is(err, consumer.ErrConfig) {
			t.Errorf("%+v: %v", p, err)
		}
	}
}
