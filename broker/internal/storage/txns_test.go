package storage

import (
	"errors"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sordini-go/sordini/broker/internal/records"
)

// transactional builds a batch of n records of a producer's transaction.
func transactional(id int64, epoch int16, seq, n int32) records.Batch {
	var b kmsg.RecordBatch
	if err := b.ReadFrom(sequenced(id, epoch, seq, n, 1)); err != nil {
		panic(err)
	}
	b.Attributes |= 0x10
	out := records.Batch(b.AppendTo(nil))
	out.Seal()
	return out
}

// write appends a batch whose transaction the coordinator knows.
func write(t *testing.T, l *Log, b records.Batch) int64 {
	t.Helper()
	a, err := l.AppendVerified(b, Unverified, 0, 1, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return a.Base
}

func mark(t *testing.T, l *Log, m Marker) int64 {
	t.Helper()
	a, err := l.AppendMarker(m, 0, 1, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return a.Base
}

// stableModel computes the last stable offset and the aborted transactions by reading the whole log.
func stableModel(l *Log, from int64, before map[int64]int64, hw int64) (stable int64, aborted []Aborted) {
	open := map[int64]int64{}
	for id, first := range before {
		open[id] = first
	}
	stable = hw
	for b := range l.Batches(from) {
		id := b.ProducerID()
		if m, ok := b.Marker(); ok {
			if first, was := open[id]; was {
				delete(open, id)
				if !m.Commit {
					aborted = append(aborted, Aborted{Producer: id, First: first, Last: b.BaseOffset()})
				}
				if b.BaseOffset() >= hw {
					stable = min(stable, first)
				}
			}
			continue
		}
		if _, was := open[id]; b.Transactional() && !was {
			open[id] = b.BaseOffset()
		}
	}
	for _, first := range open {
		stable = min(stable, first)
	}
	return max(stable, min(l.Start(), hw)), aborted
}

func TestLastStableOffsetAndAbortedTransactionsAreWhatTheBatchesSay(t *testing.T) {
	for seed := range uint64(40) {
		r := rand.New(rand.NewPCG(seed, 9))
		lim := Limits{SegmentBytes: 100 + r.Int64N(1000)}
		l := NewLog()
		next, epoch := map[int64]int32{}, map[int64]int16{}
		hw := int64(0)
		check := func(what string) {
			t.Helper()
			before := map[int64]int64{}
			for id, p := range l.before {
				if p.txn != NoOffset {
					before[id] = p.txn
				}
			}
			stable, aborted := stableModel(l, l.Start(), before, hw)
			if got := l.Stable(hw); got != stable {
				t.Fatalf("seed %d, %s: last stable offset %d, want %d; high watermark %d", seed, what, got, stable, hw)
			}
			if got := l.AppendAborted(nil, l.Start(), l.End()); !slices.Equal(got, aborted) {
				t.Fatalf("seed %d, %s: aborted %v, want %v", seed, what, got, aborted)
			}
		}
		for range 80 {
			id := 1 + r.Int64N(3)
			switch k := r.IntN(20); {
			case k < 9:
				n := 1 + r.Int32N(3)
				if _, err := l.AppendVerified(transactional(id, epoch[id], next[id], n), Unverified, 0, 1, lim); err != nil {
					t.Fatalf("seed %d: %v", seed, err)
				}
				next[id] += n
			case k < 11:
				if _, err := l.Append(batch(1, 1), 0, 1, lim); err != nil {
					t.Fatal(err)
				}
			case k < 16:
				bumped := r.IntN(2) == 0
				if bumped {
					epoch[id]++
					next[id] = 0
				}
				if _, err := l.AppendMarker(Marker{Producer: id, Epoch: epoch[id], Commit: r.IntN(2) == 0, Bumped: bumped}, 0, 1, lim); err != nil {
					t.Fatalf("seed %d: %v", seed, err)
				}
			case k < 18:
				l.DropBefore(l.Start() + r.Int64N(hw-l.Start()+1))
			default:
				hw = max(hw, l.Start()) + r.Int64N(l.End()-max(hw, l.Start())+1)
			}
			hw = max(hw, l.Start())
			check("after an append")
		}
		// What is cut off is as if it had never been.
		var bases []int64
		for b := range l.Batches(l.Start()) {
			bases = append(bases, b.BaseOffset())
		}
		for len(bases) > 0 {
			cut := bases[r.IntN(len(bases))]
			bases = bases[:slices.Index(bases, cut)]
			hw = min(hw, cut)
			l.Truncate(max(cut, l.Start()))
			check("after a truncation")
			if l.Start() == 0 {
				fresh := NewLog()
				for b := range l.Batches(0) {
					fresh.AppendReplica(b, 1, lim)
				}
				if a, b := l.Producers(), fresh.Producers(); !reflect.DeepEqual(a, b) {
					t.Fatalf("seed %d: truncated log knows %v, a new one %v", seed, a, b)
				}
			}
		}
	}
}

func TestProducerStaysKnownWhenItsRecordsAreDroppedAndTheLogIsCutBack(t *testing.T) {
	l := NewLog()
	write(t, l, transactional(1, 0, 0, 2))
	end := write(t, l, transactional(1, 0, 2, 2))
	write(t, l, transactional(1, 0, 4, 1))
	l.DropBefore(end)
	l.Truncate(end + 2)
	if got := l.Producers(); len(got) != 1 || got[0].TxnStart != 0 || got[0].LastSequence != 3 {
		t.Fatalf("producers %+v", got)
	}
	if l.Stable(l.End()) != end {
		t.Errorf("last stable offset %d, want the log's start %d", l.Stable(l.End()), end)
	}
	mark(t, l, Marker{Producer: 1})
	if got := l.AppendAborted(nil, end, l.End()); len(got) != 1 || got[0].First != 0 {
		t.Errorf("aborted %v", got)
	}
}

func TestMarkersAreFenced(t *testing.T) {
	for name, test := range map[string]struct {
		m    Marker
		want error
	}{
		"as it should be":             {Marker{Epoch: 5, Coordinator: 3}, nil},
		"newer epochs":                {Marker{Epoch: 6, Coordinator: 4}, nil},
		"older epoch":                 {Marker{Epoch: 4, Coordinator: 3}, ErrProducerEpoch},
		"older coordinator":           {Marker{Epoch: 5, Coordinator: 2}, ErrCoordinatorFenced},
		"same epoch, bumped":          {Marker{Epoch: 5, Coordinator: 3, Bumped: true}, ErrProducerEpoch},
		"newer epoch, bumped":         {Marker{Epoch: 6, Coordinator: 3, Bumped: true}, nil},
		"both older":                  {Marker{Epoch: 4, Coordinator: 2}, ErrProducerEpoch},
		"newer epoch, older coord'or": {Marker{Epoch: 6, Coordinator: 2}, ErrCoordinatorFenced},
	} {
		l := NewLog()
		mark(t, l, Marker{Producer: 1, Epoch: 5, Coordinator: 3})
		write(t, l, transactional(1, 5, 0, 1))
		test.m.Producer = 1
		if _, err := l.AppendMarker(test.m, 0, 1, Limits{}); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", name, err, test.want)
		}
	}
	l := NewLog()
	mark(t, l, Marker{Producer: 1, Epoch: 5})
	mark(t, l, Marker{Producer: 1, Epoch: 5, Bumped: true}) // again, with nothing open
}

func TestNothingIsAppendedToATransactionThatNobodyVerified(t *testing.T) {
	l := NewLog()
	refused := func(b records.Batch, v *Verification, want error) {
		t.Helper()
		if _, err := l.AppendVerified(b, v, 0, 1, Limits{}); !errors.Is(err, want) {
			t.Fatalf("appended, %v; want %v", err, want)
		}
	}
	refused(transactional(1, 0, 0, 1), nil, ErrTxnState)
	v := l.Verify(1, 0, 0, false)
	mark(t, l, Marker{Producer: 1}) // it is aborted meanwhile
	refused(transactional(1, 0, 0, 1), v, ErrTxnState)
	v = l.Verify(1, 0, 0, false)
	if again := l.Verify(1, 0, 1, false); again != v {
		t.Error("two batches of one transaction have two verifications")
	}
	refused(transactional(1, 0, 1, 1), v, ErrOutOfOrderSequence) // the first is still to come
	refused(transactional(1, 0, 0, 1), v, nil)
	if !l.InTransaction(1, 0) || l.InTransaction(1, 1) || l.Verify(1, 0, 1, false) != nil {
		t.Error("the transaction has not begun, or in another epoch")
	}
	refused(transactional(1, 0, 1, 1), nil, nil)
	refused(sequenced(1, 0, 2, 1, 1), nil, ErrTxnState) // outside of its own transaction
	refused(transactional(1, 1, 0, 1), nil, ErrTxnState)
	v = l.Verify(4, 1, 0, true)
	mark(t, l, Marker{Producer: 4, Epoch: 1, Bumped: true}) // of the transaction before
	refused(transactional(4, 1, 0, 1), v, nil)
	v = l.Verify(5, 1, 0, true)
	mark(t, l, Marker{Producer: 5, Epoch: 2, Bumped: true}) // its own
	refused(transactional(5, 1, 0, 1), v, ErrTxnState)
	v = l.Verify(2, 0, 7, true)
	refused(transactional(2, 0, 7, 1), v, ErrOutOfOrderSequence) // begins in the middle
	v = l.Verify(3, 0, 7, false)
	refused(transactional(3, 0, 7, 1), v, nil) // what came before may have been deleted
}

func TestEpochBeginsWithSequenceZeroAfterItsMarker(t *testing.T) {
	l := NewLog()
	write(t, l, transactional(1, 0, 0, 3))
	mark(t, l, Marker{Producer: 1, Epoch: 1, Bumped: true, Commit: true})
	if p := l.Producers()[0]; p.LastSequence != records.NoProducer || p.Epoch != 1 || p.TxnStart != NoOffset {
		t.Errorf("producer %+v", p)
	}
	if _, err := l.AppendVerified(transactional(1, 1, 3, 1), Unverified, 0, 1, Limits{}); !errors.Is(err, ErrOutOfOrderSequence) {
		t.Errorf("sequence 3 in a new epoch: %v", err)
	}
	if _, err := l.AppendVerified(transactional(1, 0, 3, 1), Unverified, 0, 1, Limits{}); !errors.Is(err, ErrProducerEpoch) {
		t.Errorf("old epoch: %v", err)
	}
	write(t, l, transactional(1, 1, 0, 1))
}

func TestProducerWithAnOpenTransactionDoesNotExpire(t *testing.T) {
	l := NewLog()
	write(t, l, transactional(1, 0, 0, 1))
	if _, ok := l.ExpireProducers(math.MaxInt64); ok || len(l.producers) != 1 {
		t.Errorf("%d producers are left, one will expire %v", len(l.producers), ok)
	}
	mark(t, l, Marker{Producer: 1})
	l.ExpireProducers(math.MaxInt64)
	if len(l.producers) != 0 {
		t.Error("the producer stays when its transaction has ended")
	}
}
