package groups

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// ledger is a share coordinator that remembers.
type ledger struct {
	mu    sync.Mutex
	known map[string]int64
	fails error
}

func (l *ledger) Initialize(group string, topic [16]byte, partition, _ int32, start int64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fails != nil {
		return l.fails
	}
	if l.known == nil {
		l.known = make(map[string]int64)
	}
	l.known[fmt.Sprintf("%s%d%d", group, topic[0], partition)] = start
	return nil
}

func (l *ledger) Delete(group string, topic [16]byte, partition int32) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.known, fmt.Sprintf("%s%d%d", group, topic[0], partition))
	return nil
}

// shareBench is a Manager with a share coordinator and topics.
func shareBench(t *testing.T, test func(b *bench, l *ledger, topics map[string]int32), cfg ShareConfig) {
	t.Helper()
	l, topics := &ledger{}, map[string]int32{"orders": 2}
	list := func() (all []Topic) {
		for name, n := range topics {
			all = append(all, Topic{Name: name, ID: [16]byte{byte(len(name))}, Partitions: n})
		}
		return all
	}
	inBubble(t, Config{Topics: list, ShareStates: l, Share: cfg}, func(b *bench) { test(b, l, topics) })
}

func (b *bench) shareBeat(member string, epoch int32, topics ...string) *kmsg.ShareGroupHeartbeatResponse {
	b.t.Helper()
	req := kmsg.NewPtrShareGroupHeartbeatRequest()
	req.Version, req.GroupID, req.MemberID, req.MemberEpoch, req.SubscribedTopicNames = 1, "g", member, epoch, topics
	return got[*kmsg.ShareGroupHeartbeatResponse](b.send(req))
}

// assigned shows what a member is given: "orders 0,1", or "-" where nothing is said.
func assignedBy(r *kmsg.ShareGroupHeartbeatResponse) string {
	if r.Assignment == nil {
		return "-"
	}
	var said []string
	for _, t := range r.Assignment.TopicPartitions {
		said = append(said, fmt.Sprintf("%d%v", t.TopicID[0], t.Partitions))
	}
	return strings.Join(said, " ")
}

// The epochs are those that Apache Kafka 4.3.1 goes through.
func TestAShareMemberGetsWhatTheShareCoordinatorKnows(t *testing.T) {
	shareBench(t, func(b *bench, l *ledger, _ map[string]int32) {
		check := func(what string, r *kmsg.ShareGroupHeartbeatResponse, epoch int32, assigned string) {
			t.Helper()
			wantCode(t, what, r.ErrorCode, nil)
			if r.MemberEpoch != epoch || assignedBy(r) != assigned {
				t.Fatalf("%s: epoch %d with %q, want %d with %q", what, r.MemberEpoch, assignedBy(r), epoch, assigned)
			}
		}
		check("the first", b.shareBeat("a", 0, "orders"), 2, "")
		check("once it is known", b.shareBeat("a", 2), 3, "6[0 1]")
		check("nothing new", b.shareBeat("a", 3), 3, "-")
		check("a full request", b.shareBeat("a", 3, "orders"), 3, "6[0 1]")
		check("a second member", b.shareBeat("b", 0, "orders"), 4, "6[1]")
		check("the first goes on", b.shareBeat("a", 3), 4, "6[0]")
		check("a third member", b.shareBeat("c", 0, "orders"), 5, "6[0]")
		if r := b.shareBeat("b", -1); r.ErrorCode != 0 || r.MemberEpoch != -1 {
			t.Fatalf("leaving: %+v", r)
		}
		if info := b.wantState("g", Stable); info.Type != "share" || len(info.Members) != 2 {
			t.Errorf("%+v", info)
		}
		check("after it has left", b.shareBeat("a", 4), 6, "-")
		check("a lost answer", b.shareBeat("a", 4), 6, "-")
		if len(l.known) != 2 || l.known["g60"] != -1 {
			t.Errorf("the share coordinator knows %v", l.known)
		}
	}, ShareConfig{})
}

func TestShareMembersAreFenced(t *testing.T) {
	shareBench(t, func(b *bench, _ *ledger, _ map[string]int32) {
		code := func(what string, r *kmsg.ShareGroupHeartbeatResponse, want *kerr.Error) {
			t.Helper()
			wantCode(t, what, r.ErrorCode, want)
		}
		code("no group", b.shareBeat("a", 1), kerr.GroupIDNotFound)
		code("no topics", b.shareBeat("a", 0), kerr.InvalidRequest)
		code("no member", b.shareBeat("", 0, "orders"), kerr.InvalidRequest)
		code("an epoch that is none", b.shareBeat("a", -2), kerr.InvalidRequest)
		code("join", b.shareBeat("a", 0, "orders"), nil)
		code("one that is not there where there is no room", b.shareBeat("z", 1), kerr.GroupMaxSizeReached)
		code("an epoch to come", b.shareBeat("a", 9), kerr.FencedMemberEpoch)
		code("one too many", b.shareBeat("b", 0, "orders"), kerr.GroupMaxSizeReached)
		time.Sleep(46 * time.Second)
		synctest.Wait()
		b.wantState("g", Empty)
		code("after its session", b.shareBeat("a", 2), kerr.UnknownMemberID)
		time.Sleep(30 * 24 * time.Hour)
		b.wantState("g", Empty) // such groups do not expire
	}, ShareConfig{MaxSize: 1})
}

func TestAShareGroupIsNoOtherKind(t *testing.T) {
	shareBench(t, func(b *bench, l *ledger, _ map[string]int32) {
		b.shareBeat("a", 0, "orders")
		j := b.joiner("g")
		wantCode(t, "join", got[*kmsg.JoinGroupResponse](b.send(j.joinRequest())).ErrorCode, kerr.InconsistentGroupProtocol)
		if err := j.beat(); err != kerr.UnknownMemberID {
			t.Errorf("heartbeat: %v", err)
		}
		if err := j.commit(1); err != kerr.GroupIDNotFound {
			t.Errorf("commit: %v", err)
		}
		beat := kmsg.NewPtrConsumerGroupHeartbeatRequest()
		beat.Version, beat.Group, beat.MemberID, beat.RebalanceTimeoutMillis = 1, "g", "x", 1000
		beat.SubscribedTopicNames, beat.Topics = []string{"orders"}, []kmsg.ConsumerGroupHeartbeatRequestTopic{}
		wantCode(t, "a consumer's heartbeat", got[*kmsg.ConsumerGroupHeartbeatResponse](b.send(beat)).ErrorCode, kerr.GroupIDNotFound)
		list := kmsg.NewPtrListGroupsRequest()
		list.Version, list.TypesFilter = 5, []string{"share"}
		if gs := got[*kmsg.ListGroupsResponse](b.send(list)).Groups; len(gs) != 1 || gs[0].GroupType != "share" || gs[0].ProtocolType != "share" || gs[0].GroupState != "Stable" {
			t.Errorf("listed: %+v", gs)
		}
		remove := kmsg.NewPtrDeleteGroupsRequest()
		remove.Version, remove.Groups = 2, []string{"g"}
		wantCode(t, "delete with members", got[*kmsg.DeleteGroupsResponse](b.send(remove)).Groups[0].ErrorCode, kerr.NonEmptyGroup)
		b.shareBeat("a", -1)
		wantCode(t, "delete", got[*kmsg.DeleteGroupsResponse](b.send(remove)).Groups[0].ErrorCode, nil)
		if len(l.known) != 0 {
			t.Errorf("the share coordinator knows %v of a group that was deleted", l.known)
		}
		j = b.joiner("g")
		j.joined(j.join())
		wantCode(t, "a share member of a classic group", b.shareBeat("a", 0, "orders").ErrorCode, kerr.GroupIDNotFound)
	}, ShareConfig{})
}

func TestOffsetsOfAShareGroupAreSetAndForgotten(t *testing.T) {
	shareBench(t, func(b *bench, l *ledger, _ map[string]int32) {
		alter := func() *kmsg.AlterShareGroupOffsetsResponse {
			req := kmsg.NewPtrAlterShareGroupOffsetsRequest()
			req.GroupID = "g"
			req.Topics = []kmsg.AlterShareGroupOffsetsRequestTopic{{Topic: "orders", Partitions: []kmsg.AlterShareGroupOffsetsRequestTopicPartition{{Partition: 1, StartOffset: 7}, {Partition: 5}}}}
			return got[*kmsg.AlterShareGroupOffsetsResponse](b.send(req))
		}
		forget := func(topic string) *kmsg.DeleteShareGroupOffsetsResponse {
			req := kmsg.NewPtrDeleteShareGroupOffsetsRequest()
			req.GroupID, req.Topics = "g", []kmsg.DeleteShareGroupOffsetsRequestTopic{{Topic: topic}}
			return got[*kmsg.DeleteShareGroupOffsetsResponse](b.send(req))
		}
		wantCode(t, "forget of no group", forget("orders").ErrorCode, kerr.GroupIDNotFound)
		r := alter() // makes the group
		wantCode(t, "alter", r.Topics[0].Partitions[0].ErrorCode, nil)
		wantCode(t, "alter of what is not there", r.Topics[0].Partitions[1].ErrorCode, kerr.UnknownTopicOrPartition)
		if l.known["g61"] != 7 {
			t.Errorf("the share coordinator knows %v", l.known)
		}
		if ps := b.SharePartitions("g")[[16]byte{6}]; !slices.Equal(ps, []int32{1}) {
			t.Errorf("the group has %v", ps)
		}
		b.shareBeat("a", 0, "orders")
		wantCode(t, "alter with members", alter().ErrorCode, kerr.NonEmptyGroup)
		wantCode(t, "forget with members", forget("orders").ErrorCode, kerr.NonEmptyGroup)
		b.shareBeat("a", -1)
		l.fails = kerr.FencedStateEpoch
		wantCode(t, "alter that is refused", alter().Topics[0].Partitions[0].ErrorCode, kerr.FencedStateEpoch)
		wantCode(t, "forget", forget("orders").Topics[0].ErrorCode, nil)
		wantCode(t, "forget again", forget("orders").Topics[0].ErrorCode, kerr.UnknownTopicOrPartition)
		if len(l.known) != 0 || len(b.SharePartitions("g")) != 0 {
			t.Errorf("the share coordinator knows %v, the group %v", l.known, b.SharePartitions("g"))
		}
	}, ShareConfig{})
}

func TestAShareGroupFollowsItsTopics(t *testing.T) {
	shareBench(t, func(b *bench, l *ledger, topics map[string]int32) {
		b.shareBeat("a", 0, "orders", "later")
		b.shareBeat("a", 2)
		topics["later"] = 1
		b.Changed()
		b.shareBeat("a", 3)
		if r := b.shareBeat("a", 4); assignedBy(r) != "5[0] 6[0 1]" {
			t.Errorf("with a new topic: epoch %d, %s", r.MemberEpoch, assignedBy(r))
		}
		delete(topics, "orders")
		b.Changed()
		if r := b.shareBeat("a", 5); assignedBy(r) != "5[0]" {
			t.Errorf("without a topic: epoch %d, %s", r.MemberEpoch, assignedBy(r))
		}
		l.fails = kerr.CoordinatorNotAvailable
		topics["later"] = 2
		b.Changed()
		b.shareBeat("a", 6)
		l.fails = nil
		if r := b.shareBeat("a", 7); assignedBy(r) != "-" {
			t.Errorf("a partition that nobody knows: %s", assignedBy(r))
		}
		for range 4 { // after a while it is tried again
			time.Sleep(10 * time.Second)
			b.shareBeat("a", 7)
		}
		if r := b.shareBeat("a", 8, "orders", "later"); assignedBy(r) != "5[0 1]" {
			t.Errorf("once it is known: epoch %d, %s", r.MemberEpoch, assignedBy(r))
		}
	}, ShareConfig{})
}

func TestTheSimpleAssignorIsEvenAndMovesLittle(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	for range 3000 {
		known := make(map[partition]bool)
		topics := 1 + r.IntN(3)
		for topic := range topics {
			for num := range 1 + r.IntN(5) {
				known[partition{topicID{byte(topic)}, int32(num)}] = true
			}
		}
		var members []shareReader
		for i := range 1 + r.IntN(8) {
			m := shareReader{id: fmt.Sprint(i), topics: make(map[topicID]bool), old: make(map[partition]bool)}
			for topic := range topics {
				m.topics[topicID{byte(topic)}] = true
			}
			members = append(members, m)
		}
		first := assignSimple(members, known)
		holders := make(map[partition]int)
		least, most := len(known), 0
		for i := range members {
			mine := first[members[i].id]
			least, most = min(least, len(mine)), max(most, len(mine))
			for p := range mine {
				holders[p]++
			}
			members[i].old = mine
		}
		for p := range known {
			if holders[p] == 0 {
				t.Fatalf("%d members, %d partitions: nobody has %v", len(members), len(known), p)
			}
		}
		if most-least > 1 {
			t.Fatalf("%d members, %d partitions: one has %d, another %d", len(members), len(known), least, most)
		}
		again := assignSimple(members, known)
		for id, ps := range first {
			if len(again[id]) != len(ps) {
				t.Fatalf("%s had %v, and has %v now that nothing has changed", id, ps, again[id])
			}
			for p := range ps {
				if !again[id][p] {
					t.Fatalf("%s had %v, and has %v now that nothing has changed", id, ps, again[id])
				}
			}
		}
	}
}
