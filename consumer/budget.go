package consumer

import "sync/atomic"

// budget bounds what is in flight (guarantee G8). It never refuses: it says how much may be fetched, and the poll loop waits while that is nothing.
type budget struct {
	maxRecords int64
	maxBytes   int64
	least      int64 // what must be free again before the poll loop goes on after it had to wait, so that it does not fetch record by record

	records atomic.Int64
	bytes   atomic.Int64
	waiting atomic.Bool
	freed   chan struct{}
}

func newBudget(records int, bytes int64) *budget {
	return &budget{
		maxRecords: int64(records), maxBytes: bytes, least: max(1, int64(records)/64), freed: make(chan struct{}, 1),
	}
}

func (b *budget) take(records int, bytes int64) {
	b.records.Add(int64(records))
	b.bytes.Add(bytes)
}

func (b *budget) give(records int, bytes int64) {
	b.records.Add(-int64(records))
	b.bytes.Add(-bytes)
	if b.waiting.Load() && b.free() >= b.least {
		select {
		case b.freed <- struct{}{}:
		default:
		}
	}
}

// free is how many records may be fetched, never more than a quarter of the bound at once, so that one partition does not take it all. Where bytes are scarcer
// it goes by the mean size of what is in flight.
func (b *budget) free() int64 {
	records, bytes := b.records.Load(), b.bytes.Load()
	n := b.maxRecords - records
	left := b.maxBytes - bytes
	if n <= 0 || left <= 0 {
		return 0
	}
	if records > 0 && bytes > 0 {
		n = min(n, max(b.least, left*records/bytes))
	}
	return min(n, max(b.least, b.maxRecords/4))
}

// wait blocks until something may be fetched, or stop is closed or wake receives, which gives 0; once nothing may, it waits for more than a record. Only the poll loop calls it.
func (b *budget) wait(stop, wake <-chan struct{}) int {
	if n := b.free(); n > 0 {
		return int(n)
	}
	b.waiting.Store(true)
	defer b.waiting.Store(false)
	for {
		if n := b.free(); n >= b.least {
			return int(n)
		}
		select {
		case <-b.freed:
		case <-stop:
			return 0
		case <-wake:
			return 0
		}
	}
}
