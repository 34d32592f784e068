package consumer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sordini-go/sordini"
)

// HandleBatch registers h for the records of t, as Handle does, and gives it several at once: up to BatchSize and BatchBytes of one partition, after
// BatchLinger at the latest. It is refused where Handle is, in a group with HandleTx, and where the options of batches can not work together.
//
// h answers for all with nil or an error, or for each with a BatchError. Every message has a failure ladder of its own: one that failed is tried again by
// itself, in a batch of one, and dies alone. When h fails as a whole (an error that is no BatchError, a panic, a timeout) nobody knows whose fault it was: each
// message is tried again by itself, and none goes to the inbox or the dead letters before it failed alone.
//
// The messages of a key are in the order of the log, and no two batches with a common key run at the same time (guarantee G3). One that is behind a failed one
// of its key is given again after it, whatever h answered for it, as it would have come after it in Handle; where Ordering is Unordered nothing is behind
// anything. Messages that do not decode never reach h and go to the dead letters alone.
//
// h's context is that of the whole batch, with one HandlerTimeout. The slice and its messages belong to the call.
func HandleBatch[T any](g *Group, t sordini.Topic[T], h func(ctx context.Context, batch []*Message[T]) error, opts ...HandlerOption) error {
	if h == nil {
		return refuse("group %q: handle topic %q: the handler is nil", g.name, t.Name)
	}
	bound, err := t.Bind(g.cluster)
	if err != nil {
		return fmt.Errorf("group %q: handle: %w", g.name, err)
	}
	one := newHandler(bound, t.Spec(), func(context.Context, *Message[T]) error { return nil }) // decodes
	one.batch = &batchHandler{
		prepare: func(n int) *attempt {
			j := &batchJob[T]{jobs: make([]batchPart[T], n)}
			a := &j.attempt
			a.shown, a.self, a.parts = &j.shown, j, make([]*attempt, n)
			a.of = a
			for i := range j.jobs {
				x := &j.jobs[i]
				x.attempt.shown, x.attempt.self = &x.job.shown, &x.job
				x.job.of = &x.attempt
				a.parts[i] = &x.attempt
			}
			return a
		},
		call: func(ctx context.Context, a *attempt) error {
			j := a.self.(*batchJob[T])
			list := make([]*Message[T], 0, len(j.jobs))
			for i := range j.jobs {
				if x := &j.jobs[i]; x.attempt.given {
					m := &x.job.msg
					m.Record, m.Attempt, m.Fence = &x.job.rec, x.attempt.number, x.attempt.p.fence
					list = append(list, m)
				}
			}
			return h(ctx, list)
		},
	}
	return g.register(one, opts)
}

// batchJob is a batch's attempt with what depends on the contract's type.
type batchJob[T any] struct {
	attempt attempt
	shown   shown
	jobs    []batchPart[T]
}

type batchPart[T any] struct {
	attempt attempt
	job     job[T]
}

// batchHandler is the typed part of a batch handler.
type batchHandler struct {
	prepare func(n int) *attempt                        // an attempt with n parts
	call    func(ctx context.Context, a *attempt) error // with the parts that are given to the handler
	chain   sordini.BatchHandler                        // call inside the middleware; nil where there is none. Set when the group starts
}

// BatchError is a batch handler's answer to each of its messages, in their order: nil where the message is done, else what a handler of single messages would
// return, Permanent, Skip and RetryAfter included. One whose elements are all nil is as good as a nil error.
//
//	failed := make(consumer.BatchError, len(batch))
//	for i, m := range batch {
//		failed[i] = insert(ctx, m.Value)
//	}
//	return failed
//
// It may be wrapped, but not joined with another error: that one would be about the whole batch, and all messages are taken to have failed. So they are when
// there are more or fewer answers than messages (ErrBatchAnswers): nobody can tell which is whose.
type BatchError []error

// Error says how many failed, and why the first of them did.
func (e BatchError) Error() string {
	failed, first := 0, error(nil)
	for _, err := range e {
		if err != nil {
			if failed++; first == nil {
				first = err
			}
		}
	}
	if first == nil {
		return fmt.Sprintf("none of %d messages failed", len(e))
	}
	return fmt.Sprintf("%d of %d messages failed, the first with: %v", failed, len(e), first)
}

// Unwrap returns the answers that are not nil.
func (e BatchError) Unwrap() []error {
	var errs []error
	for _, err := range e {
		if err != nil {
			errs = append(errs, err)
		}
	}
	return errs
}

// ErrBatchAnswers says that a batch handler answered with a BatchError of another length than its batch. All of its messages are tried again, one by one.
var ErrBatchAnswers = errors.New("a batch handler's answers do not match its messages")

// answers finds a BatchError in what a handler returned. One among several joined errors does not count.
func answers(err error) (each BatchError, ok bool) {
	for err != nil {
		if each, ok = err.(BatchError); ok {
			return each, true
		}
		err = errors.Unwrap(err)
	}
	return nil, false
}

// BatchScope says what the messages of one batch have in common.
type BatchScope uint8

const (
	// Partition, the default, fills a batch from one partition, whatever the keys.
	Partition BatchScope = iota

	// Key gives a batch the messages of one key. Messages with a null key have none in common with any other: each is a batch.
	Key
)

// batchConfig is how a batch handler's batches are filled.
type batchConfig struct {
	size   int
	bytes  int64
	linger time.Duration
	by     BatchScope
	given  string // the name of an option that was given
}

const (
	defaultBatchSize   = 100
	defaultBatchBytes  = 1 << 20
	defaultBatchLinger = 5 * time.Millisecond
)

// BatchSize sets how many messages a batch has at most: 100 by default.
func BatchSize(n int) HandlerOption {
	return handlerOption(func(c *handlerConfig) {
		if n < 1 {
			c.errs = append(c.errs, refuse("BatchSize(%d): give at least 1", n))
		}
		c.batch.size, c.batch.given = n, "BatchSize"
	})
}

// BatchBytes sets how many bytes of keys, values and headers a batch has at most: 1 MiB by default. A message that is larger is a batch of its own.
func BatchBytes(n int64) HandlerOption {
	return handlerOption(func(c *handlerConfig) {
		if n < 1 {
			c.errs = append(c.errs, refuse("BatchBytes(%d): give at least 1", n))
		}
		c.batch.bytes, c.batch.given = n, "BatchBytes"
	})
}

// BatchLinger sets how long a message that could be handled waits for others to fill its batch: 5 ms by default. With 0 a batch has what is there when a worker
// is free. Keep what may arrive in that time below MaxInFlight, which stops fetching.
func BatchLinger(d time.Duration) HandlerOption {
	return handlerOption(func(c *handlerConfig) {
		if d < 0 {
			c.errs = append(c.errs, refuse("BatchLinger(%v): a duration may not be negative", d))
		}
		c.batch.linger, c.batch.given = d, "BatchLinger"
	})
}

// BatchBy sets what the messages of a batch have in common: Partition by default. Key needs Ordering(ByKey).
func BatchBy(s BatchScope) HandlerOption {
	return handlerOption(func(c *handlerConfig) {
		if s > Key {
			c.errs = append(c.errs, refuse("BatchBy(%d): use Partition or Key", s))
		}
		c.batch.by, c.batch.given = s, "BatchBy"
	})
}

// BatchMiddleware adds middleware around every call of a batch handler, once a batch; the first one added is the outermost. What was given to Middleware wraps
// single messages only: a group that has that and a batch handler says with BatchMiddleware what wraps its batches, BatchMiddleware() for nothing.
func BatchMiddleware(m ...sordini.BatchMiddleware) Option {
	return groupOption(func(c *config) {
		c.batchChosen = true
		for _, f := range m {
			if f == nil {
				c.errs = append(c.errs, refuse("BatchMiddleware: a middleware is nil"))
				return
			}
		}
		c.batchMiddleware = append(c.batchMiddleware, m...)
	})
}

// checkBatch refuses batches that could not be filled or would not be what they are called, and fills in the defaults.
func (h *handler) checkBatch(g *config) error {
	b := &h.cfg.batch
	if h.batch == nil {
		if b.given != "" {
			return refuse("%s is for HandleBatch; leave it out, or use that", b.given)
		}
		return nil
	}
	if b.size == 0 {
		b.size = min(defaultBatchSize, g.maxRecords)
	}
	if b.bytes == 0 {
		b.bytes = min(defaultBatchBytes, g.maxBytes)
	}
	switch {
	case b.size > g.maxRecords:
		return refuse("BatchSize(%d) is above MaxInFlight(%d records): such a batch would never be full", b.size, g.maxRecords)
	case b.bytes > g.maxBytes:
		return refuse("BatchBytes(%d) is above MaxInFlight(%d bytes): such a batch would never be full", b.bytes, g.maxBytes)
	case b.by == Key && h.cfg.ordering != ByKey:
		return refuse("BatchBy(Key) needs Ordering(ByKey): in any other order the records of a key are not kept together")
	case len(g.middleware) > 0 && !g.batchChosen:
		return refuse("Middleware wraps single messages and would not run around batches: say with BatchMiddleware what wraps them, BatchMiddleware() for nothing")
	}
	return nil
}
