package broker

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func handleDeleteTopics(r *request) answer {
	req := r.msg.(*kmsg.DeleteTopicsRequest)
	resp := req.ResponseKind().(*kmsg.DeleteTopicsResponse)
	asked := req.Topics
	for i := range req.TopicNames {
		asked = append(asked, kmsg.DeleteTopicsRequestTopic{Topic: &req.TopicNames[i]})
	}
	c := r.node.cluster
	times := make(map[topicID]int)
	for _, q := range asked {
		if known := c.named(q.Topic, q.TopicID); known != nil {
			times[known.id]++
		}
	}
	for _, q := range asked {
		t := kmsg.NewDeleteTopicsResponseTopic()
		t.Topic, t.TopicID = q.Topic, q.TopicID
		var err error
		switch known := c.named(q.Topic, q.TopicID); {
		case q.Topic != nil && q.TopicID != (topicID{}):
			err = codef(kerr.InvalidRequest, "You may not specify both topic name and topic id.")
		case q.Topic == nil && q.TopicID == (topicID{}):
			err = codef(kerr.InvalidRequest, "Neither topic name nor id were specified.")
		case known == nil && q.Topic == nil:
			err = codef(kerr.UnknownTopicID, "This server does not host this topic ID.")
		case q.Topic == nil && !r.allowsDelete(known.name):
			if r.sees(kmsg.ACLOperationDescribe, kmsg.ACLResourceTypeTopic, known.name) {
				t.Topic = &known.name
			}
			err = denied(kerr.TopicAuthorizationFailed)
		case q.Topic != nil && !r.allowsDescribeOrDelete(*q.Topic), known != nil && !r.allowsDelete(known.name):
			err = denied(kerr.TopicAuthorizationFailed)
		case known == nil:
			err = codef(kerr.UnknownTopicOrPartition, "This server does not host this topic-partition.")
		case times[known.id] == 0:
			continue // answered already
		case times[known.id] > 1:
			times[known.id] = 0
			err = codef(kerr.InvalidRequest, "Duplicate topic name.")
			if q.Topic == nil {
				err = codef(kerr.InvalidRequest, "Duplicate topic id.")
			}
		case !c.property().Bool("delete.topic.enable"):
			err = codef(kerr.TopicDeletionDisabled, "Topic deletion is disabled.")
		case r.fault(known.name, -1) != nil:
			err = r.fault(known.name, -1)
		default:
			if err = r.mutate(c.countPartitions(known), 5); err == nil {
				t.Topic, t.TopicID = &known.name, known.id
				err = c.deleteTopic(known)
			}
		}
		t.ErrorCode, t.ErrorMessage = codeOf(err)
		resp.Topics = append(resp.Topics, t)
	}
	return answer{resp: resp}
}

// allowsDelete decides whether the client may delete a topic: any, or this one.
func (r *request) allowsDelete(topic string) bool {
	return r.sees(kmsg.ACLOperationDelete, kmsg.ACLResourceTypeCluster, clusterResource) || r.allowsTopic(kmsg.ACLOperationDelete, topic)
}

// allowsDescribeOrDelete decides whether the client may learn if a topic that it wants to delete exists.
func (r *request) allowsDescribeOrDelete(topic string) bool {
	return r.sees(kmsg.ACLOperationDelete, kmsg.ACLResourceTypeCluster, clusterResource) || r.allowsTopic(kmsg.ACLOperationDescribe, topic)
}

// partitionsOf counts a topic's partitions.
func (c *Cluster) countPartitions(t *topic) int {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return len(t.partitions)
}

// named finds a topic by its name or, where there is none, by its id.
func (c *Cluster) named(name *string, id topicID) *topic {
	if name != nil {
		return c.lookup(*name)
	}
	return c.lookupID(id)
}

// deleteTopic forgets a topic and its records. Fetches that wait for it are answered.
func (c *Cluster) deleteTopic(t *topic) error {
	defer c.store.rename()()
	c.mu.Lock()
	if c.topicByID[t.id] != t {
		c.mu.Unlock()
		return nil
	}
	if err := c.store.recordRemoval(t); err != nil {
		c.mu.Unlock()
		return err
	}
	delete(c.topics, t.name)
	delete(c.topicByID, t.id)
	delete(c.collapsed, collapse(t.name))
	partitions := t.partitions
	c.topicsChanged()
	if c.store != nil {
		for _, p := range partitions { // before another topic can have the name, and its directories
			p.mu.Lock()
			p.deleted = true
			p.removeLocked()
			p.mu.Unlock()
		}
	}
	c.mu.Unlock()
	for _, p := range partitions {
		p.mu.Lock()
		p.deleted = true
		p.notifyLocked()
		p.mu.Unlock()
	}
	c.log.Info("topic deleted", "topic", t.name)
	return nil
}
