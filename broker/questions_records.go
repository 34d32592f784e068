package broker

import (
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"github.com/sordini-go/sordini/broker/internal/records"
	"github.com/sordini-go/sordini/broker/internal/storage"
)

// Header is one header of a [Record].
type Header struct {
	Key   string
	Value []byte
}

// Record is a record that a partition's leader holds. A null key or value is nil.
type Record struct {
	Partition   int32
	Offset      int64
	Key         []byte
	Value       []byte
	Headers     []Header
	Timestamp   time.Time
	LeaderEpoch int32 // of the leader that appended it
	// ProducerID and ProducerEpoch are those of an idempotent producer; both are -1 of any other's record.
	ProducerID    int64
	ProducerEpoch int16
	// Txn says what has become of the transaction that the record belongs to.
	Txn TxnOutcome
	// Marker says that the record is none of a producer's but the broker's own, which ends a transaction as Txn says. Only [Cluster.LogRecords] has these.
	Marker bool
}

// TxnOutcome says what has become of a transaction.
type TxnOutcome string

// The outcomes. A record without a transaction has NoTxn.
const (
	NoTxn        TxnOutcome = ""
	TxnOpen      TxnOutcome = "open"
	TxnCommitted TxnOutcome = "committed"
	TxnAborted   TxnOutcome = "aborted"
)

// Records returns the records that a partition holds, oldest first, decompressed: what a consumer with isolation read_uncommitted would get, and besides
// what the in-sync replicas do not all have yet. It fails with [ErrUnknownPartition], and when a batch cannot be decompressed.
func (c *Cluster) Records(topic string, partition int32) ([]Record, error) {
	all, _, err := c.logRecords(topic, partition)
	return slices.DeleteFunc(all, func(r Record) bool { return r.Marker }), err
}

// CommittedRecords is Records as a consumer with isolation read_committed gets them: without what belongs to an aborted transaction, and up to the first
// record of an open one or one that the in-sync replicas do not all have.
func (c *Cluster) CommittedRecords(topic string, partition int32) ([]Record, error) {
	all, stable, err := c.logRecords(topic, partition)
	return slices.DeleteFunc(all, func(r Record) bool { return r.Marker || r.Txn == TxnAborted || r.Offset >= stable }), err
}

// LogRecords is Records with the markers that end transactions.
func (c *Cluster) LogRecords(topic string, partition int32) ([]Record, error) {
	all, _, err := c.logRecords(topic, partition)
	return all, err
}

// logRecords returns what the leader's log holds, and the last stable offset.
func (c *Cluster) logRecords(topic string, partition int32) ([]Record, int64, error) {
	p := c.partition(topic, partition)
	if p == nil {
		return nil, 0, fmt.Errorf("records of %s[%d]: %w", topic, partition, ErrUnknownPartition)
	}
	p.mu.Lock()
	start, stable := p.log.Start(), p.lastStableLocked()
	batches := slices.Collect(p.log.Batches(start))
	txns := outcomes{aborted: p.log.AppendAborted(nil, start, p.log.End()), open: make(map[int64]int64)}
	for _, known := range p.log.Producers() {
		if known.TxnStart != storage.NoOffset {
			txns.open[known.ID] = known.TxnStart
		}
	}
	p.mu.Unlock()
	var out []Record
	for _, b := range batches {
		for r, err := range b.Records() {
			if err != nil {
				return out, stable, fmt.Errorf("records of %s[%d]: %w", topic, partition, err)
			}
			if r.Offset < start {
				continue
			}
			rec := Record{
				Partition: partition, Offset: r.Offset, Key: r.Key, Value: r.Value, Timestamp: time.UnixMilli(r.Timestamp), LeaderEpoch: b.LeaderEpoch(),
				ProducerID: b.ProducerID(), ProducerEpoch: b.ProducerEpoch(), Marker: b.Control(), Txn: txns.of(b, r),
			}
			for _, h := range r.Headers() {
				rec.Headers = append(rec.Headers, Header{Key: h.Key, Value: h.Value})
			}
			out = append(out, rec)
		}
	}
	return out, stable, nil
}

// outcomes is what a log knows of its transactions.
type outcomes struct {
	aborted []storage.Aborted
	open    map[int64]int64 // the first offset, by producer
}

func (o outcomes) of(b records.Batch, r records.Record) TxnOutcome {
	if b.Control() {
		const commit = 1 // the second number of a marker's key is its type
		if len(r.Key) >= 4 && binary.BigEndian.Uint16(r.Key[2:]) == commit {
			return TxnCommitted
		}
		return TxnAborted
	}
	if !b.Transactional() {
		return NoTxn
	}
	if first, open := o.open[b.ProducerID()]; open && r.Offset >= first {
		return TxnOpen
	}
	for _, a := range o.aborted {
		if a.Producer == b.ProducerID() && a.First <= r.Offset && r.Offset <= a.Last {
			return TxnAborted
		}
	}
	return TxnCommitted
}
