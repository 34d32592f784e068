package groups

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

var orders = Topic{"orders", [16]byte{1}, 4}

// beatAs sends one heartbeat; change says what is special about it.
func (b *bench) beatAs(id string, epoch int32, change func(*kmsg.ConsumerGroupHeartbeatRequest)) *kmsg.ConsumerGroupHeartbeatResponse {
	b.t.Helper()
	req := kmsg.NewPtrConsumerGroupHeartbeatRequest()
	req.Version, req.Group, req.MemberID, req.MemberEpoch = 1, "g", id, epoch
	if epoch == 0 {
		req.RebalanceTimeoutMillis, req.SubscribedTopicNames = 60_000, []string{"orders"}
		req.Topics = []kmsg.ConsumerGroupHeartbeatRequestTopic{}
	}
	if change != nil {
		change(req)
	}
	return got[*kmsg.ConsumerGroupHeartbeatResponse](b.send(req))
}

// has makes a heartbeat report partitions of orders.
func has(ps ...int32) func(*kmsg.ConsumerGroupHeartbeatRequest) {
	return func(req *kmsg.ConsumerGroupHeartbeatRequest) {
		req.Topics = []kmsg.ConsumerGroupHeartbeatRequestTopic{}
		if len(ps) > 0 {
			req.Topics = append(req.Topics, kmsg.ConsumerGroupHeartbeatRequestTopic{TopicID: orders.ID, Partitions: ps})
		}
	}
}

func wantGiven(t *testing.T, r *kmsg.ConsumerGroupHeartbeatResponse, ps ...int32) {
	t.Helper()
	wantCode(t, "heartbeat", r.ErrorCode, nil)
	if r.Assignment == nil {
		t.Fatalf("nothing is said of partitions: %+v", r)
	}
	var given []int32
	for _, topic := range r.Assignment.Topics {
		given = append(given, topic.Partitions...)
	}
	if !slices.Equal(given, ps) {
		t.Fatalf("given %v, want %v", given, ps)
	}
}

func TestPartitionIsGivenOnlyWhenItIsGivenUp(t *testing.T) {
	cfg := Config{Topics: newTopics(orders).list}
	inBubble(t, cfg, func(b *bench) {
		wantGiven(t, b.beatAs("a", 0, nil), 0, 1, 2, 3)
		b.wantState("g", Stable)
		wantGiven(t, b.beatAs("b", 0, nil))
		b.wantState("g", Reconciling)
		r := b.beatAs("a", 2, nil)
		wantGiven(t, r, 0, 1)
		if r.MemberEpoch != 2 {
			t.Errorf("epoch %d before anything is given up", r.MemberEpoch)
		}
		if r := b.beatAs("b", 3, nil); r.Assignment != nil {
			t.Errorf("given too early: %+v", r)
		}
		if r := b.beatAs("a", 2, has(0, 1, 3)); r.MemberEpoch != 2 {
			t.Errorf("epoch %d with one left to give up", r.MemberEpoch)
		}
		if r := b.beatAs("b", 3, nil); r.Assignment != nil {
			t.Errorf("given too early: %+v", r)
		}
		if r := b.beatAs("a", 2, has(0, 1)); r.MemberEpoch != 3 {
			t.Errorf("epoch %d", r.MemberEpoch)
		}
		wantGiven(t, b.beatAs("b", 3, nil), 2, 3)
		info := b.wantState("g", Stable)
		if info.Type != "consumer" || info.Protocol != "uniform" || info.Generation != 3 || len(info.Members) != 2 {
			t.Errorf("group: %+v", info)
		}
		if m := info.Members[1]; m.ID != "b" || m.Epoch != 3 || !slices.Equal(m.Partitions["orders"], []int32{2, 3}) || m.ClientID != "app" {
			t.Errorf("member: %+v", m)
		}
	})
}

func TestConsumerSessionExpiresAtItsExactTime(t *testing.T) {
	for _, session := range []time.Duration{0, 7 * time.Second} {
		cfg := Config{Topics: newTopics(orders).list, Consumer: ConsumerConfig{Session: session}}
		want := session
		if want == 0 {
			want = 45 * time.Second
		}
		inBubble(t, cfg, func(b *bench) {
			b.beatAs("a", 0, nil)
			time.Sleep(want / 2)
			b.beatAs("a", 2, nil)
			time.Sleep(want - 1)
			b.wantState("g", Stable)
			time.Sleep(1)
			b.wantState("g", Empty)
		})
	}
}

func TestMemberThatGivesNothingUpIsFenced(t *testing.T) {
	cfg := Config{Topics: newTopics(orders).list}
	inBubble(t, cfg, func(b *bench) {
		b.beatAs("a", 0, nil)
		b.beatAs("b", 0, nil)
		b.beatAs("a", 2, nil)
		for range 11 { // it is alive all the time
			time.Sleep(5 * time.Second)
			b.beatAs("a", 2, nil)
			b.beatAs("b", 3, nil)
		}
		time.Sleep(5*time.Second - 1)
		b.wantState("g", Reconciling)
		time.Sleep(1)
		synctest.Wait()
		wantCode(t, "heartbeat", b.beatAs("a", 2, nil).ErrorCode, kerr.UnknownMemberID)
		wantGiven(t, b.beatAs("b", 3, nil), 0, 1, 2, 3)
	})
}

func TestAssignmentIsNotComputedTooOften(t *testing.T) {
	cfg := Config{Topics: newTopics(orders).list, Consumer: ConsumerConfig{AssignmentInterval: time.Second, Heartbeat: 300 * time.Millisecond}}
	inBubble(t, cfg, func(b *bench) {
		if r := b.beatAs("a", 0, nil); r.HeartbeatIntervalMillis != 300 {
			t.Errorf("heartbeat interval %d", r.HeartbeatIntervalMillis)
		}
		b.beatAs("b", 0, nil)
		b.wantState("g", Assigning)
		time.Sleep(time.Second - 1)
		if r := b.beatAs("a", 2, nil); r.Assignment != nil {
			t.Errorf("assigned too early: %+v", r)
		}
		time.Sleep(1)
		wantGiven(t, b.beatAs("a", 2, nil), 0, 1)
	})
}

func TestConsumerGroupFollowsItsTopics(t *testing.T) {
	topics := newTopics(orders)
	cfg := Config{Topics: topics.list, TopicExists: func(string, int32) bool { return true }}
	inBubble(t, cfg, func(b *bench) {
		wantGiven(t, b.beatAs("a", 0, nil), 0, 1, 2, 3)
		topics.grow(0)
		if r := b.beatAs("a", 2, nil); r.Assignment != nil {
			t.Errorf("grown before it was told: %+v", r)
		}
		b.Changed()
		wantGiven(t, b.beatAs("a", 2, nil), 0, 1, 2, 3, 4)
		j := b.joiner("h")
		if err := j.commit(7); err != nil {
			t.Fatal(err)
		}
		topics.mu.Lock()
		topics.topics = nil
		topics.mu.Unlock()
		b.Changed()
		if _, _, _, ok := b.Committed("h", "orders", 0); ok {
			t.Error("offsets of a topic that is gone are still there")
		}
		b.beatAs("a", 3, has())
		if info, _ := b.Group("g"); info.Generation != 4 || len(info.Members[0].Partitions) != 0 {
			t.Errorf("group: %+v", info)
		}
	})
}

func TestConsumersAreEvictedAndRebalanced(t *testing.T) {
	cfg := Config{Topics: newTopics(orders).list}
	inBubble(t, cfg, func(b *bench) {
		reached := make(chan error)
		for _, s := range []State{Stable, Assigning, Empty} {
			go func() { reached <- b.WaitState(context.Background(), "g", s) }()
		}
		synctest.Wait()
		b.beatAs("a", 0, nil)
		if err := <-reached; err != nil {
			t.Error(err)
		}
		if !b.Rebalance("g") {
			t.Error("does not rebalance")
		}
		if err := <-reached; err != nil {
			t.Error(err)
		}
		if r := b.beatAs("a", 2, nil); r.MemberEpoch != 3 {
			t.Errorf("epoch %d", r.MemberEpoch)
		}
		if b.Evict("g", "nobody") || !b.Evict("g", "a") {
			t.Error("does not evict who it should")
		}
		if err := <-reached; err != nil {
			t.Error(err)
		}
		wantCode(t, "heartbeat", b.beatAs("a", 3, nil).ErrorCode, kerr.UnknownMemberID)
		if b.Rebalance("g") {
			t.Error("rebalances a group without members")
		}
	})
}

func TestClosedManagerRefusesConsumers(t *testing.T) {
	inBubble(t, Config{Topics: newTopics(orders).list}, func(b *bench) {
		b.beatAs("a", 0, func(r *kmsg.ConsumerGroupHeartbeatRequest) {
			r.SubscribedTopicRegex = kmsg.StringPtr("o.*")
		})
		b.Close()
		wantCode(t, "heartbeat", b.beatAs("a", 2, nil).ErrorCode, kerr.CoordinatorNotAvailable)
		req := kmsg.NewPtrConsumerGroupDescribeRequest()
		req.Groups = []string{"g"}
		wantCode(t, "describe", got[*kmsg.ConsumerGroupDescribeResponse](b.send(req)).Groups[0].ErrorCode, kerr.CoordinatorNotAvailable)
	})
}

func TestRegularExpressionsAreMatchedAgainInTime(t *testing.T) {
	topics := newTopics(orders)
	inBubble(t, Config{Topics: topics.list}, func(b *bench) {
		byRegex := func(r *kmsg.ConsumerGroupHeartbeatRequest) {
			r.SubscribedTopicNames, r.SubscribedTopicRegex = nil, kmsg.StringPtr("or.*")
		}
		wantGiven(t, b.beatAs("a", 0, byRegex))
		wantGiven(t, b.beatAs("a", 1, nil), 0, 1, 2, 3)
		topics.mu.Lock()
		topics.topics = append(topics.topics, Topic{"origins", [16]byte{2}, 1})
		topics.mu.Unlock()
		b.Changed()
		time.Sleep(regexMinInterval)
		b.beatAs("a", 2, nil)
		if r := b.beatAs("a", 2, nil); r.Assignment != nil {
			t.Errorf("matched again within ten seconds: %+v", r)
		}
		time.Sleep(1)
		b.beatAs("a", 2, nil)
		wantGiven(t, b.beatAs("a", 2, nil), 0, 1, 2, 3, 0)
	})
}

// Under a pause between assignments a member is taken from what it no longer
// subscribes to within its epoch.
func TestMemberIsTakenFromWhatItUnsubscribed(t *testing.T) {
	cfg := Config{Topics: newTopics(orders, Topic{"payments", [16]byte{2}, 1}).list, Consumer: ConsumerConfig{AssignmentInterval: time.Hour}}
	full := func(reads []int32, topics ...string) func(*kmsg.ConsumerGroupHeartbeatRequest) {
		return func(r *kmsg.ConsumerGroupHeartbeatRequest) {
			has(reads...)(r)
			r.RebalanceTimeoutMillis, r.SubscribedTopicNames = 60_000, topics
		}
	}
	t.Run("and has not given it up", func(t *testing.T) {
		inBubble(t, cfg, func(b *bench) {
			b.beatAs("a", 0, full(nil, "orders", "payments"))
			r := b.beatAs("a", 2, full([]int32{0, 1, 2, 3}, "payments"))
			wantGiven(t, r, 0) // of payments
			if r.MemberEpoch != 2 {
				t.Errorf("epoch %d", r.MemberEpoch)
			}
			if d := b.groups["g"].consumer.members["a"]; d.state != unrevoked || len(d.revoking) != 4 {
				t.Errorf("member: %+v", d.memberData)
			}
			b.beatAs("a", 2, has())
			if d := b.groups["g"].consumer.members["a"]; d.state != reconciled || len(d.revoking) != 0 {
				t.Errorf("member: %+v", d.memberData)
			}
			for range 12 { // the time in which it had to is over
				time.Sleep(10 * time.Second)
				wantCode(t, "heartbeat", b.beatAs("a", 2, nil).ErrorCode, nil)
			}
		})
	})
	t.Run("and has given it up", func(t *testing.T) {
		inBubble(t, cfg, func(b *bench) {
			b.beatAs("a", 0, full(nil, "orders", "payments"))
			wantGiven(t, b.beatAs("a", 2, full(nil, "payments")), 0)
			if d := b.groups["g"].consumer.members["a"]; d.state != reconciled || len(d.revoking) != 0 || len(d.assigned) != 1 {
				t.Errorf("member: %+v", d.memberData)
			}
		})
	})
	t.Run("while its target is old", func(t *testing.T) {
		cfg := cfg
		cfg.Consumer.AssignmentInterval = time.Second
		inBubble(t, cfg, func(b *bench) {
			b.beatAs("a", 0, nil)
			time.Sleep(time.Second)
			b.beatAs("b", 0, nil)
			b.beatAs("a", 2, full(nil, "payments")) // reads nothing any more
			if d := b.groups["g"].consumer.members["a"]; len(d.assigned) != 0 || d.epoch != 3 {
				t.Errorf("member: %+v", d.memberData)
			}
		})
	})
}

func TestOlderEpochCommitsWhatItHasHadSince(t *testing.T) {
	inBubble(t, Config{Topics: newTopics(orders).list, TopicID: func(string) ([16]byte, bool) { return orders.ID, true }}, func(b *bench) {
		commit := func(id string, epoch, partition int32) *kerr.Error {
			j := b.joiner("g")
			j.id, j.generation = id, epoch
			req := j.commitRequest(1)
			req.Topics[0].Partitions[0].Partition = partition
			return kerr.TypedErrorForCode(got[*kmsg.OffsetCommitResponse](b.send(req)).Topics[0].Partitions[0].ErrorCode)
		}
		b.beatAs("a", 0, nil) // 0 to 3, since epoch 2
		b.Rebalance("g")
		b.beatAs("a", 2, nil)
		b.beatAs("b", 0, nil)
		b.beatAs("a", 3, nil) // is to give up 2 and 3
		for _, tt := range []struct {
			epoch, partition int32
			want             *kerr.Error
		}{
			{3, 0, nil}, {3, 2, nil}, {2, 0, nil}, {2, 2, nil},
			{1, 0, kerr.StaleMemberEpoch}, {1, 2, kerr.StaleMemberEpoch}, {4, 0, kerr.StaleMemberEpoch},
		} {
			if err := commit("a", tt.epoch, tt.partition); err != tt.want {
				t.Errorf("commit of partition %d in epoch %d: %v, want %v", tt.partition, tt.epoch, err, tt.want)
			}
		}
		b.beatAs("a", 3, has(0, 1))
		b.beatAs("b", 4, nil)
		if err := commit("a", 3, 2); err != kerr.StaleMemberEpoch {
			t.Errorf("commit of what was given up: %v", err)
		}
		if err := commit("b", 3, 2); err != kerr.StaleMemberEpoch {
			t.Errorf("commit of what was not there yet: %v", err)
		}
	})
}

func TestStaticMemberHasHadItsPartitionsAllAlong(t *testing.T) {
	inBubble(t, Config{Topics: newTopics(orders).list, TopicID: func(string) ([16]byte, bool) { return orders.ID, true }}, func(b *bench) {
		static := func(r *kmsg.ConsumerGroupHeartbeatRequest) { r.InstanceID = kmsg.StringPtr("i") }
		b.beatAs("a", 0, static)
		b.beatAs("a", departed, static)
		wantGiven(t, b.beatAs("b", 0, static), 0, 1, 2, 3)
		j := b.joiner("g")
		j.id, j.generation = "b", 1
		if err := j.commit(7); err != nil {
			t.Errorf("commit: %v", err)
		}
	})
}

func TestRegularExpressionsForgetTopicsInTime(t *testing.T) {
	topics := newTopics(orders)
	inBubble(t, Config{Topics: topics.list}, func(b *bench) {
		b.beatAs("a", 0, func(r *kmsg.ConsumerGroupHeartbeatRequest) {
			r.SubscribedTopicNames, r.SubscribedTopicRegex = nil, kmsg.StringPtr("or.*")
		})
		topics.mu.Lock()
		topics.topics = nil
		topics.mu.Unlock()
		b.Changed()
		known := func() int {
			synctest.Wait()
			b.Manager.mu.Lock()
			defer b.Manager.mu.Unlock()
			return len(b.groups["g"].consumer.resolved["or.*"])
		}
		epoch := b.beatAs("a", 1, nil).MemberEpoch
		for start := time.Now(); time.Since(start) < regexMaxInterval; time.Sleep(30 * time.Second) {
			epoch = b.beatAs("a", epoch, has()).MemberEpoch
			if known() != 1 {
				t.Fatalf("forgotten after %v", time.Since(start))
			}
		}
		time.Sleep(1)
		b.beatAs("a", epoch, has())
		if known() != 0 {
			t.Error("not forgotten")
		}
	})
}
