package records

import (
	"encoding/binary"
	"fmt"
)

const attrDeleteHorizon = 0x40

// DeleteHorizon is the moment, in milliseconds, from which the batch's tombstones, or the marker that it is, may be removed. Compaction writes it
// where the base timestamp stands; false where it has not seen the batch yet (KIP-534).
func (b Batch) DeleteHorizon() (ms int64, ok bool) {
	if b.Attributes()&attrDeleteHorizon == 0 {
		return 0, false
	}
	return b.BaseTimestamp(), true
}

// NoHorizon stands for a batch without a delete horizon.
const NoHorizon = -1

// With returns a batch like b that holds only these records, which are b's own, at their offsets. The range of offsets, the producer and its sequence
// numbers, and the codec stay; the largest timestamp becomes that of what is left. Records that are not there any more are what compaction does.
func (b Batch) With(recs []Record, horizon int64) Batch {
	out := b.header(b.Attributes() &^ attrDeleteHorizon)
	base := horizon
	if horizon == NoHorizon && len(recs) > 0 {
		base = recs[0].Timestamp
	}
	if horizon != NoHorizon {
		binary.BigEndian.PutUint16(out[posAttributes:], uint16(out.Attributes()|attrDeleteHorizon))
	}
	latest := int64(-1)
	var payload []byte
	for i := range recs {
		latest = max(latest, recs[i].Timestamp)
		payload = recs[i].append(payload, recs[i].Offset-b.BaseOffset(), recs[i].Timestamp-base)
	}
	if b.LogAppendTime() {
		latest = b.MaxTimestamp()
	}
	binary.BigEndian.PutUint64(out[posBaseTime:], uint64(base))
	binary.BigEndian.PutUint64(out[posMaxTime:], uint64(latest))
	binary.BigEndian.PutUint32(out[posCount:], uint32(len(recs)))
	return out.finish(compress(b.Codec(), DefaultLevel, payload))
}

// Empty returns what compaction leaves of a batch all of whose records go, where the batch itself is still needed: its range of offsets and its
// producer with the sequence numbers.
func (b Batch) Empty() Batch {
	out := b.header(b.Attributes() &^ (attrDeleteHorizon | attrCodec))
	binary.BigEndian.PutUint64(out[posBaseTime:], 1<<64-1) // -1, no timestamp
	binary.BigEndian.PutUint32(out[posCount:], 0)
	return out.finish(nil)
}

// Compressed returns b with its records compressed by another codec, numbered from 0 on and with the first one's timestamp as the base, as the leader
// does on a topic with a compression.type of its own.
func (b Batch) Compressed(codec Codec, level int) (Batch, error) {
	payload, err := decompress(b.Codec(), b.Payload(), MaxDecompressed)
	if err != nil {
		return nil, err
	}
	out := b.header(b.Attributes()&^attrCodec | int16(codec))
	in := reader{src: payload}
	anew := make([]byte, 0, len(payload))
	first := int64(0)
	for i := range b.Count() {
		r, ok := in.record()
		if !ok {
			return nil, fmt.Errorf("record %d of %d is malformed: %w", i, b.Count(), ErrInvalid)
		}
		if i == 0 {
			first = r.Timestamp
		}
		anew = r.append(anew, int64(i), r.Timestamp-first)
	}
	binary.BigEndian.PutUint64(out[posBaseTime:], uint64(b.BaseTimestamp()+first))
	return out.finish(compress(codec, level, anew)), nil
}

// header copies the batch's header, with other attributes.
func (b Batch) header(attributes int16) Batch {
	out := make(Batch, HeaderSize, HeaderSize+len(b.Payload()))
	copy(out, b)
	binary.BigEndian.PutUint16(out[posAttributes:], uint16(attributes))
	return out
}

// finish puts the payload behind a header, and the length and the checksum into it.
func (b Batch) finish(payload []byte) Batch {
	out := append(b, payload...)
	binary.BigEndian.PutUint32(out[posLength:], uint32(len(out)-Overhead))
	out.Seal()
	return out[:len(out):len(out)]
}

// append encodes the record with these deltas.
func (r *Record) append(dst []byte, offset, timestamp int64) []byte {
	size := 1 + varintSize(timestamp) + varintSize(offset) + bytesSize(r.Key) + bytesSize(r.Value) + varintSize(int64(r.count)) + len(r.headers)
	dst = binary.AppendVarint(dst, int64(size))
	dst = append(dst, 0)
	dst = binary.AppendVarint(dst, timestamp)
	dst = binary.AppendVarint(dst, offset)
	dst = appendBytes(dst, r.Key)
	dst = appendBytes(dst, r.Value)
	dst = binary.AppendVarint(dst, int64(r.count))
	return append(dst, r.headers...)
}

func appendBytes(dst, b []byte) []byte {
	if b == nil {
		return binary.AppendVarint(dst, -1)
	}
	return append(binary.AppendVarint(dst, int64(len(b))), b...)
}

func bytesSize(b []byte) int {
	if b == nil {
		return 1
	}
	return varintSize(int64(len(b))) + len(b)
}

// varintSize is how many bytes a zigzag number takes.
func varintSize(v int64) int {
	n := 1
	for u := uint64(v<<1) ^ uint64(v>>63); u >= 0x80; u >>= 7 {
		n++
	}
	return n
}
