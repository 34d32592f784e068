package groups

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func (m *Manager) heartbeat(c call, req *kmsg.HeartbeatRequest) {
	m.mu.Lock()
	defer m.unlock()

	err := func() *kerr.Error {
		g, err := m.lookup(req.Group, kerr.UnknownMemberID)
		if err != nil {
			return err
		}
		if g.consumer != nil {
			return g.consumer.heartbeat(req)
		}
		c := g.classic
		mb, err := c.check(req.MemberID, req.InstanceID)
		switch {
		case err != nil:
			return err
		case req.Generation != c.generation:
			return kerr.IllegalGeneration
		}
		c.beat(mb, mb.session)
		if c.state == PreparingRebalance {
			return kerr.RebalanceInProgress
		}
		return nil
	}()
	m.answer(c, &kmsg.HeartbeatResponse{ErrorCode: code(err)})
}

func (m *Manager) leaveGroup(c call, req *kmsg.LeaveGroupRequest) {
	leaving := req.Members
	if req.Version < 3 {
		leaving = []kmsg.LeaveGroupRequestMember{{MemberID: req.MemberID}}
	}
	m.mu.Lock()
	defer m.unlock()

	g, err := m.lookup(req.Group, kerr.UnknownMemberID)
	if err != nil && err != kerr.UnknownMemberID {
		m.answer(c, &kmsg.LeaveGroupResponse{ErrorCode: err.Code})
		return
	}
	resp := new(kmsg.LeaveGroupResponse)
	left := false
	var fenced []*consumerMember
	for _, l := range leaving {
		err := err
		switch {
		case g == nil:
		case g.consumer != nil:
			var mb *consumerMember
			if mb, err = g.consumer.leaving(l.MemberID, l.InstanceID); err == nil && !slices.Contains(fenced, mb) {
				fenced = append(fenced, mb)
			}
		default:
			err = g.classic.leave(l.MemberID, l.InstanceID)
		}
		left = left || err == nil
		resp.Members = append(resp.Members, kmsg.LeaveGroupResponseMember{MemberID: l.MemberID, InstanceID: l.InstanceID, ErrorCode: code(err)})
	}
	if req.Version < 3 {
		resp.ErrorCode, resp.Members = resp.Members[0].ErrorCode, nil
	}
	m.answer(c, resp)
	if !left {
		return
	}
	if g.consumer != nil {
		g.consumer.fence("it left", fenced...)
		return
	}
	switch g.classic.state {
	case Stable, CompletingRebalance, PreparingRebalance:
		g.classic.rebalanceOrComplete("members leave")
	}
}

// leave takes one member out, without a rebalance yet. An administrator names
// static members by instance alone.
func (c *classic) leave(id string, instance *string) *kerr.Error {
	if id == "" {
		if instance == nil || c.static[*instance] == nil {
			return kerr.UnknownMemberID
		}
		id = c.static[*instance].id
	} else if c.pending[id] == nil {
		if _, err := c.check(id, instance); err != nil {
			return err
		}
	}
	c.m.log("member leaves", "group", c.g.name, "member", id)
	c.remove(id)
	return nil
}
