package storage

import (
	"errors"
	"fmt"
	"math"

	"github.com/sordini-go/sordini/broker/internal/records"
)

// Errors of an idempotent producer's batch, to be matched with errors.Is. Each is one of Kafka's codes.
var (
	// ErrOutOfOrderSequence is OUT_OF_ORDER_SEQUENCE_NUMBER: a batch is missing before this one, or it is older than the window.
	ErrOutOfOrderSequence = errors.New("out of order sequence")
	// ErrProducerEpoch is INVALID_PRODUCER_EPOCH: a newer instance of the producer has written.
	ErrProducerEpoch = errors.New("old producer epoch")
	// ErrTxnState is INVALID_TXN_STATE: a transactional batch of which the transaction's coordinator does not know, or a batch outside of the
	// transaction that its producer has open.
	ErrTxnState = errors.New("invalid transaction state")
	// ErrCoordinatorFenced is TRANSACTION_COORDINATOR_FENCED: a newer coordinator has written a marker.
	ErrCoordinatorFenced = errors.New("old coordinator epoch")
)

// window is how many batches of a producer a broker remembers, and so how many may be in flight (KIP-98).
const window = 5

// producer is what one partition knows of one idempotent producer.
type producer struct {
	epoch       int16
	batches     [window]appended // a ring; the newest stands at (first+n-1)%window
	first, n    int
	lastTime    int64 // milliseconds; for expiry
	lastStamp   int64 // milliseconds; of the last batch as its client stamped it, or of the last marker
	txn         int64 // the first offset of the open transaction, NoOffset for none
	coordinator int32 // the epoch of the coordinator that wrote the last marker, NoEpoch for none
}

func newProducer(epoch int16) *producer {
	return &producer{epoch: epoch, txn: NoOffset, coordinator: NoEpoch}
}

// appended is one remembered batch.
type appended struct {
	firstSeq, lastSeq int32
	base              int64
	time              int64 // the batch's largest timestamp
}

func (p *producer) newest() *appended { return &p.batches[(p.first+p.n-1)%window] }

// duplicate returns the batch that has been appended with these sequence numbers.
func (p *producer) duplicate(b records.Batch) *appended {
	if p.epoch != b.ProducerEpoch() {
		return nil
	}
	for i := range p.n {
		a := &p.batches[(p.first+i)%window]
		if a.firstSeq == b.BaseSequence() && a.lastSeq == b.LastSequence() {
			return a
		}
	}
	return nil
}

// check says whether the batch may be appended next. A producer that is not known may begin at any number: its state may have been lost to
// retention or DeleteRecords. g is what its transaction was verified with, nil for none.
func (p *producer) check(b records.Batch, g *Verification) error {
	epoch, seq := b.ProducerEpoch(), b.BaseSequence()
	if p != nil && epoch < p.epoch {
		return fmt.Errorf("producer id %d: epoch %d, current is %d: %w", b.ProducerID(), epoch, p.epoch, ErrProducerEpoch)
	}
	switch {
	case g != nil && g.begins && seq != 0 && (p == nil || p.n == 0):
		return fmt.Errorf("producer id %d: sequence %d to begin with, must be 0: %w", b.ProducerID(), seq, ErrOutOfOrderSequence)
	case g != nil && seq > g.lowest:
		return fmt.Errorf("producer id %d: sequence %d, while %d is still to come: %w", b.ProducerID(), seq, g.lowest, ErrOutOfOrderSequence)
	case p == nil:
		return nil
	case epoch > p.epoch:
		if seq != 0 {
			return fmt.Errorf("producer id %d: sequence %d with the new epoch %d, must be 0: %w", b.ProducerID(), seq, epoch, ErrOutOfOrderSequence)
		}
	default:
		next := int32(0) // after a marker with a new epoch nothing has been written in that
		if p.n > 0 {
			next = nextSequence(p.newest().lastSeq)
		}
		if seq != next {
			return fmt.Errorf("producer id %d: sequence %d, expected %d: %w", b.ProducerID(), seq, next, ErrOutOfOrderSequence)
		}
	}
	if p.txn != NoOffset && !b.Transactional() {
		return fmt.Errorf("producer id %d: a batch outside of the transaction that began at offset %d: %w", b.ProducerID(), p.txn, ErrTxnState)
	}
	return nil
}

// remember notes an appended batch.
func (p *producer) remember(b records.Batch, now int64) {
	p.begin(b.ProducerEpoch())
	if p.n == window {
		p.first = (p.first + 1) % window
		p.n--
	}
	p.n++
	*p.newest() = appended{firstSeq: b.BaseSequence(), lastSeq: b.LastSequence(), base: b.BaseOffset(), time: b.MaxTimestamp()}
	p.lastTime, p.lastStamp = now, b.MaxTimestamp()
}

// begin forgets the batches of another epoch.
func (p *producer) begin(epoch int16) {
	if epoch != p.epoch {
		p.epoch, p.first, p.n = epoch, 0, 0
	}
}

func nextSequence(s int32) int32 {
	if s == math.MaxInt32 {
		return 0
	}
	return s + 1
}
