package storage

import "time"

// Retain drops the oldest segments that are too old, or that the log is too large by, as Kafka does: whole segments, the active one too when even its
// newest record is too old, and nothing that lies at the high watermark or beyond it. A negative limit is none. It returns how many bytes went.
func (l *Log) Retain(now time.Time, age time.Duration, size, highWatermark int64) (dropped int64) {
	before := l.Bytes()
	below := 0 // how many segments lie below the high watermark
	for below < len(l.segments) && l.segments[below].bytes > 0 && l.segmentEnd(below) <= highWatermark {
		below++
	}
	gone := 0 // how many segments go
	if age >= 0 {
		oldest := now.Add(-age).UnixMilli()
		for gone < below && l.segments[gone].largest() < oldest {
			gone++
		}
	}
	if size >= 0 {
		excess := before - size
		for i, s := range l.segments[:below] {
			if excess -= s.bytes; excess < 0 {
				break
			}
			gone = max(gone, i+1)
		}
	}
	switch gone {
	case 0:
		return 0
	case len(l.segments):
		if _, err := l.roll(); err != nil {
			return 0 // there will be another time
		}
	}
	l.drop(max(l.start, l.segments[gone].base))
	return before - l.Bytes()
}

// segmentEnd is the offset after a segment's last.
func (l *Log) segmentEnd(i int) int64 {
	if i+1 < len(l.segments) {
		return l.segments[i+1].base
	}
	return l.end
}

// OldestSegment returns what the age of the oldest segment is counted from; false when the log is empty.
func (l *Log) OldestSegment() (ms int64, ok bool) {
	s := l.segments[0]
	return s.largest(), s.bytes > 0
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
