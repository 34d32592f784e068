package broker

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"time"
)

// ErrUnknownBroker says that there is no broker with a node id.
var ErrUnknownBroker = errors.New("unknown broker")

// MoveLeader makes a broker the leader of a partition, in a new epoch. A broker that is no replica becomes one, as by a reassignment. The broker must
// run. It fails with [ErrUnknownPartition] or [ErrUnknownBroker].
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
	if !slices.Contains(p.replicas, broker) {
		p.replicas = append(slices.Clone(p.replicas), broker)
	}
	if !slices.Contains(p.isr, broker) {
		p.isr = append(slices.Clone(p.isr), broker)
	}
	p.leadLocked(broker)
	c.log.Info("leader moved", "topic", topic, "partition", partition, "broker", broker, "epoch", p.epoch)
	return nil
}

// MoveCoordinator makes a broker the coordinator of a group for as long as the broker runs. Requests that wait at the old coordinator are answered
// NOT_COORDINATOR; members, generation and offsets stay.
func (c *Cluster) MoveCoordinator(group string, broker int32) error {
	if n := c.node(broker); n == nil || !n.isAlive() {
		return fmt.Errorf("move coordinator of %s to broker %d, which does not run: %w", group, broker, ErrUnknownBroker)
	}
	c.moveCoordinator(group, broker)
	c.log.Info("coordinator moved", "group", group, "broker", broker)
	return nil
}

// KillBroker ends a broker at once: its connections are cut, its port refuses new ones. Where another in-sync replica runs it leads the broker's
// partitions from now on; the others have no leader until the broker is started again. Killing a broker that is down does nothing.
func (c *Cluster) KillBroker(id int32) error {
	n := c.node(id)
	if n == nil {
		return fmt.Errorf("kill broker %d: %w", id, ErrUnknownBroker)
	}
	n.stop()
	c.log.Info("broker killed", "broker", id)
	c.brokerLeft(id)
	return nil
}

// StartBroker starts a broker that was killed, on the address that it had. It is in sync at once and leads what has no leader. Starting a broker that
// runs does nothing.
func (c *Cluster) StartBroker(id int32) error {
	n := c.node(id)
	if n == nil {
		return fmt.Errorf("start broker %d: %w", id, ErrUnknownBroker)
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	if c.closed {
		return fmt.Errorf("start broker %d: %w", id, ErrClosed)
	}
	if n.condition() != "down" {
		return nil
	}
	if err := n.listen(net.JoinHostPort(n.host, strconv.Itoa(int(n.port)))); err != nil {
		return fmt.Errorf("start broker: %w", err)
	}
	n.serve()
	c.log.Info("broker started", "broker", id)
	c.brokerCameLocked(id)
	return nil
}

// PauseBroker stops a broker as a SIGSTOP would: its connections stay open and nothing is answered. After broker.session.timeout.ms, 9 seconds by
// default, the others take over what it leads and coordinates. Pausing a broker that does not run does nothing.
func (c *Cluster) PauseBroker(id int32) error {
	n := c.node(id)
	if n == nil {
		return fmt.Errorf("pause broker %d: %w", id, ErrUnknownBroker)
	}
	timeout := c.property().Millis("broker.session.timeout.ms")
	c.mu.RLock()
	defer c.mu.RUnlock()
	if c.closed {
		return fmt.Errorf("pause broker %d: %w", id, ErrClosed)
	}
	resumed, ok := n.pause()
	if !ok {
		return nil
	}
	c.log.Info("broker paused", "broker", id)
	c.wg.Go(func() {
		t := time.NewTimer(timeout)
		defer t.Stop()
		select {
		case <-t.C:
			if n.fence(resumed) {
				c.log.Info("paused broker fenced", "broker", id)
				c.brokerLeft(id)
			}
		case <-resumed:
		case <-c.done:
		}
	})
	return nil
}

// ResumeBroker lets a paused broker go on with what it has been sent meanwhile.
func (c *Cluster) ResumeBroker(id int32) error {
	n := c.node(id)
	if n == nil {
		return fmt.Errorf("resume broker %d: %w", id, ErrUnknownBroker)
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	if fenced := n.resume(); fenced {
		c.brokerCameLocked(id)
	}
	c.coordinatorsChanged() // markers wait for it
	c.log.Info("broker resumed", "broker", id)
	return nil
}

// DropConnections cuts the connections whose last request came from this client id, all of them when it is empty, and returns how many.
func (c *Cluster) DropConnections(clientID string) int {
	dropped := 0
	for _, n := range c.nodes {
		n.mu.Lock()
		for conn := range n.conns {
			if clientID == "" || conn.clientID() == clientID {
				conn.close()
				dropped++
			}
		}
		n.mu.Unlock()
	}
	return dropped
}

// everyPartitionLocked returns all partitions. The cluster's lock must be held.
func (c *Cluster) everyPartitionLocked() []*partition {
	var all []*partition
	for _, t := range c.topics {
		all = append(all, t.partitions...)
	}
	return all
}

// brokerLeft takes a broker out of what it led.
func (c *Cluster) brokerLeft(id int32) {
	c.mu.RLock()
	all := c.everyPartitionLocked()
	c.mu.RUnlock()
	for _, p := range all {
		p.leave(id)
	}
	c.coordinatorsChanged()
}

// brokerCameLocked makes a broker an in-sync replica again of what it holds.
func (c *Cluster) brokerCameLocked(id int32) {
	for _, p := range c.everyPartitionLocked() {
		p.join(id)
	}
	c.coordinatorsChanged()
}

// leave takes a broker out of the in-sync replicas, but for the last, and out of the lead.
func (p *partition) leave(id int32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	defer p.notifyLocked()
	if len(p.isr) > 1 {
		p.isr = slices.DeleteFunc(slices.Clone(p.isr), func(r int32) bool { return r == id })
	}
	if p.leader != id {
		return
	}
	next := int32(noLeader)
	for _, r := range p.replicas {
		if slices.Contains(p.isr, r) && r != id && p.cluster.node(r).isAlive() {
			next = r
			break
		}
	}
	p.leadLocked(next)
}

// join puts a broker back into the in-sync replicas, and into the lead where nobody leads.
func (p *partition) join(id int32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	defer p.notifyLocked()
	if !slices.Contains(p.replicas, id) {
		return
	}
	if !slices.Contains(p.isr, id) {
		p.isr = append(slices.Clone(p.isr), id)
	}
	if p.leader == noLeader {
		p.leadLocked(id)
	}
}
