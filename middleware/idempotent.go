package middleware

import (
	"context"
	"encoding/base64"
	"fmt"
	"strconv"

	"github.com/sordini-go/sordini"
)

// Handling is one attempt to handle a record, as a [HandledTable] needs to know it.
type Handling struct {
	// ID is what must not be handled twice by the group: the record's place, or what [IdentifyBy] makes of it. Groups have tables of their own, or keys of both.
	Group, ID string

	// Fence grows with each ownership of the partition by a member of the group (guarantee G3). An attempt with a smaller one than was seen before is late: its member
	// was taken for dead, and somebody else handles the partition's records.
	Topic     string
	Partition int32
	Fence     int64
}

// HandledTable keeps the identities of the records that were handled. It must be safe for concurrent use. [MemoryTable] is one, for tests; examples/sql has one for SQL
// databases.
type HandledTable interface {
	// Once calls handle unless h.ID is in h.Group's table, and puts it there when handle returned nil. The context that it gives to handle may carry a transaction of
	// the store's: where the handler writes in it, what it did and its being noted become true together, and a crash in between repeats nothing. Without that, a
	// crash after handle and before the note repeats the record: Once must never note it before.
	//
	// It returns what handle did; an error that wraps [ErrHandledBefore] when h.ID is there, and one that wraps [ErrFenced] when h.Fence is older than another of the
	// partition, both without calling handle, or without any effect of it where it finds out later; or an error of its own, after which the record is tried again.
	Once(ctx context.Context, h Handling, handle func(context.Context) error) error
}

var (
	// ErrHandledBefore says that the record is in the table of handled ones. The record has ended: it is skipped, and counted so.
	ErrHandledBefore = fmt.Errorf("handled before: %w", sordini.ErrSkipped)

	// ErrFenced says that a later owner of the record's partition has been at the table already. The record is that owner's; here it waits until the partition is
	// given up, and does not die.
	ErrFenced = fmt.Errorf("a later owner of the partition handles its records: %w", sordini.ErrUnavailable)
)

// Idempotent calls the handler once for each record of a group, as far as the table reaches: a record that comes again (after a crash, from a member that was taken for
// dead, by a redrive) and was handled is skipped. What Kafka delivers at least once is so handled exactly once, in stores that know what they have done.
//
//	g, err := consumer.New(cluster, "billing", consumer.Middleware(middleware.Idempotent(table)))
//
// Put it innermost, behind middleware that calls the handler conditionally. It wraps handlers of single records; a batch handler asks its table itself. A handler whose
// only effects are records needs none: consumer.HandleTx is exactly once by itself. Without a table it is nil, which consumer.New refuses.
func Idempotent(table HandledTable, opts ...IdempotentOption) sordini.AttemptMiddleware {
	if table == nil {
		return nil
	}
	var c idempotent
	for _, o := range opts {
		o(&c)
	}
	return func(next sordini.Handler) sordini.Handler {
		return func(ctx context.Context, d *sordini.Delivery) error {
			h := Handling{Group: d.Group, Topic: d.Record.Topic, Partition: d.Record.Partition, Fence: d.Fence}
			if c.identify != nil {
				h.ID = c.identify(d)
			}
			if h.ID == "" {
				h.ID = Place(d)
			}
			return table.Once(ctx, h, func(ctx context.Context) error { return next(ctx, d) })
		}
	}
}

// IdempotentOption changes an [Idempotent].
type IdempotentOption func(*idempotent)

type idempotent struct {
	identify func(*sordini.Delivery) string
}

// IdentifyBy says what a record is known by, in place of where it is: an event's id in a header or in the value, so that one that was published twice is handled once.
// For an empty string it is where it is. Ids of different topics that one group handles must differ.
func IdentifyBy(id func(*sordini.Delivery) string) IdempotentOption {
	return func(c *idempotent) { c.identify = id }
}

// Place is a record's identity within a group by where it is, "topic-id/topic/partition/offset": a topic that was deleted and made again has other ones. It is the record's
// own place also when it comes from the group's inbox, by a retry or a redrive.
func Place(d *sordini.Delivery) string {
	r := d.Record
	b := make([]byte, 0, 22+len(r.Topic)+32)
	b = base64.RawURLEncoding.AppendEncode(b, d.TopicID[:])
	b = append(b, '/')
	b = append(b, r.Topic...)
	b = append(b, '/')
	b = strconv.AppendInt(b, int64(r.Partition), 10)
	b = append(b, '/')
	return string(strconv.AppendInt(b, r.Offset, 10))
}
