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

// outage publishes n records of which outageKeys tells the keys ("" is a null key), lets the dependency fail for a minute, and returns what was dead-lettered and
// the order of what was handled.
func outage(t *testing.T, n int, key func(i int) string, opts ...consumer.Option) (dead int, handled []string) {
	return outageOf(t, "records", n, key, opts...)
}

// outageOf is outage for one of eachKind.
func outageOf(t *testing.T, kind string, n int, key func(i int) string, opts ...consumer.Option) (dead int, handled []string) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.whole = true
		var down atomic.Bool
		got := newSeen(t)
		g, err := consumer.New(w.sdk(), "g", append(opts, consumer.Observe(w.history))...)
		if err != nil {
			t.Fatal(err)
		}
		err = eachKind[kind](g, orders, func(_ context.Context, m *consumer.Message[string]) error {
			if down.Load() {
				return fmt.Errorf("order %s: connect to database 10.0.0.%s: connection refused", m.Value, m.Value)
			}
			got.add(m.Value)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		r := start(t, g)
		w.put("warm=up")
		got.wait(1)
		down.Store(true)
		for i := range n {
			if k := key(i); k == "" {
				w.put(fmt.Sprintf("%03d", i))
			} else {
				w.put(fmt.Sprintf("%s=%03d", k, i))
			}
		}
		time.Sleep(time.Minute)
		if h := g.Health(); h.OK || h.Reasons[0].Code != "flood-breaker-open" {
			t.Errorf("health %+v in the outage, want flood-breaker-open", h)
		}
		dead = len(w.dead())
		down.Store(false)
		waitFor(t, "everything is committed", func() bool { return w.committed() == int64(n)+1 && !w.waits() })
		if h := g.Health(); !h.OK {
			t.Errorf("health %+v after the outage", h)
		}
		if late := len(w.dead()); late != dead {
			t.Errorf("%d dead letters after the outage, %d during it", late, dead)
		}
		r.cleanly()
		handled = got.all()[1:]
		if len(handled)+dead != n {
			t.Errorf("%d handled and %d dead of %d", len(handled), dead, n)
		}
	})
	return dead, handled
}

func TestFloodBreakerLeavesAtMostFourDeadLetters(t *testing.T) {
	for name, key := range map[string]func(int) string{
		"many keys":    func(i int) string { return fmt.Sprintf("k%d", i) },
		"null keys":    func(int) string { return "" },
		"two hot keys": func(i int) string { return fmt.Sprintf("k%d", i%2) },
	} {
		t.Run(name, func(t *testing.T) {
			dead, handled := outage(t, 200, key)
			if dead > 4 {
				t.Errorf("%d dead letters in an outage of a minute, want at most 4", dead)
			}
			if name == "two hot keys" {
				for k := range 2 {
					var own []string
					for _, v := range handled {
						if int(v[len(v)-1]-'0')%2 == k {
							own = append(own, v)
						}
					}
					if !slices.IsSorted(own) {
						t.Errorf("key %d was handled out of order: %v", k, own)
					}
				}
			}
		})
	}
}

// An outage leaves four dead letters at most, whatever the handler takes, and also where the ladder leads through the inbox first.
func TestFloodBreakerHoldsForEveryKindAndThroughTheInbox(t *testing.T) {
	for kind := range eachKind {
		for name, opts := range map[string][]consumer.Option{
			"in place":          nil,
			"through the inbox": {consumer.RetryLater(5*time.Second, 10*time.Second)},
		} {
			t.Run(kind+"/"+name, func(t *testing.T) {
				if dead, _ := outageOf(t, kind, 60, func(i int) string { return fmt.Sprintf("k%d", i%20) }, opts...); dead > 4 {
					t.Errorf("%d dead letters in an outage of a minute, want at most 4", dead)
				}
			})
		}
	}
}

func TestFloodBreakerOffEmptiesTheTopic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.whole = true
		fill(w, 50)
		r := start(t, w.group(func(context.Context, *consumer.Message[string]) error { return errBoom }, consumer.FloodBreaker(-1, 0, 0)))
		waitFor(t, "everything is committed", func() bool { return w.committed() == 50 })
		r.cleanly()
		if n := len(w.dead()); n != 50 {
			t.Errorf("%d dead letters of 50", n)
		}
	})
}

func TestLoneFailingRecordDiesRightAfterItsLastRetry(t *testing.T) {
	for _, healthy := range []bool{true, false} {
		t.Run(fmt.Sprintf("healthy ones beside it %v", healthy), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 1)
				w.whole = true
				w.put("bad=1")
				var last atomic.Int64
				r := start(t, w.group(func(_ context.Context, m *consumer.Message[string]) error {
					if m.Value == "1" {
						last.Store(time.Now().UnixNano())
						return errBoom
					}
					return nil
				}))
				n := int64(1)
				for healthy && len(w.dead()) == 0 {
					w.put(fmt.Sprintf("k=good %d", n))
					n++
					time.Sleep(50 * time.Millisecond)
				}
				waitFor(t, "everything is committed", func() bool { return w.committed() == n })
				r.cleanly()
				d := w.dead()
				if len(d) != 1 {
					t.Fatalf("%d dead letters", len(d))
				}
				if wait := d[0].Timestamp.Sub(time.Unix(0, last.Load())); wait > 10*time.Millisecond {
					t.Errorf("it was dead-lettered %v after its last attempt", wait)
				}
			})
		})
	}
}

func TestFloodBreakerCountsNeitherPermanentNorUndecodable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.whole = true
		for i := range 60 {
			w.put(fmt.Sprintf("k%d=%s%d", i, []string{"!", ""}[i%2], i))
		}
		g := w.groupFor(pickyOrders(nil), func(context.Context, *consumer.Message[string]) error {
			return consumer.Permanent(errors.New("no such customer"))
		})
		r := start(t, g)
		waitFor(t, "everything is committed", func() bool { return w.committed() == 60 })
		if !g.Health().OK {
			t.Errorf("health %+v", g.Health())
		}
		r.cleanly()
		if n := len(w.dead()); n != 60 {
			t.Errorf("%d dead letters of 60", n)
		}
	})
}

func TestRecordThatFailsAfterTheOutageDies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.whole = true
		var down atomic.Bool
		down.Store(true)
		fill(w, 30)
		w.put("bad=bad")
		r := start(t, w.group(func(_ context.Context, m *consumer.Message[string]) error {
			if down.Load() || m.Value == "bad" {
				return errBoom
			}
			return nil
		}))
		time.Sleep(time.Minute)
		down.Store(false)
		waitFor(t, "everything is committed", func() bool { return w.committed() == 31 })
		r.cleanly()
		bad := 0
		for _, d := range w.dead() {
			if strings.HasPrefix(string(d.Value), "bad") {
				bad++
			}
		}
		if bad != 1 || len(w.dead()) > 5 {
			t.Errorf("%d dead letters, %d of the one that fails by itself", len(w.dead()), bad)
		}
	})
}
