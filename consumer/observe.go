package consumer

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"

	"github.com/sordini-go/sordini/internal/history"
)

// runs numbers the runs of the process, so that each has a name of its own in a history.
var runs atomic.Int64

func memberName(e *engine) string {
	return fmt.Sprintf("%s-%d-%d", e.g.name, os.Getpid(), runs.Add(1))
}

// record hands an event to the observer of a test. make is called only where there is one.
func (e *engine) record(make func() history.Event) {
	if e.g.cfg.recorder == nil {
		return
	}
	e.recordAll(make())
}

// recordAll records events that nothing may come between.
func (e *engine) recordAll(events ...history.Event) {
	for i := range events {
		events[i].Group, events[i].Member = e.g.name, e.member
	}
	if len(events) > 0 {
		e.g.cfg.recorder.Record(events...)
	}
}

// causeOf is the history's word for why a context was cancelled.
func causeOf(err error) history.Cause {
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errLost):
		return history.CauseLost
	case errors.Is(err, ErrRevoked):
		return history.CauseRevoked
	case errors.Is(err, ErrDraining):
		return history.CauseDraining
	case errors.Is(err, ErrHandlerTimeout):
		return history.CauseTimeout
	}
	return 0
}
