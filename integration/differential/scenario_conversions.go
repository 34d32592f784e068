package main

import (
	"encoding/binary"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// subscribing is a subscription of the classic protocol to one topic, with what its member has of it.
func subscribing(topic string, owned ...int32) []byte {
	m := kmsg.NewConsumerMemberMetadata()
	m.Version, m.Topics = 1, []string{topic}
	if len(owned) > 0 {
		m.OwnedPartitions = []kmsg.ConsumerMemberMetadataOwnedPartition{{Topic: topic, Partitions: owned}}
	}
	return m.AppendTo(nil)
}

// classicMember is one member of the classic protocol, whose requests are compared.
type classicMember struct {
	s          *session
	group, id  string
	generation int32
}

// joins sends a JoinGroup for the range assignor, by name when it is the first time, and takes the id and the generation from the answer.
func (m *classicMember) joins(what string, metadata []byte) {
	req := join(m.group, m.id, "range")
	req.Version, req.Protocols[0].Metadata = 9, metadata
	resp := ask[*kmsg.JoinGroupResponse](m.s, what, req)
	if m.id == "" {
		m.id, req.MemberID = resp.MemberID, resp.MemberID
		resp = ask[*kmsg.JoinGroupResponse](m.s, what+" with the id", req)
	}
	m.generation = resp.Generation
}

// syncs syncs, and as a leader gives itself what is assigned.
func (m *classicMember) syncs(what string, assigned []byte) {
	req := kmsg.NewPtrSyncGroupRequest()
	req.Version, req.Group, req.Generation, req.MemberID = 5, m.group, m.generation, m.id
	req.ProtocolType, req.Protocol = ptr("consumer"), ptr("range")
	if assigned != nil {
		req.GroupAssignment = []kmsg.SyncGroupRequestGroupAssignment{{MemberID: m.id, MemberAssignment: assigned}}
	}
	m.s.send(what, req)
}

func (m *classicMember) beats(what string) {
	m.s.send(what, latest(&kmsg.HeartbeatRequest{Group: m.group, Generation: m.generation, MemberID: m.id}))
}

// consumerBeat is a heartbeat of a member of the consumer protocol; with epoch 0 it joins and subscribes to the topics.
func consumerBeat(group, member string, epoch int32, topics ...string) *kmsg.ConsumerGroupHeartbeatRequest {
	req := kmsg.NewPtrConsumerGroupHeartbeatRequest()
	req.Version, req.Group, req.MemberID, req.MemberEpoch, req.RebalanceTimeoutMillis = 1, group, member, epoch, -1
	if epoch == 0 {
		req.RebalanceTimeoutMillis, req.SubscribedTopicNames, req.Topics = 30_000, topics, []kmsg.ConsumerGroupHeartbeatRequestTopic{}
	}
	return req
}

// wholeTopic is an assignment of the classic protocol: partitions 0 to n-1 of a topic.
func wholeTopic(topic string, n int) []byte {
	a := binary.BigEndian.AppendUint32([]byte{0, 0}, 1)
	a = append(binary.BigEndian.AppendUint16(a, uint16(len(topic))), topic...)
	a = binary.BigEndian.AppendUint32(a, uint32(n))
	for i := range n {
		a = binary.BigEndian.AppendUint32(a, uint32(i))
	}
	return binary.BigEndian.AppendUint32(a, 0xffffffff)
}

// looks is how the group looks from outside, in both protocols.
func (s *session) looks(what, group string) {
	s.send(what, at(1, &kmsg.ConsumerGroupDescribeRequest{Groups: []string{group}}))
	s.send(what, at(6, &kmsg.DescribeGroupsRequest{Groups: []string{group}}))
	s.send(what, latest(kmsg.NewPtrListGroupsRequest()))
}

// conversions: groups change from one protocol to the other and back (KIP-848), their members and their offsets with them.
func conversions(s *session) {
	const topic, group = "conversions", "conversions"
	id := s.topic(topic, 3)
	s.coordinator(0, group)
	old := &classicMember{s: s, group: group}
	old.joins("the classic member joins", subscribing(topic))
	old.syncs("it syncs", wholeTopic(topic, 3))
	s.send("it commits", latest(commit(group, id, old.generation, old.id, topic, 0, 10)))

	s.send("a consumer joins", consumerBeat(group, "new", 0, topic))
	s.looks("converted", group)
	s.send("the consumer asks again", consumerBeat(group, "new", 2))
	s.send("the classic member commits", latest(commit(group, id, old.generation, old.id, topic, 1, 11)))
	old.beats("the classic member hears of it")
	old.joins("it joins again", subscribing(topic, 0, 1, 2))
	old.syncs("it syncs again", nil)
	old.beats("it hears that it has given up")
	old.joins("it joins with less", subscribing(topic, 0, 1))
	old.syncs("it syncs with less", nil)
	old.beats("it is done")
	s.send("the consumer gets", consumerBeat(group, "new", 2))
	s.looks("settled", group)
	s.send("the consumer commits", latest(commit(group, id, 2, "new", topic, 2, 12)))
	s.send("the classic member commits in the new generation", latest(commit(group, id, old.generation, old.id, topic, 0, 13)))
	s.send("a classic member that reads nothing of it", at(9, join(group, "", "cooperative-sticky")))
	s.send("a heartbeat of an unknown generation", latest(&kmsg.HeartbeatRequest{Group: group, Generation: 9, MemberID: old.id}))

	s.send("the consumer leaves", consumerBeat(group, "new", -1))
	s.looks("converted back", group)
	s.send("the consumer does not know yet", consumerBeat(group, "new", 2))
	old.beats("the classic member hears that")
	old.joins("it joins as ever", subscribing(topic, 0, 1))
	old.syncs("it syncs as ever", wholeTopic(topic, 3))
	s.send("offsets are kept", latest(offsetFetch(group, id, topic, 0, 1, 2)))
	s.send("it leaves", leave(5, group, old.id))
	s.looks("empty", group)

	s.send("a consumer joins the empty group", consumerBeat(group, "newer", 0, topic))
	s.looks("of the new protocol", group)
	s.send("offsets are kept again", latest(offsetFetch(group, id, topic, 0, 1, 2)))
	s.send("the last consumer leaves", consumerBeat(group, "newer", -1))
	s.looks("empty again", group)
	back := &classicMember{s: s, group: group}
	back.joins("a classic member joins the empty group", subscribing(topic))
	s.looks("of the old protocol", group)
	s.send("and offsets are kept", latest(offsetFetch(group, id, topic, 0, 1, 2)))

	foreign := join("conversions-foreign", "", "range")
	foreign.ProtocolType = "connect"
	ask[*kmsg.JoinGroupResponse](s, "a member that is no consumer", at(3, foreign))
	s.send("a consumer does not get in", consumerBeat("conversions-foreign", "new", 0, topic))
}

// expressions: subscriptions by regular expression (KIP-848).
func expressions(s *session) {
	s.topic("expressions-a", 1)
	s.topic("expressions-b", 1)
	s.coordinator(0, "expressions")
	subscribe := func(group, member, expression string) *kmsg.ConsumerGroupHeartbeatRequest {
		req := consumerBeat(group, member, 0, []string{}...)
		req.SubscribedTopicRegex = ptr(expression)
		return req
	}
	resolved := func(what, group, member string, topics int) { // expressions are resolved beside the heartbeats
		if topics > 0 {
			s.send("what "+member+" gets of "+what, consumerBeat(group, member, 1), until(func(r kmsg.Response) bool {
				a := r.(*kmsg.ConsumerGroupHeartbeatResponse).Assignment
				return a != nil && len(a.Topics) == topics
			}))
		}
		s.send("subscribed to "+what, at(1, &kmsg.ConsumerGroupDescribeRequest{Groups: []string{group}}))
	}
	ask[*kmsg.ConsumerGroupHeartbeatResponse](s, "join", subscribe("expressions", "first", "expressions-.*"), preparing())
	resolved("expressions-.*", "expressions", "first", 2)
	for i, bad := range []string{"[", "(", "a{2,1}", "(?<n", "*", `\`, "(?=a)", `(a)\1`, "a{1001}", "[[:nothing:]]", "x**", ")"} {
		s.send("illegal: "+bad, subscribe("expressions-bad", "m"+string(rune('a'+i)), bad))
	}
	group := 'a'
	for expression, topics := range ordered[int](
		"", 0, "^expressions-a$", 1, "expressions-[ab]", 2, "expressions-a|expressions-b", 2, "(?i)EXPRESSIONS-A", 1, `\p{L}+-a`, 1, "nothing-like-it", 0,
	) {
		name := "expressions-good-" + string(group)
		s.send("legal: "+expression, subscribe(name, "m", expression))
		resolved(expression, name, "m", topics)
		group++
	}
	other := subscribe("expressions", "first", "expressions-b")
	other.MemberEpoch, other.Topics, other.SubscribedTopicNames, other.RebalanceTimeoutMillis = 2, nil, nil, -1
	s.send("another expression of an unknown epoch", other)
	s.send("leave", consumerBeat("expressions", "first", -1))
}
