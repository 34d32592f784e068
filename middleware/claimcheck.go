package middleware

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/internal/claim"
)

// ClaimStore keeps values that are too large for Kafka. [FileStore] is one; an object store takes some twenty lines. It must be safe for concurrent use.
//
// A value must outlive every record that refers to it: the retention of the topic, and what waits in the group's inbox and dead letters. Nothing is deleted by
// Sordini: give the store a rule by age.
type ClaimStore interface {
	// Put keeps value under name and returns nil once it is durable: the record that refers to it is sent then. name is the value's SHA-256 hash in 64 lower-case
	// hexadecimal digits, so what is there under the same name already is the same value; its age must begin anew. value may not be kept.
	Put(ctx context.Context, name string, value []byte) error

	// Get returns what is kept under name, for the caller to own. An error that wraps fs.ErrNotExist says that nothing is, and counts as the record's failure;
	// after any other error it is asked again, however long that lasts.
	Get(ctx context.Context, name string) ([]byte, error)
}

// ClaimCheckFrom is from how many bytes on values are kept elsewhere by default: half of what Kafka takes by default, which leaves room for key and headers.
const ClaimCheckFrom = 512 << 10

// ErrClaimInvalid is wrapped by an error about a record that refers to a value in a way that nobody understands, or whose value was changed meanwhile: its hash is
// another one. A group dead-letters such a record at once.
var ErrClaimInvalid = errors.New("invalid claim check")

// SendClaimCheck keeps values of at least from bytes (0: [ClaimCheckFrom]) in a store, and sends in place of such a value an empty one and the header claim-check,
// which names it: the pattern of that name. Whoever reads it needs the store: consumer.ClaimCheck in a group, [RestoreClaim] elsewhere; a typed read without either
// is an error. Use it through producer.ClaimCheck, which puts it behind all other middleware.
//
// A send waits until its value is stored; SendAsync too, or records of one key would overtake each other. Where the value can not be stored the record is not
// written (sordini.ErrNotWritten). A transaction that is aborted leaves the value behind.
func SendClaimCheck(store ClaimStore, from int) sordini.SendMiddleware {
	if from == 0 {
		from = ClaimCheckFrom
	}
	return func(next sordini.Sender) sordini.Sender {
		return func(ctx context.Context, r *sordini.Record, done func(*sordini.Record, error)) {
			if len(r.Value) == 0 || len(r.Value) < from {
				next(ctx, r, done)
				return
			}
			ref := claim.Of(r.Value)
			if err := store.Put(ctx, ref.Name(), r.Value); err != nil {
				done(r, fmt.Errorf("claim check: store a value of %d bytes: %w: %w", len(r.Value), sordini.ErrNotWritten, err))
				return
			}
			r.Value = []byte{} // null would be a tombstone
			r.Headers.Set(sordini.HeaderClaimCheck, ref.Header())
			next(ctx, r, done)
		}
	}
}

// RestoreClaim puts the value of a record whose value is kept elsewhere back into r and takes the header claim-check off; any other record it leaves as it is. It is for
// readers outside of a group: sordini.Cluster.Read, tools. A group has consumer.ClaimCheck.
//
// An error wraps [ErrClaimInvalid], fs.ErrNotExist where the store does not have the value, or sordini.ErrUnavailable where the store could not be asked.
func RestoreClaim(ctx context.Context, store ClaimStore, r *sordini.Record) error {
	ref, found, err := claim.Find(r.Value, r.Headers)
	switch {
	case err != nil:
		return fmt.Errorf("claim check: %w: %w", ErrClaimInvalid, err)
	case !found:
		return nil
	}
	value, err := store.Get(ctx, ref.Name())
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("claim check: the record's value of %d bytes is not in the store; it was deleted too early, or this is another store: %w", ref.Size, err)
	case err != nil:
		return fmt.Errorf("claim check: get the record's value of %d bytes: %w: %w", ref.Size, sordini.ErrUnavailable, err)
	case claim.Of(value) != ref:
		return fmt.Errorf("claim check: %w: the store has other bytes under %s than were put there (%d, once %d)", ErrClaimInvalid, ref.Name(), len(value), ref.Size)
	}
	if value == nil {
		value = []byte{}
	}
	r.Value = value
	r.Headers = slices.DeleteFunc(slices.Clone(r.Headers), func(h sordini.Header) bool { return h.Key == sordini.HeaderClaimCheck })
	return nil
}
