package consumer

import (
	"sync/atomic"
	"time"
)

// budget bounds what is in flight (guarantee G8). It never refuses: it says how much may be fetched, and the poll loop waits while that is nothing.
type budget struct {
	maxRecords int64
	maxBytes   int64
	ways       atomic.Int64 // the group's concurrency

	records atomic.Int64
	bytes   atomic.Int64
	wanted  atomic.Int64 // how many records must be free for the poll loop to be woken, 0 while it does not wait
	freed   chan struct{}
}

func newBudget(records int, bytes int64, ways int) *budget {
	b := &budget{maxRecords: int64(records), maxBytes: bytes, freed: make(chan struct{}, 1)}
	b.ways.Store(int64(ways))
	return b
}

func (b *budget) take(records int, bytes int64) {
	b.records.Add(int64(records))
	b.bytes.Add(bytes)
}

func (b *budget) give(records int, bytes int64) {
	b.records.Add(-int64(records))
	b.bytes.Add(-bytes)
	if wanted := b.wanted.Load(); wanted > 0 && b.free() >= wanted {
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
		n = min(n, max(b.few(), left*records/bytes))
	}
	return min(n, max(1, b.maxRecords/4))
}

// few is how many records are fetched at least, whatever their size.
func (b *budget) few() int64 { return max(1, b.maxRecords/64) }

// least is how many records are worth a poll, which costs some microseconds whatever it brings. What is in flight meanwhile keeps the workers busy.
func (b *budget) least() int64 { return max(b.few(), (b.maxRecords-b.ways.Load())/8) }

// How long the poll loop waits for many records to be free, which they are soon where handlers are quick, and then for a few: where others wait for long, it may be
// that no more than one will be for as long.
const (
	lull     = time.Millisecond
	longLull = 20 * time.Millisecond
)

// wait blocks until something may be fetched, or stop is closed or wake receives, which gives 0. Only the poll loop calls it.
func (b *budget) wait(stop, wake <-chan struct{}) int {
	least := b.least()
	if n := b.free(); n >= least {
		return int(n)
	}
	timer := time.NewTimer(lull)
	defer timer.Stop()
	defer b.wanted.Store(0)
	for {
		b.wanted.Store(least)
		if n := b.free(); n >= least {
			return int(n)
		}
		select {
		case <-b.freed:
		case <-timer.C:
			if few := b.few(); least > few {
				least = few
				timer.Reset(longLull)
			} else {
				least = 1
			}
		case <-stop:
			return 0
		case <-wake:
			return 0
		}
	}
}
