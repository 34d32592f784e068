package groups

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestMemberJoinsSyncsBeatsCommitsAndLeaves(t *testing.T) {
	inBubble(t, Config{}, func(b *bench) {
		j := b.joiner("g")
		first := got[*kmsg.JoinGroupResponse](b.send(j.joinRequest()))
		wantCode(t, "first join", first.ErrorCode, kerr.MemberIDRequired)
		b.wantState("g", Empty)
		j.id = first.MemberID

		r := j.joined(j.join())
		if r.Generation != 1 || r.LeaderID != j.id || len(r.Members) != 1 || *r.Protocol != "range" || *r.ProtocolType != "consumer" {
			t.Errorf("joined: %+v", r)
		}
		b.wantState("g", CompletingRebalance)
		if err := j.commit(5); err != kerr.RebalanceInProgress {
			t.Errorf("commit before the assignment: %v", err)
		}
		s := got[*kmsg.SyncGroupResponse](j.sync(map[string]string{j.id: "all of it", "nobody": "?"}))
		if s.ErrorCode != 0 || string(s.MemberAssignment) != "all of it" || *s.Protocol != "range" || *s.ProtocolType != "consumer" {
			t.Errorf("synced: %+v", s)
		}
		b.wantState("g", Stable)
		if err := j.beat(); err != nil {
			t.Errorf("heartbeat: %v", err)
		}
		if err := j.commit(5); err != nil {
			t.Errorf("commit: %v", err)
		}
		if offset, epoch, meta, ok := b.Committed("g", "orders", 0); offset != 5 || epoch != -1 || meta != "" || !ok {
			t.Errorf("committed %d %d %q %v", offset, epoch, meta, ok)
		}
		if err := j.leave(); err != nil {
			t.Errorf("leave: %v", err)
		}
		if info := b.wantState("g", Empty); info.Generation != 2 || info.Leader != "" {
			t.Errorf("left behind: %+v", info)
		}
		if err := j.beat(); err != kerr.UnknownMemberID {
			t.Errorf("heartbeat after leaving: %v", err)
		}
	})
}

func TestSessionExpiresAtItsExactTime(t *testing.T) {
	inBubble(t, Config{}, func(b *bench) {
		j := b.stable(b.joiner("g"))[0]
		time.Sleep(7 * time.Second)
		if err := j.beat(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10*time.Second - 1)
		b.wantState("g", Stable)
		time.Sleep(1)
		b.wantState("g", Empty)
	})
}
