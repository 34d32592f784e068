package consumer_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/consumer"
	"github.com/sordini-go/sordini/serde"
)

// picky decodes what does not begin with "!"; while away it says that its registry can not be reached.
type picky struct{ away *atomic.Bool }

func (p picky) Bind(serde.Binding) (serde.Codec[string], error) { return p, nil }

func (p picky) Append(_ context.Context, dst []byte, v string, _ *serde.Headers) ([]byte, error) {
	return append(dst, v...), nil
}

func (p picky) Decode(_ context.Context, src []byte, _ serde.Headers) (string, error) {
	if p.away != nil && p.away.Load() {
		return "", &serde.RetryableError{Err: errors.New("registry: connection refused")}
	}
	if bytes.HasPrefix(src, []byte("!")) {
		return "", errors.New("bad magic byte")
	}
	return string(src), nil
}

func pickyOrders(away *atomic.Bool) sordini.Topic[string] {
	t := orders
	t.Value = picky{away}
	return t
}

func (w *world) groupFor(topic sordini.Topic[string], h func(context.Context, *consumer.Message[string]) error, opts ...consumer.Option) *consumer.Group {
	w.t.Helper()
	g, err := consumer.New(w.sdk(), "g", append([]consumer.Option{consumer.Observe(w.history)}, opts...)...)
	if err != nil {
		w.t.Fatal(err)
	}
	if err := consumer.Handle(g, topic, h); err != nil {
		w.t.Fatal(err)
	}
	return g
}

func TestG9UndecodableBytesAreDeadLetteredUnchanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.whole = true
		poison := &kgo.Record{
			Topic: "orders", Key: []byte{0, 0xff}, Value: []byte("!\x00\xfe"),
			Headers: []kgo.RecordHeader{{Key: "a", Value: []byte{1}}, {Key: "a", Value: []byte{2}}, {Key: "b", Value: nil}},
		}
		w.produce(poison)
		w.put("a=1")
		got := newSeen(t)
		r := start(t, w.groupFor(pickyOrders(nil), func(_ context.Context, m *consumer.Message[string]) error { got.add(m.Value); return nil }))
		got.wait(1)
		waitFor(t, "both are committed", func() bool { return w.committed() == 2 })
		r.cleanly()
		d := w.dead()
		if len(d) != 1 || !bytes.Equal(d[0].Key, poison.Key) || !bytes.Equal(d[0].Value, poison.Value) {
			t.Fatalf("dead letters %v, want the poison byte for byte", d)
		}
		for i, h := range poison.Headers {
			if d[0].Headers[i].Key != h.Key || !bytes.Equal(d[0].Headers[i].Value, h.Value) {
				t.Errorf("header %d is %v, want %v", i, d[0].Headers[i], h)
			}
		}
	})
}

func TestG9UnreachableRegistryIsNotPoison(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.whole = true
		w.put("a=1", "b=2")
		var away atomic.Bool
		away.Store(true)
		got := newSeen(t)
		r := start(t, w.groupFor(pickyOrders(&away), func(_ context.Context, m *consumer.Message[string]) error { got.add(m.Value); return nil },
			consumer.Retry(consumer.RetryPolicy{Retries: 2, Max: time.Second})))
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if n, c := len(w.dead()), w.committed(); n != 0 || c > 0 {
			t.Errorf("%d dead letters and %d committed while the registry is away", n, c)
		}
		away.Store(false)
		got.wait(2)
		r.cleanly()
	})
}

func TestG9PanicIsAFailureLikeAnyOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.whole = true
		w.put("bad=1", "good=2", "flaky=3")
		got := newSeen(t)
		r := start(t, w.group(func(_ context.Context, m *consumer.Message[string]) error {
			switch {
			case m.Value == "1", m.Value == "3" && m.Attempt == 1:
				var orders map[string]int
				orders[m.Value]++ //nolint:staticcheck // the panic is the point
			}
			got.add(m.Value)
			return nil
		}))
		got.wait(2)
		waitFor(t, "everything is committed", func() bool { return w.committed() == 3 })
		r.cleanly()
		d := w.dead()
		if len(d) != 1 || string(d[0].Value) != "1" {
			t.Fatalf("dead letters %v, want offset 0", d)
		}
		headers := map[string]string{}
		for _, h := range d[0].Headers {
			headers[h.Key] = string(h.Value)
		}
		if headers["dlt-error-class"] != "panic" || !strings.Contains(headers["dlt-stack"], "poison_test.go") || headers["dlt-attempts"] != "6" {
			t.Errorf("headers %v, want class panic, 6 attempts and a stack that leads here", headers)
		}
	})
}

func TestHandlerTimeoutCancelsWithItsCause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.whole = true
		w.put("slow=1", "slow=2")
		got := newSeen(t)
		began := time.Now()
		r := start(t, w.group(func(ctx context.Context, m *consumer.Message[string]) error {
			if m.Value == "1" && m.Attempt == 1 {
				<-ctx.Done()
				if cause := context.Cause(ctx); !errors.Is(cause, consumer.ErrHandlerTimeout) {
					t.Errorf("the cause is %v, want ErrHandlerTimeout", cause)
				}
				if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
					t.Errorf("the error is %v, want DeadlineExceeded", ctx.Err())
				}
				if d := time.Since(began); d < 10*time.Second || d > 11*time.Second {
					t.Errorf("cancelled after %v, want 10 s", d)
				}
				return ctx.Err()
			}
			got.add(m.Value)
			return nil
		}, consumer.HandlerTimeout(10*time.Second)))
		if all := got.wait(2); all[0] != "1" || all[1] != "2" {
			t.Errorf("handled %v", all)
		}
		r.cleanly()
	})
}

func TestG13HandlerThatIgnoresItsTimeoutIsReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.put("slow=1", "slow=2", "other=3")
		held, got := newGate(), newSeen(t)
		g := w.group(func(_ context.Context, m *consumer.Message[string]) error {
			if m.Value == "1" {
				<-held.open
			}
			got.add(m.Value)
			return nil
		}, consumer.HandlerTimeout(10*time.Second))
		r := start(t, g)
		got.wait(1)
		if !g.Health().OK {
			t.Errorf("health %+v before the timeout", g.Health())
		}
		time.Sleep(11 * time.Second)
		if h := g.Health(); h.OK || h.Reasons[0].Code != "handler-stuck" || h.Reasons[0].Offset != 0 {
			t.Errorf("health %+v, want handler-stuck at offset 0", h)
		}
		if all := got.all(); len(all) != 1 || all[0] != "3" {
			t.Errorf("handled %v while the handler of their key is stuck", all)
		}
		held.pass()
		got.wait(3)
		r.cleanly()
	})
}

func TestGoexitInAHandlerIsAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.whole = true
		w.put("a=1", "b=2")
		got := newSeen(t)
		r := start(t, w.group(func(_ context.Context, m *consumer.Message[string]) error {
			if m.Attempt < 3 && m.Value == "1" {
				exit()
			}
			got.add(m.Value)
			return nil
		}, consumer.Concurrency(1)))
		got.wait(2)
		r.cleanly()
	})
}
