package broker

import (
	"fmt"
	"maps"
	"sync"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sordini-go/sordini/broker/internal/txns"
)

// txnCoordinators says which broker coordinates which transactional id. What is known of the ids is the cluster's, as it is with groups: whoever
// becomes the coordinator has read what the last one wrote down. Its epoch is newer, which is how partitions tell the markers of two coordinators
// apart.
type txnCoordinators struct {
	mu    sync.Mutex // guards what follows
	moved map[string]int32
	terms map[string]term // by transactional id
}

// term is who coordinated an id when it was last looked at, and the epoch of that.
type term struct{ broker, epoch int32 }

// ofTxn returns the broker that coordinates a transactional id, noLeader where none can.
func (c *Cluster) ofTxn(id string) int32 {
	c.txnCoordinators.mu.Lock()
	broker, moved := c.txnCoordinators.moved[id]
	c.txnCoordinators.mu.Unlock()
	if moved && c.node(broker).isAlive() {
		return broker
	}
	return c.firstAlive(javaHash(id) % int32(c.property().Int("transaction.state.log.num.partitions")))
}

// txnTerm returns the broker that coordinates a transactional id, and in which epoch.
func (c *Cluster) txnTerm(id string) term {
	broker := c.ofTxn(id)
	cs := &c.txnCoordinators
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if cs.terms == nil {
		cs.terms = make(map[string]term)
	}
	t, known := cs.terms[id]
	switch {
	case !known:
		t = term{broker: broker}
	case t.broker != broker:
		t = term{broker, t.epoch + 1}
	}
	cs.terms[id] = t
	return t
}

// MoveTxnCoordinator makes a broker the coordinator of a transactional id for as long as the broker runs. Its transaction goes on; what comes to the
// old coordinator is answered NOT_COORDINATOR. The broker must run: it fails with [ErrUnknownBroker].
func (c *Cluster) MoveTxnCoordinator(transactionalID string, broker int32) error {
	if n := c.node(broker); n == nil || !n.isAlive() {
		return fmt.Errorf("move coordinator of transactional id %s to broker %d, which does not run: %w", transactionalID, broker, ErrUnknownBroker)
	}
	c.txnTerm(transactionalID) // so that the change is seen
	cs := &c.txnCoordinators
	cs.mu.Lock()
	cs.moved = maps.Clone(cs.moved)
	if cs.moved == nil {
		cs.moved = make(map[string]int32)
	}
	cs.moved[transactionalID] = broker
	cs.mu.Unlock()
	c.txnTerm(transactionalID)
	c.coordinatorsChanged()
	c.log.Info("transaction coordinator moved", "transactional id", transactionalID, "broker", broker)
	return nil
}

// newTxns starts the coordinator of all transactions.
func (c *Cluster) newTxns() *txns.Manager {
	p := c.property()
	return txns.New(txns.Config{
		NewProducerID:      c.newProducerID,
		Write:              c.writeMarkers,
		MaxTimeout:         p.Millis("transaction.max.timeout.ms"),
		AbortInterval:      p.Millis("transaction.abort.timed.out.transaction.cleanup.interval.ms"),
		Expiration:         p.Millis("transactional.id.expiration.ms"),
		ExpirationInterval: p.Millis("transaction.remove.expired.transaction.cleanup.interval.ms"),
		Changed:            c.watchers.notify,
		Logger:             c.log,
	})
}

func (c *Cluster) newProducerID() int64 { return c.lastPID.Add(1) }

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
