package consumer

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sordini-go/sordini"
)

// CircuitPolicy says when a handler is left alone for a while because what it depends on fails. The zero value of a field is its default.
type CircuitPolicy struct {
	// Failures is how many attempts of the handler have to fail one after the other, whichever records they are of: 20 when 0, negative for no such rule.
	// Keep it above RetryPolicy.Retries times the keys that may be poisoned at a time, or those alone open the circuit while nothing else is handled.
	Failures int

	// Share, where set, opens it as well when at least this share (0 to 1) of the attempts of the last Window failed, of which there were Least or more.
	Share  float64
	Window time.Duration // 10 s when 0
	Least  int           // 20 when 0

	Wait    time.Duration // how long it is open before one record is tried; 1 s when 0. It doubles with each that fails
	MaxWait time.Duration // the longest; 1 min when 0

	// Counts, where set, says which failures speak of the dependency. Those that it does not choose neither open the circuit nor close it. Permanent errors,
	// skipped records and bytes that do not decode never count. It must be safe for concurrent use.
	Counts func(err error) bool
}

func (p CircuitPolicy) check() error {
	switch {
	case p.Share < 0 || p.Share > 1:
		return refuse("circuit policy: Share %v is not between 0 and 1", p.Share)
	case p.Wait < 0 || p.MaxWait < 0 || p.Window < 0 || p.Least < 0:
		return refuse("circuit policy: Wait, MaxWait, Window and Least may not be negative")
	case p.Failures < 0 && p.Share == 0:
		return refuse("circuit policy: Failures is negative and Share is 0, so that nothing opens it; leave the option out")
	case p.Share == 0 && (p.Window != 0 || p.Least != 0):
		return refuse("circuit policy: Window and Least are of no use without Share")
	}
	return nil
}

func (p CircuitPolicy) defaults() CircuitPolicy {
	if p.Failures == 0 {
		p.Failures = 20
	}
	if p.Window == 0 {
		p.Window = 10 * time.Second
	}
	if p.Least == 0 {
		p.Least = 20
	}
	if p.Wait == 0 {
		p.Wait = time.Second
	}
	if p.MaxWait == 0 {
		p.MaxWait = time.Minute
	}
	p.MaxWait = max(p.MaxWait, p.Wait)
	return p
}

// CircuitBreaker stops a handler's records from being tried while what it depends on fails. It opens as the policy says; then nothing of the handler starts, and
// after a wait one record is tried. If that fails the wait doubles, otherwise the circuit closes and all go on. Attempts that fail while it is open do not count
// against their records' retries, so that an outage costs no record its life. While it is open the group is unhealthy.
//
// The flood breaker, which is on without this option, protects records that used up their retries: it lets each be tried up to there, and keeps them from dying.
// The circuit breaker acts earlier, spares the dependency the attempts, and costs the records nothing; what it lets through is still judged by the retries and
// the flood breaker. Both count for one handler on one member.
func CircuitBreaker(p CircuitPolicy) HandlerOption {
	return handlerOption(func(c *handlerConfig) {
		if err := p.check(); err != nil {
			c.errs = append(c.errs, err)
		}
		c.circuit = &p
	})
}

// circuit is the circuit breaker of one handler. The legal moves:
//
//	closed ─► open (enough failures) ─► probing (a record is tried once the wait is over) ─► closed, or open again for longer
//	probing ─► open, as it was, when the attempt says nothing of the dependency
type circuit struct {
	policy CircuitPolicy
	opened atomic.Bool // not closed

	row atomic.Int64 // failures one after the other

	mu      sync.Mutex
	trial   bool // a record is being tried, or about to be
	recent  tally
	since   time.Time // when it opened
	until   time.Time // when a record may be tried
	rounds  int       // that failed
	cause   error
	probe   *attempt
	waiting laneQueue
	queued  int
	timer   *time.Timer // nil while nobody waits
}

func newCircuit(p CircuitPolicy) *circuit {
	c := &circuit{policy: p.defaults()}
	c.recent.width = c.policy.Window / time.Duration(len(c.recent.slots))
	return c
}

// pass says whether a lane's head may be tried. Otherwise the lane waits. The partition's mutex is held.
func (c *circuit) pass(l *lane, now time.Time) bool {
	if !c.opened.Load() {
		return true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.opened.Load() {
		return true
	}
	if !c.trial && !now.Before(c.until) {
		c.trial = true
		return true
	}
	c.waiting.push(l)
	c.queued++
	c.arm(now)
	return false
}

// begin hears of an attempt that pass let through. The partition's mutex is held all along.
func (c *circuit) begin(a *attempt) {
	if !c.opened.Load() {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.trial && c.probe == nil {
		c.probe = a
	}
}

// judge hears what an attempt came to, and says whether a failure counts against the record. It is called without locks.
func (c *circuit) judge(a *attempt, err error, now time.Time) (counts bool) {
	failed := err != nil && !errors.Is(err, sordini.ErrSkipped)
	if !failed && c.policy.Share == 0 && !c.opened.Load() {
		if c.row.Load() != 0 {
			c.row.Store(0)
		}
		return true
	}
	c.mu.Lock()
	probe := c.probe == a
	says := !failed || c.policy.Counts == nil || c.policy.Counts(err)
	if !says {
		if probe {
			c.probe, c.trial = nil, false
			c.arm(now)
		}
		c.mu.Unlock()
		return true
	}
	var free laneQueue
	defer func() {
		c.mu.Unlock()
		for l := free.pop(); l != nil; l = free.pop() {
			l.p.open(l, false)
		}
	}()
	if !c.opened.Load() {
		c.recent.add(failed, now)
		if !failed {
			c.row.Store(0)
			return true
		}
		if row := c.row.Add(1); c.policy.Failures > 0 && row >= int64(c.policy.Failures) || c.policy.Share > 0 && c.recent.over(c.policy.Share, c.policy.Least, now) {
			c.opened.Store(true)
			c.since, c.rounds, c.cause = now, 0, err
			c.until = now.Add(c.policy.Wait)
		}
		return true
	}
	if !probe {
		return !failed // it began before the circuit opened
	}
	c.probe, c.trial = nil, false
	if failed {
		c.rounds++
		c.cause = err
		c.until = now.Add(min(c.policy.MaxWait, c.policy.Wait<<min(c.rounds, 30)))
		c.arm(now)
		return false
	}
	c.opened.Store(false)
	c.row.Store(0)
	c.recent.slots = [len(c.recent.slots)]slot{}
	free, c.waiting, c.queued = c.waiting, laneQueue{}, 0
	c.arm(now)
	return true
}

// abandon frees the place of a record that was tried and will say nothing: its partition went, or its handler goes on although its time is over.
func (c *circuit) abandon(a *attempt, now time.Time) {
	if !c.opened.Load() {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.probe == a {
		c.probe, c.trial = nil, false
		c.arm(now)
	}
}

// arm sets the timer for the next record to try. c.mu is held.
func (c *circuit) arm(now time.Time) {
	if c.waiting.empty() || c.trial {
		if c.timer != nil {
			c.timer.Stop()
			c.timer = nil
		}
		return
	}
	wait := max(0, c.until.Sub(now))
	if c.timer == nil {
		c.timer = time.AfterFunc(wait, c.ring)
	} else {
		c.timer.Reset(wait)
	}
}

// ring wakes one lane, and another after a while if nothing came of that: it may be paused meanwhile.
func (c *circuit) ring() {
	c.mu.Lock()
	now := time.Now()
	if c.waiting.empty() || c.trial || now.Before(c.until) {
		c.arm(now)
		c.mu.Unlock()
		return
	}
	l := c.waiting.pop()
	c.queued--
	if !c.waiting.empty() {
		c.timer = time.AfterFunc(c.policy.Wait, c.ring)
	} else {
		c.timer = nil
	}
	c.mu.Unlock()
	l.p.open(l, false)
}

// drop forgets the lanes of a partition that is given up. Its mutex is held.
func (c *circuit) drop(p *partition) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting.drop(p)
	c.queued = 0
	for l := c.waiting.head; l != nil; l = l.next {
		c.queued++
	}
	if c.probe != nil && c.probe.p == p {
		c.probe, c.trial = nil, false
	}
	c.arm(time.Now())
}

// circuit is the breaker that hears of the attempt, nil for none.
func (a *attempt) circuit() *circuit {
	if a.h == nil || a.p.e.alone || a.lead != nil {
		return nil
	}
	return a.h.circuit
}

// state describes the circuit for health reports; since is zero while it is closed.
func (c *circuit) state() (since, until time.Time, waiting int, cause error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.opened.Load() {
		return time.Time{}, time.Time{}, 0, nil
	}
	return c.since, c.until, c.queued, c.cause
}

// tally counts the attempts of the last while, in slots that age one by one.
type tally struct {
	width time.Duration // of a slot
	slots [10]slot
}

type slot struct {
	at         int64 // in widths
	all, wrong int
}

func (t *tally) add(failed bool, now time.Time) {
	at := now.UnixNano() / int64(max(1, t.width))
	s := &t.slots[at%int64(len(t.slots))]
	if s.at != at {
		*s = slot{at: at}
	}
	s.all++
	if failed {
		s.wrong++
	}
}

// over says whether at least a share of the attempts failed, of which there were least.
func (t *tally) over(share float64, least int, now time.Time) bool {
	at := now.UnixNano() / int64(max(1, t.width))
	all, wrong := 0, 0
	for _, s := range t.slots {
		if at-s.at < int64(len(t.slots)) {
			all += s.all
			wrong += s.wrong
		}
	}
	return all >= least && float64(wrong) >= share*float64(all)
}
