package broker

import (
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// maxDescribed is how many partitions one response describes at most (max.request.partition.size.limit).
const maxDescribed = 2000

// handleDescribeTopicPartitions describes topics page by page (KIP-966).
func handleDescribeTopicPartitions(r *request) answer {
	req := r.msg.(*kmsg.DescribeTopicPartitionsRequest)
	resp := req.ResponseKind().(*kmsg.DescribeTopicPartitionsResponse)
	c := r.node.cluster
	names := make([]string, 0, len(req.Topics))
	for _, t := range req.Topics {
		names = append(names, t.Topic)
	}
	if len(names) == 0 {
		c.mu.RLock()
		names = slices.Collect(maps.Keys(c.topics))
		c.mu.RUnlock()
		names = slices.DeleteFunc(names, func(n string) bool {
			return !r.sees(kmsg.ACLOperationDescribe, kmsg.ACLResourceTypeTopic, n)
		})
	}
	if refusal := refuseDescription(req); refusal != nil {
		for _, q := range req.Topics {
			t := kmsg.NewDescribeTopicPartitionsResponseTopic()
			t.Topic, t.ErrorCode = kmsg.StringPtr(q.Topic), refusal.Code
			resp.Topics = append(resp.Topics, t)
		}
		return answer{resp: resp}
	}
	slices.Sort(names)
	names = slices.Compact(names)
	if req.Cursor != nil {
		names = slices.DeleteFunc(names, func(n string) bool { return n < req.Cursor.Topic })
	}
	var hidden []kmsg.DescribeTopicPartitionsResponseTopic
	room := max(min(int(req.ResponsePartitionLimit), maxDescribed), 1)
	for _, name := range names {
		from := int32(0)
		if req.Cursor != nil && name == req.Cursor.Topic {
			from = req.Cursor.Partition
		}
		next := kmsg.NewDescribeTopicPartitionsResponseNextCursor()
		next.Topic, next.Partition = name, from
		if room == 0 {
			resp.NextCursor = &next
			break
		}
		t := r.describePartitions(name, from, room)
		room -= len(t.Partitions)
		if t.ErrorCode == kerr.TopicAuthorizationFailed.Code { // Kafka puts them behind the others
			hidden = append(hidden, t)
			continue
		}
		resp.Topics = append(resp.Topics, t)
		next.Partition += int32(len(t.Partitions))
		if t.ErrorCode == 0 && int(next.Partition) < c.Partitions(name) {
			resp.NextCursor = &next
			break
		}
	}
	resp.Topics = append(resp.Topics, hidden...)
	return answer{resp: resp}
}

// refuseDescription says why a request as a whole is refused: its cursor is at no partition of a topic that it names. Without a cursor Kafka takes an
// empty name for the cursor's, and fails.
func refuseDescription(req *kmsg.DescribeTopicPartitionsRequest) *kerr.Error {
	names := func(name string) bool {
		return slices.ContainsFunc(req.Topics, func(t kmsg.DescribeTopicPartitionsRequestTopic) bool { return t.Topic == name })
	}
	switch {
	case req.Cursor == nil && names(""):
		return kerr.UnknownServerError
	case req.Cursor != nil && (req.Cursor.Partition < 0 || len(req.Topics) > 0 && !names(req.Cursor.Topic)):
		return kerr.InvalidRequest
	}
	return nil
}

// describePartitions describes at most room of a topic's partitions.
func (r *request) describePartitions(name string, from int32, room int) kmsg.DescribeTopicPartitionsResponseTopic {
	t := kmsg.NewDescribeTopicPartitionsResponseTopic()
	t.Topic = kmsg.StringPtr(name)
	if !r.allowsTopic(kmsg.ACLOperationDescribe, name) {
		t.ErrorCode = kerr.TopicAuthorizationFailed.Code
		return t
	}
	t.AuthorizedOperations = r.operations(kmsg.ACLResourceTypeTopic, name)
	known := r.node.cluster.lookup(name)
	if known == nil {
		t.ErrorCode = kerr.UnknownTopicOrPartition.Code
		if err := checkTopicName(name); err != nil {
			t.ErrorCode, _ = codeOf(err)
		}
		return t
	}
	m := r.node.cluster.describeTopic(known)
	t.TopicID, t.IsInternal = m.TopicID, m.IsInternal
	rest := m.Partitions[min(int(from), len(m.Partitions)):]
	for _, p := range rest[:min(room, len(rest))] {
		tp := kmsg.NewDescribeTopicPartitionsResponseTopicPartition()
		tp.ErrorCode, tp.Partition, tp.LeaderID, tp.LeaderEpoch = p.ErrorCode, p.Partition, p.Leader, p.LeaderEpoch
		tp.Replicas, tp.ISR, tp.OfflineReplicas = p.Replicas, p.ISR, p.OfflineReplicas
		tp.EligibleLeaderReplicas, tp.LastKnownELR = []int32{}, []int32{} // Java takes null for a bug
		if part := r.node.cluster.partition(name, p.Partition); part != nil {
			l := part.leadership()
			tp.EligibleLeaderReplicas = append(tp.EligibleLeaderReplicas, l.elr...)
			tp.LastKnownELR = append(tp.LastKnownELR, l.lastELR...)
		}
		t.Partitions = append(t.Partitions, tp)
	}
	return t
}
