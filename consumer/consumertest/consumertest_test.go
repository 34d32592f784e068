package consumertest_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"go.uber.org/goleak"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/consumer"
	"github.com/sordini-go/sordini/consumer/consumertest"
	"github.com/sordini-go/sordini/dlt"
	"github.com/sordini-go/sordini/serde"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type order struct {
	ID    string
	Total int
}

var placed = sordini.Topic[order]{
	Name: "orders", Key: sordini.KeyString(func(o order) string { return o.ID }), Value: serde.JSON[order](),
}

func TestEachRecordHasItsOutcome(t *testing.T) {
	errDown := errors.New("database is down")
	results := consumertest.Run(t, placed, func(_ context.Context, m *consumer.Message[order]) error {
		switch m.Value.ID {
		case "permanent":
			return consumer.Permanent(errors.New("no such customer"))
		case "exhausted":
			return errDown
		case "third":
			if m.Attempt < 3 {
				return errDown
			}
		case "skip":
			return consumer.Skip(errors.New("a test order"))
		case "panic":
			panic("nil map")
		}
		return nil
	}, order{ID: "good"}, order{ID: "permanent"}, order{ID: "exhausted"}, order{ID: "third"}, order{ID: "skip"}, order{ID: "panic"})
	type brief struct {
		Outcome  consumertest.Outcome
		Attempts int
		Class    dlt.Class
	}
	var got []brief
	for _, r := range results {
		got = append(got, brief{r.Outcome, r.Attempts, r.Class})
	}
	want := []brief{
		{consumertest.Handled, 1, ""},
		{consumertest.DeadLettered, 1, dlt.Permanent},
		{consumertest.DeadLettered, 6, dlt.Exhausted},
		{consumertest.Handled, 3, ""},
		{consumertest.Skipped, 1, ""},
		{consumertest.DeadLettered, 6, dlt.Panic},
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	if !errors.Is(results[2].Err, errDown) || !errors.Is(results[5].Err, consumer.ErrPanic) {
		t.Errorf("errors are %v and %v, want those of the handler", results[2].Err, results[5].Err)
	}
}

func TestUndecodableBytesAreDeadLetteredUnchanged(t *testing.T) {
	g := consumertest.Group(t, placed, func(context.Context, *consumer.Message[order]) error {
		t.Error("the handler was called")
		return nil
	})
	r := &sordini.Record{Topic: "orders", Key: []byte("17"), Value: []byte(`{"ID":`), Headers: sordini.Headers{{Key: "trace", Value: []byte{0, 1}}}}
	res := consumertest.Deliver(t, g, r)[0]
	if res.Outcome != consumertest.DeadLettered || res.Class != dlt.Decode || !errors.Is(res.Err, consumer.ErrDecode) {
		t.Fatalf("got %v, class %q, error %v", res.Outcome, res.Class, res.Err)
	}
	if string(res.DeadLetter.Value) != `{"ID":` || string(res.DeadLetter.Key) != "17" {
		t.Errorf("the dead letter is %s=%s", res.DeadLetter.Key, res.DeadLetter.Value)
	}
	if v, _ := res.DeadLetter.Headers.Get("trace"); !slices.Equal(v, []byte{0, 1}) {
		t.Errorf("header trace is %v", v)
	}
}

func TestTombstoneReachesTheHandler(t *testing.T) {
	g := consumertest.Group(t, placed, func(_ context.Context, m *consumer.Message[order]) error {
		if !m.Tombstone() || m.Value != (order{}) {
			t.Errorf("value %v, tombstone %v", m.Value, m.Tombstone())
		}
		return nil
	})
	if res := consumertest.Deliver(t, g, &sordini.Record{Topic: "orders", Key: []byte("17")})[0]; res.Outcome != consumertest.Handled {
		t.Errorf("got %v: %v", res.Outcome, res.Err)
	}
}

func TestMiddlewareDoesNotChangeTheDeadLetter(t *testing.T) {
	scribble := func(next sordini.Handler) sordini.Handler {
		return func(ctx context.Context, d *sordini.Delivery) error {
			for i := range d.Record.Value {
				d.Record.Value[i] = 'x'
			}
			d.Record.Headers.Set("trace", []byte("forged"))
			d.Record.Headers[0].Value[0] = 'y'
			return next(ctx, d)
		}
	}
	g := consumertest.Group(t, placed, func(context.Context, *consumer.Message[order]) error { return nil }, consumer.Middleware(scribble))
	r := &sordini.Record{Topic: "orders", Key: []byte("17"), Value: []byte(`{"ID":"17"}`), Headers: sordini.Headers{{Key: "trace", Value: []byte("abc")}}}
	res := consumertest.Deliver(t, g, r)[0]
	if res.Outcome != consumertest.DeadLettered {
		t.Fatalf("got %v", res.Outcome)
	}
	if string(res.DeadLetter.Value) != `{"ID":"17"}` || res.DeadLetter.Headers.Text("trace") != "abc" {
		t.Errorf("the dead letter is %s with trace %q", res.DeadLetter.Value, res.DeadLetter.Headers.Text("trace"))
	}
}

func TestBatchHandlersAreGivenOneRecordAtATime(t *testing.T) {
	g, err := consumer.New(sordini.Cluster{Brokers: []string{"consumertest.invalid:9092"}, Development: true}, "batches")
	if err != nil {
		t.Fatal(err)
	}
	err = consumer.HandleBatch(g, placed, func(_ context.Context, batch []*consumer.Message[order]) error {
		failed := make(consumer.BatchError, len(batch))
		if batch[0].Value.ID == "bad" {
			failed[0] = consumer.Permanent(errors.New("no"))
		}
		return failed
	})
	if err != nil {
		t.Fatal(err)
	}
	results := consumertest.Deliver(t, g, consumertest.Record(t, placed, order{ID: "good"}), consumertest.Record(t, placed, order{ID: "bad"}))
	if results[0].Outcome != consumertest.Handled || results[1].Outcome != consumertest.DeadLettered || results[1].Class != dlt.Permanent {
		t.Errorf("results %+v, want handled and dead", results)
	}
}
