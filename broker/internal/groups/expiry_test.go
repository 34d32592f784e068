package groups

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

const week = 7 * 24 * time.Hour

// has reports whether an offset of a topic is there.
func (b *bench) hasOffset(group, topic string) bool {
	synctest.Wait()
	_, _, _, ok := b.Committed(group, topic, 0)
	return ok
}

// commitTo commits for one topic.
func (j *joiner) commitTo(topic string) {
	j.b.t.Helper()
	req := j.commitRequest(1)
	req.Topics[0].Topic = topic
	wantCode(j.b.t, "commit", got[*kmsg.OffsetCommitResponse](j.b.send(req)).Topics[0].Partitions[0].ErrorCode, nil)
}

func TestOffsetsOfNobodyExpireAWeekAfterTheCommit(t *testing.T) {
	inBubble(t, Config{}, func(b *bench) {
		j := b.joiner("g")
		j.commitTo("orders")
		time.Sleep(24*time.Hour + time.Minute)
		j.commitTo("payments")
		time.Sleep(6*24*time.Hour - time.Minute - 1)
		if !b.hasOffset("g", "orders") {
			t.Error("expired too early")
		}
		time.Sleep(1)
		if b.hasOffset("g", "orders") || !b.hasOffset("g", "payments") {
			t.Error("did not expire, or too much did")
		}
		time.Sleep(24*time.Hour + 10*time.Minute - 1) // the look after
		if !b.hasOffset("g", "payments") {
			t.Error("expired between two looks")
		}
		time.Sleep(1)
		b.wantState("g", Dead)
	})
}

func TestCommittingAgainKeepsAnOffset(t *testing.T) {
	inBubble(t, Config{}, func(b *bench) {
		j := b.joiner("g")
		for range 30 {
			j.commitTo("orders")
			time.Sleep(24 * time.Hour)
			if !b.hasOffset("g", "orders") {
				t.Fatal("expired")
			}
		}
		time.Sleep(6 * 24 * time.Hour)
		b.wantState("g", Dead)
	})
}

func TestOffsetsOfAGroupExpireAWeekAfterItsLastMember(t *testing.T) {
	inBubble(t, Config{}, func(b *bench) {
		j := b.joiner("g")
		j.session = 30 * time.Minute
		b.stable(j)
		j.commitTo("orders")
		for start := time.Now(); time.Since(start) < 2*week; time.Sleep(25 * time.Minute) {
			if err := j.beat(); err != nil {
				t.Fatal(err)
			}
		}
		if !b.hasOffset("g", "orders") {
			t.Error("an offset that is in use has expired")
		}
		j.leave()
		time.Sleep(week - time.Second)
		if !b.hasOffset("g", "orders") {
			t.Error("expired too early")
		}
		time.Sleep(10 * time.Minute)
		b.wantState("g", Dead)
	})
}

func TestOffsetsThatMembersDoNotSubscribeToExpire(t *testing.T) {
	for _, kind := range []string{"classic", "consumer"} {
		t.Run(kind, func(t *testing.T) {
			cfg := Config{Topics: newTopics(orders, Topic{"payments", [16]byte{2}, 1}).list, Consumer: ConsumerConfig{Session: 30 * time.Minute}}
			inBubble(t, cfg, func(b *bench) {
				j := b.joiner("g")
				j.session = 30 * time.Minute
				beat := func() { b.beatAs("a", 2, nil) }
				if kind == "classic" {
					b.stable(j)
					beat = func() { j.beat() }
				} else {
					b.beatAs("a", 0, nil)
					j.id, j.generation = "a", 2
				}
				j.commitTo("orders")
				j.commitTo("payments")
				for start := time.Now(); time.Since(start) < week+time.Hour; time.Sleep(25 * time.Minute) {
					if !b.hasOffset("g", "payments") && time.Since(start) < week {
						t.Fatal("expired too early")
					}
					beat()
				}
				b.wantState("g", Stable)
				if b.hasOffset("g", "payments") || !b.hasOffset("g", "orders") {
					t.Error("did not expire, or too much did")
				}
			})
		})
	}
}

func TestOffsetsOfOtherProtocolsExpireOnlyWithoutMembers(t *testing.T) {
	inBubble(t, Config{}, func(b *bench) {
		j := b.joiner("g")
		j.session = 30 * time.Minute
		req := func() *kmsg.JoinGroupRequest {
			r := j.joinRequest()
			r.ProtocolType = "connect"
			return r
		}
		j.id = got[*kmsg.JoinGroupResponse](b.send(req())).MemberID
		j.joined(b.send(req()))
		sync := j.syncRequest(nil)
		sync.ProtocolType = kmsg.StringPtr("connect")
		got[*kmsg.SyncGroupResponse](b.send(sync))
		j.commitTo("orders")
		for start := time.Now(); time.Since(start) < 2*week; time.Sleep(25 * time.Minute) {
			j.beat()
		}
		if !b.hasOffset("g", "orders") {
			t.Error("expired")
		}
	})
}

func TestOldCommitsSayWhenTheyExpire(t *testing.T) {
	inBubble(t, Config{OffsetsRetention: -1}, func(b *bench) {
		j := b.joiner("g")
		j.commitTo("payments") // for ever
		req := j.commitRequest(1)
		req.Version, req.RetentionTimeMillis = 4, time.Hour.Milliseconds()
		b.send(req)
		time.Sleep(time.Hour - 1)
		if !b.hasOffset("g", "orders") {
			t.Error("expired too early")
		}
		time.Sleep(10 * time.Minute)
		if b.hasOffset("g", "orders") {
			t.Error("did not expire")
		}
		time.Sleep(100 * week)
		if !b.hasOffset("g", "payments") {
			t.Error("expired")
		}
	})
}

func TestOpenTransactionKeepsOffsetsAndGroup(t *testing.T) {
	inBubble(t, Config{}, func(b *bench) {
		j := b.joiner("g")
		j.commitTo("orders")
		b.send(txnCommit("g", 1, 5))
		time.Sleep(2 * week)
		if !b.hasOffset("g", "orders") {
			t.Error("expired")
		}
		b.EndTxn("g", 1, false)
		time.Sleep(10 * time.Minute)
		b.wantState("g", Dead)
	})
}

func TestEmptyGroupGoesAtTheNextLook(t *testing.T) {
	inBubble(t, Config{OffsetsCheckInterval: time.Hour}, func(b *bench) {
		time.Sleep(time.Minute)
		j := b.stable(b.joiner("g"))[0]
		j.leave()
		time.Sleep(59*time.Minute - 1)
		b.wantState("g", Empty)
		time.Sleep(1)
		b.wantState("g", Dead)

		k := b.joiner("h")
		k.commitTo("orders")
		del := kmsg.NewPtrOffsetDeleteRequest()
		del.Group = "h"
		del.Topics = []kmsg.OffsetDeleteRequestTopic{{Topic: "orders", Partitions: []kmsg.OffsetDeleteRequestTopicPartition{{}}}}
		b.send(del)
		time.Sleep(time.Hour)
		b.wantState("h", Dead)
	})
}
