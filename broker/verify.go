package broker

import (
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/sordini-go/sordini/broker/internal/records"
	"github.com/sordini-go/sordini/broker/internal/storage"
	"github.com/sordini-go/sordini/broker/internal/txns"
)

// txnSupport says what a client knows of KIP-890, by the version of its Produce or TxnOffsetCommit.
type txnSupport int8

const (
	announces txnSupport = iota // AddPartitionsToTxn goes before everything that is written
	abortable                   // and TRANSACTION_ABORTABLE is known
	adds                        // what is written is added to the transaction by the broker
)

func supportOf(version, newest int16) txnSupport {
	switch {
	case version >= newest:
		return adds
	case version == newest-1:
		return abortable
	}
	return announces
}

// verify asks the coordinator about a batch that may be the first of its transaction in this partition, and adds the partition where the client
// leaves that to the broker.
func (r *request) verify(part *partition, support txnSupport, id string, b records.Batch) (*storage.Verification, error) {
	producer := txns.Producer{ID: b.ProducerID(), Epoch: b.ProducerEpoch()}
	p := txns.Partition{Topic: part.topic.name, Partition: part.index}
	var v *storage.Verification
	err := r.patiently(support, id, func() *kerr.Error {
		part.mu.Lock()
		fenced := part.log.Fences(producer.ID, producer.Epoch)
		v = part.log.Verify(producer.ID, producer.Epoch, b.BaseSequence(), support == adds) // anew each time: a marker ends it
		part.mu.Unlock()
		switch {
		case fenced:
			return kerr.InvalidProducerEpoch
		case v == nil: // it is not the first
			return nil
		case support != adds && !r.node.cluster.property().Bool("transaction.partition.verification.enable"):
			v = storage.Unverified
			return nil
		}
		return r.askCoordinator(support, id, producer, p)
	})
	switch err {
	case nil:
		return v, nil
	case kerr.NotCoordinator, kerr.CoordinatorNotAvailable, kerr.CoordinatorLoadInProgress:
		return nil, kerr.NotEnoughReplicas // which makes older clients try again
	case kerr.ConcurrentTransactions:
		if support != adds {
			return nil, kerr.NotEnoughReplicas
		}
	}
	return nil, err
}

// patiently does what a transaction is to begin with. While the transaction before that one is still ending, a client that leaves the adding of
// partitions to the broker is kept waiting a little (add.partitions.to.txn.retry.backoff.max.ms).
func (r *request) patiently(support txnSupport, id string, do func() *kerr.Error) *kerr.Error {
	c := r.node.cluster
	deadline := time.Now().Add(c.property().Millis("add.partitions.to.txn.retry.backoff.max.ms"))
	for {
		changed := c.txns.Changed(id)
		err := do()
		left := time.Until(deadline)
		if err != kerr.ConcurrentTransactions || support != adds || left <= 0 {
			return err
		}
		if !r.conn.wait(changed, left) {
			return err
		}
	}
}

// askCoordinator asks whether a partition is part of a producer's transaction, or makes it so.
func (r *request) askCoordinator(support txnSupport, id string, producer txns.Producer, p txns.Partition) *kerr.Error {
	c := r.node.cluster
	n := c.node(c.ofTxn(id))
	if n == nil || n.condition() != "running" {
		return kerr.CoordinatorNotAvailable
	}
	var err *kerr.Error
	if support == adds {
		err = c.txns.Add(id, producer, []txns.Partition{p})
	} else {
		err = c.txns.Verify(id, producer, p)
	}
	switch {
	case err == kerr.ProducerFenced:
		return kerr.InvalidProducerEpoch
	case err == kerr.TransactionAbortable && support == announces:
		return kerr.InvalidTxnState
	}
	return err
}
