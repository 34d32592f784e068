package storage

import (
	"cmp"
	"slices"

	"github.com/sordini-go/sordini/broker/internal/records"
)

// cleanedTxns follows the transactions through the batches that compaction reads, oldest first.
type cleanedTxns struct {
	ahead     []Aborted // that have not begun yet, by their first offset
	aborted   map[int64]*abortedTxn
	committed map[int64]bool // producers with records of a transaction that has not been aborted
	kept      map[int64]bool // offsets of the abort markers that are still needed
}

type abortedTxn struct{ seen bool } // records of it were seen

func newCleanedTxns(aborted []Aborted) cleanedTxns {
	ahead := slices.SortedFunc(slices.Values(aborted), func(a, b Aborted) int { return cmp.Compare(a.First, b.First) })
	return cleanedTxns{ahead: ahead, aborted: make(map[int64]*abortedTxn), committed: make(map[int64]bool), kept: make(map[int64]bool)}
}

// read takes the next batch. It reports whether the batch may be discarded: a record of an aborted transaction may, and a marker that ends nothing
// that is still there. Markers stay until a later compaction finds that their transaction's records are gone, so that no reader who is in between
// sees records of which it will not learn how they ended.
func (t *cleanedTxns) read(b records.Batch) (discard bool) {
	for len(t.ahead) > 0 && t.ahead[0].First <= b.LastOffset() {
		if id := t.ahead[0].Producer; t.aborted[id] == nil {
			t.aborted[id] = &abortedTxn{}
		}
		t.ahead = t.ahead[1:]
	}
	id := b.ProducerID()
	if !b.Control() {
		if !b.Transactional() {
			return false
		}
		if a := t.aborted[id]; a != nil {
			a.seen = true
			return true
		}
		t.committed[id] = true
		return false
	}
	m, ok := b.Marker()
	switch {
	case !ok:
		return b.Count() == 0 // an empty one has been cleaned before
	case m.Commit:
		seen := t.committed[id]
		delete(t.committed, id)
		return !seen
	}
	a := t.aborted[id]
	delete(t.aborted, id)
	if a != nil && a.seen {
		t.kept[b.BaseOffset()] = true
		return false
	}
	return true
}
