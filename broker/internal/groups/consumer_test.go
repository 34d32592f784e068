package groups

import (
	"context"
	"fmt"
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

func TestGroupsMigrateOnlyAsTheyMay(t *testing.T) {
	for _, tt := range []struct {
		policy      Migration
		forth, back bool
	}{
		{MigrateBothWays, true, true},
		{MigrateForth, true, false},
		{MigrateBack, false, true},
		{MigrateNever, false, false},
	} {
		t.Run(fmt.Sprint(tt.policy), func(t *testing.T) {
			cfg := Config{Topics: newTopics(orders).list, Consumer: ConsumerConfig{Migration: tt.policy}}
			inBubble(t, cfg, func(b *bench) {
				js := b.stable(b.joiner("g"))
				// Its assignment is its name, which is not an assignment.
				wantCode(t, "heartbeat", b.beatAs("a", 0, nil).ErrorCode, kerr.GroupIDNotFound)
				again := js[0].join()
				js[0].joined(again)
				js[0].sync(nil)
				r := b.beatAs("a", 0, nil)
				if forth := r.ErrorCode == 0; forth != tt.forth {
					t.Fatalf("to the consumer protocol: %v", kerr.ErrorForCode(r.ErrorCode))
				}
			})
			inBubble(t, cfg, func(b *bench) {
				b.beatAs("a", 0, nil)
				j := b.joiner("g")
				r := got[*kmsg.JoinGroupResponse](j.join())
				if joins := r.ErrorCode == 0; joins != (tt.policy != MigrateNever) {
					t.Fatalf("a classic member joins: %v", kerr.ErrorForCode(r.ErrorCode))
				}
				b.beatAs("a", -1, nil)
				info, _ := b.Group("g")
				if back := info.Type == "classic"; back != tt.back {
					t.Errorf("left with classic members the group is %+v", info)
				}
			})
		})
	}
}

func TestClassicMemberOfAConsumerGroupMustKeepUp(t *testing.T) {
	cfg := Config{Topics: newTopics(orders).list}
	start := func(b *bench) *joiner {
		b.beatAs("a", 0, nil)
		j := b.joiner("g")
		j.session, j.rebalance = 20*time.Second, 30*time.Second
		j.joined(j.join())
		return j
	}
	alive := func(b *bench, epoch int32) {
		time.Sleep(10*time.Second - 1)
		b.beatAs("a", epoch, nil)
	}
	t.Run("it does not sync", func(t *testing.T) {
		inBubble(t, cfg, func(b *bench) {
			j := start(b)
			for range 2 {
				alive(b, 2)
				if err := j.beat(); err != nil {
					t.Fatal(err)
				}
			}
			alive(b, 2)
			if err := j.beat(); err != nil {
				t.Fatal(err)
			}
			time.Sleep(3)
			synctest.Wait()
			if err := j.beat(); err != kerr.UnknownMemberID {
				t.Errorf("heartbeat: %v", err)
			}
		})
	})
	t.Run("it does not join again", func(t *testing.T) {
		inBubble(t, cfg, func(b *bench) {
			j := start(b)
			got[*kmsg.SyncGroupResponse](j.sync(nil))
			b.Rebalance("g")
			b.beatAs("a", 2, nil)
			for range 3 {
				if err := j.beat(); err != kerr.RebalanceInProgress {
					t.Fatal(err)
				}
				alive(b, 2)
			}
			if err := j.beat(); err != kerr.RebalanceInProgress {
				t.Fatal(err)
			}
			time.Sleep(3)
			synctest.Wait()
			if err := j.beat(); err != kerr.UnknownMemberID {
				t.Errorf("heartbeat: %v", err)
			}
		})
	})
	t.Run("it is silent", func(t *testing.T) {
		inBubble(t, cfg, func(b *bench) {
			j := start(b)
			got[*kmsg.SyncGroupResponse](j.sync(nil))
			alive(b, 2)
			time.Sleep(10 * time.Second)
			b.wantState("g", Reconciling)
			time.Sleep(1)
			synctest.Wait()
			if err := j.beat(); err != kerr.UnknownMemberID {
				t.Errorf("heartbeat: %v", err)
			}
		})
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
