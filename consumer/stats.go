package consumer

import (
	"slices"
	"sync/atomic"

	"github.com/sordini-go/sordini/dlt"
)

// stats counts what the group did on this member.
type stats struct {
	handled, skipped, retried, fenced, cut     atomic.Int64
	alreadyDone, missed, pauses                atomic.Int64
	folded, spilled, movedInbox                atomic.Int64
	assigned, rebalances, lost                 atomic.Int64
	commits, commitFailures                    atomic.Int64
	refusedLetters, truncatedLetters, timeouts atomic.Int64

	deadLetters [len(classes)]atomic.Int64
}

// classes are the classes of dead letters.
var classes = [...]dlt.Class{dlt.Decode, dlt.Permanent, dlt.Exhausted, dlt.Panic, dlt.TooLarge, dlt.Crash}

// letters is the counter of a class.
func (s *stats) letters(c dlt.Class) *atomic.Int64 {
	return &s.deadLetters[max(0, slices.Index(classes[:], c))]
}

func (s *stats) deadAll() (n int64) {
	for i := range s.deadLetters {
		n += s.deadLetters[i].Load()
	}
	return n
}

// count counts an attempt's fate and tells the handler's breakers of a success. It is called without locks, but for a
// success of a handler without a circuit breaker.
func (e *engine) count(a *attempt, d decision) {
	if c := a.circuit(); c != nil {
		if d.fate == fateDone || d.fate == fateSkipped {
			c.judge(a, nil, a.over)
		} else {
			c.abandon(a, a.over) // unless it has been judged
		}
	}
	switch d.fate {
	case fateDone:
		e.stats.handled.Add(1)
		if a.h != nil {
			if ids := a.h.breaker.Succeeded(recordID(a.src), a.over); len(ids) > 0 {
				e.floods.release(ids, a.over)
			}
		}
	case fateSkipped:
		e.stats.skipped.Add(1)
	case fateRetry, fateLater:
		e.stats.retried.Add(1)
	case fateCut:
		e.stats.cut.Add(1)
	}
	if d.err != nil || a.ended != nil {
		e.tell(a, d)
	}
}
