package sordini

import (
	"time"

	"github.com/sordini-go/sordini/serde"
)

// Headers are a record's headers: ordered, duplicates kept.
type Headers = serde.Headers

// Header is one record header.
type Header = serde.Header

// Record is a record as it is on the log. Key, Value and Headers may share memory with a fetch buffer: read them, keep copies.
type Record struct {
	Topic       string
	Partition   int32 // of a record that is being sent: the one that was chosen (producer.Partition), or -1
	LeaderEpoch int32 // -1 where it is not known
	Offset      int64 // -1 where it is not on the log yet
	Timestamp   time.Time
	Key         []byte // nil is the null key
	Value       []byte // nil is a tombstone
	Headers     Headers
}

// Tombstone reports whether the record deletes its key (its value is null).
func (r *Record) Tombstone() bool { return r.Value == nil }
