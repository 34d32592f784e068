package txns

import "time"

// Kafka looks for transactions that have outlived their timeouts every ten seconds, and for transactional ids that nobody uses every hour. Here an
// alarm is set for the look at which something will be found, so that a Manager in which nothing is due sets none.

// alarm is one timer; the Manager's lock guards it.
type alarm struct {
	at    time.Time
	timer *time.Timer
}

// set makes an alarm go off at the first look, of those every so often, at or after t, unless it goes off sooner.
func (m *Manager) set(a *alarm, t time.Time, every time.Duration, look func(now time.Time)) {
	if m.closed {
		return
	}
	if now := time.Now(); !t.After(now) {
		t = now.Add(1) // at the next look, not at one that is now
	}
	at := m.started.Add((t.Sub(m.started) + every - 1) / every * every)
	if a.timer != nil && !a.at.After(at) {
		return
	}
	m.unset(a)
	m.timers.Add(1)
	var timer *time.Timer
	timer = time.AfterFunc(time.Until(at), func() {
		defer m.timers.Done()
		m.mu.Lock()
		defer m.unlock()
		if a.timer == timer {
			a.timer = nil
			look(time.Now())
		}
	})
	a.at, a.timer = at, timer
}

func (m *Manager) unset(a *alarm) {
	if a.timer != nil && a.timer.Stop() {
		m.timers.Done()
	}
	a.timer = nil
}

// watchTimeouts sets the alarm for the transaction that times out first.
func (m *Manager) watchTimeouts() {
	var first time.Time
	for _, t := range m.txns {
		if due := t.started.Add(t.timeout); t.state == Ongoing && (first.IsZero() || due.Before(first)) {
			first = due
		}
	}
	if !first.IsZero() {
		m.set(&m.aborts, first, m.cfg.AbortInterval, m.abortTimedOut)
	}
}

// abortTimedOut aborts the transactions that have outlived their timeouts, and fences their producers.
func (m *Manager) abortTimedOut(now time.Time) {
	for _, t := range m.txns {
		if t.state == Ongoing && !now.Before(t.started.Add(t.timeout)) {
			m.log("transaction is aborted: it has outlived its timeout", t, "timeout", t.timeout)
			m.end(t, false, true, NoProducer, now)
		}
	}
	m.watchTimeouts()
}

// idle says whether a transactional id may expire.
func (t *txn) idle() bool {
	return t.state == Empty || t.state == CompleteCommit || t.state == CompleteAbort
}

// watchExpiry sets the alarm for the transactional id that expires first.
func (m *Manager) watchExpiry() {
	if m.expiry.timer != nil {
		return // what is used now expires later than what it is set for
	}
	var first time.Time
	for _, t := range m.txns {
		if due := t.updated.Add(m.cfg.Expiration); t.idle() && (first.IsZero() || due.Before(first)) {
			first = due
		}
	}
	if !first.IsZero() {
		m.set(&m.expiry, first, m.cfg.ExpirationInterval, m.expire)
	}
}

// expire forgets the transactional ids that nobody has used for long enough.
func (m *Manager) expire(now time.Time) {
	for id, t := range m.txns {
		if t.idle() && !now.Before(t.updated.Add(m.cfg.Expiration)) {
			m.log("transactional id has expired", t)
			delete(m.txns, id)
			if m.cfg.WriteDown != nil {
				m.journal = append(m.journal, Entry{TransactionalID: id, Key: key(id)})
			}
			close(t.changed)
		}
	}
	m.watchExpiry()
}
