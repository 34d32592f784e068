package broker

import (
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Types of elections that ElectLeaders asks for.
const (
	electsPreferred = 0
	electsUnclean   = 1
)

// handleElectLeaders elects preferred leaders, or leaders of partitions that have none among whatever replicas run (KIP-183, KIP-460).
func handleElectLeaders(r *request) answer {
	req := r.msg.(*kmsg.ElectLeadersRequest)
	resp := req.ResponseKind().(*kmsg.ElectLeadersResponse)
	how := int8(electsPreferred)
	if req.Version >= 1 {
		how = req.ElectionType
	}
	var whole error
	switch {
	case !r.allowsCluster(kmsg.ACLOperationAlter):
		whole = clusterDenied(kmsg.ACLOperationAlter)
	case how != electsPreferred && how != electsUnclean:
		whole = codef(kerr.InvalidRequest, "Unknown election type %d", how)
	}
	resp.ErrorCode, _ = codeOf(whole)
	c := r.node.cluster
	asked := req.Topics
	if req.Topics == nil && whole == nil {
		c.mu.RLock()
		for _, name := range slices.Sorted(maps.Keys(c.topics)) {
			t := kmsg.ElectLeadersRequestTopic{Topic: name}
			for i := range c.topics[name].partitions {
				t.Partitions = append(t.Partitions, int32(i))
			}
			asked = append(asked, t)
		}
		c.mu.RUnlock()
	}
	defer c.placeCoordinators(noLeader) // they follow the leaders of internal topics
	for _, q := range asked {
		t := kmsg.NewElectLeadersResponseTopic()
		t.Topic = q.Topic
		for _, index := range q.Partitions {
			p := kmsg.NewElectLeadersResponseTopicPartition()
			p.Partition = index
			err := whole
			if err == nil {
				err = r.fault(q.Topic, index)
			}
			if err == nil {
				err = c.electLeader(q.Topic, index, how)
			}
			if p.ErrorCode, p.ErrorMessage = codeOf(err); req.Topics == nil && p.ErrorCode == kerr.ElectionNotNeeded.Code {
				continue
			}
			t.Partitions = append(t.Partitions, p)
		}
		resp.Topics = append(resp.Topics, t)
	}
	return answer{resp: resp}
}

func (c *Cluster) electLeader(topic string, index int32, how int8) error {
	if c.lookup(topic) == nil {
		return codef(kerr.UnknownTopicOrPartition, "No such topic as %s", topic)
	}
	p := c.partition(topic, index)
	if p == nil {
		return codef(kerr.UnknownTopicOrPartition, "No such partition as %s-%d", topic, index)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if how == electsPreferred && p.leader == p.replicas[0] || how == electsUnclean && p.leader != noLeader {
		return codef(kerr.ElectionNotNeeded, "Leader election not needed for topic partition.")
	}
	before := p.epoch
	p.replicateLocked()
	if how == electsUnclean {
		p.changeLocked(change{election: electUnclean})
	} else {
		p.changeLocked(change{election: electPreferred})
	}
	if p.epoch == before {
		if how == electsUnclean {
			return kerr.EligibleLeadersNotAvailable
		}
		return kerr.PreferredLeaderNotAvailable
	}
	p.replicateLocked()
	return nil
}
