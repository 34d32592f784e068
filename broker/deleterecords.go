package broker

import (
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// handleDeleteRecords moves the beginning of logs (KIP-107).
func handleDeleteRecords(r *request) answer {
	req := r.msg.(*kmsg.DeleteRecordsRequest)
	resp := req.ResponseKind().(*kmsg.DeleteRecordsResponse)
	deadline := time.Now().Add(time.Duration(req.TimeoutMillis) * time.Millisecond)
	for i := range req.Topics {
		q := &req.Topics[i]
		t := kmsg.NewDeleteRecordsResponseTopic()
		t.Topic = q.Topic
		for j := range q.Partitions {
			p := kmsg.NewDeleteRecordsResponseTopicPartition()
			p.Partition, p.LowWatermark = q.Partitions[j].Partition, -1
			err := r.deleteRecords(q.Topic, &q.Partitions[j], deadline, &p)
			p.ErrorCode, _ = codeOf(err)
			t.Partitions = append(t.Partitions, p)
		}
		resp.Topics = append(resp.Topics, t)
	}
	return answer{resp: resp}
}

func (r *request) deleteRecords(topic string, q *kmsg.DeleteRecordsRequestTopicPartition, deadline time.Time, p *kmsg.DeleteRecordsResponseTopicPartition) error {
	if err := r.fault(topic, q.Partition); err != nil {
		return err
	}
	part, err := r.partition(false, topic, topicID{}, q.Partition)
	if err != nil {
		return err
	}
	if part.topic.internal() {
		return kerr.InvalidTopicException
	}
	to, err := part.deleteBefore(r.node.id, q.Offset)
	if err != nil {
		return err
	}
	low, err := r.awaitLowWatermark(part, to, deadline)
	if err == nil {
		p.LowWatermark = low
	}
	return err
}

// deleteBefore moves the start of the leader's log, and of those followers that fetch. It returns where to.
func (p *partition) deleteBefore(node int32, to int64) (int64, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.checkLeaderLocked(node, -1); err != nil {
		return 0, err
	}
	if !p.topic.settings.Load().Delete {
		return 0, kerr.PolicyViolation
	}
	if to == -1 {
		to = p.highWatermarkLocked()
	}
	if to < 0 || to > p.highWatermarkLocked() {
		return 0, kerr.OffsetOutOfRange
	}
	p.log.DropBefore(to)
	p.cluster.store.dropped()
	p.replicateLocked()
	p.notifyLocked()
	return to, nil
}

// awaitLowWatermark waits until every replica on a broker that is counted in begins at offset or beyond it.
func (r *request) awaitLowWatermark(part *partition, offset int64, deadline time.Time) (low int64, err error) {
	w := newWaiter()
	part.addWaiter(w)
	defer part.removeWaiter(w)
	for {
		if low, err = part.lowWatermark(r.node.id); err != nil || low >= offset {
			return low, err
		}
		left := time.Until(deadline)
		if left <= 0 || !r.conn.wait(w.changed, left) {
			return -1, kerr.RequestTimedOut
		}
	}
}

// lowWatermark is the largest offset at which no replica of a broker that is counted in begins later.
func (p *partition) lowWatermark(node int32) (int64, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.checkLeaderLocked(node, -1); err != nil {
		return -1, err
	}
	low := p.log.Start()
	for _, c := range p.copies {
		if n := p.cluster.node(c.id); n.isAlive() {
			low = min(low, c.log.Start())
		}
	}
	return low, nil
}
