package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/goleak"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/broker"
	"github.com/sordini-go/sordini/broker/brokertest"
	"github.com/sordini-go/sordini/consumer"
	"github.com/sordini-go/sordini/internal/admin"
	"github.com/sordini-go/sordini/internal/history"
	"github.com/sordini-go/sordini/producer"
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
	raw     *kgo.Client
	history *history.Log
	whole   bool // everything that was put has to end
	judge   history.Options
}

// newWorld starts a broker with the topic orders.
func newWorld(t testing.TB, partitions int, opts ...brokertest.Option) *world {
	t.Helper()
	w := &world{t: t, Cluster: brokertest.New(t, append([]brokertest.Option{brokertest.Topic("orders", partitions)}, opts...)...), history: &history.Log{}}
	var err error
	w.raw, err = w.sdk().NewClient(kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(0))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.raw.Close)
	t.Cleanup(func() {
		if w.history == nil {
			return
		}
		w.judge.Open = !w.whole
		if err := history.Check(w.history.Events(), w.judge).Err(); err != nil {
			t.Error(err)
		}
	})
	return w
}

// put writes records to orders[0]: "key=value", or "value" with a null key.
func (w *world) put(records ...string) {
	w.t.Helper()
	for _, s := range records {
		w.produce(record(s))
	}
}

// putTogether writes records to orders[0] in one batch, so that they are fetched together.
func (w *world) putTogether(records ...string) {
	w.t.Helper()
	batch := make([]*kgo.Record, len(records))
	for i, s := range records {
		batch[i] = record(s)
	}
	for _, r := range w.raw.ProduceSync(context.Background(), batch...) {
		if r.Err != nil {
			w.t.Fatalf("produce %s: %v", r.Record.Value, r.Err)
		}
		w.accepted(r.Record)
	}
}

func (w *world) produce(r *kgo.Record) {
	w.t.Helper()
	if err := w.raw.ProduceSync(context.Background(), r).FirstErr(); err != nil {
		w.t.Fatalf("produce %s: %v", r.Value, err)
	}
	w.accepted(r)
}

func (w *world) accepted(r *kgo.Record) {
	w.history.Record(history.Event{Kind: history.Accepted, Member: "test", ID: fmt.Sprint(r.Topic, r.Partition, r.Offset), Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, Key: r.Key})
}

func record(s string) *kgo.Record {
	r := &kgo.Record{Topic: "orders", Value: []byte(s)}
	if k, v, ok := strings.Cut(s, "="); ok {
		r.Key, r.Value = []byte(k), []byte(v)
	}
	return r
}

// sdk is the cluster's settings, with a logger that keeps the tests quiet.
func (w *world) sdk() sordini.Cluster {
	c := w.SDK()
	c.Logger = quiet()
	return c
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// group makes a group named g with one handler for orders.
func (w *world) group(h func(context.Context, *consumer.Message[string]) error, opts ...consumer.Option) *consumer.Group {
	w.t.Helper()
	return w.groupOn(w.sdk(), h, opts...)
}

func (w *world) groupOn(c sordini.Cluster, h func(context.Context, *consumer.Message[string]) error, opts ...consumer.Option) *consumer.Group {
	w.t.Helper()
	g, err := consumer.New(c, "g", append([]consumer.Option{consumer.Observe(w.history)}, opts...)...)
	if err != nil {
		w.t.Fatal(err)
	}
	if err := consumer.Handle(g, orders, h); err != nil {
		w.t.Fatal(err)
	}
	return g
}

// eachKind registers a handler in each of the ways that there are.
var eachKind = map[string]func(*consumer.Group, sordini.Topic[string], func(context.Context, *consumer.Message[string]) error, ...consumer.HandlerOption) error{
	"records": consumer.Handle[string],
	"batches": func(g *consumer.Group, t sordini.Topic[string], h func(context.Context, *consumer.Message[string]) error, opts ...consumer.HandlerOption) error {
		return consumer.HandleBatch(g, t, func(ctx context.Context, batch batchOf) error {
			answers := make(consumer.BatchError, len(batch))
			for i, m := range batch {
				answers[i] = h(ctx, m)
			}
			return answers
		}, opts...)
	},
	"transactions": func(g *consumer.Group, t sordini.Topic[string], h func(context.Context, *consumer.Message[string]) error, opts ...consumer.HandlerOption) error {
		return consumer.HandleTx(g, t, func(ctx context.Context, _ *producer.Tx, m *consumer.Message[string]) error { return h(ctx, m) }, opts...)
	},
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
const patience = 26 * time.Hour

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

// waitFor waits in virtual or real time until f holds.
func waitFor(t testing.TB, what string, f func() bool) {
	t.Helper()
	began := time.Now()
	for !f() {
		waited := time.Since(began)
		if waited > patience {
			t.Fatalf("still not so after %v: %s", patience, what)
		}
		tick := time.NewTimer(max(25*time.Millisecond, min(waited/200, time.Minute))) // who waits for hours looks now and then
		<-tick.C
	}
}

func (w *world) dead() []broker.Record { w.t.Helper(); return w.deadOf("orders") }

// deadOf is the dead letters of partition 0 of a topic.
func (w *world) deadOf(topic string) []broker.Record {
	w.t.Helper()
	rs, err := w.Records(topic+".g.dlt", 0)
	if err != nil && !errors.Is(err, broker.ErrUnknownPartition) {
		w.t.Fatal(err)
	}
	return rs
}

var errBoom = errors.New("boom")

// line is a member's network connection, which can be cut: what a process that dies leaves behind.
type line struct {
	dial func(context.Context, string, string) (net.Conn, error)

	mu    sync.Mutex
	cut   bool
	conns []net.Conn
}

// wire returns the cluster as a member sees it whose connection the test can cut.
func (w *world) wire() (sordini.Cluster, *line) {
	c := w.sdk()
	l := &line{dial: c.Dial}
	c.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.cut {
			return nil, errors.New("the line is cut")
		}
		conn, err := l.dial(ctx, network, addr)
		if err == nil {
			l.conns = append(l.conns, conn)
		}
		return conn, err
	}
	return c, l
}

// sever ends all connections and refuses new ones.
func (l *line) sever() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cut = true
	for _, c := range l.conns {
		c.Close()
	}
}

// fill puts n records with keys of their own to orders[0], in large batches.
func fill(w *world, n int) {
	w.t.Helper()
	var records []*kgo.Record
	for i := range n {
		records = append(records, record(fmt.Sprintf("k%d=%d", i, i)))
	}
	for _, res := range w.raw.ProduceSync(context.Background(), records...) {
		if res.Err != nil {
			w.t.Fatal(res.Err)
		}
		r := res.Record
		w.history.Record(history.Event{Kind: history.Accepted, Member: "test", ID: fmt.Sprint(r.Topic, r.Partition, r.Offset), Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, Key: r.Key})
	}
}

// request sends a raw request to the broker.
func request[R any](w *world, do func(context.Context, kmsg.Requestor) (R, error)) R {
	w.t.Helper()
	resp, err := do(context.Background(), w.raw)
	if err != nil {
		w.t.Fatal(err)
	}
	return resp
}

// recreate deletes a topic and creates it again.
func recreate(w *world, topic string, partitions int) {
	w.t.Helper()
	ctx := context.Background()
	if err := admin.DeleteTopics(ctx, w.raw, topic); err != nil {
		w.t.Fatal(err)
	}
	made, err := admin.CreateTopics(ctx, w.raw, false, admin.NewTopic{Name: topic, Partitions: partitions})
	if err == nil {
		err = made[topic].Err
	}
	if err != nil {
		w.t.Fatal(err)
	}
	w.raw.PurgeTopicsFromClient(topic)
}

// restore commits an offset for a group without members, as a tool does.
func restore(w *world, topic string, offset int64, metadata string) {
	w.t.Helper()
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Group, req.Generation = "g", -1
	t := kmsg.NewOffsetCommitRequestTopic()
	meta, err := admin.Metadata(context.Background(), w.raw, topic)
	if err != nil {
		w.t.Fatal(err)
	}
	t.Topic, t.TopicID = topic, meta.Topic(topic).ID
	p := kmsg.NewOffsetCommitRequestTopicPartition()
	p.Offset, p.LeaderEpoch, p.Metadata = offset, -1, &metadata
	t.Partitions = append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	resp := request(w, req.RequestWith)
	if code := resp.Topics[0].Partitions[0].ErrorCode; code != 0 {
		w.t.Fatalf("commit offset %d: code %d", offset, code)
	}
	w.history.Record(history.Event{Kind: history.Seek, Group: "g", Topic: topic, Offset: offset})
}

func deleteGroup(w *world, name string) {
	w.t.Helper()
	req := kmsg.NewPtrDeleteGroupsRequest()
	req.Groups = []string{name}
	resp := request(w, req.RequestWith)
	if code := resp.Groups[0].ErrorCode; code != 0 {
		w.t.Fatalf("delete group: code %d", code)
	}
}

// exit ends the goroutine, as testing.T.FailNow does.
func exit() { runtime.Goexit() }
