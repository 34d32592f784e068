package groups

import (
	"maps"
	"time"
)

// Offsets expire when nobody has used them for long enough (KIP-211), and a
// group without members goes with the last of them. Kafka looks every ten
// minutes; here an alarm is set for the look at which something will be found,
// so that a Manager in which nothing expires sets none.

// expiresAt says when an offset of a topic may go, as things are; false if not
// at all.
func (g *group) expiresAt(c committed, subscribed bool, retention time.Duration) (time.Time, bool) {
	from := c.at
	if cl := g.classic; cl != nil && cl.protocolType != "" {
		switch {
		case cl.state == Empty:
			from = cl.since
		case cl.state != Stable || cl.protocolType != consumerProtocol || cl.subscribed == nil:
			return time.Time{}, false
		}
	}
	switch {
	case subscribed:
		return time.Time{}, false
	case !c.expires.IsZero():
		return c.expires, true
	case retention < 0:
		return time.Time{}, false
	}
	return from.Add(retention), true
}

// unused reports whether nothing is committed, in a transaction or without.
func (g *group) unused() bool { return len(g.offsets) == 0 && len(g.staged) == 0 }

// look is the first look at or after t.
func (m *Manager) look(t time.Time) time.Time {
	every := m.cfg.OffsetsCheckInterval
	return m.started.Add((t.Sub(m.started) + every - 1) / every * every)
}

// watch sets the alarm for what will expire first of a group.
func (m *Manager) watch(g *group) {
	if m.groups[g.name] != g || g.share != nil { // share groups stay until they are deleted
		return
	}
	var first time.Time
	if g.unused() && g.state() == Empty {
		first = time.Now().Add(1) // at the next look, not at one that is now
	}
	for topic, ps := range g.offsets {
		subscribed := g.subscribedTo(topic)
		for _, c := range ps {
			if at, ok := g.expiresAt(c, subscribed, m.cfg.OffsetsRetention); ok && (first.IsZero() || at.Before(first)) {
				first = at
			}
		}
	}
	if first.IsZero() {
		m.unset(&g.expiry)
		return
	}
	if now := time.Now(); !first.After(now) {
		first = now.Add(1)
	}
	m.set(&g.expiry, time.Until(m.look(first)), func() { m.expire(g) })
}

// watchCommit is watch for one offset that has just been committed. It costs
// nothing where the topic is subscribed to, or the alarm set, which then goes
// off early enough.
func (m *Manager) watchCommit(g *group, topic string, c committed) {
	if g.expiry.call != nil && c.expires.IsZero() || g.state() != Empty && g.subscribedTo(topic) {
		return
	}
	m.watch(g)
}

// expire forgets what has expired of a group, and the group if that was all.
func (m *Manager) expire(g *group) {
	now := time.Now()
	for topic, ps := range g.offsets {
		subscribed := g.subscribedTo(topic)
		for num, c := range maps.Clone(ps) {
			if at, ok := g.expiresAt(c, subscribed, m.cfg.OffsetsRetention); ok && !now.Before(at) && !g.unstable(topic, num) {
				m.log("offset has expired", "group", g.name, "topic", topic, "partition", num)
				m.forget(g, topic, num)
			}
		}
	}
	if g.unused() && g.state() == Empty {
		m.log("group has expired", "group", g.name)
		m.drop(g)
		return
	}
	m.watch(g)
}
