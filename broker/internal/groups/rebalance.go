package groups

import (
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// rebalanceOrComplete starts a rebalance, or ends the join phase of the one
// that is under way if this was all it waited for.
func (c *classic) rebalanceOrComplete(why string) {
	if c.state == PreparingRebalance {
		c.completeIfJoined()
		return
	}
	c.prepare(why)
}

// completeIfJoined ends the join phase when everybody is there. The first
// rebalance of a group ends by time alone.
func (c *classic) completeIfJoined() {
	if c.state == PreparingRebalance && c.previous != Empty && c.allJoined() {
		c.completeJoin()
	}
}

// prepare starts a rebalance: whoever waits for an assignment is sent back to
// join.
func (c *classic) prepare(why string) {
	if c.state == CompletingRebalance {
		for _, mb := range c.members {
			mb.assignment = nil
			if mb.sync != nil {
				c.answerSync(mb, &kmsg.SyncGroupResponse{ErrorCode: kerr.RebalanceInProgress.Code})
				c.beat(mb, mb.session)
			}
		}
	}
	clear(c.unsynced)
	c.m.unset(&c.sync)

	first := c.state == Empty
	c.to(PreparingRebalance)
	c.m.log("group rebalances", "group", c.g.name, "generation", c.generation, "why", why)
	switch {
	case first:
		delay := c.m.cfg.InitialRebalanceDelay
		c.firstJoin(delay, max(c.rebalanceTimeout()-delay, 0))
	case c.allJoined():
		c.completeJoin()
	default:
		c.m.set(&c.join, c.rebalanceTimeout(), c.completeJoin)
	}
}

// firstJoin waits for the members of a group that had none: a delay, and as
// long again for as long as new ones keep coming, within the rebalance timeout.
func (c *classic) firstJoin(delay, remaining time.Duration) {
	c.m.set(&c.join, delay, func() {
		if !c.extend || remaining == 0 {
			c.completeJoin()
			return
		}
		c.extend = false
		c.firstJoin(min(c.m.cfg.InitialRebalanceDelay, remaining), max(remaining-delay, 0))
	})
}

// completeJoin ends the join phase with whoever is there. Dynamic members that
// have not joined are out; static ones stay until their session expires.
func (c *classic) completeJoin() {
	c.m.unset(&c.join)
	for _, mb := range append([]*member(nil), c.members...) {
		if mb.join == nil && mb.instance == nil {
			c.m.log("member did not join in time", "group", c.g.name, "member", mb.id)
			c.remove(mb.id)
		}
	}

	if !c.electJoined() && len(c.members) > 0 {
		// Static members, none of which has joined. Their sessions end this.
		c.m.set(&c.join, c.rebalanceTimeout(), c.completeJoin)
		return
	}
	c.generation++
	clear(c.unsynced)
	if len(c.members) == 0 {
		c.protocol = nil
		c.subscribed = c.topics()
		c.to(Empty)
		c.write()
		c.m.log("group is empty", "group", c.g.name, "generation", c.generation)
		return
	}
	protocol := c.vote()
	c.protocol = &protocol
	c.subscribed = c.topics()
	c.to(CompletingRebalance)
	c.m.log("group has joined", "group", c.g.name, "generation", c.generation, "members", len(c.members), "protocol", protocol)
	for _, mb := range c.members {
		c.answerJoin(mb, c.joined(mb))
		c.beat(mb, mb.session)
		mb.fresh = false
		c.unsynced[mb.id] = true
	}
	generation := c.generation
	c.m.set(&c.sync, c.rebalanceTimeout(), func() { c.expireSync(generation) })
}

// electJoined makes a member that has joined the leader, if it is not already
// one. It reports whether there is such a member.
func (c *classic) electJoined() bool {
	if l := c.byID[c.leader]; l != nil && l.join != nil {
		return true
	}
	for _, mb := range c.members {
		if mb.join != nil {
			c.leader = mb.id
			return true
		}
	}
	return false
}

// expireSync removes who has joined a generation and not asked for its
// assignment within the rebalance timeout: it holds partitions that it does not
// know of.
func (c *classic) expireSync(generation int32) {
	if generation != c.generation || len(c.unsynced) == 0 || c.state != CompletingRebalance && c.state != Stable {
		return
	}
	ids := make([]string, 0, len(c.unsynced))
	for id := range c.unsynced {
		ids = append(ids, id)
	}
	for _, id := range ids {
		c.m.log("member did not sync in time", "group", c.g.name, "member", id)
		c.remove(id)
	}
	c.prepare("members did not sync in time")
}

// beat restarts a member's session.
func (c *classic) beat(mb *member, session time.Duration) {
	c.m.set(&mb.heartbeat, session, func() { c.expire(mb) })
}

// expire is the end of a member's session.
func (c *classic) expire(mb *member) {
	if mb.alive() {
		return // the session starts again when what waits is answered
	}
	c.m.log("member's session expired", "group", c.g.name, "member", mb.id)
	c.evict(mb.id, "member's session expired")
}

// evict takes a member out as if its session had expired.
func (c *classic) evict(id, why string) {
	c.remove(id)
	switch c.state {
	case Stable, CompletingRebalance:
		c.prepare(why)
	case PreparingRebalance:
		if c.allJoined() {
			c.completeJoin()
		}
	}
}
