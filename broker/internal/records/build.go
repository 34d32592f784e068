package records

import "encoding/binary"

// Producer says which transaction a batch belongs to that a coordinator writes. Such a batch has no sequence numbers.
type Producer struct {
	ID    int64
	Epoch int16
}

// New builds an uncompressed batch of records, at least one, whose offsets and timestamps are set here: they are numbered from 0, and now, in
// milliseconds, is everyone's timestamp. producer is nil for records that belong to no transaction. Its offset and leader epoch are still to be set.
func New(recs []Record, producer *Producer, now int64) Batch {
	b := make(Batch, HeaderSize)
	b[posMagic] = 2
	binary.BigEndian.PutUint32(b[posLastDelta:], uint32(len(recs)-1))
	binary.BigEndian.PutUint64(b[posBaseTime:], uint64(now))
	binary.BigEndian.PutUint64(b[posMaxTime:], uint64(now))
	none := int64(NoProducer)
	binary.BigEndian.PutUint64(b[posProducerID:], uint64(none))
	binary.BigEndian.PutUint16(b[posProducer:], uint16(none))
	binary.BigEndian.PutUint32(b[posBaseSequence:], uint32(none))
	binary.BigEndian.PutUint32(b[posCount:], uint32(len(recs)))
	if producer != nil {
		binary.BigEndian.PutUint16(b[posAttributes:], attrTransactional)
		binary.BigEndian.PutUint64(b[posProducerID:], uint64(producer.ID))
		binary.BigEndian.PutUint16(b[posProducer:], uint16(producer.Epoch))
	}
	var payload []byte
	for i := range recs {
		payload = recs[i].append(payload, int64(i), 0)
	}
	return b.finish(payload)
}
