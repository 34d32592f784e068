package broker

import (
	"fmt"

	"github.com/sordini-go/sordini/broker/internal/storage"
)

// KillOption changes how [Cluster.KillBroker] kills.
type KillOption func(*killing)

type killing struct{ session bool }

// AfterSession leaves the others to find out, as they do in Kafka: the broker is replaced once broker.session.timeout.ms has passed, 9 seconds by
// default. Until then its partitions have no leader that answers, and it stays in sync as far as the controller knows.
func AfterSession() KillOption { return func(k *killing) { k.session = true } }

// StartOption changes how [Cluster.StartBroker] starts.
type StartOption func(*starting)

type starting struct{ loseTail, loseAll bool }

// LoseUnreplicated lets the broker come back without what lies beyond the high watermark that it knew: what a machine that has lost its power may not
// have written to its disk yet.
func LoseUnreplicated() StartOption { return func(s *starting) { s.loseTail = true } }

// LoseDisk lets the broker come back with an empty disk.
func LoseDisk() StartOption { return func(s *starting) { s.loseAll = true } }

// KillBroker ends a broker at once, as a SIGKILL would: its connections are cut, its port refuses new ones, and what its followers have not fetched
// nobody else has. Where another in-sync replica runs it leads the broker's partitions from now on, or with [AfterSession] later; others have no leader
// until the broker is started again. Killing a broker that is down does nothing.
func (c *Cluster) KillBroker(id int32, opts ...KillOption) error {
	n := c.node(id)
	if n == nil {
		return fmt.Errorf("kill broker %d: %w", id, ErrUnknownBroker)
	}
	var k killing
	for _, o := range opts {
		o(&k)
	}
	if !n.stop(false) {
		return nil
	}
	c.log.Info("broker killed", "broker", id)
	if !k.session {
		c.brokerLeft(id)
		return nil
	}
	if c.controllerID() == id {
		c.moveController() // the others elect one within seconds
	}
	c.mu.RLock()
	c.followersPausedLocked(id)
	c.mu.RUnlock()
	starts := n.startsNow()
	c.timers.after(c.property().Millis("broker.session.timeout.ms"), func() {
		if !n.isRunning() && n.isAlive() && n.startsNow() == starts {
			c.log.Info("killed broker fenced", "broker", id)
			c.brokerLeft(id)
		}
	})
	return nil
}

// StopBroker ends a broker in order, as a SIGTERM would: what it leads is led by others before its connections are closed, and when it starts again it
// is known to hold what it held. Stopping a broker that is down does nothing.
func (c *Cluster) StopBroker(id int32) error {
	n := c.node(id)
	if n == nil {
		return fmt.Errorf("stop broker %d: %w", id, ErrUnknownBroker)
	}
	if n.condition() == "down" {
		return nil
	}
	n.stopping.Store(true)
	for _, p := range c.everyPartition() {
		p.mu.Lock()
		if p.leader == id {
			p.replicateLocked()
		}
		p.mu.Unlock()
		p.leave(id)
	}
	n.stop(true)
	c.log.Info("broker stopped", "broker", id)
	c.brokerLeft(id)
	return nil
}

// StartBroker starts a broker that was killed or stopped, on the address that it had. Its replicas are cut back to what their leaders have, fetch the rest
// and are in sync again; it leads what has no leader where it may: where it was in sync last, or by an unclean election. Starting a broker that runs does
// nothing.
func (c *Cluster) StartBroker(id int32, opts ...StartOption) (err error) {
	n := c.node(id)
	if n == nil {
		return fmt.Errorf("start broker %d: %w", id, ErrUnknownBroker)
	}
	var s starting
	for _, o := range opts {
		o(&s)
	}
	defer func() { // without the cluster's lock
		if err == nil {
			c.placeCoordinators(id)
		}
	}()
	c.mu.RLock()
	defer c.mu.RUnlock()
	if c.closed {
		return fmt.Errorf("start broker %d: %w", id, ErrClosed)
	}
	if n.condition() != "down" {
		id = noLeader
		return nil
	}
	for _, p := range c.everyPartitionLocked() {
		p.lose(id, s)
	}
	n.stopping.Store(false)
	n.disk.failed.Store(false)
	lost := !n.endedInOrder() || s.loseAll || s.loseTail
	if err = n.listen(); err != nil {
		return fmt.Errorf("start broker: %w", err)
	}
	c.brokerCameLocked(id, lost)
	n.serve()
	c.log.Info("broker started", "broker", id, "lost its disk", s.loseAll, "lost what was not replicated", s.loseTail)
	return nil
}

// lose takes from a broker that is down what it is to come back without.
func (p *partition) lose(id int32, s starting) {
	p.mu.Lock()
	defer p.mu.Unlock()
	r := p.copyLocked(id)
	if r == nil {
		return
	}
	r.epoch = storage.NoEpoch
	switch {
	case s.loseAll:
		r.log.Reset(0)
		r.hw = 0
	case s.loseTail:
		r.log.Truncate(r.hw)
	}
}
