package quotas

import (
	"sync"
	"time"
)

// How rates are measured: quota.window.num windows of quota.window.size.seconds.
const (
	windows = 11
	window  = time.Second
)

// Span is how long a rate looks back at least: a client may use at once what it may use in that time.
const Span = (windows - 1) * window

// Meter measures what clients of one broker use. The zero value has measured nothing. It is safe for concurrent use.
type Meter struct {
	mu      sync.Mutex // guards what follows
	rates   map[measured]*rate
	buckets map[measured]*bucket
	swept   time.Time
}

type measured struct {
	key   Key
	users string
}

// Use notes that a client has used n of what a limit bounds, and returns how long it has to wait until it is within the limit again.
func (m *Meter) Use(key Key, l Limit, n float64, now time.Time) time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sweep(now)
	r := m.rates[measured{key, l.Users}]
	if r == nil {
		r = new(rate)
		if m.rates == nil {
			m.rates = make(map[measured]*rate)
		}
		m.rates[measured{key, l.Users}] = r
	}
	r.add(n, now)
	return r.wait(l.Value, now)
}

// Unuse takes back what Use has noted last, of something that was not done after all.
func (m *Meter) Unuse(key Key, l Limit, n float64, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if r := m.rates[measured{key, l.Users}]; r != nil {
		r.add(-n, now)
	}
}

// Take takes n tokens of a bucket that fills with the limit's rate and holds those of all windows, which may leave it in debt. It returns how long it
// takes until it is out of debt. A strict caller takes nothing from a bucket that is in debt, and is told so.
func (m *Meter) Take(key Key, l Limit, n float64, strict bool, now time.Time) (wait time.Duration, refused bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sweep(now)
	b := m.buckets[measured{key, l.Users}]
	if b == nil {
		b = &bucket{tokens: l.Value * windows * window.Seconds(), at: now}
		if m.buckets == nil {
			m.buckets = make(map[measured]*bucket)
		}
		m.buckets[measured{key, l.Users}] = b
	}
	b.fill(l.Value, now)
	refused = strict && b.tokens < 0
	if !refused {
		b.tokens -= n
	}
	if b.tokens < 0 {
		wait = time.Duration(-b.tokens / l.Value * float64(time.Second)).Round(time.Millisecond)
	}
	return wait, refused
}

// sweep forgets those who have used nothing for an hour, once in that time.
func (m *Meter) sweep(now time.Time) {
	if now.Sub(m.swept) < time.Hour {
		return
	}
	m.swept = now
	for k, r := range m.rates {
		if now.Sub(r.last) > time.Hour {
			delete(m.rates, k)
		}
	}
	for k, b := range m.buckets {
		if now.Sub(b.at) > time.Hour {
			delete(m.buckets, k)
		}
	}
}

// rate is a sum over the last windows.
type rate struct {
	sums   [windows]float64
	starts [windows]time.Time
	at     int
	last   time.Time
}

func (r *rate) add(n float64, now time.Time) {
	r.last = now
	if r.starts[r.at].IsZero() || now.Sub(r.starts[r.at]) >= window {
		if !r.starts[r.at].IsZero() {
			r.at = (r.at + 1) % windows
		}
		r.starts[r.at], r.sums[r.at] = now, 0
	}
	r.sums[r.at] += n
}

// wait returns how long nothing may be used until the rate is the limit.
func (r *rate) wait(limit float64, now time.Time) time.Duration {
	sum, oldest := 0.0, now
	for i, s := range r.starts {
		if s.IsZero() || now.Sub(s) >= windows*window {
			continue
		}
		sum += r.sums[i]
		if s.Before(oldest) {
			oldest = s
		}
	}
	// At least all windows but the current one count as full, or the first request after a rest would always be over the limit.
	elapsed := now.Sub(oldest)
	if full := elapsed / window; full < windows-1 {
		elapsed += (windows - 1 - full) * window
	}
	over := sum/elapsed.Seconds() - limit
	if over <= 0 {
		return 0
	}
	return time.Duration(over / limit * float64(elapsed)).Round(time.Millisecond)
}

// bucket holds tokens.
type bucket struct {
	tokens float64
	at     time.Time
}

func (b *bucket) fill(rate float64, now time.Time) {
	b.tokens = min(b.tokens+rate*now.Sub(b.at).Seconds(), rate*windows*window.Seconds())
	b.at = now
}
