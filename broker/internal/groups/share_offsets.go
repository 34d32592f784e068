package groups

import (
	"errors"
	"maps"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// invalidGroupText is what Kafka says with INVALID_GROUP_ID.
const invalidGroupText = "The group id is invalid."

// SharePartitions lists the partitions of a share group that the share
// coordinator knows, by topic and in order; nil where there is no such group.
func (m *Manager) SharePartitions(group string) map[[16]byte][]int32 {
	m.mu.Lock()
	defer m.mu.Unlock()
	g := m.groups[group]
	if g == nil || g.share == nil {
		return nil
	}
	all := make(map[topicID][]int32)
	for _, t := range grouped(g.share.known) {
		all[t.id] = t.partitions
	}
	return all
}

// alterShareOffsets sets where a share group without members reads on. A group
// that is not there is made.
func (m *Manager) alterShareOffsets(c call, req *kmsg.AlterShareGroupOffsetsRequest) {
	m.loadTopics()
	m.mu.Lock()
	defer m.unlock()
	resp := new(kmsg.AlterShareGroupOffsetsResponse)
	fail := func(err *kerr.Error, text string) {
		resp.ErrorCode, resp.ErrorMessage = err.Code, &text
		m.answer(c, resp)
	}
	g := m.groups[req.GroupID]
	switch {
	case m.closed:
		fail(kerr.CoordinatorNotAvailable, kerr.CoordinatorNotAvailable.Description)
		return
	case req.GroupID == "":
		fail(kerr.InvalidGroupID, invalidGroupText)
		return
	case g != nil && g.share == nil:
		fail(kerr.GroupIDNotFound, "Group "+req.GroupID+" is not a share group.")
		return
	case g != nil && len(g.share.members) > 0:
		fail(kerr.NonEmptyGroup, kerr.NonEmptyGroup.Description)
		return
	}
	s := m.newShareGroup(req.GroupID)
	if g != nil {
		s = g.share
	}
	starts := make(map[partition]int64)
	for _, t := range req.Topics {
		rt := kmsg.NewAlterShareGroupOffsetsResponseTopic()
		rt.Topic = t.Topic
		topic, exists := m.image.byName[t.Topic]
		rt.TopicID = topic.ID
		for _, p := range t.Partitions {
			rp := kmsg.NewAlterShareGroupOffsetsResponseTopicPartition()
			rp.Partition = p.Partition
			if !exists || p.Partition >= topic.Partitions {
				rp.ErrorCode, rp.ErrorMessage = kerr.UnknownTopicOrPartition.Code, &kerr.UnknownTopicOrPartition.Description
			} else {
				starts[partition{topic.ID, p.Partition}] = p.StartOffset
			}
			rt.Partitions = append(rt.Partitions, rp)
		}
		resp.Topics = append(resp.Topics, rt)
	}
	if len(starts) > 0 {
		m.groups[req.GroupID] = s.g
	}
	epoch := s.epoch
	resp.SetVersion(c.version)
	m.out = append(m.out, func() {
		m.resetShare(s, epoch, starts, resp)
		c.reply(resp)
	})
}

// resetShare has the share coordinator set offsets, and says in the response what it refused.
func (m *Manager) resetShare(s *share, epoch int32, starts map[partition]int64, resp *kmsg.AlterShareGroupOffsetsResponse) {
	if m.cfg.ShareStates == nil {
		return
	}
	var done []partition
	for i := range resp.Topics {
		t := &resp.Topics[i]
		for j := range t.Partitions {
			p := partition{t.TopicID, t.Partitions[j].Partition}
			start, asked := starts[p]
			if !asked || t.Partitions[j].ErrorCode != 0 {
				continue
			}
			if err := m.cfg.ShareStates.Initialize(s.g.name, p.topic, p.num, epoch, start); err != nil {
				code, _ := errors.AsType[*kerr.Error](err)
				text := err.Error()
				if code == nil {
					code = kerr.UnknownServerError
				} else if error(code) == err {
					text = code.Description
				}
				t.Partitions[j].ErrorCode, t.Partitions[j].ErrorMessage = code.Code, &text
				continue
			}
			done = append(done, p)
		}
	}
	m.mu.Lock()
	defer m.unlock()
	s.learn(done)
}

// deleteShareOffsets forgets where a share group without members reads topics.
func (m *Manager) deleteShareOffsets(c call, req *kmsg.DeleteShareGroupOffsetsRequest) {
	m.loadTopics()
	m.mu.Lock()
	defer m.unlock()
	resp := new(kmsg.DeleteShareGroupOffsetsResponse)
	fail := func(err *kerr.Error, text string) {
		resp.ErrorCode, resp.ErrorMessage = err.Code, &text
		m.answer(c, resp)
	}
	switch {
	case m.closed:
		fail(kerr.CoordinatorNotAvailable, kerr.CoordinatorNotAvailable.Description)
		return
	case req.GroupID == "":
		fail(kerr.InvalidGroupID, invalidGroupText)
		return
	}
	s, err := m.shareNamed(req.GroupID)
	switch {
	case err != nil:
		fail(err.code, err.text)
		return
	case len(s.members) > 0:
		fail(kerr.NonEmptyGroup, kerr.NonEmptyGroup.Description)
		return
	}
	known := make(map[topicID][]partition)
	for _, p := range sorted(s.known) {
		known[p.topic] = append(known[p.topic], p)
	}
	var gone []partition
	var failed []kmsg.DeleteShareGroupOffsetsResponseTopic
	for _, t := range req.Topics {
		rt := kmsg.NewDeleteShareGroupOffsetsResponseTopic()
		rt.Topic = t.Topic
		topic, exists := m.image.byName[t.Topic]
		of := known[topic.ID]
		switch {
		case !exists:
			rt.ErrorCode, rt.ErrorMessage = kerr.UnknownTopicOrPartition.Code, &kerr.UnknownTopicOrPartition.Description
			failed = append(failed, rt)
		case len(of) == 0:
			rt.ErrorCode, rt.ErrorMessage = kerr.UnknownTopicOrPartition.Code, kmsg.StringPtr("There is no offset information to delete.")
			failed = append(failed, rt)
		default:
			rt.TopicID = topic.ID
			resp.Topics = append(resp.Topics, rt)
			gone = append(gone, of...)
		}
	}
	resp.Topics = append(resp.Topics, failed...)
	for _, p := range gone {
		delete(s.known, p)
	}
	s.notes()
	m.forgetShared(s.g.name, gone)
	m.answer(c, resp)
}

// forgetShared has the share coordinator forget partitions, before anything is
// answered.
func (m *Manager) forgetShared(group string, ps []partition) {
	if m.cfg.ShareStates == nil {
		return
	}
	m.out = append(m.out, func() {
		for _, p := range ps {
			if err := m.cfg.ShareStates.Delete(group, p.topic, p.num); err != nil {
				m.cfg.Logger.Info("share state not deleted", "group", group, "partition", p.num, "error", err)
			}
		}
	})
}

// drop forgets where the group has read.
func (s *share) drop() {
	all := maps.Clone(s.known)
	for p := range s.asked {
		all[p] = true
	}
	s.m.forgetShared(s.g.name, sorted(all))
}
