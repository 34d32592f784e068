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
	topicID     [16]byte  // of the topic that was committed for; zero: not known
	at          time.Time // when
	expires     time.Time // asked for by versions 2 to 4; zero: as the group's do
	seq         int64     // which of all commits it is
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

// forget takes an offset away, if there is one.
func (m *Manager) forget(g *group, topic string, partition int32) {
	if _, ok := g.offsets[topic][partition]; ok {
		g.offsets.remove(topic, partition)
		m.forgets(g.name, topic, partition)
	}
}

func (o offsets) remove(topic string, partition int32) {
	delete(o[topic], partition)
	if len(o[topic]) == 0 {
		delete(o, topic)
	}
}

// commitRequest is an OffsetCommit, or a TxnOffsetCommit, which says the same.
type commitRequest struct {
	version    int16
	group      string
	member     string
	instance   *string
	generation int32
	retention  time.Duration // < 0: the group's
	producer   *int64        // of a transactional commit
	epoch      int16         // the producer's
	byID       bool          // topics are named by their ids
	topics     []commitTopic
}

// commitTopic is one topic of a commit.
type commitTopic struct {
	name       string
	id         topicID
	partitions []kmsg.OffsetCommitRequestTopicPartition
}

func (m *Manager) offsetCommit(c call, req *kmsg.OffsetCommitRequest) {
	cr := commitRequest{
		version: req.Version, group: req.Group, member: req.MemberID, instance: req.InstanceID, generation: req.Generation,
		retention: -1, byID: req.Version >= 10,
	}
	if req.Version <= 4 && req.RetentionTimeMillis >= 0 {
		cr.retention = time.Duration(req.RetentionTimeMillis) * time.Millisecond
	}
	for _, t := range req.Topics {
		cr.topics = append(cr.topics, commitTopic{t.Topic, t.TopicID, t.Partitions})
	}
	m.commitAll(cr, func(topics []kmsg.OffsetCommitResponseTopic) {
		m.answer(c, &kmsg.OffsetCommitResponse{Topics: topics})
	})
}

// commitAll stores what may be stored of a commit and hands over the answer,
// with the lock held.
func (m *Manager) commitAll(req commitRequest, answer func([]kmsg.OffsetCommitResponseTopic)) {
	var refused, accepted commitAnswer
	var topics []commitTopic
	for _, t := range req.topics {
		ok := true
		if req.byID {
			t.name, ok = m.cfg.TopicName(t.id)
		} else {
			t.id, _ = m.cfg.TopicID(t.name)
		}
		valid := commitTopic{name: t.name, id: t.id}
		for _, p := range t.partitions {
			switch {
			case !ok:
				refused.add(req.byID, t.name, t.id, p.Partition, kerr.UnknownTopicID)
			case !m.cfg.TopicExists(t.name, p.Partition):
				refused.add(req.byID, t.name, t.id, p.Partition, kerr.UnknownTopicOrPartition)
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
		made := m.groups[req.group] == nil
		g, check, err := m.mayCommit(req)
		if err == nil && check != nil {
			err = m.checkAll(topics, check)
		}
		for _, t := range topics {
			for _, p := range t.partitions {
				err := err
				if err == nil {
					err = m.commit(g, req, t, p)
				}
				accepted.add(req.byID, t.name, t.id, p.Partition, err)
			}
		}
		if made && g != nil && g.unused() {
			m.drop(g) // nothing was written; in Kafka it may linger until a restart
		}
	}
	answer(append(refused, accepted...).merged(req.byID, len(refused)))
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

// commit stores one offset of a group that may commit: in a transaction, until
// that ends.
func (m *Manager) commit(g *group, req commitRequest, t commitTopic, p kmsg.OffsetCommitRequestTopicPartition) *kerr.Error {
	if m.tooLong(p.Metadata) {
		return kerr.OffsetMetadataTooLarge
	}
	m.commits++
	c := committed{offset: p.Offset, leaderEpoch: max(p.LeaderEpoch, -1), topicID: t.id, at: time.Now(), seq: m.commits}
	if p.Metadata != nil {
		c.metadata = *p.Metadata
	}
	if req.retention >= 0 {
		c.expires = c.at.Add(req.retention)
	}
	if m.cfg.Write != nil {
		down := c
		if req.producer != nil {
			down.topicID = topicID{} // TxnOffsetCommit names topics
		}
		e := offsetEntry(g.name, t.name, p.Partition, down)
		if e.Transactional = req.producer != nil; e.Transactional {
			e.Producer, e.Epoch = *req.producer, req.epoch
		}
		m.writes(e)
	}
	if req.producer != nil {
		g.stage(*req.producer, t.name, p.Partition, c)
		return nil
	}
	g.offsets.put(t.name, p.Partition, c)
	m.watchCommit(g, t.name, c)
	return nil
}

// commitAnswer collects the answers to a commit, partition by partition.
type commitAnswer []kmsg.OffsetCommitResponseTopic

func (a *commitAnswer) add(byID bool, name string, id [16]byte, partition int32, err *kerr.Error) {
	p := kmsg.OffsetCommitResponseTopicPartition{Partition: partition, ErrorCode: code(err)}
	for i := len(*a) - 1; i >= 0; i-- { // it is the last one, nearly always
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
