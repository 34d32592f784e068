package producer_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/broker/brokertest"
	"github.com/sordini-go/sordini/producer"
	"github.com/sordini-go/sordini/serde"
)

func TestSendWritesKeyValueAndHeaders(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, nil, producer.Source("order-service"))
		typed := orders("orders")
		typed.Type = "order.placed"
		ctx := sordini.WithCorrelationID(context.Background(), "c-1")
		at := time.Date(1999, 1, 2, 3, 4, 5, 0, time.UTC)
		if err := publisher(t, f.p, typed).Send(ctx, order{ID: "17", Text: "x"}, producer.Header("tenant", []byte("a")), producer.Timestamp(at)); err != nil {
			t.Fatal(err)
		}
		if err := f.pub.Send(context.Background(), order{ID: "18"}); err != nil {
			t.Fatal(err)
		}
		all := f.all("orders")
		first, second := all[0], all[1]
		if string(first.Key) != "17" || string(first.Value) != `{"ID":"17","Text":"x"}` || !first.Timestamp.Equal(at) {
			t.Errorf("%+v", first)
		}
		headers := func(i int) map[string]string {
			m := map[string]string{}
			for _, h := range all[i].Headers {
				if _, twice := m[h.Key]; twice {
					t.Errorf("header %s twice", h.Key)
				}
				m[h.Key] = string(h.Value)
			}
			return m
		}
		if h := headers(0); h["correlation-id"] != "c-1" || h["source"] != "order-service" || h["type"] != "order.placed" || h["tenant"] != "a" || len(h) != 4 {
			t.Errorf("headers %v", h)
		}
		if h := headers(1); len(h["correlation-id"]) != 36 || h["source"] != "order-service" || len(h) != 2 {
			t.Errorf("headers %v", h)
		}
		if second.Timestamp.Before(time.Now().Add(-time.Minute)) {
			t.Errorf("timestamp %s", second.Timestamp)
		}
	})
}

func TestSourceIsTheClientIDByDefault(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, nil)
		f.warm()
		for _, h := range f.all("orders")[0].Headers {
			if h.Key == "source" && string(h.Value) != "shop" {
				t.Errorf("source is %q", h.Value)
			}
		}
	})
}

func TestNullAndEmptyAreToldApart(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, []brokertest.Option{brokertest.Topic("orders", 1), brokertest.Topic("plain", 1)})
		ctx := context.Background()
		bytesOf := sordini.Topic[[]byte]{Name: "plain", Key: sordini.Unkeyed[[]byte](), Value: serde.Bytes()}
		keyed := sordini.Topic[string]{Name: "plain", Key: sordini.KeyString(func(s string) string { return s }), Value: serde.String()}
		if err := publisher(t, f.p, bytesOf).Send(ctx, []byte{}); err != nil {
			t.Fatal(err)
		}
		if err := publisher(t, f.p, keyed).Send(ctx, ""); err != nil {
			t.Fatal(err)
		}
		if err := publisher(t, f.p, keyed).Delete(ctx, "k"); err != nil {
			t.Fatal(err)
		}
		all := f.all("plain")
		for i, want := range []struct{ nullKey, nullValue bool }{{true, false}, {false, false}, {false, true}} {
			if r := all[i]; (r.Key == nil) != want.nullKey || (r.Value == nil) != want.nullValue {
				t.Errorf("record %d has key %#v and value %#v", i, r.Key, r.Value)
			}
		}
		if err := publisher(t, f.p, bytesOf).Delete(ctx, nil); !errors.Is(err, sordini.ErrContract) || !errors.Is(err, producer.ErrNotWritten) {
			t.Errorf("deleting without a key: %v", err)
		}
	})
}

func TestSendBatchJoinsOneErrorForEachRecordThatFailed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, nil)
		ctx := context.Background()
		if err := f.pub.SendBatch(ctx, nil); err != nil {
			t.Errorf("an empty batch: %v", err)
		}
		batch := []order{{ID: "0"}, {ID: "1", Text: strings.Repeat("x", 2<<20)}, {ID: "2"}, {ID: "3", Text: strings.Repeat("x", 2<<20)}, {ID: "4"}}
		err := f.pub.SendBatch(ctx, batch)
		if !errors.Is(err, producer.ErrTooLarge) || errors.Is(err, producer.ErrOutcomeUnknown) {
			t.Fatal(err)
		}
		lines := strings.Split(err.Error(), "\n")
		if len(lines) != 2 || !strings.HasPrefix(lines[0], "record 1: ") || !strings.HasPrefix(lines[1], "record 3: ") {
			t.Errorf("%v", err)
		}
		if got := f.ids(); !slices.Equal(got, []string{"0", "2", "4"}) {
			t.Errorf("on the log: %v", got)
		}
	})
}

func TestReceiptSaysWhereTheRecordIs(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, []brokertest.Option{brokertest.Topic("orders", 5)})
		var o outcomes
		for _, id := range sequence(100) {
			o.send(context.Background(), f.pub, id)
		}
		if failed := o.wait(t); len(failed) > 0 {
			t.Fatal(failed)
		}
		for p := range int32(5) {
			rs, err := f.Records("orders", p)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range rs {
				if got := o.of[string(r.Key)].receipt; got.Topic != "orders" || got.Partition != p || got.Offset != r.Offset || !got.Timestamp.Equal(r.Timestamp) {
					t.Errorf("key %s is at %s[%d]@%d, its receipt says %+v", r.Key, "orders", p, r.Offset, got)
				}
			}
		}
	})
}

func TestErrorsOfEncodingAreNotWritten(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, nil)
		broken := sordini.Topic[float64]{Name: "orders", Key: sordini.Unkeyed[float64](), Value: serde.JSON[float64]()}
		pub := publisher(t, f.p, broken)
		nan := 0.0
		nan /= nan
		if err := pub.Send(context.Background(), nan); !errors.Is(err, producer.ErrEncode) || !errors.Is(err, producer.ErrNotWritten) {
			t.Errorf("Send: %v", err)
		}
		got := make(chan error, 1)
		pub.SendAsync(context.Background(), nan, func(_ producer.Receipt, err error) { got <- err })
		if err := <-got; !errors.Is(err, producer.ErrEncode) {
			t.Errorf("SendAsync: %v", err)
		}
		if err := pub.SendBatch(context.Background(), []float64{1, nan}); !errors.Is(err, producer.ErrEncode) || !strings.HasPrefix(err.Error(), "record 1: ") {
			t.Errorf("SendBatch: %v", err)
		}
	})
}

func TestMiddlewareWrapsEverySendFirstOutermost(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var seen []string
		mark := func(name string) sordini.SendMiddleware {
			return func(next sordini.Sender) sordini.Sender {
				return func(ctx context.Context, r *sordini.Record, done func(*sordini.Record, error)) {
					seen = append(seen, name+" before "+r.Headers.Text("source"))
					next(ctx, r, func(r *sordini.Record, err error) {
						seen = append(seen, fmt.Sprint(name, " after ", r.Offset, " ", err))
						done(r, err)
					})
				}
			}
		}
		f := start(t, nil, producer.Source("s"), producer.Middleware(mark("a"), mark("b")))
		if err := f.pub.Send(context.Background(), order{ID: "1"}); err != nil {
			t.Fatal(err)
		}
		if want := []string{"a before s", "b before s", "b after 0 <nil>", "a after 0 <nil>"}; !slices.Equal(seen, want) {
			t.Errorf("%q, want %q", seen, want)
		}
	})
}

func TestCallbacksThatBlockHoldUpNoAcknowledgement(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, nil)
		ctx := context.Background()
		blocked, free := make(chan struct{}), make(chan struct{})
		f.pub.SendAsync(ctx, order{ID: "0"}, func(producer.Receipt, error) {
			close(blocked)
			<-free
		})
		<-blocked
		for i := range 100 {
			if err := f.pub.Send(ctx, order{ID: fmt.Sprint(i)}); err != nil {
				t.Fatal(err)
			}
		}
		after := make(chan error, 1)
		f.pub.SendAsync(ctx, order{ID: "x"}, func(producer.Receipt, error) { after <- f.pub.Send(ctx, order{ID: "from a callback"}) })
		close(free)
		if err := <-after; err != nil {
			t.Errorf("a callback that sends: %v", err)
		}
	})
}

func TestCallbacksThatPanicTakeNobodyWithThem(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, nil)
		f.pub.SendAsync(context.Background(), order{ID: "0"}, func(producer.Receipt, error) { panic("boom") })
		f.pub.SendAsync(context.Background(), order{ID: "1"}, nil)
		f.warm()
		if err := f.p.Close(); err != nil {
			t.Error(err)
		}
		if !strings.Contains(f.log.String(), "boom") {
			t.Error("the panic is not in the log")
		}
	})
}

func TestLoopOfSynchronousSendsIsReportedOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, nil)
		slow := f.Inject(slowProduce)
		defer slow.Remove()
		const report = "one at a time"
		for range 999 {
			f.warm()
		}
		if strings.Contains(f.log.String(), report) {
			t.Fatal("reported too early")
		}
		for range 2500 {
			f.warm()
		}
		if n := strings.Count(f.log.String(), report); n != 1 {
			t.Errorf("reported %d times", n)
		}
	})
}

func TestSendsSideBySideAreNoLoop(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, nil)
		slow := f.Inject(slowProduce)
		defer slow.Remove()
		done := make(chan struct{})
		for range 4 {
			go func() {
				for range 1000 {
					f.warm()
				}
				done <- struct{}{}
			}()
		}
		for range 4 {
			<-done
		}
		if strings.Contains(f.log.String(), "one at a time") {
			t.Error(f.log)
		}
	})
}
