package storage

import (
	"encoding/binary"
	"slices"
	"sort"

	"github.com/sordini-go/sordini/broker/internal/files"
)

// indexInterval is how many bytes of a segment lie between two entries of its indexes (index.interval.bytes).
const indexInterval = 4096

// index writes the indexes of a segment that gets no more batches. The log itself does without: it has the batches in memory. They are there for who
// else reads the directory.
func (d *Dir) index(l *Log, s *segment) error {
	var offsets, times []byte
	at := s.bytes // where the next batch stands
	for _, b := range s.batches {
		at -= int64(len(b))
	}
	largest, largestAt, written := int64(-1), int64(0), int64(-1)
	since := int64(0)
	entry := func() {
		if largest > written {
			times = binary.BigEndian.AppendUint64(times, uint64(largest))
			times = binary.BigEndian.AppendUint32(times, uint32(largestAt-s.base))
			written = largest
		}
	}
	for _, b := range s.batches {
		if b.MaxTimestamp() > largest {
			largest, largestAt = b.MaxTimestamp(), b.LastOffset()
		}
		if since > indexInterval {
			offsets = binary.BigEndian.AppendUint32(offsets, uint32(b.LastOffset()-s.base))
			offsets = binary.BigEndian.AppendUint32(offsets, uint32(at))
			entry()
			since = 0
		}
		since += int64(len(b))
		at += int64(len(b))
	}
	entry()
	if err := files.Write(d.fs, d.name(s.base, indexSuffix), offsets); err != nil {
		return err
	}
	if err := files.Write(d.fs, d.name(s.base, timeSuffix), times); err != nil {
		return err
	}
	if aborted := l.txns.index(s); len(aborted) > 0 {
		return files.Write(d.fs, d.name(s.base, txnSuffix), aborted)
	}
	return nil
}

// index lists the transactions that were aborted in a segment, as Kafka's transaction index does.
func (t *transactions) index(s *segment) (out []byte) {
	if len(s.batches) == 0 {
		return nil
	}
	last := s.batches[len(s.batches)-1].LastOffset()
	from := sort.Search(len(t.aborted), func(i int) bool { return t.aborted[i].Last >= s.base })
	for _, a := range t.aborted[from:] {
		if a.Last > last {
			break
		}
		out = binary.BigEndian.AppendUint16(out, 0) // version
		for _, n := range []int64{a.Producer, a.First, a.Last, a.stable} {
			out = binary.BigEndian.AppendUint64(out, uint64(n))
		}
	}
	return out
}

// snapshotVersion is that of Kafka's producer snapshots.
const snapshotVersion = 1

// snapshotEntry is the size of a producer in a snapshot.
const snapshotEntry = 8 + 2 + 4 + 8 + 4 + 8 + 4 + 8

// snapshotHeader is what stands before the producers: version, checksum and how many there are.
const snapshotHeader = 2 + 4 + 4

// snapshot is what the log knows of its producers, as Kafka writes it down where a segment begins.
func (l *Log) snapshot() []byte {
	ids := make([]int64, 0, len(l.producers))
	for id := range l.producers {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	out := make([]byte, snapshotHeader, snapshotHeader+snapshotEntry*len(ids))
	binary.BigEndian.PutUint16(out, snapshotVersion)
	binary.BigEndian.PutUint32(out[6:], uint32(len(ids)))
	for _, id := range ids {
		p := l.producers[id]
		last := appended{lastSeq: NoOffset, firstSeq: NoOffset, base: NoOffset}
		end, delta := int64(NoOffset), int32(0)
		if p.n > 0 {
			last = *p.newest()
			delta = sequences(last.firstSeq, last.lastSeq)
			end = last.base + int64(delta)
		}
		out = binary.BigEndian.AppendUint64(out, uint64(id))
		out = binary.BigEndian.AppendUint16(out, uint16(p.epoch))
		out = binary.BigEndian.AppendUint32(out, uint32(last.lastSeq))
		out = binary.BigEndian.AppendUint64(out, uint64(end))
		out = binary.BigEndian.AppendUint32(out, uint32(delta))
		out = binary.BigEndian.AppendUint64(out, uint64(p.lastStamp))
		out = binary.BigEndian.AppendUint32(out, uint32(p.coordinator))
		out = binary.BigEndian.AppendUint64(out, uint64(p.txn))
	}
	binary.BigEndian.PutUint32(out[2:], checksum(out[6:]))
	return out
}

// sequences is how many sequence numbers lie between two, which start again at zero after the largest.
func sequences(first, last int32) int32 { return (last - first) & 0x7fffffff }

// readSnapshot reads what [Log.snapshot] has written, or Kafka. It reports false where it is neither.
func readSnapshot(in []byte) (map[int64]*producer, bool) {
	if len(in) < snapshotHeader || binary.BigEndian.Uint16(in) != snapshotVersion || binary.BigEndian.Uint32(in[2:]) != checksum(in[6:]) {
		return nil, false
	}
	count, in := int64(binary.BigEndian.Uint32(in[6:])), in[snapshotHeader:]
	if count*snapshotEntry != int64(len(in)) {
		return nil, false
	}
	known := make(map[int64]*producer, count)
	for ; len(in) > 0; in = in[snapshotEntry:] {
		p := newProducer(int16(binary.BigEndian.Uint16(in[8:])))
		lastSeq, end, delta := int32(binary.BigEndian.Uint32(in[10:])), int64(binary.BigEndian.Uint64(in[14:])), int32(binary.BigEndian.Uint32(in[22:]))
		p.lastStamp = int64(binary.BigEndian.Uint64(in[26:]))
		p.lastTime, p.coordinator, p.txn = p.lastStamp, int32(binary.BigEndian.Uint32(in[34:])), int64(binary.BigEndian.Uint64(in[38:]))
		if lastSeq >= 0 && delta >= 0 && end >= int64(delta) {
			p.n = 1
			*p.newest() = appended{firstSeq: (lastSeq - delta) & 0x7fffffff, lastSeq: lastSeq, base: end - int64(delta), time: p.lastStamp}
		}
		known[int64(binary.BigEndian.Uint64(in))] = p
	}
	return known, true
}
