package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/consumer"
)

type batchOf = []*consumer.Message[string]

// batches makes a group named g with one batch handler for orders.
func (w *world) batches(h func(context.Context, batchOf) error, opts ...consumer.Option) *consumer.Group {
	w.t.Helper()
	return w.batchesFor(orders, h, opts...)
}

func (w *world) batchesFor(topic sordini.Topic[string], h func(context.Context, batchOf) error, opts ...consumer.Option) *consumer.Group {
	w.t.Helper()
	g, err := consumer.New(w.sdk(), "g", append([]consumer.Option{consumer.Observe(w.history)}, opts...)...)
	if err != nil {
		w.t.Fatal(err)
	}
	if err := consumer.HandleBatch(g, topic, h); err != nil {
		w.t.Fatal(err)
	}
	return g
}

// values are those of a batch, in its order.
func values(batch batchOf) string {
	var s []string
	for _, m := range batch {
		s = append(s, m.Value)
	}
	return strings.Join(s, " ")
}

func many(n int, format string) (records []string) {
	for i := range n {
		records = append(records, fmt.Sprintf(format, i, i))
	}
	return records
}

func TestBatchIsFilledByCountAndBytesOrLinger(t *testing.T) {
	for name, tc := range map[string]struct {
		opts  []consumer.Option
		sizes []int
		waits time.Duration
	}{
		"count":  {[]consumer.Option{consumer.BatchSize(4), consumer.BatchLinger(time.Minute)}, []int{4, 4, 2}, time.Minute},
		"bytes":  {[]consumer.Option{consumer.BatchBytes(12), consumer.BatchLinger(time.Minute)}, []int{4, 4, 2}, time.Minute},
		"linger": {[]consumer.Option{consumer.BatchLinger(3 * time.Second)}, []int{10}, 3 * time.Second},
		"large":  {[]consumer.Option{consumer.BatchBytes(1)}, []int{1, 1, 1, 1, 1, 1, 1, 1, 1, 1}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 1)
				w.whole = true
				got := newSeen(t)
				var sizes []int
				r := start(t, w.batches(func(_ context.Context, batch batchOf) error {
					sizes = append(sizes, len(batch))
					for _, m := range batch {
						got.add(m.Value)
					}
					return nil
				}, append(tc.opts, consumer.Concurrency(1))...))
				waitFor(t, "the member is in its group", func() bool { return r.g.Ready() == nil })
				began := time.Now()
				w.putTogether(many(10, "k%d=%d")...)
				got.wait(10)
				took := time.Since(began)
				waitFor(t, "all is committed", func() bool { return w.committed() == 10 })
				r.cleanly()
				if !slices.Equal(sizes, tc.sizes) {
					t.Errorf("batches of %v, want %v", sizes, tc.sizes)
				}
				if took < tc.waits || took > tc.waits+time.Second {
					t.Errorf("the last batch came after %v, want the linger of %v", took, tc.waits)
				}
			})
		})
	}
}

func TestG3KeysAreInOrderInsideBatchesAndNeverInTwo(t *testing.T) {
	for name, opts := range map[string][]consumer.Option{
		"by partition": nil,
		"by key":       {consumer.BatchBy(consumer.Key)},
		"no linger":    {consumer.BatchLinger(0)},
		"in log order": {consumer.Ordering(consumer.ByPartition)},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 1)
				w.whole = true
				var records []string
				for i := range 300 {
					records = append(records, fmt.Sprintf("k%d=%d", i%7, i))
				}
				w.putTogether(records...)
				got := newSeen(t)
				var mu sync.Mutex
				running, last := map[string]bool{}, map[string]int{}
				r := start(t, w.batches(func(_ context.Context, batch batchOf) error {
					mu.Lock()
					keys := map[string]bool{}
					for _, m := range batch {
						k, n := string(m.Record.Key), 0
						fmt.Sscan(m.Value, &n)
						if running[k] && !keys[k] {
							t.Errorf("two batches have key %s at a time", k)
						}
						if last[k] > n {
							t.Errorf("key %s: %d after %d", k, n, last[k])
						}
						keys[k], running[k], last[k] = true, true, n
					}
					mu.Unlock()
					<-time.After(10 * time.Millisecond)
					mu.Lock()
					defer mu.Unlock()
					for k := range keys {
						delete(running, k)
					}
					for _, m := range batch {
						got.add(m.Value)
					}
					return nil
				}, append([]consumer.Option{consumer.BatchSize(20), consumer.Concurrency(8)}, opts...)...))
				got.wait(300)
				waitFor(t, "all is committed", func() bool { return w.committed() == 300 })
				r.cleanly()
				if n := len(got.all()); n != 300 {
					t.Errorf("%d were handled, want each once", n)
				}
			})
		})
	}
}

func TestOnlyTheFailedOneOfABatchTakesTheLadder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.whole = true
		w.putTogether(many(100, "k%d=%d")...)
		got, calls := newSeen(t), newSeen(t)
		r := start(t, w.batches(func(_ context.Context, batch batchOf) error {
			failed := make(consumer.BatchError, len(batch))
			calls.add(fmt.Sprint(len(batch)))
			for i, m := range batch {
				if m.Value == "42" {
					failed[i] = errBoom
					continue
				}
				got.add(m.Value)
			}
			return fmt.Errorf("insert: %w", failed)
		}, consumer.BatchLinger(time.Second), consumer.Retry(consumer.RetryPolicy{Retries: 3})))
		waitFor(t, "all is committed", func() bool { return w.committed() == 100 })
		r.cleanly()
		if all := got.all(); len(all) != 99 {
			t.Errorf("%d were handled, want 99 once each", len(all))
		}
		if all := calls.all(); !slices.Equal(all, []string{"100", "1", "1", "1"}) {
			t.Errorf("calls of %v, want the batch and three retries of one", all)
		}
		if d := w.dead(); len(d) != 1 || string(d[0].Value) != "42" || headersOf(d[0])["dlt-attempts"] != "4" || headersOf(d[0])["dlt-error-class"] != "exhausted" {
			t.Errorf("dead letters %v, want 42 after 4 attempts", d)
		}
	})
}

func TestFailureOfAWholeBatchBlamesOnlyTheCulprit(t *testing.T) {
	for name, fail := range map[string]func() error{
		"panic":          func() error { panic("no such map") },
		"goexit":         func() error { exit(); return nil },
		"error":          func() error { return errBoom },
		"permanent":      func() error { return consumer.Permanent(errBoom) },
		"joined":         func() error { return errors.Join(consumer.BatchError{nil}, errBoom) },
		"answers for no": func() error { return consumer.BatchError{} },
	} {
		for _, keys := range []int{1, 20} {
			t.Run(fmt.Sprint(name, " of ", keys), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t, 1)
					w.whole = true
					var records []string
					for i := range 20 {
						records = append(records, fmt.Sprintf("k%d=%d", i%keys, i))
					}
					w.putTogether(records...)
					got := newSeen(t)
					r := start(t, w.batches(func(_ context.Context, batch batchOf) error {
						for _, m := range batch {
							if m.Value == "7" {
								return fail()
							}
						}
						for _, m := range batch {
							got.add(m.Value)
						}
						return nil
					}, consumer.BatchLinger(time.Second), consumer.Retry(consumer.RetryPolicy{Retries: -1})))
					waitFor(t, "all is committed", func() bool { return w.committed() == 20 })
					r.cleanly()
					if all := got.all(); len(all) != 19 {
						t.Errorf("handled %v, want all but 7 once", all)
					}
					if d := w.dead(); len(d) != 1 || string(d[0].Value) != "7" {
						t.Errorf("dead letters %v, want 7 alone", d)
					}
				})
			})
		}
	}
}

func TestG3WhatIsBehindAFailedOneOfItsKeyComesAgainAfterIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.whole = true
		w.putTogether("a=1", "a=2", "a=3", "b=4")
		calls := newSeen(t)
		var once atomic.Bool
		r := start(t, w.batches(func(_ context.Context, batch batchOf) error {
			calls.add(values(batch))
			failed := make(consumer.BatchError, len(batch))
			for i, m := range batch {
				if m.Value == "2" && !once.Swap(true) {
					failed[i] = errBoom
				}
			}
			return failed
		}, consumer.BatchLinger(time.Second)))
		waitFor(t, "all is committed", func() bool { return w.committed() == 4 })
		r.cleanly()
		if all := calls.all(); !slices.Equal(all, []string{"1 2 3 4", "2", "3"}) {
			t.Errorf("calls %q, want 3 again after 2, and nothing else", all)
		}
	})
}

func TestWhatWasHandledBehindADeadOneEndsWithItsDeadLetter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.whole = true
		w.putTogether("a=1", "a=2", "a=3", "a=4", "a=5")
		calls := newSeen(t)
		r := start(t, w.batches(func(_ context.Context, batch batchOf) error {
			calls.add(values(batch))
			failed := make(consumer.BatchError, len(batch))
			for i, m := range batch {
				if m.Value == "2" || m.Value == "4" {
					failed[i] = consumer.Permanent(errBoom)
				}
			}
			return failed
		}, consumer.BatchLinger(time.Second)))
		waitFor(t, "all is committed", func() bool { return w.committed() == 5 })
		n := r.g.Counts()
		r.cleanly()
		if all := calls.all(); !slices.Equal(all, []string{"1 2 3 4 5", "4 5"}) {
			t.Errorf("calls %q, want 3 once", all)
		}
		if n.Handled != 3 {
			t.Errorf("counts %+v, want 3 handled", n)
		}
	})
}

func TestG9UndecodableRecordsOfABatchDieAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.whole = true
		w.putTogether("a=1", "a=!", "a=3", "b=!", "c=5")
		calls := newSeen(t)
		r := start(t, w.batchesFor(pickyOrders(nil), func(_ context.Context, batch batchOf) error { calls.add(values(batch)); return nil }, consumer.BatchLinger(time.Second)))
		waitFor(t, "all is committed", func() bool { return w.committed() == 5 })
		r.cleanly()
		if all := calls.all(); !slices.Equal(all, []string{"1 3 5"}) {
			t.Errorf("calls %q, want those that decode, once", all)
		}
		if n := len(w.dead()); n != 2 {
			t.Errorf("%d dead letters, want 2", n)
		}
	})
}

func TestBatchWaitsForItsRegistry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.whole = true
		w.putTogether("a=1", "a=2", "b=3")
		var away atomic.Bool
		away.Store(true)
		got := newSeen(t)
		r := start(t, w.batchesFor(pickyOrders(&away), func(_ context.Context, batch batchOf) error { got.add(values(batch)); return nil }))
		<-time.After(10 * time.Minute)
		if n, c := len(w.dead()), w.committed(); n != 0 || c > 0 || len(got.all()) > 0 {
			t.Errorf("%d dead letters, %d committed, handled %v while the registry is away", n, c, got.all())
		}
		away.Store(false)
		waitFor(t, "all is committed", func() bool { return w.committed() == 3 })
		r.cleanly()
	})
}

func TestBatchThatTimesOutIsTriedOneByOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.whole = true
		w.putTogether("a=1", "b=2", "c=3")
		calls := newSeen(t)
		r := start(t, w.batches(func(ctx context.Context, batch batchOf) error {
			calls.add(values(batch))
			if len(batch) > 1 {
				<-ctx.Done()
				return ctx.Err()
			}
			return nil
		}, consumer.BatchLinger(time.Second), consumer.HandlerTimeout(10*time.Second)))
		waitFor(t, "all is committed", func() bool { return w.committed() == 3 })
		r.cleanly()
		if all := calls.all(); len(all) != 4 {
			t.Errorf("calls %q, want the batch and each alone", all)
		}
	})
}

func TestFailedBatchIsLoggedByDefault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.whole = true
		w.putTogether("a=1", "b=2")
		var out locked
		r := start(t, w.batches(func(_ context.Context, batch batchOf) error {
			if batch[0].Attempt == 1 {
				return errBoom
			}
			return nil
		}, consumer.BatchLinger(time.Second), consumer.Logger(slog.New(slog.NewTextHandler(&out, nil)))))
		waitFor(t, "all is committed", func() bool { return w.committed() == 2 })
		r.cleanly()
		if !strings.Contains(out.String(), "batch failed") {
			t.Errorf("logged\n%s", &out)
		}
	})
}

type locked struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *locked) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func TestG6DrainWaitsForABatchAndStartsNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.putTogether(many(10, "k%d=%d")...)
		got := newSeen(t)
		held := newGate()
		r := start(t, w.batches(func(_ context.Context, batch batchOf) error {
			got.add(values(batch))
			<-held.open
			return nil
		}, consumer.BatchSize(4), consumer.Concurrency(1)))
		got.wait(1)
		r.cancel()
		<-time.After(time.Second)
		held.pass()
		if err := <-r.done; err != nil {
			t.Errorf("run: %v", err)
		}
		if all := got.all(); len(all) != 1 || w.committed() != 4 {
			t.Errorf("batches %q and %d committed, want one of 4", all, w.committed())
		}
	})
}

func TestCrashedBatchIsTakenOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.whole = true
		w.putTogether(many(10, "k%d=%d")...)
		c, line := w.wire()
		held, got := newGate(), newSeen(t)
		g, err := consumer.New(c, "g", consumer.Observe(w.history), consumer.DrainTimeout(0))
		if err != nil {
			t.Fatal(err)
		}
		if err := consumer.HandleBatch(g, orders, func(_ context.Context, batch batchOf) error {
			got.add(values(batch))
			<-held.open
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		first := start(t, g)
		got.wait(1)
		line.sever()
		second := newSeen(t)
		r := start(t, w.batches(func(_ context.Context, batch batchOf) error {
			for _, m := range batch {
				second.add(m.Value)
			}
			return nil
		}))
		second.wait(10)
		held.pass()
		_ = first.stop()
		waitFor(t, "all is committed", func() bool { return w.committed() == 10 })
		r.cleanly()
	})
}

func TestBatchOptionsThatCannotWorkAreRefused(t *testing.T) {
	w := newWorld(t, 1)
	w.history = nil
	wrap := consumer.Middleware(func(next sordini.Handler) sordini.Handler { return next })
	h := func(context.Context, batchOf) error { return nil }
	for name, tc := range map[string]struct {
		group   []consumer.Option
		handler []consumer.HandlerOption
	}{
		"size 0":             {nil, []consumer.HandlerOption{consumer.BatchSize(0)}},
		"bytes 0":            {nil, []consumer.HandlerOption{consumer.BatchBytes(0)}},
		"negative linger":    {nil, []consumer.HandlerOption{consumer.BatchLinger(-1)}},
		"no such scope":      {nil, []consumer.HandlerOption{consumer.BatchBy(7)}},
		"keys without order": {nil, []consumer.HandlerOption{consumer.BatchBy(consumer.Key), consumer.Ordering(consumer.Unordered)}},
		"too many":           {nil, []consumer.HandlerOption{consumer.BatchSize(10_001)}},
		"too large":          {[]consumer.Option{consumer.MaxInFlight(100, 1000)}, []consumer.HandlerOption{consumer.BatchBytes(1001)}},
		"middleware":         {[]consumer.Option{wrap}, nil},
	} {
		g, err := consumer.New(w.sdk(), "g", tc.group...)
		if err == nil {
			err = consumer.HandleBatch(g, orders, h, tc.handler...)
		}
		if !errors.Is(err, consumer.ErrConfig) {
			t.Errorf("%s: %v, want ErrConfig", name, err)
		}
	}
	g, err := consumer.New(w.sdk(), "g", wrap, consumer.BatchMiddleware())
	if err != nil {
		t.Fatal(err)
	}
	if err := consumer.HandleBatch(g, orders, h); err != nil {
		t.Errorf("middleware and BatchMiddleware(): %v", err)
	}
	single := func(context.Context, *consumer.Message[string]) error { return nil }
	if g, err = consumer.New(w.sdk(), "g", consumer.BatchSize(7)); err != nil {
		t.Fatal(err)
	}
	if err := consumer.Handle(g, orders, single, consumer.BatchLinger(1)); !errors.Is(err, consumer.ErrConfig) {
		t.Errorf("BatchLinger given to Handle: %v, want ErrConfig", err)
	}
	if err := consumer.Handle(g, orders, single); err != nil {
		t.Errorf("a default of batches beside Handle: %v", err)
	}
}
