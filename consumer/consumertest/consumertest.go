// Package consumertest runs handlers without a broker.
//
//	results := consumertest.Run(t, Placed, handle, Order{ID: "17"})
//	if results[0].Outcome != consumertest.Handled { … }
//
// A record takes the way that it takes in a group: it is encoded and decoded by its contract, goes through middleware, is tried again, and ends as handled,
// skipped or dead-lettered, decided by the runner's own code. Delays between attempts are taken for over, so that a policy of a day takes no time; handler
// timeouts and the flood breaker, which are about several records, are left out. Use broker/brokertest for a whole group.
package consumertest

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/consumer"
	"github.com/sordini-go/sordini/consumer/internal/bridge"
	"github.com/sordini-go/sordini/dlt"
)

// Outcome is how a record ended.
type Outcome uint8

// The outcomes.
const (
	Handled      Outcome = iota + 1 // the handler returned nil
	Skipped                         // it returned consumer.Skip
	DeadLettered                    // it, or decoding, failed for good
)

// String returns the outcome in words.
func (o Outcome) String() string {
	switch o {
	case Handled:
		return "handled"
	case Skipped:
		return "skipped"
	case DeadLettered:
		return "dead-lettered"
	}
	return "unknown outcome"
}

// Result is what became of one record.
type Result struct {
	Outcome    Outcome
	Attempts   int             // how often the handler was called, or would have been
	Err        error           // what the last attempt returned; nil when handled
	Class      dlt.Class       // why it was dead-lettered
	DeadLetter *sordini.Record // as it would be written
}

// Run hands values, encoded by the contract t, to h one after the other and returns what became of each. A contract that can not work ends the test.
func Run[T any](tb testing.TB, t sordini.Topic[T], h func(context.Context, *consumer.Message[T]) error, values ...T) []Result {
	tb.Helper()
	records := make([]*sordini.Record, len(values))
	for i, v := range values {
		records[i] = Record(tb, t, v)
		records[i].Offset = int64(i)
	}
	return Deliver(tb, Group(tb, t, h), records...)
}

// Group returns a group with one handler and no broker, for Deliver.
func Group[T any](tb testing.TB, t sordini.Topic[T], h func(context.Context, *consumer.Message[T]) error, opts ...consumer.Option) *consumer.Group {
	tb.Helper()
	if t.Type != "" {
		opts = append([]consumer.Option{consumer.OtherTypes(consumer.DeadOthers)}, opts...)
	}
	g, err := consumer.New(nowhere, "consumertest", append([]consumer.Option{consumer.Logger(slog.New(slog.DiscardHandler))}, opts...)...)
	if err != nil {
		tb.Fatalf("consumertest: %v", err)
	}
	if err := consumer.Handle(g, t, h); err != nil {
		tb.Fatalf("consumertest: %v", err)
	}
	return g
}

// nowhere is a cluster that nothing connects to.
var nowhere = sordini.Cluster{Brokers: []string{"consumertest.invalid:9092"}, Development: true}

// Record encodes v as a producer would, with partition 0 and offset 0.
func Record[T any](tb testing.TB, t sordini.Topic[T], v T) *sordini.Record {
	tb.Helper()
	bound, err := t.Bind(nowhere)
	if err != nil {
		tb.Fatalf("consumertest: %v", err)
	}
	r := &sordini.Record{Topic: t.Name, LeaderEpoch: -1, Timestamp: time.Now()}
	if t.Type != "" {
		r.Headers.Set(sordini.HeaderType, []byte(t.Type))
	}
	if r.Key, err = bound.AppendKey(tb.Context(), nil, v, &r.Headers); err != nil {
		tb.Fatalf("consumertest: encode the key of %v: %v", v, err)
	}
	if r.Value, err = bound.AppendValue(tb.Context(), nil, v, &r.Headers); err != nil {
		tb.Fatalf("consumertest: encode %v: %v", v, err)
	}
	return r
}

// Deliver hands raw records to a group that is not running, one after the other, and returns what became of each: for tombstones, bytes that do not decode,
// several handlers, options and middleware. A record that can not end (its schema registry is away) ends the test.
func Deliver(tb testing.TB, g *consumer.Group, records ...*sordini.Record) []Result {
	tb.Helper()
	results := make([]Result, len(records))
	for i, r := range records {
		res, err := bridge.Deliver(tb.Context(), g, r)
		if err != nil {
			tb.Fatalf("consumertest: deliver record %d: %v", i, err)
		}
		out := Result{Outcome: DeadLettered, Attempts: res.Attempts, Err: res.Err, Class: res.Class, DeadLetter: res.DeadLetter}
		switch {
		case res.Handled:
			out.Outcome = Handled
		case res.Skipped:
			out.Outcome = Skipped
		}
		results[i] = out
	}
	return results
}
