package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/broker/brokertest"
	"github.com/sordini-go/sordini/consumer"
	"github.com/sordini-go/sordini/internal/history"
	"github.com/sordini-go/sordini/producer"
	"github.com/sordini-go/sordini/serde"
)

// shipped is what transactional handlers publish: their own name for the record that they were given.
var shipped = sordini.Topic[string]{Name: "shipped", Key: sordini.KeyString(func(s string) string { return s }), Value: serde.String()}

// txWorld is a world with an output topic, whose readers the checker hears at the end.
type txWorld struct {
	*world
	p   *producer.Producer
	out *producer.Publisher[string]
}

func newTxWorld(t testing.TB, partitions int, opts ...brokertest.Option) *txWorld {
	t.Helper()
	w := &txWorld{world: newWorld(t, partitions, append([]brokertest.Option{brokertest.Topic("shipped", 1)}, opts...)...)}
	w.whole = true
	var err error
	if w.p, err = producer.New(w.sdk()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.p.Close(); err != nil {
			t.Error(err)
		}
	})
	if w.out, err = producer.To(w.p, shipped); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.tellOutputs() })
	return w
}

type txHandler = func(context.Context, *producer.Tx, *consumer.Message[string]) error

// ship sends one output for each record.
func (w *txWorld) ship(ctx context.Context, tx *producer.Tx, m *consumer.Message[string]) error {
	return w.out.In(tx).Send(ctx, output(m))
}

// output is the one output of a record.
func output(m *consumer.Message[string]) string {
	return fmt.Sprintf("%s[%d]@%d", m.Record.Topic, m.Record.Partition, m.Record.Offset)
}

func (w *txWorld) txGroup(h txHandler, opts ...consumer.Option) *consumer.Group {
	w.t.Helper()
	return w.txGroupOn(w.sdk(), h, opts...)
}

func (w *txWorld) txGroupOn(c sordini.Cluster, h txHandler, opts ...consumer.Option) *consumer.Group {
	w.t.Helper()
	g, err := consumer.New(c, "g", append([]consumer.Option{consumer.Observe(w.history)}, opts...)...)
	if err != nil {
		w.t.Fatal(err)
	}
	if err := consumer.HandleTx(g, orders, h); err != nil {
		w.t.Fatal(err)
	}
	return g
}

// visible is what a read_committed reader finds in the output topic, in its order.
func (w *txWorld) visible() (values []string) {
	w.t.Helper()
	for _, r := range w.read("shipped") {
		values = append(values, string(r.Value))
	}
	return values
}

// read reads partition 0 of a topic to its last stable offset, as an independent reader.
func (w *txWorld) read(topic string) (records []*kgo.Record) {
	w.t.Helper()
	cl, err := w.sdk().NewClient(kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {0: kgo.NewOffset().AtStart()}}), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.FetchMaxWait(100*time.Millisecond))
	if err != nil {
		w.t.Fatal(err)
	}
	defer cl.Close()
	for {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		fetches := cl.PollFetches(ctx)
		cancel()
		if errors.Is(fetches.Err0(), context.DeadlineExceeded) {
			return records
		}
		records = append(records, fetches.Records()...)
	}
}

// tellOutputs tells the history what is visible, so that the checker can judge G11.
func (w *txWorld) tellOutputs() {
	if w.history == nil {
		return
	}
	end := int64(0)
	for _, r := range w.read("shipped") {
		w.history.Record(history.Event{Kind: history.Found, Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, Key: r.Key, ID: consumer.OutputID(r)})
		end = r.Offset + 1
	}
	w.history.Record(history.Event{Kind: history.Scanned, Topic: "shipped", Ranges: []history.Range{{From: 0, To: end + 1}}})
}

// ended waits until everything below offset is committed.
func (w *txWorld) ended(offset int64) {
	w.t.Helper()
	waitFor(w.t, fmt.Sprintf("offset %d is committed", offset), func() bool { return w.committed() >= offset })
}

func TestTransactionCarriesOutputAndOffset(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTxWorld(t, 1)
		w.put("a=1", "b=2", "a=3")
		r := start(t, w.txGroup(w.ship))
		w.ended(3)
		r.cleanly()
		if got, want := w.visible(), []string{"orders[0]@0", "orders[0]@1", "orders[0]@2"}; !slices.Equal(slices.Sorted(slices.Values(got)), want) {
			t.Errorf("visible: %q, want %q", got, want)
		}
	})
}

func TestHandlerWithoutOutputCommitsItsOffset(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTxWorld(t, 1)
		w.put("a=1", "b=2")
		r := start(t, w.txGroup(func(context.Context, *producer.Tx, *consumer.Message[string]) error { return nil }))
		w.ended(2)
		r.cleanly()
		if got := w.visible(); len(got) != 0 {
			t.Errorf("visible: %q", got)
		}
	})
}

func TestFailedAttemptLeavesNoOutput(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTxWorld(t, 1)
		w.put("a=1", "a=2")
		r := start(t, w.txGroup(func(ctx context.Context, tx *producer.Tx, m *consumer.Message[string]) error {
			if err := w.out.In(tx).Send(ctx, fmt.Sprintf("%s attempt %d", output(m), m.Attempt)); err != nil {
				return err
			}
			if m.Record.Offset == 0 && m.Attempt < 3 {
				return errBoom
			}
			return nil
		}))
		w.ended(2)
		r.cleanly()
		if got, want := w.visible(), []string{"orders[0]@0 attempt 3", "orders[0]@1 attempt 1"}; !slices.Equal(got, want) {
			t.Errorf("visible: %q, want %q", got, want)
		}
	})
}

func TestOneHundredHandlersAtOnceOneFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTxWorld(t, 1)
		for i := range 100 {
			w.put(fmt.Sprintf("k%d=%d", i, i))
		}
		var all sync.WaitGroup
		all.Add(100)
		r := start(t, w.txGroup(func(ctx context.Context, tx *producer.Tx, m *consumer.Message[string]) error {
			if err := w.ship(ctx, tx, m); err != nil {
				return err
			}
			if m.Attempt == 1 {
				all.Done()
				all.Wait() // all of them at the same time
			}
			if m.Value == "42" {
				return consumer.Permanent(errBoom)
			}
			return nil
		}, consumer.Concurrency(100)))
		w.ended(100)
		r.cleanly()
		got := w.visible()
		if len(got) != 99 || slices.Contains(got, "orders[0]@42") {
			t.Errorf("%d outputs are visible, want all but that of the handler that failed", len(got))
		}
		if dead := w.dead(); len(dead) != 1 || string(dead[0].Value) != "42" {
			t.Errorf("%d dead letters", len(dead))
		}
	})
}

func TestPlainSendInTransactionalHandlerIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTxWorld(t, 1)
		w.put("a=1")
		got := make(chan error, 3)
		r := start(t, w.txGroup(func(ctx context.Context, tx *producer.Tx, m *consumer.Message[string]) error {
			derived, cancel := context.WithTimeout(ctx, time.Second)
			defer cancel()
			got <- w.out.Send(derived, "plain")
			w.out.SendAsync(ctx, "plain", func(_ producer.Receipt, err error) { got <- err })
			got <- w.out.SendBatch(ctx, []string{"plain"})
			return nil
		}))
		for range 3 {
			if err := <-got; !errors.Is(err, producer.ErrOutsideTransaction) || !errors.Is(err, producer.ErrNotWritten) {
				t.Errorf("plain send: %v", err)
			}
		}
		w.ended(1)
		r.cleanly()
		if got := w.visible(); len(got) != 0 {
			t.Errorf("visible: %q", got)
		}
	})
}
