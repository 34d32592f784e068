package groups

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// refusal is an error that is answered with a text.
type refusal struct {
	code *kerr.Error
	text string
}

func refuse(code *kerr.Error, format string, args ...any) *refusal {
	return &refusal{code, fmt.Sprintf(format, args...)}
}

func (m *Manager) consumerHeartbeat(c call, client Client, req *kmsg.ConsumerGroupHeartbeatRequest) {
	m.loadTopics()
	m.mu.Lock()
	defer m.unlock()

	resp, err := m.consumerBeat(client, req)
	if err != nil {
		resp = &kmsg.ConsumerGroupHeartbeatResponse{ErrorCode: err.code.Code}
		if err.text != "" {
			resp.ErrorMessage = &err.text
		}
	}
	m.answer(c, resp)
}

func (m *Manager) consumerBeat(client Client, req *kmsg.ConsumerGroupHeartbeatRequest) (*kmsg.ConsumerGroupHeartbeatResponse, *refusal) {
	if m.closed {
		return nil, refuse(kerr.CoordinatorNotAvailable, "")
	}
	if err := checkBeat(req, m.cfg.Consumer.Assignors); err != nil {
		return nil, err
	}
	if req.MemberEpoch < 0 {
		return m.consumerLeave(req)
	}

	g := m.groups[req.Group]
	c, err := m.consumerFor(g, req)
	if err != nil {
		return nil, err
	}
	if limit := m.cfg.Consumer.MaxSize; limit > 0 && len(c.members) >= limit && c.members[req.MemberID] == nil {
		return nil, refuse(kerr.GroupMaxSizeReached, "The consumer group has reached its maximum capacity of %d members.", limit)
	}
	id := req.MemberID
	if id == "" {
		id = newUUID()
	}
	reads := reported(req)
	mb, before, err := c.find(id, req.InstanceID, req.MemberEpoch, reads, req.MemberEpoch == 0, false)
	if err != nil {
		return nil, err
	}

	d := before
	d.client, d.classic = client, nil
	if req.InstanceID != nil {
		d.instance = req.InstanceID
	}
	if req.RackID != nil {
		d.rack = req.RackID
	}
	if req.RebalanceTimeoutMillis != -1 {
		d.timeout = req.RebalanceTimeoutMillis
	}
	if req.ServerAssignor != nil {
		d.assignor = req.ServerAssignor
	}
	if req.SubscribedTopicNames != nil {
		d.topics = make(map[string]bool)
		for _, t := range req.SubscribedTopicNames {
			d.topics[t] = true
		}
	}
	if req.SubscribedTopicRegex != nil {
		d.regex = *req.SubscribedTopicRegex
	}
	mb, changed, err := c.join(mb, before, d)
	if err != nil {
		return nil, err
	}
	m.adopt(req.Group, c)
	c.assign()
	c.lead(mb, reads, changed)
	set := c.settings()
	c.beat(mb, set.Session)
	c.announce()

	resp := &kmsg.ConsumerGroupHeartbeatResponse{
		MemberID: kmsg.StringPtr(mb.id), MemberEpoch: mb.epoch, HeartbeatIntervalMillis: int32(set.Heartbeat.Milliseconds()),
	}
	full := req.RebalanceTimeoutMillis != -1 && (req.SubscribedTopicNames != nil || req.SubscribedTopicRegex != nil) && req.Topics != nil
	if req.MemberEpoch == 0 || full || !maps.Equal(before.assigned, mb.assigned) {
		resp.Assignment = new(kmsg.ConsumerGroupHeartbeatResponseAssignment)
		for _, t := range grouped(mb.assigned) {
			resp.Assignment.Topics = append(resp.Assignment.Topics, kmsg.ConsumerGroupHeartbeatResponseAssignmentTopic{TopicID: t.id, Partitions: t.partitions})
		}
	}
	return resp, nil
}

// checkBeat says what is wrong with a request whatever the group is like.
func checkBeat(req *kmsg.ConsumerGroupHeartbeatRequest, supported []string) *refusal {
	empty := func(s *string) bool { return s != nil && *s == "" }
	invalid := func(text string) *refusal { return &refusal{kerr.InvalidRequest, text} }
	switch {
	// From version 1 on, clients make their member ids themselves (KIP-1082).
	case req.MemberID == "" && (req.Version >= 1 || req.MemberEpoch > 0 || req.MemberEpoch == -1):
		return invalid("MemberId can't be empty.")
	case req.Group == "":
		return invalid("GroupId can't be empty.")
	case empty(req.InstanceID):
		return invalid("InstanceId can't be empty.")
	case empty(req.RackID):
		return invalid("RackId can't be empty.")
	case req.MemberEpoch == 0 && req.RebalanceTimeoutMillis == -1:
		return invalid("RebalanceTimeoutMs must be provided in first request.")
	case req.MemberEpoch == 0 && (req.Topics == nil || len(req.Topics) > 0):
		return invalid("TopicPartitions must be empty when (re-)joining.")
	case req.MemberEpoch == 0 && req.SubscribedTopicNames == nil && req.SubscribedTopicRegex == nil:
		return invalid("Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when (re-)joining.")
	case req.MemberEpoch == departed && req.InstanceID == nil:
		return invalid("InstanceId can't be null.")
	case req.MemberEpoch < departed:
		return invalid("MemberEpoch is invalid.")
	}
	if a := req.ServerAssignor; a != nil && !slices.Contains(supported, *a) {
		return refuse(kerr.UnsupportedAssignor, "ServerAssignor %s is not supported. Supported assignors: %s.", *a, strings.Join(supported, ", "))
	}
	return nil
}

// reported is what a member says that it reads, nil where it does not say.
func reported(req *kmsg.ConsumerGroupHeartbeatRequest) map[partition]bool {
	if req.Topics == nil {
		return nil
	}
	ps := make(map[partition]bool)
	for _, t := range req.Topics {
		for _, num := range t.Partitions {
			ps[partition{t.TopicID, num}] = true
		}
	}
	return ps
}

// consumerFor finds the consumer group of a heartbeat, or makes one that is not
// known to anybody yet: of nothing, of an empty classic group, or of a classic
// group with members.
func (m *Manager) consumerFor(g *group, req *kmsg.ConsumerGroupHeartbeatRequest) (*consumer, *refusal) {
	joins := req.MemberEpoch == 0
	switch {
	case g == nil && !joins:
		return nil, refuse(kerr.GroupIDNotFound, "Consumer group %s not found.", req.Group)
	case g == nil:
		return newConsumer(m, &group{name: req.Group}), nil
	case g.consumer != nil:
		return g.consumer, nil
	case g.share != nil:
	case joins && g.classic.state == Empty:
		return newConsumer(m, g), nil
	case joins:
		return m.upgraded(g)
	}
	return nil, refuse(kerr.GroupIDNotFound, "Group %s is not a consumer group.", req.Group)
}

// adopt makes c the group of its name, if it is not already.
func (m *Manager) adopt(name string, c *consumer) {
	old := m.groups[name]
	if old != nil && old.consumer == c {
		return
	}
	if old != nil {
		old.classic.close(kerr.RebalanceInProgress)
		old.classic = nil
		m.endsClassic(old)
	}
	c.g.consumer = c
	m.groups[name] = c.g
	m.watch(c.g)
	for _, mb := range c.members {
		if mb.classic != nil {
			c.beat(mb, mb.classic.session)
		}
	}
}

// find returns the member that a request comes from and what is known of it;
// nil for a member that is new. A static member that takes its place over
// comes with what is known of the one before.
func (c *consumer) find(id string, instance *string, epoch int32, reads map[partition]bool, joins, classic bool) (*consumerMember, memberData, *refusal) {
	fresh := memberData{id: id, timeout: -1, previous: -1}
	mb := c.members[id]
	if instance != nil {
		mb = c.static[*instance]
		switch {
		case joins && mb == nil:
			mb = c.members[id]
			if mb == nil {
				return nil, fresh, nil
			}
			return mb, mb.memberData, nil
		case joins:
			if !classic && mb.classic == nil && mb.epoch != departed {
				return nil, fresh, refuse(kerr.UnreleasedInstanceID, "Static member %s with instance id %s cannot join the group because the instance id is owned by %s member.", id, *instance, mb.id)
			}
			d := mb.memberData
			d.id, d.epoch, d.previous = id, 0, 0
			return mb, d, nil
		case mb == nil:
			return nil, fresh, refuse(kerr.UnknownMemberID, "Instance id %s is unknown.", *instance)
		case mb.id != id:
			return nil, fresh, refuse(kerr.FencedInstanceID, "Static member %s with instance id %s was fenced by member %s.", id, *instance, mb.id)
		}
	}
	switch {
	case mb == nil && joins:
		return nil, fresh, nil
	case mb == nil:
		return nil, fresh, refuse(kerr.UnknownMemberID, "Member %s is not a member of group %s.", id, c.g.name)
	case classic:
		return mb, mb.memberData, nil
	}
	return mb, mb.memberData, mb.checkEpoch(epoch, reads)
}

// checkEpoch fences a member that is ahead of or behind what is known of it,
// but for one that did not get the last answer.
func (mb *consumerMember) checkEpoch(epoch int32, reads map[partition]bool) *refusal {
	switch {
	case epoch == 0 || epoch == mb.epoch:
		return nil
	case epoch > mb.epoch:
		return refuse(kerr.FencedMemberEpoch, "The consumer group member has a greater member epoch (%d) than the one known by the group coordinator (%d). The member must abandon all its partitions and rejoin.", epoch, mb.epoch)
	case epoch == mb.previous && reads != nil && within(reads, mb.assigned):
		return nil
	}
	return refuse(kerr.FencedMemberEpoch, "The consumer group member has a smaller member epoch (%d) than the one known by the group coordinator (%d). The member must abandon all its partitions and rejoin.", epoch, mb.epoch)
}

func within(reads map[partition]bool, assigned owned) bool {
	for p := range reads {
		if _, ok := assigned[p]; !ok {
			return false
		}
	}
	return true
}

// join takes in what a member has said: d, where it was before. mb is nil for a
// new member, and the former one where a static member takes over. It reports
// whether the subscription has changed, which starts a new epoch, as a change
// of the subscribed topics does.
func (c *consumer) join(mb *consumerMember, before, d memberData) (*consumerMember, bool, *refusal) {
	names := !maps.Equal(before.topics, d.topics)
	regex := before.regex != d.regex
	known := false // a regular expression that need not be resolved before it counts
	search := false
	switch {
	case regex && d.regex != "" && c.subscribers(d.regex) == 0:
		if _, err := compileRegex(d.regex); err != nil {
			return nil, false, refuse(kerr.InvalidRegularExpression, "SubscribedTopicRegex `%s` is not a valid regular expression: %s.", d.regex, err)
		}
		search = true
	case regex && d.regex != "":
		known = c.resolved[d.regex] != nil
	case regex:
		known = true
	}

	if mb == nil {
		mb = new(consumerMember)
	} else if mb.id != d.id {
		target := c.target[mb.id]
		c.drop(mb)
		mb = new(consumerMember)
		c.target[d.id], c.kept.targets = target, true
	}
	c.set(mb, d)
	c.forgetRegexes()
	if names || regex {
		c.resubscribed()
	}
	c.maybeResolve(search, d.client.Sees)

	if bump := names || known; bump || c.refresh {
		topics := c.m.image.fingerprint(c.subscribed())
		if bump || topics != c.topics {
			c.epoch++
			c.topics = topics
		}
		c.refresh = false
	}
	return mb, names || regex, nil
}

// lead takes a member towards its target, and gives it the rebalance timeout
// for what it has to give up.
func (c *consumer) lead(mb *consumerMember, reads map[partition]bool, changed bool) {
	d := mb.memberData
	c.reconcile(&d, reads, changed)
	moved := d.epoch != mb.epoch || d.previous != mb.previous || d.state != mb.state || !maps.Equal(d.assigned, mb.assigned) || !maps.Equal(d.revoking, mb.revoking)
	c.set(mb, d)
	if !moved || mb.classic != nil {
		return
	}
	if mb.state != unrevoked {
		c.m.unset(&mb.rebalance)
		return
	}
	c.awaitRevocation(mb)
}

func (c *consumer) beat(mb *consumerMember, session time.Duration) {
	c.m.set(&mb.session, session, func() { c.fence("its session expired", mb) })
}

// consumerLeave is a heartbeat that says good-bye: for good, or, of a static
// member, until it is back within its session.
func (m *Manager) consumerLeave(req *kmsg.ConsumerGroupHeartbeatRequest) (*kmsg.ConsumerGroupHeartbeatResponse, *refusal) {
	g := m.groups[req.Group]
	switch {
	case g == nil:
		return nil, refuse(kerr.GroupIDNotFound, "Group %s not found.", req.Group)
	case g.consumer == nil:
		return nil, refuse(kerr.GroupIDNotFound, "Group %s is not a consumer group.", req.Group)
	}
	c := g.consumer
	mb, err := c.check(req.MemberID, req.InstanceID)
	if err != nil {
		return nil, err
	}
	resp := &kmsg.ConsumerGroupHeartbeatResponse{MemberID: &req.MemberID, MemberEpoch: req.MemberEpoch}
	if req.MemberEpoch == departed {
		m.log("static member leaves for a while", "group", g.name, "member", mb.id)
		d := mb.memberData
		d.epoch, d.revoking = departed, nil
		d.assigned = make(owned)
		for p := range mb.assigned {
			d.assigned[p] = 0
		}
		c.set(mb, d)
		c.announce()
		return resp, nil
	}
	c.fence("it left", mb)
	return resp, nil
}

// check finds a member by its id, and its instance if it has one.
func (c *consumer) check(id string, instance *string) (*consumerMember, *refusal) {
	if instance == nil {
		if mb := c.members[id]; mb != nil {
			return mb, nil
		}
		return nil, refuse(kerr.UnknownMemberID, "Member %s is not a member of group %s.", id, c.g.name)
	}
	mb := c.static[*instance]
	switch {
	case mb == nil:
		return nil, refuse(kerr.UnknownMemberID, "Instance id %s is unknown.", *instance)
	case mb.id != id:
		return nil, refuse(kerr.FencedInstanceID, "Static member %s with instance id %s was fenced by member %s.", id, *instance, mb.id)
	}
	return mb, nil
}

// newUUID makes a member id as Kafka's Uuid class writes it.
func newUUID() string {
	var u [16]byte
	rand.Read(u[:])
	return base64.RawURLEncoding.EncodeToString(u[:])
}
