package storage

import "time"

// Retain drops the oldest segments that are too old, or that the log is too large by, as Kafka does: whole segments, the active one too when even its
// newest record is too old. A negative limit is none. It returns how many bytes went.
func (l *Log) Retain(now time.Time, age time.Duration, size int64) (dropped int64) {
	before := l.Bytes()
	gone := 0 // how many segments go
	if age >= 0 {
		oldest := now.Add(-age).UnixMilli()
		for gone < len(l.segments) && len(l.segments[gone].batches) > 0 && l.segments[gone].maxTime < oldest {
			gone++
		}
	}
	if size >= 0 {
		excess := before - size
		for i, s := range l.segments {
			if excess -= s.bytes; excess < 0 || len(s.batches) == 0 {
				break
			}
			gone = max(gone, i+1)
		}
	}
	if gone == 0 {
		return 0
	}
	start := l.end
	if gone < len(l.segments) {
		start = l.segments[gone].base
	}
	l.DropBefore(start)
	return before - l.Bytes()
}

// OldestSegment returns the largest timestamp of the oldest segment; false when the log is empty.
func (l *Log) OldestSegment() (ms int64, ok bool) {
	s := l.segments[0]
	return s.maxTime, len(s.batches) > 0
}

// ExpireProducers forgets the producers that have written nothing since a moment, in milliseconds. It returns when the one that has been silent for
// longest has written; false when none is left.
func (l *Log) ExpireProducers(since int64) (oldest int64, ok bool) {
	for id, p := range l.producers {
		if p.txn != NoOffset {
			continue // its transaction has to end first
		}
		if p.lastTime < since {
			delete(l.producers, id)
			delete(l.before, id)
			continue
		}
		if !ok || p.lastTime < oldest {
			oldest, ok = p.lastTime, true
		}
	}
	return oldest, ok
}
