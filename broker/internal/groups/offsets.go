package groups

import (
	"time"
	"unicode/utf16"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// offsets are what a group has committed, by topic and partition.
type offsets map[string]map[int32]committed

// committed is one committed offset.
type committed struct {
	offset      int64
	leaderEpoch int32 // -1: not given
	metadata    string
	topicID     [16]byte // of the topic that was committed for; zero: not known
	at          time.Time
}

func (o *offsets) put(topic string, partition int32, c committed) {
	if *o == nil {
		*o = make(offsets)
	}
	if (*o)[topic] == nil {
		(*o)[topic] = make(map[int32]committed)
	}
	(*o)[topic][partition] = c
}

func (o offsets) remove(topic string, partition int32) {
	delete(o[topic], partition)
	if len(o[topic]) == 0 {
		delete(o, topic)
	}
}

// commitTopic is one topic of an OffsetCommit request that has been looked up.
type commitTopic struct {
	name       string
	id         [16]byte
	partitions []kmsg.OffsetCommitRequestTopicPartition
}

func (m *Manager) offsetCommit(c call, req *kmsg.OffsetCommitRequest) {
	var refused, accepted commitAnswer
	var topics []commitTopic
	byID := req.Version >= 10
	for _, t := range req.Topics {
		id, name, ok := t.TopicID, t.Topic, true
		if byID {
			name, ok = m.cfg.TopicName(id)
		} else {
			id, _ = m.cfg.TopicID(name)
		}
		valid := commitTopic{name: name, id: id}
		for _, p := range t.Partitions {
			switch {
			case !ok:
				refused.add(byID, name, id, p.Partition, kerr.UnknownTopicID)
			case !m.cfg.TopicExists(name, p.Partition):
				refused.add(byID, name, id, p.Partition, kerr.UnknownTopicOrPartition)
			default:
				valid.partitions = append(valid.partitions, p)
			}
		}
		if len(valid.partitions) > 0 {
			topics = append(topics, valid)
		}
	}

	m.mu.Lock()
	defer m.unlock()
	if len(topics) > 0 { // else Kafka does not even look at the group
		made := m.groups[req.Group] == nil
		g, check, err := m.mayCommit(req)
		if err == nil && check != nil {
			err = m.checkAll(topics, check)
		}
		for _, t := range topics {
			for _, p := range t.partitions {
				err := err
				if err == nil {
					err = m.commit(g, t, p)
				}
				accepted.add(byID, t.name, t.id, p.Partition, err)
			}
		}
		if made && g != nil && len(g.offsets) == 0 {
			m.drop(g) // nothing was written; in Kafka it may linger until a restart
		}
	}
	m.answer(c, &kmsg.OffsetCommitResponse{Topics: append(refused, accepted...).merged(byID, len(refused))})
}

// checkAll looks at each partition of a commit before any is stored: what is
// wrong with one is wrong with all.
func (m *Manager) checkAll(topics []commitTopic, check func(partition) *kerr.Error) *kerr.Error {
	for _, t := range topics {
		for _, p := range t.partitions {
			if m.tooLong(p.Metadata) {
				continue
			}
			if err := check(partition{t.id, p.Partition}); err != nil {
				return err
			}
		}
	}
	return nil
}

func (m *Manager) tooLong(meta *string) bool {
	return meta != nil && utf16Len(*meta) > m.cfg.MaxMetadata
}

// commit stores one offset of a group that may commit.
func (m *Manager) commit(g *group, t commitTopic, p kmsg.OffsetCommitRequestTopicPartition) *kerr.Error {
	if m.tooLong(p.Metadata) {
		return kerr.OffsetMetadataTooLarge
	}
	meta := ""
	if p.Metadata != nil {
		meta = *p.Metadata
	}
	g.offsets.put(t.name, p.Partition, committed{
		offset: p.Offset, leaderEpoch: max(p.LeaderEpoch, -1), metadata: meta, topicID: t.id, at: time.Now(),
	})
	return nil
}

// mayCommit finds the group of a commit, making a so-called simple group, which
// has offsets and never members, for clients that are in none. Where check is
// not nil it decides over each partition.
func (m *Manager) mayCommit(req *kmsg.OffsetCommitRequest) (g *group, check func(partition) *kerr.Error, err *kerr.Error) {
	if m.closed {
		return nil, nil, kerr.CoordinatorNotAvailable
	}
	g = m.groups[req.Group]
	if g == nil {
		switch {
		case req.Generation < 0:
			g = m.create(req.Group)
		case req.Version >= 9:
			return nil, nil, kerr.GroupIDNotFound
		default:
			return nil, nil, kerr.IllegalGeneration
		}
	}
	if g.consumer != nil {
		check, err = g.consumer.mayCommit(req.MemberID, req.Generation, req.Version)
		return g, check, err
	}
	return g, nil, g.classic.mayCommit(req.MemberID, req.InstanceID, req.Generation)
}

// mayCommit says whether a member, or a client that is none, may commit in a
// member epoch. In an older one it may commit what it has had since then.
func (c *consumer) mayCommit(id string, epoch int32, version int16) (func(partition) *kerr.Error, *kerr.Error) {
	if epoch < 0 && len(c.members) == 0 {
		return nil, nil
	}
	mb := c.members[id]
	if mb == nil {
		return nil, kerr.UnknownMemberID
	}
	stale := kerr.StaleMemberEpoch
	if mb.classic != nil {
		stale = kerr.IllegalGeneration
	}
	switch {
	case mb.classic == nil && version < 9: // cannot be told of its epoch
		return nil, kerr.UnsupportedVersion
	case epoch == mb.epoch:
		return nil, nil
	case epoch > mb.epoch:
		return nil, stale
	}
	return func(p partition) *kerr.Error {
		since, ok := mb.assigned[p]
		if !ok {
			since, ok = mb.revoking[p]
		}
		if !ok || epoch < since {
			return stale
		}
		return nil
	}, nil
}

// mayFetch says whether a client may read offsets: a member in its epoch, or
// one that does not say that it is a member.
func (c *consumer) mayFetch(id *string, epoch int32) *kerr.Error {
	if id == nil && epoch < 0 {
		return nil
	}
	var mb *consumerMember
	if id != nil {
		mb = c.members[*id]
	}
	switch {
	case mb == nil:
		return kerr.UnknownMemberID
	case epoch == mb.epoch:
		return nil
	case mb.classic != nil:
		return kerr.IllegalGeneration
	}
	return kerr.StaleMemberEpoch
}

// mayCommit says whether a member, or a client that is none, may commit now.
// While members are joining the previous generation may still commit what it
// has done; once they have joined, what they commit could be another's.
func (c *classic) mayCommit(id string, instance *string, generation int32) *kerr.Error {
	if generation < 0 && c.state == Empty {
		return nil
	}
	if generation < 0 && id == "" && instance == nil {
		return kerr.UnknownMemberID
	}
	mb, err := c.check(id, instance)
	switch {
	case err != nil:
		return err
	case generation != c.generation:
		return kerr.IllegalGeneration
	case c.state == CompletingRebalance:
		return kerr.RebalanceInProgress
	}
	c.beat(mb, mb.session) // a commit is as good as a heartbeat
	return nil
}

// commitAnswer collects the answers to a commit, partition by partition.
type commitAnswer []kmsg.OffsetCommitResponseTopic

func (a *commitAnswer) add(byID bool, name string, id [16]byte, partition int32, err *kerr.Error) {
	p := kmsg.OffsetCommitResponseTopicPartition{Partition: partition, ErrorCode: code(err)}
	for i := range *a {
		if t := &(*a)[i]; sameTopic(byID, t, name, id) {
			t.Partitions = append(t.Partitions, p)
			return
		}
	}
	*a = append(*a, kmsg.OffsetCommitResponseTopic{Topic: name, TopicID: id, Partitions: []kmsg.OffsetCommitResponseTopicPartition{p}})
}

// merged joins the answers for one topic. The first n topics are those that
// were refused before the group was looked at; Kafka lists these first.
func (a commitAnswer) merged(byID bool, n int) []kmsg.OffsetCommitResponseTopic {
	all := a[:n:n]
	for _, t := range a[n:] {
		for _, p := range t.Partitions {
			all.add(byID, t.Topic, t.TopicID, p.Partition, kerr.TypedErrorForCode(p.ErrorCode))
		}
	}
	return all
}

func sameTopic(byID bool, t *kmsg.OffsetCommitResponseTopic, name string, id [16]byte) bool {
	if byID {
		return t.TopicID == id
	}
	return t.Topic == name
}

// utf16Len is how many UTF-16 code units s takes, which is what Java calls its
// length.
func utf16Len(s string) int {
	n := 0
	for _, r := range s {
		n += utf16.RuneLen(r)
	}
	return n
}

func (m *Manager) offsetDelete(c call, req *kmsg.OffsetDeleteRequest) {
	exists := make([][]bool, len(req.Topics))
	for i, t := range req.Topics {
		exists[i] = make([]bool, len(t.Partitions))
		for j, p := range t.Partitions {
			exists[i][j] = m.cfg.TopicExists(t.Topic, p.Partition)
		}
	}

	m.mu.Lock()
	defer m.unlock()
	g, err := m.lookup(req.Group, kerr.GroupIDNotFound)
	if err == nil && g.state() != Empty && g.protocolType() != consumerProtocol {
		err = kerr.NonEmptyGroup
	}
	resp := &kmsg.OffsetDeleteResponse{ErrorCode: code(err)}
	if err == nil {
		for i, t := range req.Topics {
			rt := kmsg.OffsetDeleteResponseTopic{Topic: t.Topic}
			for j, p := range t.Partitions {
				var err *kerr.Error
				switch {
				case !exists[i][j]:
					err = kerr.UnknownTopicOrPartition
				case g.subscribedTo(t.Topic):
					err = kerr.GroupSubscribedToTopic
				default:
					g.offsets.remove(t.Topic, p.Partition)
				}
				rt.Partitions = append(rt.Partitions, kmsg.OffsetDeleteResponseTopicPartition{Partition: p.Partition, ErrorCode: code(err)})
			}
			resp.Topics = append(resp.Topics, rt)
		}
	}
	m.answer(c, resp)
}
