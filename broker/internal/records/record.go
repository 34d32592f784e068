package records

import (
	"fmt"
	"iter"
)

// Header is one header of a record.
type Header struct {
	Key   string
	Value []byte
}

// Record is one record of a batch. Key and Value point into the batch, or into what it decompressed to; nil is Kafka's null.
type Record struct {
	Offset    int64
	Timestamp int64 // milliseconds
	Key       []byte
	Value     []byte

	headers []byte // still encoded
	count   int32
}

// Headers decodes the headers. They were found intact when the record was read.
func (r Record) Headers() []Header {
	if r.count == 0 {
		return nil
	}
	hs := make([]Header, 0, r.count)
	in := reader{src: r.headers}
	for range r.count {
		hs = append(hs, Header{Key: string(in.bytes()), Value: in.bytes()})
	}
	return hs
}

// Records yields the batch's records in order. An error ends them: the payload does not decompress within [MaxDecompressed] or is malformed.
func (b Batch) Records() iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		payload, err := decompress(b.Codec(), b.Payload(), MaxDecompressed)
		if err != nil {
			yield(Record{}, fmt.Errorf("batch at offset %d: %w", b.BaseOffset(), err))
			return
		}
		in := reader{src: payload}
		base, baseTime, appendTime := b.BaseOffset(), b.BaseTimestamp(), b.LogAppendTime()
		for i := range b.Count() {
			r, ok := in.record()
			if !ok {
				yield(Record{}, fmt.Errorf("batch at offset %d: record %d of %d is malformed: %w", base, i, b.Count(), ErrInvalid))
				return
			}
			r.Offset += base
			r.Timestamp += baseTime
			if appendTime {
				r.Timestamp = b.MaxTimestamp()
			}
			if !yield(r, nil) {
				return
			}
		}
	}
}

// record reads one record; its offset and timestamp are deltas.
func (r *reader) record() (rec Record, ok bool) {
	in := reader{src: r.span(int(r.varint()))}
	in.span(1) // attributes, unused
	rec.Timestamp = in.varlong()
	rec.Offset = int64(in.varint())
	rec.Key = in.bytes()
	rec.Value = in.bytes()
	rec.count = in.varint()
	rec.headers = in.src
	if r.bad || in.bad || rec.count < 0 || int(rec.count) > len(in.src) {
		return Record{}, false
	}
	for range rec.count {
		n := in.varint()
		in.span(int(n))
		in.bytes()
	}
	if in.bad || len(in.src) != 0 {
		return Record{}, false
	}
	return rec, true
}
