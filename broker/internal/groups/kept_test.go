package groups

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// offsetsLog is a partition of __consumer_offsets.
type offsetsLog struct {
	mu      sync.Mutex
	entries []Entry
}

func (l *offsetsLog) write(entries []Entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.entries = append(l.entries, entries...)
}

// read makes a coordinator know what is in the log, or in what compaction leaves of it.
func (l *offsetsLog) read(t *testing.T, cfg Config, compacted bool) *Manager {
	t.Helper()
	l.mu.Lock()
	entries := slices.Clone(l.entries)
	l.mu.Unlock()
	last := make(map[string]int)
	for i, e := range entries {
		last[string(e.Key)] = i
	}
	m := New(cfg)
	for i, e := range entries {
		if compacted && (last[string(e.Key)] != i || e.Value == nil) {
			continue
		}
		if err := m.Load(e.Key, e.Value, nil); err != nil {
			t.Fatal(err)
		}
	}
	m.Loaded()
	m.Changed() // as the cluster does before the first request
	return m
}

// restart ends the coordinator and starts another on what it has written.
func (b *bench) restart(cfg Config, log *offsetsLog, compacted bool) {
	b.t.Helper()
	b.Close()
	synctest.Wait()
	b.Manager = log.read(b.t, cfg, compacted)
}

// known is what a coordinator knows of a consumer group, and that survives it.
func known(m *Manager, name string) map[string]any {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := make(map[string]any)
	g := m.groups[name]
	if g == nil || g.consumer == nil {
		return all
	}
	c := g.consumer
	all["epochs"] = []int32{c.epoch, c.assignmentEpoch}
	all["topics"] = c.topics
	all["assigned at"] = c.assignedAt.UnixMilli()
	for regex, topics := range c.resolved {
		all["regex "+regex] = maps.Clone(topics)
	}
	for id, ps := range c.target {
		all["target "+id] = fmt.Sprint(sorted(ps))
	}
	for id, mb := range c.members {
		d := mb.memberData
		if d.classic != nil {
			all["classic "+id] = *d.classic
		}
		d.topics, d.assigned, d.revoking = maps.Clone(d.topics), maps.Clone(d.assigned), maps.Clone(d.revoking)
		if len(d.topics) == 0 {
			d.topics = nil
		}
		if len(d.assigned) == 0 {
			d.assigned = nil
		}
		if len(d.revoking) == 0 {
			d.revoking = nil
		}
		d.classic = nil
		all["member "+id] = d
	}
	for p, id := range c.owner {
		all[fmt.Sprint("owner of ", p)] = id
	}
	return all
}

// checkWritten compares what is written with what is known.
func (l *offsetsLog) checkWritten(t *testing.T, cfg Config, m *Manager) {
	t.Helper()
	l.checkKinds(t)
	for _, compacted := range []bool{false, true} {
		cfg.Write = nil
		again := l.read(t, cfg, compacted)
		want, have := known(m, "g"), known(again, "g")
		again.Close()
		for _, key := range slices.Sorted(maps.Keys(want)) {
			if !reflect.DeepEqual(want[key], have[key]) {
				t.Fatalf("compacted %v: %s is %+v, written is %+v", compacted, key, want[key], have[key])
			}
		}
		for key := range have {
			if _, ok := want[key]; !ok {
				t.Fatalf("compacted %v: %s is written: %+v", compacted, key, have[key])
			}
		}
	}
}

// checkKinds looks that a group is of one kind at a time, and that tombstones come in the order that Kafka's coordinator wants when it reads them.
func (l *offsetsLog) checkKinds(t *testing.T) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	has := make(map[string]bool)
	count := func(prefix []byte) (n int) {
		for key := range has {
			if strings.HasPrefix(key, string(prefix)) {
				n++
			}
		}
		return n
	}
	for i, e := range l.entries {
		if e.Value != nil {
			has[string(e.Key)] = true
		} else {
			delete(has, string(e.Key))
		}
		switch version := int16(e.Key[1]); {
		case version == consumerMemberKey && e.Value == nil:
			_, id, _ := readKeptKey(e.Key, 1)
			if has[string(keptKey(consumerCurrentKey, e.Group, id))] || has[string(keptKey(consumerTargetOfKey, e.Group, id))] {
				t.Fatalf("entry %d: member %s goes before what it has", i, id)
			}
		case version == consumerEpochKey && e.Value == nil:
			if n := count(keptKey(consumerMemberKey, e.Group)) + count(keptKey(consumerTargetOfKey, e.Group)) + count(keptKey(consumerTargetKey, e.Group)); n > 0 {
				t.Fatalf("entry %d: the group goes before %d other records of it", i, n)
			}
		}
		classic, consumer := has[string(groupKey(e.Group))], count(keptKey(consumerMemberKey, e.Group))+count(keptKey(consumerEpochKey, e.Group))
		if classic && consumer > 0 {
			t.Fatalf("entry %d: the group is a classic one and has %d records of the other kind", i, consumer)
		}
	}
}

// memberBeat is a heartbeat of a member of group g that reads orders, unless it is changed. Epoch 0 joins.
func (b *bench) memberBeat(id string, epoch int32, change func(*kmsg.ConsumerGroupHeartbeatRequest)) *kmsg.ConsumerGroupHeartbeatResponse {
	req := kmsg.NewPtrConsumerGroupHeartbeatRequest()
	req.Version, req.Group, req.MemberID, req.MemberEpoch = 1, "g", id, epoch
	if epoch == 0 {
		req.RebalanceTimeoutMillis, req.SubscribedTopicNames, req.Topics = 60_000, []string{"orders"}, []kmsg.ConsumerGroupHeartbeatRequestTopic{}
	}
	if change != nil {
		change(req)
	}
	return got[*kmsg.ConsumerGroupHeartbeatResponse](b.send(req))
}

func TestMembersOutliveTheirCoordinator(t *testing.T) {
	topics := newTopics(Topic{"orders", [16]byte{1}, 4}, Topic{"payments", [16]byte{2}, 2})
	log := new(offsetsLog)
	cfg := Config{Topics: topics.list, Members: true, Write: log.write}
	inBubble(t, cfg, func(b *bench) {
		first := b.memberBeat("a", 0, func(req *kmsg.ConsumerGroupHeartbeatRequest) { req.InstanceID = kmsg.StringPtr("desk") })
		wantCode(t, "join", first.ErrorCode, nil)
		b.restart(cfg, log, true)
		static := func(req *kmsg.ConsumerGroupHeartbeatRequest) { req.InstanceID = kmsg.StringPtr("desk") }
		again := b.memberBeat("a", first.MemberEpoch, static)
		wantCode(t, "heartbeat after a restart", again.ErrorCode, nil)
		if again.MemberEpoch != first.MemberEpoch || again.Assignment != nil {
			t.Errorf("the member is in epoch %d after %d, and is assigned %+v", again.MemberEpoch, first.MemberEpoch, again.Assignment)
		}
		regex := b.memberBeat("b", 0, func(req *kmsg.ConsumerGroupHeartbeatRequest) {
			req.SubscribedTopicNames, req.SubscribedTopicRegex = nil, kmsg.StringPtr("pay.*")
		})
		time.Sleep(time.Millisecond) // until the expression is resolved
		regex = b.memberBeat("b", regex.MemberEpoch, nil)
		log.checkWritten(t, cfg, b.Manager)
		topics.grow(1)
		b.restart(cfg, log, false)
		if grown := b.memberBeat("b", regex.MemberEpoch, nil); grown.MemberEpoch <= regex.MemberEpoch || len(grown.Assignment.Topics) != 1 || len(grown.Assignment.Topics[0].Partitions) != 3 {
			t.Errorf("of a topic that grew while there was no coordinator is assigned %+v", grown)
		}
		b.memberBeat("b", -1, nil)
		b.restart(cfg, log, true)
		wantCode(t, "heartbeat of one who has left", b.memberBeat("b", 3, nil).ErrorCode, kerr.UnknownMemberID)
		time.Sleep(45 * time.Second) // nobody has been heard of since the restart
		b.wantState("g", Empty)
		log.checkWritten(t, cfg, b.Manager)
		del := kmsg.NewPtrDeleteGroupsRequest()
		del.Groups = []string{"g"}
		wantCode(t, "delete", got[*kmsg.DeleteGroupsResponse](b.send(del)).Groups[0].ErrorCode, nil)
		b.restart(cfg, log, true)
		if all := b.Groups(); len(all) > 0 {
			t.Errorf("there are %v", all)
		}
	})
}

// TestAnEmptyGroupGoesOverToTheOtherProtocolWithAllThatIsWritten: Kafka's coordinator, and this one, would take what is left of the old kind for the group.
func TestAnEmptyGroupGoesOverToTheOtherProtocolWithAllThatIsWritten(t *testing.T) {
	topics := newTopics(Topic{"orders", [16]byte{1}, 4})
	log := new(offsetsLog)
	cfg := Config{Topics: topics.list, Members: true, Write: log.write}
	inBubble(t, cfg, func(b *bench) {
		wantCode(t, "join", b.memberBeat("a", 0, nil).ErrorCode, nil)
		wantCode(t, "leave", b.memberBeat("a", -1, nil).ErrorCode, nil)
		j := b.joiner("g")
		first := got[*kmsg.JoinGroupResponse](b.send(j.joinRequest()))
		wantCode(t, "join", first.ErrorCode, kerr.MemberIDRequired)
		j.id = first.MemberID
		b.send(j.joinRequest())
		time.Sleep(10 * time.Second) // the group's first rebalance waits for others
		log.checkWritten(t, cfg, b.Manager)
		b.restart(cfg, log, true)
		if info, ok := b.Group("g"); ok && info.Type != "classic" {
			t.Errorf("after a restart the group is %+v", info)
		}
	})
}

func TestShareMembersOutliveTheirCoordinator(t *testing.T) {
	topics := newTopics(Topic{"orders", [16]byte{1}, 2})
	log, states := new(offsetsLog), new(ledger)
	cfg := Config{Topics: topics.list, Members: true, Write: log.write, ShareStates: states}
	inBubble(t, cfg, func(b *bench) {
		a := b.shareBeat("a", 0, "orders")
		a = b.shareBeat("a", a.MemberEpoch)
		c := b.shareBeat("c", 0, "orders")
		for _, compacted := range []bool{false, true} {
			b.Close()
			b.Manager = log.read(t, Config{Topics: topics.list}, compacted)
			b.Close()
			m := New(cfg)
			for _, e := range log.entries {
				if err := m.Load(e.Key, e.Value, nil); err != nil {
					t.Fatal(err)
				}
			}
			for num := range int32(2) {
				m.LoadShare("g", [16]byte{1}, num, c.MemberEpoch)
			}
			m.Loaded()
			b.Manager = m
			for id, before := range map[string]*kmsg.ShareGroupHeartbeatResponse{"a": a, "c": c} {
				now := b.shareBeat(id, before.MemberEpoch)
				wantCode(t, "heartbeat after a restart", now.ErrorCode, nil)
				if id == "c" && (now.MemberEpoch != before.MemberEpoch || now.Assignment != nil) {
					t.Errorf("%s is in epoch %d after %d, and is assigned %+v", id, now.MemberEpoch, before.MemberEpoch, now.Assignment)
				}
				a = b.shareBeat("a", a.MemberEpoch)
			}
		}
		wantCode(t, "leave", b.shareBeat("a", -1).ErrorCode, nil)
		time.Sleep(46 * time.Second) // c is not heard of
		b.restart(cfg, log, true)
		if info, ok := b.Group("g"); !ok || info.State != Empty || info.Type != "share" {
			t.Errorf("the group is %+v", info)
		}
		wantCode(t, "heartbeat of one who has gone", b.shareBeat("c", c.MemberEpoch).ErrorCode, kerr.UnknownMemberID)
	})
}

func TestRecordsOfMembersThatAreNotWholeAreErrors(t *testing.T) {
	topics := newTopics(Topic{"orders", [16]byte{1}, 4})
	log := new(offsetsLog)
	cfg := Config{Topics: topics.list, Members: true, Write: log.write, ShareStates: new(ledger)}
	inBubble(t, cfg, func(b *bench) {
		b.shareBeat("a", 0, "orders")
		req := kmsg.NewPtrConsumerGroupHeartbeatRequest()
		req.Version, req.Group, req.MemberID = 1, "other", "b"
		req.RebalanceTimeoutMillis, req.SubscribedTopicNames, req.Topics = 60_000, []string{"orders"}, []kmsg.ConsumerGroupHeartbeatRequestTopic{}
		b.send(req)
		synctest.Wait()
	})
	kinds := make(map[byte]bool)
	for _, e := range log.entries {
		kinds[e.Key[1]] = true
		for cut := range e.Value {
			m := New(Config{})
			if m.Load(e.Key, e.Value[:cut:cut], nil) == nil && e.Key[1] != sharePartitionsKey {
				t.Errorf("%d of %d bytes of record %d are taken", cut, len(e.Value), e.Key[1])
			}
			m.Close()
		}
		for cut := 2; cut < len(e.Key); cut++ {
			m := New(Config{})
			if m.Load(e.Key[:cut:cut], e.Value, nil) == nil {
				t.Errorf("%d of %d bytes of a key of record %d are taken", cut, len(e.Key), e.Key[1])
			}
			m.Close()
		}
	}
	if len(kinds) != 11 {
		t.Errorf("there are records %v", kinds)
	}
}
