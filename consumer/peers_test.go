package consumer_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/sordini-go/sordini/broker"
	"github.com/sordini-go/sordini/consumer"
)

// The five ways in which other Go frameworks lost or misrouted a record when they were run on their documented paths. Each test does to a group what was done to
// them and then lets it die, so that what it had committed is all that is left.

// after lets the member die and returns what the next one is given.
func after(t *testing.T, w *world, l *line, n int) []string {
	l.sever()
	got := newSeen(t)
	next := start(t, w.group(func(_ context.Context, m *consumer.Message[string]) error { got.add(m.Value); return nil }))
	all := got.wait(n)
	next.cleanly()
	return all
}

func TestPeersDeadLetterRefusedThenCrash(t *testing.T) { // zkafka: committed, dead-letter topic empty, record gone
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.whole = true
		refuse := w.Inject(broker.Fault{API: broker.APIProduce, Topic: "orders.g.dlt", Fail: kerr.TopicAuthorizationFailed.Code})
		w.put("a=1")
		c, l := w.wire()
		r := start(t, w.groupOn(c, func(context.Context, *consumer.Message[string]) error { return consumer.Permanent(errBoom) }))
		if err := refuse.Wait(t.Context(), 3); err != nil {
			t.Fatal(err)
		}
		refuse.Remove()
		if all := after(t, w, l, 1); all[0] != "1" {
			t.Errorf("after the crash %v came", all)
		}
		r.stop()
	})
}

func TestPeersCancelledWhileTheHandlerRuns(t *testing.T) { // zkafka: committed although the handler never finished
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.whole = true
		w.put("a=1")
		began := make(chan struct{})
		r := start(t, w.group(func(ctx context.Context, m *consumer.Message[string]) error {
			close(began)
			<-ctx.Done()
			return ctx.Err()
		}, consumer.DrainTimeout(time.Second)))
		<-began
		r.stop()
		_, l := w.wire()
		if all := after(t, w, l, 1); all[0] != "1" {
			t.Errorf("after the shutdown %v came", all)
		}
	})
}

func TestPeersRetryHandOffRefused(t *testing.T) { // kafka-konsumer: the retry topic refuses, the record is committed and gone, and nothing is logged
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.whole = true
		for _, topic := range []string{"orders.g.dlt", "orders.g.retry"} {
			w.Inject(broker.Fault{API: broker.APIProduce, Topic: topic, Fail: kerr.TopicAuthorizationFailed.Code})
		}
		w.put("a=1")
		c, l := w.wire()
		g := w.groupOn(c, func(context.Context, *consumer.Message[string]) error { return errBoom })
		r := start(t, g)
		waitFor(t, "the group says that it is refused", func() bool {
			h := g.Health()
			return !h.OK && len(h.Reasons) > 0 && h.Reasons[0].Code == "dead-letter-refused"
		})
		if all := after(t, w, l, 1); all[0] != "1" {
			t.Errorf("after the crash %v came", all)
		}
		r.stop()
	})
}

func TestPeersShutdownIsNotAFailure(t *testing.T) { // watermill: dead-lettered with "context canceled", without its key, and redelivered as well
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.whole = true
		w.put("a=1")
		began := make(chan struct{})
		r := start(t, w.group(func(ctx context.Context, m *consumer.Message[string]) error {
			close(began)
			<-ctx.Done()
			return ctx.Err()
		}, consumer.DrainTimeout(time.Second), consumer.Retry(consumer.RetryPolicy{Retries: -1})))
		<-began
		r.stop()
		if d := w.dead(); len(d) != 0 {
			t.Errorf("dead letters after a shutdown: %v", d)
		}
		_, l := w.wire()
		after(t, w, l, 1)
	})
}

func TestPeersLaterRecordOvertakesTheCommit(t *testing.T) { // goka: offset 2 committed while offset 0 is in flight; lost at a crash
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.whole = true
		w.put("a=1", "b=2")
		done := newSeen(t)
		c, l := w.wire()
		r := start(t, w.groupOn(c, func(ctx context.Context, m *consumer.Message[string]) error {
			if m.Value == "1" {
				<-ctx.Done()
				return ctx.Err()
			}
			done.add(m.Value)
			return nil
		}))
		done.wait(1)
		time.Sleep(time.Second) // what it commits, it has committed
		if all := after(t, w, l, 1); all[0] != "1" {
			t.Errorf("after the crash %v came", all)
		}
		r.stop()
	})
}
