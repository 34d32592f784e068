package broker

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// handleDeleteRecords moves the beginning of logs (KIP-107).
func handleDeleteRecords(r *request) answer {
	req := r.msg.(*kmsg.DeleteRecordsRequest)
	resp := req.ResponseKind().(*kmsg.DeleteRecordsResponse)
	for i := range req.Topics {
		q := &req.Topics[i]
		t := kmsg.NewDeleteRecordsResponseTopic()
		t.Topic = q.Topic
		for j := range q.Partitions {
			p := kmsg.NewDeleteRecordsResponseTopicPartition()
			p.Partition, p.LowWatermark = q.Partitions[j].Partition, -1
			err := r.deleteRecords(q.Topic, &q.Partitions[j], &p)
			p.ErrorCode, _ = codeOf(err)
			t.Partitions = append(t.Partitions, p)
		}
		resp.Topics = append(resp.Topics, t)
	}
	return answer{resp: resp}
}

func (r *request) deleteRecords(topic string, q *kmsg.DeleteRecordsRequestTopicPartition, p *kmsg.DeleteRecordsResponseTopicPartition) error {
	if err := r.fault(topic, q.Partition); err != nil {
		return err
	}
	part, err := r.partition(false, topic, topicID{}, q.Partition)
	if err != nil {
		return err
	}
	part.mu.Lock()
	defer part.mu.Unlock()
	if err := part.checkLeaderLocked(r.node.id, -1); err != nil {
		return err
	}
	if !part.topic.settings.Load().Delete {
		return kerr.PolicyViolation
	}
	to := q.Offset
	if to == -1 {
		to = part.highWatermarkLocked()
	}
	if to < 0 || to > part.highWatermarkLocked() {
		return kerr.OffsetOutOfRange
	}
	part.log.DropBefore(to)
	p.LowWatermark = part.log.Start()
	part.notifyLocked()
	return nil
}
