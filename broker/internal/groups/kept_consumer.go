package groups

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kbin"
)

// notes writes down what has changed of a consumer group, in the order in which Kafka's coordinator writes it.
func (c *consumer) notes() {
	if !c.m.writesMembers() {
		c.kept.settled()
		return
	}
	write := func(version int16, value []byte, of ...string) {
		c.m.keeps(c.g, &c.kept, keptKey(version, c.g.name, of...), value)
	}
	touched := c.kept.changed()
	for _, id := range touched {
		if c.members[id] == nil {
			write(consumerCurrentKey, nil, id)
			write(consumerTargetOfKey, nil, id)
			write(consumerMemberKey, nil, id)
		}
	}
	for _, id := range touched {
		if mb := c.members[id]; mb != nil {
			write(consumerMemberKey, mb.appendTo(nil), id)
		}
	}
	if c.kept.regexes {
		c.noteRegexes(write)
	}
	write(consumerEpochKey, appendEpoch(c.epoch, c.topics))
	if c.kept.targets {
		for _, id := range slices.Sorted(maps.Keys(c.target)) {
			write(consumerTargetOfKey, append(appendPartitions(kbin.AppendInt16(nil, keptValueVersion), c.target[id], nil), 0), id)
		}
		write(consumerTargetKey, appendTarget(c.assignmentEpoch, c.assignedAt))
	}
	for _, id := range touched {
		if mb := c.members[id]; mb != nil {
			write(consumerCurrentKey, mb.appendCurrent(nil), id)
		}
	}
	c.kept.settled()
}

// noteRegexes writes down which topics regular expressions name.
func (c *consumer) noteRegexes(write func(version int16, value []byte, of ...string)) {
	for key := range maps.Clone(c.kept.records) {
		if _, regex, err := readKeptKey([]byte(key), 1); err == nil && key[1] == consumerRegexKey && c.resolved[regex] == nil {
			write(consumerRegexKey, nil, regex)
		}
	}
	for _, regex := range slices.Sorted(maps.Keys(c.resolved)) {
		value := appendStrings(kbin.AppendInt16(nil, keptValueVersion), c.resolved[regex])
		value = kbin.AppendInt64(value, 0) // of the metadata, which Kafka counts from another zero
		write(consumerRegexKey, append(kbin.AppendInt64(value, c.resolvedAt.UnixMilli()), 0), regex)
	}
}

// appendTo writes what a member has said.
func (d *memberData) appendTo(b []byte) []byte {
	b = kbin.AppendInt16(b, keptValueVersion)
	b = kbin.AppendCompactNullableString(kbin.AppendCompactNullableString(b, d.instance), d.rack)
	b = kbin.AppendCompactString(kbin.AppendCompactString(b, d.client.ID), d.client.Host)
	b = appendStrings(b, d.topics)
	regex := &d.regex
	if d.regex == "" {
		regex = nil
	}
	b = kbin.AppendInt32(kbin.AppendCompactNullableString(b, regex), d.timeout)
	b = kbin.AppendCompactNullableString(b, d.assignor)
	if d.classic == nil {
		return append(b, 0)
	}
	cl := kbin.AppendInt32([]byte{1}, int32(d.classic.session/time.Millisecond)) // 1: it is not null
	cl = kbin.AppendCompactArrayLen(cl, len(d.classic.protocols))
	for _, p := range d.classic.protocols {
		cl = append(kbin.AppendCompactBytes(kbin.AppendCompactString(cl, p.name), p.metadata), 0)
	}
	return appendTag(b, append(cl, 0))
}

// readFrom is the reverse of appendTo.
func (d *memberData) readFrom(value []byte) error {
	r := unversioned(value)
	d.instance, d.rack = r.CompactNullableString(), r.CompactNullableString()
	d.client = Client{ID: r.CompactString(), Host: r.CompactString()}
	d.topics = readStrings(r)
	d.regex = ""
	if regex := r.CompactNullableString(); regex != nil {
		d.regex = *regex
	}
	d.timeout, d.assignor = r.Int32(), r.CompactNullableString()
	d.classic = nil
	if tag := readTags(r); len(tag) > 0 && tag[0] == 1 {
		in := &kbin.Reader{Src: tag[1:]}
		d.classic = &classicData{session: millis(in.Int32())}
		for range in.CompactArrayLen() {
			if !in.Ok() {
				break
			}
			d.classic.protocols = append(d.classic.protocols, protocol{in.CompactString(), in.CompactBytes()})
			readTags(in)
		}
		readTags(in)
		if err := in.Complete(); err != nil {
			return err
		}
		if len(d.classic.protocols) == 0 {
			return kbin.ErrNotEnoughData
		}
	}
	return r.Complete()
}

// appendCurrent writes how far a member is.
func (d *memberData) appendCurrent(b []byte) []byte {
	b = kbin.AppendInt16(b, keptValueVersion)
	b = append(kbin.AppendInt32(kbin.AppendInt32(b, d.epoch), d.previous), byte(d.state))
	for _, ps := range []owned{d.assigned, d.revoking} {
		b = appendPartitions(b, ps, func(t topicPartitions) []byte {
			var epochs []int32
			for _, num := range t.partitions {
				epochs = append(epochs, ps[partition{t.id, num}])
			}
			return appendTag(nil, appendInts(nil, epochs))
		})
	}
	return append(b, 0)
}

// readCurrent is the reverse of appendCurrent.
func (d *memberData) readCurrent(value []byte) error {
	r := unversioned(value)
	d.epoch, d.previous, d.state = r.Int32(), r.Int32(), memberState(r.Int8())
	if d.state < reconciled || d.state > unreleased {
		return fmt.Errorf("there is no state %d of a member", d.state)
	}
	d.assigned, d.revoking = readPartitions(r, d.epoch), readPartitions(r, d.epoch)
	readTags(r)
	return r.Complete()
}

func appendEpoch(epoch int32, topics int64) []byte {
	return appendTag(kbin.AppendInt32(kbin.AppendInt16(nil, keptValueVersion), epoch), kbin.AppendInt64(nil, topics))
}

func appendTarget(epoch int32, at time.Time) []byte {
	b := kbin.AppendInt32(kbin.AppendInt16(nil, keptValueVersion), epoch)
	if at.IsZero() {
		return append(b, 0)
	}
	return appendTag(b, kbin.AppendInt64(nil, at.UnixMilli()))
}

// readTarget is the reverse of appendTarget.
func readTarget(value []byte) (epoch int32, at time.Time, err error) {
	r := unversioned(value)
	epoch = r.Int32()
	if tag := readTags(r); len(tag) == 8 {
		at = time.UnixMilli((&kbin.Reader{Src: tag}).Int64())
	}
	return epoch, at, r.Complete()
}

// loadConsumer takes over a record of a consumer group. Compaction may have left any of them behind the others, and taken what they were about.
func (m *Manager) loadConsumer(version uint16, key, value []byte) (err error) {
	ofMember := version != consumerEpochKey && version != consumerTargetKey
	name, of, err := readKeptKey(key, map[bool]int{true: 1}[ofMember])
	if err != nil {
		return fmt.Errorf("groups: key of a consumer group: %w", err)
	}
	g := m.loading(name)
	if g.consumer == nil {
		if value == nil {
			return nil
		}
		g.classic, g.share, g.consumer = nil, nil, newConsumer(m, g)
	}
	c := g.consumer
	c.kept.load(key, value)
	switch {
	case version == consumerEpochKey && value == nil:
		g.consumer, g.classic = nil, newClassic(m, g)
	case version == consumerEpochKey:
		r := unversioned(value)
		c.epoch, c.topics = r.Int32(), 0
		if tag := readTags(r); len(tag) == 8 {
			c.topics = (&kbin.Reader{Src: tag}).Int64()
		}
		err = r.Complete()
	case version == consumerTargetKey && value == nil:
		c.assignmentEpoch, c.assignedAt = 0, time.Time{}
	case version == consumerTargetKey:
		c.assignmentEpoch, c.assignedAt, err = readTarget(value)
	case version == consumerTargetOfKey && value == nil:
		delete(c.target, of)
	case version == consumerTargetOfKey:
		c.target[of], err = readTargetOf(value)
	case version == consumerRegexKey && value == nil:
		delete(c.resolved, of)
	case version == consumerRegexKey:
		r := unversioned(value)
		c.resolved[of] = readStrings(r)
		r.Int64()
		if at := time.UnixMilli(r.Int64()); at.After(c.resolvedAt) {
			c.resolvedAt = at
		}
		readTags(r)
		err = r.Complete()
	default:
		err = c.loadMember(of, version, value)
	}
	if err != nil {
		return fmt.Errorf("groups: record %d of group %s: %w", version, name, err)
	}
	return nil
}

// readTargetOf reads what a member is to have.
func readTargetOf(value []byte) (map[partition]bool, error) {
	r := unversioned(value)
	ps := make(map[partition]bool)
	for p := range readPartitions(r, 0) {
		ps[p] = true
	}
	readTags(r)
	return ps, r.Complete()
}

// loadMember takes over a record of a member.
func (c *consumer) loadMember(id string, version uint16, value []byte) error {
	mb := c.members[id]
	if mb == nil {
		if value == nil {
			return nil
		}
		mb = &consumerMember{memberData: memberData{id: id, timeout: -1, previous: -1}}
		c.members[id] = mb
	}
	switch {
	case version == consumerMemberKey && value == nil:
		delete(c.members, id)
	case version == consumerMemberKey:
		return mb.readFrom(value)
	case value == nil:
		mb.epoch, mb.previous, mb.state, mb.assigned, mb.revoking = 0, -1, reconciled, nil, nil
	default:
		return mb.readCurrent(value)
	}
	return nil
}

// loaded makes a group whole of which all records have been read. A member of which there are not all is none.
func (c *consumer) loaded() {
	for id, mb := range c.members {
		if !c.kept.has(keptKey(consumerMemberKey, c.g.name, id)) || !c.kept.has(keptKey(consumerCurrentKey, c.g.name, id)) {
			delete(c.members, id)
			c.kept.touch(id)
			continue
		}
		c.set(mb, mb.memberData)
	}
	c.reads, c.last = nil, c.state()
	c.reload()
}
