package broker

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// allowsGroup decides about a group by its name.
func (r *request) allowsGroup(op kmsg.ACLOperation, name string) bool {
	return r.allows(op, kmsg.ACLResourceTypeGroup, name)
}

// seesTopics is what the coordinator needs to know of the client's rights; nil where it may do everything. It is kept for as long as the client's group is.
func (r *request) seesTopics() func(topic string) bool {
	a, principal := r.node.cluster.authorizer, r.conn.principal
	if a == nil {
		return nil
	}
	ip := r.conn.ip()
	return func(topic string) bool {
		return a.Allows(principal, ip, kmsg.ACLOperationDescribe, kmsg.ACLResourceTypeTopic, topic)
	}
}

// denyGroup answers a request about one group that its client may not make.
func (r *request) denyGroup(group string) kmsg.Response {
	op := kmsg.ACLOperationRead
	switch r.msg.(type) {
	case *kmsg.OffsetFetchRequest:
		op = kmsg.ACLOperationDescribe
	case *kmsg.OffsetDeleteRequest:
		op = kmsg.ACLOperationDelete
	}
	if !r.allowsGroup(op, group) {
		return failWhole(r.msg, kerr.GroupAuthorizationFailed.Code)
	}
	var reads []string
	switch req := r.msg.(type) {
	case *kmsg.ConsumerGroupHeartbeatRequest:
		reads = req.SubscribedTopicNames
	case *kmsg.ShareGroupHeartbeatRequest:
		if !validMember(req.MemberID) {
			return failWhole(r.msg, kerr.InvalidRequest.Code)
		}
		reads = req.SubscribedTopicNames
	}
	for _, topic := range reads {
		if !r.allowsTopic(kmsg.ACLOperationDescribe, topic) {
			return failWhole(r.msg, kerr.TopicAuthorizationFailed.Code)
		}
	}
	return nil
}

// deniedTopic says whether a topic that is named by name or by id is one that the client may not use. An id that is not known is another error.
func (r *request) deniedTopic(op kmsg.ACLOperation, name string, id topicID) bool {
	if id != (topicID{}) {
		t := r.node.cluster.lookupID(id)
		return t != nil && !r.allowsTopic(op, t.name)
	}
	return !r.allowsTopic(op, name)
}

// denyCommits takes the topics that the client may not read out of a commit, and returns their answers.
func (r *request) denyCommits(req *kmsg.OffsetCommitRequest) (denied []kmsg.OffsetCommitResponseTopic) {
	req.Topics = slices.DeleteFunc(req.Topics, func(q kmsg.OffsetCommitRequestTopic) bool {
		if !r.deniedTopic(kmsg.ACLOperationRead, q.Topic, q.TopicID) {
			return false
		}
		t := kmsg.NewOffsetCommitResponseTopic()
		t.Topic, t.TopicID = q.Topic, q.TopicID
		for _, p := range q.Partitions {
			t.Partitions = append(t.Partitions, kmsg.OffsetCommitResponseTopicPartition{Partition: p.Partition, ErrorCode: kerr.TopicAuthorizationFailed.Code})
		}
		denied = append(denied, t)
		return true
	})
	return denied
}

// denyOffsetDelete takes the topics that the client may not read out of a request to delete their offsets, and returns their answers.
func (r *request) denyOffsetDelete(req *kmsg.OffsetDeleteRequest) (denied []kmsg.OffsetDeleteResponseTopic) {
	req.Topics = slices.DeleteFunc(req.Topics, func(q kmsg.OffsetDeleteRequestTopic) bool {
		if r.allowsTopic(kmsg.ACLOperationRead, q.Topic) {
			return false
		}
		t := kmsg.NewOffsetDeleteResponseTopic()
		t.Topic = q.Topic
		for _, p := range q.Partitions {
			t.Partitions = append(t.Partitions, kmsg.OffsetDeleteResponseTopicPartition{Partition: p.Partition, ErrorCode: kerr.TopicAuthorizationFailed.Code})
		}
		denied = append(denied, t)
		return true
	})
	return denied
}

// denyFetched hides what the client may not see of committed offsets: before asking, topics by name are taken out; the function that is returned adds
// their answers, and leaves topics that nobody named out.
func (r *request) denyFetched(req *kmsg.OffsetFetchRequest) func(*kmsg.OffsetFetchResponse) {
	if r.node.cluster.authorizer == nil {
		return func(*kmsg.OffsetFetchResponse) {}
	}
	if req.Version < 8 {
		all := req.Topics == nil
		var denied []kmsg.OffsetFetchResponseTopic
		req.Topics = slices.DeleteFunc(req.Topics, func(q kmsg.OffsetFetchRequestTopic) bool {
			if r.allowsTopic(kmsg.ACLOperationDescribe, q.Topic) {
				return false
			}
			t := kmsg.NewOffsetFetchResponseTopic()
			t.Topic = q.Topic
			for _, p := range q.Partitions {
				e := kmsg.NewOffsetFetchResponseTopicPartition()
				e.Partition, e.Offset, e.Metadata, e.ErrorCode = p, -1, new(string), kerr.TopicAuthorizationFailed.Code
				t.Partitions = append(t.Partitions, e)
			}
			denied = append(denied, t)
			return true
		})
		return func(resp *kmsg.OffsetFetchResponse) {
			if all {
				resp.Topics = slices.DeleteFunc(resp.Topics, func(t kmsg.OffsetFetchResponseTopic) bool { return !r.allowsTopic(kmsg.ACLOperationDescribe, t.Topic) })
			}
			if resp.ErrorCode == 0 {
				resp.Topics = append(resp.Topics, denied...)
			}
		}
	}
	all := make(map[string]bool)
	denied := make(map[string][]kmsg.OffsetFetchResponseGroupTopic)
	for i := range req.Groups {
		g := &req.Groups[i]
		all[g.Group] = g.Topics == nil
		g.Topics = slices.DeleteFunc(g.Topics, func(q kmsg.OffsetFetchRequestGroupTopic) bool {
			if !r.deniedTopic(kmsg.ACLOperationDescribe, q.Topic, q.TopicID) {
				return false
			}
			t := kmsg.NewOffsetFetchResponseGroupTopic()
			t.Topic, t.TopicID = q.Topic, q.TopicID
			for _, p := range q.Partitions {
				e := kmsg.NewOffsetFetchResponseGroupTopicPartition()
				e.Partition, e.Offset, e.Metadata, e.ErrorCode = p, -1, new(string), kerr.TopicAuthorizationFailed.Code
				t.Partitions = append(t.Partitions, e)
			}
			denied[g.Group] = append(denied[g.Group], t)
			return true
		})
	}
	return func(resp *kmsg.OffsetFetchResponse) {
		for i := range resp.Groups {
			g := &resp.Groups[i]
			if all[g.Group] {
				g.Topics = slices.DeleteFunc(g.Topics, func(t kmsg.OffsetFetchResponseGroupTopic) bool {
					return r.deniedTopic(kmsg.ACLOperationDescribe, t.Topic, t.TopicID)
				})
			}
			if g.ErrorCode == 0 {
				g.Topics = append(g.Topics, denied[g.Group]...)
			}
		}
	}
}

// hideAssignments answers a group as failed where its members have topics that the client may not describe.
func (r *request) hideAssignments(g *kmsg.ConsumerGroupDescribeResponseGroup) {
	seen := make(map[string]bool)
	sees := func(a kmsg.Assignment) bool {
		for _, t := range a.TopicPartitions {
			if _, asked := seen[t.Topic]; !asked {
				seen[t.Topic] = r.allowsTopic(kmsg.ACLOperationDescribe, t.Topic)
			}
			if !seen[t.Topic] {
				return false
			}
		}
		return true
	}
	for i := range g.Members {
		if m := &g.Members[i]; !sees(m.Assignment) || !sees(m.TargetAssignment) {
			g.ErrorCode, g.Members = kerr.TopicAuthorizationFailed.Code, nil
			g.ErrorMessage = kmsg.StringPtr("The group has described topic(s) that the client is not authorized to describe.")
			return
		}
	}
}
