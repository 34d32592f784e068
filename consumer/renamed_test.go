package consumer_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/broker/brokertest"
	"github.com/sordini-go/sordini/consumer"
	"github.com/sordini-go/sordini/dlt"
)

// purchases is what the topic orders is called now.
var purchases = sordini.Topic[string]{Name: "purchases", Key: orders.Key, Value: orders.Value, RenamedFrom: "orders"}

// What waits in the old name's inbox comes when it is due, in the order of its key and with the attempts that it had; the old name's dead letters are redriven through
// it; nothing comes twice over restarts.
func TestRenamedTopicDrainsItsOldName(t *testing.T) {
	for name, register := range eachKind {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 2, brokertest.Topic("purchases", 3))
				w.put("a=1", "a=2", "b=3", "c=4")
				w.history = nil // it knows of no renaming
				r := start(t, w.bare(func(_ context.Context, m *consumer.Message[string]) error {
					if m.Value == "4" {
						return consumer.Permanent(errBoom)
					}
					return errBoom
				}, append(once(10*time.Minute), consumer.FloodBreaker(-1, 0, 0))...))
				waitFor(t, "everything waits or is dead", func() bool { return w.committed() == 4 && len(w.dead()) == 1 })
				r.cleanly()

				got := newSeen(t)
				healed := false
				var early []string
				began := time.Now()
				group := func() *consumer.Group {
					g, err := consumer.New(w.sdk(), "g", append(once(10*time.Minute, 20*time.Minute), consumer.FloodBreaker(-1, 0, 0))...)
					if err == nil {
						err = register(g, purchases, func(_ context.Context, m *consumer.Message[string]) error {
							if m.Record.Topic == "orders" && time.Since(began) < 9*time.Minute && m.Value < "4" {
								early = append(early, m.Value)
							}
							switch {
							case m.Value == "1" && m.Attempt == 2: // the first was under the old name
								return errBoom // once more through the inbox: there is a second round, and 2 waits for it
							case m.Value == "4" && !healed:
								return consumer.Permanent(errBoom)
							}
							got.add(m.Value)
							return nil
						})
					}
					if err != nil {
						t.Fatal(err)
					}
					return g
				}
				r = start(t, group())
				z := record("z=5")
				z.Topic, z.Partition = "purchases", 2
				if err := w.raw.ProduceSync(t.Context(), z).FirstErr(); err != nil {
					t.Fatal(err)
				}
				if all := got.wait(1); all[0] != "5" {
					t.Errorf("handled %v while the old name's records wait", all)
				}
				// A member of the release before handed one more over while it stopped: to who reads the old inbox, its offset means nothing.
				for range 6 {
					z := record("y=6")
					z.Topic = "purchases"
					if err := w.raw.ProduceSync(t.Context(), z).FirstErr(); err != nil {
						t.Fatal(err)
					}
				}
				got.wait(7)
				late := dlt.InboxRecord{
					Record:  &sordini.Record{Topic: "orders", Offset: 4, Timestamp: time.Now(), Key: []byte("e"), Value: []byte("7")},
					TopicID: w.letter(0).TopicID, Group: "g", Due: time.Now(), Attempts: 1, Round: 1, FirstFailed: time.Now(),
				}.Encode("orders.g.retry")
				if err := w.raw.ProduceSync(t.Context(), &kgo.Record{Topic: late.Topic, Key: late.Key, Value: late.Value, Headers: late.Headers}).FirstErr(); err != nil {
					t.Fatal(err)
				}
				got.wait(8)
				redriven, err := dlt.Redrive(t.Context(), w.sdk(), dlt.Redriving{Group: "g", All: true, Operation: "one"})
				if err != nil || redriven.Count != 1 {
					t.Fatalf("redrive: %+v, %v", redriven, err)
				}
				waitFor(t, "the redriven one is dead again", func() bool { return len(w.deadOf("purchases")) == 1 })
				r.cleanly() // while 1, 2 and 3 wait

				healed = true
				r = start(t, group())
				got.wait(9) // 3; 1 fails, and 2 is behind it
				<-time.After(time.Minute)
				r.cleanly() // while 1 waits for its second round
				d := w.deadOf("purchases")[0]
				if h := headersOf(d); h["dlt-topic"] != "orders" || h["dlt-offset"] != "3" || h["dlt-topic-id"] != headersOf(w.dead()[0])["dlt-topic-id"] {
					t.Errorf("the second dead letter is of %v", h)
				}
				r = start(t, group())
				if redriven, err := dlt.Redrive(t.Context(), w.sdk(), dlt.Redriving{Group: "g", All: true, Operation: "two"}); err != nil || redriven.Count != 2 { // both letters of the record: it is handled once
					t.Fatalf("second redrive: %+v, %v", redriven, err)
				}
				got.wait(12)
				waitFor(t, "nothing waits under the old name", func() bool { return !w.waits() })
				r.cleanly()
				r = start(t, group())
				<-time.After(time.Hour)
				r.cleanly()
				all := got.all()
				sorted := slices.Sorted(slices.Values(all))
				if !slices.Equal(sorted, []string{"1", "2", "3", "4", "5", "6", "6", "6", "6", "6", "6", "7"}) || slices.Index(all, "1") > slices.Index(all, "2") {
					t.Errorf("handled %v, want each once and 1 before 2", all)
				}
				if len(early) > 0 {
					t.Errorf("%v came before their time", early)
				}
				if l, err := consumer.Lag(t.Context(), w.sdk(), "g"); err != nil || l.Inbox != 0 || l.Lag != 0 {
					t.Errorf("lag %+v, %v", l, err)
				}
			})
		})
	}
}

func TestImpossibleRenamesAreRefused(t *testing.T) {
	handle := func(context.Context, *consumer.Message[string]) error { return nil }
	other := purchases
	other.Name = "sales"
	for name, c := range map[string]struct {
		contracts []sordini.Topic[string]
		want      string
	}{
		"the old name is handled too":     {[]sordini.Topic[string]{orders, purchases}, "which the group handles as well"},
		"two topics drain one old name":   {[]sordini.Topic[string]{purchases, other}, "can be drained by one of them"},
		"fewer partitions than there are": {[]sordini.Topic[string]{purchases}, "kafka-topics"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 2, brokertest.Topic("purchases", 1), brokertest.Topic("sales", 2))
				w.history = nil
				r := start(t, w.bare(handle))
				waitFor(t, "the inbox is there", func() bool { return w.inboxCommitted() == 0 })
				r.cleanly()
				g, err := consumer.New(w.sdk(), "g")
				for _, c := range c.contracts {
					err = errors.Join(err, consumer.Handle(g, c, handle))
				}
				if err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				if err := g.Run(ctx); err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("run: %v, want %q", err, c.want)
				}
			})
		})
	}
}
