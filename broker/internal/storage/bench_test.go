package storage

import (
	"bytes"
	"runtime"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sordini-go/sordini/broker/internal/records"
)

// filler is a batch of n records of 100 bytes each.
func filler(n int32) records.Batch {
	b := kmsg.RecordBatch{Magic: 2, ProducerID: -1, ProducerEpoch: -1, FirstSequence: -1, NumRecords: n, LastOffsetDelta: n - 1, FirstTimestamp: 1, MaxTimestamp: 1}
	for i := range n {
		r := kmsg.Record{OffsetDelta: i, Value: make([]byte, 100)}
		r.Length = int32(len(r.AppendTo(nil)) - 1)
		b.Records = r.AppendTo(b.Records)
	}
	b.Length = 49 + int32(len(b.Records))
	out := records.Batch(b.AppendTo(nil))
	out.Seal()
	return out
}

func BenchmarkAppend(b *testing.B) {
	raw := filler(10)
	l := NewLog()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := l.Append(raw, 0, 1, Limits{SegmentBytes: 1 << 30}); err != nil {
			b.Fatal(err)
		}
		if l.End() > 10_000_000 {
			l = NewLog()
		}
	}
}

func BenchmarkRead(b *testing.B) {
	l := NewLog()
	for range 100_000 {
		if _, err := l.Append(filler(1), 0, 1, Limits{SegmentBytes: 1 << 20}); err != nil {
			b.Fatal(err)
		}
	}
	var dst []records.Batch
	offset := int64(0)
	b.ReportAllocs()
	for b.Loop() {
		dst, _ = l.Read(dst[:0], offset, l.End(), 1000, true)
		offset = (offset + 7919) % l.End()
	}
}

// A batch is what it was on the wire and 24 bytes in a list that is at most a quarter too long: what a record costs beyond its bytes is small.
func TestStoredRecordTakesLittleMoreThanItsBytes(t *testing.T) {
	const batches, each = 10_000, 10
	raw := filler(each)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	l := NewLog()
	for range batches {
		if _, err := l.Append(bytes.Clone(raw), 0, 1, Limits{SegmentBytes: 1 << 30}); err != nil {
			t.Fatal(err)
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	perRecord := (int64(after.HeapAlloc) - int64(before.HeapAlloc)) / (batches * each)
	if runtime.KeepAlive(l); perRecord > 150 {
		t.Errorf("%d bytes for a record of 100", perRecord)
	}
	t.Logf("%d bytes for a record of 100, in batches of %d bytes", perRecord, len(raw))
}
