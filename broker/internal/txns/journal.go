package txns

import (
	"cmp"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Entry is what Kafka writes down of a transactional id in __transaction_state, in its own encoding. A nil Value says that it is forgotten.
type Entry struct {
	TransactionalID string
	Key, Value      []byte
}

// valueVersion is that of transaction.version 1 and later.
const valueVersion = 1

// states are the states in the order of their numbers in Kafka's records.
var states = []State{Empty, Ongoing, PrepareCommit, PrepareAbort, CompleteCommit, CompleteAbort}

func key(id string) []byte {
	k := kmsg.TxnMetadataKey{TransactionalID: id}
	return k.AppendTo(nil)
}

// writes notes what a transactional id is now, which is handed over before anything is answered.
func (m *Manager) writes(t *txn) {
	if m.cfg.WriteDown == nil {
		return
	}
	v := kmsg.NewTxnMetadataValue()
	v.Version, v.ProducerID, v.ProducerEpoch, v.State = valueVersion, t.producer.ID, t.producer.Epoch, kmsg.TransactionState(slices.Index(states, t.state))
	v.TimeoutMillis, v.LastUpdateTimestamp, v.StartTimestamp = int32(t.timeout/time.Millisecond), t.updated.UnixMilli(), -1
	if !t.started.IsZero() {
		v.StartTimestamp = t.started.UnixMilli()
	}
	v.PreviousProducerID, v.NextProducerID = t.previous, t.upcoming
	if t.bumped {
		v.ClientTransactionVersion = 2
	}
	if t.state != Empty {
		v.Topics = []kmsg.TxnMetadataValueTopic{} // which Kafka reads as a list then, if an empty one
	}
	parts := slices.Clone(t.parts)
	slices.SortFunc(parts, func(a, b Partition) int {
		return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
	})
	for _, p := range parts {
		if n := len(v.Topics); n == 0 || v.Topics[n-1].Topic != p.Topic {
			topic := kmsg.NewTxnMetadataValueTopic()
			topic.Topic = p.Topic
			v.Topics = append(v.Topics, topic)
		}
		topic := &v.Topics[len(v.Topics)-1]
		topic.Partitions = append(topic.Partitions, p.Partition)
	}
	m.journal = append(m.journal, Entry{t.id, key(t.id), v.AppendTo(nil)})
}

// flush hands over what has been noted, in the order in which it was.
func (m *Manager) flush() {
	m.writing.Lock()
	defer m.writing.Unlock()
	m.mu.Lock()
	entries := m.journal
	m.journal = nil
	m.mu.Unlock()
	if len(entries) > 0 {
		m.cfg.WriteDown(entries)
	}
}
