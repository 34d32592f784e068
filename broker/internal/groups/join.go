package groups

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func (m *Manager) joinGroup(c call, client Client, req *kmsg.JoinGroupRequest) {
	m.mu.Lock()
	defer m.unlock()

	refuse := func(err *kerr.Error) {
		m.answer(c, &kmsg.JoinGroupResponse{ErrorCode: err.Code, Generation: -1, MemberID: req.MemberID})
	}
	g, err := m.lookup(req.Group, nil)
	if err != nil {
		refuse(err)
		return
	}
	if s := millis(req.SessionTimeoutMillis); s < m.cfg.MinSession || s > m.cfg.MaxSession {
		refuse(kerr.InvalidSessionTimeout)
		return
	}
	if g == nil && m.groups[req.Group] != nil { // a share group
		m.answer(c, &kmsg.JoinGroupResponse{ErrorCode: kerr.InconsistentGroupProtocol.Code, Generation: -1})
		return
	}
	if g == nil {
		if req.MemberID != "" {
			refuse(kerr.UnknownMemberID)
			return
		}
		g = m.create(req.Group)
		m.begins(g)
	}
	if g.consumer != nil && g.state() != Empty {
		g.consumer.joinRequest(c, client, req)
		return
	}
	if g.consumer != nil {
		if req.MemberID != "" {
			refuse(kerr.UnknownMemberID)
			return
		}
		g.consumer.close()
		m.takesBack(g, &g.consumer.kept)
		g.consumer, g.classic = nil, newClassic(m, g)
		m.watch(g)
	}
	g.classic.joinRequest(c, client, req)
}

// joinRequest is a JoinGroup request with the group found.
func (c *classic) joinRequest(call call, client Client, req *kmsg.JoinGroupRequest) {
	refuse := func(err *kerr.Error, memberID string) {
		c.m.answer(call, &kmsg.JoinGroupResponse{ErrorCode: err.Code, Generation: -1, MemberID: memberID})
	}
	rebalance := millis(req.RebalanceTimeoutMillis)
	if req.Version == 0 {
		rebalance = millis(req.SessionTimeoutMillis)
	}
	member := func(id string) *member {
		return &member{
			id: id, instance: req.InstanceID, client: client,
			session: millis(req.SessionTimeoutMillis), rebalance: rebalance,
			protocols: protocolsOf(req), fresh: true,
		}
	}
	why := "member joins"
	if req.Reason != nil && *req.Reason != "" {
		why += ": " + *req.Reason
	}

	switch {
	case !c.hasRoomFor(req.MemberID):
		c.remove(req.MemberID)
		refuse(kerr.GroupMaxSizeReached, "")
		return
	case !c.supports(req.ProtocolType, req.Protocols):
		refuse(kerr.InconsistentGroupProtocol, req.MemberID)
		return
	}

	if req.MemberID == "" {
		id := newMemberID(client, req.InstanceID)
		switch {
		case req.InstanceID != nil && c.static[*req.InstanceID] != nil:
			mb := member(id)
			mb.fresh = false
			c.replaceStatic(call, c.static[*req.InstanceID], mb, why)
		case req.InstanceID == nil && req.Version >= 4:
			c.expect(id, req)
			refuse(kerr.MemberIDRequired, id)
		default:
			c.admit(call, member(id), req.ProtocolType, why)
		}
		return
	}

	if c.pending[req.MemberID] != nil {
		if req.InstanceID != nil { // ids are handed out to dynamic members only
			refuse(kerr.UnknownServerError, "")
			return
		}
		c.admit(call, member(req.MemberID), req.ProtocolType, why)
		return
	}

	mb, err := c.check(req.MemberID, req.InstanceID)
	if err != nil {
		refuse(err, req.MemberID)
		return
	}
	same := mb.offers(protocolsOf(req))
	switch c.state {
	case PreparingRebalance:
	case CompletingRebalance:
		if same { // it did not get the answer to its first join
			c.m.answer(call, c.joined(mb))
			return
		}
		why = "member joins with new metadata"
	case Stable:
		if same && c.leader != mb.id {
			resp := c.joined(mb)
			resp.Members = nil
			c.m.answer(call, resp)
			return
		}
		// The leader may know of something that its own metadata does not show:
		// a topic that has grown, say.
		why = "leader joins again"
		if !same {
			why = "member joins with new metadata"
		}
	default:
		refuse(kerr.UnknownMemberID, req.MemberID)
		return
	}
	c.update(mb, member(mb.id))
	c.park(mb, call)
	c.rebalanceOrComplete(why)
}

// hasRoomFor reports whether GROUP_MAX_SIZE_REACHED is not the answer. While
// members are rejoining, those that have joined count, so that the last of a
// group that has become too large are turned away.
func (c *classic) hasRoomFor(id string) bool {
	limit := c.m.cfg.MaxSize
	mb := c.byID[id]
	switch {
	case limit == 0 || c.state == Empty:
		return true
	case c.state == PreparingRebalance:
		return mb != nil && mb.join != nil || c.joining < limit
	default:
		return mb != nil || len(c.members) < limit
	}
}

// expect hands out a member id that must join within its session timeout
// (KIP-394).
func (c *classic) expect(id string, req *kmsg.JoinGroupRequest) {
	a := new(alarm)
	c.pending[id] = a
	c.m.set(a, millis(req.SessionTimeoutMillis), func() { c.expirePending(id) })
}

func (c *classic) expirePending(id string) {
	c.m.log("member id was handed out and did not join", "group", c.g.name, "member", id)
	c.forget(id)
	if c.state == PreparingRebalance && c.allJoined() {
		c.completeJoin()
	}
}

// admit takes a new member in.
func (c *classic) admit(call call, mb *member, protocolType, why string) {
	if c.state == PreparingRebalance && c.previous == Empty {
		c.extend = true
	}
	c.add(mb, protocolType)
	c.park(mb, call)
	c.m.set(&mb.heartbeat, newMemberJoinTimeout, func() { c.expire(mb) })
	c.rebalanceOrComplete(why)
}

// update gives a member what it has joined with anew.
func (c *classic) update(mb, with *member) {
	c.count(mb, -1)
	mb.protocols, mb.session, mb.rebalance = with.protocols, with.session, with.rebalance
	c.count(mb, +1)
}

// replaceStatic lets a static member that has lost its member id, because it
// was restarted, take its own place over (KIP-345). Whoever still uses the old
// id is fenced.
func (c *classic) replaceStatic(call call, old, mb *member, why string) {
	c.m.log("static member is replaced", "group", c.g.name, "instance", *old.instance, "member", old.id, "by", mb.id)
	oldLeader := c.leader

	c.answerJoin(old, &kmsg.JoinGroupResponse{ErrorCode: kerr.FencedInstanceID.Code, Generation: -1, MemberID: old.id})
	c.answerSync(old, &kmsg.SyncGroupResponse{ErrorCode: kerr.FencedInstanceID.Code})
	c.m.unset(&old.heartbeat)

	mb.client, mb.assignment = old.client, old.assignment
	for i := range c.members {
		if c.members[i] == old {
			c.members[i] = mb
		}
	}
	delete(c.byID, old.id)
	c.byID[mb.id] = mb
	c.static[*mb.instance] = mb
	c.count(old, -1)
	c.count(mb, +1)
	if c.leader == old.id {
		c.leader = mb.id
	}
	c.park(mb, call)
	c.beat(mb, old.session)

	switch c.state {
	case Stable:
		if c.vote() != *c.protocol {
			c.rebalanceOrComplete("static member changes the protocol: " + why)
			return
		}
		resp := c.joined(mb)
		if call.version >= 9 {
			// A leader needs no new assignment, but the members, for later (KIP-814).
			resp.SkipAssignment = c.leader == mb.id
		} else {
			// An older leader would assign at once: it is told of the leader that
			// it was itself before, and takes itself for a follower.
			resp.LeaderID, resp.Members = oldLeader, nil
		}
		c.answerJoin(mb, resp)
		c.write()
	case CompletingRebalance:
		// The leader may be computing an assignment for the old id.
		c.prepare("static member is replaced: " + why)
	default:
		c.completeIfJoined()
	}
}
