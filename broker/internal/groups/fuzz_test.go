package groups

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// FuzzEmbeddedProtocol lets a member of the classic protocol say and assign
// anything: the coordinator reads both, for offset deletion and when a consumer
// joins the group.
func FuzzEmbeddedProtocol(f *testing.F) {
	a := kmsg.NewConsumerMemberAssignment()
	a.Topics = []kmsg.ConsumerMemberAssignmentTopic{{Topic: "orders", Partitions: []int32{-1, 0, 3, 1 << 30}}}
	f.Add(subscription("orders"), a.AppendTo(nil), "or.*")
	f.Add([]byte("?"), []byte("?"), "(")
	f.Add([]byte(nil), []byte(nil), "")
	f.Fuzz(func(t *testing.T, meta, assignment []byte, regex string) {
		m := New(Config{Topics: newTopics(orders).list})
		defer m.Close()
		b := &bench{t: t, Manager: m}
		ask := func(req kmsg.Request) kmsg.Response {
			done := make(chan kmsg.Response, 1)
			m.Handle(Client{}, req, func(r kmsg.Response) { done <- r })
			return <-done
		}
		for range 2 { // in a classic group, then in a consumer group
			j := b.joiner("g")
			j.version, j.protocols = 3, with(offer("range"), meta)
			r := ask(j.joinRequest()).(*kmsg.JoinGroupResponse)
			j.id, j.generation = r.MemberID, r.Generation
			ask(j.syncRequest(map[string]string{j.id: string(assignment)}))
			m.Group("g")
			del := kmsg.NewPtrOffsetDeleteRequest()
			del.Group, del.Topics = "g", []kmsg.OffsetDeleteRequestTopic{{Topic: "orders", Partitions: make([]kmsg.OffsetDeleteRequestTopicPartition, 1)}}
			ask(del)
			hb := kmsg.NewPtrConsumerGroupHeartbeatRequest()
			hb.Version, hb.Group, hb.MemberID, hb.RebalanceTimeoutMillis = 1, "g", "a", 1000
			hb.SubscribedTopicRegex, hb.Topics = &regex, []kmsg.ConsumerGroupHeartbeatRequestTopic{}
			ask(hb)
			describe := kmsg.NewPtrConsumerGroupDescribeRequest()
			describe.Groups = []string{"g"}
			ask(describe)
			ask(j.syncRequest(nil))
			leave := kmsg.NewPtrLeaveGroupRequest()
			leave.Group, leave.MemberID = "g", j.id
			ask(leave)
		}
	})
}
