package records

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

// HeaderSize is the size in bytes of a batch without its records.
const HeaderSize = 61

// Overhead is what stands before the bytes that a batch's length field counts: the base offset and the length itself.
const Overhead = 12

// Positions in a batch. The checksum covers everything from the attributes on, so the base offset and the leader epoch can be set without it.
const (
	posBaseOffset   = 0
	posLength       = 8
	posLeaderEpoch  = 12
	posMagic        = 16
	posCRC          = 17
	posAttributes   = 21
	posLastDelta    = 23
	posBaseTime     = 27
	posMaxTime      = 35
	posProducerID   = 43
	posProducer     = 51
	posBaseSequence = 53
	posCount        = 57
)

// Bits of the attributes.
const (
	attrCodec         = 0x07
	attrLogAppendTime = 0x08
	attrTransactional = 0x10
	attrControl       = 0x20
)

// NoProducer is the producer id, epoch and sequence of a batch whose producer is not idempotent.
const NoProducer = -1

// Errors of [Parse] and [Batch.Check], to be matched with errors.Is.
var (
	// ErrTruncated says that the bytes end before the batch does.
	ErrTruncated = errors.New("truncated record batch")
	// ErrMagic says that the batch is of message format 0 or 1.
	ErrMagic = errors.New("not a record batch of message format 2")
	// ErrCorrupt says that the checksum does not fit the bytes, or that the length is impossible.
	ErrCorrupt = errors.New("corrupt record batch")
	// ErrInvalid says that the batch is intact and breaks a rule of the format.
	ErrInvalid = errors.New("invalid record batch")
)

// corruptError is [ErrCorrupt] in Kafka's words: producers are told them.
type corruptError string

func (e corruptError) Error() string { return string(e) }
func (e corruptError) Unwrap() error { return ErrCorrupt }

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Batch is one record batch as it lies on the wire. It is valid only as [Parse] returned it: the accessors do not check lengths.
type Batch []byte

// minLength is the least that the length field of a batch or of an old message may say.
const minLength = 14

// Parse cuts the first batch off b, which is whole as far as its length goes; see [Batch.Check] for the rest. What Kafka finds wrong first is found
// wrong first: a length or a magic that cannot be is [ErrCorrupt], an end before the batch's is [ErrTruncated], an old format is [ErrMagic].
func Parse(b []byte) (batch Batch, rest []byte, err error) {
	if len(b) <= posMagic {
		return nil, nil, fmt.Errorf("%d bytes: %w", len(b), ErrTruncated)
	}
	length, magic := int64(int32(binary.BigEndian.Uint32(b[posLength:]))), b[posMagic]
	switch n := length + Overhead; {
	case length < minLength:
		return nil, nil, corruptError(fmt.Sprintf("Record size %d is less than the minimum record overhead (%d)", length, minLength))
	case magic > 2:
		return nil, nil, corruptError(fmt.Sprintf("Invalid magic found in record: %d", magic))
	case n > int64(len(b)):
		return nil, nil, fmt.Errorf("length %d, have %d: %w", n, len(b), ErrTruncated)
	case magic != 2:
		return nil, nil, fmt.Errorf("magic %d: %w", magic, ErrMagic)
	case n < HeaderSize:
		return nil, nil, fmt.Errorf("length %d is less than a header: %w", n, ErrCorrupt)
	default:
		return Batch(b[:n:n]), b[n:], nil
	}
}

// BaseOffset is the offset of the first record.
func (b Batch) BaseOffset() int64 { return int64(binary.BigEndian.Uint64(b[posBaseOffset:])) }

// LeaderEpoch is the epoch of the leader that appended the batch.
func (b Batch) LeaderEpoch() int32 { return int32(binary.BigEndian.Uint32(b[posLeaderEpoch:])) }

// Attributes holds the codec and the flags.
func (b Batch) Attributes() int16 { return int16(binary.BigEndian.Uint16(b[posAttributes:])) }

// Codec says how the records are compressed.
func (b Batch) Codec() Codec { return Codec(b.Attributes() & attrCodec) }

// LogAppendTime says whether MaxTimestamp, set by the broker, is every record's timestamp.
func (b Batch) LogAppendTime() bool { return b.Attributes()&attrLogAppendTime != 0 }

// Transactional says whether the batch belongs to a transaction.
func (b Batch) Transactional() bool { return b.Attributes()&attrTransactional != 0 }

// Control says whether the batch is a broker's own, which no consumer hands on.
func (b Batch) Control() bool { return b.Attributes()&attrControl != 0 }

// LastOffsetDelta is the last record's offset minus BaseOffset. It outlives compaction.
func (b Batch) LastOffsetDelta() int32 { return int32(binary.BigEndian.Uint32(b[posLastDelta:])) }

// LastOffset is the offset of the last record that the batch had when it was appended.
func (b Batch) LastOffset() int64 { return b.BaseOffset() + int64(b.LastOffsetDelta()) }

// BaseTimestamp is what the records' timestamps are counted from, in milliseconds.
func (b Batch) BaseTimestamp() int64 { return int64(binary.BigEndian.Uint64(b[posBaseTime:])) }

// MaxTimestamp is the largest timestamp in the batch, in milliseconds.
func (b Batch) MaxTimestamp() int64 { return int64(binary.BigEndian.Uint64(b[posMaxTime:])) }

// ProducerID is the idempotent producer's id, or NoProducer.
func (b Batch) ProducerID() int64 { return int64(binary.BigEndian.Uint64(b[posProducerID:])) }

// ProducerEpoch is the epoch of that id, or NoProducer.
func (b Batch) ProducerEpoch() int16 { return int16(binary.BigEndian.Uint16(b[posProducer:])) }

// BaseSequence is the sequence number of the first record, or NoProducer.
func (b Batch) BaseSequence() int32 { return int32(binary.BigEndian.Uint32(b[posBaseSequence:])) }

// LastSequence is the sequence number of the last record. Numbers start again at zero after the largest int32.
func (b Batch) LastSequence() int32 {
	return int32((int64(b.BaseSequence()) + int64(b.LastOffsetDelta())) & 0x7fffffff)
}

// Count is the number of records.
func (b Batch) Count() int32 { return int32(binary.BigEndian.Uint32(b[posCount:])) }

// Payload is what follows the header: the records, compressed as Codec says.
func (b Batch) Payload() []byte { return b[HeaderSize:] }

// SetBaseOffset writes the offset of the first record. It does not touch what the checksum covers.
func (b Batch) SetBaseOffset(o int64) { binary.BigEndian.PutUint64(b[posBaseOffset:], uint64(o)) }

// SetLeaderEpoch writes the leader epoch. It does not touch what the checksum covers.
func (b Batch) SetLeaderEpoch(e int32) { binary.BigEndian.PutUint32(b[posLeaderEpoch:], uint32(e)) }

// SetLogAppendTime makes ms every record's timestamp and renews the checksum.
func (b Batch) SetLogAppendTime(ms int64) {
	binary.BigEndian.PutUint16(b[posAttributes:], uint16(b.Attributes()|attrLogAppendTime))
	binary.BigEndian.PutUint64(b[posMaxTime:], uint64(ms))
	b.Seal()
}

// SetCreateTime makes the records' own timestamps count, and renews the checksum.
func (b Batch) SetCreateTime() {
	binary.BigEndian.PutUint16(b[posAttributes:], uint16(b.Attributes()&^attrLogAppendTime))
	b.Seal()
}

// Seal computes the checksum.
func (b Batch) Seal() { binary.BigEndian.PutUint32(b[posCRC:], b.sum()) }

func (b Batch) sum() uint32 { return crc32.Checksum(b[posAttributes:], castagnoli) }

// CheckSum verifies the checksum. It fails with [ErrCorrupt].
func (b Batch) CheckSum() error {
	if got := binary.BigEndian.Uint32(b[posCRC:]); got != b.sum() {
		return fmt.Errorf("checksum %08x, computed %08x: %w", got, b.sum(), ErrCorrupt)
	}
	return nil
}
