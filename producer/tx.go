package producer

import (
	"context"
	"errors"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/internal/txn"
)

// Tx is a transaction: what consumer.HandleTx hands to a handler, or what [Begin] returned. [Publisher.In] sends in it. It may not be copied.
type Tx struct {
	stage txn.Stage
	own   *transaction // of Begin; nil in a handler, whose transaction is the group's
	live  bool
}

var (
	// ErrOutsideTransaction is returned by a plain Send with the context of a transactional handler: its record would not be part of the
	// transaction. Use Publisher.In(tx).
	ErrOutsideTransaction = errors.New("sent outside the handler's transaction; use Publisher.In(tx).Send")

	// ErrTransactionOver is returned by what is sent in a transaction after its handler returned, or after Commit or Abort; and by a second Commit.
	ErrTransactionOver = txn.ErrEnded

	// ErrNoTransaction is returned by what is sent in a Tx that neither [Begin] nor a transactional handler made.
	ErrNoTransaction = errors.New("not a transaction: use the one that the handler was given, or producer.Begin")
)

// In returns a publisher whose records belong to the transaction: they become visible with the handler's offsets, or not at all (guarantee G11).
//
// Its sends return as soon as the record is encoded, placed and staged; nil means that it will be part of the transaction if that is committed. What is wrong
// with a record (its size, an unknown topic) is an error of the send and not of the transaction. A Receipt has no offset yet. A SendAsync that fails also fails
// the handler's attempt, or the Commit.
func (pub *Publisher[T]) In(tx *Tx) *Publisher[T] {
	in := *pub
	in.tx = tx
	return &in
}

// staging is the context of a send in a transaction.
type staging struct {
	context.Context
	tx *Tx
}

// Value makes the transaction findable through contexts that middleware derives.
func (s staging) Value(key any) any {
	if key == (txn.Key{}) {
		return s.tx
	}
	return s.Context.Value(key)
}

// in is the context of a publisher's send.
func (pub *Publisher[T]) in(ctx context.Context) (context.Context, error) {
	switch {
	case pub.tx == nil:
		return ctx, nil
	case !pub.tx.live:
		return nil, ErrNoTransaction
	}
	return staging{ctx, pub.tx}, nil
}

// within finds the transaction that a send belongs to, nil for none.
func within(ctx context.Context) (*Tx, error) {
	switch tx := ctx.Value(txn.Key{}).(type) {
	case *Tx:
		return tx, nil
	case txn.Handlers:
		return nil, ErrOutsideTransaction
	}
	return nil, nil
}

// add takes a record into its transaction in place of sending it. The record fits its topic and has its partition.
func (tx *Tx) add(c *call, partition, limit int32, cfg *config) error {
	if n, bytes := tx.stage.Size(); n >= cfg.maxRecords || bytes+c.size > int64(cfg.maxBytes) {
		return ErrTransactionFull
	}
	return tx.stage.Add(txn.Output{
		Record: &kgo.Record{
			Topic: c.out.Topic, Partition: partition, Key: c.rec.Key, Value: c.rec.Value, Headers: c.rec.Headers, Timestamp: c.rec.Timestamp,
		},
		Limit: limit,
	})
}

// announce is called before a SendAsync in a transaction; the function it returns takes the answer.
func (tx *Tx) announce() (func(error), error) {
	if err := tx.stage.Begin(); err != nil {
		return nil, err
	}
	return tx.stage.End, nil
}

func init() {
	txn.StageOf = func(x any) *txn.Stage {
		tx := x.(*Tx)
		tx.live = true
		return &tx.stage
	}
}

// staged sets what a record has that is in a transaction and not on a log.
func staged(r *sordini.Record, partition int32) {
	r.Partition, r.Offset, r.LeaderEpoch = partition, -1, -1
}
