package inbox

import (
	"slices"

	"github.com/sordini-go/sordini/consumer/internal/commitmeta"
)

// offsets says which offsets of the inbox are over: all below the mark, and the ranges beyond it. Memory and time follow the number of ranges, which the room
// in a commit's metadata bounds, and not what waits.
type offsets struct {
	mark  int64 // everything below is over
	next  int64 // everything below was read
	done  []commitmeta.Range
	epoch int32 // the highest that was read, -1 while unknown
}

// end says that offset is over.
func (o *offsets) end(from, to int64) {
	if from = max(from, o.mark); from >= to {
		return
	}
	i, _ := slices.BinarySearchFunc(o.done, from, func(r commitmeta.Range, from int64) int {
		if r.To < from {
			return -1
		}
		return 1
	})
	j := i // ranges i to j-1 overlap or touch
	for j < len(o.done) && o.done[j].From <= to {
		from, to = min(from, o.done[j].From), max(to, o.done[j].To)
		j++
	}
	if from <= o.mark {
		o.mark = to
		o.done = slices.Delete(o.done, i, j)
		return
	}
	if i == j {
		o.done = slices.Insert(o.done, i, commitmeta.Range{From: from, To: to})
		return
	}
	o.done[i] = commitmeta.Range{From: from, To: to}
	o.done = slices.Delete(o.done, i+1, j)
}

// Mark is what may be committed: the first offset that is not over.
func (ix *Index) Mark() int64 { return ix.mark }

// Pend says that the copy of an entry is over with a transaction that is about to be committed, or with on false that the transaction was not. End and Handed make it
// so once the commit is acknowledged.
func (ix *Index) Pend(id ID, on bool) {
	switch {
	case !on:
		delete(ix.pending, id)
	case ix.slab.at(id).offset >= 0:
		if ix.pending == nil {
			ix.pending = map[ID]struct{}{}
		}
		ix.pending[id] = struct{}{}
	}
}

// Pending is how many copies are over with a transaction.
func (ix *Index) Pending() int { return len(ix.pending) }

// Ahead is what Mark and Completed will be once everything that is pending is over: what the transaction commits.
func (ix *Index) Ahead() (mark int64, completed commitmeta.Completed) {
	if len(ix.pending) == 0 {
		return ix.mark, ix.Completed()
	}
	now := ix.offsets
	ix.done = slices.Clone(ix.done)
	for id := range ix.pending {
		at := ix.slab.at(id).offset
		ix.end(at, at+1)
	}
	mark, completed = ix.mark, ix.Completed()
	ix.offsets = now
	return mark, completed
}

// Next is where reading goes on.
func (ix *Index) Next() int64 { return ix.next }

// Completed returns the offsets beyond the mark that are over, including those of the old map that were not read again yet.
func (ix *Index) Completed() commitmeta.Completed {
	epoch := max(ix.epoch, ix.aheadEpoch)
	if ix.ahead.Runs() > 0 && ix.aheadEpoch < 0 {
		epoch = -1
	}
	return commitmeta.NewCompleted(epoch, ix.ahead.Rest(slices.Clone(ix.done), ix.next)...)
}

// Gaps returns the entries that lie between completed ranges with the fewest of them in between: those to append again at the tail, where each gap that closes
// makes the map smaller by a range. It returns those of at most n gaps, and no entry that is on its way.
func (ix *Index) Gaps(n int) []ID {
	if len(ix.done) < 2 || n < 1 {
		return nil
	}
	var gaps []commitmeta.Range
	for i := 1; i < len(ix.done); i++ {
		gaps = append(gaps, commitmeta.Range{From: ix.done[i-1].To, To: ix.done[i].From})
	}
	if first := (commitmeta.Range{From: ix.mark, To: ix.done[0].From}); first.To-first.From <= gapAtMark {
		gaps = append(gaps, first)
	}
	slices.SortFunc(gaps, func(a, b commitmeta.Range) int { return int(min(max(a.To-a.From-(b.To-b.From), -1), 1)) })
	gaps = gaps[:min(n, len(gaps))]
	slices.SortFunc(gaps, func(a, b commitmeta.Range) int { return int(min(max(a.From-b.From, -1), 1)) })
	var ids []ID
	for id := range ix.slab.all() {
		e := ix.slab.at(id)
		if e.state != waits && e.state != due {
			continue
		}
		_, found := slices.BinarySearchFunc(gaps, e.offset, func(g commitmeta.Range, offset int64) int {
			switch {
			case g.To <= offset:
				return -1
			case g.From > offset:
				return 1
			}
			return 0
		})
		if found {
			ids = append(ids, id)
		}
	}
	return ids
}

// gapAtMark is how many entries at the mark are worth moving: it lets the mark go on, and the log be trimmed.
const gapAtMark = 1024
