package txns

import (
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

// Manager coordinates all transactions of one cluster. Its methods are safe for concurrent use and do not block.
type Manager struct {
	cfg     Config
	started time.Time      // looks come so many intervals later
	timers  sync.WaitGroup // timers that will still call back

	writing sync.Mutex // held while the journal is written down

	mu      sync.Mutex // guards what follows
	closed  bool
	txns    map[string]*txn
	journal []Entry  // what is to be written down once mu is released
	out     []func() // what is to be done then
	aborts  alarm    // looks for what has timed out
	expiry  alarm    // looks for what has expired
}

// New returns a Manager that knows no transactional id. Close it.
func New(cfg Config) *Manager {
	return &Manager{cfg: cfg.withDefaults(), started: time.Now(), txns: make(map[string]*txn)}
}

// Close stops all timers and waits for those that are going off. What is asked of a closed Manager is answered COORDINATOR_NOT_AVAILABLE; what it
// knew can still be read.
func (m *Manager) Close() {
	m.mu.Lock()
	m.closed = true
	m.unset(&m.aborts)
	m.unset(&m.expiry)
	m.unlock()
	m.timers.Wait()
}

// unlock releases mu and then does what was put off until then.
func (m *Manager) unlock() {
	out := m.out
	m.out = nil
	written := len(m.journal) > 0
	m.mu.Unlock()
	if written {
		m.flush()
	}
	for _, f := range out {
		f()
	}
	m.cfg.Changed()
}

func (m *Manager) log(msg string, t *txn, args ...any) {
	args = append([]any{"transactional id", t.id, "producer id", t.producer.ID, "epoch", t.producer.Epoch}, args...)
	m.out = append(m.out, func() { m.cfg.Logger.Info(msg, args...) })
}

// find returns what is known of a transactional id.
func (m *Manager) find(id string, absent *kerr.Error) (*txn, *kerr.Error) {
	switch t := m.txns[id]; {
	case m.closed:
		return nil, kerr.CoordinatorNotAvailable
	case id == "":
		return nil, kerr.InvalidRequest
	case t == nil:
		return nil, absent
	default:
		return t, nil
	}
}

// Init gives a client its producer id and epoch (InitProducerId). A transaction that is open is aborted first, under which the client is to come
// again: CONCURRENT_TRANSACTIONS. was is what the client believes to be, nil for a new one (KIP-360).
func (m *Manager) Init(id string, timeoutMillis int32, was *Producer) (Producer, *kerr.Error) {
	m.mu.Lock()
	defer m.unlock()
	t, err := m.find(id, nil)
	timeout := time.Duration(timeoutMillis) * time.Millisecond
	switch {
	case err != nil:
		return noProducer, err
	case timeout <= 0 || timeout > m.cfg.MaxTimeout:
		return noProducer, kerr.InvalidTransactionTimeout
	}
	now := time.Now()
	if t == nil {
		t = &txn{id: id, state: Empty, producer: Producer{m.cfg.NewProducerID(), NoEpoch}, previous: NoProducer, upcoming: NoProducer, last: NoEpoch,
			timeout: timeout, updated: now, changed: make(chan struct{})}
		m.txns[id] = t
	}
	if t.state.ending() {
		return noProducer, kerr.ConcurrentTransactions
	}
	// A client that was given an id when the epochs of its last one ran out may not have heard of it.
	retries := was != nil && was.ID == t.previous && exhausted(was.Epoch)
	if was != nil && t.producer.Epoch != NoEpoch && was.ID != t.producer.ID && !retries {
		m.log("producer is fenced: it has another producer id", t)
		return noProducer, kerr.ProducerFenced
	}
	if t.state == Ongoing {
		m.log("transaction is aborted: its producer begins anew", t)
		m.end(t, false, true, NoProducer, now)
		return noProducer, kerr.ConcurrentTransactions
	}
	if err := m.bump(t, was); err != nil {
		return noProducer, err
	}
	t.timeout, t.parts, t.started = timeout, nil, time.Time{}
	t.to(Empty, now)
	m.writes(t)
	m.watchExpiry()
	return t.producer, nil
}

// bump gives an id that has no transaction its next epoch, or a new producer id when the epochs have run out.
func (m *Manager) bump(t *txn, was *Producer) *kerr.Error {
	now := t.producer
	switch {
	case exhausted(now.Epoch) && (was == nil || was.Epoch == now.Epoch):
		t.previous, t.producer, t.last = now.ID, Producer{m.cfg.NewProducerID(), 0}, NoEpoch
		if was != nil {
			t.last = now.Epoch
		}
	case exhausted(now.Epoch):
		return kerr.ProducerFenced
	case was == nil:
		t.previous, t.producer.Epoch, t.last = now.ID, now.Epoch+1, NoEpoch
	case now.Epoch == NoEpoch || was.Epoch == now.Epoch:
		t.previous, t.producer.Epoch, t.last = now.ID, now.Epoch+1, now.Epoch
	case was.Epoch == t.last: // again, because the answer was lost
		t.previous = now.ID
	default:
		m.log("producer is fenced: it has an older epoch", t, "its epoch", was.Epoch)
		return kerr.ProducerFenced
	}
	return nil
}

// Add adds partitions to a transaction, which begins with the first (AddPartitionsToTxn, AddOffsetsToTxn, and what a client of the newer kind
// produces).
func (m *Manager) Add(id string, p Producer, parts []Partition) *kerr.Error {
	m.mu.Lock()
	defer m.unlock()
	t, err := m.find(id, kerr.InvalidProducerIDMapping)
	switch {
	case err != nil:
		return err
	case t.state.ending():
		return kerr.ConcurrentTransactions
	case t.producer.ID != p.ID:
		return kerr.InvalidProducerIDMapping
	case t.producer.Epoch != p.Epoch:
		return kerr.ProducerFenced
	}
	parts = slices.DeleteFunc(slices.Clone(parts), func(p Partition) bool { return t.state == Ongoing && slices.Contains(t.parts, p) })
	if t.state == Ongoing && len(parts) == 0 {
		return nil
	}
	now := time.Now()
	if t.state != Ongoing {
		t.started = now
		m.set(&m.aborts, now.Add(t.timeout), m.cfg.AbortInterval, m.abortTimedOut)
	}
	for _, p := range parts {
		if !slices.Contains(t.parts, p) {
			t.parts = append(t.parts, p)
		}
	}
	t.to(Ongoing, now)
	m.writes(t)
	return nil
}

// Verify says whether a partition is part of a producer's open transaction, as a client of the older kind has to have announced (KIP-890). The error
// is TRANSACTION_ABORTABLE where it is not.
func (m *Manager) Verify(id string, p Producer, part Partition) *kerr.Error {
	m.mu.Lock()
	defer m.mu.Unlock()
	t, err := m.find(id, kerr.InvalidProducerIDMapping)
	switch {
	case err != nil:
		return err
	case t.producer.ID != p.ID:
		return kerr.InvalidProducerIDMapping
	case t.producer.Epoch != p.Epoch:
		return kerr.ProducerFenced
	case t.state.ending():
		return kerr.ConcurrentTransactions
	case !slices.Contains(t.parts, part):
		return kerr.TransactionAbortable
	}
	return nil
}

// End commits or aborts a transaction (EndTxn). bumps says that the client takes the epoch that it is given for its next transaction
// (transaction.version 2); the others keep theirs.
func (m *Manager) End(id string, p Producer, commit, bumps bool) (Producer, *kerr.Error) {
	m.mu.Lock()
	defer m.unlock()
	t, err := m.find(id, kerr.InvalidProducerIDMapping)
	if err != nil {
		return noProducer, err
	}
	if !bumps {
		return m.endKeeping(t, p, commit)
	}
	// The client may come a second time, because it has not heard that its transaction has ended and its epoch has grown, or its id has changed.
	again := t.producer.Epoch == p.Epoch+1 && t.producer.ID == p.ID || t.previous == p.ID && p.Epoch == lastEpoch && t.producer.Epoch == 0
	done := t.state == CompleteCommit || t.state == CompleteAbort
	switch {
	case t.state.ending():
		return noProducer, kerr.ConcurrentTransactions
	case t.producer.ID != p.ID && !again:
		return noProducer, kerr.InvalidProducerIDMapping
	case t.producer.Epoch != p.Epoch && !(done && again):
		return noProducer, kerr.ProducerFenced
	case done && again:
		if commit != (t.state == CompleteCommit) {
			return noProducer, kerr.InvalidTxnState
		}
		return t.producer, nil
	case commit && t.state != Ongoing:
		return noProducer, kerr.InvalidTxnState
	}
	upcoming := NoProducer
	if exhausted(t.producer.Epoch) {
		upcoming = m.cfg.NewProducerID()
	}
	given := m.end(t, commit, true, upcoming, time.Now())
	return given, nil
}

// endKeeping is End for a client that keeps its epoch.
func (m *Manager) endKeeping(t *txn, p Producer, commit bool) (Producer, *kerr.Error) {
	switch {
	case t.producer.ID != p.ID:
		return noProducer, kerr.InvalidProducerIDMapping
	case t.producer.Epoch != p.Epoch:
		return noProducer, kerr.ProducerFenced
	case t.state.ending():
		return noProducer, kerr.ConcurrentTransactions
	case t.state == Ongoing:
		return m.end(t, commit, false, NoProducer, time.Now()), nil
	case t.state == CompleteCommit && commit, t.state == CompleteAbort && !commit:
		return t.producer, nil
	}
	return noProducer, kerr.InvalidTxnState
}

// end has the markers written, and returns what the client is from now on.
func (m *Manager) end(t *txn, commit, bumped bool, upcoming int64, now time.Time) Producer {
	t.prepare(commit, bumped, upcoming, now)
	m.writes(t)
	given := t.given()
	m.log("transaction ends", t, "state", t.state, "partitions", len(t.parts))
	if len(t.parts) == 0 {
		t.complete(now)
		m.writes(t)
		m.watchExpiry()
		return given
	}
	e := t.endingOf()
	m.out = append(m.out, func() { m.cfg.Write(e) })
	return given
}

// Written says that a partition has the marker of a transaction, or does not exist any more. After the last the transaction is complete.
func (m *Manager) Written(id string, part Partition) {
	m.mu.Lock()
	defer m.unlock()
	t := m.txns[id]
	if t == nil || !t.state.ending() {
		return
	}
	t.parts = slices.DeleteFunc(t.parts, func(p Partition) bool { return p == part })
	if len(t.parts) > 0 {
		return
	}
	t.complete(time.Now())
	m.writes(t)
	m.log("transaction is complete", t, "state", t.state)
	m.watchExpiry()
}

// Changed returns a channel that is closed when the state of a transactional id changes next; nil where the id is not known.
func (m *Manager) Changed(id string) <-chan struct{} {
	m.mu.Lock()
	defer m.mu.Unlock()
	if t := m.txns[id]; t != nil {
		return t.changed
	}
	return nil
}
