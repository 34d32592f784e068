package groups

import (
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Members of the classic protocol live in a consumer group while a group is
// being moved from one protocol to the other: they are led to their assignment
// like the others, told to join again by REBALANCE_IN_PROGRESS whenever there
// is something to tell, and assigned by the coordinator, without a leader.

// supports reports whether a member that speaks the classic protocol can be
// taken in.
func (c *consumer) supports(req *kmsg.JoinGroupRequest) bool {
	if req.ProtocolType != consumerProtocol {
		return false
	}
	n, offered := 0, make(map[string]int)
	for _, mb := range c.members {
		if mb.classic != nil {
			n++
			for _, p := range mb.classic.protocols {
				offered[p.name]++
			}
		}
	}
	return slices.ContainsFunc(req.Protocols, func(p kmsg.JoinGroupRequestProtocol) bool { return offered[p.Name] == n })
}

func (c *consumer) joinRequest(call call, client Client, req *kmsg.JoinGroupRequest) {
	refuse := func(err *kerr.Error, memberID string) {
		c.m.answer(call, &kmsg.JoinGroupResponse{ErrorCode: err.Code, Generation: -1, MemberID: memberID})
	}
	unknown, id := req.MemberID == "", req.MemberID
	if unknown {
		id = newUUID()
	}
	limit := c.m.cfg.Consumer.MaxSize
	var sub kmsg.ConsumerMemberMetadata
	switch {
	case c.m.cfg.Consumer.Migration == MigrateNever:
		refuse(kerr.InconsistentGroupProtocol, "")
		return
	case limit > 0 && len(c.members) >= limit && c.members[id] == nil:
		refuse(kerr.GroupMaxSizeReached, "")
		return
	case !c.supports(req):
		refuse(kerr.InconsistentGroupProtocol, "")
		return
	case unknown && req.InstanceID == nil && req.Version >= 4:
		refuse(kerr.MemberIDRequired, id)
		return
	}
	mb, before, err := c.find(id, req.InstanceID, -1, nil, unknown || req.InstanceID == nil, true)
	switch {
	case err != nil:
		refuse(err.code, "")
		return
	case sub.ReadFrom(req.Protocols[0].Metadata) != nil:
		refuse(kerr.UnknownServerError, "")
		return
	}
	// The last member of the new protocol, replaced by one of the old, takes the
	// group back with it.
	back := req.InstanceID != nil && mb != nil && mb.classic == nil && c.downgradable(mb)

	d := before
	d.client = client
	d.classic = &classicData{session: millis(req.SessionTimeoutMillis), protocols: protocolsOf(req)}
	if req.InstanceID != nil {
		d.instance = req.InstanceID
	}
	if sub.Rack != nil {
		d.rack = sub.Rack
	}
	if req.RebalanceTimeoutMillis != -1 {
		d.timeout = req.RebalanceTimeoutMillis
	}
	d.regex = ""
	d.topics = make(map[string]bool)
	for _, t := range sub.Topics {
		d.topics[t] = true
	}
	mb, changed, err := c.join(mb, before, d)
	if err != nil {
		refuse(err.code, "")
		return
	}
	if !back {
		c.assign()
	}
	if rebalance := c.assignmentEpoch < c.epoch; !back || !rebalance {
		c.lead(mb, c.owns(sub), changed)
	}
	c.m.answer(call, &kmsg.JoinGroupResponse{
		MemberID: mb.id, Generation: mb.epoch,
		ProtocolType: kmsg.StringPtr(consumerProtocol), Protocol: kmsg.StringPtr(d.classic.protocols[0].name),
	})
	c.m.unset(&mb.join)
	if back {
		c.toClassic(c.assignmentEpoch < c.epoch)
		return
	}
	c.beat(mb, mb.classic.session)
	c.m.set(&mb.sync, millis(req.RebalanceTimeoutMillis), func() { c.fence("it did not sync in time", mb) })
	c.announce()
}

// owns is what a member's subscription says that it reads.
func (c *consumer) owns(sub kmsg.ConsumerMemberMetadata) map[partition]bool {
	ps := make(map[partition]bool)
	for _, t := range sub.OwnedPartitions {
		if topic, ok := c.m.image.byName[t.Topic]; ok {
			for _, num := range t.Partitions {
				ps[partition{topic.ID, num}] = true
			}
		}
	}
	return ps
}

// checkClassic finds the member of a classic request.
func (c *consumer) checkClassic(id string, instance *string, generation int32) (*consumerMember, *kerr.Error) {
	mb, err := c.check(id, instance)
	switch {
	case err != nil:
		return nil, err.code
	case mb.classic == nil:
		return nil, kerr.UnknownMemberID
	case mb.epoch != generation:
		return nil, kerr.IllegalGeneration
	}
	return mb, nil
}

// awaitJoin gives a member that has been told to join again its rebalance
// timeout for that.
func (c *consumer) awaitJoin(mb *consumerMember) {
	if mb.join.call == nil {
		c.m.set(&mb.join, millis(mb.timeout), func() { c.fence("it did not join in time", mb) })
	}
}

func (c *consumer) syncRequest(call call, req *kmsg.SyncGroupRequest) *kerr.Error {
	mb, err := c.checkClassic(req.MemberID, req.InstanceID, req.Generation)
	switch {
	case err != nil:
		return err
	case req.ProtocolType != nil && *req.ProtocolType != consumerProtocol,
		req.Protocol != nil && *req.Protocol != mb.classic.protocols[0].name:
		return kerr.InconsistentGroupProtocol
	case c.assignmentEpoch > mb.epoch && mb.state != unrevoked:
		c.awaitJoin(mb)
		return kerr.RebalanceInProgress
	}
	c.m.unset(&mb.sync)
	c.beat(mb, mb.classic.session)
	c.m.answer(call, &kmsg.SyncGroupResponse{
		ProtocolType: req.ProtocolType, Protocol: req.Protocol,
		MemberAssignment: c.encode(mb.classic, mb.assigned),
	})
	return nil
}

func (c *consumer) heartbeat(req *kmsg.HeartbeatRequest) *kerr.Error {
	mb, err := c.checkClassic(req.MemberID, req.InstanceID, req.Generation)
	if err != nil {
		return err
	}
	c.beat(mb, mb.classic.session)
	if mb.epoch < c.assignmentEpoch || mb.state == unrevoked || mb.state == unreleased && !c.blocked(mb) {
		c.awaitJoin(mb)
		return kerr.RebalanceInProgress
	}
	return nil
}

// blocked reports whether anything that a member waits for is still another's.
func (c *consumer) blocked(mb *consumerMember) bool {
	for p := range c.target[mb.id] {
		if _, has := mb.assigned[p]; has {
			continue
		}
		if _, taken := c.owner[p]; taken {
			return true
		}
	}
	return false
}

// leaving finds who leaves by a LeaveGroup request. An administrator names
// static members by instance alone.
func (c *consumer) leaving(id string, instance *string) (*consumerMember, *kerr.Error) {
	if instance != nil && id == "" {
		if mb := c.static[*instance]; mb != nil {
			return mb, nil
		}
		return nil, kerr.UnknownMemberID
	}
	mb, err := c.check(id, instance)
	if err != nil {
		return nil, err.code
	}
	return mb, nil
}

// encode writes an assignment as consumers of the classic protocol read it, in
// the version of their subscription.
func (c *consumer) encode(cd *classicData, has owned) []byte {
	a := kmsg.NewConsumerMemberAssignment()
	if meta := cd.protocols[0].metadata; len(meta) >= 2 {
		a.Version = min(int16(meta[0])<<8|int16(meta[1]), 3)
	}
	for _, t := range grouped(has) {
		if topic, ok := c.m.image.byID[t.id]; ok {
			a.Topics = append(a.Topics, kmsg.ConsumerMemberAssignmentTopic{Topic: topic.Name, Partitions: t.partitions})
		}
	}
	return a.AppendTo(nil)
}

// decode reads what encode, or a leader of the classic protocol, has written.
func (m *Manager) decode(b []byte) (map[partition]bool, *kmsg.ConsumerMemberAssignment, error) {
	ps := make(map[partition]bool)
	var a kmsg.ConsumerMemberAssignment
	if len(b) == 0 {
		return ps, &a, nil
	}
	if err := a.ReadFrom(b); err != nil {
		return nil, nil, err
	}
	for _, t := range a.Topics {
		if topic, ok := m.image.byName[t.Topic]; ok {
			for _, num := range t.Partitions {
				if num >= 0 && num < topic.Partitions { // a leader may write anything
					ps[partition{topic.ID, num}] = true
				}
			}
		}
	}
	return ps, &a, nil
}

// downgradable reports whether c, without some members, may become a classic
// group: only members of the classic protocol are left.
func (c *consumer) downgradable(without ...*consumerMember) bool {
	n := 0
	for _, mb := range c.members {
		if slices.Contains(without, mb) {
			continue
		}
		if mb.classic == nil {
			return false
		}
		n++
	}
	policy, limit := c.m.cfg.Consumer.Migration, c.m.cfg.MaxSize
	// With a member to be replaced the group keeps its size.
	size := n + len(without)
	return size > 0 && (policy == MigrateBothWays || policy == MigrateBack) && (limit == 0 || size <= limit)
}

// toClassic makes a classic group of c, all members of which speak that.
func (c *consumer) toClassic(rebalance bool) {
	g := c.g
	cl := newClassic(c.m, g)
	cl.state, cl.previous, cl.generation = Stable, Dead, c.epoch
	for _, id := range javaOrder(slices.Sorted(maps.Keys(c.members))) {
		mb := c.members[id]
		has := make(owned)
		for p := range c.target[id] {
			has[p] = 0
		}
		cl.add(&member{
			id: id, instance: mb.instance, client: mb.client,
			session: mb.classic.session, rebalance: millis(mb.timeout),
			protocols: mb.classic.protocols, assignment: c.encode(mb.classic, has),
		}, consumerProtocol)
	}
	protocol := cl.vote()
	cl.protocol = &protocol
	cl.subscribed = cl.topics()
	c.m.takesBack(g, &c.kept)
	cl.write()
	c.close()
	g.consumer, g.classic = nil, cl
	c.m.log("group is a classic one again", "group", g.name, "generation", cl.generation)
	for _, mb := range cl.members {
		cl.beat(mb, mb.session)
	}
	c.m.reached(g.name, Stable)
	c.m.watch(g)
	if rebalance {
		cl.prepare("the last member of the consumer protocol has left")
	}
}

// upgraded makes a consumer group of a classic one, which stays as it is until
// the new group is adopted: the member that brings this about may be refused.
func (m *Manager) upgraded(g *group) (*consumer, *refusal) {
	cl := g.classic
	cannot := func(why string) *refusal {
		return refuse(kerr.GroupIDNotFound, "Cannot upgrade classic group %s to consumer group because %s.", g.name, why)
	}
	policy, limit := m.cfg.Consumer.Migration, m.cfg.Consumer.MaxSize
	switch {
	case policy != MigrateBothWays && policy != MigrateForth:
		return nil, cannot("online upgrade is disabled")
	case cl.protocolType != consumerProtocol:
		return nil, cannot("the group does not use the consumer embedded protocol")
	case limit > 0 && len(cl.members) > limit:
		return nil, cannot("the group size exceeds the consumer group maximum size")
	case cl.protocol == nil && len(cl.members) > 0:
		return nil, refuse(kerr.UnknownServerError, "") // Kafka has no answer to that either
	}
	cl.rejoin() // Kafka does so before it knows whether it can go on
	c := newConsumer(m, g)
	c.epoch, c.assignmentEpoch = cl.generation, cl.generation
	for _, mb := range cl.members {
		has, assignment, err := m.decode(mb.assignment)
		var sub kmsg.ConsumerMemberMetadata
		if err != nil || sub.ReadFrom(mb.metadata(*cl.protocol)) != nil {
			return nil, cannot("the embedded consumer protocol is malformed")
		}
		if len(assignment.UserData) > 0 {
			return nil, cannot("an unsupported custom assignor is in use. Please refer to the documentation or switch to a default assignor before re-attempting the upgrade")
		}
		d := memberData{
			id: mb.id, instance: mb.instance, rack: sub.Rack, client: mb.client,
			timeout: int32(mb.rebalance.Milliseconds()), topics: make(map[string]bool),
			epoch: cl.generation, previous: cl.generation, assigned: make(owned),
			classic: &classicData{session: mb.session, protocols: mb.protocols},
		}
		for _, t := range sub.Topics {
			d.topics[t] = true
		}
		for p := range has {
			d.assigned[p] = cl.generation
		}
		c.target[mb.id] = has
		c.set(new(consumerMember), d)
	}
	c.topics = m.image.fingerprint(c.subscribed())
	return c, nil
}
