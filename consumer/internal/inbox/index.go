package inbox

import (
	"container/heap"
	"math"
	"time"

	"github.com/sordini-go/sordini/consumer/internal/commitmeta"
)

// Index is what one ownership knows of one partition of an inbox.
type Index struct {
	offsets
	ahead      commitmeta.Cursor // what is left of the last owner's completion map: from next on
	aheadEpoch int32

	slab    slab
	known   table // by identity
	keys    table // the last entry of each key's chain, which is a ring
	heap    dueHeap
	pending map[ID]struct{} // their copies are over with a transaction
	seen    map[ID]int64    // copies of entries on their way that were read before their acknowledgement

	reached int64     // where reading the source goes on: what comes from there on waits for what is read again before it
	early   earlyHeap // entries from there on

	scopes map[string]uint32
	gone   []ID // redriven entries that ended, oldest first
	held   int  // entries that hold a key
	n      int  // entries that have not ended
}

// Entry is one record of the inbox as the index sees it.
type Entry struct {
	Offset int64  // in the inbox
	Source int64  // where it came from
	Due    int64  // milliseconds since 1970
	Key    uint64 // a hash of its lane, 0 where it has none
	Free   bool   // it has left the order of its key: it holds nothing and waits behind nothing

	// Scope is what its identity has beyond the source offset: "" for a retry of the topic, and otherwise what tells a redrive, or another topic, apart.
	Scope string
	// Check is a hash of what else is known of the source record, so that one that took the offset of another in a truncated log is not taken for it.
	Check uint32
}

// Verdict is what Read made of a record.
type Verdict uint8

const (
	Queued Verdict = iota + 1 // it waits
	Known                     // it was handed off by this ownership
	Moved                     // it stands for an older copy, whose offset is over now
	Folded                    // another copy stands for it, or has ended: its own offset is over
	Done                      // it ended before the last restart
	Behind                    // it was read before
)

// New returns the index of a partition that is read from committed on. completed is the completion map of the commit.
func New(committed int64, completed commitmeta.Completed) *Index {
	ix := &Index{
		offsets: offsets{mark: committed, next: committed, epoch: -1},
		ahead:   completed.Cursor(), aheadEpoch: completed.LeaderEpoch(),
		scopes: map[string]uint32{"": 0}, reached: math.MaxInt64,
	}
	ix.known.hash = func(id ID) uint64 { e := ix.slab.at(id); return identity(e.scope, e.source) }
	ix.keys.hash = func(id ID) uint64 { return ix.slab.at(id).key }
	ix.heap.slab = &ix.slab
	ix.ahead.Contains(committed)
	return ix
}

func identity(scope uint32, source int64) uint64 { return uint64(source) ^ uint64(scope)<<48 }

// At gives the offset in the inbox, the source offset and the due time of an entry.
func (ix *Index) At(id ID) (offset, source int64, due int64) {
	e := ix.slab.at(id)
	return e.offset, e.source, e.due
}

// Len is how many entries have not ended.
func (ix *Index) Len() int { return ix.n }

// Held is how many of them hold a key.
func (ix *Index) Held() int { return ix.held }

// Read takes in the record at x.Offset, in the order of the log; what lies between two is over. over says whether the record is known to have ended, or to be on
// its way elsewhere, so that a copy which nobody here wrote is of no use; it is asked only for one that is not known. folded is the offset of the copy that is
// over by it, -1 for none.
func (ix *Index) Read(x Entry, leaderEpoch int32, over func() bool) (v Verdict, id ID, folded int64) {
	if x.Offset < ix.next {
		return Behind, 0, -1
	}
	ix.Pass(x.Offset, leaderEpoch)
	if ix.aheadEpoch >= 0 && leaderEpoch > ix.aheadEpoch {
		ix.ahead = commitmeta.Cursor{} // the log was cut, and written anew
	}
	if ix.ahead.Contains(x.Offset) {
		ix.Pass(x.Offset+1, leaderEpoch)
		return Done, 0, -1
	}
	ix.next, ix.epoch = x.Offset+1, max(ix.epoch, leaderEpoch)
	id = ix.find(x.Scope, x.Source)
	if id == 0 {
		if over != nil && over() {
			ix.end(x.Offset, x.Offset+1)
			return Folded, 0, x.Offset
		}
		id = ix.insert(x)
		ix.slab.at(id).state = waits
		ix.arm(id)
		return Queued, id, -1
	}
	switch e := ix.slab.at(id); {
	case e.state == handing:
		if ix.seen == nil {
			ix.seen = map[ID]int64{}
		}
		folded = -1
		if first, ok := ix.seen[id]; ok { // a former owner's, that did not know yet
			ix.end(first, first+1)
			folded = first
		}
		ix.seen[id] = x.Offset
		return Known, id, folded
	case e.offset == x.Offset:
		ix.arm(id)
		return Known, id, -1
	case e.state == waits || e.state == due:
		old := e.offset
		if old > x.Offset { // handed off by this ownership, and not read yet
			ix.end(x.Offset, x.Offset+1)
			return Folded, id, x.Offset
		}
		ix.end(old, old+1)
		ix.disarm(id)
		e.offset, e.due = x.Offset, x.Due
		ix.arm(id)
		return Moved, id, old
	}
	ix.end(x.Offset, x.Offset+1) // it is being handled, or has ended
	return Folded, id, x.Offset
}

// Pass says that everything below next that was not read is over: control records, aborted transactions, what retention took.
func (ix *Index) Pass(next int64, leaderEpoch int32) {
	if next <= ix.next {
		return
	}
	ix.end(ix.next, next)
	ix.ahead.Contains(next)
	ix.next, ix.epoch = next, max(ix.epoch, leaderEpoch)
}

// Reach says where reading the source goes on, first of all before anything is read. An entry that has a key and came from there on waits until the source is
// read so far: earlier records of its key may come again, after a crash. It reports whether some wait no more.
func (ix *Index) Reach(source int64) (some bool) {
	ix.reached = source
	for len(ix.early) > 0 && ix.early[0].source < source {
		ix.arm(heap.Pop(&ix.early).(early).id)
		some = true
	}
	return some
}

// Hand enters a record that is about to be produced to the inbox. It holds its key from now on.
func (ix *Index) Hand(x Entry) ID {
	x.Offset = -1
	id := ix.insert(x)
	ix.slab.at(id).state = handing
	return id
}

// Again says that a taken entry, or one that waits, is about to be produced to the inbox again. Its old offset stays what it was until Handed.
func (ix *Index) Again(id ID, dueAt int64) {
	e := ix.slab.at(id)
	ix.disarm(id)
	e.state, e.due = handing, dueAt
}

// Handed says that what Hand or Again entered is in the inbox, at offset. folded is the offset of a copy that somebody else wrote and that is over by it, -1 for
// none.
func (ix *Index) Handed(id ID, offset int64) (folded int64) {
	e := ix.slab.at(id)
	delete(ix.pending, id)
	if e.offset >= 0 && e.offset != offset {
		ix.end(e.offset, e.offset+1)
	}
	folded = -1
	if seen, ok := ix.seen[id]; ok {
		delete(ix.seen, id)
		if seen != offset {
			folded = min(seen, offset)
			if folded < ix.next {
				ix.end(folded, folded+1)
			}
			offset = max(seen, offset)
		}
	}
	e.offset, e.state = offset, waits
	ix.arm(id)
	return folded
}

// Find returns the entry of a source record that waits in the inbox or is on its way there, 0 for none. An entry of the same offset that is of another record,
// one that the source's log has lost, keeps waiting and holds nothing from then on.
func (ix *Index) Find(source int64, check uint32) ID {
	id := ix.find("", source)
	if id == 0 {
		return 0
	}
	e := ix.slab.at(id)
	if e.check == check {
		return id
	}
	ix.known.remove(id)
	ix.disarm(id)
	ix.unchain(id)
	e.scope, e.free = ix.scope("lost"), true
	ix.known.add(id)
	ix.arm(id)
	return 0
}

// Behind reports whether a record of that key, by its source offset, has to wait for one in the inbox.
func (ix *Index) Behind(key uint64, source int64) bool {
	if ix.held == 0 || key == 0 {
		return false
	}
	last := ix.chain(key)
	return last != 0 && ix.slab.at(ix.slab.at(last).next).source < source
}

// Take takes up to n entries that are due by the given time and may be handled, the earliest first.
func (ix *Index) Take(by int64, n int) (ids []ID) {
	for len(ids) < n && len(ix.heap.ids) > 0 {
		id := ix.heap.ids[0]
		e := ix.slab.at(id)
		if e.due > by {
			break
		}
		heap.Pop(&ix.heap)
		e.state = taken
		ids = append(ids, id)
	}
	return ids
}

// Put puts back an entry that was taken.
func (ix *Index) Put(id ID) {
	if e := ix.slab.at(id); e.state == taken {
		e.state = waits
		ix.arm(id)
	}
}

// NextDue is when the next entry that may be handled is due, in milliseconds since 1970.
func (ix *Index) NextDue() (at int64, ok bool) {
	if len(ix.heap.ids) == 0 {
		return 0, false
	}
	return ix.slab.at(ix.heap.ids[0]).due, true
}

// End says that the record of an entry has ended, wherever its copy is.
func (ix *Index) End(id ID) {
	e := ix.slab.at(id)
	if e.offset >= 0 {
		ix.end(e.offset, e.offset+1)
	}
	ix.forget(id)
}

// forget takes an entry out.
func (ix *Index) forget(id ID) {
	e := ix.slab.at(id)
	ix.disarm(id)
	ix.unchain(id)
	ix.n--
	delete(ix.seen, id)
	delete(ix.pending, id)
	if e.scope != 0 { // somebody may produce it a second time
		e.state = ended
		ix.gone = append(ix.gone, id)
		if len(ix.gone) <= remembered {
			return
		}
		id = ix.gone[0]
		ix.gone = ix.gone[1:]
	}
	ix.known.remove(id)
	ix.slab.release(id)
}

// remembered is how many redriven records that ended are recognised when they come again.
const remembered = 1 << 16

// Cut says that somebody has deleted the log of the inbox up to start. It forgets the entries that were there and not taken, and returns how many there were.
func (ix *Index) Cut(start int64) (lost int) {
	var cut []ID
	for id := range ix.slab.all() {
		if e := ix.slab.at(id); e.offset >= 0 && e.offset < start && (e.state == waits || e.state == due) {
			cut = append(cut, id)
		}
	}
	for _, id := range cut {
		ix.End(id)
	}
	return len(cut)
}

// Stay says that what Again entered stays where it is.
func (ix *Index) Stay(id ID) {
	if e := ix.slab.at(id); e.state == handing && e.offset >= 0 {
		e.state = waits
		if seen, ok := ix.seen[id]; ok { // the new one is there all the same
			delete(ix.seen, id)
			ix.end(e.offset, e.offset+1)
			e.offset = seen
		}
		ix.arm(id)
	}
}

func (ix *Index) scope(name string) uint32 {
	n, ok := ix.scopes[name]
	if !ok {
		n = uint32(len(ix.scopes))
		ix.scopes[name] = n
	}
	return n
}

func (ix *Index) find(scope string, source int64) ID {
	n, ok := ix.scopes[scope]
	if !ok {
		return 0
	}
	return ix.known.find(identity(n, source), func(id ID) bool {
		e := ix.slab.at(id)
		return e.source == source && e.scope == n
	})
}

func (ix *Index) insert(x Entry) ID {
	id := ix.slab.take()
	e := ix.slab.at(id)
	e.offset, e.source, e.due, e.key, e.check, e.scope = x.Offset, x.Source, x.Due, x.Key, x.Check, ix.scope(x.Scope)
	e.free = x.Free || x.Key == 0
	ix.known.add(id)
	ix.n++
	if !e.free {
		ix.enchain(id)
	}
	return id
}

// Chains are rings, ordered by source offset, and the table knows their last entry: appending, and taking the first, are constant.

// chain returns the last entry of a key, 0 for none.
func (ix *Index) chain(key uint64) ID {
	return ix.keys.find(key, func(id ID) bool { return ix.slab.at(id).key == key })
}

func (ix *Index) enchain(id ID) {
	ix.held++
	e := ix.slab.at(id)
	last := ix.chain(e.key)
	if last == 0 {
		e.next = id
		ix.keys.add(id)
		return
	}
	l := ix.slab.at(last)
	first := l.next
	if e.source > l.source {
		e.next, l.next = first, id
		ix.keys.swap(last, id)
		return
	}
	before := last
	for ix.slab.at(ix.slab.at(before).next).source < e.source {
		before = ix.slab.at(before).next
	}
	e.next = ix.slab.at(before).next
	ix.slab.at(before).next = id
	if before == last {
		ix.demote(first) // it was the first
	}
}

// demote makes an entry that is first no more wait.
func (ix *Index) demote(id ID) {
	if e := ix.slab.at(id); e.state == due {
		ix.disarm(id)
	}
}

func (ix *Index) unchain(id ID) {
	e := ix.slab.at(id)
	if e.free {
		return
	}
	ix.held--
	e.free = true
	last := ix.chain(e.key)
	before := last
	for ix.slab.at(before).next != id {
		before = ix.slab.at(before).next
	}
	next := e.next
	switch {
	case next == id:
		ix.keys.remove(id)
	case id == last:
		ix.keys.swap(id, before)
		ix.slab.at(before).next = next
	default:
		ix.slab.at(before).next = next
		if before == last {
			ix.arm(next)
		}
	}
	e.next = 0
}

// arm puts an entry into the heap if its turn has come but for the time.
func (ix *Index) arm(id ID) {
	e := ix.slab.at(id)
	if e.state != waits || e.offset < 0 || e.offset >= ix.next || !e.free && ix.slab.at(ix.chain(e.key)).next != id {
		return
	}
	if e.scope == 0 && !e.free && e.source >= ix.reached {
		heap.Push(&ix.early, early{e.source, id})
		return
	}
	e.state = due
	heap.Push(&ix.heap, id)
}

func (ix *Index) disarm(id ID) {
	if e := ix.slab.at(id); e.state == due {
		heap.Remove(&ix.heap, int(e.place-1))
		e.state = waits
	}
}

// Millis is a time as the index counts it, rounded up: nothing comes before its time.
func Millis(t time.Time) int64 {
	ms := t.UnixMilli()
	if time.UnixMilli(ms).Before(t) {
		ms++
	}
	return ms
}

// early is an entry whose source is not read so far. It may have ended since, and its id may be another's.
type early struct {
	source int64
	id     ID
}

// earlyHeap is a heap by source offset.
type earlyHeap []early

func (h earlyHeap) Len() int           { return len(h) }
func (h earlyHeap) Less(i, j int) bool { return h[i].source < h[j].source }
func (h earlyHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *earlyHeap) Push(x any)        { *h = append(*h, x.(early)) }
func (h *earlyHeap) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}

// dueHeap is a heap by due time, and among equals by source offset.
type dueHeap struct {
	ids  []ID
	slab *slab
}

func (h *dueHeap) Len() int { return len(h.ids) }
func (h *dueHeap) Less(i, j int) bool {
	a, b := h.slab.at(h.ids[i]), h.slab.at(h.ids[j])
	return a.due < b.due || a.due == b.due && a.source < b.source
}
func (h *dueHeap) Swap(i, j int) {
	h.ids[i], h.ids[j] = h.ids[j], h.ids[i]
	h.slab.at(h.ids[i]).place, h.slab.at(h.ids[j]).place = uint32(i+1), uint32(j+1)
}
func (h *dueHeap) Push(x any) {
	id := x.(ID)
	h.ids = append(h.ids, id)
	h.slab.at(id).place = uint32(len(h.ids))
}
func (h *dueHeap) Pop() any {
	id := h.ids[len(h.ids)-1]
	h.ids = h.ids[:len(h.ids)-1]
	h.slab.at(id).place = 0
	return id
}
