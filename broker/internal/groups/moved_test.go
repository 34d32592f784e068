package groups

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestMovedGroupIsWhatWasWritten(t *testing.T) {
	inBubble(t, Config{}, func(b *bench) {
		if b.Moved("g") {
			t.Error("moves what is not there")
		}
		a, c := b.joiner("g"), b.joiner("g")
		a.protocols = offer("range", "roundrobin")
		first := a.join() // answered by a timer
		a.joined(first)
		b.Moved("g") // nothing has been written yet
		if info := b.wantState("g", Empty); info.Generation != 0 {
			t.Errorf("group: %+v", info)
		}
		a.id = ""
		b.stable(a, c)
		before, _ := b.Group("g")
		if err := a.commit(7); err != nil {
			t.Fatal(err)
		}

		same := func(when string) {
			t.Helper()
			info := b.wantState("g", Stable)
			if info.Generation != before.Generation || info.Leader != before.Leader || info.Protocol != before.Protocol || len(info.Members) != 2 {
				t.Errorf("%s: %+v, before %+v", when, info, before)
			}
			for i, m := range info.Members {
				if m.ID != before.Members[i].ID || string(m.Assignment) != m.ID || len(m.Metadata) == 0 {
					t.Errorf("%s: %+v", when, m)
				}
			}
			for _, j := range []*joiner{a, c} {
				if err := j.beat(); err != nil {
					t.Errorf("%s: heartbeat: %v", when, err)
				}
			}
		}
		b.Moved("g")
		same("stable")

		generation := a.generation
		x := b.joiner("g")
		x.id = got[*kmsg.JoinGroupResponse](b.send(x.joinRequest())).MemberID
		join := a.join()
		join.waits()
		b.Moved("g")
		wantCode(t, "join", got[*kmsg.JoinGroupResponse](join).ErrorCode, kerr.NotCoordinator)
		same("preparing")
		wantCode(t, "join with an id of before", got[*kmsg.JoinGroupResponse](b.send(x.joinRequest())).ErrorCode, kerr.UnknownMemberID)

		ja := a.join()
		c.joined(c.join())
		a.joined(ja)
		sync := c.sync(nil)
		sync.waits()
		b.Moved("g")
		wantCode(t, "sync", got[*kmsg.SyncGroupResponse](sync).ErrorCode, kerr.NotCoordinator)
		a.generation, c.generation = generation, generation
		same("completing")

		if offset, _, _, ok := b.Committed("g", "orders", 0); offset != 7 || !ok {
			t.Error("an offset is lost")
		}
		time.Sleep(a.session - 1)
		b.wantState("g", Stable)
		b.Moved("g")
		time.Sleep(a.session - 1)
		b.wantState("g", Stable)
		time.Sleep(1)
		if info := b.wantState("g", Empty); info.Generation == generation {
			t.Errorf("group: %+v", info)
		}
		b.Moved("g")
		b.wantState("g", Empty)
	})
}

func TestStaticMemberIsReplacedForGood(t *testing.T) {
	inBubble(t, Config{}, func(b *bench) {
		j := b.static("g", "i")
		b.stable(j)
		j.id = ""
		j.joined(j.join())
		b.Moved("g")
		if err := j.beat(); err != nil {
			t.Errorf("heartbeat: %v", err)
		}
	})
}

func TestMovedConsumerGroupStartsItsClocksAgain(t *testing.T) {
	inBubble(t, Config{Topics: newTopics(orders).list}, func(b *bench) {
		b.beatAs("a", 0, nil)
		b.beatAs("b", 0, nil)
		b.beatAs("a", 2, nil) // has a minute to give two up
		time.Sleep(44 * time.Second)
		if !b.Moved("g") {
			t.Error("does not move")
		}
		time.Sleep(44 * time.Second)
		b.beatAs("a", 2, nil)
		b.beatAs("b", 3, nil)
		time.Sleep(16*time.Second - 1)
		b.wantState("g", Reconciling)
		time.Sleep(1)
		synctest.Wait()
		wantCode(t, "heartbeat", b.beatAs("a", 2, nil).ErrorCode, kerr.UnknownMemberID)
		wantCode(t, "heartbeat", b.beatAs("b", 3, nil).ErrorCode, nil)
	})
}
