package storage

import "github.com/sordini-go/sordini/broker/internal/records"

// Position is a record found by its timestamp; Offset is NoOffset where there is none.
type Position struct {
	Offset    int64
	Timestamp int64
	Epoch     int32
}

var nowhere = Position{Offset: NoOffset, Timestamp: -1, Epoch: NoEpoch}

// ByTime finds the first record, below limit, whose timestamp is at least ms. Like Kafka it looks only into the first segment that holds such a
// timestamp, whether or not the record has been deleted since; markers count as records. An error means that a batch does not decompress.
func (l *Log) ByTime(ms, limit int64) (Position, error) {
	for _, s := range l.segments {
		if s.bytes == 0 || s.largest() < ms {
			continue
		}
		for _, b := range s.batches {
			if b.BaseOffset() >= limit {
				break
			}
			if b.MaxTimestamp() < ms || b.LastOffset() < l.start {
				continue
			}
			for r, err := range b.Records() {
				if err != nil {
					return nowhere, err
				}
				if r.Timestamp >= ms && r.Offset >= l.start && r.Offset < limit {
					return Position{r.Offset, r.Timestamp, b.LeaderEpoch()}, nil
				}
			}
		}
		break
	}
	return nowhere, nil
}

// MaxTime finds the first record that has the largest timestamp, nowhere where it does not lie below limit. Like Kafka it finds a record that has been
// deleted for as long as its segment is there.
func (l *Log) MaxTime(limit int64) (Position, error) {
	var newest *segment
	for _, s := range l.segments {
		if s.bytes > 0 && (newest == nil || s.maxTime > newest.maxTime) {
			newest = s
		}
	}
	if newest == nil {
		return nowhere, nil
	}
	pos, err := newest.newest()
	if err != nil || pos.Offset >= limit {
		return nowhere, err
	}
	return pos, nil
}

// newest finds the first record of the segment with its largest timestamp.
func (s *segment) newest() (Position, error) {
	if s.gone.Offset != NoOffset && s.gone.Timestamp == s.maxTime {
		return s.gone, nil
	}
	return newestOf(s.batches, s.maxTime)
}

// newestOf finds the first record with the timestamp ms, which is the largest.
func newestOf(batches []records.Batch, ms int64) (Position, error) {
	for _, b := range batches {
		if b.MaxTimestamp() != ms {
			continue
		}
		for r, err := range b.Records() {
			if err != nil {
				return nowhere, err
			}
			if r.Timestamp == ms {
				return Position{r.Offset, r.Timestamp, b.LeaderEpoch()}, nil
			}
		}
	}
	return nowhere, nil
}

// letGo forgets the first n batches, which lie before the log's start, but for where the record with the largest timestamp was.
func (s *segment) letGo(n int) {
	if s.gone.Offset == NoOffset {
		if pos, err := newestOf(s.batches[:n], s.maxTime); err == nil {
			s.gone = pos
		}
	}
	clear(s.batches[:n])
	if s.batches = s.batches[n:]; len(s.batches) == 0 {
		s.batches = nil
	}
}
