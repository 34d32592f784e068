package producer

import "errors"

// Tx is the transaction of one transactional handler: what consumer.HandleTx hands to it, and what [Publisher.In] takes.
//
// Transactions come with a later release. Until then nothing makes a Tx, and sending in one fails with [ErrNotYet].
type Tx struct{ _ [0]func() }

var (
	// ErrNotYet is returned by what is declared now and works in a later release: transactions.
	ErrNotYet = errors.New("transactions come with a later release of Sordini; handle with consumer.Handle, which delivers at least once")

	// ErrOutsideTransaction is returned by a plain Send with the context of a transactional handler: its record would not be part of the
	// transaction. Use Publisher.In(tx).
	ErrOutsideTransaction = errors.New("sent outside the handler's transaction; use Publisher.In(tx).Send")
)

// In returns a publisher whose records belong to the transaction: they become visible with the handler's offsets, or not at all (guarantee G11).
// Until transactions are there its sends fail with [ErrNotYet].
func (pub *Publisher[T]) In(*Tx) *Publisher[T] {
	in := *pub
	in.inTx = true
	return &in
}
