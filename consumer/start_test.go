package consumer_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sordini-go/sordini/broker"
	"github.com/sordini-go/sordini/consumer"
	"github.com/sordini-go/sordini/internal/history"
)

func TestNewGroupStartsWhereItIsTold(t *testing.T) {
	for name, c := range map[string]struct {
		start func(before, between time.Time) consumer.Option
		want  []string
	}{
		"default":  {func(_, _ time.Time) consumer.Option { return consumer.CommitInterval(time.Second) }, []string{"1", "2", "3", "4"}},
		"earliest": {func(_, _ time.Time) consumer.Option { return consumer.StartAt(consumer.Earliest()) }, []string{"1", "2", "3", "4"}},
		"latest":   {func(_, _ time.Time) consumer.Option { return consumer.StartAt(consumer.Latest()) }, []string{"4"}},
		"time":     {func(_, b time.Time) consumer.Option { return consumer.StartAt(consumer.Time(b)) }, []string{"3", "4"}},
		"future": {func(_, b time.Time) consumer.Option {
			return consumer.StartAt(consumer.Time(b.Add(time.Hour)))
		}, []string{"4"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 1)
				w.judge.Groups = []history.Group{{Name: "g", StartLatest: true}}
				before := time.Now()
				w.put("a=1", "a=2")
				time.Sleep(time.Minute)
				between := time.Now()
				time.Sleep(time.Minute)
				w.put("a=3")
				got := newSeen(t)
				r := start(t, w.group(func(_ context.Context, m *consumer.Message[string]) error { got.add(m.Value); return nil }, c.start(before, between)))
				waitFor(t, "the position is committed", func() bool { return w.committed() >= 0 })
				w.put("a=4")
				all := got.wait(len(c.want))
				for i := range c.want {
					if all[i] != c.want[i] {
						t.Fatalf("handled %v, want %v", all, c.want)
					}
				}
				r.cleanly()
			})
		})
	}
}

func TestPositionOfANewGroupSurvivesACrash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.judge.Groups = []history.Group{{Name: "g", StartLatest: true}}
		w.put("a=1")
		held, got := newGate(), newSeen(t)
		c, l := w.wire()
		r := start(t, w.groupOn(c, func(ctx context.Context, m *consumer.Message[string]) error { return held.wait(ctx) }, consumer.StartAt(consumer.Latest())))
		waitFor(t, "the position is committed", func() bool { return w.committed() == 1 })
		w.put("a=2")
		time.Sleep(time.Second)
		l.sever() // it dies before it has handled anything
		w.put("a=3")
		r2 := start(t, w.group(func(_ context.Context, m *consumer.Message[string]) error { got.add(m.Value); return nil }, consumer.StartAt(consumer.Latest())))
		if all := got.wait(2); all[0] != "2" || all[1] != "3" {
			t.Errorf("handled %v after the crash, want 2 and 3", all)
		}
		r2.cleanly()
		r.stop()
	})
}

// A group whose network goes away in the middle of its start makes its companions when it is back.
func TestAGroupStartsWhereTheCreationOfItsCompanionsIsCutShort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.whole = true
		c, l := w.wire()
		creating := w.Inject(broker.Fault{API: broker.APICreateTopics, Stall: true, Count: 1})
		got := newSeen(t)
		r := start(t, w.groupOn(c, func(_ context.Context, m *consumer.Message[string]) error { got.add(m.Value); return nil }))
		waitFor(t, "a companion is being made", func() bool { return creating.Hits() == 1 })
		l.sever()
		time.Sleep(2 * time.Second)
		l.mu.Lock()
		l.cut = false
		l.mu.Unlock()
		w.put("a=1")
		got.wait(1)
		r.cleanly()
	})
}
