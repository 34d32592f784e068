package txns

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// Transaction is what is known of a transactional id.
type Transaction struct {
	TransactionalID string
	State           State
	Producer        Producer
	Timeout         time.Duration
	Started         time.Time   // when its transaction began, the last one where none is open; zero: none has since InitProducerId
	Partitions      []Partition // of the open transaction, while it ends those without a marker; sorted
}

func (t *txn) inspect() Transaction {
	parts := slices.Clone(t.parts)
	slices.SortFunc(parts, func(a, b Partition) int {
		return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
	})
	return Transaction{t.id, t.state, t.producer, t.timeout, t.started, parts}
}

// Transaction returns what is known of a transactional id.
func (m *Manager) Transaction(id string) (Transaction, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if t := m.txns[id]; t != nil {
		return t.inspect(), true
	}
	return Transaction{}, false
}

// Transactions returns what is known of all transactional ids, in their order.
func (m *Manager) Transactions() []Transaction {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := make([]Transaction, 0, len(m.txns))
	for _, t := range m.txns {
		all = append(all, t.inspect())
	}
	slices.SortFunc(all, func(a, b Transaction) int { return strings.Compare(a.TransactionalID, b.TransactionalID) })
	return all
}
