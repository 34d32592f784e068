package groups

import (
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func (m *Manager) shareHeartbeat(c call, client Client, req *kmsg.ShareGroupHeartbeatRequest) {
	m.loadTopics()
	m.mu.Lock()
	defer m.unlock()

	resp, err := m.shareBeat(client, req)
	if err != nil {
		resp = &kmsg.ShareGroupHeartbeatResponse{ErrorCode: err.code.Code}
		if err.text != "" {
			resp.ErrorMessage = &err.text
		}
	}
	m.answer(c, resp)
}

func (m *Manager) shareBeat(client Client, req *kmsg.ShareGroupHeartbeatRequest) (*kmsg.ShareGroupHeartbeatResponse, *refusal) {
	if m.closed {
		return nil, refuse(kerr.CoordinatorNotAvailable, "")
	}
	if err := checkShareBeat(req); err != nil {
		return nil, err
	}
	if req.MemberEpoch < 0 {
		return m.shareLeave(req)
	}
	s, err := m.shareFor(req)
	if err != nil {
		return nil, err
	}
	set := s.settings()
	mb := s.members[req.MemberID]
	switch {
	case mb == nil && set.MaxSize > 0 && len(s.members) >= set.MaxSize:
		return nil, refuse(kerr.GroupMaxSizeReached, "The share group has reached its maximum capacity of %d members.", set.MaxSize)
	case mb == nil && req.MemberEpoch > 0:
		return nil, refuse(kerr.UnknownMemberID, "Member %s is not a member of group %s.", req.MemberID, req.GroupID)
	case mb == nil:
		mb = &shareMember{shareData: shareData{id: req.MemberID, previous: -1}}
	default:
		if err := mb.checkEpoch(req.MemberEpoch); err != nil {
			return nil, err
		}
	}
	before := mb.shareData
	mb.client = client
	if req.RackID != nil {
		mb.rack = req.RackID
	}
	if req.SubscribedTopicNames != nil {
		mb.topics = make(map[string]bool)
		for _, t := range req.SubscribedTopicNames {
			mb.topics[t] = true
		}
	}
	s.members[mb.id] = mb
	m.groups[req.GroupID] = s.g
	changed := s.advance(!maps.Equal(before.topics, mb.topics))
	s.assign()
	s.lead(mb, changed)
	s.beat(mb)
	s.kept.touch(mb.id)
	m.reached(s.g.name, s.state())
	s.initialize()
	s.notes()

	resp := &kmsg.ShareGroupHeartbeatResponse{MemberID: &mb.id, MemberEpoch: mb.epoch, HeartbeatIntervalMillis: int32(set.Heartbeat.Milliseconds())}
	if req.MemberEpoch == 0 || req.SubscribedTopicNames != nil || !maps.Equal(before.assigned, mb.assigned) {
		resp.Assignment = new(kmsg.ShareGroupHeartbeatResponseAssignment)
		for _, t := range grouped(mb.assigned) {
			resp.Assignment.TopicPartitions = append(resp.Assignment.TopicPartitions,
				kmsg.ShareGroupHeartbeatResponseAssignmentTopicPartition{TopicID: t.id, Partitions: t.partitions})
		}
	}
	return resp, nil
}

// checkShareBeat says what is wrong with a request whatever the group is like.
func checkShareBeat(req *kmsg.ShareGroupHeartbeatRequest) *refusal {
	invalid := func(text string) *refusal { return &refusal{kerr.InvalidRequest, text} }
	switch {
	case req.MemberID == "":
		return invalid("MemberId can't be empty.")
	case req.GroupID == "":
		return invalid("GroupId can't be empty.")
	case req.RackID != nil && *req.RackID == "":
		return invalid("RackId can't be empty.")
	case req.MemberEpoch == 0 && len(req.SubscribedTopicNames) == 0:
		return invalid("SubscribedTopicNames must be set in first request.")
	case req.MemberEpoch < -1:
		return invalid("MemberEpoch is invalid.")
	}
	return nil
}

// shareFor finds the share group of a heartbeat, or makes one that is not known
// to anybody yet.
func (m *Manager) shareFor(req *kmsg.ShareGroupHeartbeatRequest) (*share, *refusal) {
	switch g := m.groups[req.GroupID]; {
	case g == nil && req.MemberEpoch != 0:
		return nil, refuse(kerr.GroupIDNotFound, "Share group %s not found.", req.GroupID)
	case g == nil:
		return m.newShareGroup(req.GroupID), nil
	case g.share == nil:
		return nil, refuse(kerr.GroupIDNotFound, "Group %s is not a share group.", req.GroupID)
	default:
		return g.share, nil
	}
}

// newShareGroup makes a share group that is not one of the Manager's yet.
func (m *Manager) newShareGroup(name string) *share {
	g := &group{name: name}
	g.share = newShare(m, g)
	return g.share
}

// checkEpoch fences a member that is ahead of or behind what is known of it, but
// for one that did not get the last answer.
func (mb *shareMember) checkEpoch(epoch int32) *refusal {
	switch {
	case epoch == 0 || epoch == mb.epoch:
		return nil
	case epoch > mb.epoch:
		return refuse(kerr.FencedMemberEpoch, "The share group member has a greater member epoch (%d) than the one known by the group coordinator (%d). The member must abandon all its partitions and rejoin.", epoch, mb.epoch)
	case epoch == mb.previous:
		return nil
	}
	return refuse(kerr.FencedMemberEpoch, "The share group member has a smaller member epoch (%d) than the one known by the group coordinator (%d), and it does not match the previous member epoch (%d). The member must abandon all its partitions and rejoin.", epoch, mb.epoch, mb.previous)
}

// advance starts a new epoch where a subscription, the topics, or what the share
// coordinator knows of them has changed. It reports whether it did.
func (s *share) advance(changed bool) bool {
	if s.assignmentEpoch >= s.epoch {
		changed = s.pending() || changed
	}
	if !changed && !s.refresh {
		return false
	}
	s.refresh = false
	if topics := s.m.image.fingerprint(s.subscribed()); topics != s.topics {
		s.topics, changed = topics, true
	}
	if changed {
		s.epoch++
	}
	return changed
}

// initialize tells the share coordinator of the partitions that it does not know
// yet, once the answer to this request is under way.
func (s *share) initialize() {
	now := time.Now()
	news := make(map[partition]bool)
	for name := range s.subscribed() {
		t, ok := s.m.image.byName[name]
		if !ok {
			continue
		}
		for num := range t.Partitions {
			p := partition{t.ID, num}
			if at, asked := s.asked[p]; !s.known[p] && (!asked || now.Sub(at) >= initializeRetry) {
				news[p], s.asked[p] = true, now
			}
		}
	}
	if len(news) == 0 || s.m.cfg.ShareStates == nil {
		return
	}
	epoch := s.epoch
	s.m.out = append(s.m.out, func() {
		var done []partition
		for _, p := range sorted(news) {
			if err := s.m.cfg.ShareStates.Initialize(s.g.name, p.topic, p.num, epoch, -1); err == nil {
				done = append(done, p)
			}
		}
		s.m.mu.Lock()
		defer s.m.unlock()
		s.learn(done)
	})
}

// learn notes that the share coordinator knows partitions.
func (s *share) learn(ps []partition) {
	for _, p := range ps {
		delete(s.asked, p)
		if _, still := s.m.image.byID[p.topic]; still {
			s.known[p] = true
		}
	}
	s.notes()
}

// shareLeave is a heartbeat that says good-bye.
func (m *Manager) shareLeave(req *kmsg.ShareGroupHeartbeatRequest) (*kmsg.ShareGroupHeartbeatResponse, *refusal) {
	s, err := m.shareNamed(req.GroupID)
	if err != nil {
		return nil, err
	}
	mb := s.members[req.MemberID]
	if mb == nil {
		return nil, refuse(kerr.UnknownMemberID, "Member %s is not a member of group %s.", req.MemberID, req.GroupID)
	}
	s.fence(mb, "it left")
	return &kmsg.ShareGroupHeartbeatResponse{MemberID: &req.MemberID, MemberEpoch: req.MemberEpoch}, nil
}

// shareNamed finds a share group that has to be there.
func (m *Manager) shareNamed(name string) (*share, *refusal) {
	switch g := m.groups[name]; {
	case g == nil:
		return nil, refuse(kerr.GroupIDNotFound, "Group %s not found.", name)
	case g.share == nil:
		return nil, refuse(kerr.GroupIDNotFound, "Group %s is not a share group.", name)
	default:
		return g.share, nil
	}
}

func (m *Manager) describeShares(c call, req *kmsg.ShareGroupDescribeRequest) {
	m.mu.Lock()
	defer m.unlock()
	resp := new(kmsg.ShareGroupDescribeResponse)
	for _, name := range req.GroupIDs {
		d := kmsg.NewShareGroupDescribeResponseGroup()
		d.GroupID = name
		s, err := m.shareNamed(name)
		switch {
		case m.closed:
			d.ErrorCode = kerr.CoordinatorNotAvailable.Code
		case name == "":
			d.ErrorCode = kerr.InvalidGroupID.Code
		case err != nil:
			d.ErrorCode, d.ErrorMessage = err.code.Code, &err.text
		default:
			s.describe(&d)
		}
		resp.Groups = append(resp.Groups, d)
	}
	m.answer(c, resp)
}

func (s *share) describe(d *kmsg.ShareGroupDescribeResponseGroup) {
	d.GroupState, d.GroupEpoch, d.AssignmentEpoch, d.Assignor = string(s.state()), s.epoch, s.assignmentEpoch, simpleName
	for _, id := range javaOrder(slices.Sorted(maps.Keys(s.members))) {
		mb := s.members[id]
		dm := kmsg.NewShareGroupDescribeResponseGroupMember()
		dm.MemberID, dm.RackID, dm.MemberEpoch = id, mb.rack, mb.epoch
		dm.ClientID, dm.ClientHost = mb.client.ID, mb.client.Host
		dm.SubscribedTopicNames = slices.Sorted(maps.Keys(mb.topics))
		for _, t := range grouped(mb.assigned) {
			if topic, ok := s.m.image.byID[t.id]; ok {
				dm.Assignment.TopicPartitions = append(dm.Assignment.TopicPartitions,
					kmsg.ShareGroupDescribeResponseGroupMemberAssignmentTopicPartition{TopicID: t.id, Topic: topic.Name, Partitions: t.partitions})
			}
		}
		d.Members = append(d.Members, dm)
	}
}
