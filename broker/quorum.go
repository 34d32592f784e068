package broker

import (
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// metadataTopic is the log of the controllers (KIP-500). It is not kept: what it would hold is in force at once.
const metadataTopic = "__cluster_metadata"

// handleDescribeQuorum describes the controllers: every broker is one, and the one that leads them is the controller (KIP-595).
func handleDescribeQuorum(r *request) answer {
	req := r.msg.(*kmsg.DescribeQuorumRequest)
	resp := req.ResponseKind().(*kmsg.DescribeQuorumResponse)
	if req.Version >= 2 {
		resp.ErrorMessage = new(string) // the schema's default is the empty string, and so for each partition
	}
	if !r.allowsCluster(kmsg.ACLOperationDescribe) {
		resp.ErrorCode, resp.ErrorMessage = codeOf(denied(kerr.ClusterAuthorizationFailed))
		return answer{resp: resp}
	}
	c := r.node.cluster
	valid := len(req.Topics) == 1 && req.Topics[0].Topic == metadataTopic && len(req.Topics[0].Partitions) == 1 && req.Topics[0].Partitions[0].Partition == 0
	for _, q := range req.Topics {
		t := kmsg.NewDescribeQuorumResponseTopic()
		t.Topic = q.Topic
		for _, qp := range q.Partitions {
			p := kmsg.NewDescribeQuorumResponseTopicPartition()
			p.Partition = qp.Partition
			if valid {
				p.ErrorMessage = new(string)
				c.describeQuorum(&p)
			} else {
				p.ErrorCode, p.ErrorMessage = kerr.UnknownTopicOrPartition.Code, kmsg.StringPtr(kerr.UnknownTopicOrPartition.Description)
			}
			t.Partitions = append(t.Partitions, p)
		}
		resp.Topics = append(resp.Topics, t)
	}
	if !valid {
		return answer{resp: resp}
	}
	for _, n := range c.nodes {
		d := kmsg.NewDescribeQuorumResponseNode()
		l := kmsg.NewDescribeQuorumResponseNodeListener()
		d.NodeID, l.Name, l.Host, l.Port = n.id, "CONTROLLER", n.endpoints[0].host, uint16(n.endpoints[0].port)
		d.Listeners = append(d.Listeners, l)
		resp.Nodes = append(resp.Nodes, d)
	}
	return answer{resp: resp}
}

func (c *Cluster) describeQuorum(p *kmsg.DescribeQuorumResponseTopicPartition) {
	now := time.Now().UnixMilli()
	end := c.metadataEnd()
	p.LeaderID, p.LeaderEpoch, p.HighWatermark = c.controllerID(), c.controller.epoch.Load(), end
	for _, n := range c.nodes {
		v := kmsg.NewDescribeQuorumResponseTopicPartitionReplicaState()
		v.ReplicaID, v.LogEndOffset, v.LastFetchTimestamp, v.LastCaughtUpTimestamp = n.id, end, now, now
		if !n.isRunning() {
			v.LogEndOffset, v.LastFetchTimestamp, v.LastCaughtUpTimestamp = -1, -1, -1
		}
		p.CurrentVoters = append(p.CurrentVoters, v)
	}
}

// metadataEnd is where the controllers' log would end: it grows with what changes, and by one record twice a second.
func (c *Cluster) metadataEnd() int64 {
	return 1 + c.changes.Load() + int64(time.Since(c.retention.begin)/(500*time.Millisecond))
}
