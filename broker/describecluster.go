package broker

import (
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func handleDescribeCluster(r *request) answer {
	req := r.msg.(*kmsg.DescribeClusterRequest)
	resp := req.ResponseKind().(*kmsg.DescribeClusterResponse)
	c := r.node.cluster
	resp.ClusterID, resp.ControllerID, resp.EndpointType = c.id, c.controllerID(), 1
	resp.ClusterAuthorizedOperations = unknownOperations
	if req.Version >= 1 && req.EndpointType != 1 {
		resp.ErrorCode, resp.ControllerID = kerr.MismatchedEndpointType.Code, -1
		if req.EndpointType != 2 {
			resp.ErrorCode = kerr.UnsupportedEndpointType.Code
		}
		return answer{resp: resp}
	}
	for _, n := range c.liveNodes() {
		b := kmsg.NewDescribeClusterResponseBroker()
		b.NodeID, b.Host, b.Port = n.id, n.host, n.port
		resp.Brokers = append(resp.Brokers, b)
	}
	return answer{resp: resp}
}

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
	}
	slices.Sort(names)
	room, from := int(req.ResponsePartitionLimit), int32(0)
	if room <= 0 || room > 2000 {
		room = 2000 // max.request.partition.size.limit
	}
	if req.Cursor != nil {
		names = slices.DeleteFunc(names, func(n string) bool { return n < req.Cursor.Topic })
		from = max(req.Cursor.Partition, 0)
	}
	for i, name := range slices.Compact(names) {
		if i > 0 || req.Cursor != nil && name != req.Cursor.Topic {
			from = 0
		}
		t := kmsg.NewDescribeTopicPartitionsResponseTopic()
		t.Topic = kmsg.StringPtr(name)
		t.AuthorizedOperations = unknownOperations
		known := c.lookup(name)
		if known == nil {
			t.ErrorCode = kerr.UnknownTopicOrPartition.Code
			if err := checkTopicName(name); err != nil {
				t.ErrorCode, _ = codeOf(err)
			}
			resp.Topics = append(resp.Topics, t)
			continue
		}
		m := c.describeTopic(known)
		t.TopicID = m.TopicID
		for _, p := range m.Partitions[min(int(from), len(m.Partitions)):] {
			if room == 0 {
				next := kmsg.NewDescribeTopicPartitionsResponseNextCursor()
				next.Topic, next.Partition = name, p.Partition
				resp.NextCursor = &next
				break
			}
			room--
			tp := kmsg.NewDescribeTopicPartitionsResponseTopicPartition()
			tp.ErrorCode, tp.Partition, tp.LeaderID, tp.LeaderEpoch = p.ErrorCode, p.Partition, p.Leader, p.LeaderEpoch
			tp.Replicas, tp.ISR, tp.OfflineReplicas = p.Replicas, p.ISR, p.OfflineReplicas
			tp.EligibleLeaderReplicas, tp.LastKnownELR = []int32{}, []int32{} // Java reads null as a bug
			t.Partitions = append(t.Partitions, tp)
		}
		resp.Topics = append(resp.Topics, t)
		if resp.NextCursor != nil {
			break
		}
	}
	return answer{resp: resp}
}
