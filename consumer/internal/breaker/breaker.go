// Package breaker is the flood breaker: it tells a failing dependency from failing records, so that an outage does not empty a topic into its
// dead-letter topic.
//
// The rule, for one handler on one member: a record that used up its retries dies, unless four before it died or wait to die with the same fingerprint and
// nothing of the handler has succeeded since the first of them first failed. Then the dependency is to blame and the breaker opens. While it is open nothing
// dies; what is out of retries waits and is tried again at growing intervals. The first success closes it, and every waiting record gets one attempt more.
// One that fails that attempt is judged by the same rule, as if it had first failed then: it dies, unless four others did since the last success. So an outage costs at most four dead letters, and a dependency that flaps at most four for each time it came back.
//
// Records that can not be decoded, and those whose handler said that the error is permanent, never come here: they do not count and do not wait.
package breaker

import (
	"sync"
	"sync/atomic"
	"time"
)

// ID names a record within its handler.
type ID struct {
	Topic     string
	Partition int32
	Offset    int64
}

// Config sets the rule's numbers. The zero value is the default.
type Config struct {
	Casualties int           // how many records of one fingerprint die before the next ones wait; 4 when 0, negative turns the breaker off
	MinWait    time.Duration // the first interval between attempts of a waiting record; 1 s when 0
	MaxWait    time.Duration // the longest one; 1 min when 0
}

// Breaker is the flood breaker of one handler. It is safe for concurrent use and starts no goroutine; times are the caller's.
type Breaker struct {
	casualties int
	minWait    time.Duration
	maxWait    time.Duration

	lastSuccess atomic.Int64 // Unix nanoseconds
	dirty       atomic.Bool  // there is something that a success must look at

	mu          sync.Mutex
	failed      map[string][]time.Time // by fingerprint: when those that died since the last success first failed
	waiting     map[ID]*wait
	open        bool
	fingerprint string // of the records that opened it
	since       time.Time
}

type wait struct {
	rounds     int
	lastChance bool // the breaker closed: the next attempt decides
}

// Decision is what becomes of a record that is out of retries.
type Decision struct {
	Die  bool
	Wait time.Duration // until its next attempt, when it does not die
}

// State describes a breaker for health reports.
type State struct {
	Open        bool
	Fingerprint string    // of the failures that opened it
	Since       time.Time // when it opened
	Waiting     int       // records out of retries that wait, whether or not it is open
}

// New returns a closed breaker.
func New(cfg Config) *Breaker {
	b := &Breaker{
		casualties: cfg.Casualties, minWait: cfg.MinWait, maxWait: cfg.MaxWait,
		failed: map[string][]time.Time{}, waiting: map[ID]*wait{},
	}
	if b.casualties == 0 {
		b.casualties = 4
	}
	if b.minWait == 0 {
		b.minWait = time.Second
	}
	if b.maxWait == 0 {
		b.maxWait = time.Minute
	}
	return b
}

// Exhausted decides over a record whose attempt just failed and that has no retries left: for the first time, or again after it waited.
func (b *Breaker) Exhausted(id ID, fingerprint string, firstFailed, now time.Time) Decision {
	if b.casualties < 0 {
		return Decision{Die: true}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.dirty.Store(true)
	w := b.waiting[id]
	if w != nil && w.lastChance {
		firstFailed = now // judged anew, by this attempt alone
		w.lastChance, w.rounds = false, 0
	}
	if !b.open {
		// failed holds only what first failed after the last success: Succeeded forgets the rest.
		if len(b.failed[fingerprint]) < b.casualties {
			if firstFailed.UnixNano() >= b.lastSuccess.Load() {
				b.failed[fingerprint] = append(b.failed[fingerprint], firstFailed)
			}
			delete(b.waiting, id)
			return Decision{Die: true}
		}
		b.open, b.fingerprint, b.since = true, fingerprint, now
	}
	if w == nil {
		w = &wait{}
		b.waiting[id] = w
	}
	d := min(b.maxWait, b.minWait<<min(w.rounds, 30))
	w.rounds++
	return Decision{Wait: d}
}

// Succeeded tells that an attempt of the handler succeeded; while nothing fails it costs two atomic operations. When it closes the breaker it returns the waiting records, which the caller makes due now.
func (b *Breaker) Succeeded(id ID, now time.Time) []ID {
	if b.casualties < 0 {
		return nil
	}
	b.lastSuccess.Store(now.UnixNano())
	if !b.dirty.Load() {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.waiting, id)
	clear(b.failed)
	b.dirty.Store(len(b.waiting) > 0)
	if !b.open {
		return nil
	}
	b.open, b.fingerprint, b.since = false, "", time.Time{}
	released := make([]ID, 0, len(b.waiting))
	for id, w := range b.waiting {
		w.lastChance = true
		released = append(released, id)
	}
	return released
}

// Forget drops a record that ended otherwise or that the member no longer owns.
func (b *Breaker) Forget(id ID) {
	if b.casualties < 0 {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.waiting, id)
}

// State returns what a health report needs.
func (b *Breaker) State() State {
	b.mu.Lock()
	defer b.mu.Unlock()
	return State{Open: b.open, Fingerprint: b.fingerprint, Since: b.since, Waiting: len(b.waiting)}
}
