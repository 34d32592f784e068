package groups

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// txnOffsetCommit stores offsets that count once their transaction commits. The
// broker has checked that the producer is the one it says, and that the
// transaction is open.
func (m *Manager) txnOffsetCommit(c call, req *kmsg.TxnOffsetCommitRequest) {
	cr := commitRequest{
		version: req.Version, group: req.Group, member: req.MemberID, instance: req.InstanceID, generation: req.Generation,
		retention: -1, producer: &req.ProducerID, epoch: req.ProducerEpoch,
	}
	for _, t := range req.Topics {
		ct := commitTopic{name: t.Topic}
		for _, p := range t.Partitions {
			cp := kmsg.NewOffsetCommitRequestTopicPartition()
			cp.Partition, cp.Offset, cp.LeaderEpoch, cp.Metadata = p.Partition, p.Offset, p.LeaderEpoch, p.Metadata
			ct.partitions = append(ct.partitions, cp)
		}
		cr.topics = append(cr.topics, ct)
	}
	m.commitAll(cr, func(topics []kmsg.OffsetCommitResponseTopic) {
		resp := new(kmsg.TxnOffsetCommitResponse)
		for _, t := range topics {
			rt := kmsg.TxnOffsetCommitResponseTopic{Topic: t.Topic}
			for _, p := range t.Partitions {
				rt.Partitions = append(rt.Partitions, kmsg.TxnOffsetCommitResponseTopicPartition{Partition: p.Partition, ErrorCode: p.ErrorCode})
			}
			resp.Topics = append(resp.Topics, rt)
		}
		m.answer(c, resp)
	})
}

// stage keeps an offset for when a producer's transaction ends.
func (g *group) stage(producer int64, topic string, num int32, c committed) {
	if g.staged == nil {
		g.staged = make(map[int64]offsets)
	}
	o := g.staged[producer]
	o.put(topic, num, c)
	g.staged[producer] = o
}

// unstable reports whether an open transaction may yet change an offset.
func (g *group) unstable(topic string, num int32) bool {
	for _, o := range g.staged {
		if _, ok := o[topic][num]; ok {
			return true
		}
	}
	return false
}

// EndTxn ends a producer's transaction in one group: what it has committed there
// by TxnOffsetCommit counts from now on, or never. An offset that was committed
// after it without a transaction stands.
func (m *Manager) EndTxn(group string, producerID int64, commit bool) {
	m.mu.Lock()
	defer m.unlock()
	if g := m.groups[group]; g != nil {
		m.endTxn(g, producerID, commit)
	}
}

// EndTxns is EndTxn for every group that in selects. It does what a transaction
// marker in a partition of __consumer_offsets does in Kafka.
func (m *Manager) EndTxns(in func(group string) bool, producerID int64, commit bool) {
	m.mu.Lock()
	defer m.unlock()
	for name, g := range m.groups {
		if len(g.staged[producerID]) > 0 && in(name) {
			m.endTxn(g, producerID, commit)
		}
	}
}

func (m *Manager) endTxn(g *group, producerID int64, commit bool) {
	staged := g.staged[producerID]
	delete(g.staged, producerID)
	for topic, ps := range staged {
		for num, c := range ps {
			if at, ok := g.offsets[topic][num]; commit && (!ok || c.seq > at.seq) {
				g.offsets.put(topic, num, c)
			}
		}
	}
	m.watch(g)
}

// wantsStable is what a fetch is told of an offset that is not.
func wantsStable(num int32) kmsg.OffsetFetchResponseGroupTopicPartition {
	p := fetched(num, committed{}, false)
	p.ErrorCode = kerr.UnstableOffsetCommit.Code
	return p
}
