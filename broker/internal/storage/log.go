package storage

import (
	"fmt"
	"math"
	"math/rand/v2"
	"sort"

	"github.com/sordini-go/sordini/broker/internal/records"
)

// Log is the log of one replica. See the package's comment for who may touch it.
type Log struct {
	segments []*segment // the last is the active one; never empty
	start    int64      // first offset that may be read
	end      int64      // the offset that the next record gets
	epochs   epochs

	producers map[int64]*producer
	before    map[int64]*producer // as the producers were before the first batch that is held
	txns      transactions

	dir     *Dir  // where the log is kept; nil: in memory alone
	cleaned int64 // compaction has been here
	cuts    int   // how often the log was cut at either end
	broken  bool  // see Broken
}

// segment is what retention removes at once.
type segment struct {
	base    int64
	batches []records.Batch
	bytes   int64 // as Kafka counts them: also of what lies before the log's start and has been let go
	maxTime int64 // largest timestamp of a record, milliseconds
	first   int64 // timestamp of the first batch, for segment.ms

	modified int64    // when a batch was appended last, by the broker's clock
	jitter   int64    // how much sooner than segment.ms it is rolled
	gone     Position // of the record with the largest timestamp, where that has been let go
}

// newSegment makes a segment that begins at base.
func newSegment(base int64) *segment { return &segment{base: base, maxTime: -1, gone: nowhere} }

// largest is what the segment's age is counted from: its largest timestamp or, where no record has one, when it was written last.
func (s *segment) largest() int64 {
	if s.maxTime >= 0 {
		return s.maxTime
	}
	return s.modified
}

// add puts a batch at the end.
func (s *segment) add(b records.Batch) {
	if s.bytes == 0 {
		s.first = b.MaxTimestamp()
	}
	s.batches = append(s.batches, b)
	s.bytes += int64(len(b))
	s.maxTime = max(s.maxTime, b.MaxTimestamp())
}

// Limits are the settings of a topic that an append obeys.
type Limits struct {
	SegmentBytes int64
	SegmentMs    int64
	Jitter       int64 // segment.jitter.ms
	AppendTime   bool  // message.timestamp.type=LogAppendTime
}

// Appended says where a batch went.
type Appended struct {
	Base      int64
	Time      int64 // the log append time, or -1; of a duplicate the batch's largest timestamp, as Kafka answers
	Duplicate bool  // the batch had been appended before; nothing was done
}

// NewLog returns an empty log.
func NewLog() *Log {
	return &Log{segments: []*segment{newSegment(0)}, producers: make(map[int64]*producer), before: make(map[int64]*producer)}
}

// Start is the first offset that may be read.
func (l *Log) Start() int64 { return l.start }

// End is the offset that the next record gets.
func (l *Log) End() int64 { return l.end }

// Bytes is the size of the segments. As in Kafka it counts what [Log.DropBefore] has taken from the oldest until the whole segment goes.
func (l *Log) Bytes() (n int64) {
	for _, s := range l.segments {
		n += s.bytes
	}
	return n
}

// BeginEpoch notes that a leader of this epoch begins at the log's end.
func (l *Log) BeginEpoch(epoch int32) { l.assign(epoch, l.end) }

func (l *Log) assign(epoch int32, offset int64) {
	if l.epochs.assign(epoch, offset) && l.dir != nil {
		l.dir.epochs = true // it is in the batches, too
	}
}

// LatestEpoch is the newest epoch that the log knows, or NoEpoch.
func (l *Log) LatestEpoch() int32 { return l.epochs.latest() }

// EpochAt is the epoch that wrote offset.
func (l *Log) EpochAt(offset int64) int32 { return l.epochs.at(offset) }

// EpochEnd returns the largest epoch that is not above the one asked for and the offset at which it ended, or NoEpoch and NoOffset (KIP-101, KIP-279).
func (l *Log) EpochEnd(epoch int32) (int32, int64) { return l.epochs.end(epoch, l.end) }

// Append takes a batch that has been checked: it gives it its offset and the epoch, in place, and keeps it. The caller must not touch it again.
// It fails with [ErrOutOfOrderSequence], [ErrProducerEpoch], [ErrTxnState] or, with the log as it was, [ErrStorage], and answers a batch that it has
// already as it did the first time.
// A batch that begins a transaction needs [Log.AppendVerified].
func (l *Log) Append(b records.Batch, epoch int32, now int64, lim Limits) (Appended, error) {
	return l.AppendVerified(b, nil, epoch, now, lim)
}

// AppendVerified is Append for a batch of a transaction that its coordinator knows; see [Log.Verify].
func (l *Log) AppendVerified(b records.Batch, g *Verification, epoch int32, now int64, lim Limits) (Appended, error) {
	if id := b.ProducerID(); id != records.NoProducer {
		p := l.producers[id]
		if p != nil {
			if a := p.duplicate(b); a != nil {
				return Appended{Base: a.base, Time: a.time, Duplicate: true}, nil
			}
		}
		if b.Transactional() && !l.InTransaction(id, b.ProducerEpoch()) && !l.verified(id, g) {
			return Appended{}, fmt.Errorf("producer id %d: the batch is in no transaction that its coordinator knows: %w", id, ErrTxnState)
		}
		if err := p.check(b, l.txns.verifying[id]); err != nil {
			return Appended{}, err
		}
	}
	return l.append(b, epoch, now, lim)
}

// AppendOwn is Append for what a coordinator writes to its own topic: it has no sequence numbers, and who has checked its transaction is the coordinator.
func (l *Log) AppendOwn(b records.Batch, epoch int32, now int64, lim Limits) (Appended, error) {
	return l.append(b, epoch, now, lim)
}

// append gives a batch its place.
func (l *Log) append(b records.Batch, epoch int32, now int64, lim Limits) (Appended, error) {
	res := Appended{Base: l.end, Time: -1}
	b.SetBaseOffset(l.end)
	b.SetLeaderEpoch(epoch)
	if lim.AppendTime {
		b.SetLogAppendTime(now)
		res.Time = now
	} else if b.LogAppendTime() {
		b.SetCreateTime()
	}
	if err := l.keep(b, now, lim); err != nil {
		return Appended{}, err
	}
	return res, nil
}

// active returns the segment that b goes into, after rolling where the limits ask for it.
func (l *Log) active(b records.Batch, lim Limits) (*segment, error) {
	s := l.segments[len(l.segments)-1]
	if s.bytes == 0 {
		return s, nil
	}
	full := lim.SegmentBytes > 0 && s.bytes+int64(len(b)) > lim.SegmentBytes
	old := lim.SegmentMs > 0 && b.MaxTimestamp()-s.first > lim.SegmentMs-s.jitter
	if !full && !old && b.LastOffset()-s.base <= math.MaxInt32 {
		return s, nil
	}
	s, err := l.roll()
	if most := min(lim.Jitter, lim.SegmentMs); err == nil && most > 0 {
		s.jitter = rand.Int64N(most)
	}
	return s, err
}

// roll begins a segment at the log's end.
func (l *Log) roll() (*segment, error) {
	if l.dir != nil {
		if err := l.dir.roll(l, l.end); err != nil {
			return nil, err
		}
	}
	s := newSegment(l.end)
	l.segments = append(l.segments, s)
	return s, nil
}

// Read appends to dst batches from the one that holds offset up to, not including, limit: as many as fit into maxBytes, and the first in any case
// when must is set. It returns them with their size. The offset must lie within the log.
func (l *Log) Read(dst []records.Batch, offset, limit int64, maxBytes int, must bool) ([]records.Batch, int) {
	size := 0
	for b := range l.from(offset) {
		if b.BaseOffset() >= limit {
			break
		}
		if size+len(b) > maxBytes && (size > 0 || !must) {
			break
		}
		dst = append(dst, b)
		size += len(b)
	}
	return dst, size
}

// from yields the batches from the one that holds offset, or the next where none does.
func (l *Log) from(offset int64) func(yield func(records.Batch) bool) {
	return func(yield func(records.Batch) bool) {
		i := sort.Search(len(l.segments), func(i int) bool { return l.segments[i].base > offset })
		for i = max(i-1, 0); i < len(l.segments); i++ {
			batches := l.segments[i].batches
			j := sort.Search(len(batches), func(j int) bool { return batches[j].LastOffset() >= offset })
			for ; j < len(batches); j++ {
				if !yield(batches[j]) {
					return
				}
			}
		}
	}
}

// Batches yields every batch from offset on.
func (l *Log) Batches(offset int64) func(yield func(records.Batch) bool) { return l.from(offset) }

// DropBefore moves the start of the log to offset and lets go of the batches that lie wholly before it.
func (l *Log) DropBefore(offset int64) {
	if offset > l.start {
		l.drop(offset)
	}
}

func (l *Log) drop(offset int64) {
	l.cuts++
	l.start = min(offset, l.end)
	l.epochs.trimStart(l.start)
	l.settle()
	var gone []int64
	for len(l.segments) > 1 && l.segments[1].base <= l.start {
		gone = append(gone, l.segments[0].base)
		l.segments[0] = nil
		l.segments = l.segments[1:]
	}
	if l.dir != nil {
		l.dir.letGo(gone)
	}
	s := l.segments[0]
	n := sort.Search(len(s.batches), func(i int) bool { return s.batches[i].LastOffset() >= l.start })
	s.letGo(n)
}
