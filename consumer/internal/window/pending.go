package window

import "github.com/sordini-go/sordini/consumer/internal/commitmeta"

// Pend says that the record of slot ends with a transaction that is about to be committed, or with on false that the transaction was not. The record stays in
// flight: Complete ends it once the commit is acknowledged. A slot that is not in flight changes nothing.
func (w *Window) Pend(slot Slot, on bool) {
	if !w.Has(slot) {
		return
	}
	e := w.slab.at(slot.index)
	if e.pending == on {
		return
	}
	if e.pending = on; on {
		w.pending++
	} else {
		w.pending--
	}
}

// Pending is the number of records in flight that end with a transaction.
func (w *Window) Pending() int { return w.pending }

// Ahead is what Mark and Completed will be once everything that is pending has ended: what the transaction commits. It takes time in proportion to what is in
// flight.
func (w *Window) Ahead() (offset int64, leaderEpoch int32, completed commitmeta.Completed) {
	if w.pending == 0 {
		offset, leaderEpoch = w.Mark()
		return offset, leaderEpoch, w.Completed()
	}
	b := w.slab.at(bounds)
	first := b.next
	for first != bounds && w.slab.at(first).pending {
		first = w.slab.at(first).next
	}
	if first == bounds {
		offset, leaderEpoch = w.next, w.epoch
	} else {
		offset, leaderEpoch = w.slab.at(first).offset, w.slab.at(first).epoch
	}
	var runs []commitmeta.Range
	if first != bounds {
		before, gap := offset, false
		for i := w.slab.at(first).next; i != bounds; {
			e := w.slab.at(i)
			if gap = gap || e.ended; !e.pending {
				if gap {
					runs = append(runs, commitmeta.Range{From: before + 1, To: e.offset})
				}
				before, gap = e.offset, false
			} else {
				gap = true
			}
			i = e.next
		}
		if gap || b.ended {
			runs = append(runs, commitmeta.Range{From: before + 1, To: w.next})
		}
	}
	if len(runs) == 0 && w.ahead.Runs() == 0 {
		return offset, leaderEpoch, commitmeta.Completed{}
	}
	epoch := max(w.epoch, w.aheadEpoch)
	if w.ahead.Runs() > 0 && w.aheadEpoch < 0 {
		epoch = -1
	}
	return offset, leaderEpoch, commitmeta.NewCompleted(epoch, w.ahead.Rest(runs, w.next)...)
}
