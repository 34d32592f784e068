package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/broker"
	"github.com/sordini-go/sordini/broker/brokertest"
	"github.com/sordini-go/sordini/consumer"
	"github.com/sordini-go/sordini/dlt"
	"github.com/sordini-go/sordini/internal/history"
	"github.com/sordini-go/sordini/producer"
)

// vault is a claim store in memory, which may be away.
type vault struct {
	mu     sync.Mutex
	values map[string][]byte
	gets   int
	err    error // of Get
}

func (v *vault) Put(_ context.Context, name string, value []byte) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.values == nil {
		v.values = map[string][]byte{}
	}
	v.values[name] = slices.Clone(value)
	return nil
}

func (v *vault) Get(_ context.Context, name string) ([]byte, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.gets++
	if v.err != nil {
		return nil, v.err
	}
	if x, ok := v.values[name]; ok {
		return slices.Clone(x), nil
	}
	return nil, fs.ErrNotExist
}

func (v *vault) with(do func()) {
	v.mu.Lock()
	defer v.mu.Unlock()
	do()
}

// large is a value that is kept elsewhere, known by its first letter.
func large(letter string) string { return strings.Repeat(letter, 2000) }

// send publishes with a claim check from 1,000 bytes on.
func (w *world) send(v *vault, values ...string) {
	w.t.Helper()
	p, err := producer.New(w.sdk(), producer.ClaimCheck(v, 1000))
	if err != nil {
		w.t.Fatal(err)
	}
	defer p.Close()
	pub, err := producer.To(p, sordini.Topic[string]{Name: "orders", Key: sordini.KeyString(func(s string) string { return s[:1] }), Value: orders.Value})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, x := range values {
		done := make(chan error)
		pub.SendAsync(w.t.Context(), x, func(r producer.Receipt, err error) {
			if err == nil {
				w.history.Record(history.Event{Kind: history.Accepted, Member: "test", ID: fmt.Sprint(r.Topic, r.Partition, r.Offset), Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, Key: []byte(x[:1])})
			}
			done <- err
		})
		if err := <-done; err != nil {
			w.t.Fatal(err)
		}
	}
}

// isReference reports whether a record on the log has a reference in place of its value.
func isReference(r broker.Record) bool {
	return r.Value != nil && len(r.Value) == 0 && slices.ContainsFunc(r.Headers, func(h broker.Header) bool { return h.Key == sordini.HeaderClaimCheck })
}

// TestClaimedValueOnItsWholeWay: in place, through the inbox, to the dead letters and back by a redrive. Each time it is the reference that travels, and the handler has
// the value.
func TestClaimedValueOnItsWholeWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.whole = true
		v := new(vault)
		w.send(v, large("a"), "small", large("b"))
		got := newSeen(t)
		var cured atomic.Bool
		r := start(t, w.group(func(_ context.Context, m *consumer.Message[string]) error {
			if _, left := m.Record.Headers.Get(sordini.HeaderClaimCheck); left || string(m.Record.Value) != m.Value {
				t.Errorf("the record's value has %d bytes, its headers are %v", len(m.Record.Value), m.Record.Headers)
			}
			if strings.HasPrefix(m.Value, "a") && len(m.Value) == 2000 && !cured.Load() {
				return errBoom
			}
			got.add(m.Value)
			return nil
		}, consumer.ClaimCheck(v), consumer.Retry(consumer.RetryPolicy{Retries: 1}), consumer.RetryLater(time.Hour)))
		waitFor(t, "one is dead", func() bool { return len(w.dead()) == 1 && w.committed() == 3 })
		if hops, err := w.Records("orders.g.retry", 0); err != nil || len(hops) != 1 || !isReference(hops[0]) {
			t.Errorf("inbox: %v, %v", hops, err)
		}
		if dead := w.dead()[0]; !isReference(dead) {
			t.Errorf("dead letter: %v", dead)
		}
		cured.Store(true)
		n, _ := w.Records("orders.g.retry", 0)
		if out, err := dlt.Redrive(t.Context(), w.sdk(), dlt.Redriving{Group: "g", All: true}); err != nil || out.Count != 1 {
			t.Fatalf("%+v, %v", out, err)
		}
		w.tellRedriven(len(n))
		all := got.wait(3)
		slices.Sort(all)
		if !slices.Equal(all, []string{large("a"), large("b"), "small"}) {
			t.Errorf("handled %d values, lengths %d %d %d", len(all), len(all[0]), len(all[1]), len(all[2]))
		}
		r.cleanly()
	})
}

func TestStoreThatIsAwayKillsNoRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.whole = true
		v := &vault{err: errors.New("connection refused")}
		w.send(v, large("a"), "small", large("a"))
		got := newSeen(t)
		r := start(t, w.group(func(_ context.Context, m *consumer.Message[string]) error {
			if m.Attempt != 1 {
				t.Errorf("attempt %d: what the store refused was counted", m.Attempt)
			}
			got.add(m.Value[:1])
			return nil
		}, consumer.ClaimCheck(v)))
		if all := got.wait(1); all[0] != "s" {
			t.Errorf("%v", all)
		}
		time.Sleep(time.Hour)
		if n := len(w.dead()); n != 0 || r.g.Health().OK {
			t.Errorf("%d dead letters; health: %v", n, r.g.Health())
		}
		v.with(func() { v.err = nil })
		got.wait(3)
		r.cleanly()
	})
}

func TestValueThatIsMissingOrChangedDies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.whole = true
		v := new(vault)
		w.send(v, large("a"), large("b"), large("c"))
		v.with(func() {
			for name, x := range v.values {
				switch x[0] {
				case 'a':
					delete(v.values, name)
				case 'b':
					x[7]++
				}
			}
		})
		got := newSeen(t)
		r := start(t, w.group(func(_ context.Context, m *consumer.Message[string]) error {
			got.add(m.Value[:1])
			return nil
		}, consumer.ClaimCheck(v)))
		waitFor(t, "all is committed", func() bool { return w.committed() == 3 })
		r.cleanly()
		if all := got.all(); !slices.Equal(all, []string{"c"}) {
			t.Errorf("handled %v", all)
		}
		classes := map[string]string{}
		for _, d := range w.dead() {
			classes[string(d.Key)] = header(d, dlt.HeaderErrorClass) + " " + header(d, dlt.HeaderAttempts)
			if !isReference(d) {
				t.Errorf("dead letter %v", d)
			}
		}
		if classes["a"] != "exhausted 6" || classes["b"] != "decode 1" { // missing may be late: it is retried
			t.Errorf("%v", classes)
		}
	})
}

func header(r broker.Record, key string) string {
	for _, h := range r.Headers {
		if h.Key == key {
			return string(h.Value)
		}
	}
	return ""
}

// A group that was not given the store must not take an empty value for the record's.
func TestReferenceIsNoValueForWhoHasNoStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.whole = true
		w.send(new(vault), large("a"), "small")
		got := newSeen(t)
		r := start(t, w.group(func(_ context.Context, m *consumer.Message[string]) error {
			got.add(m.Value)
			return nil
		}))
		waitFor(t, "all is committed", func() bool { return w.committed() == 2 })
		r.cleanly()
		if all := got.all(); !slices.Equal(all, []string{"small"}) {
			t.Errorf("handled %q", all)
		}
		if dead := w.dead(); len(dead) != 1 || header(dead[0], dlt.HeaderErrorClass) != "decode" || !strings.Contains(header(dead[0], dlt.HeaderError), "consumer.ClaimCheck") {
			t.Errorf("%v", dead)
		}
	})
}

func TestBatchesHaveClaimedValuesWithinTheirBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.whole = true
		v := new(vault)
		for range 3 {
			w.send(v, large("a"), large("b"), large("c"), large("d"))
		}
		missing := ""
		v.with(func() {
			for name, x := range v.values {
				if x[0] == 'd' {
					missing = name
				}
			}
		})
		kept := v.values[missing]
		v.with(func() { delete(v.values, missing) })
		got := newSeen(t)
		g, err := consumer.New(w.sdk(), "g", consumer.Observe(w.history), consumer.ClaimCheck(v))
		if err != nil {
			t.Fatal(err)
		}
		err = consumer.HandleBatch(g, orders, func(_ context.Context, ms []*consumer.Message[string]) error {
			bytes := 0
			for _, m := range ms {
				got.add(m.Value[:1])
				bytes += len(m.Value)
			}
			if bytes > 7000 {
				t.Errorf("a batch of %d bytes", bytes)
			}
			return nil
		}, consumer.BatchBytes(7000))
		if err != nil {
			t.Fatal(err)
		}
		r := start(t, g)
		got.wait(9)
		v.with(func() { v.values[missing] = kept }) // in time
		got.wait(12)
		waitFor(t, "all is committed", func() bool { return w.committed() == 12 })
		r.cleanly()
		if n := len(w.dead()); n != 0 {
			t.Errorf("%d dead letters: one value that is missing is no other record's fault", n)
		}
	})
}

// Of values that are kept elsewhere no more are in handlers at the same time than MaxInFlight has bytes; one that is larger is alone.
func TestG8ClaimedValuesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.whole = true
		v := new(vault)
		for i := range 26 {
			w.send(v, large(string(rune('a'+i))))
		}
		w.send(v, strings.Repeat("A", 9000))
		var mu sync.Mutex
		held, most := 0, 0
		r := start(t, w.group(func(_ context.Context, m *consumer.Message[string]) error {
			n := len(m.Value)
			mu.Lock()
			if held += n; held > 5000 && held != 9000 {
				t.Errorf("%d bytes at once", held)
			}
			most = max(most, held)
			mu.Unlock()
			time.Sleep(time.Second)
			mu.Lock()
			held -= n
			mu.Unlock()
			if m.Record.Offset == 3 && m.Attempt == 1 {
				panic("no")
			}
			return nil
		}, consumer.ClaimCheck(v), consumer.MaxInFlight(1000, 5000), consumer.Concurrency(50)))
		waitFor(t, "all is committed", func() bool { return w.committed() == 27 })
		r.cleanly()
		if most != 9000 {
			t.Errorf("most at once: %d bytes", most)
		}
	})
}

func TestTransactionalHandlerHasClaimedValues(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTxWorld(t, 1, brokertest.Brokers(1))
		v := new(vault)
		w.send(v, large("a"), large("b"))
		r := start(t, w.txGroup(func(ctx context.Context, tx *producer.Tx, m *consumer.Message[string]) error {
			if len(m.Value) != 2000 {
				t.Errorf("%d bytes", len(m.Value))
			}
			return w.ship(ctx, tx, m)
		}, consumer.ClaimCheck(v)))
		w.ended(2)
		r.cleanly()
	})
}

// Middleware that asks for the value, or that makes a record of its own, has the value too.
func TestMiddlewareHasClaimedValues(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.whole = true
		v := new(vault)
		w.send(v, large("a"))
		got := newSeen(t)
		asks := func(next sordini.Handler) sordini.Handler {
			return func(ctx context.Context, d *sordini.Delivery) error {
				if x, err := d.Value(); err != nil || len(x.(string)) != 2000 {
					t.Errorf("%v, %v", x, err)
				}
				if d.TopicID == [16]byte{} {
					t.Error("the topic's id is not there")
				}
				return next(ctx, d)
			}
		}
		makes := func(next sordini.Handler) sordini.Handler {
			return func(ctx context.Context, d *sordini.Delivery) error {
				r := *d.Record
				return next(ctx, sordini.NewDelivery(&r, d.Group, d.Attempt, d.Fence, nil))
			}
		}
		for _, m := range [][]sordini.AttemptMiddleware{{asks}, {makes}} {
			r := start(t, w.group(func(_ context.Context, m *consumer.Message[string]) error {
				got.add(m.Value)
				return nil
			}, consumer.ClaimCheck(v), consumer.Middleware(m...)))
			waitFor(t, "all is committed", func() bool { return w.committed() == int64(len(got.all())) && w.committed() > 0 })
			r.cleanly()
			w.send(v, large("b"))
		}
		r := start(t, w.group(func(_ context.Context, m *consumer.Message[string]) error {
			got.add(m.Value)
			return nil
		}, consumer.ClaimCheck(v)))
		for _, x := range got.wait(3) {
			if len(x) != 2000 {
				t.Errorf("%d bytes", len(x))
			}
		}
		waitFor(t, "all is committed", func() bool { return w.committed() == 3 })
		r.cleanly()
	})
}

func TestClaimCheckNeedsAStore(t *testing.T) {
	if _, err := consumer.New(sordini.Cluster{Brokers: []string{"127.0.0.1:1"}}, "g", consumer.ClaimCheck(nil)); !errors.Is(err, consumer.ErrConfig) || !strings.Contains(err.Error(), "ClaimCheck") {
		t.Error(err)
	}
}
