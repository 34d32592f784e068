package broker

import (
	"sync/atomic"
	"time"
)

// controller says which broker is the controller. What it decides is done by whoever asks for it, with the partition's lock; which broker it is
// can only be seen.
type controller struct {
	id        atomic.Int32
	epoch     atomic.Int32
	balancing atomic.Bool // an election of preferred leaders is due
}

func (c *controller) begin(id int32) {
	c.id.Store(id)
	c.epoch.Add(1)
}

// controllerID is the broker that is the controller, noLeader while none runs.
func (c *Cluster) controllerID() int32 {
	if id := c.controller.id.Load(); c.node(id) != nil {
		return id
	}
	return noLeader
}

// moveController makes the next broker that runs the controller.
func (c *Cluster) moveController() {
	now := int(c.controller.id.Load())
	for i := range c.nodes {
		n := c.nodes[(max(now, 0)+i)%len(c.nodes)]
		if n.isRunning() && int(n.id) != now {
			c.controller.begin(n.id)
			c.log.Info("controller moved", "broker", n.id, "epoch", c.controller.epoch.Load())
			return
		}
	}
	c.controller.id.Store(noLeader)
}

// everyPartitionLocked returns all partitions. The cluster's lock must be held.
func (c *Cluster) everyPartitionLocked() []*partition {
	var all []*partition
	for _, t := range c.topics {
		all = append(all, t.partitions...)
	}
	return all
}

func (c *Cluster) everyPartition() []*partition {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.everyPartitionLocked()
}

// brokerLeft is the controller's part of a broker's end: it fences the broker and elects leaders for what it led.
func (c *Cluster) brokerLeft(id int32) {
	c.node(id).active.Store(false)
	for _, p := range c.everyPartition() {
		p.leave(id)
	}
	if c.controllerID() == id {
		c.moveController()
	}
	c.placeCoordinators(noLeader)
}

// brokerCameLocked is the controller's part of a broker's start: it elects leaders for what has none, and the broker's replicas catch up. lost says that
// the broker has ended uncleanly, so that nobody knows whether it still holds what it held.
func (c *Cluster) brokerCameLocked(id int32, lost bool) {
	all := c.everyPartitionLocked()
	if lost {
		for _, p := range all {
			p.doubt(id)
		}
	}
	c.node(id).active.Store(true)
	c.node(id).forgotten.Store(false)
	if c.controllerID() == noLeader {
		c.controller.begin(id)
	}
	for _, p := range all {
		p.join()
	}
	c.coordinatorsChanged()
}

// followersPausedLocked notes that a broker does not fetch any more.
func (c *Cluster) followersPausedLocked(id int32) {
	for _, p := range c.everyPartitionLocked() {
		p.mu.Lock()
		p.pausedLocked(p.copyLocked(id))
		p.mu.Unlock()
	}
}

// replicateLocked lets all followers fetch that can.
func (c *Cluster) replicateLocked() {
	for _, p := range c.everyPartitionLocked() {
		p.mu.Lock()
		p.replicateLocked()
		p.mu.Unlock()
	}
}

// leave takes a broker out of the in-sync replicas and out of the lead.
func (p *partition) leave(id int32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.copyLocked(id) == nil {
		return
	}
	p.changeLocked(change{isr: without(p.isr, id), barred: id})
	p.replicateLocked()
}

// doubt takes a broker that may have lost data out of the in-sync replicas and out of the eligible leaders.
func (p *partition) doubt(id int32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.copyLocked(id) != nil {
		p.changeLocked(change{isr: without(p.isr, id), lost: []int32{id}})
	}
}

// join elects a leader where there is none, and lets followers catch up.
func (p *partition) join() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.leader == noLeader {
		p.changeLocked(change{})
	}
	p.replicateLocked()
}

// without returns a list without one of its members.
func without(ids []int32, id int32) []int32 {
	out := make([]int32, 0, len(ids))
	for _, o := range ids {
		if o != id {
			out = append(out, o)
		}
	}
	return out
}

// balanceSoon gives leadership back to preferred leaders after leader.imbalance.check.interval.seconds, where auto.leader.rebalance.enable says so. It is
// called with a partition's lock held.
func (c *Cluster) balanceSoon(p *partition) {
	if c.balanceEvery <= 0 || p.topic.internal() || p.leader == noLeader || !p.preferredReadyLocked() || !c.controller.balancing.CompareAndSwap(false, true) {
		return
	}
	c.timers.after(c.balanceEvery, func() {
		c.controller.balancing.Store(false)
		for _, p := range c.everyPartition() {
			if p.topic.internal() {
				continue // who has taken over what it coordinates keeps it
			}
			p.mu.Lock()
			p.preferLocked()
			p.mu.Unlock()
		}
	})
}

// preferredReadyLocked says that the preferred leader does not lead and could.
func (p *partition) preferredReadyLocked() bool {
	id := p.replicas[0]
	if p.leader == id {
		return false
	}
	for _, r := range p.isr {
		if r == id {
			return p.cluster.node(id).isAlive()
		}
	}
	return false
}

// preferLocked makes the preferred leader the leader where it can be.
func (p *partition) preferLocked() {
	if p.deleted || !p.preferredReadyLocked() {
		return
	}
	p.replicateLocked()
	p.changeLocked(change{election: electPreferred})
	p.replicateLocked()
}

// balanceEvery reads the settings of the balancing of leaders; 0: there is none.
func balanceEvery(enabled bool, seconds int) time.Duration {
	if !enabled {
		return 0
	}
	return time.Duration(seconds) * time.Second
}
