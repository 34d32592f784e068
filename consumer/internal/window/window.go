package window

import (
	"sync/atomic"

	"github.com/sordini-go/sordini/consumer/internal/commitmeta"
)

// Window says of one assigned partition which offsets are in flight and which are over. It is not safe for concurrent use: who owns the partition
// holds a lock around it.
//
// Only what is in flight is kept: 32 bytes a record, linked in the order of admission, which is the order of offsets. Every other offset below
// Next is over: ended, skipped by the broker, or known from the completion map. So nothing depends on how far offsets are apart or on how much ended
// behind a record that is stuck. Admit, Complete, Pass and Mark take constant time; Admit allocates once in 256
// records while more and more are in flight, and not in a steady state.
type Window struct {
	slab     slab
	inFlight int
	ends     int   // entries whose ended is true
	pending  int   // entries whose pending is true
	next     int64 // everything below was admitted or passed
	epoch    int32 // the highest leader epoch up to there; -1 while unknown
	id       uint64

	// ahead is what is left of the completion map of the last owner: from next on, so not fetched again yet.
	ahead      commitmeta.Cursor
	aheadEpoch int32

	truncations int
}

// Slot is the handle of an admitted record: for Complete. No two admissions of a process get the same, in whichever window, so a slot of an earlier
// ownership is unknown to a later one. The zero Slot is never given.
type Slot struct {
	id    uint64
	index int32
}

// Status is what Admit decided.
type Status uint8

const (
	// Admitted says that the record is in flight now and has to be handled.
	Admitted Status = iota + 1
	// AlreadyDone says that the record ended before the last restart: the completion map names it. It is not to be handled again.
	AlreadyDone
	// Behind says that the record was admitted or passed before and is fetched again. It is in flight or over, and not to be handled again.
	Behind
)

func (s Status) String() string {
	switch s {
	case Admitted:
		return "admitted"
	case AlreadyDone:
		return "already done"
	case Behind:
		return "behind"
	}
	return "unknown status"
}

// windows counts the windows of the process: it is the upper part of the ids of slots.
var windows atomic.Uint64

// perWindow is how many ids a window may use: a million a second for two weeks.
const perWindow = 1 << 40

// New returns the window of a partition that is fetched from committed on. leaderEpoch is the epoch that was committed with it, -1 where none was
// or the group is new. done is the completion map of the commit's metadata, if that matched; offsets that it names are recognised by Admit.
func New(committed int64, leaderEpoch int32, done commitmeta.Completed) *Window {
	w := &Window{
		slab:       slab{open: none},
		next:       committed,
		epoch:      max(leaderEpoch, -1),
		id:         windows.Add(1) * perWindow,
		ahead:      done.Cursor(),
		aheadEpoch: done.LeaderEpoch(),
	}
	w.slab.take() // bounds
	b := w.slab.at(bounds)
	b.prev, b.next = bounds, bounds
	w.ahead.Contains(committed)
	return w
}

// Admit takes in the record at offset, fetched with the leader epoch of its batch (-1 where unknown). Records are admitted in the order of
// offsets; what lies between two is over (a compacted gap, aborted or control records). The Slot is of use only when the status is Admitted.
//
// A record at an offset below Next is Behind, unless its leader epoch is higher than every one seen so far: then the log was truncated there by an
// unclean leader election and written anew, the record is another one, and the window is truncated before it is admitted. In the same way a
// completed offset of the map is not believed for a record of a later epoch than the map has seen.
func (w *Window) Admit(offset int64, leaderEpoch int32) (Slot, Status) {
	if offset < w.next {
		if w.epoch < 0 || leaderEpoch <= w.epoch {
			return Slot{}, Behind
		}
		w.Truncate(offset)
	}
	if w.ahead.Runs() > 0 {
		w.leap(offset, leaderEpoch)
		if w.ahead.Contains(offset) {
			w.leap(offset+1, leaderEpoch)
			w.advance(offset+1, leaderEpoch)
			return Slot{}, AlreadyDone
		}
	}
	w.advance(offset+1, leaderEpoch)

	w.id++
	i, e := w.slab.take()
	b := w.slab.at(bounds)
	e.offset, e.id, e.epoch, e.ended, e.pending = offset, w.id, leaderEpoch, b.ended, false
	b.ended = false
	e.prev, e.next = b.prev, bounds
	w.slab.at(b.prev).next = i
	b.prev = i
	w.inFlight++
	return Slot{id: w.id, index: i}, Admitted
}

// Pass says that every offset below next that was not admitted is over: control records, aborted transactions, compacted gaps, records that retention
// took. The mark moves past them even when nothing is in flight. leaderEpoch is the epoch of the batch that was passed (not that of the leader), -1
// where it is unknown. A next that is not above Next changes nothing.
func (w *Window) Pass(next int64, leaderEpoch int32) {
	if next > w.next {
		w.leap(next, leaderEpoch)
		w.ahead.Contains(next)
		w.advance(next, leaderEpoch)
	}
}

// leap is called before Next goes over a part of the map, which then is behind the newest in flight; and it forgets what is left of the map when what
// was fetched there is of a later epoch than all of it: epochs grow with offsets, so the map's records from there on were truncated.
func (w *Window) leap(next int64, leaderEpoch int32) {
	if w.inFlight > 0 && w.ahead.Before(next) {
		w.markEnded(w.slab.at(bounds))
	}
	if w.aheadEpoch >= 0 && leaderEpoch > w.aheadEpoch {
		w.ahead = commitmeta.Cursor{}
	}
}

func (w *Window) advance(next int64, leaderEpoch int32) {
	w.next = next
	w.epoch = max(w.epoch, leaderEpoch)
}

// Complete ends the record of slot and reports whether the mark moved. A slot that is not in flight (completed before, truncated, of another
// window) changes nothing and gives false: ask Has first where that matters.
func (w *Window) Complete(slot Slot) bool {
	if !w.Has(slot) {
		return false
	}
	e := w.slab.at(slot.index)
	first := e.prev == bounds
	after := w.unlink(slot.index, e)
	if first {
		w.unmarkEnded(after)
	} else {
		w.markEnded(after)
	}
	return first
}

// Has reports whether the record of slot is in flight in this window.
func (w *Window) Has(slot Slot) bool {
	n := int(slot.index >> chunkBits)
	return slot.id != 0 && n < len(w.slab.chunks) && w.slab.chunks[n] != nil && w.slab.at(slot.index).id == slot.id
}

// unlink takes the entry at i out and returns the one behind it.
func (w *Window) unlink(i int32, e *entry) *entry {
	w.unmarkEnded(e)
	if e.pending {
		w.pending--
	}
	after := w.slab.at(e.next)
	w.slab.at(e.prev).next, after.prev = e.next, e.prev
	w.slab.release(i, e)
	w.inFlight--
	return after
}

func (w *Window) markEnded(e *entry) {
	if !e.ended {
		e.ended = true
		w.ends++
	}
}

func (w *Window) unmarkEnded(e *entry) {
	if e.ended {
		e.ended = false
		w.ends--
	}
}

// Truncate says that the log was cut at offset and may be written anew from there, as after an unclean leader election: what is in flight from there
// on is forgotten (its slots become unknown), and so is what was over. Next and, where it was higher, the mark go back to offset. It returns how many
// records were in flight there. An offset at or above Next only forgets what the completion map says from there on.
func (w *Window) Truncate(offset int64) int {
	w.truncations++
	if offset >= w.next {
		w.forget(offset)
		return 0
	}
	dropped := 0
	b := w.slab.at(bounds)
	for b.prev != bounds {
		i := b.prev
		e := w.slab.at(i)
		if e.offset < offset {
			break
		}
		ended := e.ended
		w.unlink(i, e)
		if ended {
			w.markEnded(b)
		}
		dropped++
	}
	if b.prev == bounds || w.slab.at(b.prev).offset+1 == offset {
		w.unmarkEnded(b) // nothing is left between
	}
	w.next = offset
	w.ahead = commitmeta.Cursor{}
	return dropped
}

// forget drops what the completion map says from offset on.
func (w *Window) forget(offset int64) {
	var kept []commitmeta.Range
	for _, r := range w.ahead.Rest(nil, w.next) {
		if r.From < offset {
			kept = append(kept, commitmeta.Range{From: r.From, To: min(r.To, offset)})
		}
	}
	w.ahead = commitmeta.NewCompleted(w.aheadEpoch, kept...).Cursor()
}

// Truncations is how often Admit or Truncate found the log cut: records may be lost there that nobody handled, which is to be reported (G1).
func (w *Window) Truncations() int { return w.truncations }

// Mark is what may be committed: the first offset that is not over, which is the oldest in flight or else Next, and the leader epoch to commit with
// it, -1 while unknown. It goes back only by a truncation.
//
// The epoch is that of the record at the mark where one is in flight, and not of the one before: across a compacted gap the epoch before may end below
// the mark, and the broker would then report a truncation that never was.
func (w *Window) Mark() (offset int64, leaderEpoch int32) {
	if w.inFlight == 0 {
		return w.next, w.epoch
	}
	e := w.slab.at(w.slab.at(bounds).next)
	return e.offset, e.epoch
}

// InFlight is the number of records that were admitted and have not ended.
func (w *Window) InFlight() int { return w.inFlight }

// Oldest is the lowest offset in flight.
func (w *Window) Oldest() (offset int64, ok bool) {
	if w.inFlight == 0 {
		return 0, false
	}
	return w.slab.at(w.slab.at(bounds).next).offset, true
}

// Next is the lowest offset that was neither admitted nor passed: where fetching goes on.
func (w *Window) Next() int64 { return w.next }

// Holes is the number of runs that Completed returns, or one more: the size of the map before it is made.
func (w *Window) Holes() int { return w.ends + w.ahead.Runs() }

// Worst is how many bytes the completion map takes at most once any of what is in flight has ended, in whatever order, where it takes size bytes now
// (commitmeta.Completed.Bytes). Who admits only while this fits what the broker's limit leaves never meets ErrTooLarge and never has to drop a map;
// size may be of an earlier moment when commitmeta.Growth bytes are added to it for each record that ended since. It takes constant time.
func (w *Window) Worst(size int) int {
	mark, _ := w.Mark()
	return min(commitmeta.BytesOver(max(w.next, w.ahead.End())-mark), size+w.inFlight*commitmeta.Growth)
}

// Completed returns the offsets beyond the mark that are over, including those of the old map that were not fetched again yet. It takes time in
// proportion to what is in flight, not to what ended. Offsets that no record has count as over where that makes the map smaller.
func (w *Window) Completed() commitmeta.Completed {
	if w.Holes() == 0 {
		return commitmeta.Completed{}
	}
	epoch := max(w.epoch, w.aheadEpoch)
	if w.ahead.Runs() > 0 && w.aheadEpoch < 0 {
		epoch = -1
	}
	runs := make([]commitmeta.Range, 0, w.Holes())
	if w.ends > 0 {
		b := w.slab.at(bounds)
		before := int64(0)
		for i := b.next; i != bounds; {
			e := w.slab.at(i)
			if e.ended {
				runs = append(runs, commitmeta.Range{From: before + 1, To: e.offset})
			}
			before, i = e.offset, e.next
		}
		if b.ended {
			runs = append(runs, commitmeta.Range{From: before + 1, To: w.next})
		}
	}
	return commitmeta.NewCompleted(epoch, w.ahead.Rest(runs, w.next)...)
}
