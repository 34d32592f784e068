package storage

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/goleak"

	"github.com/sordini-go/sordini/broker/internal/records"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// batch builds a batch of n records, the i-th at time first+i.
func batch(n int32, first int64) records.Batch {
	b := kmsg.RecordBatch{Magic: 2, ProducerID: -1, ProducerEpoch: -1, FirstSequence: -1, NumRecords: n, LastOffsetDelta: n - 1,
		FirstTimestamp: first, MaxTimestamp: first + int64(n) - 1}
	for i := range n {
		r := kmsg.Record{OffsetDelta: i, TimestampDelta64: int64(i), Value: []byte("v")}
		r.Length = int32(len(r.AppendTo(nil)) - 1)
		b.Records = r.AppendTo(b.Records)
	}
	b.Length = 49 + int32(len(b.Records))
	out := records.Batch(b.AppendTo(nil))
	out.Seal()
	return out
}

// model is a log that is too simple to be wrong: all batches in a row.
type model struct {
	start, end int64
	batches    []records.Batch
	epochs     []int32 // by batch
}

func (m *model) read(offset int64) (bases []int64) {
	for _, b := range m.batches {
		if b.LastOffset() >= offset && b.LastOffset() >= m.start {
			bases = append(bases, b.BaseOffset())
		}
	}
	return bases
}

func (m *model) byTime(ms int64) int64 {
	for _, b := range m.batches {
		for i := range int64(b.Count()) {
			if o := b.BaseOffset() + i; o >= m.start && b.BaseTimestamp()+i >= ms {
				return o
			}
		}
	}
	return NoOffset
}

// deleted says whether a record at ms or later lies before the start.
func (m *model) deleted(ms int64) bool {
	for _, b := range m.batches {
		if b.BaseOffset() < m.start && b.MaxTimestamp() >= ms {
			return true
		}
	}
	return false
}

func TestLogAnswersAsASimpleListDoes(t *testing.T) {
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 1))
		l, m := NewLog(), &model{}
		lim := Limits{SegmentBytes: 1 + r.Int64N(1000), SegmentMs: 1 + r.Int64N(1000)}
		epoch, clock := int32(0), int64(1000)
		for range 300 {
			switch r.IntN(10) {
			case 0:
				epoch++
				l.BeginEpoch(epoch)
			case 1:
				to := m.start + r.Int64N(m.end-m.start+1)
				l.DropBefore(to)
				m.start = max(m.start, to)
			default:
				clock += r.Int64N(100)
				b := batch(1+r.Int32N(5), clock)
				res, err := l.Append(b, epoch, clock, lim)
				if err != nil || res.Base != m.end {
					t.Fatalf("seed %d: appended at %d, %v; want %d", seed, res.Base, err, m.end)
				}
				m.batches, m.epochs = append(m.batches, b), append(m.epochs, epoch)
				m.end = b.LastOffset() + 1
			}
			if l.Start() != m.start || l.End() != m.end {
				t.Fatalf("seed %d: log from %d to %d, want %d to %d", seed, l.Start(), l.End(), m.start, m.end)
			}
			from := m.start + r.Int64N(m.end-m.start+1)
			got, size := l.Read(nil, from, m.end, 1<<30, true)
			var bases []int64
			bytes := 0
			for _, b := range got {
				bases = append(bases, b.BaseOffset())
				bytes += len(b)
			}
			if want := m.read(from); !slices.Equal(bases, want) || size != bytes {
				t.Fatalf("seed %d: from %d read %v of %d bytes, want %v", seed, from, bases, size, want)
			}
			ms := 1000 + r.Int64N(clock-900)
			// A record that has been deleted hides later ones, for as long as its segment is there.
			if pos, err := l.ByTime(ms, m.end); err != nil || pos.Offset != m.byTime(ms) && (pos.Offset != NoOffset || !m.deleted(ms)) {
				t.Fatalf("seed %d: first at %d ms is %d, %v; want %d", seed, ms, pos.Offset, err, m.byTime(ms))
			}
			for i, b := range m.batches {
				if b.LastOffset() >= m.start && l.EpochAt(max(b.BaseOffset(), m.start)) != m.epochs[i] {
					t.Fatalf("seed %d: offset %d is of epoch %d, want %d", seed, b.BaseOffset(), l.EpochAt(b.BaseOffset()), m.epochs[i])
				}
			}
		}
	}
}

func TestDroppedBatchesAreLetGo(t *testing.T) {
	l := NewLog()
	for range 10 {
		if _, err := l.Append(batch(10, 0), 0, 0, Limits{SegmentBytes: 500}); err != nil {
			t.Fatal(err)
		}
	}
	l.DropBefore(55)
	held := func() (n int) {
		for _, s := range l.segments {
			n += len(s.batches)
		}
		return n
	}
	if held() != 5 {
		t.Errorf("%d of 10 batches are held", held())
	}
	if epoch, end := l.EpochEnd(-5); epoch != -5 || end != 55 {
		t.Errorf("an epoch before the log's first ends at %d, want the log's start", end)
	}
	l.DropBefore(100)
	if held() != 0 || l.Start() != 100 || l.End() != 100 {
		t.Errorf("%d batches are held from %d to %d", held(), l.Start(), l.End())
	}
	l.DropBefore(1000)
	if l.Start() != 100 {
		t.Errorf("the log begins at %d, beyond its end", l.Start())
	}
}

func TestReadStopsAtItsLimits(t *testing.T) {
	l := NewLog()
	for range 5 {
		if _, err := l.Append(batch(2, 0), 0, 0, Limits{}); err != nil {
			t.Fatal(err)
		}
	}
	one := len(batch(2, 0))
	for name, test := range map[string]struct {
		limit int64
		bytes int
		must  bool
		want  int
	}{
		"everything":                   {10, 1 << 20, false, 5},
		"up to an offset":              {4, 1 << 20, false, 2},
		"bytes for two":                {10, 2*one + 1, false, 2},
		"no byte, but one in any case": {10, 0, true, 1},
		"no byte":                      {10, 0, false, 0},
	} {
		if got, _ := l.Read(nil, 0, test.limit, test.bytes, test.must); len(got) != test.want {
			t.Errorf("%s: %d batches, want %d", name, len(got), test.want)
		}
	}
}

func TestEndOfAnEpochIsWhereTheNextBegan(t *testing.T) {
	var e epochs
	if epoch, end := e.end(3, 0); epoch != NoEpoch || end != NoOffset {
		t.Errorf("empty: %d, %d", epoch, end)
	}
	e.assign(2, 0)
	e.assign(4, 10)
	e.assign(5, 10) // epoch 4 wrote nothing
	e.assign(5, 20) // known
	e.assign(3, 20) // older than the newest
	for _, test := range []struct {
		asked, epoch int32
		end          int64
	}{{0, 0, 0}, {2, 2, 10}, {3, 2, 10}, {4, 2, 10}, {5, 5, 30}, {6, NoEpoch, NoOffset}, {NoEpoch, NoEpoch, NoOffset}} {
		if epoch, end := e.end(test.asked, 30); epoch != test.epoch || end != test.end {
			t.Errorf("epoch %d: %d ends at %d, want %d at %d", test.asked, epoch, end, test.epoch, test.end)
		}
	}
	e.trimStart(15)
	if e.at(14) != NoEpoch || e.at(15) != 5 {
		t.Errorf("after trimming: %+v", e)
	}
}

func TestRetentionDropsWholeSegments(t *testing.T) {
	now := time.UnixMilli(1_000_000)
	fill := func() *Log {
		l := NewLog()
		for i := range int64(5) { // a segment each, a minute apart, the newest now
			if _, err := l.Append(batch(1, now.Add(time.Duration(i-4)*time.Minute).UnixMilli()), 0, 0, Limits{SegmentMs: 1}); err != nil {
				t.Fatal(err)
			}
		}
		return l
	}
	one := int64(len(batch(1, 0)))
	for name, test := range map[string]struct {
		age   time.Duration
		size  int64
		start int64
	}{
		"no limit":           {-1, -1, 0},
		"older than 2.5 min": {150 * time.Second, -1, 2},
		"negative age":       {-2 * time.Minute, -1, 0},
		"exactly two fit":    {-1, 2 * one, 3},
		"not quite two fit":  {-1, 2*one - 1, 3}, // a segment goes only when what remains is still as large
		"nothing fits":       {-1, 0, 5},
		"both":               {150 * time.Second, one, 4},
	} {
		l := fill()
		l.Retain(now, test.age, test.size, l.End())
		if l.Start() != test.start {
			t.Errorf("%s: the log begins at %d, want %d", name, l.Start(), test.start)
		}
	}
	l := fill()
	if l.Retain(now.Add(time.Hour), time.Minute, -1, l.End()); l.Start() != 5 || l.End() != 5 {
		t.Errorf("all is old: the log goes from %d to %d", l.Start(), l.End())
	}
}

func TestDuplicateIsAnsweredAsItWas(t *testing.T) {
	l := NewLog()
	produce := func(epoch int16, seq int32) (Appended, error) {
		b := batch(1, 7)
		p := kmsg.RecordBatch{}
		if err := p.ReadFrom(b); err != nil {
			t.Fatal(err)
		}
		p.ProducerID, p.ProducerEpoch, p.FirstSequence = 9, epoch, seq
		return l.Append(p.AppendTo(nil), 0, 50, Limits{})
	}
	for seq := range int32(6) {
		if res, err := produce(0, seq); err != nil || res.Base != int64(seq) || res.Duplicate {
			t.Fatalf("sequence %d: %+v, %v", seq, res, err)
		}
	}
	for seq := int32(1); seq < 6; seq++ {
		if res, err := produce(0, seq); err != nil || res.Base != int64(seq) || !res.Duplicate || res.Time != 7 {
			t.Errorf("sequence %d again: %+v, %v", seq, res, err)
		}
	}
	if _, err := produce(0, 0); !errors.Is(err, ErrOutOfOrderSequence) {
		t.Errorf("out of the window: %v", err)
	}
	if _, err := produce(1, 0); err != nil {
		t.Errorf("new epoch: %v", err)
	}
	if _, err := produce(0, 6); !errors.Is(err, ErrProducerEpoch) {
		t.Errorf("old epoch: %v", err)
	}
	if l.ExpireProducers(51); len(l.producers) != 0 {
		t.Error("an idle producer is remembered")
	}
}

func TestDeletedRecordIsFoundAsTheNewestAsInKafka(t *testing.T) {
	l := NewLog()
	for _, ms := range []int64{100, 500, 300} {
		if _, err := l.Append(batch(2, ms), 4, 0, Limits{}); err != nil {
			t.Fatal(err)
		}
	}
	want := Position{Offset: 3, Timestamp: 501, Epoch: 4}
	for start := range int64(7) {
		l.DropBefore(start)
		if pos, err := l.MaxTime(6); err != nil || pos != want {
			t.Errorf("log from %d: %+v, %v", start, pos, err)
		}
	}
	if pos, _ := l.MaxTime(3); pos != nowhere {
		t.Errorf("beyond the limit: %+v", pos)
	}
	if l.Retain(time.UnixMilli(10_000), time.Second, -1, l.End()); l.Bytes() != 0 {
		t.Errorf("%d bytes are left by retention", l.Bytes())
	}
	if pos, _ := l.MaxTime(6); pos != nowhere {
		t.Errorf("the segment is gone: %+v", pos)
	}
}

func TestRecordsWithoutTimestampAgeFromWhenTheyWereWritten(t *testing.T) {
	l := NewLog()
	b := batch(1, 0)
	b = b.With([]records.Record{{Timestamp: -1}}, records.NoHorizon)
	if _, err := l.Append(b, 0, 5_000, Limits{}); err != nil {
		t.Fatal(err)
	}
	if l.Retain(time.UnixMilli(6_000), time.Second, -1, l.End()); l.Start() != 0 {
		t.Error("a record is gone a second after it was written")
	}
	if pos, err := l.MaxTime(1); err != nil || pos.Offset != 0 {
		t.Errorf("newest: %+v, %v", pos, err)
	}
	if l.Retain(time.UnixMilli(6_001), time.Second, -1, l.End()); l.Start() != 1 {
		t.Error("a record is there after its time")
	}
}

func TestRetentionLeavesWhatIsNotReplicated(t *testing.T) {
	l := NewLog()
	for i := range int64(3) {
		if _, err := l.Append(batch(1, i*10), 0, 0, Limits{SegmentMs: 1}); err != nil {
			t.Fatal(err)
		}
	}
	if l.Retain(time.UnixMilli(1_000_000), time.Second, 0, 2); l.Start() != 2 {
		t.Errorf("the log begins at %d, its high watermark is 2", l.Start())
	}
}
