package broker

import (
	"fmt"
	"sync"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sordini-go/sordini/broker/internal/txns"
)

// txnCoordinators says which broker coordinates which transactional id: the one that leads the id's partition of __transaction_state, which every broker
// holds. A broker that takes a partition over keeps it, and its epoch is newer, which is how logs tell the markers of two coordinators apart. What is
// known of the ids is the cluster's: whoever becomes the coordinator has read what the last one wrote down.
type txnCoordinators struct {
	mu    sync.Mutex // guards what follows
	terms []term     // by partition of __transaction_state
}

// term is who leads a partition of __transaction_state, noLeader while no broker runs, and in which epoch.
type term struct{ broker, epoch int32 }

// ofTxn returns the broker that coordinates a transactional id, noLeader where none can.
func (c *Cluster) ofTxn(id string) int32 { return c.txnTerm(id).broker }

// txnTerm returns the broker that coordinates a transactional id, and in which epoch.
func (c *Cluster) txnTerm(id string) term {
	cs := &c.txnCoordinators
	cs.mu.Lock()
	defer cs.mu.Unlock()
	p := int(javaHash(id)) % len(cs.terms)
	t := &cs.terms[p]
	if n := c.node(t.broker); n == nil || !n.isAlive() {
		if next := c.coordinatorOf(transactionsTopic, p, noLeader); next != t.broker {
			t.lead(next)
		}
	}
	return *t
}

// placeTxnCoordinators makes the leaders of the partitions of __transaction_state coordinators.
func (c *Cluster) placeTxnCoordinators() {
	if c.lookup(transactionsTopic) == nil {
		return // ofTxn finds one when it is asked for
	}
	cs := &c.txnCoordinators
	cs.mu.Lock()
	defer cs.mu.Unlock()
	for p := range cs.terms {
		if t := &cs.terms[p]; t.broker != noLeader {
			if next := c.coordinatorOf(transactionsTopic, p, t.broker); next != t.broker {
				t.lead(next)
			}
		}
	}
}

// lead begins the term of another broker.
func (t *term) lead(broker int32) { t.broker, t.epoch = broker, t.epoch+1 }

// MoveTxnCoordinator makes a broker the coordinator of a transactional id, and of those in the same partition of __transaction_state, for as long as the
// broker runs. Open transactions go on; what comes to the old coordinator is answered NOT_COORDINATOR. The broker must run: it fails with
// [ErrUnknownBroker].
func (c *Cluster) MoveTxnCoordinator(transactionalID string, broker int32) error {
	if n := c.node(broker); n == nil || !n.isAlive() {
		return fmt.Errorf("move coordinator of transactional id %s to broker %d, which does not run: %w", transactionalID, broker, ErrUnknownBroker)
	}
	cs := &c.txnCoordinators
	cs.mu.Lock()
	p := int(javaHash(transactionalID)) % len(cs.terms)
	if t := &cs.terms[p]; t.broker != broker {
		t.lead(broker)
		c.leadInternal(transactionsTopic, p, broker)
	}
	cs.mu.Unlock()
	c.coordinatorsChanged()
	c.log.Info("transaction coordinator moved", "transactional id", transactionalID, "broker", broker)
	return nil
}

// newTxns starts the coordinator of all transactions.
func (c *Cluster) newTxns() *txns.Manager {
	p := c.property()
	terms := make([]term, p.Int("transaction.state.log.num.partitions"))
	for i := range terms {
		terms[i] = term{noLeader, -1} // the first that is asked for begins with epoch 0
	}
	c.txnCoordinators.terms = terms
	return txns.New(txns.Config{
		NewProducerID:      c.newProducerID,
		Write:              c.writeMarkers,
		WriteDown:          c.writeTxns,
		MaxTimeout:         p.Millis("transaction.max.timeout.ms"),
		AbortInterval:      p.Millis("transaction.abort.timed.out.transaction.cleanup.interval.ms"),
		Expiration:         p.Millis("transactional.id.expiration.ms"),
		ExpirationInterval: p.Millis("transaction.remove.expired.transaction.cleanup.interval.ms"),
		Changed:            c.watchers.notify,
		Logger:             c.log,
	})
}

func (c *Cluster) newProducerID() int64 {
	id := c.lastPID.Add(1)
	c.store.notePID(id)
	return id
}

// allowsTxn decides about a transactional id.
func (r *request) allowsTxn(op kmsg.ACLOperation, id string) bool {
	return r.allows(op, kmsg.ACLResourceTypeTransactionalId, id)
}

// refuseTxn returns the error for a transactional id that the client may not write with, or that another broker coordinates.
func (r *request) refuseTxn(id string) *kerr.Error {
	switch {
	case !r.allowsTxn(kmsg.ACLOperationWrite, id):
		return kerr.TransactionalIDAuthorizationFailed
	case id != "" && r.node.cluster.ofTxn(id) != r.node.id:
		return kerr.NotCoordinator
	}
	return nil
}

// fencedBefore answers PRODUCER_FENCED as INVALID_PRODUCER_EPOCH to clients that do not know it (KIP-588): those before a version.
func fencedBefore(version, request int16, err *kerr.Error) int16 {
	switch {
	case err == nil:
		return 0
	case err == kerr.ProducerFenced && request < version:
		return kerr.InvalidProducerEpoch.Code
	}
	return err.Code
}
