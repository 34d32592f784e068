package main

import (
	"encoding/base64"
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func shareBeat(group, member string, epoch int32, topics ...string) *kmsg.ShareGroupHeartbeatRequest {
	req := kmsg.NewPtrShareGroupHeartbeatRequest()
	req.Version, req.GroupID, req.MemberID, req.MemberEpoch, req.SubscribedTopicNames = 1, group, member, epoch, topics
	return req
}

// shareMember makes the first member of a share group, which has all its partitions in the end, and returns its epoch.
func (s *session) shareMember(group, member string, topics ...string) int32 {
	s.coordinator(0, group)
	epoch := s.joinShares(group, member, topics...)
	return ask[*kmsg.ShareGroupHeartbeatResponse](s, "its partitions", shareBeat(group, member, epoch), until(func(r kmsg.Response) bool {
		resp := r.(*kmsg.ShareGroupHeartbeatResponse)
		return resp.Assignment != nil && len(resp.Assignment.TopicPartitions) == len(topics)
	})).MemberEpoch
}

func (s *session) joinShares(group, member string, topics ...string) int32 {
	return ask[*kmsg.ShareGroupHeartbeatResponse](s, "join "+group, shareBeat(group, member, 0, topics...), until(func(r kmsg.Response) bool {
		return r.(*kmsg.ShareGroupHeartbeatResponse).ErrorCode == 0
	})).MemberEpoch
}

// sharesServed waits for the coordinator of what share groups have acquired: Kafka has none before the first question after one.
func (s *session) sharesServed(group string, id [16]byte) {
	ask[*kmsg.ShareFetchResponse](s, "", shareFetch(2, group, memberID(98), 0, id), preparing(), until(func(r kmsg.Response) bool {
		return len(r.(*kmsg.ShareFetchResponse).Topics) == 1
	}))
}

func (s *session) groupSettings(group string, settings ...string) {
	req := kmsg.NewPtrIncrementalAlterConfigsRequest()
	q := kmsg.NewIncrementalAlterConfigsRequestResource()
	q.ResourceType, q.ResourceName = kmsg.ConfigResourceTypeGroupConfig, group
	for i := 0; i < len(settings); i += 2 {
		q.Configs = append(q.Configs, kmsg.IncrementalAlterConfigsRequestResourceConfig{Name: settings[i], Value: &settings[i+1]})
	}
	req.Resources = append(req.Resources, q)
	s.send("settings of "+group, latest(req), preparing())
	ask[*kmsg.DescribeConfigsResponse](s, "settings of "+group, latest(&kmsg.DescribeConfigsRequest{Resources: []kmsg.DescribeConfigsRequestResource{{
		ResourceType: kmsg.ConfigResourceTypeGroupConfig, ResourceName: group, ConfigNames: []string{settings[0]},
	}}}), preparing(), until(func(r kmsg.Response) bool {
		res := r.(*kmsg.DescribeConfigsResponse).Resources
		return len(res) == 1 && len(res[0].Configs) == 1 && *res[0].Configs[0].Value == settings[1]
	}))
}

// shareFetch is a fetch of one partition that waits for a second at most. With no topic it names none.
func shareFetch(v int16, group, member string, epoch int32, topics ...[16]byte) *kmsg.ShareFetchRequest {
	req := kmsg.NewPtrShareFetchRequest()
	req.Version, req.GroupID, req.MemberID, req.ShareSessionEpoch = v, &group, &member, epoch
	req.MaxWaitMillis, req.MinBytes, req.MaxBytes, req.MaxRecords, req.BatchSize = 500, 1, 1<<20, 100, 100
	for _, id := range topics {
		req.Topics = append(req.Topics, kmsg.ShareFetchRequestTopic{TopicID: id, Partitions: []kmsg.ShareFetchRequestTopicPartition{{}}})
	}
	return req
}

func fetchAck(req *kmsg.ShareFetchRequest, first, last int64, types ...int8) *kmsg.ShareFetchRequest {
	p := &req.Topics[0].Partitions[0]
	p.AcknowledgementBatches = append(p.AcknowledgementBatches, kmsg.ShareFetchRequestTopicPartitionAcknowledgementBatch{FirstOffset: first, LastOffset: last, AcknowledgeTypes: types})
	return req
}

func shareAck(v int16, group, member string, epoch int32, id [16]byte, first, last int64, types ...int8) *kmsg.ShareAcknowledgeRequest {
	req := kmsg.NewPtrShareAcknowledgeRequest()
	req.Version, req.GroupID, req.MemberID, req.ShareSessionEpoch = v, &group, &member, epoch
	p := kmsg.NewShareAcknowledgeRequestTopicPartition()
	p.AcknowledgementBatches = []kmsg.ShareAcknowledgeRequestTopicPartitionAcknowledgementBatch{{FirstOffset: first, LastOffset: last, AcknowledgeTypes: types}}
	req.Topics = []kmsg.ShareAcknowledgeRequestTopic{{TopicID: id, Partitions: []kmsg.ShareAcknowledgeRequestTopicPartition{p}}}
	return req
}

// memberID names a member so that it is as long as one of Kafka's.
func memberID(n int) string {
	return base64.RawURLEncoding.EncodeToString([]byte(fmt.Sprintf("share member %03d", n)))
}

// shareGroups: a member acquires and acknowledges in every version, two members take from one another, records end.
func shareGroups(s *session) {
	for v := int16(1); v <= 2; v++ {
		topic, group := fmt.Sprintf("shares-%d", v), fmt.Sprintf("shares-g-%d", v)
		id := s.topic(topic, 1)
		s.groupSettings(group, "share.auto.offset.reset", "earliest", "share.delivery.count.limit", "3")
		for _, vs := range [][]string{{"a", "b", "c"}, {"d", "e"}, {"f"}, {"g", "h", "i", "j"}} {
			s.send("produce", latest(produce(topic, id, 0, s.batch(values(vs...)...).encode())), preparing())
		}
		a, b := memberID(int(v)*10), memberID(int(v)*10+1)
		epoch := s.shareMember(group, a, topic)
		s.send("heartbeat", shareBeat(group, a, epoch))
		s.send("full heartbeat", shareBeat(group, a, epoch, topic))
		s.send("heartbeat of an epoch to come", shareBeat(group, a, epoch+5))
		s.send("heartbeat of an unknown member", shareBeat(group, memberID(99), 3))
		describe := kmsg.NewPtrShareGroupDescribeRequest()
		describe.Version, describe.GroupIDs, describe.IncludeAuthorizedOperations = 1, []string{group, "shares-nowhere", ""}, true
		s.send("describe", describe)

		line := over("a")
		fetch := func(what string, req kmsg.Request, opts ...option) { s.send(what, req, append(opts, line)...) }
		first := shareFetch(v, group, a, 0, id)
		first.MaxRecords, first.BatchSize = 4, 2
		fetch("first fetch", first)
		few := shareFetch(v, group, a, 1, id)
		few.MaxRecords = 1
		fetch("one more", few)
		fetch("acknowledge", shareAck(v, group, a, 2, id, 0, 4, 1, 2, 3, 0, 2))
		fetch("acknowledge again", shareAck(v, group, a, 3, id, 0, 4, 1))
		fetch("what was released", shareFetch(v, group, a, 4))
		fetch("of another member's session", shareAck(v, group, b, 1, id, 1, 1, 1))
		fetch("past what is acquired", shareAck(v, group, a, 5, id, 1, 40, 1))
		fetch("before what is acquired", shareAck(v, group, a, 6, id, 0, 0, 1))
		fetch("a type that is not", shareAck(v, group, a, 7, id, 1, 1, 9))
		fetch("types that are too few", shareAck(v, group, a, 8, id, 1, 4, 1, 1))
		fetch("no types", shareAck(v, group, a, 9, id, 1, 4))
		fetch("from the end to the beginning", shareAck(v, group, a, 10, id, 4, 1, 1))
		renew := shareAck(v, group, a, 11, id, 1, 1, 4)
		renew.IsRenewAck = true
		fetch("renew", renew)
		unsaid := shareAck(v, group, a, 12, id, 1, 1, 4)
		fetch("renew without saying so", unsaid)
		fetch("release again", shareAck(v, group, a, 13, id, 1, 1, 2))
		last := fetchAck(shareFetch(v, group, a, 14, id), 4, 4, 1)
		fetch("fetch with an acknowledgement", last)
		s.joinShares(group, b, topic)
		s.send("the other's first fetch", shareFetch(v, group, b, 0, id), over("b"))
		s.send("the other acknowledges what it has not", shareAck(v, group, b, 1, id, 1, 1, 1), over("b"))
		fetch("the last release", shareAck(v, group, a, 15, id, 1, 1, 2))
		fetch("nothing", shareFetch(v, group, a, 16))
		fetch("the end", shareFetch(v, group, a, -1))
		s.send("what the session gives back", shareFetch(v, group, b, 2), over("b"))
		if v == 2 {
			exact := shareFetch(v, group, b, 3)
			exact.ShareAcquireMode, exact.MaxRecords = 1, 2
			s.send("release all", shareAck(v, group, b, 3, id, 6, 9, 2), over("b"))
			exact.ShareSessionEpoch = 4
			s.send("exactly two", exact, over("b"))
		}
		s.send("its end", shareAck(v, group, b, -1, id, 6, 9, 1), over("b"))
		s.send("after the end", shareAck(v, group, b, 5, id, 6, 9, 1), over("b"))
		s.send("list", at(5, &kmsg.ListGroupsRequest{TypesFilter: []string{"share"}, StatesFilter: []string{"Stable"}}))
		s.send("leave", shareBeat(group, a, -1))
		s.send("leave again", shareBeat(group, a, -1))
		s.send("leave", shareBeat(group, b, -1))
		s.send("describe what is left", describe)
		s.send("delete", latest(&kmsg.DeleteGroupsRequest{Groups: []string{group}}))
		s.send("describe what is gone", describe)
	}
}

// shareRequestsRefused: what a share group is not, and what is wrong with requests.
func shareRequestsRefused(s *session) {
	id := s.topic("shares-refused", 1)
	group, a := "shares-refused-g", memberID(50)
	s.coordinator(0, group)
	s.send("no such group", shareBeat("shares-nowhere", a, 3))
	s.send("leave of no group", shareBeat("shares-nowhere", a, -1))
	s.send("no group", shareBeat("", a, 0, "shares-refused"))
	s.send("no member", shareBeat(group, "", 0, "shares-refused"))
	s.send("a member id that is too long", shareBeat(group, a+a, 0, "shares-refused"))
	s.send("no topics", shareBeat(group, a, 0))
	s.send("epoch -2", shareBeat(group, a, -2))
	rack := shareBeat(group, a, 0, "shares-refused")
	rack.RackID = new(string)
	s.send("empty rack", rack)
	s.send("a topic that is not", shareBeat("shares-refused-t", a, 0, "shares-refused-nowhere"))
	s.sharesServed(group, id)
	for v := int16(1); v <= 2; v++ {
		// The member that keeps its connection is another one: Kafka ends the session of a connection that is gone, and notices it when it may.
		a, kept := memberID(50+int(v)), memberID(54+int(v))
		s.send("fetch of no group", &kmsg.ShareFetchRequest{Version: v, MemberID: &a})
		s.send("fetch of no member", &kmsg.ShareFetchRequest{Version: v, GroupID: &group})
		s.send("acknowledge of no group", &kmsg.ShareAcknowledgeRequest{Version: v, MemberID: &a})
		s.send("acknowledge of no member", &kmsg.ShareAcknowledgeRequest{Version: v, GroupID: &group})
		s.send("no session", shareFetch(v, group, a, 1, id))
		s.send("the end of no session", shareFetch(v, group, a, -1))
		s.send("acknowledge without a session", shareAck(v, group, a, 1, id, 0, 0, 1))
		s.send("acknowledge with a new session", shareAck(v, group, a, 0, id, 0, 0, 1))
		s.send("acknowledge at the end of no session", shareAck(v, group, a, -1, id, 0, 0, 1))
		s.send("a first fetch that acknowledges", fetchAck(shareFetch(v, group, a, 0, id), 0, 0, 1))
		s.send("nobody has joined", shareFetch(v, group, a, 0, id))
		s.send("an unknown topic", shareFetch(v, group, a, 0, [16]byte{1, 2, 3}))
		outside := shareFetch(v, group, a, 0, id)
		outside.Topics[0].Partitions[0].Partition = 7
		s.send("an unknown partition", outside)
		s.send("nothing is fetched", shareFetch(v, group, kept, 0), over("r"))
		s.send("another epoch", shareFetch(v, group, kept, 5), over("r"))
		s.send("acknowledge what was not fetched", shareAck(v, group, kept, 1, id, 0, 0, 1), over("r"))
		s.send("acknowledge what is not there", shareAck(v, group, kept, 2, [16]byte{1, 2, 3}, 0, 0, 1), over("r"))
		s.send("the end", shareFetch(v, group, kept, -1), over("r"))
	}
	for _, change := range []func(*kmsg.ShareFetchRequest){
		func(r *kmsg.ShareFetchRequest) { r.MaxBytes = 1 }, func(r *kmsg.ShareFetchRequest) { r.MinBytes = 1 },
		func(r *kmsg.ShareFetchRequest) { r.MaxRecords = 1 }, func(r *kmsg.ShareFetchRequest) { r.MaxWaitMillis = 1 },
	} {
		req := shareFetch(2, group, a, 0)
		req.IsRenewAck, req.MaxBytes, req.MinBytes, req.MaxRecords, req.MaxWaitMillis = true, 0, 0, 0, 0
		change(req)
		s.send("a renewal that fetches", req)
	}
	s.shareMember(group, a, "shares-refused")
	s.send("classic member", latest(join(group, "", "range")))
	s.send("classic heartbeat", latest(&kmsg.HeartbeatRequest{Group: group, MemberID: a}))
	s.send("classic description", latest(&kmsg.DescribeGroupsRequest{Groups: []string{group}}))
	s.send("consumer's description", latest(&kmsg.ConsumerGroupDescribeRequest{Groups: []string{group}}))
	beat := kmsg.NewPtrConsumerGroupHeartbeatRequest()
	beat.Version, beat.Group, beat.MemberID, beat.RebalanceTimeoutMillis = 1, group, a, 1000
	beat.SubscribedTopicNames, beat.Topics = []string{"shares-refused"}, []kmsg.ConsumerGroupHeartbeatRequestTopic{}
	s.send("consumer's heartbeat", beat)
	s.send("offsets deleted", latest(&kmsg.OffsetDeleteRequest{Group: group, Topics: []kmsg.OffsetDeleteRequestTopic{{Topic: "shares-refused", Partitions: []kmsg.OffsetDeleteRequestTopicPartition{{}}}}}))
	commit := kmsg.NewPtrOffsetCommitRequest()
	commit.Version, commit.Group, commit.Generation = 9, group, -1
	commit.Topics = []kmsg.OffsetCommitRequestTopic{{Topic: "shares-refused", Partitions: []kmsg.OffsetCommitRequestTopicPartition{{Offset: 1, LeaderEpoch: -1}}}}
	s.send("offsets committed", commit)
	s.send("offsets fetched", at(9, &kmsg.OffsetFetchRequest{Groups: []kmsg.OffsetFetchRequestGroup{{Group: group, Topics: []kmsg.OffsetFetchRequestGroupTopic{{Topic: "shares-refused", Partitions: []int32{0}}}}}}))
	s.send("delete with a member", latest(&kmsg.DeleteGroupsRequest{Groups: []string{group}}))
	s.joined("shares-refused-c")
	s.send("share member of a classic group", shareBeat("shares-refused-c", a, 0, "shares-refused"))
	s.send("description of a classic group", at(1, &kmsg.ShareGroupDescribeRequest{GroupIDs: []string{"shares-refused-c"}}))
}

// shareOffsets: where a share group reads is described, set and forgotten.
func shareOffsets(s *session) {
	id := s.topic("shares-offsets", 2)
	group, a := "shares-offsets-g", memberID(60)
	s.coordinator(0, group)
	s.groupSettings(group, "share.auto.offset.reset", "earliest")
	s.send("produce", latest(produce("shares-offsets", id, 0, s.batch(values("a", "b", "c", "d", "e")...).encode())), preparing())
	all := func(v int16) *kmsg.DescribeShareGroupOffsetsRequest {
		req := kmsg.NewPtrDescribeShareGroupOffsetsRequest()
		req.Groups = []kmsg.DescribeShareGroupOffsetsRequestGroup{{GroupID: group}}
		return at(v, req)
	}
	describe := func(what string) {
		s.each(what, kmsg.DescribeShareGroupOffsets, func(v int16) kmsg.Request { return all(v) })
		s.each(what+", by name", kmsg.DescribeShareGroupOffsets, func(v int16) kmsg.Request {
			req := all(v)
			req.Groups[0].Topics = []kmsg.DescribeShareGroupOffsetsRequestGroupTopic{{Topic: "shares-offsets", Partitions: []int32{0, 1}}, {Topic: "shares-offsets-nowhere", Partitions: []int32{0}}}
			return req
		})
		s.each(what+", none", kmsg.DescribeShareGroupOffsets, func(v int16) kmsg.Request {
			req := all(v)
			req.Groups[0].Topics = []kmsg.DescribeShareGroupOffsetsRequestGroupTopic{}
			return req
		})
	}
	alter := func(what, topic string, start int64, partitions ...int32) {
		t := kmsg.AlterShareGroupOffsetsRequestTopic{Topic: topic}
		for _, p := range partitions {
			t.Partitions = append(t.Partitions, kmsg.AlterShareGroupOffsetsRequestTopicPartition{Partition: p, StartOffset: start})
		}
		s.send(what, latest(&kmsg.AlterShareGroupOffsetsRequest{GroupID: group, Topics: []kmsg.AlterShareGroupOffsetsRequestTopic{t}}))
	}
	forget := func(what, group string, topics ...string) {
		req := &kmsg.DeleteShareGroupOffsetsRequest{GroupID: group}
		for _, t := range topics {
			req.Topics = append(req.Topics, kmsg.DeleteShareGroupOffsetsRequestTopic{Topic: t})
		}
		s.send(what, latest(req))
	}
	describe("before anything")
	forget("forget of no group", group, "shares-offsets")
	forget("forget of no name", "", "shares-offsets")
	s.shareMember(group, a, "shares-offsets")
	describe("joined")
	s.send("fetch", shareFetch(2, group, a, 0, id), over("a"))
	describe("fetched")
	s.send("acknowledge", shareAck(2, group, a, 1, id, 0, 1, 1), over("a"))
	describe("acknowledged")
	s.send("acknowledge", shareAck(2, group, a, 2, id, 3, 3, 1), over("a"))
	describe("acknowledged more")
	alter("set with a member", "shares-offsets", 1, 0)
	forget("forget with a member", group, "shares-offsets")
	s.send("the end", shareFetch(2, group, a, -1), over("a"))
	s.send("leave", shareBeat(group, a, -1))
	alter("set", "shares-offsets", 2, 0, 9)
	alter("set what is not there", "shares-offsets-nowhere", 0, 0)
	s.send("set nothing", latest(&kmsg.AlterShareGroupOffsetsRequest{GroupID: group}))
	s.send("set of no name", latest(&kmsg.AlterShareGroupOffsetsRequest{}))
	describe("set")
	forget("forget", group, "shares-offsets", "shares-offsets-nowhere")
	forget("forget again", group, "shares-offsets")
	describe("forgotten")
	s.joined("shares-offsets-c")
	s.send("set of a classic group", latest(&kmsg.AlterShareGroupOffsetsRequest{GroupID: "shares-offsets-c", Topics: []kmsg.AlterShareGroupOffsetsRequestTopic{{Topic: "shares-offsets", Partitions: []kmsg.AlterShareGroupOffsetsRequestTopicPartition{{}}}}}))
	forget("forget of a classic group", "shares-offsets-c", "shares-offsets")
}

// shareState: what brokers ask the share coordinator.
func shareState(s *session) {
	id := s.topic("shares-state", 1)
	group := "shares-state-g"
	key := fmt.Sprintf("%s:%s:0", group, base64.RawURLEncoding.EncodeToString(id[:]))
	ask[*kmsg.FindCoordinatorResponse](s, "", latest(findCoordinator(2, key)), preparing(), until(func(r kmsg.Response) bool {
		return r.(*kmsg.FindCoordinatorResponse).Coordinators[0].ErrorCode == 0
	}))
	for _, name := range []string{key, "", "g", "g:0", ":AAAAAAAAAAAAAAAAAAAAAQ:0", "g:AAAA:0", "g:AAAAAAAAAAAAAAAAAAAAAQ:x", "a:b:AAAAAAAAAAAAAAAAAAAAAQ:0"} {
		for v := int16(4); v <= 6; v++ {
			s.send(fmt.Sprintf("coordinator of %d bytes", len(name)), at(v, findCoordinator(2, name)))
		}
	}
	read := func(what string, partition, leader int32) {
		s.send(what, latest(&kmsg.ReadShareGroupStateRequest{GroupID: group, Topics: []kmsg.ReadShareGroupStateRequestTopic{{TopicID: id, Partitions: []kmsg.ReadShareGroupStateRequestTopicPartition{{Partition: partition, LeaderEpoch: leader}}}}}), until(func(r kmsg.Response) bool {
			ts := r.(*kmsg.ReadShareGroupStateResponse).Topics
			return len(ts) == 0 || ts[0].Partitions[0].ErrorCode != 14
		}))
	}
	initialize := func(what string, partition, epoch int32, start int64) {
		s.send(what, latest(&kmsg.InitializeShareGroupStateRequest{GroupID: group, Topics: []kmsg.InitializeShareGroupStateRequestTopic{{TopicID: id, Partitions: []kmsg.InitializeShareGroupStateRequestTopicPartition{{Partition: partition, StateEpoch: epoch, StartOffset: start}}}}}))
	}
	write := func(v int16, what string, p kmsg.WriteShareGroupStateRequestTopicPartition) {
		s.send(what, at(v, &kmsg.WriteShareGroupStateRequest{GroupID: group, Topics: []kmsg.WriteShareGroupStateRequestTopic{{TopicID: id, Partitions: []kmsg.WriteShareGroupStateRequestTopicPartition{p}}}}))
	}
	summary := func(what string, partition int32) {
		s.each(what, kmsg.ReadShareGroupStateSummary, func(int16) kmsg.Request {
			return &kmsg.ReadShareGroupStateSummaryRequest{GroupID: group, Topics: []kmsg.ReadShareGroupStateSummaryRequestTopic{{TopicID: id, Partitions: []kmsg.ReadShareGroupStateSummaryRequestTopicPartition{{Partition: partition}}}}}
		})
	}
	remove := func(what string, partition int32) {
		s.send(what, latest(&kmsg.DeleteShareGroupStateRequest{GroupID: group, Topics: []kmsg.DeleteShareGroupStateRequestTopic{{TopicID: id, Partitions: []kmsg.DeleteShareGroupStateRequestTopicPartition{{Partition: partition}}}}}))
	}
	read("read of what is not known", 0, 0)
	summary("summary of what is not known", 0)
	remove("delete what is not known", 0)
	initialize("initialize", 0, 1, -1)
	initialize("initialize a partition that is not", 7, 1, -1)
	initialize("initialize a negative partition", -1, 1, -1)
	summary("initialized", 0)
	read("read", 0, 2)
	read("read of an earlier leader", 0, 1)
	read("read of nobody", 0, -1)
	batch := func(first, last int64, state int8, count int16) kmsg.WriteShareGroupStateRequestTopicPartitionStateBatch {
		return kmsg.WriteShareGroupStateRequestTopicPartitionStateBatch{FirstOffset: first, LastOffset: last, DeliveryState: state, DeliveryCount: count}
	}
	for v := range int16(2) {
		write(v, "write", kmsg.WriteShareGroupStateRequestTopicPartition{StateEpoch: 1, LeaderEpoch: 2, StartOffset: 0, DeliveryCompleteCount: 3,
			StateBatches: []kmsg.WriteShareGroupStateRequestTopicPartitionStateBatch{batch(0, 9, 0, 1), batch(12, 14, 2, 1)}})
		write(v, "write over it", kmsg.WriteShareGroupStateRequestTopicPartition{StateEpoch: 1, LeaderEpoch: 2, StartOffset: 2, DeliveryCompleteCount: 4,
			StateBatches: []kmsg.WriteShareGroupStateRequestTopicPartitionStateBatch{batch(4, 6, 2, 2), batch(10, 11, 2, 1)}})
		read("read what was written", 0, 2)
		summary("written", 0)
		write(v, "write of an earlier leader", kmsg.WriteShareGroupStateRequestTopicPartition{StateEpoch: 1, LeaderEpoch: 1})
		write(v, "write of an earlier state", kmsg.WriteShareGroupStateRequestTopicPartition{StateEpoch: 0, LeaderEpoch: 2})
		write(v, "write to a partition that is not", kmsg.WriteShareGroupStateRequestTopicPartition{Partition: 7})
	}
	initialize("reset of an earlier epoch", 0, 0, 5)
	initialize("reset", 0, 2, 5)
	read("read what was reset", 0, 2)
	summary("reset", 0)
	remove("delete", 0)
	read("read what is gone", 0, 2)
	remove("delete a partition that is not", 7)
	for _, key := range []kmsg.Key{kmsg.InitializeShareGroupState, kmsg.ReadShareGroupState, kmsg.WriteShareGroupState, kmsg.DeleteShareGroupState, kmsg.ReadShareGroupStateSummary,
		kmsg.ShareGroupHeartbeat, kmsg.ShareGroupDescribe, kmsg.DescribeShareGroupOffsets, kmsg.AlterShareGroupOffsets, kmsg.DeleteShareGroupOffsets, kmsg.ShareFetch, kmsg.ShareAcknowledge} {
		s.each("empty", key, func(int16) kmsg.Request { return kmsg.RequestForKey(key.Int16()) })
	}
}
