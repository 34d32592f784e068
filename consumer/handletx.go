package consumer

import (
	"context"
	"errors"
	"fmt"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/internal/txn"
	"github.com/sordini-go/sordini/producer"
)

// HandleTx registers a handler whose sends and whose record's offset are committed together or not at all (guarantee G11). Handlers run at the same time and
// in the order of keys as with Handle, and fail, are retried and dead-lettered in the same way. A group has handlers of one kind: HandleTx beside Handle is
// refused.
//
// The handler sends with Publisher.In(tx). What it sends is staged in memory; it enters a transaction once the handler has returned nil, and is dropped when it
// returned an error. Transactions are the group's: one carries what many handlers sent, their dead letters and their offsets, each [CommitInterval] (100 ms
// by default for such a group), earlier when much is staged. So a handler may take longer than any transaction lasts, and one that fails takes nothing with it.
//
// A transaction that fails is carried out again with what was staged; the handlers are not called again for that. Only a handler one of whose outputs its
// topic refuses has its attempt failed, with that error. A plain Send with the handler's context fails with producer.ErrOutsideTransaction: its record would
// be there whatever becomes of the transaction. Side effects on anything but Kafka are not part of the transaction: after a crash the handler may be called again.
//
// The group needs the right to write with the transactional id "sordini-<group>-…"; see [TransactionalInstance].
func HandleTx[T any](g *Group, t sordini.Topic[T], h func(ctx context.Context, tx *producer.Tx, m *Message[T]) error, opts ...HandlerOption) error {
	if h == nil {
		return refuse("group %q: handle topic %q: the handler is nil", g.name, t.Name)
	}
	bound, err := t.Bind(g.cluster)
	if err != nil {
		return fmt.Errorf("group %q: handle: %w", g.name, err)
	}
	handle := newHandler(bound, t.Spec(), func(ctx context.Context, m *Message[T]) error {
		a, ok := ctx.Value(attemptKey{}).(*attempt)
		if !ok {
			return errForeignContext
		}
		return h(ctx, a.self.(*txJob[T]).tx, m)
	})
	handle.transactional = true
	handle.prepare = func(a *attempt) {
		j := &txJob[T]{}
		j.tx = &j.own
		a.shown, a.self, a.stage = &j.shown, j, txn.StageOf(j.tx)
	}
	return g.register(handle, opts)
}

// txJob is a job with its transaction.
type txJob[T any] struct {
	job[T]
	tx  *producer.Tx
	own producer.Tx
}

var errForeignContext = errors.New("middleware called the transactional handler with a context that does not descend from the attempt's: the transaction is lost; derive the context from the one that the middleware was given")

// TransactionalInstance names this instance in its transactional id, "sordini-<group>-<name>". The default is the id of
// [StaticMember], or else a new name for each run.
//
// With a name that a restarted instance has again, what its last run left open is aborted at once, and not after a transaction's timeout of 20 s, for which readers
// and the next owner of its partitions would wait. Two instances that run at the same time must not share a name: they would fence each other all the time,
// without losing anything or getting far.
func TransactionalInstance(name string) Option {
	return groupOption(func(c *config) {
		if name == "" {
			c.errs = append(c.errs, refuse("TransactionalInstance: the name is empty"))
		}
		c.instance = name
	})
}
