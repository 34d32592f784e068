package registry

import (
	"errors"
	"sync"
	"time"
)

// Record is one record of a registry's log, with the keys and values of Confluent's: JSON. A nil value deletes what the key stands for.
type Record struct {
	Key, Value []byte
	Time       time.Time
}

// ErrMoved says that a log does not end where the writer thought, so another writer was faster.
var ErrMoved = errors.New("the log has been written to in between")

// ErrRecreated says that a log is another one than that which was read until now.
var ErrRecreated = errors.New("the log has been recreated")

// Log is where a registry keeps its state. It must be safe for concurrent use, and must not wait for anything but itself.
type Log interface {
	// Append adds records together, with the time of now, if the log ends at offset at, and else fails with [ErrMoved].
	Append(at int64, records []Record) error
	// Read returns the records from an offset on, and the log's end. It fails with [ErrRecreated] when the offset is of a log that is there no more; the
	// registry then begins again.
	Read(from int64) (records []Record, end int64, err error)
}

// MemoryLog is a log that is gone when nobody holds it any more. Its zero value is empty.
type MemoryLog struct {
	mu      sync.Mutex // guards records
	records []Record
}

// Append implements [Log].
func (l *MemoryLog) Append(at int64, records []Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if at != int64(len(l.records)) {
		return ErrMoved
	}
	for _, rec := range records {
		rec.Time = time.Now()
		l.records = append(l.records, rec)
	}
	return nil
}

// Read implements [Log].
func (l *MemoryLog) Read(from int64) ([]Record, int64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	end := int64(len(l.records))
	if from < 0 || from > end {
		return nil, end, ErrRecreated
	}
	return l.records[from:end:end], end, nil
}
