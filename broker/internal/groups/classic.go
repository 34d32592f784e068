package groups

import (
	"crypto/rand"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// consumerProtocol is the protocol type of consumers, the only one whose
// subscriptions the coordinator reads.
const consumerProtocol = "consumer"

// classic is a group of the protocol that JoinGroup and SyncGroup make: the
// members agree on a protocol, and one of them, the leader, assigns.
type classic struct {
	m *Manager
	g *group

	state, previous State
	since           time.Time // of state

	protocolType string // "" before the first member
	protocol     *string
	generation   int32
	leader       string // "" without one

	members  []*member // in the order in which they joined
	byID     map[string]*member
	static   map[string]*member
	pending  map[string]*alarm // ids handed out (KIP-394) that have not joined yet
	joining  int               // members whose join waits
	offered  map[string]int    // by how many members each protocol is offered
	unsynced map[string]bool   // members that have joined this generation and not asked for their assignment

	subscribed map[string]bool // nil: not known
	extend     bool            // a member came during the first rebalance
	join, sync alarm           // ends of the two phases of a rebalance

	written written // what another coordinator would find
}

func newClassic(m *Manager, g *group) *classic {
	now := time.Now()
	return &classic{
		m: m, g: g,
		state: Empty, previous: Dead, since: now, written: written{since: now},
		byID:     make(map[string]*member),
		static:   make(map[string]*member),
		pending:  make(map[string]*alarm),
		offered:  make(map[string]int),
		unsynced: make(map[string]bool),
	}
}

// rejoin sends whoever waits back to join.
func (c *classic) rejoin() { c.answerAll(kerr.RebalanceInProgress) }

func (c *classic) answerAll(err *kerr.Error) {
	for _, mb := range c.members {
		c.answerJoin(mb, &kmsg.JoinGroupResponse{ErrorCode: err.Code, Generation: -1, MemberID: mb.id})
		c.answerSync(mb, &kmsg.SyncGroupResponse{ErrorCode: err.Code})
	}
}

// close answers what waits and stops the group's timers.
func (c *classic) close(err *kerr.Error) {
	c.answerAll(err)
	for _, mb := range c.members {
		c.m.unset(&mb.heartbeat)
	}
	for _, a := range c.pending {
		c.m.unset(a)
	}
	c.m.unset(&c.join)
	c.m.unset(&c.sync)
}

func (c *classic) to(s State) {
	checkStep(c.g.name, c.state, s)
	c.previous, c.state, c.since = c.state, s, time.Now()
	c.m.reached(c.g.name, s)
	c.m.watch(c.g)
}

// check says what is wrong with a request in the name of a member.
func (c *classic) check(id string, instance *string) (*member, *kerr.Error) {
	if instance != nil {
		switch mb := c.static[*instance]; {
		case mb == nil:
			return nil, kerr.UnknownMemberID
		case mb.id != id:
			c.m.log("static member is fenced", "group", c.g.name, "instance", *instance, "member", id, "by", mb.id)
			return nil, kerr.FencedInstanceID
		}
	}
	mb := c.byID[id]
	if mb == nil {
		return nil, kerr.UnknownMemberID
	}
	return mb, nil
}

// add takes a member in. The first one decides the group's protocol type.
func (c *classic) add(mb *member, protocolType string) {
	if len(c.members) == 0 {
		c.protocolType = protocolType
	}
	if mb.instance != nil {
		c.static[*mb.instance] = mb
	}
	if c.leader == "" {
		c.leader = mb.id
	}
	c.members = append(c.members, mb)
	c.byID[mb.id] = mb
	c.count(mb, +1)
	c.forget(mb.id)
}

// count adds a member's protocols to, or takes them from, what is offered.
func (c *classic) count(mb *member, by int) {
	for _, p := range mb.protocols {
		c.offered[p.name] += by
	}
}

// forget drops a member id that was handed out.
func (c *classic) forget(id string) {
	if a := c.pending[id]; a != nil {
		c.m.unset(a)
		delete(c.pending, id)
	}
}

// remove takes a member out, or a pending one. What of it waits is answered
// UNKNOWN_MEMBER_ID: its client, if there still is one, joins again.
func (c *classic) remove(id string) {
	c.forget(id)
	delete(c.unsynced, id)
	mb := c.byID[id]
	if mb == nil {
		return
	}
	i := slices.Index(c.members, mb)
	c.members = slices.Delete(c.members, i, i+1)
	delete(c.byID, id)
	c.count(mb, -1)
	if mb.instance != nil {
		delete(c.static, *mb.instance)
	}
	c.m.unset(&mb.heartbeat)
	c.answerJoin(mb, &kmsg.JoinGroupResponse{ErrorCode: kerr.UnknownMemberID.Code, Generation: -1})
	c.answerSync(mb, &kmsg.SyncGroupResponse{ErrorCode: kerr.UnknownMemberID.Code})
	if c.leader == id {
		c.leader = ""
		if len(c.members) > 0 {
			c.leader = c.members[0].id
		}
	}
}

// park makes a member's join wait. A join of it that already waits is answered:
// its client has given up on it.
func (c *classic) park(mb *member, join call) {
	c.answerJoin(mb, &kmsg.JoinGroupResponse{ErrorCode: kerr.RebalanceInProgress.Code, Generation: -1, MemberID: mb.id})
	mb.join = &join
	c.joining++
}

func (c *classic) answerJoin(mb *member, resp *kmsg.JoinGroupResponse) {
	if mb.join == nil {
		return
	}
	c.m.answer(*mb.join, resp)
	mb.join = nil
	c.joining--
}

func (c *classic) answerSync(mb *member, resp *kmsg.SyncGroupResponse) {
	if mb.sync == nil {
		return
	}
	c.m.answer(*mb.sync, resp)
	mb.sync = nil
}

// joined is the answer to a join that has become part of a generation. Only the
// leader is told who the members are.
func (c *classic) joined(mb *member) *kmsg.JoinGroupResponse {
	resp := &kmsg.JoinGroupResponse{
		MemberID:     mb.id,
		Generation:   c.generation,
		ProtocolType: kmsg.StringPtr(c.protocolType),
		Protocol:     c.protocol,
		LeaderID:     c.leader,
	}
	if c.leader == mb.id {
		resp.Members = c.roster()
	}
	return resp
}

func (c *classic) roster() []kmsg.JoinGroupResponseMember {
	ms := make([]kmsg.JoinGroupResponseMember, len(c.members))
	for i, mb := range c.members {
		ms[i] = kmsg.JoinGroupResponseMember{MemberID: mb.id, InstanceID: mb.instance, ProtocolMetadata: mb.metadata(*c.protocol)}
	}
	return ms
}

// rebalanceTimeout is the longest of the members'.
func (c *classic) rebalanceTimeout() time.Duration {
	var d time.Duration
	for _, mb := range c.members {
		d = max(d, mb.rebalance)
	}
	return d
}

func (c *classic) allJoined() bool { return len(c.members) == c.joining && len(c.pending) == 0 }

func newMemberID(client Client, instance *string) string {
	var u [16]byte
	rand.Read(u[:])
	u[6], u[8] = u[6]&0x0f|0x40, u[8]&0x3f|0x80
	prefix := client.ID
	if instance != nil {
		prefix = *instance
	}
	return fmt.Sprintf("%s-%x-%x-%x-%x-%x", prefix, u[:4], u[4:6], u[6:8], u[8:10], u[10:])
}
