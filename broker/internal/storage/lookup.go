package storage

import "github.com/sordini-go/sordini/broker/internal/records"

// Position is a record found by its timestamp; Offset is NoOffset where there is none.
type Position struct {
	Offset    int64
	Timestamp int64
	Epoch     int32
}

var nowhere = Position{Offset: NoOffset, Timestamp: -1, Epoch: NoEpoch}

// ByTime finds the first record, below limit, whose timestamp is at least ms. An error means that a batch does not decompress.
func (l *Log) ByTime(ms, limit int64) (Position, error) {
	for b := range l.from(l.start) {
		if b.BaseOffset() >= limit {
			break
		}
		if b.MaxTimestamp() < ms {
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
	return nowhere, nil
}

// MaxTime finds the first record, below limit, that has the largest timestamp.
func (l *Log) MaxTime(limit int64) (Position, error) {
	var best records.Batch
	for b := range l.from(l.start) {
		if b.BaseOffset() >= limit {
			break
		}
		if best == nil || b.MaxTimestamp() > best.MaxTimestamp() {
			best = b
		}
	}
	if best == nil {
		return nowhere, nil
	}
	pos := nowhere
	for r, err := range best.Records() {
		if err != nil {
			return nowhere, err
		}
		if r.Offset >= l.start && r.Timestamp > pos.Timestamp {
			pos = Position{r.Offset, r.Timestamp, best.LeaderEpoch()}
		}
	}
	return pos, nil
}
