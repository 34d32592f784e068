package broker

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/sordini-go/sordini/broker/internal/txns"
)

// TransactionState is the state of a transactional id, under Kafka's name.
type TransactionState string

// The states. An id is Empty from InitProducerId on and Ongoing from the first partition on; in the Prepare states it is decided how the transaction
// ends, and markers are being written.
const (
	TransactionEmpty          = TransactionState(txns.Empty)
	TransactionOngoing        = TransactionState(txns.Ongoing)
	TransactionPrepareCommit  = TransactionState(txns.PrepareCommit)
	TransactionPrepareAbort   = TransactionState(txns.PrepareAbort)
	TransactionCompleteCommit = TransactionState(txns.CompleteCommit)
	TransactionCompleteAbort  = TransactionState(txns.CompleteAbort)
)

// Transaction is how a transactional id is at one moment.
type Transaction struct {
	TransactionalID string
	State           TransactionState
	ProducerID      int64
	ProducerEpoch   int16
	Timeout         time.Duration
	// Started is when the transaction began, or the last one where none is open; zero where there has been none since the producer has its epoch.
	Started time.Time
	// Partitions are those of the open transaction; of one that ends those whose markers are still to be written. Committed offsets are in partitions of
	// __consumer_offsets.
	Partitions []TransactionPartition
	// Coordinator is a node id, -1 while no broker runs.
	Coordinator int32
}

// TransactionPartition is one partition of a transaction.
type TransactionPartition struct {
	Topic     string
	Partition int32
}

// Open says whether records of the transaction keep read_committed consumers waiting.
func (t Transaction) Open() bool {
	return t.State == TransactionOngoing || t.State == TransactionPrepareCommit || t.State == TransactionPrepareAbort
}

// Transaction returns how a transactional id is; false where it is not known.
func (c *Cluster) Transaction(transactionalID string) (Transaction, bool) {
	t, ok := c.txns.Transaction(transactionalID)
	if !ok {
		return Transaction{}, false
	}
	return c.transaction(t), true
}

// Transactions returns how all transactional ids are, in their order.
func (c *Cluster) Transactions() []Transaction {
	all := c.txns.Transactions()
	out := make([]Transaction, len(all))
	for i, t := range all {
		out[i] = c.transaction(t)
	}
	return out
}

func (c *Cluster) transaction(t txns.Transaction) Transaction {
	out := Transaction{TransactionalID: t.TransactionalID, State: TransactionState(t.State), ProducerID: t.Producer.ID, ProducerEpoch: t.Producer.Epoch,
		Timeout: t.Timeout, Started: t.Started, Coordinator: c.ofTxn(t.TransactionalID)}
	for _, p := range t.Partitions {
		out.Partitions = append(out.Partitions, TransactionPartition(p))
	}
	return out
}

// TxnCoordinator returns the node id of a transactional id's coordinator, -1 while no broker runs.
func (c *Cluster) TxnCoordinator(transactionalID string) int32 { return c.ofTxn(transactionalID) }

// LastStableOffset returns the offset before which every transaction of a partition has ended, which is where read_committed consumers stop; -1 where
// there is no such partition.
func (c *Cluster) LastStableOffset(topic string, partition int32) int64 {
	p := c.partition(topic, partition)
	if p == nil {
		return -1
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.lastStableLocked()
}

// WaitTransaction blocks until a transactional id is in a state, as the other Wait methods do.
func (c *Cluster) WaitTransaction(ctx context.Context, transactionalID string, state TransactionState) error {
	return c.await(ctx, fmt.Sprintf("transactional id %s to be %s", transactionalID, state), func() answered {
		t, ok := c.Transaction(transactionalID)
		return answered{done: ok && t.State == state, instead: func() string {
			if !ok {
				return "it is not known"
			}
			return fmt.Sprintf("it is %s", t.State)
		}}
	})
}

func (c *Cluster) dumpTransaction(w io.Writer, t Transaction) {
	fmt.Fprintf(w, "transactional id %s %s producer %d epoch %d timeout %s, coordinator %d\n", t.TransactionalID, t.State, t.ProducerID, t.ProducerEpoch,
		t.Timeout, t.Coordinator)
	if !t.Open() {
		return
	}
	for _, p := range t.Partitions {
		fmt.Fprintf(w, "  %s[%d]", p.Topic, p.Partition)
		if part := c.partition(p.Topic, p.Partition); part != nil {
			part.mu.Lock()
			for _, known := range part.log.Producers() {
				if known.ID == t.ProducerID && known.TxnStart >= 0 {
					fmt.Fprintf(w, " open from offset %d", known.TxnStart)
				}
			}
			part.mu.Unlock()
		}
		fmt.Fprintln(w)
	}
}
