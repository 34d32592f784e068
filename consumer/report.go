package consumer

import (
	"errors"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// What the runner itself has to say about records. Attempts that failed are the logging middleware's to report; a panic is the runner's, which recovered it.
// Lines of one kind are written at a bounded rate.

func (e *engine) logRecord(level slog.Level, what string, r *kgo.Record, kind string, more ...any) {
	ok, others := e.limit.Allow(what+" "+r.Topic, kind)
	if !ok {
		return
	}
	args := append([]any{"topic", r.Topic, "partition", r.Partition, "offset", r.Offset}, more...)
	if others > 0 {
		args = append(args, "more_like_it", others)
	}
	e.log.Log(e.base, level, what, args...)
}

// tell logs what became of a record, where that is not the usual.
func (e *engine) tell(a *attempt, d decision) {
	var p *panicError
	if errors.As(d.err, &p) {
		e.logRecord(slog.LevelError, "handler panicked", a.src, p.Error(), "attempt", a.number, "panic", p.value, "stack", string(p.stack))
	}
	switch {
	case d.flood:
		e.logRecord(slog.LevelError, "flood breaker is open: the handler's dependency is taken to be down, nothing is dead-lettered", a.src, d.err.Error(),
			"error", d.err, "next_attempt", d.delay)
	case d.fate == fateRetry && d.class != "":
		e.logRecord(slog.LevelError, "record can not be handled and dead letters are off: it holds up its key", a.src, d.err.Error(), "error", d.err)
	case d.fate == fateCut && d.err != nil && !errors.Is(a.ended, ErrRevoked):
		e.logRecord(slog.LevelInfo, "attempt was cut short by the shutdown; the record comes again", a.src, d.err.Error(), "error", d.err)
	}
	if errors.Is(a.ended, ErrHandlerTimeout) {
		e.stats.timeouts.Add(1)
		e.logRecord(slog.LevelWarn, "handler timed out", a.src, "", "timeout", a.h.cfg.timeout, "took", a.over.Sub(a.started).Round(time.Millisecond))
	}
}
