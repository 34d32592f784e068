package groups

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// A Manager learns of groups what another has written down by [Config].Write: record by record with [Manager.Load], in the order of each partition of
// __consumer_offsets, and, where a transaction's marker stands, [Manager.EndTxns]. It must not be asked anything before [Manager.Loaded].

// Load takes over a record. producer is that of the transaction which the record is part of, nil for none. What this package does not write is passed
// over; what it does and cannot be read is an error.
func (m *Manager) Load(key, value []byte, producer *int64) error {
	if len(key) < 2 {
		return fmt.Errorf("groups: a key of %d bytes", len(key))
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	switch version := binary.BigEndian.Uint16(key); version {
	case 0, offsetKeyVersion:
		return m.loadOffset(key, value, producer)
	case groupKeyVersion:
		return m.loadMembers(key, value)
	case consumerEpochKey, consumerMemberKey, consumerTargetKey, consumerTargetOfKey, consumerCurrentKey, consumerRegexKey:
		return m.loadConsumer(version, key, value)
	case shareEpochKey, shareMemberKey, shareTargetKey, shareTargetOfKey, shareCurrentKey, sharePartitionsKey:
		return m.loadShare(version, key, value)
	}
	return nil
}

// loading finds a group, or makes it.
func (m *Manager) loading(name string) *group {
	g := m.groups[name]
	if g == nil {
		g = &group{name: name}
		g.classic = newClassic(m, g)
		m.groups[name] = g
	}
	return g
}

func (m *Manager) loadOffset(key, value []byte, producer *int64) error {
	var k kmsg.OffsetCommitKey
	if err := k.ReadFrom(key); err != nil {
		return fmt.Errorf("groups: key of an offset: %w", err)
	}
	g := m.loading(k.Group)
	if value == nil {
		g.offsets.remove(k.Topic, k.Partition)
		return nil
	}
	var v kmsg.OffsetCommitValue
	if err := v.ReadFrom(value); err != nil {
		return fmt.Errorf("groups: offset of group %s for %s-%d: %w", k.Group, k.Topic, k.Partition, err)
	}
	m.commits++
	c := committed{offset: v.Offset, leaderEpoch: -1, metadata: v.Metadata, at: time.UnixMilli(v.CommitTimestamp), seq: m.commits}
	if v.Version >= 3 {
		c.leaderEpoch = v.LeaderEpoch
	}
	if v.Version >= offsetValueVersion {
		c.topicID = v.TopicID
	}
	if v.Version == offsetValueExpires && v.ExpireTimestamp > 0 {
		c.expires = time.UnixMilli(v.ExpireTimestamp)
	}
	if producer != nil {
		g.stage(*producer, k.Topic, k.Partition, c)
	} else {
		g.offsets.put(k.Topic, k.Partition, c)
	}
	return nil
}

func (m *Manager) loadMembers(key, value []byte) error {
	var k kmsg.GroupMetadataKey
	if err := k.ReadFrom(key); err != nil {
		return fmt.Errorf("groups: key of a group: %w", err)
	}
	g := m.loading(k.Group)
	if value == nil && g.classic == nil {
		return nil // it had become another one
	}
	g.consumer, g.share, g.classic = nil, nil, newClassic(m, g)
	if g.noted = value != nil; !g.noted {
		return nil
	}
	var v kmsg.GroupMetadataValue
	if err := v.ReadFrom(value); err != nil {
		return fmt.Errorf("groups: members of group %s: %w", k.Group, err)
	}
	w := written{since: time.UnixMilli(v.CurrentStateTimestamp), protocolType: v.ProtocolType, protocol: v.Protocol, generation: v.Generation}
	if v.Leader != nil {
		w.leader = *v.Leader
	}
	for i := range v.Members {
		vm := &v.Members[i]
		mb := member{
			id: vm.MemberID, instance: vm.InstanceID, client: Client{ID: vm.ClientID, Host: vm.ClientHost}, assignment: vm.Assignment,
			session:   time.Duration(vm.SessionTimeoutMillis) * time.Millisecond,
			rebalance: time.Duration(vm.RebalanceTimeoutMillis) * time.Millisecond,
		}
		if v.Protocol != nil {
			mb.protocols = []protocol{{*v.Protocol, vm.Subscription}}
		}
		w.members = append(w.members, mb)
	}
	g.classic.written = w
	return nil
}

// LoadShare takes over that the share coordinator knows a partition that a share group reads, from an epoch of the group on.
func (m *Manager) LoadShare(group string, topic [16]byte, num, epoch int32) {
	m.mu.Lock()
	defer m.mu.Unlock()
	g := m.loading(group)
	if g.share == nil {
		g.classic, g.consumer, g.share = nil, nil, newShare(m, g)
	}
	g.share.known[partition{topic, num}] = true
	if !g.share.kept.has(keptKey(shareEpochKey, group)) { // it was never written down
		g.share.epoch = max(g.share.epoch, epoch+1)
	}
}

// Loaded ends the loading. All members have their session timeouts, from now, to be heard of.
func (m *Manager) Loaded() {
	m.mu.Lock()
	defer m.unlock()
	for name, g := range m.groups {
		switch {
		case g.share != nil:
			g.share.loaded()
		case g.consumer != nil:
			g.consumer.loaded()
			m.watch(g)
		case g.unused() && !g.noted:
			delete(m.groups, name)
		default:
			m.reload(g)
		}
	}
}
