package sharegroups

import (
	"cmp"
	"math"
)

// RecordState is the state of a record for a share group, as it is written down.
type RecordState int8

// The states. A record that is acquired is written down as available.
const (
	Available    RecordState = 0
	Acquired     RecordState = 1
	Acknowledged RecordState = 2
	Archived     RecordState = 4 // rejected, delivered too often, or gone
)

// ended says that the record will not be delivered again.
func (s RecordState) ended() bool { return s == Acknowledged || s == Archived }

// StateBatch is the state of neighbouring records. Last is inclusive.
type StateBatch struct {
	First, Last int64
	State       RecordState
	Deliveries  int16
}

// compare orders what two batches say of a record: who delivered it more often knows better.
func (b StateBatch) compare(o StateBatch) int {
	return cmp.Or(cmp.Compare(b.Deliveries, o.Deliveries), cmp.Compare(b.State, o.State))
}

// combine merges batches: of each record what was delivered most often is kept, neighbours that say the same become one, and what is before start goes
// (-1: nothing does). Both lists are in order, and neither overlaps itself.
func combine(known, news []StateBatch, start int64) []StateBatch {
	merged := make([]StateBatch, 0, len(known)+len(news))
	emit := func(b StateBatch, first, last int64) {
		if start != -1 {
			first = max(first, start)
		}
		if first > last {
			return
		}
		if n := len(merged); n > 0 && merged[n-1].Last+1 == first && merged[n-1].compare(b) == 0 {
			merged[n-1].Last = last
			return
		}
		merged = append(merged, StateBatch{first, last, b.State, b.Deliveries})
	}
	at := int64(-1) // what is before it has been looked at
	for len(known) > 0 || len(news) > 0 {
		if len(known) > 0 && known[0].Last < at {
			known = known[1:]
			continue
		}
		if len(news) > 0 && news[0].Last < at {
			news = news[1:]
			continue
		}
		switch {
		case len(news) == 0 || len(known) > 0 && known[0].Last < news[0].First:
			emit(known[0], max(known[0].First, at), known[0].Last)
			known = known[1:]
		case len(known) == 0 || news[0].Last < known[0].First:
			emit(news[0], max(news[0].First, at), news[0].Last)
			news = news[1:]
		default:
			a, b := known[0], news[0]
			a.First, b.First = max(a.First, at), max(b.First, at)
			emit(a, a.First, min(a.Last, b.First-1))
			emit(b, b.First, min(b.Last, a.First-1))
			winner := b
			if b.compare(a) < 0 {
				winner = a
			}
			last := min(a.Last, b.Last)
			emit(winner, max(a.First, b.First), last)
			at = last + 1
		}
	}
	return merged
}

// ordered says whether batches are in order, do not overlap, and name offsets that a log can have.
func ordered(list []StateBatch) bool {
	before := int64(-1)
	for _, b := range list {
		if b.First <= before || b.Last < b.First || b.Last == math.MaxInt64 {
			return false
		}
		before = b.Last
	}
	return true
}
