package groups

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kbin"
)

// notes writes down what has changed of a share group, in the order in which Kafka's coordinator writes it.
func (s *share) notes() {
	if !s.m.writesMembers() || s.m.groups[s.g.name] != s.g {
		s.kept.settled()
		return
	}
	write := func(version int16, value []byte, of ...string) {
		s.m.keeps(s.g, &s.kept, keptKey(version, s.g.name, of...), value)
	}
	touched := s.kept.changed()
	for _, id := range touched {
		if s.members[id] == nil {
			write(shareCurrentKey, nil, id)
			write(shareTargetOfKey, nil, id)
			write(shareMemberKey, nil, id)
		}
	}
	for _, id := range touched {
		if mb := s.members[id]; mb != nil {
			write(shareMemberKey, mb.appendTo(nil), id)
		}
	}
	epoch := kbin.AppendInt32(kbin.AppendInt16(nil, keptValueVersion), s.epoch)
	write(shareEpochKey, append(kbin.AppendInt64(epoch, s.topics), 0))
	if s.kept.targets {
		for _, id := range slices.Sorted(maps.Keys(s.target)) {
			write(shareTargetOfKey, append(appendPartitions(kbin.AppendInt16(nil, keptValueVersion), s.target[id], nil), 0), id)
		}
		write(shareTargetKey, appendTarget(s.assignmentEpoch, s.assignedAt))
	}
	for _, id := range touched {
		if mb := s.members[id]; mb != nil {
			write(shareCurrentKey, mb.appendCurrent(nil), id)
		}
	}
	if len(s.known)+len(s.asked) > 0 || s.kept.has(keptKey(sharePartitionsKey, s.g.name)) {
		write(sharePartitionsKey, s.appendPartitions(nil))
	}
	s.kept.settled()
}

// appendPartitions writes which partitions the share coordinator knows, and of which it has been told.
func (s *share) appendPartitions(b []byte) []byte {
	b = kbin.AppendInt16(b, keptValueVersion)
	known, asked := s.named(grouped(s.known)), s.named(grouped(s.asked))
	for _, all := range [][]topicPartitions{asked, known} {
		b = kbin.AppendCompactArrayLen(b, len(all))
		for _, t := range all {
			b = kbin.AppendCompactString(kbin.AppendUuid(b, t.id), s.m.image.byID[t.id].Name)
			b = append(appendInts(b, t.partitions), 0)
		}
	}
	b = kbin.AppendCompactArrayLen(b, 0) // none is being deleted
	return append(b, 0)
}

// named are those of topics that there are.
func (s *share) named(all []topicPartitions) []topicPartitions {
	return slices.DeleteFunc(all, func(t topicPartitions) bool { _, ok := s.m.image.byID[t.id]; return !ok })
}

// appendTo writes what a member has said.
func (d *shareData) appendTo(b []byte) []byte {
	b = kbin.AppendCompactNullableString(kbin.AppendInt16(b, keptValueVersion), d.rack)
	b = kbin.AppendCompactString(kbin.AppendCompactString(b, d.client.ID), d.client.Host)
	return append(appendStrings(b, d.topics), 0)
}

// appendCurrent writes how far a member is.
func (d *shareData) appendCurrent(b []byte) []byte {
	b = kbin.AppendInt32(kbin.AppendInt32(kbin.AppendInt16(b, keptValueVersion), d.epoch), d.previous)
	return append(appendPartitions(append(b, byte(reconciled)), d.assigned, nil), 0)
}

// loadShare takes over a record of a share group. Which partitions the share coordinator knows it says itself, see [Manager.LoadShare].
func (m *Manager) loadShare(version uint16, key, value []byte) (err error) {
	ofMember := version == shareMemberKey || version == shareTargetOfKey || version == shareCurrentKey
	name, of, err := readKeptKey(key, map[bool]int{true: 1}[ofMember])
	if err != nil {
		return fmt.Errorf("groups: key of a share group: %w", err)
	}
	g := m.loading(name)
	if g.share == nil {
		if value == nil {
			return nil
		}
		g.classic, g.consumer, g.share = nil, nil, newShare(m, g)
	}
	s := g.share
	s.kept.load(key, value)
	switch {
	case version == sharePartitionsKey:
	case version == shareEpochKey && value == nil:
		g.share, g.classic = nil, newClassic(m, g)
	case version == shareEpochKey:
		r := unversioned(value)
		s.epoch, s.topics = r.Int32(), r.Int64()
		readTags(r)
		err = r.Complete()
	case version == shareTargetKey && value == nil:
		s.assignmentEpoch, s.assignedAt = 0, time.Time{}
	case version == shareTargetKey:
		s.assignmentEpoch, s.assignedAt, err = readTarget(value)
	case version == shareTargetOfKey && value == nil:
		delete(s.target, of)
	case version == shareTargetOfKey:
		s.target[of], err = readTargetOf(value)
	default:
		err = s.loadMember(of, version, value)
	}
	if err != nil {
		return fmt.Errorf("groups: record %d of share group %s: %w", version, name, err)
	}
	return nil
}

// loadMember takes over a record of a member.
func (s *share) loadMember(id string, version uint16, value []byte) error {
	mb := s.members[id]
	if mb == nil {
		if value == nil {
			return nil
		}
		mb = &shareMember{shareData: shareData{id: id, previous: -1}}
		s.members[id] = mb
	}
	r := unversioned(value)
	switch {
	case version == shareMemberKey && value == nil:
		delete(s.members, id)
		return nil
	case version == shareMemberKey:
		mb.rack = r.CompactNullableString()
		mb.client = Client{ID: r.CompactString(), Host: r.CompactString()}
		mb.topics = readStrings(r)
	case value == nil:
		mb.epoch, mb.previous, mb.assigned = 0, -1, nil
		return nil
	default:
		mb.epoch, mb.previous = r.Int32(), r.Int32()
		r.Int8()
		mb.assigned = make(map[partition]bool)
		for p := range readPartitions(r, 0) {
			mb.assigned[p] = true
		}
	}
	readTags(r)
	return r.Complete()
}

// loaded makes a group whole of which all records have been read. A member of which there are not all is none.
func (s *share) loaded() {
	for id := range s.members {
		if !s.kept.has(keptKey(shareMemberKey, s.g.name, id)) || !s.kept.has(keptKey(shareCurrentKey, s.g.name, id)) {
			delete(s.members, id)
			s.kept.touch(id)
		}
	}
	s.reload()
}
