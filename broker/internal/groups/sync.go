package groups

import (
	"bytes"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func (m *Manager) syncGroup(c call, req *kmsg.SyncGroupRequest) {
	m.mu.Lock()
	defer m.unlock()

	if err := m.syncOrWhyNot(c, req); err != nil {
		m.answer(c, &kmsg.SyncGroupResponse{ErrorCode: err.Code})
	}
}

func (m *Manager) syncOrWhyNot(call call, req *kmsg.SyncGroupRequest) *kerr.Error {
	if req.Version >= 5 && (req.ProtocolType == nil || req.Protocol == nil) {
		return kerr.InconsistentGroupProtocol // KIP-559
	}
	g, err := m.lookup(req.Group, kerr.UnknownMemberID)
	if err != nil {
		return err
	}
	switch {
	case g.state() == Empty:
		return kerr.UnknownMemberID
	case g.consumer != nil:
		return g.consumer.syncRequest(call, req)
	}
	c := g.classic
	mb, err := c.check(req.MemberID, req.InstanceID)
	switch {
	case err != nil:
		return err
	case req.Generation != c.generation:
		return kerr.IllegalGeneration
	case req.ProtocolType != nil && *req.ProtocolType != c.protocolType,
		req.Protocol != nil && c.protocol != nil && *req.Protocol != *c.protocol:
		return kerr.InconsistentGroupProtocol
	}

	switch c.state {
	case PreparingRebalance:
		return kerr.RebalanceInProgress
	case CompletingRebalance:
		c.answerSync(mb, &kmsg.SyncGroupResponse{ErrorCode: kerr.RebalanceInProgress.Code})
		mb.sync = &call
		c.synced(mb)
		if c.leader == mb.id {
			c.assign(req.GroupAssignment)
		}
	case Stable:
		c.synced(mb)
		m.answer(call, c.assigned(mb))
	}
	return nil
}

// synced notes that a member has asked for its assignment.
func (c *classic) synced(mb *member) {
	delete(c.unsynced, mb.id)
	if len(c.unsynced) == 0 {
		c.m.unset(&c.sync)
	}
}

// assign hands out what the leader has decided. A member that it left out gets
// nothing, and one that it made up is ignored.
func (c *classic) assign(as []kmsg.SyncGroupRequestGroupAssignment) {
	for _, mb := range c.members {
		mb.assignment = nil
	}
	for _, a := range as {
		if mb := c.byID[a.MemberID]; mb != nil {
			mb.assignment = bytes.Clone(a.MemberAssignment)
		}
	}
	c.to(Stable)
	c.write()
	c.m.log("group is stable", "group", c.g.name, "generation", c.generation, "leader", c.leader)
	for _, mb := range c.members {
		if mb.sync != nil {
			c.answerSync(mb, c.assigned(mb))
			c.beat(mb, mb.session)
		}
	}
}

func (c *classic) assigned(mb *member) *kmsg.SyncGroupResponse {
	return &kmsg.SyncGroupResponse{
		ProtocolType:     kmsg.StringPtr(c.protocolType),
		Protocol:         c.protocol,
		MemberAssignment: mb.assignment,
	}
}
