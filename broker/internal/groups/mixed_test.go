package groups

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

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
	t.Run("it does", func(t *testing.T) {
		inBubble(t, cfg, func(b *bench) {
			j := start(b)
			got[*kmsg.SyncGroupResponse](j.sync(nil))
			epoch := int32(2)
			for i := range 10 {
				alive(b, epoch)
				if i == 3 {
					b.Rebalance("g")
					epoch = b.beatAs("a", epoch, nil).MemberEpoch
				}
				switch err := j.beat(); err {
				case nil:
				case kerr.RebalanceInProgress:
					j.joined(j.join())
					wantCode(t, "sync", got[*kmsg.SyncGroupResponse](j.sync(nil)).ErrorCode, nil)
				default:
					t.Fatal(err)
				}
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

// A leader may give one partition to two. It stays taken until both are gone.
func TestPartitionOfTwoIsNotFreeWhenOneLeaves(t *testing.T) {
	inBubble(t, Config{Topics: newTopics(orders).list}, func(b *bench) {
		a := kmsg.NewConsumerMemberAssignment()
		a.Topics = []kmsg.ConsumerMemberAssignmentTopic{{Topic: "orders", Partitions: []int32{0, 1, 2, 3}}}
		both := string(a.AppendTo(nil))
		x, y := b.static("g", "x"), b.static("g", "y")
		x.joined(x.join())
		jy := y.join()
		x.joined(x.join())
		y.joined(jy)
		x.sync(map[string]string{x.id: both, y.id: both})
		y.sync(nil)
		b.beatAs("a", 0, nil)
		c := b.groups["g"].consumer
		other := x
		if c.owner[partition{orders.ID, 0}] == x.id {
			other = y
		}
		other.leave()
		synctest.Wait()
		b.Manager.mu.Lock()
		defer b.Manager.mu.Unlock()
		for num := range int32(4) {
			if c.owner[partition{orders.ID, num}] == "" {
				t.Errorf("partition %d is free", num)
			}
		}
	})
}

func TestConsumersAreNotClassicMembers(t *testing.T) {
	inBubble(t, Config{Topics: newTopics(orders).list}, func(b *bench) {
		b.beatAs("a", 0, nil)
		j := b.joiner("g")
		j.id, j.generation = "a", 2
		if err := j.beat(); err != kerr.UnknownMemberID {
			t.Errorf("heartbeat: %v", err)
		}
		wantCode(t, "sync", got[*kmsg.SyncGroupResponse](j.sync(nil)).ErrorCode, kerr.UnknownMemberID)
	})
}

func TestClassicMemberTakesOverWithoutARegularExpression(t *testing.T) {
	inBubble(t, Config{Topics: newTopics(orders).list}, func(b *bench) {
		b.beatAs("other", 0, nil)
		b.beatAs("a", 0, func(r *kmsg.ConsumerGroupHeartbeatRequest) {
			r.InstanceID, r.SubscribedTopicRegex = kmsg.StringPtr("i"), kmsg.StringPtr("pay.*")
		})
		j := b.static("g", "i")
		j.joined(j.join())
		b.Manager.mu.Lock()
		defer b.Manager.mu.Unlock()
		c := b.groups["g"].consumer
		if mb := c.members[j.id]; mb.regex != "" || c.members["a"] != nil || len(c.resolved) != 0 {
			t.Errorf("member: %+v, resolved %v", mb.memberData, c.resolved)
		}
	})
}
