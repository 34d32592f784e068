package storage

import (
	"github.com/sordini-go/sordini/broker/internal/records"
)

// learn notes what a batch that has its offset says of its producer and its transaction. It is all that the state of producers and transactions is
// made of, so that a log which is read again from its batches knows what it knew.
func (l *Log) learn(b records.Batch, now int64) {
	id := b.ProducerID()
	if id == records.NoProducer {
		return
	}
	p := l.producers[id]
	if p == nil {
		p = newProducer(b.ProducerEpoch())
		l.producers[id] = p
	}
	if !l.txns.verifying[id].survives(b) {
		delete(l.txns.verifying, id)
	}
	first, commit := p.apply(b, now)
	switch {
	case first == NoOffset:
	case b.Control():
		l.txns.end(Aborted{Producer: id, First: first, Last: b.BaseOffset()}, commit)
	default:
		l.txns.begin(openTxn{first: first, producer: id})
	}
}

// apply notes a batch. It returns the first offset of the transaction that the batch begins or, as a marker, ends; NoOffset where it does neither.
func (p *producer) apply(b records.Batch, now int64) (first int64, commit bool) {
	if !b.Control() {
		p.remember(b, now)
		if !b.Transactional() || p.txn != NoOffset {
			return NoOffset, false
		}
		p.txn = b.BaseOffset()
		return p.txn, false
	}
	m, ok := b.Marker()
	if !ok {
		return NoOffset, false
	}
	first, p.txn = p.txn, NoOffset
	p.begin(b.ProducerEpoch())
	p.coordinator, p.lastTime, p.lastStamp = m.Coordinator, now, b.MaxTimestamp()
	return first, m.Commit
}

// settle moves what the batches that lie before the log's start have said of their producers to the state that the log begins with.
func (l *Log) settle() {
	for b := range l.from(0) {
		if b.LastOffset() >= l.start {
			break
		}
		id := b.ProducerID()
		p := l.producers[id]
		if p == nil { // not idempotent, or expired
			continue
		}
		old := l.before[id]
		if old == nil {
			old = newProducer(b.ProducerEpoch())
			l.before[id] = old
		}
		old.apply(b, p.lastTime)
	}
	l.txns.trimStart(l.start)
}

// relearn makes the state of producers and transactions anew from the batches that are held.
func (l *Log) relearn() {
	known := l.producers
	l.producers = make(map[int64]*producer, len(known))
	l.txns = transactions{}
	l.begin()
	for b := range l.from(l.start) {
		if p := known[b.ProducerID()]; p != nil { // else it has expired
			l.learn(b, p.lastTime)
		}
	}
}
