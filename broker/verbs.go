package broker

import (
	"errors"
	"fmt"
	"time"
)

// ErrUnknownBroker says that there is no broker with a node id.
var ErrUnknownBroker = errors.New("unknown broker")

// MoveCoordinator makes a broker the coordinator of a group, and of the groups that share its partition of __consumer_offsets, for as long as the broker
// runs. Requests that wait at the old coordinator are answered NOT_COORDINATOR. The new one knows what was written down: the offsets, and the members and
// generation of the last rebalance that ended.
func (c *Cluster) MoveCoordinator(group string, broker int32) error {
	if n := c.node(broker); n == nil || !n.isAlive() {
		return fmt.Errorf("move coordinator of %s to broker %d, which does not run: %w", group, broker, ErrUnknownBroker)
	}
	c.moveCoordinator(group, broker)
	c.log.Info("coordinator moved", "group", group, "broker", broker)
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
	c.followersPausedLocked(id)
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
	defer c.placeCoordinators(noLeader) // without the cluster's lock
	c.mu.RLock()
	defer c.mu.RUnlock()
	if fenced := n.resume(); fenced {
		c.brokerCameLocked(id, false)
	} else {
		c.replicateLocked()
	}
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

// ErrUnknownMember says that a group has no such member.
var ErrUnknownMember = errors.New("unknown member")

// ExpireMember takes a member out of its group as if its session had timed out now, also one whose request waits at the coordinator. The member learns of
// it by its next request. It fails with [ErrUnknownMember].
func (c *Cluster) ExpireMember(group, memberID string) error {
	if !c.groups.Evict(group, memberID) {
		return fmt.Errorf("expire %s of group %s: %w", memberID, group, ErrUnknownMember)
	}
	c.log.Info("member expired on purpose", "group", group, "member", memberID)
	return nil
}
