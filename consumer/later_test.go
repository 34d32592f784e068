package consumer_test

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sordini-go/sordini/consumer"
	"github.com/sordini-go/sordini/producer"
)

// once is retried through the inbox alone: no retries in place.
func once(delays ...time.Duration) []consumer.Option {
	return []consumer.Option{consumer.Retry(consumer.RetryPolicy{Retries: -1}), consumer.RetryLater(delays...)}
}

// The bound of what is in memory of the inbox is given back by what ends, and by what is taken away.
func TestMoreComesDueThanMayBeInMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.whole = true
		for i := range 60 {
			w.put(fmt.Sprintf("k%d=%d", i, i))
		}
		got := newSeen(t)
		h := func(_ context.Context, m *consumer.Message[string]) error {
			if m.Attempt == 1 {
				return errBoom
			}
			got.add(m.Value)
			return nil
		}
		opts := append(once(time.Minute), consumer.MaxInFlight(8, 1<<20), consumer.Concurrency(2), consumer.FloodBreaker(-1, 0, 0))
		r := start(t, w.group(h, opts...))
		got.wait(60)
		waitFor(t, "everything is committed", func() bool { return w.committed() == 60 && w.inboxCommitted() == 60 })
		r.cleanly()
	})
}

// Retries through the inbox and redriven records are in the transactions: outputs, hand-offs and the offsets of both places.
func TestTransactionalHandlerRetriesThroughTheInbox(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTxWorld(t, 1)
		for i := range 30 {
			w.put(fmt.Sprintf("k%d=%d", i%5, i))
		}
		got := newSeen(t)
		h := func(ctx context.Context, tx *producer.Tx, m *consumer.Message[string]) error {
			if err := w.ship(ctx, tx, m); err != nil {
				return err
			}
			if m.Record.Offset%4 == 0 && m.Attempt < 3 {
				return errBoom
			}
			got.add(m.Value)
			return nil
		}
		opts := append(once(time.Minute, time.Hour), consumer.FloodBreaker(-1, 0, 0))
		r := start(t, w.txGroup(h, opts...))
		waitFor(t, "the source is committed", func() bool { return w.committed() == 30 })
		r.cleanly()
		r = start(t, w.txGroup(h, opts...))
		got.wait(30)
		waitFor(t, "nothing waits in the inbox", func() bool { return !w.waits() })
		r.cleanly()
		if v := w.visible(); len(v) != 30 {
			t.Errorf("%d outputs are visible, want 30", len(v))
		}
	})
}

// waits reports whether anything in the inbox of orders[0] is not over.
func (w *world) waits() bool {
	w.t.Helper()
	p, err := w.Partition("orders.g.retry", 0)
	if err != nil {
		w.t.Fatal(err)
	}
	return w.inboxCommitted() != p.HighWatermark
}

func TestTransactionalHandlerHandlesRedrivenRecords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTxWorld(t, 1)
		w.put("a=1", "b=2")
		var healed atomic.Bool
		got := newSeen(t)
		r := start(t, w.txGroup(func(ctx context.Context, tx *producer.Tx, m *consumer.Message[string]) error {
			if m.Value == "1" && !healed.Load() {
				return consumer.Permanent(errBoom)
			}
			got.add(m.Value)
			return w.ship(ctx, tx, m)
		}))
		waitFor(t, "the first record is dead", func() bool { return len(w.dead()) == 1 && w.committed() == 2 })
		healed.Store(true)
		w.redrive(w.letter(0), "op-1")
		got.wait(2)
		waitFor(t, "nothing waits in the inbox", func() bool { return w.inboxCommitted() == 1 })
		r.cleanly()
		if v := w.visible(); len(v) != 2 {
			t.Errorf("%q are visible, want one output of each record", v)
		}
	})
}

// How many records of a key wait in memory behind one in the inbox is capped, and what becomes of those beyond is chosen: they follow it there, or the key holds its
// partition. In order they are in any case.
func TestKeyBehindItsRetryIsCappedAsChosen(t *testing.T) {
	for name, c := range map[string]struct {
		opts      []consumer.Option
		inbox     int64 // records that come to it
		committed int64 // while the first waits
	}{
		"none in memory, the default": {nil, 6, 7},
		"two, the others spill":       {[]consumer.Option{consumer.Queue(2, consumer.Spill)}, 4, 1},
		"all hold":                    {[]consumer.Option{consumer.Queue(0, consumer.Hold)}, 1, 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 1)
				w.whole = true
				w.put("a=1")
				got := newSeen(t)
				r := start(t, w.group(func(_ context.Context, m *consumer.Message[string]) error {
					if m.Value == "1" && m.Attempt == 1 {
						return errBoom
					}
					got.add(m.Value)
					return nil
				}, append(once(time.Hour), c.opts...)...))
				waitFor(t, "the first waits", func() bool { return w.committed() == 1 })
				w.put("a=2", "a=3", "a=4", "a=5", "a=6", "b=7")
				got.wait(1)
				<-time.After(10 * time.Second)
				p, err := w.Partition("orders.g.retry", 0)
				if err != nil || p.HighWatermark != c.inbox || w.committed() != c.committed {
					t.Errorf("%d records in the inbox and %d committed, want %d and %d; %v", p.HighWatermark, w.committed(), c.inbox, c.committed, err)
				}
				if all := got.wait(7); !slices.Equal(all, []string{"7", "1", "2", "3", "4", "5", "6"}) {
					t.Errorf("handled %v", all)
				}
				waitFor(t, "everything is committed", func() bool { return w.committed() == 7 && !w.waits() })
				r.cleanly()
			})
		})
	}
}
