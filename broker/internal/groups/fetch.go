package groups

import (
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// offsetFetch answers what groups have committed. Before version 8 a request is
// about one group.
func (m *Manager) offsetFetch(c call, req *kmsg.OffsetFetchRequest) {
	asked := req.Groups
	if req.Version < 8 {
		one := kmsg.NewOffsetFetchRequestGroup()
		one.Group = req.Group
		if req.Topics != nil || req.Version < 2 {
			one.Topics = []kmsg.OffsetFetchRequestGroupTopic{}
		}
		for _, t := range req.Topics {
			one.Topics = append(one.Topics, kmsg.OffsetFetchRequestGroupTopic{Topic: t.Topic, Partitions: t.Partitions})
		}
		asked = []kmsg.OffsetFetchRequestGroup{one}
	}

	resp := &kmsg.OffsetFetchResponse{Version: req.Version}
	for _, a := range asked {
		g := m.fetchGroup(a, req.Version >= 10, req.RequireStable)
		if g.ErrorCode != 0 && req.Version >= 2 {
			g.Topics = nil
		}
		resp.Groups = append(resp.Groups, g)
	}
	if req.Version < 8 {
		one := resp.Groups[0]
		resp.Groups, resp.ErrorCode = nil, one.ErrorCode
		for _, t := range one.Topics {
			rt := kmsg.OffsetFetchResponseTopic{Topic: t.Topic}
			for _, p := range t.Partitions {
				if one.ErrorCode != 0 { // version 1 has no other place for it
					p.ErrorCode = one.ErrorCode
				}
				rt.Partitions = append(rt.Partitions, kmsg.OffsetFetchResponseTopicPartition(p))
			}
			resp.Topics = append(resp.Topics, rt)
		}
	}
	c.reply(resp)
}

func (m *Manager) fetchGroup(req kmsg.OffsetFetchRequestGroup, byID, stable bool) kmsg.OffsetFetchResponseGroup {
	if req.Topics == nil {
		return m.fetchAll(req, byID, stable)
	}
	names := make([]string, len(req.Topics))
	for i, t := range req.Topics {
		names[i] = t.Topic
		if byID {
			names[i], _ = m.cfg.TopicName(t.TopicID)
		}
	}

	m.mu.Lock()
	defer m.unlock()
	resp := kmsg.OffsetFetchResponseGroup{Group: req.Group}
	g, known, err := m.committedBy(req)
	if err != nil {
		resp.ErrorCode = err.Code
	}
	var unknown []kmsg.OffsetFetchResponseGroupTopic
	for i, t := range req.Topics {
		rt := kmsg.OffsetFetchResponseGroupTopic{Topic: names[i], TopicID: t.TopicID}
		if names[i] == "" && byID {
			for _, p := range t.Partitions {
				rp := fetched(p, committed{}, false)
				rp.ErrorCode = kerr.UnknownTopicID.Code
				rt.Partitions = append(rt.Partitions, rp)
			}
			unknown = append(unknown, rt)
			continue
		}
		for _, p := range t.Partitions {
			if stable && g != nil && g.unstable(names[i], p) {
				rt.Partitions = append(rt.Partitions, wantsStable(p))
				continue
			}
			at, ok := known[names[i]][p]
			if ok && byID && at.topicID != ([16]byte{}) && at.topicID != t.TopicID {
				ok = false // committed for a topic of this name that is gone
			}
			rt.Partitions = append(rt.Partitions, fetched(p, at, ok))
		}
		resp.Topics = append(resp.Topics, rt)
	}
	resp.Topics = append(resp.Topics, unknown...)
	return resp
}

// committedBy returns a group and what it has committed, if the client may know.
func (m *Manager) committedBy(req kmsg.OffsetFetchRequestGroup) (*group, offsets, *kerr.Error) {
	g := m.groups[req.Group]
	switch {
	case m.closed:
		return nil, nil, kerr.CoordinatorNotAvailable
	case g == nil:
		return nil, nil, nil
	case g.share != nil: // has committed nothing
		return nil, nil, nil
	case g.consumer != nil:
		if err := g.consumer.mayFetch(req.MemberID, req.MemberEpoch); err != nil {
			return nil, nil, err
		}
	}
	return g, g.offsets, nil
}

// fetchAll answers all that a group has committed, in order.
func (m *Manager) fetchAll(req kmsg.OffsetFetchRequestGroup, byID, stable bool) kmsg.OffsetFetchResponseGroup {
	resp := kmsg.OffsetFetchResponseGroup{Group: req.Group}
	m.mu.Lock()
	g, known, err := m.committedBy(req)
	if err != nil {
		resp.ErrorCode = err.Code
	}
	for _, topic := range slices.Sorted(maps.Keys(known)) {
		rt := kmsg.OffsetFetchResponseGroupTopic{Topic: topic}
		for _, p := range slices.Sorted(maps.Keys(known[topic])) {
			if stable && g.unstable(topic, p) {
				rt.Partitions = append(rt.Partitions, wantsStable(p))
				continue
			}
			rt.Partitions = append(rt.Partitions, fetched(p, known[topic][p], true))
		}
		resp.Topics = append(resp.Topics, rt)
	}
	m.unlock()
	if byID {
		// A topic without an id cannot be told of in this version.
		resp.Topics = slices.DeleteFunc(resp.Topics, func(t kmsg.OffsetFetchResponseGroupTopic) bool {
			_, ok := m.cfg.TopicID(t.Topic)
			return !ok
		})
		for i := range resp.Topics {
			resp.Topics[i].TopicID, _ = m.cfg.TopicID(resp.Topics[i].Topic)
		}
	}
	return resp
}

func fetched(partition int32, c committed, ok bool) kmsg.OffsetFetchResponseGroupTopicPartition {
	if !ok {
		c = committed{offset: -1, leaderEpoch: -1}
	}
	return kmsg.OffsetFetchResponseGroupTopicPartition{
		Partition: partition, Offset: c.offset, LeaderEpoch: c.leaderEpoch, Metadata: kmsg.StringPtr(c.metadata),
	}
}
