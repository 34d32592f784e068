package consumer_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/broker"
	"github.com/sordini-go/sordini/broker/brokertest"
	"github.com/sordini-go/sordini/consumer"
	"github.com/sordini-go/sordini/dlt"
	"github.com/sordini-go/sordini/internal/admin"
)

// bare makes a group of which no history is kept.
func (w *world) bare(h func(context.Context, *consumer.Message[string]) error, opts ...consumer.Option) *consumer.Group {
	w.t.Helper()
	g, err := consumer.New(w.sdk(), "g", opts...)
	if err == nil {
		err = consumer.Handle(g, orders, h)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return g
}

// park puts n records into the inbox of orders[0], as a tool does, due at due(i).
func (w *world) park(n int, due func(i int) time.Time) {
	w.t.Helper()
	var all []*kgo.Record
	for i := range n {
		src := &sordini.Record{Topic: "orders", Offset: int64(i), Timestamp: time.Now(), Key: []byte("k"), Value: fmt.Append(nil, i)}
		x := dlt.InboxRecord{Record: src, Group: "g", Due: due(i), Operation: "op"}.Encode("orders.g.retry")
		all = append(all, &kgo.Record{Topic: x.Topic, Key: x.Key, Value: x.Value, Headers: x.Headers, Timestamp: x.Timestamp})
	}
	if err := w.raw.ProduceSync(context.Background(), all...).FirstErr(); err != nil {
		w.t.Fatal(err)
	}
}

// Nearly half of the records wait for longer. What ended between those that wait does not fit a commit of 128 characters, so those are appended again; and after a
// restart none comes twice, none early.
func TestWaitingRecordsAreAppendedAgainBeforeTheCommitIsFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, brokertest.Properties(map[string]string{"offset.metadata.max.bytes": "128"}))
		first := start(t, w.bare(func(context.Context, *consumer.Message[string]) error { return nil }))
		waitFor(t, "the inbox is there", func() bool { return w.inboxCommitted() == 0 })
		first.cleanly()
		began := time.Now()
		const n, half = 1200, 5 * time.Minute
		later := began.Add(2 * half)
		w.park(n, func(i int) time.Time {
			if i%2 == 0 || i%7 == 0 {
				return began.Add(time.Duration(i*7919%n) * half / n)
			}
			return later
		})
		got := newSeen(t)
		h := func(_ context.Context, m *consumer.Message[string]) error {
			if m.Record.Offset%2 == 1 && m.Record.Offset%7 != 0 && time.Now().Before(later) {
				t.Errorf("%s is early", m.Value)
			}
			got.add(m.Value)
			return nil
		}
		soon := 0
		for i := range n {
			if i%2 == 0 || i%7 == 0 {
				soon++
			}
		}
		for range 4 { // a clean stop in the middle, again and again
			r := start(t, w.bare(h))
			<-time.After(half / 4)
			r.cleanly()
		}
		r := start(t, w.bare(h))
		got.wait(soon)
		all := slices.Clone(got.wait(n))
		slices.Sort(all)
		if len(slices.Compact(all)) != n || len(got.all()) != n {
			t.Errorf("%d handled, %d times; want %d once each", len(slices.Compact(all)), len(got.all()), n)
		}
		waitFor(t, "nothing waits in the inbox", func() bool { return !w.waits() })
		waitFor(t, "the inbox is trimmed", func() bool {
			p, err := w.Partition("orders.g.retry", 0)
			return err == nil && p.Start > n
		})
		r.cleanly()
	})
}

// Somebody deletes records that wait: that is said, and what is behind them goes on.
func TestRecordsDeletedFromTheInboxAreReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.put("a=1", "a=2")
		got := newSeen(t)
		g := w.bare(func(_ context.Context, m *consumer.Message[string]) error {
			if m.Value == "1" {
				return errBoom
			}
			got.add(m.Value)
			return nil
		}, append(once(time.Hour), consumer.Queue(5, consumer.Hold))...)
		r := start(t, g)
		waitFor(t, "the first record is in the inbox", func() bool { return w.committed() == 1 })
		if _, err := admin.DeleteRecords(context.Background(), w.raw, "orders.g.retry", 0, 1); err != nil {
			t.Fatal(err)
		}
		got.wait(1)
		waitFor(t, "it is said", func() bool { return len(g.Health().Reasons) > 0 })
		if rs := g.Health().Reasons; g.Counts().Missed != 1 || len(rs) != 1 || rs[0].Code != "inbox-missed" {
			t.Errorf("missed %d, reasons %v", g.Counts().Missed, rs)
		}
		waitFor(t, "everything is committed", func() bool { return w.committed() == 2 && w.inboxCommitted() == 1 })
		r.cleanly()
	})
}

func TestInboxThatDoesNotTakeRecordsIsAReason(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.whole = true
		refused := w.Inject(broker.Fault{API: broker.APIProduce, Topic: "orders.g.retry", Fail: kerr.TopicAuthorizationFailed.Code})
		w.put("a=1", "b=2")
		got := newSeen(t)
		g := w.group(func(_ context.Context, m *consumer.Message[string]) error {
			if m.Value == "1" && m.Attempt == 1 {
				return errBoom
			}
			got.add(m.Value)
			return nil
		}, once(time.Minute)...)
		r := start(t, g)
		waitFor(t, "the group says so", func() bool { return !g.Health().OK && hasReason(g, "inbox-unwritable") })
		if w.committed() > 0 {
			t.Error("committed past a record that was not handed off")
		}
		refused.Remove()
		if all := got.wait(2); all[1] != "1" {
			t.Errorf("handled %q", all)
		}
		waitFor(t, "the group is well", func() bool { return g.Health().OK && w.committed() == 2 })
		r.cleanly()
	})
}

func TestInboxRecordOfALaterReleaseWaitsAndIsAReason(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		got := newSeen(t)
		g := w.bare(func(_ context.Context, m *consumer.Message[string]) error { got.add(m.Value); return nil })
		r := start(t, g)
		waitFor(t, "the inbox is there", func() bool { return w.inboxCommitted() == 0 })
		x := &kgo.Record{Topic: "orders.g.retry", Headers: []kgo.RecordHeader{{Key: dlt.HeaderInboxVersion, Value: []byte("99")}}}
		if err := w.raw.ProduceSync(context.Background(), x).FirstErr(); err != nil {
			t.Fatal(err)
		}
		w.park(1, func(int) time.Time { return time.Now() })
		got.wait(1)
		if !hasReason(g, "inbox-unreadable") || g.Health().OK {
			t.Errorf("health %+v", g.Health())
		}
		r.cleanly()
		if w.inboxCommitted() != 0 {
			t.Error("committed past a record that nobody has read")
		}
	})
}
