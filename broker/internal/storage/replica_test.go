package storage

import (
	"errors"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sordini-go/sordini/broker/internal/records"
)

// sequenced builds a batch of an idempotent producer.
func sequenced(id int64, epoch int16, seq, n int32, first int64) records.Batch {
	var b kmsg.RecordBatch
	if err := b.ReadFrom(batch(n, first)); err != nil {
		panic(err)
	}
	b.ProducerID, b.ProducerEpoch, b.FirstSequence = id, epoch, seq
	out := records.Batch(b.AppendTo(nil))
	out.Seal()
	return out
}

// TestTruncatedFollowerIsWhatItWasBefore compares a follower that was truncated with one that has never had what was dropped.
func TestTruncatedFollowerIsWhatItWasBefore(t *testing.T) {
	for seed := range uint64(30) {
		r := rand.New(rand.NewPCG(seed, 3))
		lim := Limits{SegmentBytes: 100 + r.Int64N(1000), SegmentMs: 1 + r.Int64N(1000)}
		leader, whole := NewLog(), NewLog()
		var batches []records.Batch
		next := map[int64]int32{}
		epoch, clock := int32(0), int64(1000)
		leader.BeginEpoch(epoch)
		for range 60 {
			if r.IntN(6) == 0 {
				epoch++
				leader.BeginEpoch(epoch)
			}
			clock += r.Int64N(50)
			n, id := 1+r.Int32N(4), r.Int64N(4)
			b := batch(n, clock)
			if id > 0 {
				b = sequenced(id, 0, next[id], n, clock)
				next[id] += n
			}
			if _, err := leader.Append(b, epoch, 5, lim); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			batches = append(batches, b)
			whole.AppendReplica(b, 5, lim)
		}
		if whole.End() != leader.End() {
			t.Fatalf("seed %d: follower ends at %d, leader at %d", seed, whole.End(), leader.End())
		}
		cut := r.IntN(len(batches) + 1)
		to, part := int64(0), NewLog()
		for _, b := range batches[:cut] {
			part.AppendReplica(b, 5, lim)
			to = b.LastOffset() + 1
		}
		whole.Truncate(to)
		if err := same(whole, part); err != nil {
			t.Fatalf("seed %d: truncated to %d: %v", seed, to, err)
		}
		for _, b := range batches[cut:] { // and it goes on from there
			whole.AppendReplica(b, 5, lim)
			part.AppendReplica(b, 5, lim)
		}
		if err := same(whole, part); err != nil {
			t.Fatalf("seed %d: truncated to %d and filled again: %v", seed, to, err)
		}
	}
}

func same(a, b *Log) error {
	switch {
	case a.Start() != b.Start() || a.End() != b.End() || a.Bytes() != b.Bytes():
		return errors.New("extent differs")
	case !reflect.DeepEqual([]epochStart(a.epochs), []epochStart(b.epochs)) && len(a.epochs)+len(b.epochs) > 0:
		return errors.New("epochs differ")
	case !slices.EqualFunc(slices.Collect(a.Batches(0)), slices.Collect(b.Batches(0)), func(x, y records.Batch) bool { return &x[0] == &y[0] }):
		return errors.New("batches differ")
	}
	for id, p := range a.producers {
		q := b.producers[id]
		if q == nil || p.epoch != q.epoch || p.n != q.n || p.lastTime != q.lastTime {
			return errors.New("producers differ")
		}
		for i := range p.n {
			if p.batches[(p.first+i)%window] != q.batches[(q.first+i)%window] {
				return errors.New("remembered batches differ")
			}
		}
	}
	if len(a.producers) != len(b.producers) {
		return errors.New("more producers in one")
	}
	return nil
}

func TestTruncatingBeforeTheStartEmptiesTheLog(t *testing.T) {
	l := NewLog()
	for range 5 {
		if _, err := l.Append(batch(2, 1), 0, 1, Limits{}); err != nil {
			t.Fatal(err)
		}
	}
	l.DropBefore(6)
	l.Truncate(4)
	if l.Start() != 4 || l.End() != 4 || l.Bytes() != 0 || l.LatestEpoch() != NoEpoch {
		t.Fatalf("log from %d to %d, %d bytes, epoch %d; want empty at 4", l.Start(), l.End(), l.Bytes(), l.LatestEpoch())
	}
	l.Truncate(9)
	if l.End() != 4 {
		t.Fatalf("truncating beyond the end moved it to %d", l.End())
	}
}
