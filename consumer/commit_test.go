package consumer_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/sordini-go/sordini/broker"
	"github.com/sordini-go/sordini/consumer"
	"github.com/sordini-go/sordini/consumer/internal/commitmeta"
)

// gate holds handlers of chosen values until it is opened.
type gate struct{ open chan struct{} }

func newGate() *gate { return &gate{make(chan struct{})} }

func (g *gate) pass() { close(g.open) }

func (g *gate) wait(ctx context.Context) error {
	select {
	case <-g.open:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func TestG2CommitNeverPassesUnfinishedRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.whole = true
		w.put("a=1", "b=2", "c=3", "d=4", "e=5")
		got, held := newSeen(t), newGate()
		r := start(t, w.group(func(ctx context.Context, m *consumer.Message[string]) error {
			if m.Value == "2" {
				return held.wait(ctx)
			}
			got.add(m.Value)
			return nil
		}))
		got.wait(4)
		waitFor(t, "offset 1 is committed", func() bool { return w.committed() == 1 })
		time.Sleep(time.Minute) // virtual
		offset, meta, _ := w.Committed("g", "orders", 0)
		if offset != 1 {
			t.Fatalf("committed %d while offset 1 is being handled", offset)
		}
		m, err := commitmeta.Decode(meta)
		if err != nil {
			t.Fatalf("commit metadata: %v", err)
		}
		if m.Completed.Len() != 3 || !m.Completed.Contains(2) || !m.Completed.Contains(4) {
			t.Errorf("the commit's completion map has %d offsets, want 2 to 4", m.Completed.Len())
		}
		held.pass()
		waitFor(t, "everything is committed", func() bool { return w.committed() == 5 })
		r.cleanly()
	})
}

func TestG2RefusedDeadLetterHoldsTheOffset(t *testing.T) {
	for _, code := range []*kerr.Error{kerr.TopicAuthorizationFailed, kerr.NotEnoughReplicas, kerr.KafkaStorageError} {
		t.Run(code.Message, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 1)
				w.whole = true
				w.put("bad=1", "good=2")
				refuse := w.Inject(broker.Fault{API: broker.APIProduce, Topic: "orders.g.dlt", Fail: code.Code})
				got := newSeen(t)
				g := w.group(func(_ context.Context, m *consumer.Message[string]) error {
					if m.Value == "1" {
						return consumer.Permanent(errBoom)
					}
					got.add(m.Value)
					return nil
				})
				r := start(t, g)
				got.wait(1)
				if err := refuse.Wait(t.Context(), 2); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Minute)
				if c := w.committed(); c > 0 {
					t.Errorf("committed %d while the dead letter of offset 0 is refused", c)
				}
				if n := len(w.dead()); n != 0 {
					t.Errorf("%d dead letters are there although the topic refuses them", n)
				}
				if h := g.Health(); h.OK || !strings.HasPrefix(h.Reasons[0].Code, "dead-letter-") || h.Reasons[0].Offset != 0 {
					t.Errorf("health %+v, want the refused dead letter of offset 0", h)
				}
				refuse.Remove()
				waitFor(t, "the dead letter is there and committed", func() bool { return w.committed() == 2 })
				if h := g.Health(); !h.OK {
					t.Errorf("health %+v after the dead letter was taken", h)
				}
				r.cleanly()
				if d := w.dead(); len(d) != 1 || string(d[0].Value) != "1" {
					t.Errorf("dead letters %v, want one", d)
				}
			})
		})
	}
}

func TestG2EveryPartitionsAnswerIsChecked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 2)
		w.whole = true
		got := newSeen(t)
		g := w.group(func(_ context.Context, m *consumer.Message[string]) error { got.add(m.Value); return nil })
		r := start(t, g)
		w.put("a=0")
		waitFor(t, "offset 1 of partition 0 is committed", func() bool { return w.committed() == 1 })
		refuse := w.Inject(broker.Fault{API: broker.APIOffsetCommit, Topic: "orders", Partitions: []int32{0}, Fail: kerr.GroupAuthorizationFailed.Code})
		w.put("a=1")
		one := record("b=2")
		one.Partition = 1
		w.produce(one)
		got.wait(3)
		time.Sleep(time.Minute)
		if h := g.Health(); h.OK || h.Reasons[0].Code != "commit-failing" {
			t.Errorf("health %+v, want commit-failing for orders[0]", h)
		}
		refuse.Remove()
		waitFor(t, "offset 2 of partition 0 is committed", func() bool { return w.committed() == 2 })
		r.cleanly()
	})
}

func TestG7LimitOfCommitMetadataIsLearned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		refuse := w.Inject(broker.Fault{API: broker.APIOffsetCommit, Topic: "orders", Count: 1, Fail: kerr.OffsetMetadataTooLarge.Code})
		got := newSeen(t)
		r := start(t, w.group(func(_ context.Context, m *consumer.Message[string]) error { got.add(m.Value); return nil }))
		w.put("a=1", "b=2")
		got.wait(2)
		if err := refuse.Wait(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		waitFor(t, "everything is committed", func() bool { return w.committed() == 2 })
		r.cleanly()
	})
}

// TestG7LastCommitWaitsForAFreshTopicToBeKnown: the coordinator's broker may hear of a topic that was just created after the member that commits for it.
func TestG7LastCommitWaitsForAFreshTopicToBeKnown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		got := newSeen(t)
		r := start(t, w.group(func(_ context.Context, m *consumer.Message[string]) error { got.add(m.Value); return nil }, consumer.CommitInterval(time.Minute)))
		w.put("a=1")
		got.wait(1)
		unknown := w.Inject(broker.Fault{API: broker.APIOffsetCommit, Topic: "orders.g.retry", Count: 3, Fail: kerr.UnknownTopicID.Code})
		r.cleanly()
		if unknown.Hits() != 3 || w.committed() != 1 {
			t.Errorf("%d refusals, committed %d; want 3 and 1", unknown.Hits(), w.committed())
		}
	})
}
