package records

import "encoding/binary"

// Marker is what the control batch says that ends a transaction.
type Marker struct {
	Coordinator int32 // the epoch of the coordinator that wrote it
	Commit      bool
}

// Types of control records, the second number of their keys.
const (
	abortMarker  = 0
	commitMarker = 1
)

// NewMarker builds the control batch of one record that ends a producer's transaction. Its offset and leader epoch are still to be set.
func NewMarker(producerID int64, producerEpoch int16, m Marker, now int64) Batch {
	kind := byte(abortMarker)
	if m.Commit {
		kind = commitMarker
	}
	b := make(Batch, HeaderSize, HeaderSize+20)
	record := []byte{0, 0, 0, 8, 0, 0, 0, kind, 12, 0, 0} // attributes, deltas, key of 4 bytes: version and type; value of 6: version and epoch
	record = binary.BigEndian.AppendUint32(record, uint32(m.Coordinator))
	record = append(record, 0) // no headers
	b = append(b, byte(len(record)<<1))
	b = append(b, record...)
	binary.BigEndian.PutUint32(b[posLength:], uint32(len(b)-Overhead))
	b[posMagic] = 2
	binary.BigEndian.PutUint16(b[posAttributes:], attrTransactional|attrControl)
	binary.BigEndian.PutUint64(b[posBaseTime:], uint64(now))
	binary.BigEndian.PutUint64(b[posMaxTime:], uint64(now))
	binary.BigEndian.PutUint64(b[posProducerID:], uint64(producerID))
	binary.BigEndian.PutUint16(b[posProducer:], uint16(producerEpoch))
	binary.BigEndian.PutUint32(b[posBaseSequence:], 0xffffffff)
	binary.BigEndian.PutUint32(b[posCount:], 1)
	b.Seal()
	return b
}

// Marker reads the marker of a control batch; false where it is none.
func (b Batch) Marker() (m Marker, ok bool) {
	if !b.Control() {
		return Marker{}, false
	}
	for r, err := range b.Records() {
		if err != nil || len(r.Key) < 4 || len(r.Value) < 6 {
			return Marker{}, false
		}
		kind := binary.BigEndian.Uint16(r.Key[2:])
		return Marker{Coordinator: int32(binary.BigEndian.Uint32(r.Value[2:])), Commit: kind == commitMarker}, kind <= commitMarker
	}
	return Marker{}, false
}
