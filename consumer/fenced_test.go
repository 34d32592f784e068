package consumer_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/consumer"
	"github.com/sordini-go/sordini/internal/history"
)

// TestG5ResultOfAHandlerThatOutlivedItsPartitionCountsForNothing: its context was cancelled for its time, before the partition was lost, so that nothing but the fence
// stands between its result and what others have made of the record.
func TestG5ResultOfAHandlerThatOutlivedItsPartitionCountsForNothing(t *testing.T) {
	results := map[string]error{
		"done": nil, "retried": errBoom, "dead": consumer.Permanent(errBoom), "skipped": consumer.Skip(errBoom), "retried at once": consumer.RetryAfter(0, errBoom),
	}
	ladders := map[string][]consumer.Option{"in place": nil, "through the inbox": once(time.Minute, time.Hour)}
	for name, result := range results {
		for ladder, opts := range ladders {
			for kind, register := range eachKind {
				t.Run(name+" "+ladder+" "+kind, func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) { outlive(t, register, result, opts) })
				})
			}
		}
	}
}

// outlive lets a handler outlive its partition, and then return a result.
func outlive(t *testing.T, register func(*consumer.Group, sordini.Topic[string], func(context.Context, *consumer.Message[string]) error, ...consumer.HandlerOption) error, result error, opts []consumer.Option) {
	w := newWorld(t, 1)
	w.whole = true
	held := newGate()
	began, got := newSeen(t), newSeen(t)
	g, err := consumer.New(w.sdk(), "g", append([]consumer.Option{consumer.Observe(w.history), consumer.HandlerTimeout(time.Second), consumer.FloodBreaker(-1, 0, 0)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	var late int64
	err = register(g, orders, func(_ context.Context, m *consumer.Message[string]) error {
		began.add(m.Value)
		if len(began.all()) == 1 {
			late = m.Fence
			<-held.open
			return result
		}
		got.add(m.Value)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	r := start(t, g)
	w.put("a=1")
	began.wait(1)
	time.Sleep(time.Minute)
	for _, m := range w.Members("g") {
		if err := w.ExpireMember("g", m.ID); err != nil {
			t.Fatal(err)
		}
	}
	got.wait(1) // by the ownership after
	waitFor(t, "it is committed", func() bool { return w.committed() == 1 })
	held.pass()
	time.Sleep(5 * time.Minute)
	if n := len(began.all()); n != 2 {
		t.Errorf("handled %d times, want 2", n)
	}
	if c := g.Counts(); c.Fenced != 1 || c.Handled != 1 || c.Retried != 0 || c.Skipped != 0 {
		t.Errorf("counts %+v", c)
	}
	if n := len(w.dead()); n != 0 {
		t.Errorf("%d dead letters", n)
	}
	if all, _ := w.Records("orders.g.retry", 0); len(all) != 0 {
		t.Errorf("%d records in the inbox", len(all))
	}
	for _, e := range w.history.Events() {
		if e.Fence == late && (e.Kind == history.Ended || e.Kind == history.Commit && e.Offset > 0) {
			t.Errorf("the late result counts: %+v", e)
		}
	}
	r.cleanly()
}
