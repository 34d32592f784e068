package records

import (
	"encoding/binary"
	"fmt"
	"math"
	"sync"
)

// Rules is what a topic asks of a producer's records beyond the format.
type Rules struct {
	Keys   bool  // every record must have a key
	Oldest int64 // of the timestamps that are taken, milliseconds
	Newest int64
}

// Anything takes every record that is well formed.
var Anything = Rules{Oldest: math.MinInt64, Newest: math.MaxInt64}

// Refusal is a record that breaks a rule of the topic.
type Refusal struct {
	Index     int32
	Keyless   bool // otherwise its timestamp is out of bounds
	Timestamp int64
}

// Findings is what [Batch.Check] found.
type Findings struct {
	Refused    []Refusal
	OutOfOrder bool // the records are not numbered one by one from 0 on; see [Batch.Compressed]
}

// Check verifies the rules that a producer's batch has to keep, except the checksum. It fails with [ErrInvalid], or [ErrDecompress]. It reads every
// record, as Kafka does, decompressed into memory that is used again; keys and values are passed over. The batch's largest timestamp is put right by
// its records', as Kafka does.
func (b Batch) Check(rules Rules) (found Findings, err error) {
	switch count := b.Count(); {
	case count <= 0:
		return found, fmt.Errorf("%d records: %w", count, ErrInvalid)
	case b.LastOffsetDelta() != count-1:
		return found, fmt.Errorf("%d records, last offset delta %d: %w", count, b.LastOffsetDelta(), ErrInvalid)
	case b.Control():
		return found, fmt.Errorf("control batch from a producer: %w", ErrInvalid)
	case b.ProducerID() != NoProducer && b.BaseSequence() < 0:
		return found, fmt.Errorf("producer id %d with sequence %d: %w", b.ProducerID(), b.BaseSequence(), ErrInvalid)
	case b.Codec() > Zstd:
		return found, fmt.Errorf("compression type %d: %w", b.Codec(), ErrInvalid)
	case b.Codec() == None:
		err = b.checkRecords(b.Payload(), rules, &found)
		return found, err
	}
	room, _ := payloads.Get().(*[]byte)
	if room == nil {
		room = new([]byte)
	}
	defer payloads.Put(room)
	payload, err := decompressTo(*room, b.Codec(), b.Payload(), MaxDecompressed)
	if err != nil {
		return found, err
	}
	err = b.checkRecords(payload, rules, &found)
	if *room = nil; cap(payload) <= maxRoom {
		*room = payload[:0]
	}
	return found, err
}

// payloads holds memory that batches are decompressed into to be checked.
var payloads sync.Pool

// maxRoom is the largest such memory that is kept.
const maxRoom = 1 << 20

// checkRecords walks over the records.
func (b Batch) checkRecords(payload []byte, rules Rules, found *Findings) error {
	r := reader{src: payload}
	base, latest, count := b.BaseTimestamp(), int64(-1), b.Count()
	for i := range count {
		in := reader{src: r.span(int(r.varint()))}
		in.span(1)
		timestamp := base + in.varlong()
		if b.LogAppendTime() {
			timestamp = b.MaxTimestamp()
		}
		found.OutOfOrder = in.varint() != i || found.OutOfOrder
		key := in.varint()
		if key >= 0 {
			in.span(int(key))
		}
		in.bytes()
		headers := in.varint()
		if headers < 0 || int(headers) > len(in.src) {
			in.fail()
		}
		for h := int32(0); h < headers && !in.bad; h++ {
			in.span(int(in.varint()))
			in.bytes()
		}
		if r.bad || in.bad || len(in.src) != 0 {
			return fmt.Errorf("record %d of %d is malformed: %w", i, count, ErrInvalid)
		}
		latest = max(latest, timestamp)
		switch {
		case rules.Keys && key < 0:
			found.Refused = append(found.Refused, Refusal{Index: i, Keyless: true})
		case timestamp != -1 && (timestamp < rules.Oldest || timestamp > rules.Newest):
			found.Refused = append(found.Refused, Refusal{Index: i, Timestamp: timestamp})
		}
	}
	if len(r.src) != 0 {
		return fmt.Errorf("%d bytes after the last record: %w", len(r.src), ErrInvalid)
	}
	if latest != b.MaxTimestamp() {
		binary.BigEndian.PutUint64(b[posMaxTime:], uint64(latest))
		b.Seal()
	}
	return nil
}
