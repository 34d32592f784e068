package broker

import (
	"errors"
	"math"
	"slices"

	"github.com/sordini-go/sordini/broker/internal/settings"
	"github.com/sordini-go/sordini/broker/internal/storage"
)

// cleaner compacts the logs of compacted topics. It wakes at the multiples of log.cleaner.backoff.ms at which a log may be due. Each replica's log is
// compacted for itself, as in Kafka: what differs between them is when that happened, never what the newest record of a key is. It works on a copy of
// what the log lists, without the partition's lock: who writes or reads does not wait for it.
type cleaner struct{ schedule }

func newCleaner(values settings.Broker) *cleaner {
	c := new(cleaner)
	c.init(max(values.Millis("log.cleaner.backoff.ms"), 1e6))
	return c
}

func compactionOf(cfg *settings.Topic) storage.Compaction {
	return storage.Compaction{Dirty: cfg.Dirty, MinLag: cfg.MinLag, MaxLag: cfg.MaxLag, DeleteRetention: cfg.DeleteRetention, SegmentBytes: cfg.SegmentBytes}
}

// clean compacts what may be compacted now, and returns when something will be next.
func (c *Cluster) clean() (next int64) {
	c.mu.RLock()
	all := c.everyPartitionLocked()
	c.mu.RUnlock()
	next = math.MaxInt64
	for _, p := range all {
		if p.topic.settings.Load().Compact {
			next = min(next, p.clean())
		}
	}
	return next
}

// clean compacts the logs that the running brokers hold, and returns when one should be looked at again.
func (p *partition) clean() (next int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	next = math.MaxInt64
	for _, r := range slices.Clone(p.copies) {
		if n := p.cluster.node(r.id); n.isRunning() && !p.deleted {
			next = min(next, p.cleanLocked(r, n))
		}
	}
	return next
}

// cleanLocked compacts one broker's log. The lock is given back while it works.
func (p *partition) cleanLocked(r *replica, n *node) (next int64) {
	cfg := compactionOf(p.topic.settings.Load())
	now := n.now()
	if cleaning := r.log.Clean(now, r.log.Stable(r.hw), cfg); cleaning != nil {
		p.mu.Unlock()
		err := cleaning.Run()
		p.mu.Lock()
		if errors.Is(err, storage.ErrStorage) {
			p.cluster.log.Warn("compaction put off", "broker", n.id, "topic", p.topic.name, "partition", p.index, "error", err)
			return n.real(now.Add(p.cluster.cleaner.every).UnixMilli())
		}
		if err != nil {
			r.log.Broken()
			p.cluster.log.Error("compaction failed, the log is not compacted any more", "broker", n.id, "topic", p.topic.name, "partition", p.index, "error", err)
			return math.MaxInt64
		}
		if freed, ok := r.log.Replace(cleaning); ok {
			p.cluster.log.Info("compacted", "broker", n.id, "topic", p.topic.name, "partition", p.index, "freed bytes", freed)
		}
	}
	if at, ok := r.log.CleanAt(now, r.log.Stable(r.hw), cfg); ok {
		return n.real(at)
	}
	return math.MaxInt64
}

// cleanDueLocked asks for a look where a log may be compacted, now or when it is older.
func (p *partition) cleanDueLocked() {
	cfg := p.topic.settings.Load()
	if !cfg.Compact || p.deleted {
		return
	}
	c := compactionOf(cfg)
	for _, r := range p.copies {
		n := p.cluster.node(r.id)
		if !n.isRunning() {
			continue
		}
		if at, ok := r.log.CleanAt(n.now(), r.log.Stable(r.hw), c); ok {
			p.cluster.cleaner.due(n.real(at))
		}
	}
}
