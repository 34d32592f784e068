package consumer

import (
	"sync/atomic"

	"github.com/sordini-go/sordini/dlt"
)

// stats counts what the group did on this member.
type stats struct {
	handled, skipped, retried, fenced, cut     atomic.Int64
	alreadyDone, missed, pauses                atomic.Int64
	assigned, rebalances, lost                 atomic.Int64
	commits, commitFailures                    atomic.Int64
	refusedLetters, truncatedLetters, timeouts atomic.Int64

	deadDecode, deadPermanent, deadExhausted, deadPanic, deadOther atomic.Int64
}

func (s *stats) dead(c dlt.Class) {
	switch c {
	case dlt.Decode:
		s.deadDecode.Add(1)
	case dlt.Permanent:
		s.deadPermanent.Add(1)
	case dlt.Exhausted:
		s.deadExhausted.Add(1)
	case dlt.Panic:
		s.deadPanic.Add(1)
	default:
		s.deadOther.Add(1)
	}
}

// count counts an attempt's fate and tells the handler's flood breaker of a success. It is called without locks.
func (e *engine) count(a *attempt, d decision) {
	switch d.fate {
	case fateDone:
		e.stats.handled.Add(1)
		if a.h != nil {
			if ids := a.h.breaker.Succeeded(a.id, a.over); len(ids) > 0 {
				e.floods.release(ids, a.over)
			}
		}
	case fateSkipped:
		e.stats.skipped.Add(1)
	case fateRetry:
		e.stats.retried.Add(1)
	case fateCut:
		e.stats.cut.Add(1)
	}
}
