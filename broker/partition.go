package broker

import (
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/sordini-go/sordini/broker/internal/storage"
)

// noLeader is the leader of a partition whose in-sync replicas are all down.
const noLeader = -1

// partition is one partition of a topic: who leads it, and a log on each of its replicas.
type partition struct {
	cluster *Cluster
	topic   *topic
	index   int32

	mu sync.Mutex // guards what follows
	assignment
	leader  int32
	epoch   int32 // of the leader
	deleted bool
	copies  []*replica   // one for each of the assigned replicas
	lead    *replica     // the leader's, or of the last leader where there is none
	log     *storage.Log // lead's
	// epochStart is where the leader's log ended when it began to lead. What is before it may have been acknowledged by the last leader.
	epochStart int64
	unclean    int                  // how often a leader was elected that need not hold what was acknowledged
	soon       bool                 // a replication is due after Config.ReplicationDelay
	lagCheck   *timer               // looks for followers that lag; nil: none is due
	overdue    bool                 // something is too old, and stays until it is replicated
	waiting    map[*waiter]struct{} // fetches and produces that wait for something to change
}

// assignment is what the controller decides of a partition, besides its leader.
type assignment struct {
	replicas         []int32 // in order of preference, with those being added and removed
	isr              []int32
	elr              []int32 // eligible leaders that are not in sync any more (KIP-966)
	lastELR          []int32 // the last known leader, where there is none and nobody is eligible
	adding, removing []int32 // by a reassignment that is going on
	version          int32   // grows with each change; Kafka's partition epoch
}

func newPartition(c *Cluster, t *topic, index int32, replicas []int32) *partition {
	p := &partition{cluster: c, topic: t, index: index, leader: noLeader, assignment: assignment{replicas: replicas}}
	for _, id := range replicas {
		p.copies = append(p.copies, &replica{id: id, log: p.newLog(id), caughtUp: time.Now()})
		if c.node(id).isAlive() {
			p.isr = append(p.isr, id)
		}
	}
	p.lead = p.copies[0]
	if len(p.isr) > 0 {
		p.leader = p.isr[0]
		p.lead = p.copyLocked(p.leader)
	}
	p.log = p.lead.log
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
	p.cleanDueLocked()
	if p.overdue {
		p.overdue = false
		p.cluster.retention.due(nowMillis())
	}
	p.cluster.watchers.notify()
}

// checkLeaderLocked says whether node may serve a client that knows the leader epoch given, which is -1 where it knows none (KIP-320).
func (p *partition) checkLeaderLocked(node, epoch int32) error {
	_, err := p.servedByLocked(node, epoch, true)
	return err
}

// servedByLocked returns what a client reads that has come to this node: the leader's log or, where a follower will do, the follower's (KIP-392). The
// client knows the leader epoch given, which is -1 where it knows none (KIP-320).
func (p *partition) servedByLocked(node, epoch int32, onlyLeader bool) (*replica, error) {
	r := p.copyLocked(node)
	switch {
	case p.deleted:
		return nil, kerr.UnknownTopicOrPartition
	case p.offlineLocked(node):
		return nil, kerr.KafkaStorageError
	case r == nil:
		return nil, kerr.NotLeaderForPartition
	case epoch >= 0 && epoch < p.epoch:
		return nil, kerr.FencedLeaderEpoch
	case epoch > p.epoch:
		return nil, kerr.UnknownLeaderEpoch
	case p.leader != node && onlyLeader:
		return nil, kerr.NotLeaderForPartition
	}
	return r, nil
}

// checkLeader is checkLeaderLocked for a client that knows no epoch.
func (p *partition) checkLeader(node int32) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.checkLeaderLocked(node, -1)
}

// highWatermarkLocked is the end of what consumers may read: what every in-sync replica holds.
func (p *partition) highWatermarkLocked() int64 { return p.lead.hw }

// lastStableLocked is the end of what a consumer of committed records may read.
func (p *partition) lastStableLocked() int64 { return p.log.Stable(p.highWatermarkLocked()) }

// leadership is a copy of who leads a partition.
type leadership struct {
	leader, epoch               int32
	replicas, isr, elr, lastELR []int32
}

func (p *partition) leadership() leadership {
	p.mu.Lock()
	defer p.mu.Unlock()
	return leadership{p.leader, p.epoch, slices.Clone(p.replicas), slices.Clone(p.isr), slices.Clone(p.elr), slices.Clone(p.lastELR)}
}
