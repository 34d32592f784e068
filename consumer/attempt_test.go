package consumer

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/consumer/internal/commitmeta"
	"github.com/sordini-go/sordini/consumer/internal/window"
	"github.com/sordini-go/sordini/serde"
)

// A handler that keeps what it was given keeps it as it was: attempts serve again, messages and contexts do not.
func TestWhatAHandlerKeepsIsNotUsedAgain(t *testing.T) {
	type kept struct {
		m   *Message[string]
		ctx context.Context
	}
	var all []kept
	feed, work := quickly(t, func(ctx context.Context, m *Message[string]) error {
		if ctx.Err() != nil || ctx.Value(attemptKey{}).(*attempt).src.Offset != m.Record.Offset {
			t.Errorf("offset %d is called with the context of another attempt", m.Record.Offset)
		}
		all = append(all, kept{m, ctx})
		return nil
	})
	feed(500)
	work()
	if len(all) != 500 {
		t.Fatalf("%d records were handled, want 500", len(all))
	}
	for i, x := range all {
		if want := fmt.Sprint("v", i); x.m.Value != want || x.m.Record.Offset != int64(i) || x.m.Attempt != 1 || x.ctx.Err() == nil {
			t.Fatalf("record %d is %q at %d in attempt %d, its context %v", i, x.m.Value, x.m.Record.Offset, x.m.Attempt, x.ctx.Err())
		}
		if a := x.ctx.Value(attemptKey{}); a != nil {
			t.Fatalf("the context of record %d still has an attempt, which may be another's", i)
		}
	}
}

// What was noted of an attempt does not stick to the next one that it serves as: a handler's timeout would never be noticed again.
func TestAnAttemptServesAgainAsNew(t *testing.T) {
	p := withRecords(t, 3, func(i int) string { return fmt.Sprint(i) })
	first := p.running[0]
	first.overdue, first.decoded = true, true
	p.leave(first)
	p.recycle(first)
	second := p.take(time.Now())
	if second != first {
		t.Fatal("the attempt does not serve again")
	}
	if second.overdue || second.decoded || second.zombie || second.ended != nil || second.undone != nil || second.src.Offset != 8 || second.of != second {
		t.Errorf("it is %+v", second)
	}
}

// quickly returns what takes n records in, v0, v1 and so on, and what handles them, as a worker does that is alone, without a cluster.
func quickly(t *testing.T, h func(context.Context, *Message[string]) error) (feed func(n int), work func()) {
	g, err := New(sordini.Cluster{Brokers: []string{"localhost:1"}, Development: true}, "g", NoDefaultMiddleware())
	if err != nil {
		t.Fatal(err)
	}
	contract := sordini.Topic[string]{Name: "orders", Key: sordini.KeyString(func(s string) string { return s }), Value: serde.String()}
	if err := Handle(g, contract, h); err != nil {
		t.Fatal(err)
	}
	topics, err := g.plan()
	if err != nil {
		t.Fatal(err)
	}
	e := newEngine(g, topics)
	e.base = t.Context()
	e.pool.stop() // the test is the worker
	p := &partition{e: e, topic: e.topic("orders"), win: window.New(0, -1, commitmeta.Completed{}), table: newLaneTable()}
	next := 0
	feed = func(n int) {
		records := make([]*kgo.Record, n)
		for i := range records {
			records[i] = &kgo.Record{Topic: "orders", Offset: int64(next), Key: fmt.Appendf(nil, "k%d", next%100), Value: fmt.Appendf(nil, "v%d", next)}
			next++
		}
		p.admit(records)
	}
	return feed, func() {
		for !p.idle() {
			e.work(p)
		}
	}
}
