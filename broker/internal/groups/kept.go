package groups

import (
	"cmp"
	"encoding/binary"
	"maps"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kbin"
)

// What Kafka writes down of a group whose members the coordinator assigns, record by record, each with a version of its key. The keys are those of Kafka's
// CoordinatorRecordType; all but the first string in them belong to a member, or to a regular expression.
const (
	consumerEpochKey    = 3
	consumerMemberKey   = 5
	consumerTargetKey   = 6 // the epoch of all targets
	consumerTargetOfKey = 7
	consumerCurrentKey  = 8
	shareMemberKey      = 10
	shareEpochKey       = 11
	shareTargetKey      = 12
	shareTargetOfKey    = 13
	shareCurrentKey     = 14
	sharePartitionsKey  = 15
	consumerRegexKey    = 16
)

// tombstones is the order in which Kafka's coordinator takes the records of a group, or of one of its members, back: another one it refuses to read.
var tombstones = []uint16{consumerCurrentKey, consumerTargetOfKey, consumerTargetKey, consumerMemberKey, consumerRegexKey, consumerEpochKey,
	shareCurrentKey, shareTargetOfKey, shareTargetKey, shareMemberKey, sharePartitionsKey, shareEpochKey}

// keptValueVersion is that of all the values.
const keptValueVersion = 0

// kept is what has been written down of a group whose members the coordinator assigns, and what may have to be written anew.
type kept struct {
	records map[string]string // by key
	touched []string          // members that may have changed, or gone
	targets bool              // there is another target
	regexes bool              // regular expressions have gone, or name other topics
}

// touch notes that a member may have changed.
func (k *kept) touch(id string) {
	if n := len(k.touched); n == 0 || k.touched[n-1] != id {
		k.touched = append(k.touched, id)
	}
}

// changed are the members that may have changed, in order.
func (k *kept) changed() []string {
	slices.Sort(k.touched)
	k.touched = slices.Compact(k.touched)
	return k.touched
}

// settled forgets what may have changed: it has been written.
func (k *kept) settled() {
	clear(k.touched)
	k.touched, k.targets, k.regexes = k.touched[:0], false, false
}

// writesMembers reports whether members are written down at all.
func (m *Manager) writesMembers() bool { return m.cfg.Write != nil && m.cfg.Members }

// keeps writes a record down unless it is what was written last. A nil value takes it back.
func (m *Manager) keeps(g *group, k *kept, key, value []byte) {
	was, written := k.records[string(key)]
	switch {
	case value == nil && !written, value != nil && written && was == string(value):
		return
	case value == nil:
		delete(k.records, string(key))
	default:
		k.load(key, value)
	}
	m.writes(Entry{Group: g.name, Key: key, Value: value})
}

// load notes a record that is written.
func (k *kept) load(key, value []byte) {
	if k.records == nil {
		k.records = make(map[string]string)
	}
	if value == nil {
		delete(k.records, string(key))
		return
	}
	k.records[string(key)] = string(value)
}

// takesBack writes down that all that was written is gone.
func (m *Manager) takesBack(g *group, k *kept) {
	order := func(key string) int { return slices.Index(tombstones, binary.BigEndian.Uint16([]byte(key))) }
	keys := slices.SortedFunc(maps.Keys(k.records), func(a, b string) int { return cmp.Or(order(a)-order(b), strings.Compare(a, b)) })
	for _, key := range keys {
		m.keeps(g, k, []byte(key), nil)
	}
}

// has reports whether there is a record with a key.
func (k *kept) has(key []byte) bool { _, ok := k.records[string(key)]; return ok }

// keptKey makes a key: of a group, or of something in it.
func keptKey(version int16, group string, of ...string) []byte {
	key := kbin.AppendString(kbin.AppendInt16(nil, version), group)
	for _, s := range of {
		key = kbin.AppendString(key, s)
	}
	return key
}

// readKeptKey is the reverse of keptKey.
func readKeptKey(key []byte, of int) (group, in string, err error) {
	r := kbin.Reader{Src: key[2:]}
	group = r.String()
	if of > 0 {
		in = r.String()
	}
	return group, in, r.Complete()
}

// appendPartitions writes partitions by topic, each topic followed by the tags that it may have.
func appendPartitions[V any](b []byte, ps map[partition]V, tags func(t topicPartitions) []byte) []byte {
	all := grouped(ps)
	b = kbin.AppendCompactArrayLen(b, len(all))
	for _, t := range all {
		b = appendInts(kbin.AppendUuid(b, t.id), t.partitions)
		if tags == nil {
			b = append(b, 0)
			continue
		}
		b = append(b, tags(t)...)
	}
	return b
}

func appendInts(b []byte, all []int32) []byte {
	b = kbin.AppendCompactArrayLen(b, len(all))
	for _, i := range all {
		b = kbin.AppendInt32(b, i)
	}
	return b
}

func appendStrings(b []byte, all map[string]bool) []byte {
	b = kbin.AppendCompactArrayLen(b, len(all))
	for _, s := range slices.Sorted(maps.Keys(all)) {
		b = kbin.AppendCompactString(b, s)
	}
	return b
}

// appendTag writes the only tag of a structure, number 0.
func appendTag(b, value []byte) []byte {
	return append(kbin.AppendUvarint(append(b, 1, 0), uint32(len(value))), value...)
}

func readInts(r *kbin.Reader) (all []int32) {
	for range r.CompactArrayLen() {
		if !r.Ok() {
			return nil
		}
		all = append(all, r.Int32())
	}
	return all
}

func readStrings(r *kbin.Reader) map[string]bool {
	all := make(map[string]bool)
	for range r.CompactArrayLen() {
		if !r.Ok() {
			return nil
		}
		all[r.CompactString()] = true
	}
	return all
}

// readTags reads the tags of a structure, and returns number 0's value, nil where there is none.
func readTags(r *kbin.Reader) (first []byte) {
	for range r.Uvarint() {
		if !r.Ok() {
			return nil
		}
		tag, size := r.Uvarint(), r.Uvarint()
		if value := r.Span(int(size)); tag == 0 {
			first = value
		}
	}
	return first
}

// readPartitions is the reverse of appendPartitions. Where the tags of a topic do not say in which epochs the partitions were assigned, it was epoch.
func readPartitions(r *kbin.Reader, epoch int32) owned {
	all := make(owned)
	for range r.CompactArrayLen() {
		if !r.Ok() {
			return nil
		}
		id := r.Uuid()
		nums := readInts(r)
		tag := readTags(r)
		epochs := readInts(&kbin.Reader{Src: tag})
		for i, num := range nums {
			all[partition{id, num}] = epoch
			if len(epochs) == len(nums) {
				all[partition{id, num}] = epochs[i]
			}
		}
	}
	return all
}

// unversioned is what is in a value behind its version.
func unversioned(value []byte) *kbin.Reader {
	r := &kbin.Reader{Src: value}
	r.Int16()
	return r
}
