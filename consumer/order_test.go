package consumer_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sordini-go/sordini/consumer"
)

func TestG3KeyOrderHoldsAcrossRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.whole = true
		const keys, each = 20, 15
		for i := range keys * each {
			w.put(fmt.Sprintf("k%d=k%d-%02d", i%keys, i%keys, i/keys))
		}
		got := newSeen(t)
		r := start(t, w.group(func(_ context.Context, m *consumer.Message[string]) error {
			if strings.HasSuffix(m.Value, "3") && m.Attempt <= 3 {
				return errBoom
			}
			time.Sleep(time.Duration(len(m.Value)) * time.Millisecond)
			got.add(m.Value)
			return nil
		}))
		last := map[string]string{}
		for _, v := range got.wait(keys * each) {
			k, _, _ := strings.Cut(v, "-")
			if v <= last[k] {
				t.Errorf("%s was handled after %s", v, last[k])
			}
			last[k] = v
		}
		r.cleanly()
	})
}

func TestG3PartitionOrderHoldsForEveryKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		for i := range 50 {
			w.put(fmt.Sprintf("k%d=%02d", i%7, i), fmt.Sprintf("%02d-null", i))
		}
		got := newSeen(t)
		r := start(t, w.group(func(_ context.Context, m *consumer.Message[string]) error {
			if m.Record.Offset%9 == 0 && m.Attempt == 1 {
				return errBoom
			}
			got.add(m.Value)
			return nil
		}, consumer.Ordering(consumer.ByPartition)))
		if all := got.wait(100); !slices.IsSorted(all) {
			t.Errorf("handled out of order: %v", all)
		}
		r.cleanly()
	})
}

func TestG3HandlersOfAKeyNeverOverlap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		for i := range 300 {
			w.put(fmt.Sprintf("k%d=%d", i%3, i))
		}
		got := newSeen(t)
		var mu sync.Mutex
		busy := map[string]bool{}
		r := start(t, w.group(func(_ context.Context, m *consumer.Message[string]) error {
			k := string(m.Record.Key)
			mu.Lock()
			if busy[k] {
				t.Errorf("two handlers of key %s at the same time", k)
			}
			busy[k] = true
			mu.Unlock()
			time.Sleep(time.Millisecond)
			mu.Lock()
			busy[k] = false
			mu.Unlock()
			got.add(m.Value)
			return nil
		}))
		got.wait(300)
		r.cleanly()
	})
}

func TestG4SlowKeyDelaysNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.whole = true
		const keys = 100
		for i := range 10 * keys {
			w.put(fmt.Sprintf("k%d=%d", i%keys, i))
		}
		got, held := newSeen(t), newGate()
		r := start(t, w.group(func(ctx context.Context, m *consumer.Message[string]) error {
			if string(m.Record.Key) == "k17" {
				return held.wait(ctx)
			}
			got.add(m.Value)
			return nil
		}, consumer.Concurrency(2)))
		if n := len(got.wait(10 * (keys - 1))); n != 10*(keys-1) {
			t.Errorf("%d records of other keys ended", n)
		}
		held.pass()
		r.cleanly()
		w.whole = w.committed() == 10*keys
	})
}

func TestG4WaitingRetryHoldsNoWorkerAndNoGoroutine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		const n = 10_000
		fill(w, n)
		got := newSeen(t)
		var failed atomic.Int64
		began := time.Now()
		r := start(t, w.group(func(_ context.Context, m *consumer.Message[string]) error {
			if m.Attempt == 1 && m.Value != "last" {
				failed.Add(1)
				return consumer.RetryAfter(time.Hour, errBoom)
			}
			got.add(m.Value)
			return nil
		}, consumer.Concurrency(4), consumer.MaxInFlight(2*n, 64<<20)))
		waitFor(t, "all of them wait", func() bool { return failed.Load() == n })
		w.put("x=last")
		got.wait(1)
		if d := time.Since(began); d > time.Minute {
			t.Errorf("the record behind %d waiting ones was handled after %v", n, d)
		}
		got.wait(n + 1)
		if d := time.Since(began); d < time.Hour || d > time.Hour+time.Minute {
			t.Errorf("the waiting ones were handled after %v, want an hour", d)
		}
		r.cleanly()
	})
}
