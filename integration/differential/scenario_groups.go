package main

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func findCoordinator(kind int8, keys ...string) *kmsg.FindCoordinatorRequest {
	req := kmsg.NewPtrFindCoordinatorRequest()
	req.CoordinatorType, req.CoordinatorKeys = kind, keys
	if len(keys) > 0 {
		req.CoordinatorKey = keys[0]
	}
	return req
}

// coordinator waits until the cluster coordinates groups (kind 0) or transactions (kind 1).
func (s *session) coordinator(kind int8, key string) {
	ask[*kmsg.FindCoordinatorResponse](s, "", latest(findCoordinator(kind, key)), preparing(), until(func(r kmsg.Response) bool {
		return r.(*kmsg.FindCoordinatorResponse).Coordinators[0].ErrorCode == 0
	}))
	if kind == 0 {
		ask[*kmsg.HeartbeatResponse](s, "", latest(&kmsg.HeartbeatRequest{Group: key, MemberID: "nobody"}), preparing(), until(func(r kmsg.Response) bool {
			return r.(*kmsg.HeartbeatResponse).ErrorCode == 25
		}))
	}
}

func join(group, member string, protocols ...string) *kmsg.JoinGroupRequest {
	req := kmsg.NewPtrJoinGroupRequest()
	req.Group, req.MemberID, req.SessionTimeoutMillis, req.RebalanceTimeoutMillis, req.ProtocolType = group, member, 30_000, 30_000, "consumer"
	for _, p := range protocols {
		req.Protocols = append(req.Protocols, kmsg.JoinGroupRequestProtocol{Name: p, Metadata: []byte{0, 1, 0, 0, 0, 1, 0, 6, 'g', 'r', 'o', 'u', 'p', 's', 0xff, 0xff, 0xff, 0xff}})
	}
	return req
}

// joined makes a group of one stable member and returns the member's id.
func (s *session) joined(group string) (member string, generation int32) {
	s.coordinator(0, group)
	first := ask[*kmsg.JoinGroupResponse](s, "join "+group, at(3, join(group, "", "range")), preparing())
	sync := kmsg.NewPtrSyncGroupRequest()
	sync.Group, sync.Generation, sync.MemberID = group, first.Generation, first.MemberID
	sync.GroupAssignment = []kmsg.SyncGroupRequestGroupAssignment{{MemberID: first.MemberID, MemberAssignment: []byte{0, 0, 0, 0, 0, 0, 0, 0, 0, 0}}}
	ask[*kmsg.SyncGroupResponse](s, "sync "+group, at(3, sync), preparing())
	return first.MemberID, first.Generation
}

func leave(v int16, group string, members ...string) *kmsg.LeaveGroupRequest {
	req := kmsg.NewPtrLeaveGroupRequest()
	req.Version, req.Group = v, group
	for _, m := range members {
		req.MemberID = m
		req.Members = append(req.Members, kmsg.LeaveGroupRequestMember{MemberID: m})
	}
	return req
}

// coordinators: FindCoordinator.
func coordinators(s *session) {
	s.coordinator(0, "coordinators")
	s.coordinator(1, "coordinators")
	s.each("of a group", kmsg.FindCoordinator, func(int16) kmsg.Request { return findCoordinator(0, "coordinators") })
	s.each("of a transaction", kmsg.FindCoordinator, func(v int16) kmsg.Request {
		if v == 0 {
			return findCoordinator(0, "coordinators-b")
		}
		return findCoordinator(1, "coordinators")
	})
	for v := int16(1); v <= 6; v++ {
		s.send("of a kind that is not", at(v, findCoordinator(3, "coordinators")))
		s.send("of no name", at(v, findCoordinator(0, "")))
		s.send("of a transaction of no name", at(v, findCoordinator(1, "")))
	}
	for v := int16(4); v <= 6; v++ {
		s.send("of two", at(v, findCoordinator(0, "coordinators-a", "coordinators-b")))
		s.send("of none", at(v, findCoordinator(0)))
		s.send("of a share group", at(v, findCoordinator(2, "coordinators:AAAAAAAAAAAAAAAAAAAAAQ:0")))
	}
}

// classicGroups: one member in every version, and what goes wrong.
func classicGroups(s *session) {
	s.topic("groups", 2)
	s.coordinator(0, "groups")
	for v := range int16(10) {
		group := fmt.Sprintf("groups-join-%d", v)
		first := ask[*kmsg.JoinGroupResponse](s, "join", at(v, join(group, "", "range", "roundrobin")))
		if v >= 4 {
			first = ask[*kmsg.JoinGroupResponse](s, "join with the id", at(v, join(group, first.MemberID, "range", "roundrobin")))
		}
		sv, hv, lv := min(v, 5), min(v, 4), min(v, 5)
		sync := func(generation int32, member string) *kmsg.SyncGroupRequest {
			req := kmsg.NewPtrSyncGroupRequest()
			req.Version, req.Group, req.Generation, req.MemberID = sv, group, generation, member
			req.ProtocolType, req.Protocol = ptr("consumer"), ptr("range")
			req.GroupAssignment = []kmsg.SyncGroupRequestGroupAssignment{{MemberID: member, MemberAssignment: []byte("mine")}}
			return req
		}
		beat := func(generation int32, member string) *kmsg.HeartbeatRequest {
			req := kmsg.NewPtrHeartbeatRequest()
			req.Version, req.Group, req.Generation, req.MemberID = hv, group, generation, member
			return req
		}
		s.send("heartbeat before the sync", beat(first.Generation, first.MemberID))
		s.send("sync of another generation", sync(first.Generation+1, first.MemberID))
		s.send("sync of an unknown member", sync(first.Generation, "who"))
		s.send("sync", sync(first.Generation, first.MemberID))
		s.send("sync again", sync(first.Generation, first.MemberID))
		if sv >= 5 {
			other := sync(first.Generation, first.MemberID)
			other.Protocol = ptr("roundrobin")
			s.send("sync of another protocol", other)
			other = sync(first.Generation, first.MemberID)
			other.ProtocolType = ptr("connect")
			s.send("sync of another type", other)
		}
		s.send("heartbeat", beat(first.Generation, first.MemberID))
		s.send("heartbeat of another generation", beat(first.Generation-1, first.MemberID))
		s.send("heartbeat of an unknown member", beat(first.Generation, "who"))
		describe := kmsg.NewPtrDescribeGroupsRequest()
		describe.Version, describe.Groups, describe.IncludeAuthorizedOperations = min(v, 6), []string{group, "groups-nowhere"}, true
		s.send("describe", describe)
		s.send("delete while there is a member", at(min(v, 2), &kmsg.DeleteGroupsRequest{Groups: []string{group}}))
		s.send("leave of an unknown member", leave(lv, group, "who"))
		s.send("leave", leave(lv, group, first.MemberID))
		s.send("leave again", leave(lv, group, first.MemberID))
		s.send("describe what is left", describe)
		s.send("delete", at(min(v, 2), &kmsg.DeleteGroupsRequest{Groups: []string{group}}))
		s.send("delete again", at(min(v, 2), &kmsg.DeleteGroupsRequest{Groups: []string{group}}))
	}
	refuse := func(what string, edit func(*kmsg.JoinGroupRequest)) {
		for _, v := range []int16{0, 3, 5, 7, 9} {
			req := join("groups-refused", "", "range")
			edit(req)
			s.send(what, at(v, req))
		}
	}
	refuse("session too short", func(r *kmsg.JoinGroupRequest) { r.SessionTimeoutMillis = 999 })
	refuse("session too long", func(r *kmsg.JoinGroupRequest) { r.SessionTimeoutMillis = 1800001 })
	refuse("no group", func(r *kmsg.JoinGroupRequest) { r.Group = "" })
	refuse("no protocols", func(r *kmsg.JoinGroupRequest) { r.Protocols = nil })
	refuse("no protocol type", func(r *kmsg.JoinGroupRequest) { r.ProtocolType = "" })
	refuse("unknown member", func(r *kmsg.JoinGroupRequest) { r.MemberID = "who" })
	member, generation := s.joined("groups-there")
	refuse("another protocol type", func(r *kmsg.JoinGroupRequest) { r.Group, r.ProtocolType = "groups-there", "connect" })
	refuse("a protocol that the others have not", func(r *kmsg.JoinGroupRequest) { r.Group, r.Protocols[0].Name = "groups-there", "sticky" })

	static := join("groups-static", "", "range")
	static.InstanceID = ptr("one")
	first := ask[*kmsg.JoinGroupResponse](s, "static member", at(7, static))
	s.send("static member again", at(7, static))
	s.send("its first id", at(5, func() *kmsg.JoinGroupRequest {
		r := join("groups-static", first.MemberID, "range")
		r.InstanceID = ptr("one")
		return r
	}()))
	fenced := &kmsg.HeartbeatRequest{Version: 4, Group: "groups-static", Generation: 1, MemberID: first.MemberID, InstanceID: ptr("one")}
	s.send("heartbeat of its first id", fenced)
	fenced.InstanceID = ptr("two")
	s.send("heartbeat of an unknown instance", fenced)
	gone := leave(5, "groups-static", "")
	gone.Members[0].InstanceID = ptr("one")
	s.send("leave by the instance", gone)
	many := leave(4, "groups-there", member, "who")
	many.Members = append(many.Members, kmsg.LeaveGroupRequestMember{InstanceID: ptr("nobody")})
	s.send("leave of three", many)

	_, _ = s.joined("groups-listed")
	filter := func(states, types []string) func(v int16) kmsg.Request {
		return func(v int16) kmsg.Request {
			req := kmsg.NewPtrListGroupsRequest()
			if v >= 4 {
				req.StatesFilter = states
			}
			if v >= 5 {
				req.TypesFilter = types
			}
			return req
		}
	}
	s.each("list", kmsg.ListGroups, filter(nil, nil))
	s.each("list stable ones", kmsg.ListGroups, filter([]string{"Stable"}, nil))
	s.each("list unknown states", kmsg.ListGroups, filter([]string{"Sleeping"}, nil))
	s.each("list in small letters", kmsg.ListGroups, filter([]string{"stable"}, []string{"CLASSIC"}))
	s.each("list consumer groups", kmsg.ListGroups, filter(nil, []string{"consumer"}))
	s.each("list unknown types", kmsg.ListGroups, filter(nil, []string{"cow"}))
	_ = generation
}

func commit(group string, id [16]byte, generation int32, member, topic string, partition int32, offset int64) *kmsg.OffsetCommitRequest {
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Group, req.Generation, req.MemberID, req.RetentionTimeMillis = group, generation, member, -1
	req.Topics = []kmsg.OffsetCommitRequestTopic{{Topic: topic, TopicID: id, Partitions: []kmsg.OffsetCommitRequestTopicPartition{{Partition: partition, Offset: offset, LeaderEpoch: -1, Metadata: ptr("meta")}}}}
	return req
}

func offsetFetch(group string, id [16]byte, topic string, partitions ...int32) *kmsg.OffsetFetchRequest {
	req := kmsg.NewPtrOffsetFetchRequest()
	req.Group = group
	g := kmsg.NewOffsetFetchRequestGroup()
	g.Group, g.MemberEpoch = group, -1
	if topic != "" {
		req.Topics = []kmsg.OffsetFetchRequestTopic{{Topic: topic, Partitions: partitions}}
		g.Topics = []kmsg.OffsetFetchRequestGroupTopic{{Topic: topic, TopicID: id, Partitions: partitions}}
	}
	req.Groups = append(req.Groups, g)
	return req
}

// offsetsCommitted: OffsetCommit, OffsetFetch, OffsetDelete.
func offsetsCommitted(s *session) {
	id := s.topic("commits", 2)
	member, generation := s.joined("commits")
	s.each("by the member", kmsg.OffsetCommit, func(v int16) kmsg.Request {
		return commit("commits", id, generation, member, "commits", 0, 10+int64(v))
	})
	s.each("by nobody, in a group of its own", kmsg.OffsetCommit, func(v int16) kmsg.Request { return commit("commits-own", id, -1, "", "commits", 1, 20+int64(v)) })
	s.each("by nobody, in a group with members", kmsg.OffsetCommit, func(v int16) kmsg.Request { return commit("commits", id, -1, "", "commits", 1, 5) })
	s.each("by an unknown member", kmsg.OffsetCommit, func(int16) kmsg.Request { return commit("commits", id, generation, "who", "commits", 0, 1) })
	s.each("of another generation", kmsg.OffsetCommit, func(int16) kmsg.Request { return commit("commits", id, generation+1, member, "commits", 0, 1) })
	s.each("by a member of a group that is not", kmsg.OffsetCommit, func(int16) kmsg.Request { return commit("commits-nowhere", id, 3, "who", "commits", 0, 1) })
	s.each("of an unknown topic", kmsg.OffsetCommit, func(int16) kmsg.Request {
		return commit("commits", [16]byte{8}, generation, member, "commits-nowhere", 0, 1)
	})
	s.each("of an unknown partition", kmsg.OffsetCommit, func(int16) kmsg.Request { return commit("commits", id, generation, member, "commits", 9, 1) })
	s.each("of a negative offset", kmsg.OffsetCommit, func(int16) kmsg.Request { return commit("commits-negative", id, -1, "", "commits", 0, -1) })
	s.each("without a group", kmsg.OffsetCommit, func(int16) kmsg.Request { return commit("", id, -1, "", "commits", 0, 1) })
	s.each("with too much metadata", kmsg.OffsetCommit, func(int16) kmsg.Request {
		req := commit("commits", id, generation, member, "commits", 0, 1)
		req.Topics[0].Partitions[0].Metadata = ptr(fmt.Sprintf("%065d", 1))
		return req
	})
	s.each("with as much metadata as may be", kmsg.OffsetCommit, func(int16) kmsg.Request {
		req := commit("commits", id, generation, member, "commits", 0, 1)
		req.Topics[0].Partitions[0].Metadata = ptr(fmt.Sprintf("%064d", 1))
		return req
	})
	s.each("with null metadata", kmsg.OffsetCommit, func(int16) kmsg.Request {
		req := commit("commits", id, generation, member, "commits", 1, 3)
		req.Topics[0].Partitions[0].Metadata, req.Topics[0].Partitions[0].LeaderEpoch = nil, 0
		return req
	})
	s.each("read", kmsg.OffsetFetch, func(int16) kmsg.Request { return offsetFetch("commits", id, "commits", 0, 1, 9) })
	s.each("read everything", kmsg.OffsetFetch, func(v int16) kmsg.Request {
		req := offsetFetch("commits", id, "")
		if v < 2 {
			req.Topics = []kmsg.OffsetFetchRequestTopic{} // version 1 has no way to ask for everything
		}
		return req
	})
	s.each("read of an unknown topic", kmsg.OffsetFetch, func(int16) kmsg.Request { return offsetFetch("commits", [16]byte{8}, "commits-nowhere", 0) })
	s.each("read of an unknown group", kmsg.OffsetFetch, func(int16) kmsg.Request { return offsetFetch("commits-nowhere", id, "commits", 0) })
	s.each("read without a group", kmsg.OffsetFetch, func(int16) kmsg.Request { return offsetFetch("", id, "commits", 0) })
	s.each("read what is stable", kmsg.OffsetFetch, func(int16) kmsg.Request {
		req := offsetFetch("commits", id, "commits", 0)
		req.RequireStable = true
		return req
	})
	for v := int16(9); v <= 10; v++ {
		req := offsetFetch("commits", id, "commits", 0)
		req.Groups[0].MemberID, req.Groups[0].MemberEpoch = ptr("who"), 3
		s.send("read by a member", at(v, req))
		two := offsetFetch("commits", id, "commits", 0)
		two.Groups = append(two.Groups, offsetFetch("commits-own", id, "commits", 1).Groups...)
		s.send("read of two groups", at(v, two))
	}
	del := func(what, group, topic string, partition int32) {
		s.send(what, latest(&kmsg.OffsetDeleteRequest{Group: group, Topics: []kmsg.OffsetDeleteRequestTopic{{Topic: topic, Partitions: []kmsg.OffsetDeleteRequestTopicPartition{{Partition: partition}}}}}))
	}
	del("delete of a topic that nobody subscribes to", "commits", "commits", 0)
	del("delete", "commits-own", "commits", 1)
	del("delete again", "commits-own", "commits", 1)
	del("delete in an unknown group", "commits-nowhere", "commits", 1)
	del("delete in an unknown topic", "commits", "commits-nowhere", 1)
	del("delete in an unknown partition", "commits", "commits", 9)
	del("delete without a group", "", "commits", 0)
	s.send("read what is left", latest(offsetFetch("commits-own", id, "commits", 1)))
	s.each("delete groups", kmsg.DeleteGroups, func(v int16) kmsg.Request {
		return &kmsg.DeleteGroupsRequest{Groups: []string{"commits", "commits-nowhere", "", "commits-nowhere"}}
	})
}

// consumerGroups: KIP-848.
func consumerGroups(s *session) {
	id := s.topic("consumers", 2)
	s.coordinator(0, "consumers")
	beat := func(group, member string, epoch int32) *kmsg.ConsumerGroupHeartbeatRequest {
		req := kmsg.NewPtrConsumerGroupHeartbeatRequest()
		req.Version, req.Group, req.MemberID, req.MemberEpoch, req.RebalanceTimeoutMillis = 1, group, member, epoch, -1
		return req
	}
	first := func(group, member string) *kmsg.ConsumerGroupHeartbeatRequest {
		req := beat(group, member, 0)
		req.RebalanceTimeoutMillis, req.SubscribedTopicNames, req.Topics = 30_000, []string{"consumers"}, []kmsg.ConsumerGroupHeartbeatRequestTopic{}
		return req
	}
	describe := func(what string, groups ...string) {
		for v := range int16(2) {
			s.send(what, at(v, &kmsg.ConsumerGroupDescribeRequest{Groups: groups, IncludeAuthorizedOperations: v == 1}))
		}
	}
	member := ask[*kmsg.ConsumerGroupHeartbeatResponse](s, "join in version 0", at(0, first("consumers-old", "")))
	s.send("join in version 1 without an id", first("consumers", ""))
	const me = "first"
	s.send("join", first("consumers", me))
	s.send("heartbeat", beat("consumers", me, 1))
	owned := beat("consumers", me, 1)
	owned.Topics = []kmsg.ConsumerGroupHeartbeatRequestTopic{{TopicID: id, Partitions: []int32{0, 1}}}
	s.send("what it has", owned)
	describe("describe", "consumers", "consumers-nowhere", "")
	s.each("describe as a classic group", kmsg.DescribeGroups, func(int16) kmsg.Request { return &kmsg.DescribeGroupsRequest{Groups: []string{"consumers"}} })
	s.send("a second one", first("consumers", "second"))
	s.send("the first gives up", beat("consumers", me, 1))
	less := beat("consumers", me, 1)
	less.Topics = []kmsg.ConsumerGroupHeartbeatRequestTopic{{TopicID: id, Partitions: []int32{0}}}
	s.send("it has given up", less)
	s.send("the second gets", beat("consumers", "second", 2))
	describe("describe two", "consumers")
	s.send("a future epoch", beat("consumers", me, 9))
	s.send("epoch 0 again", first("consumers", me))
	s.send("an unknown member", beat("consumers", "who", 2))
	s.send("an unknown group", beat("consumers-nowhere", "who", 2))
	for what, edit := range ordered[func(*kmsg.ConsumerGroupHeartbeatRequest)](
		"no group", func(r *kmsg.ConsumerGroupHeartbeatRequest) { r.Group = "" },
		"no rebalance timeout", func(r *kmsg.ConsumerGroupHeartbeatRequest) { r.RebalanceTimeoutMillis = -1 },
		"no topics owned", func(r *kmsg.ConsumerGroupHeartbeatRequest) { r.Topics = nil },
		"topics owned at first", func(r *kmsg.ConsumerGroupHeartbeatRequest) {
			r.Topics = []kmsg.ConsumerGroupHeartbeatRequestTopic{{TopicID: id, Partitions: []int32{0}}}
		},
		"no subscription", func(r *kmsg.ConsumerGroupHeartbeatRequest) { r.SubscribedTopicNames = nil },
		"an empty subscription", func(r *kmsg.ConsumerGroupHeartbeatRequest) { r.SubscribedTopicNames = []string{} },
		"an unknown assignor", func(r *kmsg.ConsumerGroupHeartbeatRequest) { r.ServerAssignor = ptr("best") },
		"an empty instance", func(r *kmsg.ConsumerGroupHeartbeatRequest) { r.InstanceID = ptr("") },
		"an empty rack", func(r *kmsg.ConsumerGroupHeartbeatRequest) { r.RackID = ptr("") },
		"epoch -3", func(r *kmsg.ConsumerGroupHeartbeatRequest) { r.MemberEpoch = -3 },
		"epoch -1", func(r *kmsg.ConsumerGroupHeartbeatRequest) { r.MemberEpoch = -1 },
		"epoch -2 without an instance", func(r *kmsg.ConsumerGroupHeartbeatRequest) { r.MemberEpoch = -2 },
		"a regular expression that is none", func(r *kmsg.ConsumerGroupHeartbeatRequest) { r.SubscribedTopicRegex = ptr("[") },
		"unknown topics", func(r *kmsg.ConsumerGroupHeartbeatRequest) { r.SubscribedTopicNames = []string{"consumers-nowhere"} },
	) {
		req := first("consumers-refused", "somebody")
		edit(req)
		s.send(what, req)
	}
	static := first("consumers-static", "one")
	static.InstanceID = ptr("instance")
	s.send("static", static)
	taken := first("consumers-static", "two")
	taken.InstanceID = ptr("instance")
	s.send("its instance is taken", taken)
	away := beat("consumers-static", "one", -2)
	away.InstanceID = ptr("instance")
	s.send("it goes for a while", away)
	s.send("its follower", taken)
	s.send("its first id", beat("consumers-static", "one", 1))
	s.send("commit", latest(commit("consumers", id, 2, "second", "consumers", 0, 3)))
	s.send("commit of a stale epoch", latest(commit("consumers", id, 1, "second", "consumers", 0, 3)))
	s.send("commit by an unknown member", latest(commit("consumers", id, 2, "who", "consumers", 0, 3)))
	s.send("commit by nobody", latest(commit("consumers", id, -1, "", "consumers", 0, 3)))
	read := offsetFetch("consumers", id, "consumers", 0)
	read.Groups[0].MemberID, read.Groups[0].MemberEpoch = ptr("second"), 2
	s.send("read", latest(read))
	read.Groups[0].MemberEpoch = 1
	s.send("read of a stale epoch", latest(read))
	read.Groups[0].MemberID = ptr("who")
	s.send("read by an unknown member", latest(read))
	s.send("classic member of an unknown protocol", at(9, join("consumers", "", "nothing-known")))
	s.send("leave as a classic member", leave(5, "consumers", "second"))
	s.send("leave", beat("consumers", me, -1))
	s.send("leave again", beat("consumers", me, -1))
	describe("describe what is left", "consumers")
	s.send("delete what has members", latest(&kmsg.DeleteGroupsRequest{Groups: []string{"consumers-old", "consumers"}}))
	s.send("delete offsets", latest(&kmsg.OffsetDeleteRequest{Group: "consumers", Topics: []kmsg.OffsetDeleteRequestTopic{{Topic: "consumers", Partitions: []kmsg.OffsetDeleteRequestTopicPartition{{Partition: 0}}}}}))
	if member.MemberID != nil {
		s.send("the first leaves", beat("consumers-old", *member.MemberID, -1))
	}
}

// ordered yields pairs of a name and a value in their order.
func ordered[V any](pairs ...any) func(func(string, V) bool) {
	return func(yield func(string, V) bool) {
		for i := 0; i < len(pairs); i += 2 {
			if !yield(pairs[i].(string), pairs[i+1].(V)) {
				return
			}
		}
	}
}
