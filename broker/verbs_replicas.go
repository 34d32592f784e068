package broker

import (
	"errors"
	"fmt"
	"slices"
)

// ErrNotInSync says that a replica is not in sync, and may not lead.
var ErrNotInSync = errors.New("replica is not in sync")

// MoveLeader makes a broker the leader of a partition, in a new epoch, as an operator would: the broker becomes the first of the replicas, and so the
// preferred leader, and is elected. A broker that is no replica becomes one in place of the leader. It fails with [ErrUnknownPartition],
// [ErrUnknownBroker] when the broker does not run, and [ErrNotInSync].
func (c *Cluster) MoveLeader(topic string, partition, broker int32) error {
	p := c.partition(topic, partition)
	if p == nil {
		return fmt.Errorf("move leader of %s[%d]: %w", topic, partition, ErrUnknownPartition)
	}
	if n := c.node(broker); n == nil || !n.isAlive() {
		return fmt.Errorf("move leader of %s[%d] to broker %d, which does not run: %w", topic, partition, broker, ErrUnknownBroker)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	replicas := append([]int32{broker}, without(p.replicas, broker)...)
	var removing, adding []int32
	if !slices.Contains(p.replicas, broker) {
		adding = []int32{broker}
		if p.leader != noLeader {
			removing = []int32{p.leader}
		}
	}
	p.changeLocked(change{replicas: replicas, adding: adding, removing: removing})
	p.replicateLocked()
	if !slices.Contains(p.isr, broker) && !slices.Contains(p.elr, broker) {
		return fmt.Errorf("move leader of %s[%d] to broker %d, in sync are %v: %w", topic, partition, broker, p.isr, ErrNotInSync)
	}
	if p.leader == broker && len(adding) == 0 {
		p.leadLocked(broker) // a new epoch all the same
		p.notifyLocked()
	}
	p.changeLocked(change{election: electPreferred})
	p.replicateLocked()
	c.log.Info("leader moved", "topic", topic, "partition", partition, "broker", broker, "epoch", p.epoch)
	return nil
}

// ElectLeader elects a partition's leader: the preferred one, or with unclean any replica that runs where there is no leader, whatever it holds. It fails
// with [ErrUnknownPartition], and with [ErrNotInSync] when nobody could be elected.
func (c *Cluster) ElectLeader(topic string, partition int32, unclean bool) error {
	p := c.partition(topic, partition)
	if p == nil {
		return fmt.Errorf("elect leader of %s[%d]: %w", topic, partition, ErrUnknownPartition)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	how := electPreferred
	if unclean {
		how = electUnclean
	}
	p.replicateLocked()
	p.changeLocked(change{election: how})
	p.replicateLocked()
	if p.leader == noLeader || !unclean && p.leader != p.replicas[0] {
		return fmt.Errorf("elect leader of %s[%d] among %v, in sync are %v: %w", topic, partition, p.replicas, p.isr, ErrNotInSync)
	}
	return nil
}

// HoldReplication stops the followers on these brokers, all brokers where none is named, from fetching, until [Cluster.ReleaseReplication]. Producers that
// want the acknowledgement of all wait for them; after replica.lag.time.max.ms, 30 seconds by default, they are not in sync any more.
func (c *Cluster) HoldReplication(brokers ...int32) error { return c.setHeld(true, brokers) }

// ReleaseReplication lets the followers on these brokers, all brokers where none is named, fetch again. When it returns they have what their leaders have.
func (c *Cluster) ReleaseReplication(brokers ...int32) error { return c.setHeld(false, brokers) }

func (c *Cluster) setHeld(held bool, brokers []int32) error {
	if len(brokers) == 0 {
		for _, n := range c.nodes {
			brokers = append(brokers, n.id)
		}
	}
	for _, id := range brokers {
		if c.node(id) == nil {
			return fmt.Errorf("hold replication to broker %d: %w", id, ErrUnknownBroker)
		}
	}
	for _, id := range brokers {
		c.node(id).held.Store(held)
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	if !held {
		c.replicateLocked()
		return nil
	}
	for _, id := range brokers {
		c.followersPausedLocked(id)
	}
	return nil
}

// ShrinkISR takes brokers out of a partition's in-sync replicas at once, as if they had lagged for too long, and keeps them from fetching it until
// [Cluster.RestoreISR]. It fails with [ErrUnknownPartition], and with [ErrUnknownBroker] for a broker that is no follower of the partition.
func (c *Cluster) ShrinkISR(topic string, partition int32, brokers ...int32) error {
	p := c.partition(topic, partition)
	if p == nil {
		return fmt.Errorf("shrink the in-sync replicas of %s[%d]: %w", topic, partition, ErrUnknownPartition)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	isr := slices.Clone(p.isr)
	for _, id := range brokers {
		if f := p.copyLocked(id); f == nil || id == p.leader {
			return fmt.Errorf("shrink the in-sync replicas of %s[%d] by broker %d, which does not follow: %w", topic, partition, id, ErrUnknownBroker)
		}
		isr = without(isr, id)
	}
	for _, id := range brokers {
		p.copyLocked(id).held = true
	}
	p.changeLocked(change{isr: isr})
	p.replicateLocked()
	return nil
}

// RestoreISR lets all followers of a partition fetch again that [Cluster.ShrinkISR] keeps from it. When it returns they are in sync where they run.
func (c *Cluster) RestoreISR(topic string, partition int32) error {
	p := c.partition(topic, partition)
	if p == nil {
		return fmt.Errorf("restore the in-sync replicas of %s[%d]: %w", topic, partition, ErrUnknownPartition)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, f := range p.copies {
		f.held = false
	}
	p.replicateLocked()
	return nil
}
