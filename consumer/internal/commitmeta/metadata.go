package commitmeta

import (
	"encoding/binary"
	"hash/crc32"
	"math"
	"time"
)

// Metadata is what a commit of one partition says beside the offset. The zero value of a field takes no room.
//
// A Metadata is plain data: it may be copied, and read concurrently.
type Metadata struct {
	// TopicID is the id of the topic (KIP-516) when the commit was made; all zeros where the broker knows none.
	TopicID [16]byte
	// Base is the committed offset that the metadata belongs to.
	Base int64
	// LeaderEpoch is the leader epoch that is committed with it; -1 where it is unknown.
	LeaderEpoch int32

	// Completed names the offsets from Base on that are over.
	Completed Completed
	// Attempts is what failed so far of records that are waiting to be tried again, by increasing offset from Base on.
	Attempts []Attempt
	// Starts counts how often the partition was assigned without its committed offset moving: more than a few are a crash loop.
	Starts int
	// Noted is the record that was about to be handled, alone, when the commit was made: the culprit if the process died of it.
	Noted Note
	// Padding is how many bytes without meaning are written, so that a commit shows what its broker's limit counts. Decode drops them.
	Padding int
	// Incarnation is the upper part of the fence (m.Fence): a time in a unit that the runner chooses, kept from assignment to assignment.
	Incarnation int64
	// Generation is the lower part of the fence: the group's at the assignment, where 0 stands for one that is not known. One that is not above it begins a new
	// incarnation: the group was made anew, and counts from the start.
	Generation int32
}

// Attempt is what is known of a record that failed and waits.
type Attempt struct {
	Offset int64
	// Attempts is how often it was tried, at least 1.
	Attempts int
	// FirstFailed is when it failed first; milliseconds are kept.
	FirstFailed time.Time
	// Due is when it is tried again, rounded up to a millisecond; zero where it waits for no time. One before
	// FirstFailed (a clock was set back) is taken for that.
	Due time.Time
}

// Note is an offset that may be absent.
type Note struct {
	Offset int64
	OK     bool
	// Crashes is how often the process had died of the record when it was noted: once more, for who reads the note of a process that died.
	Crashes int
}

// The format, version 1. Golden files pin it: it never changes, later releases add tags (an unknown one is skipped) or, as a last resort, a version.
//
//	byte      version
//	4 bytes   CRC-32C (Castagnoli, big endian) of the version and of everything behind the CRC; both stay where they are in every version
//	16 bytes  topic id
//	uvarint   base offset
//	varint    leader epoch
//	sections, by increasing tag, each: uvarint tag, uvarint length, body
//
// Integers are those of encoding/binary: uvarint is base 128, least significant group first, varint the same in zigzag.
const (
	version   = 1
	headerLen = 1 + 4 + 16

	tagBitmap      = 1 // completion map, see mapcode.go
	tagRuns        = 2 // completion map; never together with tagBitmap
	tagAttempts    = 3 // each: uvarint offset beyond the one before (first: the base), uvarint attempts, varint ms beyond the one before (first: 1970)
	tagStarts      = 4 // uvarint
	tagNoted       = 5 // varint offset beyond the base
	tagIncarnation = 6 // varint
	// 7 is taken: a golden file has it as the tag of a section that nobody knows.
	tagCrashes    = 9  // uvarint: of the noted record, where there were any
	tagPadding    = 10 // zeros, which nobody reads
	tagGeneration = 11 // uvarint
	tagDue        = 8  // for each of the attempts in turn: 0 where it waits for no time, else uvarint 1 + ms of the due time beyond the first failure
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Encode returns the text to commit, or a *TooLargeError when it takes more than limit UTF-16 code units, which is how Apache Kafka counts
// offset.metadata.max.bytes (4,096 by default). An ErrInvalid is a defect of the caller. It costs time in proportion to the completed runs and the
// attempts, not to the offsets they span.
func (m Metadata) Encode(enc Encoding, limit int) (string, error) {
	if err := m.validate(); err != nil {
		return "", err
	}
	plan := planMap(m.Completed, m.Base)
	size := m.size(plan)
	if needed := enc.Units(size); needed > limit {
		return "", &TooLargeError{Needed: needed, Limit: limit, Encoding: enc}
	}
	return enc.text(m.append(make([]byte, 0, size), plan)), nil
}

// Size is how many UTF-16 code units Encode returns, without making them: what a metadata that Encode refuses as invalid gives is undefined.
func (m Metadata) Size(enc Encoding) int { return enc.Units(m.Bytes()) }

// Bytes is the size before it becomes text: Encoding.Units and Encoding.Capacity convert it.
func (m Metadata) Bytes() int { return m.size(planMap(m.Completed, m.Base)) }

func (m Metadata) validate() error {
	if m.Base < 0 {
		return invalid("base offset %d", m.Base)
	}
	if m.LeaderEpoch < -1 {
		return invalid("leader epoch %d", m.LeaderEpoch)
	}
	if c := m.Completed; len(c.ranges) > 0 && c.ranges[0].From < m.Base {
		return invalid("completed offset %d is below the base offset %d", c.ranges[0].From, m.Base)
	}
	at := m.Base
	for i, a := range m.Attempts {
		if a.Offset < at || i > 0 && a.Offset == at {
			return invalid("attempts of offset %d after %d", a.Offset, at)
		}
		if a.Attempts < 1 || a.Attempts > math.MaxInt32 {
			return invalid("%d attempts of offset %d", a.Attempts, a.Offset)
		}
		at = a.Offset
	}
	if m.Starts < 0 || m.Starts > math.MaxInt32 {
		return invalid("%d starts", m.Starts)
	}
	if m.Noted.Crashes < 0 || m.Noted.Crashes > math.MaxInt32 {
		return invalid("%d crashes", m.Noted.Crashes)
	}
	if m.Padding < 0 {
		return invalid("%d bytes of padding", m.Padding)
	}
	if m.Generation < 0 {
		return invalid("generation %d", m.Generation)
	}
	if m.Noted.OK && m.Noted.Offset < 0 {
		return invalid("noted offset %d", m.Noted.Offset)
	}
	return nil
}

// size is what append appends.
func (m Metadata) size(plan mapPlan) int {
	size := headerLen + uvarintLen(uint64(m.Base)) + varintLen(int64(m.LeaderEpoch))
	if plan.tag != 0 {
		size += sectionLen(plan.size)
	}
	if len(m.Attempts) > 0 {
		size += sectionLen(m.attemptsLen())
	}
	if m.Starts != 0 {
		size += sectionLen(uvarintLen(uint64(m.Starts)))
	}
	if m.Noted.OK {
		size += sectionLen(varintLen(m.Noted.Offset - m.Base))
	}
	if m.Incarnation != 0 {
		size += sectionLen(varintLen(m.Incarnation))
	}
	if n := m.dueLen(); n > 0 {
		size += sectionLen(n)
	}
	if m.Noted.OK && m.Noted.Crashes > 0 {
		size += sectionLen(uvarintLen(uint64(m.Noted.Crashes)))
	}
	if m.Padding > 0 {
		size += sectionLen(m.Padding)
	}
	if m.Generation != 0 {
		size += sectionLen(uvarintLen(uint64(m.Generation)))
	}
	return size
}

// sectionLen is a section's length with its tag, which takes one byte.
func sectionLen(body int) int { return 1 + uvarintLen(uint64(body)) + body }

func (m Metadata) append(dst []byte, plan mapPlan) []byte {
	dst = append(dst, version, 0, 0, 0, 0)
	dst = append(dst, m.TopicID[:]...)
	dst = binary.AppendUvarint(dst, uint64(m.Base))
	dst = binary.AppendVarint(dst, int64(m.LeaderEpoch))
	if plan.tag != 0 {
		dst = appendMap(appendHead(dst, plan.tag, plan.size), m.Completed, m.Base, plan)
	}
	if len(m.Attempts) > 0 {
		dst = m.appendAttempts(appendHead(dst, tagAttempts, m.attemptsLen()))
	}
	if m.Starts != 0 {
		dst = binary.AppendUvarint(appendHead(dst, tagStarts, uvarintLen(uint64(m.Starts))), uint64(m.Starts))
	}
	if m.Noted.OK {
		noted := m.Noted.Offset - m.Base
		dst = binary.AppendVarint(appendHead(dst, tagNoted, varintLen(noted)), noted)
	}
	if m.Incarnation != 0 {
		dst = binary.AppendVarint(appendHead(dst, tagIncarnation, varintLen(m.Incarnation)), m.Incarnation)
	}
	if n := m.dueLen(); n > 0 {
		dst = appendHead(dst, tagDue, n)
		for _, a := range m.Attempts {
			dst = binary.AppendUvarint(dst, a.due())
		}
	}
	if n := uint64(m.Noted.Crashes); m.Noted.OK && n > 0 {
		dst = binary.AppendUvarint(appendHead(dst, tagCrashes, uvarintLen(n)), n)
	}
	if m.Padding > 0 {
		dst = append(appendHead(dst, tagPadding, m.Padding), make([]byte, m.Padding)...)
	}
	if m.Generation != 0 {
		dst = binary.AppendUvarint(appendHead(dst, tagGeneration, uvarintLen(uint64(m.Generation))), uint64(m.Generation))
	}
	binary.BigEndian.PutUint32(dst[1:], checksum(dst))
	return dst
}

func appendHead(dst []byte, tag uint64, length int) []byte {
	return binary.AppendUvarint(binary.AppendUvarint(dst, tag), uint64(length))
}

func checksum(data []byte) uint32 {
	return crc32.Update(crc32.Checksum(data[:1], castagnoli), castagnoli, data[5:])
}

func (m Metadata) attemptsLen() (n int) {
	offset, failed := m.Base, int64(0)
	for _, a := range m.Attempts {
		ms := a.FirstFailed.UnixMilli()
		n += uvarintLen(uint64(a.Offset-offset)) + uvarintLen(uint64(a.Attempts)) + varintLen(ms-failed)
		offset, failed = a.Offset, ms
	}
	return n
}

func (m Metadata) appendAttempts(dst []byte) []byte {
	offset, failed := m.Base, int64(0)
	for _, a := range m.Attempts {
		ms := a.FirstFailed.UnixMilli()
		dst = binary.AppendUvarint(dst, uint64(a.Offset-offset))
		dst = binary.AppendUvarint(dst, uint64(a.Attempts))
		dst = binary.AppendVarint(dst, ms-failed)
		offset, failed = a.Offset, ms
	}
	return dst
}

// dueLen is the length of the section of due times, 0 where nothing waits for one.
func (m Metadata) dueLen() (n int) {
	some := false
	for _, a := range m.Attempts {
		some = some || !a.Due.IsZero()
		n += uvarintLen(a.due())
	}
	if !some {
		return 0
	}
	return n
}

// due is how the due time is written: rounded up, since a retry is never early. 0 stands for none.
func (a Attempt) due() uint64 {
	if a.Due.IsZero() {
		return 0
	}
	ms := a.Due.Add(time.Millisecond-1).UnixMilli() - a.FirstFailed.UnixMilli()
	return uint64(max(ms, 0)) + 1
}

// Decode reads what Encode returned, in either Encoding. It returns ErrForeign (ErrEmpty for ""), ErrVersion or ErrCorrupt, each saying what was
// found; then the Metadata is of no use, and the records beyond the committed offset are handled again. Sections that a later release added are
// skipped. Any input is safe: nothing panics, and what is allocated is at most 64 bytes a byte of input.
func Decode(s string) (Metadata, error) {
	data, err := bytesOf(s)
	if err != nil {
		return Metadata{}, err
	}
	if len(data) < 5 {
		return Metadata{}, corrupt("%d bytes", len(data))
	}
	if want, got := binary.BigEndian.Uint32(data[1:]), checksum(data); want != got {
		return Metadata{}, corrupt("CRC %08x over %d bytes of version %d, %08x was written", got, len(data), data[0], want)
	}
	if data[0] != version {
		return Metadata{}, versionError(data[0])
	}
	return decode(data)
}

// decode reads the bytes of version 1, whose CRC is right.
func decode(data []byte) (Metadata, error) {
	r := reader{data: data[5:]}
	var m Metadata
	copy(m.TopicID[:], r.bytes(16))
	base, epoch := r.uvarint(), r.varint()
	if r.short || base > math.MaxInt64 || epoch < -1 || epoch > math.MaxInt32 {
		return Metadata{}, corrupt("header")
	}
	m.Base, m.LeaderEpoch = int64(base), int32(epoch)
	for last := uint64(0); len(r.data) > 0; {
		tag, length := r.uvarint(), r.uvarint()
		body := r.bytes(length)
		if r.short || tag <= last || tag == tagRuns && last == tagBitmap {
			return Metadata{}, corrupt("section %d after %d", tag, last)
		}
		if err := m.section(tag, body); err != nil {
			return Metadata{}, err
		}
		last = tag
	}
	return m, nil
}

func (m *Metadata) section(tag uint64, body []byte) (err error) {
	r := reader{data: body}
	switch tag {
	case tagBitmap, tagRuns:
		m.Completed, err = decodeMap(tag, body, m.Base)
		return err
	case tagAttempts:
		m.Attempts, err = decodeAttempts(r, m.Base)
		return err
	case tagStarts:
		starts := r.uvarint()
		if starts > math.MaxInt32 {
			return corrupt("%d starts", starts)
		}
		m.Starts = int(starts)
	case tagNoted:
		noted := r.varint()
		if noted < -m.Base || noted > math.MaxInt64-m.Base {
			return corrupt("noted offset %d%+d", m.Base, noted)
		}
		m.Noted = Note{Offset: m.Base + noted, OK: true}
	case tagCrashes:
		crashes := r.uvarint()
		if crashes > math.MaxInt32 {
			return corrupt("%d crashes", crashes)
		}
		m.Noted.Crashes = int(crashes)
	case tagIncarnation:
		m.Incarnation = r.varint()
	case tagGeneration:
		generation := r.uvarint()
		if generation > math.MaxInt32 {
			return corrupt("generation %d", generation)
		}
		m.Generation = int32(generation)
	case tagDue:
		for i := range m.Attempts {
			due := r.uvarint()
			if due > math.MaxInt64 {
				return corrupt("due time of record %d", i+1)
			}
			if a := &m.Attempts[i]; due > 0 {
				a.Due = time.UnixMilli(a.FirstFailed.UnixMilli() + int64(due-1)).UTC()
			}
		}
	default:
		return nil
	}
	if r.short || len(r.data) > 0 {
		return corrupt("section %d of %d bytes", tag, len(body))
	}
	return nil
}

func decodeAttempts(r reader, base int64) ([]Attempt, error) {
	const least = 3 // bytes an attempt
	attempts := make([]Attempt, 0, len(r.data)/least)
	offset, failed := base, int64(0)
	for len(r.data) > 0 {
		gap, tried, ms := r.uvarint(), r.uvarint(), r.varint()
		switch {
		case r.short, gap > uint64(math.MaxInt64-offset), gap == 0 && len(attempts) > 0, tried == 0, tried > math.MaxInt32:
			return nil, corrupt("attempts of record %d", len(attempts)+1)
		}
		offset += int64(gap)
		failed += ms
		attempts = append(attempts, Attempt{Offset: offset, Attempts: int(tried), FirstFailed: time.UnixMilli(failed).UTC()})
	}
	return attempts, nil
}

// reader takes integers and bytes off data; what is not there gives zero and sets short.
type reader struct {
	data  []byte
	short bool
}

func (r *reader) bytes(n uint64) []byte {
	if n > uint64(len(r.data)) {
		r.short, r.data = true, nil
		return nil
	}
	b := r.data[:n]
	r.data = r.data[n:]
	return b
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.data)
	if n <= 0 {
		r.short, r.data = true, nil
		return 0
	}
	r.data = r.data[n:]
	return v
}

func (r *reader) varint() int64 {
	v := r.uvarint()
	return int64(v>>1) ^ -int64(v&1)
}
