package txns

import (
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Load takes over what another Manager has written down of a transactional id, by [Config].WriteDown: record by record, in the order of each partition of
// __transaction_state. The Manager must not be asked anything before [Manager.Loaded].
func (m *Manager) Load(recordKey, value []byte) error {
	var k kmsg.TxnMetadataKey
	if err := k.ReadFrom(recordKey); err != nil {
		return fmt.Errorf("txns: key: %w", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if value == nil {
		delete(m.txns, k.TransactionalID)
		return nil
	}
	var v kmsg.TxnMetadataValue
	if err := v.ReadFrom(value); err != nil {
		return fmt.Errorf("txns: transactional id %s: %w", k.TransactionalID, err)
	}
	if int(v.State) < 0 || int(v.State) >= len(states) {
		return fmt.Errorf("txns: transactional id %s: there is no state %d", k.TransactionalID, v.State)
	}
	t := &txn{id: k.TransactionalID, state: states[v.State], producer: Producer{v.ProducerID, v.ProducerEpoch}, previous: NoProducer, upcoming: NoProducer,
		last: NoEpoch, timeout: time.Duration(v.TimeoutMillis) * time.Millisecond, updated: time.UnixMilli(v.LastUpdateTimestamp), changed: make(chan struct{})}
	if v.StartTimestamp >= 0 {
		t.started = time.UnixMilli(v.StartTimestamp)
	}
	if v.Version >= valueVersion {
		t.previous, t.upcoming, t.bumped = v.PreviousProducerID, v.NextProducerID, v.ClientTransactionVersion >= 2
	}
	for _, topic := range v.Topics {
		for _, p := range topic.Partitions {
			t.parts = append(t.parts, Partition{topic.Topic, p})
		}
	}
	m.txns[t.id] = t
	return nil
}

// Join adds a partition to the open transaction of a producer: it has records there, and the last Manager had no time to write that down. It reports false
// where the producer has no transaction open, so that what is in the partition has to be aborted.
func (m *Manager) Join(p Producer, part Partition) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, t := range m.txns {
		if t.producer.ID != p.ID {
			continue
		}
		ends := t.state.ending() && (t.producer.Epoch == p.Epoch || t.bumped && t.producer.Epoch == p.Epoch+1)
		if !ends && (t.state != Ongoing || t.producer.Epoch != p.Epoch) {
			return false
		}
		if !slices.Contains(t.parts, part) && !ends {
			t.parts = append(t.parts, part)
		}
		return !ends || slices.Contains(t.parts, part)
	}
	return false
}

// Loaded ends the loading: what was ending goes on to end, and what is open has its timeout.
func (m *Manager) Loaded() {
	m.mu.Lock()
	defer m.unlock()
	for _, t := range m.txns {
		if !t.state.ending() {
			continue
		}
		if len(t.parts) == 0 {
			t.complete(time.Now())
			m.writes(t)
			continue
		}
		e := t.endingOf()
		m.out = append(m.out, func() { m.cfg.Write(e) })
	}
	m.watchTimeouts()
	m.watchExpiry()
}
