package broker_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sordini-go/sordini/broker"
)

// adminCommit is a commit of orders[0] by nobody's member.
func adminCommit(group string, offset int64) *kmsg.OffsetCommitRequest {
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Version, req.Group, req.Generation = 8, group, -1
	p := kmsg.NewOffsetCommitRequestTopicPartition()
	p.Offset = offset
	req.Topics = append(req.Topics, kmsg.OffsetCommitRequestTopic{Topic: "orders", Partitions: []kmsg.OffsetCommitRequestTopicPartition{p}})
	return req
}

func committedCode(resp kmsg.Response) int16 {
	return resp.(*kmsg.OffsetCommitResponse).Topics[0].Partitions[0].ErrorCode
}

// A coordinator that hung keeps what it was sent. When it goes on, others have taken over, and have been sent newer commits.
func TestCommitThatABrokerSleptOverNeverOverwritesANewerOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cluster := start(t, broker.Config{Brokers: 3, Network: broker.NewNetwork(), Topics: []broker.Topic{{Name: "orders"}}})
		old := cluster.Coordinator("billing")
		if err := cluster.PauseBroker(old); err != nil {
			t.Fatal(err)
		}
		slow, late := dial(t, cluster, int(old)), adminCommit("billing", 5)
		slow.send(late)
		time.Sleep(10 * time.Second) // virtual; the broker's session is 9 s
		now := cluster.Coordinator("billing")
		if now == old {
			t.Fatal("nobody took over")
		}
		if code := committedCode(ask[*kmsg.OffsetCommitResponse](dial(t, cluster, int(now)), 8, adminCommit("billing", 10))); code != 0 {
			t.Fatalf("commit: %d", code)
		}
		if err := cluster.ResumeBroker(old); err != nil {
			t.Fatal(err)
		}
		resp, err := slow.receive(late)
		if err != nil {
			t.Fatal(err)
		}
		if code := committedCode(resp); code != kerr.NotCoordinator.Code {
			t.Errorf("the old commit was answered %d", code)
		}
		if offset, _, _ := cluster.Committed("billing", "orders", 0); offset != 10 {
			t.Errorf("committed %d after 10 was acknowledged", offset)
		}
		if got := cluster.Coordinator("billing"); got != now {
			t.Errorf("coordinator is %d again, was %d", got, now)
		}
	})
}

// While every broker is down nobody's session runs out: whoever loads the group gives its members a whole one.
func TestMembersOutliveACoordinatorThatIsAwayForLongerThanTheirSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cluster := start(t, broker.Config{Network: broker.NewNetwork(), Topics: []broker.Topic{{Name: "orders"}}})
		w := dial(t, cluster, 1)
		join := kmsg.NewPtrJoinGroupRequest()
		join.Group, join.ProtocolType, join.SessionTimeoutMillis, join.RebalanceTimeoutMillis = "classic", "consumer", 10_000, 60_000
		p := kmsg.NewJoinGroupRequestProtocol()
		p.Name = "range"
		join.Protocols = append(join.Protocols, p)
		joined := ask[*kmsg.JoinGroupResponse](w, 3, join)
		sync := kmsg.NewPtrSyncGroupRequest()
		sync.Group, sync.MemberID, sync.Generation = "classic", joined.MemberID, joined.Generation
		if got := ask[*kmsg.SyncGroupResponse](w, 2, sync); got.ErrorCode != 0 {
			t.Fatalf("sync: %d", got.ErrorCode)
		}
		beat := kmsg.NewPtrConsumerGroupHeartbeatRequest()
		beat.Group, beat.MemberID, beat.SubscribedTopicNames, beat.Topics = "consumer", "me", []string{"orders"}, []kmsg.ConsumerGroupHeartbeatRequestTopic{}
		beat.RebalanceTimeoutMillis = 60_000
		epoch := ask[*kmsg.ConsumerGroupHeartbeatResponse](w, 1, beat).MemberEpoch

		if err := cluster.KillBroker(1); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Minute) // virtual
		if err := cluster.StartBroker(1); err != nil {
			t.Fatal(err)
		}
		w = dial(t, cluster, 1)
		classic := kmsg.NewPtrHeartbeatRequest()
		classic.Group, classic.MemberID, classic.Generation = "classic", joined.MemberID, joined.Generation
		if got := ask[*kmsg.HeartbeatResponse](w, 3, classic); got.ErrorCode != 0 {
			t.Errorf("heartbeat of the classic member: %d", got.ErrorCode)
		}
		beat = kmsg.NewPtrConsumerGroupHeartbeatRequest()
		beat.Group, beat.MemberID, beat.MemberEpoch = "consumer", "me", epoch
		if got := ask[*kmsg.ConsumerGroupHeartbeatResponse](w, 1, beat); got.ErrorCode != 0 {
			t.Errorf("heartbeat of the consumer group's member: %d", got.ErrorCode)
		}
	})
}

// What nobody reads any more is forgotten after offsets.retention.minutes; what a member subscribes to is kept for as long as it does.
func TestOffsetsThatNobodySubscribesToExpireAfterADay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cluster := start(t, broker.Config{
			Network: broker.NewNetwork(), Topics: []broker.Topic{{Name: "orders"}, {Name: "payments"}},
			Properties: map[string]string{"offsets.retention.minutes": "1440", "offsets.retention.check.interval.ms": "60000"},
		})
		w := dial(t, cluster, 1)
		commit := func(group, topic, member string, epoch int32) {
			t.Helper()
			req := adminCommit(group, 7)
			req.Topics[0].Topic, req.MemberID, req.Generation = topic, member, epoch
			if code := committedCode(ask[*kmsg.OffsetCommitResponse](w, 9, req)); code != 0 {
				t.Fatalf("commit of %s by %s: %d", topic, group, code)
			}
		}
		beat := kmsg.NewPtrConsumerGroupHeartbeatRequest()
		beat.Group, beat.MemberID, beat.SubscribedTopicNames, beat.Topics = "reads", "me", []string{"orders"}, []kmsg.ConsumerGroupHeartbeatRequestTopic{}
		beat.RebalanceTimeoutMillis = 60_000
		epoch := ask[*kmsg.ConsumerGroupHeartbeatResponse](w, 1, beat).MemberEpoch
		commit("reads", "orders", "me", epoch)
		commit("reads", "payments", "me", epoch)
		commit("admin", "orders", "", -1)

		live := func(d time.Duration) { // the member, while the others are away
			for range d / (30 * time.Second) {
				time.Sleep(30 * time.Second) // virtual
				again := kmsg.NewPtrConsumerGroupHeartbeatRequest()
				again.Group, again.MemberID, again.MemberEpoch = "reads", "me", epoch
				if got := ask[*kmsg.ConsumerGroupHeartbeatResponse](w, 1, again); got.ErrorCode != 0 {
					t.Fatalf("heartbeat: %d", got.ErrorCode)
				}
			}
		}
		has := func(group, topic string) bool {
			_, _, ok := cluster.Committed(group, topic, 0)
			return ok
		}
		live(24*time.Hour - 2*time.Minute)
		if !has("reads", "orders") || !has("reads", "payments") || !has("admin", "orders") {
			t.Error("an offset expired early")
		}
		live(4 * time.Minute)
		if !has("reads", "orders") {
			t.Error("the offset of a topic that a member subscribes to expired")
		}
		if has("reads", "payments") || has("admin", "orders") {
			t.Error("an offset that nobody uses is still there")
		}
		if state := cluster.GroupState("admin"); state != "Dead" {
			t.Errorf("the group without offsets is %s", state)
		}
	})
}

func TestAssignorsAreThoseOfTheSetting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cluster := start(t, broker.Config{
			Network: broker.NewNetwork(), Topics: []broker.Topic{{Name: "orders"}}, Properties: map[string]string{"group.consumer.assignors": "range"},
		})
		w := dial(t, cluster, 1)
		beat := kmsg.NewPtrConsumerGroupHeartbeatRequest()
		beat.Group, beat.MemberID, beat.SubscribedTopicNames, beat.Topics = "billing", "me", []string{"orders"}, []kmsg.ConsumerGroupHeartbeatRequestTopic{}
		beat.RebalanceTimeoutMillis, beat.ServerAssignor = 60_000, kmsg.StringPtr("uniform")
		if got := ask[*kmsg.ConsumerGroupHeartbeatResponse](w, 1, beat); got.ErrorCode != kerr.UnsupportedAssignor.Code {
			t.Errorf("an assignor that is not listed: %d", got.ErrorCode)
		}
		beat.ServerAssignor = nil
		if got := ask[*kmsg.ConsumerGroupHeartbeatResponse](w, 1, beat); got.ErrorCode != 0 {
			t.Fatalf("heartbeat: %d", got.ErrorCode)
		}
		if g, _ := cluster.Group("billing"); g.Protocol != "range" {
			t.Errorf("the group is assigned by %q", g.Protocol)
		}
	})
}

// A topic that is created again under its name has nothing of the offsets that were committed for the one before.
func TestOffsetsGoWithTheirTopic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cluster := start(t, broker.Config{Network: broker.NewNetwork(), Topics: []broker.Topic{{Name: "orders"}}})
		w := dial(t, cluster, 1)
		if code := committedCode(ask[*kmsg.OffsetCommitResponse](w, 8, adminCommit("billing", 5))); code != 0 {
			t.Fatalf("commit: %d", code)
		}
		ask[*kmsg.DeleteTopicsResponse](w, 1, &kmsg.DeleteTopicsRequest{TopicNames: []string{"orders"}})
		ask[*kmsg.CreateTopicsResponse](w, 2, &kmsg.CreateTopicsRequest{Topics: []kmsg.CreateTopicsRequestTopic{{Topic: "orders", NumPartitions: 1, ReplicationFactor: 1}}})
		fetch := kmsg.NewPtrOffsetFetchRequest()
		fetch.Group, fetch.Topics = "billing", []kmsg.OffsetFetchRequestTopic{{Topic: "orders", Partitions: []int32{0}}}
		if got := ask[*kmsg.OffsetFetchResponse](w, 5, fetch); got.Topics[0].Partitions[0].Offset != -1 {
			t.Errorf("the new topic has the old one's offset %d", got.Topics[0].Partitions[0].Offset)
		}
	})
}

// A coordinator that dies and is back before anybody has noticed has lost what was not written down: a rebalance that was under way.
func TestCoordinatorThatRestartsForgetsTheRebalanceThatWasUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cluster := start(t, broker.Config{Network: broker.NewNetwork()})
		w := dial(t, cluster, 1)
		join := kmsg.NewPtrJoinGroupRequest()
		join.Version, join.Group, join.ProtocolType, join.SessionTimeoutMillis, join.RebalanceTimeoutMillis = 3, "billing", "consumer", 30_000, 60_000
		p := kmsg.NewJoinGroupRequestProtocol()
		p.Name = "range"
		join.Protocols = append(join.Protocols, p)
		joined := ask[*kmsg.JoinGroupResponse](w, 3, join)
		sync := kmsg.NewPtrSyncGroupRequest()
		sync.Group, sync.MemberID, sync.Generation = "billing", joined.MemberID, joined.Generation
		if got := ask[*kmsg.SyncGroupResponse](w, 2, sync); got.ErrorCode != 0 {
			t.Fatalf("sync: %d", got.ErrorCode)
		}
		dial(t, cluster, 1).send(join) // a second member, which waits for the first
		synctest.Wait()
		if state := cluster.GroupState("billing"); state != "PreparingRebalance" {
			t.Fatalf("the group is %s", state)
		}
		if err := cluster.KillBroker(1, broker.AfterSession()); err != nil {
			t.Fatal(err)
		}
		if err := cluster.StartBroker(1); err != nil {
			t.Fatal(err)
		}
		if state, members := cluster.GroupState("billing"), cluster.Members("billing"); state != "Stable" || len(members) != 1 {
			t.Errorf("the group is %s with %d members", state, len(members))
		}
	})
}
