package sordini

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel/trace"
)

// ErrSkipped is wrapped by an attempt's error that ends its record on purpose (consumer.Skip): neither a failure nor a success, counted by itself.
var ErrSkipped = errors.New("record skipped on purpose")

// ErrInterrupted is wrapped by the causes that cut an attempt's context short without its record having failed: consumer.ErrRevoked and
// consumer.ErrDraining. Such an attempt is repeated, here or elsewhere, and is not counted.
var ErrInterrupted = errors.New("attempt interrupted")

// ErrUnavailable is wrapped by an attempt's error that says nothing about the record: what it takes to handle it is not there, or not there any more. The record
// waits, in its place and with growing delays, for as long as that lasts; the attempt is not counted and the record does not die. It is for middleware; a handler
// whose dependency is away returns a plain error, which the flood breaker understands.
var ErrUnavailable = errors.New("what the record needs is not available")

// What an error of a send says about the record. Every error that a caller of package producer sees wraps exactly one of them (guarantee G10); middleware around
// sends that refuses a record wraps ErrNotWritten.
var (
	// ErrNotWritten says that the record is not on the log and never will be: sending it again makes no duplicate.
	ErrNotWritten = errors.New("not written")

	// ErrOutcomeUnknown says that the record may be on the log, or may still get there.
	ErrOutcomeUnknown = errors.New("outcome unknown, the record may have been written")
)

// Delivery is one attempt to handle one record of one group: what middleware sees. It belongs to the attempt and must not be kept beyond it.
type Delivery struct {
	Record  *Record
	Group   string
	TopicID [16]byte // of the record's topic: one that was deleted and made again has another; zero where it is not known
	Attempt int      // 1 for the first
	Fence   int64    // grows with every ownership of the partition (guarantee G3); a store can refuse a write with an older one

	// PreviousSpan is the span of the attempt before this one, nil for the first: retries are linked to what they repeat. The tracing middleware sets it,
	// and the runner hands it on to the next attempt of the record.
	PreviousSpan *trace.SpanContext

	decode  func() (any, error)
	decoded bool
	value   any
	err     error
}

// NewDelivery returns a delivery whose value is decoded by decode, at most once. The runner and consumertest call it; so may a test of middleware.
func NewDelivery(r *Record, group string, attempt int, fence int64, decode func() (any, error)) *Delivery {
	return &Delivery{Record: r, Group: group, Attempt: attempt, Fence: fence, decode: decode}
}

// Value decodes the record's value on its first call and returns the same answer ever after. A tombstone gives the zero value of the contract's type.
// An error is what the runner would dead-letter the record with (class decode), or retry when it is a [serde.RetryableError].
func (d *Delivery) Value() (any, error) {
	if !d.decoded && d.decode != nil {
		d.value, d.err = d.decode()
		d.decoded = true
	}
	return d.value, d.err
}

// Handler handles one attempt. It returns nil when the record is done; an error takes the failure ladder.
type Handler func(ctx context.Context, d *Delivery) error

// Sender hands one record to the producer and returns at once (it blocks only for back-pressure). done is called exactly once, from another goroutine or
// before Sender returns, with the error that the caller of Send will see; on success r's Partition, Offset and Timestamp are filled in. An error that wraps neither
// ErrNotWritten nor ErrOutcomeUnknown is taken for the latter.
// done must not block.
type Sender func(ctx context.Context, r *Record, done func(r *Record, err error))

// AttemptMiddleware wraps one attempt; the first one added is the outermost.
type AttemptMiddleware = func(next Handler) Handler

// SendMiddleware wraps one send; the first one added is the outermost.
type SendMiddleware = func(next Sender) Sender
