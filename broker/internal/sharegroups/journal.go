package sharegroups

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"time"
)

// Entry is what Kafka writes down of a share partition in __share_group_state, in its own encoding. A nil Value says that it is gone.
type Entry struct {
	Of         Key
	Key, Value []byte
}

// Types of entries: the first two bytes of their keys.
const (
	snapshotEntry = 0
	updateEntry   = 1
)

func now() int64 { return time.Now().UnixMilli() }

func compareKeys(a, b Key) int {
	return cmp.Or(cmp.Compare(a.Group, b.Group), bytes.Compare(a.Topic[:], b.Topic[:]), cmp.Compare(a.Partition, b.Partition))
}

func (k Key) encode(kind uint16) []byte {
	b := binary.BigEndian.AppendUint16(nil, kind)
	b = binary.BigEndian.AppendUint16(b, uint16(len(k.Group)))
	b = append(b, k.Group...)
	b = append(b, k.Topic[:]...)
	return binary.BigEndian.AppendUint32(b, uint32(k.Partition))
}

func tombstone(k Key) Entry { return Entry{Of: k, Key: k.encode(snapshotEntry)} }

// entry is the whole state as it is written down.
func (st *State) entry(k Key) Entry {
	b := binary.BigEndian.AppendUint16(nil, 0) // version
	b = binary.BigEndian.AppendUint32(b, uint32(st.snapshot))
	b = binary.BigEndian.AppendUint32(b, uint32(st.StateEpoch))
	b = binary.BigEndian.AppendUint32(b, uint32(st.LeaderEpoch))
	b = binary.BigEndian.AppendUint64(b, uint64(st.Start))
	b = binary.BigEndian.AppendUint64(b, uint64(st.created))
	b = binary.BigEndian.AppendUint64(b, uint64(st.created))
	return Entry{Of: k, Key: k.encode(snapshotEntry), Value: appendTail(b, st.Batches, st.Completed)}
}

// updateEntry is an update as it is written down: what it changes, and the epoch of the snapshot that it belongs to.
func (st *State) updateEntry(k Key, u Update) Entry {
	b := binary.BigEndian.AppendUint16(nil, 0) // version
	b = binary.BigEndian.AppendUint32(b, uint32(st.snapshot))
	b = binary.BigEndian.AppendUint32(b, uint32(st.LeaderEpoch))
	b = binary.BigEndian.AppendUint64(b, uint64(u.Start))
	return Entry{Of: k, Key: k.encode(updateEntry), Value: appendTail(b, combine(nil, u.Batches, u.Start), u.Completed)}
}

// appendTail writes the batches, and how many records have ended as tagged field 0 unless nobody has counted.
func appendTail(b []byte, batches []StateBatch, completed int32) []byte {
	b = binary.AppendUvarint(b, uint64(len(batches))+1)
	for _, s := range batches {
		b = binary.BigEndian.AppendUint64(b, uint64(s.First))
		b = binary.BigEndian.AppendUint64(b, uint64(s.Last))
		b = append(b, byte(s.State))
		b = binary.BigEndian.AppendUint16(b, uint16(s.Deliveries))
		b = append(b, 0) // no tags
	}
	if completed == NoCount {
		return append(b, 0)
	}
	b = append(b, 1, 0, 4)
	return binary.BigEndian.AppendUint32(b, uint32(completed))
}

// errEntry says that bytes are no entry.
var errEntry = errors.New("sharegroups: not an entry of __share_group_state")

// Replay takes over what an entry says, which must come in the order in which they were written. Nothing is written down meanwhile.
func (s *States) Replay(key, value []byte) error {
	r := reader{b: key}
	kind := r.uint16()
	k := Key{Group: string(r.bytes(int(r.uint16())))}
	copy(k.Topic[:], r.bytes(16))
	k.Partition = int32(r.uint32())
	if r.bad || len(r.b) > 0 || kind > updateEntry {
		return errEntry
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if value == nil {
		delete(s.all, k)
		return nil
	}
	r = reader{b: value}
	if r.uint16() != 0 {
		return errEntry
	}
	st := &State{snapshot: int32(r.uint32())}
	if kind == snapshotEntry {
		st.StateEpoch = int32(r.uint32())
	}
	st.LeaderEpoch = int32(r.uint32())
	st.Start = int64(r.uint64())
	if kind == snapshotEntry {
		st.created = int64(r.uint64())
		r.uint64()
	}
	st.Batches, st.Completed = r.tail()
	if r.bad {
		return errEntry
	}
	if kind == snapshotEntry {
		st.states, st.leaders = st.StateEpoch, st.LeaderEpoch
		if known := s.all[k]; known != nil {
			st.states, st.leaders, st.updates = max(st.states, known.states), max(st.leaders, known.leaders), known.updates
		}
		s.all[k] = st
		return nil
	}
	known := s.all[k]
	if known == nil {
		return errEntry
	}
	known.LeaderEpoch, known.leaders = st.LeaderEpoch, max(known.leaders, st.LeaderEpoch)
	known.updates++
	known.apply(Update{Start: st.Start, Completed: st.Completed, Batches: st.Batches})
	return nil
}

// Known yields the partitions that are known, with their state epochs.
func (s *States) Known(yield func(Key, int32) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for k, st := range s.all {
		if !yield(k, st.StateEpoch) {
			return
		}
	}
}

// reader takes fields off bytes. After a field that does not fit it is bad, and every field is zero.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) bytes(n int) []byte {
	if n < 0 || n > len(r.b) {
		r.bad, r.b = true, nil
		return nil
	}
	b := r.b[:n]
	r.b = r.b[n:]
	return b
}

func (r *reader) uint16() uint16 {
	if b := r.bytes(2); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

func (r *reader) uint32() uint32 {
	if b := r.bytes(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (r *reader) uint64() uint64 {
	if b := r.bytes(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return v
}

// tags skips tagged fields; 0 is handed to take where it is not nil.
func (r *reader) tags(take func([]byte)) {
	for n := r.uvarint(); n > 0 && !r.bad; n-- {
		tag, size := r.uvarint(), r.uvarint()
		if size > uint64(len(r.b)) {
			r.bad = true
			return
		}
		if b := r.bytes(int(size)); tag == 0 && take != nil {
			take(b)
		}
	}
}

// tail reads what appendTail writes. The batches must be in order and must not overlap.
func (r *reader) tail() (batches []StateBatch, completed int32) {
	completed = NoCount
	n := r.uvarint()
	if n == 0 || n-1 > uint64(len(r.b)) {
		r.bad = true
		return nil, completed
	}
	for range n - 1 {
		b := StateBatch{First: int64(r.uint64()), Last: int64(r.uint64())}
		if state := r.bytes(1); state != nil {
			b.State = RecordState(state[0])
		}
		b.Deliveries = int16(r.uint16())
		r.tags(nil)
		if r.bad {
			return nil, completed
		}
		batches = append(batches, b)
	}
	r.bad = r.bad || !ordered(batches)
	r.tags(func(b []byte) {
		if len(b) != 4 {
			r.bad = true
			return
		}
		completed = int32(binary.BigEndian.Uint32(b))
	})
	return batches, completed
}
