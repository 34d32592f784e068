package consumer

import (
	"math"
	"sync"
	"time"
)

// Rate is how much may be handled in a second. A rate of zero is no limit; to stop handling altogether use Group.Pause.
type Rate struct {
	Records float64 // attempts a second, retries included
	Bytes   float64 // of keys, values and headers a second; a record that is larger than a burst waits for a full one, and the next ones for its debt

	// Burst is how much of what was not used is kept, as time: with 100 records a second and a Burst of a second, 100 records may start at once after a
	// quiet second. 100 ms when 0. One record may always start.
	Burst time.Duration
}

func (r Rate) check() error {
	for _, x := range []float64{r.Records, r.Bytes} {
		if x < 0 || math.IsNaN(x) || math.IsInf(x, 0) {
			return refuse("rate %+v: give numbers that are not negative; 0 is no limit", r)
		}
	}
	if r.Burst < 0 {
		return refuse("rate %+v: Burst may not be negative", r)
	}
	return nil
}

// RateLimit holds handlers to a rate: give it to Limit or LimitEachKey. One limit may be shared by several handlers and groups of the process, which then share
// its rate: a quota of an API that they all call, for instance. What may not start yet waits in its lane and holds neither a worker nor a goroutine; each key
// waits for itself, first come, first served. A limit is per process: divide a quota by the number of members. Its methods are safe for concurrent use.
type RateLimit struct {
	mu   sync.Mutex
	rate Rate
	all  *line
	keys map[string]*line
	many int // keys that are worth a look for those that are idle
}

// NewRateLimit returns a limit. It returns an error that wraps ErrConfig when a number is negative or not a number.
func NewRateLimit(r Rate) (*RateLimit, error) {
	if err := r.check(); err != nil {
		return nil, err
	}
	l := &RateLimit{rate: r, keys: map[string]*line{}, many: 1024}
	l.all = l.newLine(time.Now())
	return l, nil
}

// Rate returns what the limit is set to.
func (l *RateLimit) Rate() Rate {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.rate
}

// Set changes the rate, for what waits as well. Its errors are those of NewRateLimit.
func (l *RateLimit) Set(r Rate) error {
	if err := r.check(); err != nil {
		return err
	}
	l.mu.Lock()
	now := time.Now()
	l.rate = r
	var free []*lane
	free = l.all.change(free, now)
	for _, k := range l.keys {
		free = k.change(free, now)
	}
	l.mu.Unlock()
	wakePaid(free)
	return nil
}

// Limit holds a handler to the limit's rate over all of its records on this member. Given to New, all handlers share it. Several limits may be given: a record
// starts when all of them let it.
func Limit(l *RateLimit) HandlerOption { return limit("Limit", l, false) }

// LimitEachKey lets each key have the limit's rate for itself. Records with a null key are not held up. A key's allowance is kept while it has not been refilled,
// so memory follows the keys of one burst.
func LimitEachKey(l *RateLimit) HandlerOption { return limit("LimitEachKey", l, true) }

func limit(name string, l *RateLimit, keys bool) HandlerOption {
	return handlerOption(func(c *handlerConfig) {
		if l == nil || l.all == nil {
			c.errs = append(c.errs, refuse("%s: make the limit with NewRateLimit", name))
			return
		}
		c.limits = append(c.limits[:len(c.limits):len(c.limits)], limiter{l, keys})
	})
}

// limiter is a limit as a handler uses it.
type limiter struct {
	*RateLimit
	eachKey bool
}

// pass takes what a lane's head costs, or lets the lane wait until there is as much. The partition's mutex is held.
func (x limiter) pass(l *lane, now time.Time) bool {
	key := l.head.rec.Key
	if x.eachKey && key == nil {
		return true
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	q := x.all
	if x.eachKey {
		if q = x.keys[string(key)]; q == nil {
			x.forgetIdle(now)
			q = x.newLine(now)
			x.keys[string(key)] = q
		}
	}
	l.cost = int64(l.head.size)
	if q.waiting.empty() && q.take(l.cost, now) {
		return true
	}
	q.waiting.push(l)
	q.arm(now)
	return false
}

// afford takes what a record costs at all limits of its handler, if nobody waits there and it is there. The partition's mutex is held.
func (h *handler) afford(t *task, now time.Time) bool {
	for i, x := range h.cfg.limits {
		if !x.spend(t, 1, now) {
			for _, paid := range h.cfg.limits[:i] {
				paid.spend(t, -1, now)
			}
			return false
		}
	}
	return true
}

// spend takes what a record costs, or gives it back.
func (x limiter) spend(t *task, times int, now time.Time) bool {
	if x.eachKey && t.rec.Key == nil {
		return true
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	q := x.all
	if x.eachKey {
		if q = x.keys[string(t.rec.Key)]; q == nil {
			return false // forgotten since the head of the lane paid
		}
	}
	if times > 0 {
		return q.waiting.empty() && q.take(int64(t.size), now)
	}
	q.records.level++
	q.bytes.level += float64(t.size)
	return true
}

// drop forgets the lanes of a partition that is given up. Its mutex is held.
func (l *RateLimit) drop(p *partition) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all.drop(p)
	for _, k := range l.keys {
		k.drop(p)
	}
}

// forgetIdle drops the keys that have their full allowance, which is what a new one has too. l.mu is held.
func (l *RateLimit) forgetIdle(now time.Time) {
	if len(l.keys) < l.many {
		return
	}
	for key, q := range l.keys {
		if q.waiting.empty() && q.full(now) {
			delete(l.keys, key)
		}
	}
	l.many = max(1024, 2*len(l.keys))
}

// line is those who wait for one allowance: all records of a limit, or those of one key. The limit's mutex guards it.
type line struct {
	of             *RateLimit
	records, bytes bucket
	waiting        laneQueue
	timer          *time.Timer // nil while nobody waits
}

func (l *RateLimit) newLine(now time.Time) *line {
	q := &line{of: l}
	q.records.set(l.rate.Records, 1, l.rate.burst(), now)
	q.bytes.set(l.rate.Bytes, 0, l.rate.burst(), now)
	q.records.level, q.bytes.level = q.records.most, q.bytes.most
	return q
}

func (r Rate) burst() time.Duration {
	if r.Burst == 0 {
		return 100 * time.Millisecond
	}
	return r.Burst
}

// take takes what one record of a size costs, if that is there.
func (q *line) take(size int64, now time.Time) bool {
	if q.records.wait(1, now) > 0 || q.bytes.wait(float64(size), now) > 0 {
		return false
	}
	q.records.level--
	q.bytes.level -= float64(size)
	return true
}

func (q *line) full(now time.Time) bool { return q.records.full(now) && q.bytes.full(now) }

// change applies the limit's new rate, and adds the lanes that may go on to free.
func (q *line) change(free []*lane, now time.Time) []*lane {
	r := q.of.rate
	q.records.set(r.Records, 1, r.burst(), now)
	q.bytes.set(r.Bytes, 0, r.burst(), now)
	return q.release(free, now)
}

// release takes those out of the queue for whom there is enough.
func (q *line) release(free []*lane, now time.Time) []*lane {
	for !q.waiting.empty() && q.take(q.waiting.head.cost, now) {
		free = append(free, q.waiting.pop())
	}
	q.arm(now)
	return free
}

// arm sets the timer for the first in the queue.
func (q *line) arm(now time.Time) {
	if q.waiting.empty() {
		if q.timer != nil {
			q.timer.Stop()
			q.timer = nil
		}
		return
	}
	wait := max(q.records.wait(1, now), q.bytes.wait(float64(q.waiting.head.cost), now))
	wait = max(wait, min(time.Millisecond, q.of.rate.burst())) // several at once rather than a timer for each
	if q.timer == nil {
		q.timer = time.AfterFunc(wait, q.ring)
	} else {
		q.timer.Reset(wait)
	}
}

// ring is called when there is enough for the first in the queue.
func (q *line) ring() {
	q.of.mu.Lock()
	free := q.release(nil, time.Now())
	q.of.mu.Unlock()
	wakePaid(free)
}

func (q *line) drop(p *partition) {
	if q.waiting.empty() {
		return
	}
	q.waiting.drop(p)
	q.arm(time.Now())
}

func wakePaid(lanes []*lane) {
	for _, l := range lanes {
		l.p.open(l, true)
	}
}

// bucket is a token bucket. Its level may fall below zero: what costs more than it holds is let through when it is full, and leaves a debt.
type bucket struct {
	rate  float64 // a second; 0 is no limit
	level float64
	most  float64
	at    time.Time // when level was right
}

func (b *bucket) set(rate, least float64, burst time.Duration, now time.Time) {
	b.fill(now)
	b.rate, b.most, b.at = rate, max(least, rate*burst.Seconds()), now
	b.level = min(b.level, b.most)
}

func (b *bucket) fill(now time.Time) {
	if d := now.Sub(b.at); d > 0 {
		b.level = min(b.most, b.level+b.rate*d.Seconds())
		b.at = now
	}
}

func (b *bucket) full(now time.Time) bool {
	b.fill(now)
	return b.rate == 0 || b.level >= b.most
}

// wait is how long until n are there, 0 when they are.
func (b *bucket) wait(n float64, now time.Time) time.Duration {
	if b.rate == 0 {
		b.level = 0
		return 0
	}
	b.fill(now)
	missing := min(n, b.most) - b.level
	if missing <= 1e-9*b.most {
		return 0
	}
	return time.Duration(math.Ceil(min(missing/b.rate*float64(time.Second), float64(1000*time.Hour))))
}
