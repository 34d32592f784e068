package broker

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// handleDescribeProducers says what a replica of a partition, the leader's or another, knows of those who produce to it (KIP-664).
func handleDescribeProducers(r *request) answer {
	req := r.msg.(*kmsg.DescribeProducersRequest)
	resp := req.ResponseKind().(*kmsg.DescribeProducersResponse)
	for _, q := range req.Topics {
		t := kmsg.NewDescribeProducersResponseTopic()
		t.Topic = q.Topic
		for _, index := range q.Partitions {
			p := kmsg.NewDescribeProducersResponseTopicPartition()
			p.Partition = index
			err := r.describeProducers(q.Topic, &p)
			p.ErrorCode, p.ErrorMessage = codeOf(err)
			t.Partitions = append(t.Partitions, p)
		}
		resp.Topics = append(resp.Topics, t)
	}
	return answer{resp: resp}
}

func (r *request) describeProducers(topic string, p *kmsg.DescribeProducersResponseTopicPartition) error {
	if err := r.fault(topic, p.Partition); err != nil {
		return err
	}
	if !r.allowsTopic(kmsg.ACLOperationRead, topic) {
		return denied(kerr.TopicAuthorizationFailed)
	}
	if err := checkTopicName(topic); err != nil {
		return err
	}
	part := r.node.cluster.partition(topic, p.Partition)
	switch {
	case part == nil && r.node.cluster.lookup(topic) == nil:
		return codef(kerr.UnknownTopicOrPartition, "This server does not host this topic-partition.")
	case part == nil:
		return kerr.UnknownTopicOrPartition
	}
	part.mu.Lock()
	defer part.mu.Unlock()
	held := part.copyLocked(r.node.id)
	switch {
	case part.deleted:
		return kerr.UnknownTopicOrPartition
	case held == nil:
		return kerr.NotLeaderForPartition
	}
	for _, known := range held.log.Producers() {
		a := kmsg.NewDescribeProducersResponseTopicPartitionActiveProducer()
		a.ProducerID, a.ProducerEpoch = known.ID, int32(known.Epoch)
		a.LastSequence, a.LastTimestamp = known.LastSequence, known.LastTime
		a.CoordinatorEpoch, a.CurrentTxnStartOffset = known.Coordinator, known.TxnStart
		p.ActiveProducers = append(p.ActiveProducers, a)
	}
	return nil
}
