package broker

import (
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// handleAlterPartitionReassignments moves replicas, or takes a move back that is going on (KIP-455).
func handleAlterPartitionReassignments(r *request) answer {
	req := r.msg.(*kmsg.AlterPartitionAssignmentsRequest)
	resp := req.ResponseKind().(*kmsg.AlterPartitionAssignmentsResponse)
	var whole error
	if !r.allowsCluster(kmsg.ACLOperationAlter) {
		whole = clusterDenied(kmsg.ACLOperationAlter)
	}
	resp.ErrorCode, resp.ErrorMessage = codeOf(whole)
	for _, q := range req.Topics {
		t := kmsg.NewAlterPartitionAssignmentsResponseTopic()
		t.Topic = q.Topic
		for _, qp := range q.Partitions {
			p := kmsg.NewAlterPartitionAssignmentsResponseTopicPartition()
			p.Partition = qp.Partition
			err := whole
			if err == nil {
				err = r.fault(q.Topic, qp.Partition)
			}
			if err == nil {
				err = r.node.cluster.reassign(q.Topic, qp.Partition, qp.Replicas, req.Version < 1 || req.AllowReplicationFactorChange)
			}
			p.ErrorCode, p.ErrorMessage = codeOf(err)
			t.Partitions = append(t.Partitions, p)
		}
		resp.Topics = append(resp.Topics, t)
	}
	return answer{resp: resp}
}

// reassign begins to move a partition's replicas, or takes back what has begun where replicas is nil.
func (c *Cluster) reassign(topic string, index int32, replicas []int32, mayResize bool) error {
	c.mu.RLock()
	t := c.topics[topic]
	p := t.partition(index)
	c.mu.RUnlock()
	switch {
	case t == nil:
		return codef(kerr.UnknownTopicOrPartition, "Unable to find a topic named %s.", topic)
	case p == nil:
		return codef(kerr.UnknownTopicOrPartition, "Unable to find partition %s:%d.", topic, index)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if replicas == nil {
		return p.revertLocked()
	}
	if err := c.checkReplicas(int(index), replicas, len(replicas)); err != nil {
		return err
	}
	if now := len(p.replicas) - len(p.adding); !mayResize && len(replicas) != now {
		return codef(kerr.InvalidReplicationFactor, "The replication factor is changed from %d to %d", now, len(replicas))
	}
	ch := change{replicas: slices.Clone(replicas)}
	for _, id := range p.replicas {
		if !slices.Contains(replicas, id) {
			ch.removing = append(ch.removing, id)
		}
	}
	for _, id := range replicas {
		if !slices.Contains(p.replicas, id) {
			ch.adding = append(ch.adding, id)
		}
	}
	slices.Sort(ch.removing)
	slices.Sort(ch.adding)
	if len(ch.adding) == 0 { // what a reassignment that is going on adds is still to catch up
		for _, id := range p.adding {
			if slices.Contains(replicas, id) {
				ch.adding = append(ch.adding, id)
			}
		}
	}
	ch.replicas = append(ch.replicas, ch.removing...)
	p.changeLocked(ch)
	p.replicateLocked()
	return nil
}

// revertLocked takes a reassignment back.
func (p *partition) revertLocked() error {
	if len(p.adding) == 0 && len(p.removing) == 0 {
		return kerr.NoReassignmentInProgress
	}
	added := func(id int32) bool { return slices.Contains(p.adding, id) }
	ch := change{isr: slices.DeleteFunc(slices.Clone(p.isr), added), replicas: slices.DeleteFunc(slices.Clone(p.replicas), added)}
	if len(ch.isr) == 0 {
		if !p.topic.settings.Load().Unclean {
			return codef(kerr.InvalidReplicaAssignment, "Unable to revert partition assignment for %s:%d because it would require an unclean leader election.",
				p.topic.name, p.index)
		}
		ch.isr = []int32{ch.replicas[0]}
	}
	p.changeLocked(ch)
	p.replicateLocked()
	return nil
}

// handleListPartitionReassignments lists the reassignments that are going on.
func handleListPartitionReassignments(r *request) answer {
	req := r.msg.(*kmsg.ListPartitionReassignmentsRequest)
	resp := req.ResponseKind().(*kmsg.ListPartitionReassignmentsResponse)
	if !r.allowsCluster(kmsg.ACLOperationDescribe) {
		resp.ErrorCode, resp.ErrorMessage = codeOf(clusterDenied(kmsg.ACLOperationDescribe))
		return answer{resp: resp}
	}
	c := r.node.cluster
	c.mu.RLock()
	defer c.mu.RUnlock()
	list := func(name string, partitions []*partition) {
		t := kmsg.NewListPartitionReassignmentsResponseTopic()
		t.Topic = name
		for _, p := range partitions {
			if d, going := p.reassignment(); going {
				t.Partitions = append(t.Partitions, d)
			}
		}
		if len(t.Partitions) > 0 {
			resp.Topics = append(resp.Topics, t)
		}
	}
	if req.Topics == nil {
		for _, name := range slices.Sorted(maps.Keys(c.topics)) {
			list(name, c.topics[name].partitions)
		}
	}
	for _, q := range req.Topics {
		var partitions []*partition
		for _, index := range q.Partitions {
			if p := c.topics[q.Topic].partition(index); p != nil {
				partitions = append(partitions, p)
			}
		}
		list(q.Topic, partitions)
	}
	return answer{resp: resp}
}

func (p *partition) reassignment() (d kmsg.ListPartitionReassignmentsResponseTopicPartition, going bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	d.Default()
	d.Partition, d.Replicas = p.index, slices.Clone(p.replicas)
	d.AddingReplicas, d.RemovingReplicas = slices.Clone(p.adding), slices.Clone(p.removing)
	return d, len(p.adding)+len(p.removing) > 0
}
