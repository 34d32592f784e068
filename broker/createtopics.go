package broker

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sordini-go/sordini/broker/internal/settings"
)

// maxCreatedPartitions is how many partitions one request may create, as in Kafka's controller.
const maxCreatedPartitions = 10_000

func handleCreateTopics(r *request) answer {
	req := r.msg.(*kmsg.CreateTopicsRequest)
	resp := req.ResponseKind().(*kmsg.CreateTopicsResponse)
	c := r.node.cluster
	asked := make(map[string]int)
	for i := range req.Topics {
		asked[req.Topics[i].Topic]++
	}
	partitions := 0
	for i := range req.Topics {
		if q := &req.Topics[i]; asked[q.Topic] == 1 {
			partitions += max(int(q.NumPartitions), len(q.ReplicaAssignment))
		}
	}
	for i := range req.Topics {
		q := &req.Topics[i]
		if asked[q.Topic] == 0 {
			continue // answered already
		}
		t := kmsg.NewCreateTopicsResponseTopic()
		t.Topic = q.Topic
		t.NumPartitions, t.ReplicationFactor, t.Configs = -1, -1, []kmsg.CreateTopicsResponseTopicConfig{}
		var created *topic
		spec := specOf(q)
		var err error
		if fault := r.fault(q.Topic, -1); fault != nil {
			err = fault
		}
		switch {
		case asked[q.Topic] > 1:
			err = codef(kerr.InvalidRequest, "Duplicate topic name.")
		case q.Topic == "__cluster_metadata":
			err = codef(kerr.InvalidRequest, "Creation of internal topic __cluster_metadata is prohibited.")
		case !r.allowsCreate(q.Topic):
			err = codef(kerr.TopicAuthorizationFailed, "Authorization failed.")
		case err != nil:
		case partitions > maxCreatedPartitions:
			err = codef(kerr.PolicyViolation, "Excessively large number of partitions per request.")
		case req.ValidateOnly:
			c.mu.RLock()
			created, err = c.newTopicLocked(spec)
			c.mu.RUnlock()
		default:
			if err = r.mayCreate(spec); err == nil {
				created, err = c.createTopic(spec)
			}
		}
		asked[q.Topic] = 0
		t.ErrorCode, t.ErrorMessage = codeOf(err)
		if err == nil {
			c.describeCreated(&t, created)
			if !r.sees(kmsg.ACLOperationDescribeConfigs, kmsg.ACLResourceTypeTopic, q.Topic) {
				t.ConfigErrorCode, t.Configs = kerr.TopicAuthorizationFailed.Code, []kmsg.CreateTopicsResponseTopicConfig{}
				t.NumPartitions, t.ReplicationFactor = -1, -1
			}
		}
		resp.Topics = append(resp.Topics, t)
	}
	return answer{resp: resp}
}

// mayCreate takes the partitions of a topic that can be created from the client's quota.
func (r *request) mayCreate(s topicSpec) error {
	c := r.node.cluster
	if !c.quotas.Any() {
		return nil
	}
	c.mu.RLock()
	made, err := c.newTopicLocked(s)
	c.mu.RUnlock()
	if err != nil {
		return err
	}
	return r.mutate(len(made.partitions), 6)
}

// specOf reads what a request asks for.
func specOf(q *kmsg.CreateTopicsRequestTopic) topicSpec {
	s := topicSpec{name: q.Topic, partitions: int(q.NumPartitions), replicas: int(q.ReplicationFactor), configs: map[string]string{}}
	for _, kv := range q.Configs {
		if kv.Value == nil {
			s.err = codef(kerr.InvalidConfig, "Null value not supported for topic configs: %s", kv.Name)
			return s
		}
		s.configs[kv.Name] = *kv.Value
	}
	if len(q.ReplicaAssignment) == 0 {
		return s
	}
	s.assigned = make([][]int32, len(q.ReplicaAssignment))
	seen, gap := make(map[int32]bool), false
	for _, a := range q.ReplicaAssignment {
		if seen[a.Partition] {
			s.err = codef(kerr.InvalidReplicaAssignment, "Found multiple manual partition assignments for partition %d", a.Partition)
			return s
		}
		seen[a.Partition] = true
		if a.Partition < 0 || int(a.Partition) >= len(s.assigned) {
			gap = true
			continue
		}
		s.assigned[a.Partition] = append([]int32{}, a.Replicas...)
	}
	if gap {
		s.err = codef(kerr.InvalidReplicaAssignment, "partitions should be a consecutive 0-based integer sequence")
	}
	return s
}

// describeCreated tells how the topic was made (KIP-525).
func (c *Cluster) describeCreated(t *kmsg.CreateTopicsResponseTopic, created *topic) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	t.TopicID = created.id
	t.NumPartitions = int32(len(created.partitions))
	t.ReplicationFactor = int16(len(created.partitions[0].leadership().replicas))
	for i := range settings.Topics {
		d := &settings.Topics[i]
		v := settings.TopicValue(d, created.overrides, c.settings)
		kv := kmsg.NewCreateTopicsResponseTopicConfig()
		kv.Name, kv.Value, kv.Source = d.Name, &v.Value, int8(v.Source)
		t.Configs = append(t.Configs, kv)
	}
}
