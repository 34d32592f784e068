package consumer

import "github.com/sordini-go/sordini"

// Message is one record as a handler sees it, in one attempt. It belongs to that attempt: a handler that keeps it copies what it needs.
type Message[T any] struct {
	Value   T               // decoded; the zero T for a tombstone
	Record  *sordini.Record // raw; read only, its bytes are what a dead letter would hold
	Attempt int             // 1 for the first
	Fence   int64           // grows with every ownership of the partition: a store can refuse a write with an older one (guarantee G3)
}

// Tombstone reports whether the record deletes its key: its value is null and Value is the zero T.
func (m *Message[T]) Tombstone() bool { return m.Record.Tombstone() }
