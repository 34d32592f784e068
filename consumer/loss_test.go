package consumer_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/sordini-go/sordini/consumer"
	"github.com/sordini-go/sordini/internal/admin"
	"github.com/sordini-go/sordini/internal/history"
)

func hasReason(g *consumer.Group, code string) bool {
	return slices.ContainsFunc(g.Health().Reasons, func(r consumer.Reason) bool { return r.Code == code })
}

func TestG1RecordsThatRetentionTookAreReported(t *testing.T) {
	for _, rest := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, 1)
			w.put("a=1", "b=2", "c=3")
			got := newSeen(t)
			handle := func(_ context.Context, m *consumer.Message[string]) error { got.add(m.Value); return nil }
			r := start(t, w.group(handle))
			got.wait(3)
			r.cleanly()
			w.put("d=4", "e=5", "f=6")
			until, n := int64(5), 4
			if !rest {
				until, n = 6, 3
			}
			if _, err := admin.DeleteRecords(t.Context(), w.raw, "orders", 0, until); err != nil {
				t.Fatal(err)
			}
			w.history.Record(history.Event{Kind: history.Truncated, Topic: "orders", Ranges: []history.Range{{From: 0, To: until}}})
			g := w.group(handle)
			r = start(t, g)
			waitFor(t, "the loss is reported", func() bool { return hasReason(g, "records-missed") })
			if all := got.wait(n); rest && all[3] != "6" {
				t.Errorf("handled %v, want 6 at the end", all)
			}
			if !g.Health().OK {
				t.Errorf("health %+v: what is gone is a notice, the group is well", g.Health())
			}
			r.cleanly()
		})
	}
}

func TestG1CommittedOffsetBeyondTheLogSkipsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.put("a=1", "b=2", "c=3")
		restore(w, "orders", 100, "")
		got := newSeen(t)
		g := w.group(func(_ context.Context, m *consumer.Message[string]) error { got.add(m.Value); return nil })
		r := start(t, g)
		w.put("d=4")
		if all := got.wait(4); len(all) != 4 {
			t.Errorf("handled %v, want all that the log holds", all)
		}
		if !hasReason(g, "data-loss") {
			t.Errorf("health %+v, want data-loss", g.Health())
		}
		waitFor(t, "offset 4 is committed", func() bool { return w.committed() == 4 })
		r.cleanly()
	})
}
