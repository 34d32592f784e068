package groups

import (
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Entry is what Kafka writes down of a group in the group's partition of
// __consumer_offsets, in its own encoding: an offset, the members of a classic
// group, or what there is of another one. A nil Value says that it is gone.
type Entry struct {
	Group      string
	Key, Value []byte
	// Producer and Epoch are those of the transaction that commits an offset;
	// Transactional says whether there is one.
	Transactional bool
	Producer      int64
	Epoch         int16
}

// Versions of the records that Kafka 4.3 writes.
const (
	offsetKeyVersion   = 1
	offsetValueVersion = 4
	offsetValueExpires = 1 // with a time of expiry, which clients before version 5 ask for
	groupKeyVersion    = 2
	groupValueVersion  = 3
)

// writes notes an entry, which is handed over before anything is answered.
func (m *Manager) writes(e Entry) {
	if m.cfg.Write != nil {
		m.journal = append(m.journal, e)
	}
}

// flush hands over what has been noted, in the order in which it was. No lock may
// be held but those that [Config].Write does not take.
func (m *Manager) flush() {
	m.writing.Lock()
	defer m.writing.Unlock()
	m.mu.Lock()
	entries := m.journal
	m.journal = nil
	m.mu.Unlock()
	if len(entries) > 0 {
		m.cfg.Write(entries)
	}
}

func offsetKey(group, topic string, partition int32) []byte {
	k := kmsg.OffsetCommitKey{Version: offsetKeyVersion, Group: group, Topic: topic, Partition: partition}
	return k.AppendTo(nil)
}

// offsetEntry is an offset as it is written down.
func offsetEntry(group, topic string, partition int32, c committed) Entry {
	v := kmsg.OffsetCommitValue{Version: offsetValueVersion, Offset: c.offset, LeaderEpoch: c.leaderEpoch, Metadata: c.metadata,
		CommitTimestamp: c.at.UnixMilli(), TopicID: c.topicID}
	if !c.expires.IsZero() {
		v.Version, v.ExpireTimestamp = offsetValueExpires, c.expires.UnixMilli()
	}
	return Entry{Group: group, Key: offsetKey(group, topic, partition), Value: v.AppendTo(nil)}
}

// forgets notes that an offset is gone.
func (m *Manager) forgets(group, topic string, partition int32) {
	if m.cfg.Write != nil {
		m.writes(Entry{Group: group, Key: offsetKey(group, topic, partition)})
	}
}

func groupKey(group string) []byte {
	k := kmsg.GroupMetadataKey{Version: groupKeyVersion, Group: group}
	return k.AppendTo(nil)
}

// begins notes a group that a member has made by joining.
func (m *Manager) begins(g *group) {
	if m.cfg.Write != nil {
		g.noted = true
		m.writes((&written{since: time.Now()}).entry(g.name))
	}
}

// entry is what is written down of a classic group.
func (w *written) entry(group string) Entry {
	v := kmsg.NewGroupMetadataValue()
	v.Version, v.ProtocolType, v.Generation, v.Protocol = groupValueVersion, w.protocolType, w.generation, w.protocol
	if w.leader != "" {
		v.Leader = &w.leader
	}
	v.CurrentStateTimestamp = w.since.UnixMilli()
	for i := range w.members {
		mb := &w.members[i]
		vm := kmsg.NewGroupMetadataValueMember()
		vm.MemberID, vm.InstanceID, vm.ClientID, vm.ClientHost = mb.id, mb.instance, mb.client.ID, mb.client.Host
		vm.RebalanceTimeoutMillis, vm.SessionTimeoutMillis = int32(mb.rebalance/time.Millisecond), int32(mb.session/time.Millisecond)
		vm.Subscription, vm.Assignment = mb.protocols[0].metadata, mb.assignment
		v.Members = append(v.Members, vm)
	}
	return Entry{Group: group, Key: groupKey(group), Value: v.AppendTo(nil)}
}

// dropped notes that a group is gone with its offsets.
func (m *Manager) dropped(g *group) {
	if m.cfg.Write == nil {
		return
	}
	for topic, ps := range g.offsets {
		for num := range ps {
			m.forgets(g.name, topic, num)
		}
	}
	m.endsClassic(g)
	switch {
	case g.consumer != nil:
		m.takesBack(g, &g.consumer.kept)
	case g.share != nil:
		m.takesBack(g, &g.share.kept)
	}
}

// endsClassic notes that a group is no classic one any more.
func (m *Manager) endsClassic(g *group) {
	if g.noted {
		g.noted = false
		m.writes(Entry{Group: g.name, Key: groupKey(g.name)})
	}
}
