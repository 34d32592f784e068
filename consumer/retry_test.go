package consumer_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sordini-go/sordini/consumer"
)

func TestRetryPolicyOfADay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.whole = true
		began := time.Now()
		w.put("a=1", "b=2")
		got, other := newSeen(t), newSeen(t)
		var attempts []time.Duration
		r := start(t, w.group(func(_ context.Context, m *consumer.Message[string]) error {
			if m.Value == "2" {
				other.add(m.Value)
				return nil
			}
			attempts = append(attempts, time.Since(began))
			if time.Since(began) < 24*time.Hour {
				return errBoom
			}
			got.add(m.Value)
			return nil
		}, consumer.Retry(consumer.RetryPolicy{Retries: 1000, Delay: time.Second, Max: 10 * time.Minute, Jitter: -1})))
		other.wait(1)
		got.wait(1)
		if d := time.Since(began); d < 24*time.Hour || d > 24*time.Hour+11*time.Minute {
			t.Errorf("handled after %v, want the first attempt after 24 h", d)
		}
		for i, want := range []time.Duration{0, time.Second, 3 * time.Second, 7 * time.Second} {
			if off := attempts[i] - attempts[0] - want; off < 0 || off > 50*time.Millisecond {
				t.Errorf("attempt %d came %v after the first, want %v", i+1, attempts[i]-attempts[0], want)
			}
		}
		r.cleanly()
	})
}

func TestDelaysDoubleToTheirMaximumWithJitter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.whole = true
		w.put("a=1")
		var at []time.Time
		r := start(t, w.group(func(context.Context, *consumer.Message[string]) error { at = append(at, time.Now()); return errBoom }))
		waitFor(t, "it is dead", func() bool { return w.committed() == 1 })
		r.cleanly()
		if len(at) != 6 {
			t.Fatalf("%d attempts, want 6", len(at))
		}
		for i, want := 1, 100*time.Millisecond; i < len(at); i, want = i+1, 2*want {
			if d := at[i].Sub(at[i-1]); d > want+time.Millisecond || d < want*8/10 {
				t.Errorf("retry %d came after %v, want %v or up to 20 %% less", i, d, want)
			}
		}
	})
}

func TestRetryAfterSetsTheDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.whole = true
		w.put("a=1")
		var at []time.Time
		r := start(t, w.group(func(_ context.Context, m *consumer.Message[string]) error {
			if at = append(at, time.Now()); m.Attempt < 3 {
				return consumer.RetryAfter(time.Hour, errBoom)
			}
			return nil
		}))
		waitFor(t, "it is done", func() bool { return w.committed() == 1 })
		r.cleanly()
		for i := range 2 {
			if d := at[i+1].Sub(at[i]); d < time.Hour || d > time.Hour+50*time.Millisecond {
				t.Errorf("retry %d came after %v, want an hour", i+1, d)
			}
		}
	})
}

func TestSkipEndsTheRecordAndIsCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.whole = true
		w.put("a=1")
		r := start(t, w.group(func(context.Context, *consumer.Message[string]) error { return consumer.Skip(errBoom) }))
		waitFor(t, "it is committed", func() bool { return w.committed() == 1 })
		r.cleanly()
		if n := len(w.dead()); n != 0 {
			t.Errorf("%d dead letters", n)
		}
	})
}
