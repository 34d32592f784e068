package groups

import (
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

// written is what there is of a classic group in __consumer_offsets: what it
// was like when it was last stable or empty.
type written struct {
	since        time.Time
	protocolType string
	protocol     *string
	generation   int32
	leader       string
	members      []member
}

// write is called whenever Kafka writes a group down. Of what members have
// joined with only the protocol that was chosen is written.
func (c *classic) write() {
	w := written{since: c.since, protocolType: c.protocolType, protocol: c.protocol, generation: c.generation, leader: c.leader}
	for _, mb := range c.members {
		w.members = append(w.members, member{
			id: mb.id, instance: mb.instance, client: mb.client, session: mb.session, rebalance: mb.rebalance,
			protocols: []protocol{{*c.protocol, mb.metadata(*c.protocol)}}, assignment: mb.assignment,
		})
	}
	c.written = w
	if c.m.cfg.Write != nil {
		c.g.noted = true
		c.m.writes(w.entry(c.g.name))
	}
}

// Moved does to a group what it means to have its coordinator moved to another
// broker: whatever waits is answered NOT_COORDINATOR, and the group is what was
// last written down of it. A rebalance that was under way is forgotten with the
// member ids that were handed out; the members' sessions start again. It reports
// whether there is such a group.
func (m *Manager) Moved(name string) bool {
	m.mu.Lock()
	defer m.unlock()
	g := m.groups[name]
	if m.closed || g == nil {
		return false
	}
	if g.share != nil {
		g.share.reload()
		return true
	}
	if g.consumer != nil {
		g.consumer.reload()
		m.watch(g)
		return true
	}
	c := m.reload(g)
	m.log("group has moved", "group", name, "state", c.state, "generation", c.generation)
	return true
}

// reload makes a classic group what was last written down of it.
func (m *Manager) reload(g *group) *classic {
	old := g.classic
	old.close(kerr.NotCoordinator)
	w := old.written
	c := newClassic(m, g)
	for i := range w.members {
		mb := w.members[i]
		c.add(&mb, w.protocolType)
		c.beat(&mb, mb.session)
	}
	c.state, c.since = Empty, w.since
	if len(c.members) > 0 {
		c.state = Stable
	}
	c.protocolType, c.protocol, c.generation, c.leader = w.protocolType, w.protocol, w.generation, w.leader
	c.subscribed = c.topics()
	c.written = w
	g.classic = c
	m.reached(g.name, c.state)
	m.watch(g)
	return c
}

// Unload stops a group's clocks and answers what waits NOT_COORDINATOR, for the time in which no broker can coordinate it: no member expires then.
// [Manager.Moved] goes on with it. Until then nothing may be asked of the group but by who looks on.
func (m *Manager) Unload(name string) {
	m.mu.Lock()
	defer m.unlock()
	g := m.groups[name]
	if m.closed || g == nil {
		return
	}
	m.unset(&g.expiry)
	switch {
	case g.share != nil:
		g.share.close()
	case g.consumer != nil:
		g.consumer.close()
	default:
		g.classic.close(kerr.NotCoordinator)
	}
}

// reload starts the clocks of a consumer group again. All else of it is written
// down with every change.
func (c *consumer) reload() {
	c.m.unset(&c.resolving)
	c.refresh = true
	for _, mb := range c.members {
		c.unset(mb)
		c.beat(mb, c.settings().Session)
		if mb.state == unrevoked && mb.classic == nil {
			c.awaitRevocation(mb)
		}
	}
}

// awaitRevocation gives a member its rebalance timeout to give up what it must.
func (c *consumer) awaitRevocation(mb *consumerMember) {
	epoch := mb.epoch
	c.m.set(&mb.rebalance, millis(mb.timeout), func() {
		if mb.epoch == epoch {
			c.fence("it did not give its partitions up in time", mb)
		}
	})
}
