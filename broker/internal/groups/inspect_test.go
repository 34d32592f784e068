package groups

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestGroupIsDescribedWhole(t *testing.T) {
	inBubble(t, Config{}, func(b *bench) {
		js := b.stable(b.static("g", "i"), b.joiner("g"))
		info, ok := b.Group("g")
		if !ok || info.Name != "g" || info.State != Stable || info.ProtocolType != "consumer" || info.Protocol != "range" || info.Leader != js[0].id {
			t.Errorf("group: %+v", info)
		}
		if m := info.Members[0]; m.ID != js[0].id || m.InstanceID != "i" || m.ClientID != "app" || m.Host != "/127.0.0.1" || string(m.Assignment) != m.ID || len(m.Metadata) == 0 {
			t.Errorf("member: %+v", m)
		}
		if m := info.Members[1]; m.InstanceID != "" {
			t.Errorf("member: %+v", m)
		}
		info.Members[0].Assignment[0] = '!'
		if again, _ := b.Group("g"); again.Members[0].Assignment[0] == '!' {
			t.Error("the answer is not the caller's own")
		}
		b.stable(b.joiner("a"))
		if names := b.Groups(); !slices.Equal(names, []string{"a", "g"}) {
			t.Errorf("groups: %q", names)
		}
		if _, ok := b.Group("absent"); ok {
			t.Error("found what is not there")
		}
		if _, _, _, ok := b.Committed("absent", "orders", 0); ok {
			t.Error("found what is not there")
		}
		if _, _, _, ok := b.Committed("g", "orders", 0); ok {
			t.Error("found what is not there")
		}
	})
}

func TestRebalanceSendsMembersBackToJoin(t *testing.T) {
	inBubble(t, Config{}, func(b *bench) {
		js := b.stable(b.joiner("g"), b.joiner("g"))
		if b.Rebalance("absent") {
			t.Error("rebalances what is not there")
		}
		if first, again := b.Rebalance("g"), b.Rebalance("g"); !first || !again {
			t.Error("does not rebalance")
		}
		for _, j := range js {
			if err := j.beat(); err != kerr.RebalanceInProgress {
				t.Errorf("heartbeat: %v", err)
			}
		}
		first := js[0].join()
		js[1].joined(js[1].join())
		js[0].joined(first)
		sync := js[1].sync(nil)
		sync.waits()
		if !b.Rebalance("g") {
			t.Error("does not rebalance")
		}
		wantCode(t, "sync", got[*kmsg.SyncGroupResponse](sync).ErrorCode, kerr.RebalanceInProgress)
		js[0].leave()
		js[1].leave()
		if b.Rebalance("g") {
			t.Error("rebalances a group without members")
		}
	})
}

func TestEvictIsTheEndOfASession(t *testing.T) {
	inBubble(t, Config{}, func(b *bench) {
		js := b.stable(b.joiner("g"), b.joiner("g"))
		if b.Evict("absent", js[0].id) || b.Evict("g", "nobody") {
			t.Error("evicts who is not there")
		}
		if !b.Evict("g", js[1].id) {
			t.Fatal("does not evict")
		}
		b.wantState("g", PreparingRebalance)
		if err := js[1].beat(); err != kerr.UnknownMemberID {
			t.Errorf("heartbeat: %v", err)
		}
		js[0].joined(js[0].join())
		js[0].sync(nil)
		c := b.joiner("g")
		c.id = got[*kmsg.JoinGroupResponse](b.send(c.joinRequest())).MemberID
		again := js[0].join()
		again.waits()
		b.Evict("g", js[0].id) // whose join waits
		wantCode(t, "join", got[*kmsg.JoinGroupResponse](again).ErrorCode, kerr.UnknownMemberID)
		b.Evict("g", c.id) // that has an id and no more
		b.wantState("g", Empty)
	})
}

func TestWaitStateSeesStatesThatPass(t *testing.T) {
	inBubble(t, Config{}, func(b *bench) {
		ctx := context.Background()
		if err := b.WaitState(ctx, "g", Dead); err != nil {
			t.Error(err)
		}
		seen := make(chan State, 10)
		for _, s := range []State{Empty, PreparingRebalance, CompletingRebalance, Stable} {
			go func() {
				if err := b.WaitState(ctx, "g", s); err != nil {
					t.Error(err)
				}
				seen <- s
			}()
		}
		synctest.Wait()
		j := b.stable(b.joiner("g"))[0]
		for range 4 {
			<-seen
		}
		go func() {
			if err := b.WaitState(ctx, "g", Dead); err != nil {
				t.Error(err)
			}
			seen <- Dead
		}()
		synctest.Wait()
		j.leave()
		del := kmsg.NewPtrDeleteGroupsRequest()
		del.Groups = []string{"g"}
		b.send(del)
		<-seen

		short, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		if err := b.WaitState(short, "g", Stable); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("after the deadline: %v", err)
		}
		b.Manager.mu.Lock()
		if n := len(b.waiters); n != 0 {
			t.Errorf("%d waiters are left", n)
		}
		b.Manager.mu.Unlock()
		failed := make(chan error)
		go func() { failed <- b.WaitState(ctx, "g", Stable) }()
		synctest.Wait()
		b.Close()
		if err := <-failed; !errors.Is(err, ErrClosed) {
			t.Errorf("when closed: %v", err)
		}
		if err := b.WaitState(ctx, "g", Stable); !errors.Is(err, ErrClosed) {
			t.Errorf("when closed: %v", err)
		}
	})
}
