package consumer_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/sordini-go/sordini/consumer"
)

func TestGroupHandlesWhatIsPublished(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.put("a=1", "b=2", "a=3", "4")
		got := newSeen(t)
		r := start(t, w.group(func(_ context.Context, m *consumer.Message[string]) error { got.add(m.Value); return nil }))
		all := got.wait(4)
		slices.Sort(all)
		if want := []string{"1", "2", "3", "4"}; !slices.Equal(all, want) {
			t.Errorf("handled %v, want %v", all, want)
		}
		r.cleanly()
		if c := w.committed(); c != 4 {
			t.Errorf("committed %d after a clean stop, want 4", c)
		}
	})
}

func TestFailingRecordIsDeadLetteredOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.put("a=1", "bad=2", "a=3")
		got := newSeen(t)
		r := start(t, w.group(func(_ context.Context, m *consumer.Message[string]) error {
			if m.Value == "2" {
				return errBoom
			}
			got.add(m.Value)
			return nil
		}))
		got.wait(2)
		waitFor(t, "everything is committed", func() bool { return w.committed() == 3 })
		r.cleanly()
		if d := w.dead(); len(d) != 1 || string(d[0].Key) != "bad" || string(d[0].Value) != "2" {
			t.Errorf("dead letters %v, want the one of key bad", d)
		}
	})
}
