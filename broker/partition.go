package broker

import (
	"slices"
	"sync"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/sordini-go/sordini/broker/internal/storage"
)

// noLeader is the leader of a partition whose in-sync replicas are all down.
const noLeader = -1

// partition is one partition of a topic: who leads it, and its log.
type partition struct {
	cluster *Cluster
	topic   *topic
	index   int32

	mu       sync.Mutex // guards what follows
	replicas []int32    // in order of preference
	isr      []int32
	leader   int32
	epoch    int32 // of the leader
	deleted  bool
	log      *storage.Log
	waiting  map[*waiter]struct{} // fetches that wait for something to change
}

func newPartition(c *Cluster, t *topic, index int32, replicas []int32) *partition {
	p := &partition{cluster: c, topic: t, index: index, replicas: replicas, leader: noLeader, epoch: 0, log: storage.NewLog()}
	for _, id := range replicas {
		if c.node(id).isAlive() {
			p.isr = append(p.isr, id)
		}
	}
	if len(p.isr) > 0 {
		p.leader = p.isr[0]
	}
	p.log.BeginEpoch(p.epoch)
	return p
}

// waiter is a fetch that waits. Its channel holds one signal, so that none is lost between two looks.
type waiter struct{ changed chan struct{} }

func newWaiter() *waiter { return &waiter{changed: make(chan struct{}, 1)} }

func (p *partition) addWaiter(w *waiter) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.waiting == nil {
		p.waiting = make(map[*waiter]struct{})
	}
	p.waiting[w] = struct{}{}
}

func (p *partition) removeWaiter(w *waiter) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.waiting, w)
}

func (w *waiter) signal() {
	select {
	case w.changed <- struct{}{}:
	default:
	}
}

// notifyLocked wakes whoever waits for the partition to change.
func (p *partition) notifyLocked() {
	for w := range p.waiting {
		w.signal()
	}
	p.cluster.watchers.notify()
}

// checkLeaderLocked says whether node may serve a client that knows the leader epoch given, which is -1 where it knows none (KIP-320).
func (p *partition) checkLeaderLocked(node, epoch int32) error {
	switch {
	case p.deleted:
		return kerr.UnknownTopicOrPartition
	case epoch >= 0 && epoch < p.epoch:
		return kerr.FencedLeaderEpoch
	case epoch > p.epoch:
		return kerr.UnknownLeaderEpoch
	case p.leader != node:
		return kerr.NotLeaderForPartition
	}
	return nil
}

// checkLeader is checkLeaderLocked for a client that knows no epoch.
func (p *partition) checkLeader(node int32) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.checkLeaderLocked(node, -1)
}

// highWatermarkLocked is the end of what consumers may read. Followers hold what the leader holds, so it is the log's end.
func (p *partition) highWatermarkLocked() int64 { return p.log.End() }

// lastStableLocked is the end of what a consumer of committed records may read.
func (p *partition) lastStableLocked() int64 { return p.log.Stable(p.highWatermarkLocked()) }

// leadership is a copy of who leads a partition.
type leadership struct {
	leader, epoch int32
	replicas, isr []int32
}

func (p *partition) leadership() leadership {
	p.mu.Lock()
	defer p.mu.Unlock()
	return leadership{p.leader, p.epoch, slices.Clone(p.replicas), slices.Clone(p.isr)}
}

// leadLocked makes a broker the leader, in a new epoch. The broker must be in sync.
func (p *partition) leadLocked(id int32) {
	p.leader = id
	p.epoch++
	if id != noLeader {
		p.log.BeginEpoch(p.epoch)
	}
	p.notifyLocked()
}
