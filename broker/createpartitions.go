package broker

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func handleCreatePartitions(r *request) answer {
	req := r.msg.(*kmsg.CreatePartitionsRequest)
	resp := req.ResponseKind().(*kmsg.CreatePartitionsResponse)
	asked := make(map[string]int)
	for i := range req.Topics {
		asked[req.Topics[i].Topic]++
	}
	for i := range req.Topics {
		q := &req.Topics[i]
		t := kmsg.NewCreatePartitionsResponseTopic()
		t.Topic = q.Topic
		var err error
		switch asked[q.Topic] {
		case 0:
			continue // answered already
		case 1:
			if !r.allowsTopic(kmsg.ACLOperationAlter, q.Topic) {
				err = kerr.TopicAuthorizationFailed
			} else if err = r.fault(q.Topic, -1); err == nil {
				err = r.growTopic(q, req.ValidateOnly)
			}
		default:
			err = codef(kerr.InvalidRequest, "Duplicate topic name.")
		}
		asked[q.Topic] = 0
		t.ErrorCode, t.ErrorMessage = codeOf(err)
		resp.Topics = append(resp.Topics, t)
	}
	return answer{resp: resp}
}

// growTopic adds partitions, unless the client has made too many.
func (r *request) growTopic(q *kmsg.CreatePartitionsRequestTopic, validateOnly bool) error {
	c := r.node.cluster
	if t := c.lookup(q.Topic); t != nil && !validateOnly {
		if more := int(q.Count) - c.countPartitions(t); more > 0 {
			if err := r.mutate(more, 3); err != nil {
				return err
			}
		}
	}
	return c.growTopic(q, validateOnly)
}

// growTopic adds partitions until the topic has as many as are asked for.
func (c *Cluster) growTopic(q *kmsg.CreatePartitionsRequestTopic, validateOnly bool) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.topics[q.Topic]
	if t == nil {
		return kerr.UnknownTopicOrPartition
	}
	have, want := len(t.partitions), int(q.Count)
	switch {
	case want == have:
		return codef(kerr.InvalidPartitions, "Topic already has %d partition(s).", have)
	case want < have:
		return codef(kerr.InvalidPartitions, "The topic %s currently has %d partition(s); %d would not be an increase.", t.name, have, want)
	case want-have > maxPartitions:
		return codef(kerr.PolicyViolation, "At most %d partitions can be created at once.", maxPartitions)
	}
	replicas := len(t.partitions[0].leadership().replicas)
	var assigned [][]int32
	if q.Assignment == nil {
		var err error
		if assigned, err = c.place(have, want-have, replicas); err != nil {
			return err
		}
	} else {
		if len(q.Assignment) != want-have {
			return codef(kerr.InvalidReplicaAssignment, "Attempted to add %d additional partition(s), but only %d assignment(s) were specified.", want-have, len(q.Assignment))
		}
		for i, a := range q.Assignment {
			if err := c.checkReplicas(have+i, a.Replicas, replicas); err != nil {
				return err
			}
			assigned = append(assigned, slices.Clone(a.Replicas))
		}
	}
	if validateOnly {
		return nil
	}
	added := make([]*partition, len(assigned))
	for i, ids := range assigned {
		added[i] = newPartition(c, t, int32(have+i), ids)
	}
	if err := c.store.recordPartitions(added); err != nil {
		return err
	}
	t.partitions = append(t.partitions, added...) // who walks over the shorter slice does not see these
	c.topicsChanged()
	c.log.Info("partitions added", "topic", t.name, "partitions", want)
	return nil
}
