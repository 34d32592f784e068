package consumer_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sordini-go/sordini/consumer"
	"github.com/sordini-go/sordini/consumer/internal/commitmeta"
	"github.com/sordini-go/sordini/producer"
)

// kinds are the ways to handle a record.
var kinds = map[string]func(g *consumer.Group, h func(*consumer.Message[string])) error{
	"records": func(g *consumer.Group, h func(*consumer.Message[string])) error {
		return consumer.Handle(g, orders, func(_ context.Context, m *consumer.Message[string]) error { h(m); return nil })
	},
	"batches": func(g *consumer.Group, h func(*consumer.Message[string])) error {
		return consumer.HandleBatch(g, orders, func(_ context.Context, batch batchOf) error {
			for _, m := range batch {
				h(m)
			}
			return nil
		})
	},
	"transactions": func(g *consumer.Group, h func(*consumer.Message[string])) error {
		return consumer.HandleTx(g, orders, func(_ context.Context, _ *producer.Tx, m *consumer.Message[string]) error { h(m); return nil })
	},
}

// life runs a member until it dies: poisonous kills the process, as far as the rest of the world can tell.
func life(t *testing.T, w *world, kind string, poisonous func(*consumer.Message[string]) bool, got *seen) (died <-chan struct{}, r *run) {
	c, l := w.wire()
	dead, held := make(chan struct{}), make(chan struct{})
	t.Cleanup(func() { close(held) })
	g, err := consumer.New(c, "g", consumer.Observe(w.history), consumer.Concurrency(4), consumer.DrainTimeout(time.Second))
	if err != nil {
		t.Fatal(err)
	}
	err = kinds[kind](g, func(m *consumer.Message[string]) {
		select {
		case <-dead:
			<-held // nothing of a dead process goes on
		default:
		}
		if poisonous(m) {
			l.sever()
			close(dead)
			<-held
		}
		got.add(m.Value)
	})
	if err != nil {
		t.Fatal(err)
	}
	r = start(t, g)
	return dead, r
}

func TestG9RecordThatKillsTheProcessIsFoundAndDies(t *testing.T) {
	for kind := range kinds {
		t.Run(kind, func(t *testing.T) { synctest.Test(t, func(t *testing.T) { findCulprit(t, kind) }) })
	}
}

func findCulprit(t *testing.T, kind string) {
	w := newWorld(t, 1)
	w.whole = true
	for i := range 20 {
		w.put(fmt.Sprintf("k%d=%d", i, i))
	}
	got := newSeen(t)
	lives := 0
	for ; lives < 12; lives++ {
		died, r := life(t, w, kind, func(m *consumer.Message[string]) bool { return m.Value == "7" }, got)
		over := make(chan struct{})
		go func() {
			for len(w.dead()) == 0 || w.committed() < 20 {
				select {
				case <-died:
					return
				case <-time.After(50 * time.Millisecond):
				}
			}
			close(over)
		}()
		select {
		case <-died:
			r.cancel()
			<-r.done
			continue
		case <-over:
			r.cleanly()
		}
		break
	}
	if lives != 5 {
		t.Errorf("the record killed %d processes, want 5: three until records ran alone, two that convict it", lives)
	}
	dead := w.dead()
	if len(dead) != 1 {
		t.Fatalf("%d dead letters, want the culprit's alone", len(dead))
	}
	if h := headersOf(dead[0]); h["dlt-error-class"] != "crash" || h["dlt-offset"] != "7" {
		t.Errorf("the dead letter is of class %q and offset %s", h["dlt-error-class"], h["dlt-offset"])
	}
}

// TestG9RedrivenRecordThatKillsTheProcessIsFoundAndDies: it stands in the inbox and not in the source, whose mark moves on in each life.
func TestG9RedrivenRecordThatKillsTheProcessIsFoundAndDies(t *testing.T) {
	for kind := range kinds {
		t.Run(kind, func(t *testing.T) { synctest.Test(t, func(t *testing.T) { findRedrivenCulprit(t, kind) }) })
	}
}

func findRedrivenCulprit(t *testing.T, kind string) {
	w := newWorld(t, 1)
	w.put("a=1", "b=2", "c=3")
	r := start(t, w.group(func(_ context.Context, m *consumer.Message[string]) error { return consumer.Permanent(errBoom) }))
	waitFor(t, "all are dead", func() bool { return len(w.dead()) == 3 && w.committed() == 3 })
	r.cleanly()
	for _, value := range []string{"2", "3"} { // who kills it is the first
		for i := range 3 {
			if l := w.letter(i); string(l.Record.Value) == value {
				w.redrive(l, "op")
			}
		}
	}
	got := newSeen(t)
	lives, next := 0, 10
	for ; lives < 20; lives++ {
		for range 5 {
			w.put(fmt.Sprintf("k%d=%d", next%7, next))
			next++
		}
		died, r := life(t, w, kind, func(m *consumer.Message[string]) bool { return m.Value == "2" }, got)
		over := make(chan struct{})
		go func() {
			for len(w.dead()) == 3 || w.inboxCommitted() < 2 || w.committed() < int64(next-10+3) {
				select {
				case <-died:
					return
				case <-time.After(50 * time.Millisecond):
				}
			}
			close(over)
		}()
		select {
		case <-died:
			r.cancel()
			<-r.done
			continue
		case <-over:
			r.cleanly()
		}
		break
	}
	if lives != 5 {
		t.Errorf("the record killed %d processes, want 5: three until records ran alone, two that convict it", lives)
	}
	dead := w.dead()
	if len(dead) != 4 {
		t.Fatalf("%d dead letters, want those of the outage and the culprit's", len(dead))
	}
	if h := headersOf(dead[3]); h["dlt-error-class"] != "crash" || h["dlt-offset"] != "1" {
		t.Errorf("the dead letter is of class %q and offset %s", h["dlt-error-class"], h["dlt-offset"])
	}
}

func TestStartsThatEndInOrderAreNoCrashLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.put("a=1")
		for range 6 {
			got := newSeen(t)
			r := start(t, w.group(func(ctx context.Context, m *consumer.Message[string]) error {
				got.add(m.Value)
				<-ctx.Done() // cut at the drain deadline, each time
				return ctx.Err()
			}, consumer.DrainTimeout(time.Second)))
			got.wait(1)
			if err := r.stop(); err == nil {
				t.Fatal("the drain cut nothing")
			}
			_, text, _ := w.Committed("g", "orders", 0)
			meta, err := commitmeta.Decode(text)
			if err != nil || meta.Starts != 0 || meta.Noted.OK {
				t.Fatalf("after a stop the commit says %d starts, noted %+v, %v", meta.Starts, meta.Noted, err)
			}
		}
	})
}
