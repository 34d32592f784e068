package broker

import (
	"math"
	"sync/atomic"
	"time"

	"github.com/sordini-go/sordini/broker/internal/settings"
)

// retention applies the topics' retention and forgets idle producers. It wakes at the multiples of log.retention.check.interval.ms at which something
// is due.
type retention struct {
	schedule
	idle atomic.Int64 // producer.id.expiration.ms
}

func newRetention(values settings.Broker) *retention {
	r := new(retention)
	r.init(values.Millis("log.retention.check.interval.ms"))
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

// retainOnce drops what is past its retention, and returns when something will be next.
func (c *Cluster) retainOnce() (next int64) {
	c.mu.RLock()
	all := c.everyPartitionLocked()
	c.mu.RUnlock()
	idle := time.Duration(c.retention.idle.Load()) * time.Millisecond
	next = math.MaxInt64
	for _, p := range all {
		p.mu.Lock()
		for _, r := range p.copies {
			if n := c.node(r.id); n.isRunning() {
				next = min(next, n.real(p.retainLocked(r, n, idle)))
			}
		}
		p.mu.Unlock()
	}
	return next
}

// retainLocked drops what one broker holds of the partition for too long by its own clock, and returns when it will be next by that clock. Followers
// drop for themselves, as in Kafka, and besides that what the leader has dropped.
func (p *partition) retainLocked(r *replica, n *node, idle time.Duration) (next int64) {
	cfg, now := p.topic.settings.Load(), n.now()
	next = math.MaxInt64
	if oldest, ok := r.log.ExpireProducers(now.Add(-idle).UnixMilli()); ok {
		next = after(oldest, idle)
	}
	if !cfg.Delete {
		return next
	}
	if dropped := r.log.Retain(now, cfg.Retention, cfg.RetentionBytes, r.hw); dropped > 0 {
		p.notifyLocked()
		p.cluster.log.Info("retention dropped records", "broker", n.id, "topic", p.topic.name, "partition", p.index, "bytes", dropped, "log start", r.log.Start())
	}
	if oldest, ok := r.log.OldestSegment(); ok && cfg.Retention >= 0 && cfg.Retention < math.MaxInt64 {
		if at := min(after(oldest, cfg.Retention), math.MaxInt64-1); at >= now.UnixMilli() {
			next = min(next, at+1)
		} else {
			p.overdue = true // it waits to be replicated
		}
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
