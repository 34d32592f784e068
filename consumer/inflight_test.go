package consumer_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sordini-go/sordini/consumer"
	"github.com/sordini-go/sordini/consumer/internal/commitmeta"
)

// crowd puts n records with keys of their own into the partitions of orders in turn.
func (w *world) crowd(n int, partitions int32) {
	w.t.Helper()
	records := make([]*kgo.Record, n)
	for i := range records {
		records[i] = record(fmt.Sprintf("k%d=%d", i, i))
		records[i].Partition = int32(i) % partitions
	}
	if err := w.raw.ProduceSync(context.Background(), records...).FirstErr(); err != nil {
		w.t.Fatal(err)
	}
}

// A hundred thousand records in flight, which end in random order, on twelve partitions: 10,000 handlers are busy all the time, so nothing waits for the completion maps.
func TestAHundredThousandInFlightOnTwelvePartitionsDoNotStall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n, partitions, ways = 150_000 / scale, 12, 10_000 / scale
		w := newWorld(t, partitions)
		w.history = nil
		w.crowd(n, partitions)
		r := rand.New(rand.NewPCG(1, 2))
		works := make([]time.Duration, n)
		for i := range works {
			works[i] = time.Duration(r.Int64N(int64(2 * time.Second)))
		}
		var handled, next atomic.Int64
		g := w.bare(func(context.Context, *consumer.Message[string]) error {
			time.Sleep(works[next.Add(1)-1])
			handled.Add(1)
			return nil
		}, consumer.Concurrency(ways), consumer.MaxInFlight(100_000/scale, 1<<30))
		run := start(t, g)
		most, busy, moments := int64(0), int64(0), int64(0)
		for handled.Load() < n {
			<-time.After(100 * time.Millisecond)
			most = max(most, int64(g.InFlight()))
			if started := next.Load(); started > ways && started < n-2*ways { // neither at the beginning nor at the end
				busy, moments = busy+started-handled.Load(), moments+1
			}
		}
		run.cleanly()
		t.Logf("up to %d in flight, %d of %d handlers busy", most, busy/moments, ways)
		if most < 95_000/scale {
			t.Errorf("at most %d in flight", most)
		}
		if busy/moments < ways*98/100 {
			t.Errorf("%d of %d handlers were busy on average", busy/moments, ways)
		}
	})
}

// The same on one partition, where one record in twenty takes a minute: the map has no room to name whatever might end of a hundred thousand, so admission slows. It never stops, the map is never
// cut, and after the process is killed nothing comes again that the map held.
func TestAHundredThousandInFlightOnOnePartitionSlowAndNeverStop(t *testing.T) {
	var worst commitmeta.Metadata
	defer func() { encodesQuickly(t, worst) }() // in real time
	synctest.Test(t, func(t *testing.T) {
		const n, ways = 150_000 / scale, 10_000 / scale
		w := newWorld(t, 1)
		w.history = nil
		w.crowd(n, 1)
		var mu sync.Mutex
		ended := make([]time.Time, n)
		var handled atomic.Int64
		dead := make(chan struct{})
		c, line := w.wire()
		g, err := consumer.New(c, "g", consumer.Concurrency(ways), consumer.MaxInFlight(100_000/scale, 1<<30), consumer.DrainTimeout(0))
		if err == nil {
			err = consumer.Handle(g, orders, func(ctx context.Context, m *consumer.Message[string]) error {
				r := rand.New(rand.NewPCG(3, uint64(m.Record.Offset)))
				d := time.Duration(r.Int64N(int64(2 * time.Second)))
				if r.IntN(20) == 0 {
					d = time.Minute
				}
				select {
				case <-time.After(d):
				case <-ctx.Done():
					return ctx.Err()
				}
				mu.Lock()
				defer mu.Unlock()
				select {
				case <-dead: // nothing of a dead process counts
				default:
					ended[m.Record.Offset] = time.Now()
					handled.Add(1)
				}
				return nil
			})
		}
		if err != nil {
			t.Fatal(err)
		}
		run := start(t, g)
		most, slow := int64(0), int64(1<<62)
		for before := int64(0); handled.Load() < n*3/4; before = handled.Load() {
			<-time.After(5 * time.Second)
			if now := handled.Load(); now < n*3/4 {
				slow = min(slow, now-before)
			}
			most = max(most, int64(g.InFlight()))
			_, text, _ := w.Committed("g", "orders", 0)
			if m, err := commitmeta.Decode(text); err != nil {
				t.Fatal(err)
			} else if m.Completed.Runs() > worst.Completed.Runs() {
				worst = m
			}
		}
		<-time.After(130 * time.Millisecond) // between two commits
		mu.Lock()
		close(dead)
		mu.Unlock()
		line.sever()
		killed := time.Now()
		base, text, _ := w.Committed("g", "orders", 0)
		held, err := commitmeta.Decode(text)
		if err != nil {
			t.Fatal(err)
		}
		run.cancel()
		<-run.done
		if most < 40_000/scale || slow <= 0 {
			t.Errorf("at most %d in flight, at least %d ended in any five seconds", most, slow)
		}

		again := make([]bool, n)
		second := start(t, w.bare(func(_ context.Context, m *consumer.Message[string]) error {
			mu.Lock()
			defer mu.Unlock()
			again[m.Record.Offset] = true
			return nil
		}, consumer.MaxInFlight(100_000/scale, 1<<30)))
		waitFor(t, "everything is committed", func() bool { return w.committed() == n })
		second.cleanly()
		repeated := 0
		for o, at := range ended {
			switch {
			case again[o] && (int64(o) < base || held.Completed.Contains(int64(o))):
				t.Fatalf("offset %d was handled again, though the commit at %d held it", o, base)
			case !again[o] && at.IsZero():
				t.Fatalf("offset %d was never handled", o)
			case again[o] && !at.IsZero():
				if repeated++; killed.Sub(at) > time.Second {
					t.Fatalf("offset %d ended %v before the process was killed, and no commit says so", o, killed.Sub(at))
				}
			}
		}
		t.Logf("up to %d in flight, at least %d ended in any 5 s; the largest map has %d runs over %d offsets in %d bytes; %d records were handled twice",
			most, slow, worst.Completed.Runs(), worst.Completed.End()-worst.Base, worst.Bytes(), repeated)
		if scale == 1 && worst.Bytes() < commitmeta.Base64.Capacity(4096) {
			t.Errorf("the largest map takes %d bytes: the test does not fill it", worst.Bytes())
		}
	})
}

// encodesQuickly encodes metadata in less than a millisecond.
func encodesQuickly(t *testing.T, m commitmeta.Metadata) {
	least := time.Hour
	for range 100 {
		began := time.Now()
		if _, err := m.Encode(commitmeta.UTF16, 4096); err != nil {
			t.Fatal(err)
		}
		least = min(least, time.Since(began))
	}
	t.Logf("%d runs are encoded in %v", m.Completed.Runs(), least)
	if least > time.Millisecond {
		t.Errorf("encoding %d runs takes %v", m.Completed.Runs(), least)
	}
}
