package broker

import (
	"math"
	"sync/atomic"
	"time"

	"github.com/sordini-go/sordini/broker/internal/settings"
)

// retention applies the topics' retention and forgets idle producers. It wakes at the multiples of log.retention.check.interval.ms, as Kafka does, but
// only at those at which something is due: a timer that never rests would keep a testing/synctest bubble from noticing that everything in it waits
// for nothing.
type retention struct {
	every time.Duration
	begin time.Time
	poke  chan struct{}
	next  atomic.Int64 // when it will wake, milliseconds; math.MaxInt64: not at all
	idle  atomic.Int64 // producer.id.expiration.ms
}

func newRetention(values settings.Broker) *retention {
	r := &retention{every: values.Millis("log.retention.check.interval.ms"), begin: time.Now(), poke: make(chan struct{}, 1)}
	r.next.Store(math.MaxInt64)
	r.idle.Store(int64(values.Int("producer.id.expiration.ms")))
	return r
}

// after adds to a moment, for ever where that is too much for a number.
func after(ms int64, d time.Duration) int64 {
	if ms > math.MaxInt64-d.Milliseconds() {
		return math.MaxInt64
	}
	return ms + d.Milliseconds()
}

// due asks for a look at the first multiple of the interval after a moment, in milliseconds.
func (r *retention) due(ms int64) {
	next := r.next.Load()
	if ms >= next {
		return // it looks no later than that
	}
	begin, every := r.begin.UnixMilli(), r.every.Milliseconds()
	at := begin + (max(ms, time.Now().UnixMilli())-begin)/every*every + every
	for at < next {
		if r.next.CompareAndSwap(next, at) {
			select {
			case r.poke <- struct{}{}:
			default:
			}
			return
		}
		next = r.next.Load()
	}
}

// retain looks whenever something is due.
func (c *Cluster) retain() {
	r := c.retention
	timer := time.NewTimer(math.MaxInt64)
	defer timer.Stop()
	for {
		select {
		case <-r.poke:
			timer.Reset(time.Until(time.UnixMilli(r.next.Load())))
		case <-timer.C:
			r.next.Store(math.MaxInt64) // before it looks, so that what is appended meanwhile asks anew
			r.due(c.retainOnce(time.Now()))
		case <-c.done:
			return
		}
	}
}

// retainOnce drops what is past its retention, and returns when something will be next.
func (c *Cluster) retainOnce(now time.Time) (next int64) {
	c.mu.RLock()
	all := c.everyPartitionLocked()
	c.mu.RUnlock()
	idle := time.Duration(c.retention.idle.Load()) * time.Millisecond
	next = math.MaxInt64
	for _, p := range all {
		cfg := p.topic.settings.Load()
		p.mu.Lock()
		if oldest, ok := p.log.ExpireProducers(now.Add(-idle).UnixMilli()); ok {
			next = min(next, after(oldest, idle))
		}
		if cfg.Delete {
			if n := p.log.Retain(now, cfg.Retention, cfg.RetentionBytes); n > 0 {
				p.notifyLocked()
				c.log.Info("retention dropped records", "topic", p.topic.name, "partition", p.index, "bytes", n, "log start", p.log.Start())
			}
			if oldest, ok := p.log.OldestSegment(); ok && cfg.Retention >= 0 && cfg.Retention < math.MaxInt64 {
				next = min(next, after(oldest, cfg.Retention))
			}
		}
		p.mu.Unlock()
	}
	return next
}

// retentionDueLocked asks for a look when what was just appended may go: its age, its producer's, or the size of the log.
func (p *partition) retentionDueLocked(now, newest int64, producer bool) {
	cfg, r := p.topic.settings.Load(), p.cluster.retention
	if producer {
		r.due(now + r.idle.Load())
	}
	if !cfg.Delete {
		return
	}
	if cfg.RetentionBytes >= 0 && p.log.Bytes() > cfg.RetentionBytes {
		r.due(now)
	}
	if cfg.Retention >= 0 && cfg.Retention < math.MaxInt64 {
		r.due(after(newest, cfg.Retention))
	}
}
