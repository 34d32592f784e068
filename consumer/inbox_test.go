package consumer_test

import (
	"context"
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
	"github.com/sordini-go/sordini/internal/history"
)

// redrive puts a dead letter of orders[0] into the inbox.
func (w *world) redrive(l dlt.Letter, op string) {
	w.t.Helper()
	x := dlt.InboxRecord{Record: l.Source(), TopicID: l.TopicID, Group: "g", Due: time.Now(), Operation: op}.Encode("orders.g.retry")
	r := &kgo.Record{Topic: x.Topic, Partition: x.Partition, Key: x.Key, Value: x.Value, Headers: x.Headers, Timestamp: x.Timestamp}
	if err := w.raw.ProduceSync(context.Background(), r).FirstErr(); err != nil {
		w.t.Fatal(err)
	}
	w.history.Record(history.Event{
		Kind: history.Redrive, Group: "g", Topic: l.Topic, Partition: l.Partition, Offset: l.Offset,
		To: &history.Place{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset},
	})
}

// letter is the i-th dead letter of orders[0].
func (w *world) letter(i int) dlt.Letter {
	w.t.Helper()
	d := w.dead()[i]
	var h sordini.Headers
	for _, x := range d.Headers {
		h = append(h, sordini.Header{Key: x.Key, Value: x.Value})
	}
	l, err := dlt.Parse(&sordini.Record{Topic: "orders.g.dlt", Key: d.Key, Value: d.Value, Headers: h})
	if err != nil {
		w.t.Fatal(err)
	}
	return l
}

func (w *world) inboxCommitted() int64 {
	offset, _, ok := w.Committed("g", "orders.g.retry", 0)
	if !ok {
		return -1
	}
	return offset
}

func TestRedrivenRecordIsHandledByTheOwner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.put("a=1", "b=2")
		got := newSeen(t)
		broken := true
		r := start(t, w.group(func(_ context.Context, m *consumer.Message[string]) error {
			if broken && m.Value == "1" {
				return consumer.Permanent(errBoom)
			}
			got.add(m.Value)
			return nil
		}))
		got.wait(1)
		waitFor(t, "the first record is dead", func() bool { return len(w.dead()) == 1 && w.committed() == 2 })
		broken = false
		w.redrive(w.letter(0), "op-1")
		got.wait(2)
		waitFor(t, "the inbox is committed", func() bool { return w.inboxCommitted() == 1 })
		r.cleanly()
	})
}

func TestRetryThroughTheInboxComesWhenDueAndInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.put("a=1", "a=2", "b=3")
		got := newSeen(t)
		began := time.Now()
		var failed time.Time
		var at time.Duration
		h := func(_ context.Context, m *consumer.Message[string]) error {
			if m.Value == "1" {
				if time.Since(began) < time.Hour {
					failed = time.Now()
					return errBoom
				}
				at = time.Since(failed)
			}
			got.add(m.Value)
			return nil
		}
		r := start(t, w.group(h, consumer.RetryLater(2*time.Hour)))
		waitFor(t, "the source is committed", func() bool { return w.committed() == 3 })
		r.cleanly()
		r = start(t, w.group(h, consumer.RetryLater(2*time.Hour)))
		if all := got.wait(3); all[0] != "3" || all[1] != "1" || all[2] != "2" {
			t.Errorf("handled %v, want 3 1 2", all)
		}
		if at < 2*time.Hour || at > 2*time.Hour+50*time.Millisecond {
			t.Errorf("tried again after %v, want two hours, never less", at)
		}
		r.cleanly()
	})
}

// The third record was fetched from the inbox while the second, which had waited in memory, ran: then that is handed to the inbox, and comes first.
func TestInboxRecordWaitsForOneHandedAfterItWasFetched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.put("a=1")
		got := newSeen(t)
		h := func(_ context.Context, m *consumer.Message[string]) error {
			if m.Value != "3" && m.Attempt == 1 {
				<-time.After(time.Second)
				return errBoom
			}
			got.add(m.Value)
			return nil
		}
		r := start(t, w.group(h, consumer.Retry(consumer.RetryPolicy{Retries: -1}), consumer.RetryLater(time.Minute), consumer.Queue(1, consumer.Spill)))
		waitFor(t, "the first record is in the inbox", func() bool { return w.committed() == 1 })
		w.put("a=2", "a=3")
		if all := got.wait(3); all[0] != "1" || all[1] != "2" || all[2] != "3" {
			t.Errorf("handled %v, want 1 2 3", all)
		}
		waitFor(t, "everything is committed", func() bool { return w.committed() == 3 && w.inboxCommitted() == 3 })
		r.cleanly()
	})
}

// Kafka forgets the offsets of topics that nobody subscribes to.
func TestInboxOffsetOutlastsTheRetentionOfOffsets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, brokertest.Properties(map[string]string{"offsets.retention.minutes": "780"})) // 13 hours
		w.put("a=1")
		got := newSeen(t)
		r := start(t, w.group(func(_ context.Context, m *consumer.Message[string]) error {
			if m.Attempt == 1 {
				return errBoom
			}
			got.add(m.Value)
			return nil
		}, consumer.Retry(consumer.RetryPolicy{Retries: -1}), consumer.RetryLater(time.Minute)))
		got.wait(1)
		waitFor(t, "the inbox is committed", func() bool { return w.inboxCommitted() == 1 })
		<-time.After(14 * time.Hour)
		if w.inboxCommitted() != 1 {
			t.Fatal("the inbox's offset has expired")
		}
		r.cleanly()
	})
}

func TestRecordThatTheInboxDoesNotTakeDies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.Inject(broker.Fault{API: broker.APIProduce, Topic: "orders.g.retry", Fail: kerr.MessageTooLarge.Code})
		w.put("a=1", "a=2")
		got := newSeen(t)
		r := start(t, w.group(func(_ context.Context, m *consumer.Message[string]) error {
			if m.Value == "1" {
				return errBoom
			}
			got.add(m.Value)
			return nil
		}, consumer.Retry(consumer.RetryPolicy{Retries: -1}), consumer.RetryLater(time.Minute)))
		got.wait(1)
		waitFor(t, "everything is committed", func() bool { return w.committed() == 2 })
		r.cleanly()
		if d := w.dead(); len(d) != 1 || string(d[0].Value) != "1" {
			t.Errorf("dead letters %v, want the one that failed", d)
		}
	})
}
