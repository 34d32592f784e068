package broker

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sordini-go/sordini/broker/internal/groups"
)

// coordinates says whether this broker is the coordinator of a group.
func (r *request) coordinates(group string) bool { return r.node.cluster.ofGroup(group) == r.node.id }

// refuseGroup returns the error for a group that the client may not do this with, or that another broker coordinates.
func (r *request) refuseGroup(op kmsg.ACLOperation, group string) int16 {
	switch {
	case !r.allowsGroup(op, group):
		return kerr.GroupAuthorizationFailed.Code
	case !r.coordinates(group):
		return kerr.NotCoordinator.Code
	}
	return 0
}

// handleGroup serves a request that concerns one group. While it waits for other members the group may move away: then it is answered NOT_COORDINATOR.
func handleGroup(r *request) answer {
	group := groupOf(r.msg)
	if resp := r.denyGroup(group); resp != nil {
		return answer{resp: resp}
	}
	if !r.coordinates(group) {
		return answer{resp: failWhole(r.msg, kerr.NotCoordinator.Code)}
	}
	var failed []kmsg.OffsetCommitResponseTopic
	var undeleted []kmsg.OffsetDeleteResponseTopic
	addDenied := func(*kmsg.OffsetFetchResponse) {}
	switch req := r.msg.(type) {
	case *kmsg.OffsetCommitRequest:
		if failed = r.denyCommits(req); len(failed) > 0 && len(req.Topics) == 0 {
			resp := req.ResponseKind().(*kmsg.OffsetCommitResponse)
			resp.Topics = failed
			return answer{resp: resp}
		}
		failed = append(failed, r.failCommits(req)...)
	case *kmsg.OffsetDeleteRequest:
		undeleted = r.denyOffsetDelete(req)
	case *kmsg.OffsetFetchRequest:
		addDenied = r.denyFetched(req)
	}
	select {
	case resp := <-r.ask(r.msg):
		switch resp := resp.(type) {
		case *kmsg.OffsetCommitResponse:
			mergeCommits(resp, failed)
		case *kmsg.OffsetFetchResponse:
			r.failFetched(resp)
			addDenied(resp)
		case *kmsg.OffsetDeleteResponse:
			if resp.ErrorCode == 0 {
				resp.Topics = append(resp.Topics, undeleted...)
			}
		}
		return answer{resp: resp}
	case <-r.conn.done:
		return answer{close: true}
	}
}

// mergeCommits puts the partitions that a fault failed beside the others of their topics: clients expect each topic once.
func mergeCommits(resp *kmsg.OffsetCommitResponse, failed []kmsg.OffsetCommitResponseTopic) {
	for _, f := range failed {
		i := slices.IndexFunc(resp.Topics, func(t kmsg.OffsetCommitResponseTopic) bool {
			if resp.Version >= 10 {
				return t.TopicID == f.TopicID
			}
			return t.Topic == f.Topic
		})
		if i < 0 {
			resp.Topics = append(resp.Topics, f)
			continue
		}
		resp.Topics[i].Partitions = append(resp.Topics[i].Partitions, f.Partitions...)
	}
}

// ask hands a request to the coordinator, which answers NOT_COORDINATOR if the group that it concerns has moved away. The channel has room for the
// reply, so that nobody waits for a client that has gone.
func (r *request) ask(req kmsg.Request) <-chan kmsg.Response {
	c := r.node.cluster
	switch req.(type) {
	case *kmsg.JoinGroupRequest, *kmsg.ConsumerGroupHeartbeatRequest, *kmsg.OffsetCommitRequest, *kmsg.TxnOffsetCommitRequest:
		c.provideInternal(offsetsTopic) // for clients that know the coordinator without asking
	case *kmsg.ShareGroupHeartbeatRequest, *kmsg.AlterShareGroupOffsetsRequest:
		c.provideInternal(offsetsTopic)
		c.provideInternal(shareStateTopic)
	}
	c.refreshGroups()
	replied := make(chan kmsg.Response, 1)
	c.coordinators.mu.RLock() // no group moves meanwhile
	defer c.coordinators.mu.RUnlock()
	if group := groupOf(req); group != "" && c.coordinators.of(group) != r.node.id {
		replied <- failWhole(req, kerr.NotCoordinator.Code)
		return replied
	}
	c.groups.Handle(groups.Client{ID: r.client, Host: r.conn.host, Sees: r.seesTopics()}, req, func(resp kmsg.Response) { replied <- resp })
	return replied
}

// groupOf returns the group that a request concerns.
func groupOf(req kmsg.Request) string {
	switch req := req.(type) {
	case *kmsg.OffsetCommitRequest:
		return req.Group
	case *kmsg.OffsetFetchRequest:
		return req.Group
	case *kmsg.JoinGroupRequest:
		return req.Group
	case *kmsg.HeartbeatRequest:
		return req.Group
	case *kmsg.LeaveGroupRequest:
		return req.Group
	case *kmsg.SyncGroupRequest:
		return req.Group
	case *kmsg.OffsetDeleteRequest:
		return req.Group
	case *kmsg.ConsumerGroupHeartbeatRequest:
		return req.Group
	case *kmsg.ShareGroupHeartbeatRequest:
		return req.GroupID
	case *kmsg.AlterShareGroupOffsetsRequest:
		return req.GroupID
	case *kmsg.DeleteShareGroupOffsetsRequest:
		return req.GroupID
	}
	return ""
}

func handleOffsetFetch(r *request) answer {
	req := r.msg.(*kmsg.OffsetFetchRequest)
	if req.Version < 8 {
		return handleGroup(r)
	}
	var elsewhere []kmsg.OffsetFetchResponseGroup
	at := make(map[string]int) // answers come in the order of the request
	for i, g := range slices.Backward(req.Groups) {
		at[g.Group] = i
	}
	req.Groups = slices.DeleteFunc(req.Groups, func(g kmsg.OffsetFetchRequestGroup) bool {
		code := r.refuseGroup(kmsg.ACLOperationDescribe, g.Group)
		if code == 0 {
			return false
		}
		e := kmsg.NewOffsetFetchResponseGroup()
		e.Group, e.ErrorCode = g.Group, code
		elsewhere = append(elsewhere, e)
		return true
	})
	addDenied := r.denyFetched(req)
	resp := (<-r.ask(req)).(*kmsg.OffsetFetchResponse)
	r.failFetched(resp)
	addDenied(resp)
	resp.Groups = append(resp.Groups, elsewhere...)
	slices.SortStableFunc(resp.Groups, func(a, b kmsg.OffsetFetchResponseGroup) int { return at[a.Group] - at[b.Group] })
	return answer{resp: resp}
}

func handleDescribeGroups(r *request) answer {
	req := r.msg.(*kmsg.DescribeGroupsRequest)
	var elsewhere []kmsg.DescribeGroupsResponseGroup
	req.Groups = slices.DeleteFunc(req.Groups, func(group string) bool {
		code := r.refuseGroup(kmsg.ACLOperationDescribe, group)
		if code == 0 {
			return false
		}
		e := kmsg.NewDescribeGroupsResponseGroup()
		e.Group, e.ErrorCode = group, code
		elsewhere = append(elsewhere, e)
		return true
	})
	resp := (<-r.ask(req)).(*kmsg.DescribeGroupsResponse)
	if req.IncludeAuthorizedOperations {
		for i := range resp.Groups {
			if g := &resp.Groups[i]; g.ErrorCode == 0 {
				g.AuthorizedOperations = r.operations(kmsg.ACLResourceTypeGroup, g.Group)
			}
		}
	}
	resp.Groups = append(resp.Groups, elsewhere...)
	return answer{resp: resp}
}

func handleDeleteGroups(r *request) answer {
	req := r.msg.(*kmsg.DeleteGroupsRequest)
	var elsewhere []kmsg.DeleteGroupsResponseGroup
	req.Groups = slices.DeleteFunc(req.Groups, func(group string) bool {
		code := r.refuseGroup(kmsg.ACLOperationDelete, group)
		if code == 0 {
			return false
		}
		e := kmsg.NewDeleteGroupsResponseGroup()
		e.Group, e.ErrorCode = group, code
		elsewhere = append(elsewhere, e)
		return true
	})
	resp := (<-r.ask(req)).(*kmsg.DeleteGroupsResponse)
	resp.Groups = append(resp.Groups, elsewhere...)
	return answer{resp: resp}
}

func handleConsumerGroupDescribe(r *request) answer {
	req := r.msg.(*kmsg.ConsumerGroupDescribeRequest)
	var elsewhere []kmsg.ConsumerGroupDescribeResponseGroup
	req.Groups = slices.DeleteFunc(req.Groups, func(group string) bool {
		code := r.refuseGroup(kmsg.ACLOperationDescribe, group)
		if code == 0 {
			return false
		}
		e := kmsg.NewConsumerGroupDescribeResponseGroup()
		e.Group, e.ErrorCode = group, code
		elsewhere = append(elsewhere, e)
		return true
	})
	resp := (<-r.ask(req)).(*kmsg.ConsumerGroupDescribeResponse)
	for i := range resp.Groups {
		g := &resp.Groups[i]
		if req.IncludeAuthorizedOperations && g.ErrorCode == 0 {
			g.AuthorizedOperations = r.operations(kmsg.ACLResourceTypeGroup, g.Group)
		}
		r.hideAssignments(g)
	}
	resp.Groups = append(resp.Groups, elsewhere...)
	return answer{resp: resp}
}

// handleListGroups lists the groups that this broker coordinates.
func handleListGroups(r *request) answer {
	resp := (<-r.ask(r.msg)).(*kmsg.ListGroupsResponse)
	all := r.sees(kmsg.ACLOperationDescribe, kmsg.ACLResourceTypeCluster, clusterResource)
	resp.Groups = slices.DeleteFunc(resp.Groups, func(g kmsg.ListGroupsResponseGroup) bool {
		return !r.coordinates(g.Group) || !all && !r.sees(kmsg.ACLOperationDescribe, kmsg.ACLResourceTypeGroup, g.Group)
	})
	return answer{resp: resp}
}

// failWhole answers a request that concerns one group with an error.
func failWhole(req kmsg.Request, code int16) kmsg.Response {
	resp := req.ResponseKind()
	switch resp := resp.(type) {
	case *kmsg.OffsetCommitResponse:
		for _, q := range req.(*kmsg.OffsetCommitRequest).Topics {
			t := kmsg.NewOffsetCommitResponseTopic()
			t.Topic, t.TopicID = q.Topic, q.TopicID
			for _, p := range q.Partitions {
				t.Partitions = append(t.Partitions, kmsg.OffsetCommitResponseTopicPartition{Partition: p.Partition, ErrorCode: code})
			}
			resp.Topics = append(resp.Topics, t)
		}
	case *kmsg.OffsetFetchResponse:
		failOffsetFetch(req.(*kmsg.OffsetFetchRequest), resp, code)
	case *kmsg.JoinGroupResponse:
		resp.ErrorCode, resp.Generation = code, -1
	case *kmsg.HeartbeatResponse:
		resp.ErrorCode = code
	case *kmsg.LeaveGroupResponse:
		resp.ErrorCode = code
	case *kmsg.SyncGroupResponse:
		resp.ErrorCode = code
	case *kmsg.OffsetDeleteResponse:
		resp.ErrorCode = code
	case *kmsg.ConsumerGroupHeartbeatResponse:
		resp.ErrorCode = code
	case *kmsg.ShareGroupHeartbeatResponse:
		resp.ErrorCode = code
	case *kmsg.AlterShareGroupOffsetsResponse:
		resp.ErrorCode = code
	case *kmsg.DeleteShareGroupOffsetsResponse:
		resp.ErrorCode = code
	}
	return resp
}

// failOffsetFetch says the error where each version has a place for it.
func failOffsetFetch(req *kmsg.OffsetFetchRequest, resp *kmsg.OffsetFetchResponse, code int16) {
	resp.ErrorCode = code
	if req.Version >= 2 {
		return
	}
	for _, q := range req.Topics {
		t := kmsg.NewOffsetFetchResponseTopic()
		t.Topic = q.Topic
		for _, p := range q.Partitions {
			e := kmsg.NewOffsetFetchResponseTopicPartition()
			e.Partition, e.Offset, e.Metadata, e.ErrorCode = p, -1, new(string), code
			t.Partitions = append(t.Partitions, e)
		}
		resp.Topics = append(resp.Topics, t)
	}
}
