package storage

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"sort"

	"github.com/sordini-go/sordini/broker/internal/records"
)

// Aborted is an aborted transaction: the producer's transactional records from First to the marker at Last are to be left out by whoever reads
// committed records only.
type Aborted struct {
	Producer    int64
	First, Last int64

	stable int64 // the last stable offset once it was aborted; for the transaction index alone
}

// transactions is what a log knows of the transactions in it.
type transactions struct {
	open    []openTxn // by their first offset
	ended   []Aborted // by their last offset, committed ones too: those whose markers lie at the high watermark or beyond it
	aborted []Aborted // by their last offset

	verifying map[int64]*Verification // by producer id: transactions of which nothing has been appended yet
}

// openTxn is a transaction without a marker.
type openTxn struct {
	first    int64
	producer int64
}

func (t *transactions) begin(o openTxn) {
	i := sort.Search(len(t.open), func(i int) bool { return t.open[i].first > o.first })
	t.open = slices.Insert(t.open, i, o)
}

func (t *transactions) end(a Aborted, commit bool) {
	t.open = slices.DeleteFunc(t.open, func(o openTxn) bool { return o.producer == a.Producer })
	a.stable = a.Last + 1
	if len(t.open) > 0 {
		a.stable = t.open[0].first
	}
	t.ended = append(t.ended, a)
	if !commit {
		t.aborted = append(t.aborted, a)
	}
}

// trimStart forgets the aborted transactions that ended before offset.
func (t *transactions) trimStart(offset int64) {
	i := sort.Search(len(t.aborted), func(i int) bool { return t.aborted[i].Last >= offset })
	t.aborted = slices.Delete(t.aborted, 0, i)
}

// Stable returns the last stable offset: before it every transaction has ended, and nothing lies at the high watermark or beyond it. High watermarks
// do not go back, except where the log is truncated.
func (l *Log) Stable(highWatermark int64) int64 {
	t := &l.txns
	i := sort.Search(len(t.ended), func(i int) bool { return t.ended[i].Last >= highWatermark })
	t.ended = slices.Delete(t.ended, 0, i)
	stable := highWatermark
	if len(t.open) > 0 {
		stable = min(stable, t.open[0].first)
	}
	for _, e := range t.ended {
		stable = min(stable, e.First)
	}
	return max(stable, min(l.start, highWatermark))
}

// AppendAborted appends to dst the aborted transactions that have records from offset from up to, not including, to.
func (l *Log) AppendAborted(dst []Aborted, from, to int64) []Aborted {
	all := l.txns.aborted
	for _, a := range all[sort.Search(len(all), func(i int) bool { return all[i].Last >= from }):] {
		if a.First < to {
			dst = append(dst, Aborted{Producer: a.Producer, First: a.First, Last: a.Last})
		}
	}
	return dst
}

// Verification stands for a transaction of which a batch is about to be appended, from before its coordinator is asked until the batch is appended. A
// marker that is written in between ends it, so that no batch comes after the end of its transaction (KIP-890).
type Verification struct {
	epoch  int16
	begins bool  // the transaction begins with this batch, rather than having been announced
	lowest int32 // the lowest sequence number that was tried
}

// Verify begins the verification of a producer's batch. It returns nil where none is needed, because the producer's transaction has begun in this
// log. begins says that the coordinator adds the partition to the transaction because of this batch (transaction.version 2).
func (l *Log) Verify(producer int64, epoch int16, sequence int32, begins bool) *Verification {
	if l.InTransaction(producer, epoch) {
		return nil
	}
	v := l.txns.verifying[producer]
	if v == nil || v.epoch != epoch {
		v = &Verification{epoch: epoch, lowest: math.MaxInt32}
		if l.txns.verifying == nil {
			l.txns.verifying = make(map[int64]*Verification)
		}
		l.txns.verifying[producer] = v
	}
	v.begins, v.lowest = begins, min(v.lowest, sequence)
	return v
}

// Fences says whether the log knows the producer in a newer epoch.
func (l *Log) Fences(producer int64, epoch int16) bool {
	p := l.producers[producer]
	return p != nil && p.epoch > epoch
}

// survives says whether a marker is of another transaction: the one before, whose marker has the epoch that the next begins with where each
// transaction has an epoch of its own.
func (v *Verification) survives(b records.Batch) bool {
	return v != nil && b.Control() && v.begins && v.epoch >= b.ProducerEpoch()
}

// Unverified lets batches of transactions be appended that nobody has asked their coordinator about (transaction.partition.verification.enable=false).
var Unverified = &Verification{lowest: math.MaxInt32}

func (l *Log) verified(producer int64, v *Verification) bool {
	return v != nil && (v == Unverified || l.txns.verifying[producer] == v)
}

// InTransaction says whether the producer has a transaction open in this log, in this epoch.
func (l *Log) InTransaction(producer int64, epoch int16) bool {
	p := l.producers[producer]
	return p != nil && p.txn != NoOffset && p.epoch == epoch
}

// Marker ends a producer's transaction in one partition.
type Marker struct {
	Producer    int64
	Epoch       int16
	Coordinator int32 // its epoch
	Commit      bool
	// Bumped says that the producer's epoch grows with each transaction (transaction.version 2), so that a marker in the epoch of the records is a
	// stale one.
	Bumped bool
}

// AppendMarker appends a control batch. It fails with [ErrProducerEpoch] and [ErrCoordinatorFenced].
func (l *Log) AppendMarker(m Marker, epoch int32, now int64, lim Limits) (Appended, error) {
	if p := l.producers[m.Producer]; p != nil {
		again := p.txn == NoOffset || m.Epoch == math.MaxInt16
		if m.Epoch < p.epoch || m.Bumped && m.Epoch == p.epoch && !again {
			return Appended{}, fmt.Errorf("marker of producer id %d: epoch %d, current is %d: %w", m.Producer, m.Epoch, p.epoch, ErrProducerEpoch)
		}
		if m.Coordinator < p.coordinator {
			return Appended{}, fmt.Errorf("marker of producer id %d: coordinator epoch %d, current is %d: %w", m.Producer, m.Coordinator, p.coordinator,
				ErrCoordinatorFenced)
		}
	}
	lim.AppendTime = false
	return l.append(records.NewMarker(m.Producer, m.Epoch, records.Marker{Coordinator: m.Coordinator, Commit: m.Commit}, now), epoch, now, lim)
}

// Producer is what a log knows of an idempotent or transactional producer.
type Producer struct {
	ID           int64
	Epoch        int16
	LastSequence int32 // records.NoProducer: nothing has been written in this epoch
	LastTime     int64 // milliseconds
	Coordinator  int32 // the epoch of the coordinator that wrote the last marker, NoEpoch for none
	TxnStart     int64 // NoOffset: no transaction is open
}

// Producers lists the producers that the log knows, by their ids.
func (l *Log) Producers() []Producer {
	out := make([]Producer, 0, len(l.producers))
	for id, p := range l.producers {
		d := Producer{ID: id, Epoch: p.epoch, LastSequence: records.NoProducer, LastTime: p.lastStamp, Coordinator: p.coordinator, TxnStart: p.txn}
		if p.n > 0 {
			d.LastSequence = p.newest().lastSeq
		}
		out = append(out, d)
	}
	slices.SortFunc(out, func(a, b Producer) int { return cmp.Compare(a.ID, b.ID) })
	return out
}
