package consumer

import (
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.opentelemetry.io/otel/trace"

	"github.com/sordini-go/sordini/consumer/internal/window"
	"github.com/sordini-go/sordini/dlt"
)

// task is a record in flight. It belongs to one lane, and with it to one partition, whose mutex guards it.
type task struct {
	rec     *kgo.Record
	slot    window.Slot
	handler *handler // nil when nobody handles its type
	size    int32
	next    *task
	wait    *waiting // set for one that comes from an inbox
	alone   bool     // it was in a batch that failed as a whole: it is handled by itself
	over    bool     // it was handled in a batch, behind a record of its key whose dead letter is on its way
}

// laneState is where the head of a lane is. The legal moves:
//
//	ready ─► running ─► ready (the next record), waiting (a retry), parked (a dead letter is being written), held (its attempt was cut short)
//	waiting ─► ready when due; or parked, when what waits is a dead letter that was refused
//	parked ─► ready (the next record), waiting (refused)
//	ready ─► aside (its key is paused) or gated (a rate limit or an open circuit) ─► ready
//	behind (an earlier record of its key waits in the inbox) ─► ready, waiting
//	gathering (its records wait for a batch) ─► running, ready
//	held: stays, until the partition is given up
//	running ─► staged (nothing is queued behind what waits for its transaction) ─► ready (the next record)
//
// A lane whose last record ended is gone.
type laneState uint8

const (
	laneReady laneState = iota
	laneRunning
	laneWaiting
	laneParked
	laneHeld
	laneAside
	laneGated
	laneStaged
	laneBehind
	laneGathering
)

// lane is the queue of records that wait for each other: those of one key, of one partition, or a single one. It exists while it holds a record, so that
// memory follows what is in flight and not the keys that were ever seen. Its partition's mutex guards it, but for the heap fields.
type lane struct {
	p          *partition
	head, tail *task
	n          int
	state      laneState
	held       *task    // was handled and ends with its transaction, oldest first; not counted in n
	convicted  *verdict // its transaction can not be committed: it is handled again before anything else of the lane
	next       *lane    // in the partition's ready queue

	// Lanes whose head failed are listed, so that commits and health find them.
	failing       bool
	before, after *lane

	keyed bool // it is in the table
	guest bool // it holds one record that has left the order of its key: beside the key's own lane, but never at the same time
	hash  uint64
	chain *lane // in the table: the next lane of the same hash

	gathering gathering // while it waits for its batch

	// About the head.
	attempts    int // that failed; those that were cut short do not count
	away        int // since then, that failed because a registry was away
	flooded     bool
	firstFailed time.Time
	again       time.Time // when it is tried again, zero where nothing says so or only the flood breaker does
	cause       error     // the last failure
	letter      *letter
	stuck       bool               // it would be dead-lettered if that were on
	run         *attempt           // while it runs
	since       time.Time          // when its dead letter was first written
	span        *trace.SpanContext // of the last attempt

	passed int // how many of the handler's limits it has paid

	cost int64 // at the limit that it waits at, whose mutex guards it

	// Guarded by the due queue's mutex.
	due   time.Time
	index int // in the heap plus one; 0 when it is not in it
}

// letter is a dead letter on its way.
type letter struct {
	record  *kgo.Record
	class   dlt.Class
	failure dlt.Failure
	cut     dlt.Truncated // what the record had to leave out
	hand    *handoff      // set where it is for the inbox
	limit   int           // what it was cut to, 0 before it was refused for its size
	refused int           // how often the topic did not take it
	err     error         // why, the last time
}

// fresh forgets what was known of the previous head. Where handlers are quick this is done for every record, and most have nothing to forget.
func (l *lane) fresh() {
	l.attempts, l.away, l.flooded, l.stuck, l.passed = 0, 0, false, false, 0
	if l.cause != nil || l.letter != nil || l.span != nil {
		l.cause, l.letter, l.span = nil, nil, nil
	}
	for _, at := range [...]*time.Time{&l.firstFailed, &l.since, &l.again} {
		if !at.IsZero() {
			*at = time.Time{}
		}
	}
}

// first is the oldest record of the lane that has not ended.
func (l *lane) first() *task {
	if l.held != nil {
		return l.held
	}
	return l.head
}

// laneQueue is a first-in first-out queue of lanes, linked through lane.next.
type laneQueue struct{ head, tail *lane }

func (q *laneQueue) empty() bool { return q.head == nil }

func (q *laneQueue) push(l *lane) {
	l.next = nil
	if q.tail == nil {
		q.head = l
	} else {
		q.tail.next = l
	}
	q.tail = l
}

func (q *laneQueue) pop() *lane {
	l := q.head
	if l != nil {
		if q.head = l.next; q.head == nil {
			q.tail = nil
		}
		l.next = nil
	}
	return l
}

// unpop puts a lane back that pop returned.
func (q *laneQueue) unpop(l *lane) {
	if l.next = q.head; q.head == nil {
		q.tail = l
	}
	q.head = l
}

// remove takes a lane out of the queue, wherever it is.
func (q *laneQueue) remove(l *lane) {
	var kept laneQueue
	for x := q.pop(); x != nil; x = q.pop() {
		if x != l {
			kept.push(x)
		}
	}
	*q = kept
}
