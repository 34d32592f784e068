package producer_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/broker"
	"github.com/sordini-go/sordini/broker/brokertest"
	"github.com/sordini-go/sordini/internal/admin"
	"github.com/sordini-go/sordini/producer"
	"github.com/sordini-go/sordini/serde"
)

type order struct {
	ID   string
	Text string
}

// orders is the contract of the tests.
func orders(name string) sordini.Topic[order] {
	return sordini.Topic[order]{Name: name, Key: sordini.KeyString(func(o order) string { return o.ID }), Value: serde.JSON[order]()}
}

// bubble runs a test in virtual time.
func bubble(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, test)
}

// fixture is a broker, a producer and a publisher to the topic "orders".
type fixture struct {
	*brokertest.Cluster
	t   *testing.T
	p   *producer.Producer
	pub *producer.Publisher[order]
	log *lines
}

// start starts one broker with "orders" of one partition, unless topics are given.
func start(t *testing.T, with []brokertest.Option, opts ...producer.Option) *fixture {
	t.Helper()
	if with == nil {
		with = []brokertest.Option{brokertest.Topic("orders", 1)}
	}
	f := &fixture{Cluster: brokertest.New(t, with...), t: t, log: new(lines)}
	cluster := f.SDK()
	cluster.ClientID = "shop"
	cluster.Logger = slog.New(slog.NewTextHandler(f.log, nil))
	p, err := producer.New(cluster, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() }) // its error is a test's to look at
	f.p = p
	f.pub = publisher(t, p, orders("orders"))
	return f
}

func publisher[T any](t *testing.T, p *producer.Producer, topic sordini.Topic[T]) *producer.Publisher[T] {
	t.Helper()
	pub, err := producer.To(p, topic)
	if err != nil {
		t.Fatal(err)
	}
	return pub
}

// warm sends one record, so that topic and connections are known.
func (f *fixture) warm() {
	f.t.Helper()
	if err := f.pub.Send(context.Background(), order{ID: "warm"}); err != nil {
		f.t.Fatal(err)
	}
}

// know makes the producer find a topic out without connecting to the leader of its partitions: the record is refused for its size.
func (f *fixture) know(topic string) {
	f.t.Helper()
	if err := publisher(f.t, f.p, orders(topic)).Send(context.Background(), order{Text: strings.Repeat("x", 2<<20)}); !errors.Is(err, producer.ErrTooLarge) {
		f.t.Fatal(err)
	}
}

// ids returns the keys of the records of "orders", partition after partition, without the one of warm.
func (f *fixture) ids() (ids []string) {
	f.t.Helper()
	for _, r := range f.all("orders") {
		if string(r.Key) != "warm" {
			ids = append(ids, string(r.Key))
		}
	}
	return ids
}

func (f *fixture) all(topic string) (all []broker.Record) {
	f.t.Helper()
	for p := range int32(f.Partitions(topic)) {
		rs, err := f.Records(topic, p)
		if err != nil {
			f.t.Fatal(err)
		}
		all = append(all, rs...)
	}
	return all
}

// outcome is what became of one asynchronous send.
type outcome struct {
	receipt producer.Receipt
	err     error
	calls   int
}

// outcomes collects those of many.
type outcomes struct {
	wg sync.WaitGroup
	mu sync.Mutex // guards got
	of map[string]*outcome
}

func (o *outcomes) send(ctx context.Context, pub *producer.Publisher[order], id string) {
	o.wg.Add(1)
	pub.SendAsync(ctx, order{ID: id}, func(r producer.Receipt, err error) {
		o.mu.Lock()
		defer o.mu.Unlock()
		if o.of == nil {
			o.of = map[string]*outcome{}
		}
		if o.of[id] == nil {
			o.of[id] = new(outcome)
			o.wg.Done()
		}
		o.of[id].receipt, o.of[id].err = r, err
		o.of[id].calls++
	})
}

// wait waits for all and returns what failed.
func (o *outcomes) wait(t *testing.T) (failed map[string]error) {
	t.Helper()
	o.wg.Wait()
	o.mu.Lock()
	defer o.mu.Unlock()
	failed = map[string]error{}
	for id, x := range o.of {
		if x.calls != 1 {
			t.Errorf("the callback of %s was called %d times", id, x.calls)
		}
		if x.err != nil {
			failed[id] = x.err
		}
	}
	return failed
}

// sequence returns the ids from "0" on.
func sequence(n int) (ids []string) {
	for i := range n {
		ids = append(ids, fmt.Sprint(i))
	}
	return ids
}

// lines is a log that is kept.
type lines struct {
	mu sync.Mutex // guards b
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// within fails the test when what began then took longer.
func within(t *testing.T, began time.Time, limit time.Duration) {
	t.Helper()
	if took := time.Since(began); took > limit {
		t.Errorf("it took %s, longer than %s", took, limit)
	}
}

// admin runs what a person would do with the cluster's tools.
func (f *fixture) admin(do func(ctx context.Context, cl *kgo.Client) error) {
	f.t.Helper()
	cl, err := f.SDK().NewClient()
	if err != nil {
		f.t.Fatal(err)
	}
	defer cl.Close()
	if err := do(context.Background(), cl); err != nil {
		f.t.Fatal(err)
	}
}

func (f *fixture) createTopic(name string, partitions int) {
	f.t.Helper()
	f.admin(func(ctx context.Context, cl *kgo.Client) error {
		got, err := admin.CreateTopics(ctx, cl, false, admin.NewTopic{Name: name, Partitions: partitions})
		if err != nil {
			return err
		}
		return got[name].Err
	})
}

func (f *fixture) deleteTopic(name string) {
	f.t.Helper()
	f.admin(func(ctx context.Context, cl *kgo.Client) error { return admin.DeleteTopics(ctx, cl, name) })
}

func (f *fixture) addPartitions(name string, total int) {
	f.t.Helper()
	f.admin(func(ctx context.Context, cl *kgo.Client) error { return admin.CreatePartitions(ctx, cl, name, total) })
}
