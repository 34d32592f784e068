package groups

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestMetadataIsLimitedInUTF16Units(t *testing.T) {
	for _, tt := range []struct {
		limit int // 0: the default
		meta  string
		fits  bool
	}{
		{0, strings.Repeat("x", 4096), true},
		{0, strings.Repeat("x", 4097), false},
		{0, strings.Repeat("é", 4096), true}, // 8192 bytes
		{0, strings.Repeat("語", 4096), true},
		{0, strings.Repeat("😀", 2048), true}, // two units each
		{0, strings.Repeat("😀", 2048) + "x", false},
		{3, "abc", true},
		{3, "a😀", true},
		{3, "a😀b", false},
	} {
		inBubble(t, Config{MaxMetadata: tt.limit}, func(b *bench) {
			j := b.joiner("g")
			req := j.commitRequest(1)
			req.Topics[0].Partitions[0].Metadata = &tt.meta
			err := kerr.TypedErrorForCode(got[*kmsg.OffsetCommitResponse](b.send(req)).Topics[0].Partitions[0].ErrorCode)
			if (err == nil) != tt.fits || err != nil && err != kerr.OffsetMetadataTooLarge {
				t.Errorf("%d bytes with limit %d: %v", len(tt.meta), tt.limit, err)
			}
			if _, _, meta, ok := b.Committed("g", "orders", 0); ok != tt.fits || ok && meta != tt.meta {
				t.Errorf("committed %q, %v", meta, ok)
			}
		})
	}
}

func TestOffsetsOfADeletedTopicAreForgotten(t *testing.T) {
	inBubble(t, Config{}, func(b *bench) {
		j := b.joiner("g")
		if err := j.commit(5); err != nil {
			t.Fatal(err)
		}
		b.TopicDeleted("payments")
		if _, _, _, ok := b.Committed("g", "orders", 0); !ok {
			t.Error("forgot another topic")
		}
		b.TopicDeleted("orders")
		if _, _, _, ok := b.Committed("g", "orders", 0); ok {
			t.Error("remembers a topic that is gone")
		}
	})
}

func TestOffsetsOfARecreatedTopicAreNotItsPredecessors(t *testing.T) {
	var mu sync.Mutex
	id := [16]byte{1}
	cfg := Config{
		TopicID: func(string) ([16]byte, bool) {
			mu.Lock()
			defer mu.Unlock()
			return id, true
		},
		TopicName: func([16]byte) (string, bool) { return "orders", true },
	}
	inBubble(t, cfg, func(b *bench) {
		fetch := func() int64 {
			req := kmsg.NewPtrOffsetFetchRequest()
			req.Version = 10
			req.Groups = []kmsg.OffsetFetchRequestGroup{{Group: "g", Topics: []kmsg.OffsetFetchRequestGroupTopic{{TopicID: id, Partitions: []int32{0}}}}}
			return got[*kmsg.OffsetFetchResponse](b.send(req)).Groups[0].Topics[0].Partitions[0].Offset
		}
		j := b.joiner("g")
		if err := j.commit(5); err != nil {
			t.Fatal(err)
		}
		if offset := fetch(); offset != 5 {
			t.Errorf("offset %d", offset)
		}
		mu.Lock()
		id = [16]byte{2}
		mu.Unlock()
		if offset := fetch(); offset != -1 {
			t.Errorf("offset %d", offset)
		}
	})
}

// A configuration that knows no topic id answers nothing in a version that has
// no names.
func TestWithoutTopicIDsNothingIsFetchedByID(t *testing.T) {
	inBubble(t, Config{}, func(b *bench) {
		j := b.joiner("g")
		if err := j.commit(5); err != nil {
			t.Fatal(err)
		}
		req := kmsg.NewPtrOffsetFetchRequest()
		req.Version, req.Groups = 10, []kmsg.OffsetFetchRequestGroup{{Group: "g"}}
		if r := got[*kmsg.OffsetFetchResponse](b.send(req)); len(r.Groups[0].Topics) != 0 {
			t.Errorf("fetched %+v", r)
		}
		commit := j.commitRequest(6)
		commit.Version = 10
		r := got[*kmsg.OffsetCommitResponse](b.send(commit))
		wantCode(t, "commit", r.Topics[0].Partitions[0].ErrorCode, kerr.UnknownTopicID)
	})
}

// TestConcurrentClientsDoNotRace is for the race detector.
func TestConcurrentClientsDoNotRace(t *testing.T) {
	m := New(Config{})
	var wg, replies sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			b := &bench{t: t, Manager: m}
			j := b.joiner(fmt.Sprint("g", i%3))
			ask := func(req kmsg.Request) kmsg.Response {
				done := make(chan kmsg.Response, 1)
				replies.Add(1)
				m.Handle(Client{ID: "app"}, req, func(r kmsg.Response) { done <- r; replies.Done() })
				return <-done
			}
			for range 20 {
				r := ask(j.joinRequest()).(*kmsg.JoinGroupResponse)
				j.id, j.generation = r.MemberID, r.Generation
				if r.ErrorCode != 0 {
					continue
				}
				assign := make(map[string]string)
				for _, mb := range r.Members {
					assign[mb.MemberID] = "x"
				}
				if len(r.Members) > 0 {
					ask(j.syncRequest(assign))
				}
				ask(j.commitRequest(1))
				m.Group(j.group)
				m.Groups()
				m.Committed(j.group, "orders", 0)
				l := kmsg.NewPtrLeaveGroupRequest()
				l.Version, l.Group, l.Members = 5, j.group, []kmsg.LeaveGroupRequestMember{{MemberID: j.id}}
				ask(l)
			}
		})
	}
	wg.Wait()
	m.Close()
	replies.Wait()
}
