package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sordini-go/sordini/consumer"
)

// starts collects when attempts began, by key.
type starts struct {
	mu  sync.Mutex
	at  []time.Time
	key map[string][]time.Time
}

func (s *starts) handle(_ context.Context, m *consumer.Message[string]) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	s.at = append(s.at, now)
	if s.key == nil {
		s.key = map[string][]time.Time{}
	}
	s.key[string(m.Record.Key)] = append(s.key[string(m.Record.Key)], now)
	return nil
}

func (s *starts) since(t time.Time) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, at := range s.at {
		if !at.Before(t) {
			n++
		}
	}
	return n
}

func newLimit(t *testing.T, r consumer.Rate) *consumer.RateLimit {
	t.Helper()
	l, err := consumer.NewRateLimit(r)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestRateLimitHoldsForRecords(t *testing.T) {
	for _, rate := range []float64{0.5, 7, 300} {
		t.Run(fmt.Sprint(rate), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 1)
				w.whole = true
				n := int(math.Ceil(rate * 10))
				fill(w, n)
				var s starts
				r := start(t, w.group(s.handle, consumer.Limit(newLimit(t, consumer.Rate{Records: rate}))))
				waitFor(t, "everything is committed", func() bool { return w.committed() == int64(n) })
				r.cleanly()
				burst := max(1, rate/10)
				for i, at := range s.at { // in no stretch of time are there more than its share and one burst
					for j := i + 1; j < len(s.at); j++ {
						took := s.at[j].Sub(at)
						if got := float64(j - i + 1); got > burst+rate*took.Seconds()+1e-6 {
							t.Fatalf("%v attempts in %v at %v a second", got, took, rate)
						}
					}
				}
				whole := s.at[len(s.at)-1].Sub(s.at[0]).Seconds()
				if least := (float64(n) - burst) / rate; whole > least*1.02+0.01 {
					t.Errorf("%d records took %v s, %v s is enough", n, whole, least)
				}
			})
		})
	}
}

func TestRateLimitHoldsForBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.whole = true
		for i := range 40 {
			w.put(fmt.Sprintf("k%02d=%s", i, strings.Repeat("x", 997))) // 1,000 bytes each
		}
		var s starts
		r := start(t, w.group(s.handle, consumer.Limit(newLimit(t, consumer.Rate{Bytes: 2000}))))
		waitFor(t, "everything is committed", func() bool { return w.committed() == 40 })
		r.cleanly()
		if took := s.at[39].Sub(s.at[0]).Seconds(); took < 19.3 || took > 19.7 {
			t.Errorf("40 KB at 2 KB a second took %v s, want 19.5", took)
		}
	})
}

func TestRateLimitOfEachKeyDelaysNoOtherKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.whole = true
		for i := range 50 {
			w.put(fmt.Sprintf("hot=%d", i))
		}
		for i := range 10 {
			w.put(fmt.Sprintf("cold%d=%d", i, i), fmt.Sprint("null", i))
		}
		var s starts
		begin := time.Now()
		r := start(t, w.group(s.handle, consumer.Concurrency(1), consumer.LimitEachKey(newLimit(t, consumer.Rate{Records: 5}))))
		waitFor(t, "everything is committed", func() bool { return w.committed() == 70 })
		r.cleanly()
		hot := s.key["hot"]
		for i := 1; i < len(hot); i++ {
			if d := hot[i].Sub(hot[i-1]); d < 200*time.Millisecond || d > 202*time.Millisecond {
				t.Errorf("record %d of the hot key came %v after the one before", i, d)
			}
		}
		for k, at := range s.key {
			if k != "hot" && at[len(at)-1].Sub(begin) > 100*time.Millisecond+at[0].Sub(hot[0]) && at[len(at)-1].Sub(hot[0]) > time.Millisecond {
				t.Errorf("key %q waited %v for the hot key", k, at[len(at)-1].Sub(hot[0]))
			}
		}
	})
}

func TestRateLimitChangesForWhatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.whole = true
		fill(w, 1000)
		for i := range 20 {
			w.put(fmt.Sprintf("hot=%d", i))
		}
		var s starts
		all, keys := newLimit(t, consumer.Rate{Records: 0.001}), newLimit(t, consumer.Rate{Records: 0.001})
		r := start(t, w.group(s.handle, consumer.Limit(all), consumer.LimitEachKey(keys)))
		time.Sleep(time.Minute)
		if n := s.since(time.Time{}); n != 1 {
			t.Errorf("%d attempts before the limit was raised", n)
		}
		now := time.Now()
		if err := all.Set(consumer.Rate{Records: 100}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		if n := s.since(now); n < 495 || n > 511 {
			t.Errorf("%d attempts in 5 s at 100 a second", n)
		}
		if err := all.Set(consumer.Rate{}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(100 * time.Millisecond)
		if n := s.since(time.Time{}); n != 1001 {
			t.Errorf("%d attempts, want all keys and one of the hot one", n)
		}
		if err := keys.Set(consumer.Rate{Records: 10}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2500 * time.Millisecond)
		waitFor(t, "everything is committed", func() bool { return w.committed() == 1020 })
		if all.Rate() != (consumer.Rate{}) {
			t.Errorf("rate %+v", all.Rate())
		}
		r.cleanly()
	})
}

func TestRateLimitIsSharedByHandlersAndGroups(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 2)
		fill(w, 400)
		var s starts
		l := newLimit(t, consumer.Rate{Records: 10})
		var rs []*run
		for i := range 2 {
			g, err := consumer.New(w.sdk(), fmt.Sprint("g", i), consumer.Limit(l))
			if err != nil {
				t.Fatal(err)
			}
			if err := consumer.Handle(g, orders, s.handle); err != nil {
				t.Fatal(err)
			}
			rs = append(rs, start(t, g))
		}
		time.Sleep(10 * time.Second)
		now := time.Now()
		time.Sleep(10 * time.Second)
		if n := s.since(now); n < 99 || n > 101 {
			t.Errorf("%d attempts of two groups in 10 s at 10 a second", n)
		}
		for _, r := range rs {
			r.cleanly()
		}
	})
}

func TestRateLimitHoldsForRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.put("a=1")
		var s starts
		g := w.group(func(ctx context.Context, m *consumer.Message[string]) error {
			_ = s.handle(ctx, m)
			return errBoom
		}, consumer.Limit(newLimit(t, consumer.Rate{Records: 1})), consumer.Retry(consumer.RetryPolicy{Retries: 4, Delay: time.Millisecond, Max: time.Millisecond}))
		r := start(t, g)
		waitFor(t, "it is dead", func() bool { return w.committed() == 1 })
		r.cleanly()
		for i := 1; i < len(s.at); i++ {
			if d := s.at[i].Sub(s.at[i-1]); d < time.Second {
				t.Errorf("attempt %d came %v after the one before", i+1, d)
			}
		}
	})
}

func TestRateLimitLetsALargeRecordThrough(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		large := time.Time{}
		g := w.group(func(_ context.Context, m *consumer.Message[string]) error {
			if len(m.Value) > 1000 {
				large = time.Now()
			}
			return nil
		}, consumer.Limit(newLimit(t, consumer.Rate{Bytes: 1000, Burst: time.Second})))
		r := start(t, g)
		w.put("first=" + strings.Repeat("x", 995))
		time.Sleep(100 * time.Millisecond)
		begin := time.Now()
		w.put("large=" + strings.Repeat("x", 5000)) // small ones come as fast as the rate and faster
		for i := range 100 {
			w.put(fmt.Sprintf("k%d=%s", i, strings.Repeat("x", 150)))
			time.Sleep(100 * time.Millisecond)
		}
		if large.IsZero() || large.Sub(begin) > 1100*time.Millisecond {
			t.Errorf("the large record was handled after %v", large.Sub(begin))
		}
		r.cleanly()
	})
}

func TestRateLimitedGroupIsWellAndStopsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 3)
		fill(w, 5000)
		var s starts
		g := w.group(s.handle, consumer.Limit(newLimit(t, consumer.Rate{Records: 1})), consumer.MaxInFlight(100, 1<<20))
		r := start(t, g)
		time.Sleep(30 * time.Minute)
		if h := g.Health(); !h.OK {
			t.Errorf("health %+v", h)
		}
		begin := time.Now()
		r.cleanly()
		if took := time.Since(begin); took > time.Second {
			t.Errorf("stopping took %v", took)
		}
		if n := int64(len(s.at)); w.committed() != n {
			t.Errorf("committed %d of %d handled", w.committed(), n)
		}
	})
}

func TestImpossibleRatesAreRefused(t *testing.T) {
	for _, r := range []consumer.Rate{{Records: -1}, {Bytes: math.NaN()}, {Records: math.Inf(1)}, {Records: 1, Burst: -1}} {
		if _, err := consumer.NewRateLimit(r); !errors.Is(err, consumer.ErrConfig) {
			t.Errorf("%+v: %v", r, err)
		}
		if err := newLimit(t, consumer.Rate{}).Set(r); !errors.Is(err, consumer.ErrConfig) {
			t.Errorf("set %+v: %v", r, err)
		}
	}
	w := newWorld(t, 1)
	for _, o := range []consumer.Option{consumer.Limit(nil), consumer.LimitEachKey(&consumer.RateLimit{})} {
		if _, err := consumer.New(w.sdk(), "g", o); !errors.Is(err, consumer.ErrConfig) {
			t.Errorf("New: %v", err)
		}
	}
}
