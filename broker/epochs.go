package broker

import (
	"github.com/twmb/franz-go/pkg/kmsg"
)

// handleOffsetForLeaderEpoch says where an epoch ended, so that a consumer learns whether what it read has been truncated (KIP-320).
func handleOffsetForLeaderEpoch(r *request) answer {
	req := r.msg.(*kmsg.OffsetForLeaderEpochRequest)
	resp := req.ResponseKind().(*kmsg.OffsetForLeaderEpochResponse)
	for i := range req.Topics {
		q := &req.Topics[i]
		t := kmsg.NewOffsetForLeaderEpochResponseTopic()
		t.Topic = q.Topic
		for j := range q.Partitions {
			p := kmsg.NewOffsetForLeaderEpochResponseTopicPartition()
			p.Partition, p.LeaderEpoch, p.EndOffset = q.Partitions[j].Partition, -1, -1
			err := r.epochEnd(q.Topic, &q.Partitions[j], &p)
			p.ErrorCode, _ = codeOf(err)
			t.Partitions = append(t.Partitions, p)
		}
		resp.Topics = append(resp.Topics, t)
	}
	return answer{resp: resp}
}

func (r *request) epochEnd(topic string, q *kmsg.OffsetForLeaderEpochRequestTopicPartition, p *kmsg.OffsetForLeaderEpochResponseTopicPartition) error {
	if err := r.fault(topic, q.Partition); err != nil {
		return err
	}
	part, err := r.partition(false, topic, topicID{}, q.Partition)
	if err != nil {
		return err
	}
	part.mu.Lock()
	defer part.mu.Unlock()
	if err := part.checkLeaderLocked(r.node.id, q.CurrentLeaderEpoch); err != nil {
		return err
	}
	p.LeaderEpoch, p.EndOffset = part.log.EpochEnd(q.LeaderEpoch)
	return nil
}
