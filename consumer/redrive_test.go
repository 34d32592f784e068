package consumer_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/consumer"
	"github.com/sordini-go/sordini/dlt"
	"github.com/sordini-go/sordini/internal/history"
)

// tellRedriven notes in the history what dlt.Redrive has put into the inbox since it held n records.
func (w *world) tellRedriven(n int) {
	w.t.Helper()
	all, err := w.Records("orders.g.retry", 0)
	if err != nil {
		w.t.Fatal(err)
	}
	for i, r := range all[n:] {
		var h sordini.Headers
		for _, x := range r.Headers {
			h = append(h, sordini.Header{Key: x.Key, Value: x.Value})
		}
		x, err := dlt.ParseInbox(&sordini.Record{Topic: "orders.g.retry", Key: r.Key, Value: r.Value, Headers: h})
		if err != nil {
			w.t.Fatal(err)
		}
		w.history.Record(history.Event{
			Kind: history.Redrive, Group: "g", Topic: x.Record.Topic, Partition: x.Record.Partition, Offset: x.Record.Offset,
			To: &history.Place{Topic: "orders.g.retry", Partition: 0, Offset: int64(n + i)},
		})
	}
}

// TestRedriveIsHandledOnceForEachOperation: the same operation twice, as after an interruption, with a restart in between, and another one.
func TestRedriveIsHandledOnceForEachOperation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.put("a=1", "a=2", "b=3", "c=4")
		var broken atomic.Bool
		broken.Store(true)
		got := newSeen(t)
		handle := func(_ context.Context, m *consumer.Message[string]) error {
			if broken.Load() && m.Value != "4" {
				return consumer.Permanent(errBoom)
			}
			got.add(m.Value)
			return nil
		}
		r := start(t, w.group(handle))
		waitFor(t, "three are dead", func() bool { return len(w.dead()) == 3 && w.committed() == 4 })
		broken.Store(false)
		redrive := func(op string, count int) {
			t.Helper()
			records, _ := w.Records("orders.g.retry", 0)
			out, err := dlt.Redrive(t.Context(), w.sdk(), dlt.Redriving{Group: "g", All: true, Operation: op})
			if err != nil || out.Count != count {
				t.Fatalf("%+v, %v", out, err)
			}
			w.tellRedriven(len(records))
		}
		redrive("one", 3)
		got.wait(4)
		redrive("one", 3)
		w.redrive(w.letter(0), "one") // by a process that did not see the first copies
		waitFor(t, "the second copies are over, too", func() bool { return w.inboxCommitted() == 4 })
		time.Sleep(time.Minute)
		if all := got.all(); len(all) != 4 {
			t.Errorf("handled %v", all)
		}
		r.cleanly()
		r = start(t, w.group(handle))
		redrive("two", 3)
		got.wait(7)
		waitFor(t, "all is committed", func() bool { return w.inboxCommitted() == 7 })
		redrive("one", 3) // the owner is another one, and knows nothing of it
		time.Sleep(time.Minute)
		if all := got.all(); len(all) != 7 {
			t.Errorf("handled %v", all)
		}
		r.cleanly()
	})
}

// TestInboxIsKeptForADayForRedrivesThatAreRepeated: what an operation has put there is how the next one under its name knows what is done, whoever owns the partition.
func TestInboxIsKeptForADayForRedrivesThatAreRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.whole = true
		var broken atomic.Bool
		broken.Store(true)
		got := newSeen(t)
		handle := func(_ context.Context, m *consumer.Message[string]) error {
			if broken.Load() {
				return consumer.Permanent(errBoom)
			}
			got.add(m.Value)
			return nil
		}
		const n = 1500 // enough for the inbox to be trimmed
		for i := range n {
			w.put(fmt.Sprintf("k%d=%d", i, i))
		}
		r := start(t, w.group(handle))
		waitFor(t, "all are dead", func() bool { return len(w.dead()) == n && w.committed() == n })
		broken.Store(false)
		redrive := func() {
			t.Helper()
			records, _ := w.Records("orders.g.retry", 0)
			if out, err := dlt.Redrive(t.Context(), w.sdk(), dlt.Redriving{Group: "g", All: true, Operation: "one"}); err != nil || out.Count != n {
				t.Fatalf("%+v, %v", out, err)
			}
			w.tellRedriven(len(records))
		}
		redrive()
		got.wait(n)
		waitFor(t, "it is committed", func() bool { return w.inboxCommitted() == n })
		r.cleanly()
		time.Sleep(20 * time.Hour)
		r = start(t, w.group(handle))
		time.Sleep(time.Hour)
		redrive()
		time.Sleep(time.Hour)
		if all := got.all(); len(all) != n {
			t.Errorf("%d letters were handled %d times", n, len(all))
		}
		w.redrive(w.letter(0), "two") // so that there is something to commit
		time.Sleep(24 * time.Hour)
		w.redrive(w.letter(0), "three")
		got.wait(n + 2)
		waitFor(t, "the inbox is trimmed", func() bool {
			p, err := w.Partition("orders.g.retry", 0)
			return err == nil && p.Start >= n
		})
		r.cleanly()
	})
}

// TestG3CopiesOfOneRecordNeverRunAtATime: two operations redrive what has no order to keep; the history judges.
func TestG3CopiesOfOneRecordNeverRunAtATime(t *testing.T) {
	for name, c := range map[string]struct {
		record   string
		ordering consumer.OrderingPolicy
	}{"unordered": {"a=1", consumer.Unordered}, "null key": {"1", consumer.ByKey}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 1)
				w.put(c.record)
				var broken atomic.Bool
				broken.Store(true)
				got := newSeen(t)
				g, err := consumer.New(w.sdk(), "g", consumer.Observe(w.history))
				if err != nil {
					t.Fatal(err)
				}
				err = consumer.Handle(g, orders, func(_ context.Context, m *consumer.Message[string]) error {
					if broken.Load() {
						return consumer.Permanent(errBoom)
					}
					time.Sleep(time.Second)
					got.add(m.Value)
					return nil
				}, consumer.Ordering(c.ordering))
				if err != nil {
					t.Fatal(err)
				}
				r := start(t, g)
				waitFor(t, "it is dead", func() bool { return len(w.dead()) == 1 && w.committed() == 1 })
				broken.Store(false)
				w.redrive(w.letter(0), "one")
				w.redrive(w.letter(0), "two")
				got.wait(2)
				waitFor(t, "both copies are over", func() bool { return w.inboxCommitted() == 2 })
				r.cleanly()
			})
		})
	}
}
