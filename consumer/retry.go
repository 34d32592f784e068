package consumer

import (
	"math/rand/v2"
	"time"
)

// RetryPolicy says how often and when a failed record is tried again in place. The zero value is the default. A waiting record holds its lane, so that
// later records of its key stay behind it, but no worker and no goroutine.
type RetryPolicy struct {
	Retries int           // attempts after the first; 5 when 0, negative for none
	Delay   time.Duration // before the first retry; 100 ms when 0. It doubles with each one
	Max     time.Duration // the longest delay; 30 s when 0
	Jitter  float64       // the share of a delay that is random: 0.2 when 0, negative for none. A delay is never longer for it, at most that share shorter

	// Next, where set, is the delay before retry n (1 for the first) and replaces Delay, Max and Jitter. It must be safe for concurrent use.
	Next func(n int, err error) time.Duration
}

func (p RetryPolicy) check() error {
	switch {
	case p.Delay < 0:
		return refuse("retry policy: Delay %v is negative", p.Delay)
	case p.Max < 0:
		return refuse("retry policy: Max %v is negative", p.Max)
	case p.Jitter > 1:
		return refuse("retry policy: Jitter %v is above 1; it is the share of a delay", p.Jitter)
	}
	return nil
}

func (p RetryPolicy) defaults() RetryPolicy {
	if p.Retries == 0 {
		p.Retries = 5
	}
	if p.Delay == 0 {
		p.Delay = 100 * time.Millisecond
	}
	if p.Max == 0 {
		p.Max = 30 * time.Second
	}
	p.Max = max(p.Max, p.Delay)
	if p.Jitter == 0 {
		p.Jitter = 0.2
	}
	return p
}

// delay is how long to wait before retry n. Defaults are applied.
func (p RetryPolicy) delay(n int, err error) time.Duration {
	if p.Next != nil {
		return max(0, p.Next(n, err))
	}
	d := p.Delay
	for i := 1; i < n && d < p.Max; i++ {
		d *= 2
	}
	d = min(d, p.Max)
	if p.Jitter > 0 {
		d -= time.Duration(rand.Float64() * p.Jitter * float64(d))
	}
	return d
}
