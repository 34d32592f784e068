package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/broker"
	"github.com/sordini-go/sordini/broker/brokertest"
	"github.com/sordini-go/sordini/consumer"
	"github.com/sordini-go/sordini/serde"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// order is what the tests publish: text, so that a test says what it means.
var orders = sordini.Topic[string]{
	Name:  "orders",
	Key:   sordini.KeyString(func(s string) string { return s }),
	Value: serde.String(),
}

// world is a broker and what a test does with it.
type world struct {
	t testing.TB
	*brokertest.Cluster
	raw *kgo.Client
}

// newWorld starts a broker with the topic orders.
func newWorld(t testing.TB, partitions int, opts ...brokertest.Option) *world {
	t.Helper()
	w := &world{t: t, Cluster: brokertest.New(t, append([]brokertest.Option{brokertest.Topic("orders", partitions)}, opts...)...)}
	var err error
	w.raw, err = w.SDK().NewClient(kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(0))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.raw.Close)
	return w
}

// put writes records to orders[0]: "key=value", or "value" with a null key.
func (w *world) put(records ...string) {
	w.t.Helper()
	for _, s := range records {
		w.produce(record(s))
	}
}

func (w *world) produce(r *kgo.Record) {
	w.t.Helper()
	if err := w.raw.ProduceSync(context.Background(), r).FirstErr(); err != nil {
		w.t.Fatalf("produce %s: %v", r.Value, err)
	}
}

func record(s string) *kgo.Record {
	r := &kgo.Record{Topic: "orders", Value: []byte(s)}
	if k, v, ok := strings.Cut(s, "="); ok {
		r.Key, r.Value = []byte(k), []byte(v)
	}
	return r
}

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

// group makes a group named g with one handler for orders.
func (w *world) group(h func(context.Context, *consumer.Message[string]) error, opts ...consumer.Option) *consumer.Group {
	w.t.Helper()
	g, err := consumer.New(w.SDK(), "g", append([]consumer.Option{consumer.Logger(quiet())}, opts...)...)
	if err != nil {
		w.t.Fatal(err)
	}
	if err := consumer.Handle(g, orders, h); err != nil {
		w.t.Fatal(err)
	}
	return g
}

// run is a running group.
type run struct {
	t      testing.TB
	g      *consumer.Group
	cancel context.CancelFunc
	done   chan error
}

func start(t testing.TB, g *consumer.Group) *run {
	ctx, cancel := context.WithCancel(t.Context())
	r := &run{t: t, g: g, cancel: cancel, done: make(chan error, 1)}
	go func() {
		err := g.Run(ctx)
		if ctx.Err() == nil {
			t.Errorf("run ended by itself: %v", err)
		}
		r.done <- err
	}()
	t.Cleanup(cancel)
	return r
}

// stop cancels Run's context and returns what it answered.
func (r *run) stop() error {
	r.t.Helper()
	r.cancel()
	return <-r.done
}

func (r *run) cleanly() {
	r.t.Helper()
	if err := r.stop(); err != nil {
		r.t.Fatalf("run: %v", err)
	}
}

// seen collects what a handler was given.
type seen struct {
	mu   sync.Mutex
	cond *sync.Cond
	list []string
	t    testing.TB
}

// patience is how long a test waits for something, in virtual or real time.
const patience = 30 * time.Minute

func newSeen(t testing.TB) *seen {
	s := &seen{t: t}
	s.cond = sync.NewCond(&s.mu)
	return s
}

func (s *seen) add(x string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list = append(s.list, x)
	s.cond.Broadcast()
}

func (s *seen) all() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.list...)
}

// wait blocks until n things were added, and returns them.
func (s *seen) wait(n int) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	late := false
	limit := time.AfterFunc(patience, func() { s.mu.Lock(); late = true; s.mu.Unlock(); s.cond.Broadcast() })
	defer limit.Stop()
	for len(s.list) < n && !late {
		s.cond.Wait()
	}
	if late {
		s.t.Errorf("waited for %d, saw only %q", n, s.list)
	}
	return append([]string(nil), s.list...)
}

// committed is the group's committed offset of orders[0], -1 for none.
func (w *world) committed() int64 {
	offset, _, ok := w.Committed("g", "orders", 0)
	if !ok {
		return -1
	}
	return offset
}

// until waits in virtual or real time until f holds.
func until(t testing.TB, what string, f func() bool) {
	t.Helper()
	deadline := time.Now().Add(2 * time.Minute)
	for !f() {
		if time.Now().After(deadline) {
			t.Fatalf("still not so after 2 minutes: %s", what)
		}
		tick := time.NewTimer(10 * time.Millisecond)
		<-tick.C
	}
}

func (w *world) dead() []broker.Record {
	w.t.Helper()
	rs, err := w.Records("orders.g.dlt", 0)
	if err != nil {
		w.t.Fatal(err)
	}
	return rs
}

var errBoom = errors.New("boom")

var _ = fmt.Sprint
