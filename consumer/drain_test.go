package consumer_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sordini-go/sordini/consumer"
)

func TestG6RunningHandlerFinishesWhenRunIsCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.whole = true
		w.put("a=1")
		began := make(chan struct{})
		r := start(t, w.group(func(ctx context.Context, m *consumer.Message[string]) error {
			close(began)
			select {
			case <-ctx.Done():
				t.Errorf("the handler's context was cancelled: %v", context.Cause(ctx))
			case <-time.After(15 * time.Second):
			}
			return ctx.Err()
		}))
		<-began
		r.cleanly()
		if c := w.committed(); c != 1 {
			t.Errorf("committed %d, want 1", c)
		}
	})
}

func TestG6CancelledHandlerIsNeitherCommittedNorDead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.put("a=1")
		began := make(chan struct{})
		var cause error
		r := start(t, w.group(func(ctx context.Context, m *consumer.Message[string]) error {
			close(began)
			<-ctx.Done()
			cause = context.Cause(ctx)
			return ctx.Err()
		}, consumer.Retry(consumer.RetryPolicy{Retries: -1})))
		<-began
		stopped := time.Now()
		err := r.stop()
		if !errors.Is(err, consumer.ErrUndrained) || !strings.Contains(err.Error(), "orders[0]@0") {
			t.Errorf("run: %v, want ErrUndrained with orders[0]@0 in it", err)
		}
		if d := time.Since(stopped); d < 20*time.Second || d > 21*time.Second {
			t.Errorf("run returned after %v, want 20 s", d)
		}
		if !errors.Is(cause, consumer.ErrDraining) {
			t.Errorf("the handler's context was cancelled with %v, want ErrDraining", cause)
		}
		if c := w.committed(); c > 0 {
			t.Errorf("committed %d although the record was not handled", c)
		}
		if n := len(w.dead()); n != 0 {
			t.Errorf("%d dead letters after a shutdown", n)
		}
	})
}

func TestG6FailureWhileDrainingKillsNoRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.put("a=1")
		began := make(chan struct{})
		r := start(t, w.group(func(context.Context, *consumer.Message[string]) error {
			close(began)
			time.Sleep(5 * time.Second)
			return errors.New("sql: database is closed") // by the service's own shutdown
		}, consumer.Retry(consumer.RetryPolicy{Retries: -1})))
		<-began
		r.cleanly()
		if n, c := len(w.dead()), w.committed(); n != 0 || c > 0 {
			t.Errorf("%d dead letters and %d committed after a failure while draining", n, c)
		}
	})
}

func TestG12HandlerThatNeverReturnsIsNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.put("a=1", "b=2")
		held := newGate()
		var running atomic.Int32
		r := start(t, w.group(func(_ context.Context, m *consumer.Message[string]) error {
			if m.Value == "2" {
				running.Add(1)
				<-held.open // ignores its context
			}
			return nil
		}, consumer.DrainTimeout(5*time.Second)))
		waitFor(t, "the handler runs", func() bool { return running.Load() == 1 })
		stopped := time.Now()
		err := r.stop()
		if !errors.Is(err, consumer.ErrUndrained) || !strings.Contains(err.Error(), "still run: orders[0]@1") {
			t.Errorf("run: %v, want the handler of orders[0]@1 named", err)
		}
		if d := time.Since(stopped); d > 10*time.Second {
			t.Errorf("run returned %v after it was cancelled", d)
		}
		if c := w.committed(); c != 1 {
			t.Errorf("committed %d, want 1", c)
		}
		held.pass()
		synctest.Wait()
		if c := w.committed(); c != 1 {
			t.Errorf("committed %d after the late handler returned, want 1", c)
		}
	})
}

func TestG12RunReturnsWhateverTheClusterDoes(t *testing.T) {
	for name, hurt := range map[string]func(*world, *line){
		"line cut":      func(_ *world, l *line) { l.sever() },
		"broker paused": func(w *world, _ *line) { w.PauseBroker(1) },
		"broker killed": func(w *world, _ *line) { w.KillBroker(1) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 1)
				w.put("a=1")
				c, l := w.wire()
				got := newSeen(t)
				r := start(t, w.groupOn(c, func(_ context.Context, m *consumer.Message[string]) error {
					if m.Value == "1" {
						hurt(w, l)
					}
					got.add(m.Value)
					return nil
				}))
				got.wait(1)
				stopped := time.Now()
				if err := r.stop(); !errors.Is(err, consumer.ErrCommit) {
					t.Errorf("run: %v, want ErrCommit", err)
				}
				if d := time.Since(stopped); d > 5*time.Second {
					t.Errorf("run returned %v after it was cancelled, with nothing to drain", d)
				}
				l.sever()
				if name == "broker paused" {
					w.ResumeBroker(1)
				}
			})
		})
	}
}

func TestGroupRunsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		g := w.group(func(context.Context, *consumer.Message[string]) error { return nil })
		r := start(t, g)
		waitFor(t, "it runs", func() bool { return w.committed() == 0 })
		if err := g.Run(t.Context()); !errors.Is(err, consumer.ErrRunning) {
			t.Errorf("a second run: %v, want ErrRunning", err)
		}
		r.cleanly()
	})
}

// The drain has begun when the partition goes; the handler is that of a lost partition then, and runs all the same.
func TestG6DrainWaitsForHandlersOfPartitionsThatAreLostMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, stays := range map[string]time.Duration{"returns in time": 5 * time.Second, "returns too late": time.Minute} {
			w := newWorld(t, 1)
			w.put("a=1")
			c, l := w.wire()
			began := newSeen(t)
			var returned atomic.Bool
			r := start(t, w.groupOn(c, func(_ context.Context, m *consumer.Message[string]) error {
				began.add(m.Value)
				time.Sleep(stays) // virtual; it does not look at its context
				returned.Store(true)
				return nil
			}, consumer.DrainTimeout(10*time.Second)))
			began.wait(1)
			l.sever()
			switch err := r.stop(); {
			case stays < 10*time.Second && !returned.Load():
				t.Errorf("%s: run returned %v before its handler", name, err)
			case stays > 10*time.Second && !errors.Is(err, consumer.ErrUndrained):
				t.Errorf("%s: run: %v, want ErrUndrained", name, err)
			}
			time.Sleep(time.Minute) // virtual: until the handler has returned
		}
	})
}

// A member that loses a partition while it stops says that what it has handled there is not committed: it is handled again.
func TestG7RunSaysWhatWasLostWhileItStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.put("a=quick", "b=slow")
		got, hold := newSeen(t), make(chan struct{})
		r := start(t, w.group(func(_ context.Context, m *consumer.Message[string]) error {
			got.add(m.Value)
			if m.Value == "slow" {
				<-hold
			}
			return nil
		}, consumer.CommitInterval(time.Minute), consumer.DrainTimeout(time.Minute)))
		got.wait(2)
		r.cancel()
		for _, m := range w.Members("g") {
			w.must(w.ExpireMember("g", m.ID))
		}
		time.Sleep(10 * time.Second) // until a heartbeat says so
		close(hold)
		if err := <-r.done; !errors.Is(err, consumer.ErrCommit) {
			t.Errorf("Run returned %v", err)
		}
	})
}
