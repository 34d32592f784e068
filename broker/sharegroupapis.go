package broker

import (
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sordini-go/sordini/broker/internal/sharegroups"
)

// What is said of denials and partitions where Kafka says it with a text.
var (
	unknownPartitionText = kerr.UnknownTopicOrPartition.Description
	topicDeniedText      = denials[kerr.TopicAuthorizationFailed]
)

func handleShareGroupDescribe(r *request) answer {
	req := r.msg.(*kmsg.ShareGroupDescribeRequest)
	var elsewhere []kmsg.ShareGroupDescribeResponseGroup
	req.GroupIDs = slices.DeleteFunc(req.GroupIDs, func(group string) bool {
		code := r.refuseGroup(kmsg.ACLOperationDescribe, group)
		if code == 0 {
			return false
		}
		e := kmsg.NewShareGroupDescribeResponseGroup()
		e.GroupID, e.ErrorCode = group, code
		if code == kerr.NotCoordinator.Code {
			e.ErrorMessage = kmsg.StringPtr(kerr.NotCoordinator.Description)
		}
		elsewhere = append(elsewhere, e)
		return true
	})
	resp := (<-r.ask(req)).(*kmsg.ShareGroupDescribeResponse)
	for i := range resp.Groups {
		g := &resp.Groups[i]
		if req.IncludeAuthorizedOperations && g.ErrorCode == 0 {
			g.AuthorizedOperations = r.operations(kmsg.ACLResourceTypeGroup, g.GroupID)
		}
		r.hideShares(g)
	}
	resp.Groups = append(elsewhere, resp.Groups...)
	return answer{resp: resp}
}

// hideShares answers a share group as failed where its members have topics that the client may not describe.
func (r *request) hideShares(g *kmsg.ShareGroupDescribeResponseGroup) {
	seen := make(map[string]bool)
	for i := range g.Members {
		for _, t := range g.Members[i].Assignment.TopicPartitions {
			if _, asked := seen[t.Topic]; !asked {
				seen[t.Topic] = r.allowsTopic(kmsg.ACLOperationDescribe, t.Topic)
			}
			if !seen[t.Topic] {
				denied := kmsg.NewShareGroupDescribeResponseGroup()
				denied.GroupID, denied.ErrorCode = g.GroupID, kerr.TopicAuthorizationFailed.Code
				denied.ErrorMessage = kmsg.StringPtr("The group has described topic(s) that the client is not authorized to describe.")
				*g = denied
				return
			}
		}
	}
}

func handleDescribeShareGroupOffsets(r *request) answer {
	req := r.msg.(*kmsg.DescribeShareGroupOffsetsRequest)
	resp := req.ResponseKind().(*kmsg.DescribeShareGroupOffsetsResponse)
	for i := range req.Groups {
		q := &req.Groups[i]
		g := kmsg.NewDescribeShareGroupOffsetsResponseGroup()
		g.GroupID = q.GroupID
		switch {
		case !r.allowsGroup(kmsg.ACLOperationDescribe, q.GroupID):
			g.ErrorCode = kerr.GroupAuthorizationFailed.Code
		case q.Topics != nil:
			r.describeShareOffsets(q, &g)
		case !r.coordinates(q.GroupID):
			g.ErrorCode, g.ErrorMessage = kerr.NotCoordinator.Code, &kerr.NotCoordinator.Description
		default:
			r.describeAllShareOffsets(&g)
		}
		resp.Groups = append(resp.Groups, g)
	}
	return answer{resp: resp}
}

// describeAllShareOffsets lists where a group reads all partitions that it has; topics that the client may not describe are left out.
func (r *request) describeAllShareOffsets(g *kmsg.DescribeShareGroupOffsetsResponseGroup) {
	c := r.node.cluster
	c.refreshGroups()
	known := c.groups.SharePartitions(g.GroupID)
	for _, id := range slices.SortedFunc(maps.Keys(known), func(a, b [16]byte) int { return slices.Compare(a[:], b[:]) }) {
		t := c.lookupID(id)
		if t == nil || !r.sees(kmsg.ACLOperationDescribe, kmsg.ACLResourceTypeTopic, t.name) {
			continue
		}
		g.Topics = append(g.Topics, c.shareOffsets(g.GroupID, t, known[id]))
	}
}

// describeShareOffsets lists where a group reads the partitions that are asked for.
func (r *request) describeShareOffsets(q *kmsg.DescribeShareGroupOffsetsRequestGroup, g *kmsg.DescribeShareGroupOffsetsResponseGroup) {
	var unknown, denied []kmsg.DescribeShareGroupOffsetsResponseGroupTopic
	for _, qt := range q.Topics {
		rt := kmsg.NewDescribeShareGroupOffsetsResponseGroupTopic()
		rt.Topic = qt.Topic
		for _, num := range qt.Partitions {
			p := kmsg.NewDescribeShareGroupOffsetsResponseGroupTopicPartition()
			p.Partition, p.StartOffset, p.Lag = num, sharegroups.NoOffset, -1
			rt.Partitions = append(rt.Partitions, p)
		}
		t := r.node.cluster.lookup(qt.Topic)
		switch {
		case !r.allowsTopic(kmsg.ACLOperationDescribe, qt.Topic):
			for i := range rt.Partitions {
				rt.Partitions[i].ErrorCode, rt.Partitions[i].ErrorMessage = kerr.TopicAuthorizationFailed.Code, &topicDeniedText
			}
			denied = append(denied, rt)
		case t == nil:
			unknown = append(unknown, rt)
		default:
			g.Topics = append(g.Topics, r.node.cluster.shareOffsets(g.GroupID, t, qt.Partitions))
		}
	}
	g.Topics = append(append(g.Topics, unknown...), denied...)
}

// shareOffsets says where a group reads partitions of a topic, and how many records it has still to end.
func (c *Cluster) shareOffsets(group string, t *topic, partitions []int32) kmsg.DescribeShareGroupOffsetsResponseGroupTopic {
	rt := kmsg.NewDescribeShareGroupOffsetsResponseGroupTopic()
	rt.Topic, rt.TopicID = t.name, t.id
	for _, num := range partitions {
		rp := kmsg.NewDescribeShareGroupOffsetsResponseGroupTopicPartition()
		rp.Partition, rp.StartOffset, rp.Lag = num, sharegroups.NoOffset, -1
		st, err := c.shareStates.Summary(sharegroups.Key{Group: group, Topic: t.id, Partition: num})
		if err == nil {
			rp.StartOffset, rp.LeaderEpoch = st.Start, st.LeaderEpoch
		}
		if _, p := c.partitionByID(t.id, num); err == nil && p != nil && st.Start != sharegroups.NoOffset && st.Completed != sharegroups.NoCount {
			p.mu.Lock()
			rp.Lag = p.highWatermarkLocked() - st.Start - int64(st.Completed)
			p.mu.Unlock()
		}
		rt.Partitions = append(rt.Partitions, rp)
	}
	return rt
}

func handleAlterShareGroupOffsets(r *request) answer {
	req := r.msg.(*kmsg.AlterShareGroupOffsetsRequest)
	if !r.allowsGroup(kmsg.ACLOperationRead, req.GroupID) {
		return answer{resp: failShareOffsets(req, kerr.GroupAuthorizationFailed)}
	}
	if !r.coordinates(req.GroupID) {
		return answer{resp: failShareOffsets(req, kerr.NotCoordinator)}
	}
	var refused []kmsg.AlterShareGroupOffsetsResponseTopic
	req.Topics = slices.DeleteFunc(req.Topics, func(q kmsg.AlterShareGroupOffsetsRequestTopic) bool {
		t := r.node.cluster.lookup(q.Topic)
		code, text := kerr.UnknownTopicOrPartition.Code, &unknownPartitionText
		if !r.allowsTopic(kmsg.ACLOperationRead, q.Topic) {
			code, text = kerr.TopicAuthorizationFailed.Code, &topicDeniedText
		} else if t != nil {
			return false
		}
		rt := kmsg.NewAlterShareGroupOffsetsResponseTopic()
		rt.Topic = q.Topic
		if t != nil {
			rt.TopicID = t.id
		}
		for _, p := range q.Partitions {
			rp := kmsg.NewAlterShareGroupOffsetsResponseTopicPartition()
			rp.Partition, rp.ErrorCode, rp.ErrorMessage = p.Partition, code, text
			rt.Partitions = append(rt.Partitions, rp)
		}
		refused = append(refused, rt)
		return true
	})
	resp := <-r.ask(req)
	if altered := resp.(*kmsg.AlterShareGroupOffsetsResponse); altered.ErrorCode == 0 {
		altered.Topics = append(refused, altered.Topics...)
	}
	return answer{resp: resp}
}

func handleDeleteShareGroupOffsets(r *request) answer {
	req := r.msg.(*kmsg.DeleteShareGroupOffsetsRequest)
	if !r.allowsGroup(kmsg.ACLOperationDelete, req.GroupID) {
		return answer{resp: failShareOffsets(req, kerr.GroupAuthorizationFailed)}
	}
	if !r.coordinates(req.GroupID) {
		return answer{resp: failShareOffsets(req, kerr.NotCoordinator)}
	}
	var refused []kmsg.DeleteShareGroupOffsetsResponseTopic
	req.Topics = slices.DeleteFunc(req.Topics, func(q kmsg.DeleteShareGroupOffsetsRequestTopic) bool {
		if r.allowsTopic(kmsg.ACLOperationRead, q.Topic) {
			return false
		}
		rt := kmsg.NewDeleteShareGroupOffsetsResponseTopic()
		rt.Topic, rt.ErrorCode, rt.ErrorMessage = q.Topic, kerr.TopicAuthorizationFailed.Code, &topicDeniedText
		refused = append(refused, rt)
		return true
	})
	resp := <-r.ask(req)
	if deleted := resp.(*kmsg.DeleteShareGroupOffsetsResponse); deleted.ErrorCode == 0 {
		deleted.Topics = append(refused, deleted.Topics...)
	}
	return answer{resp: resp}
}

// failShareOffsets answers a request about where a share group reads with an error and its text.
func failShareOffsets(req kmsg.Request, err *kerr.Error) kmsg.Response {
	text := err.Description
	if said, ok := denials[err]; ok {
		text = said
	}
	resp := failWhole(req, err.Code)
	switch resp := resp.(type) {
	case *kmsg.AlterShareGroupOffsetsResponse:
		resp.ErrorMessage = &text
	case *kmsg.DeleteShareGroupOffsetsResponse:
		resp.ErrorMessage = &text
	}
	return resp
}

// sharedTargets lists the partitions that a share fetch reads: those that it names, and those of its session.
func (r *request) sharedTargets() []sharegroups.TopicPartition {
	req := r.msg.(*kmsg.ShareFetchRequest)
	var tps []sharegroups.TopicPartition
	if req.GroupID != nil && req.MemberID != nil && req.ShareSessionEpoch > 0 {
		tps = r.node.shares.sessions.Parts(sharegroups.Session{Group: *req.GroupID, Member: *req.MemberID})
	}
	seen := make(map[sharegroups.TopicPartition]bool, len(tps))
	for _, tp := range tps {
		seen[tp] = true
	}
	for i := range req.Topics {
		for j := range req.Topics[i].Partitions {
			tp := sharegroups.TopicPartition{Topic: req.Topics[i].TopicID, Partition: req.Topics[i].Partitions[j].Partition}
			if !seen[tp] {
				seen[tp] = true
				tps = append(tps, tp)
			}
		}
	}
	return tps
}
