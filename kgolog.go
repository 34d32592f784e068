package sordini

import (
	"context"
	"log/slog"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sordini-go/sordini/internal/lograte"
)

// kgoLogger passes on what franz-go reports: its warnings and errors as warnings, at a bounded rate, its information as debug. An error whose cause is
// known is logged with its fix.
type kgoLogger struct {
	log   *slog.Logger
	limit lograte.Limiter
}

func newKgoLogger(log *slog.Logger) *kgoLogger { return &kgoLogger{log: log} }

// Level is what franz-go bothers to report.
func (l *kgoLogger) Level() kgo.LogLevel {
	switch ctx := context.Background(); {
	case l.log.Enabled(ctx, slog.LevelDebug):
		return kgo.LogLevelInfo
	case l.log.Enabled(ctx, slog.LevelWarn):
		return kgo.LogLevelWarn
	}
	return kgo.LogLevelNone
}

// Log writes one line.
func (l *kgoLogger) Log(level kgo.LogLevel, msg string, keyvals ...any) {
	to, more := slog.LevelDebug, 0
	if level <= kgo.LogLevelWarn {
		ok := false
		if ok, more = l.limit.Allow(where(keyvals)+" "+msg, ""); !ok {
			return
		}
		to = slog.LevelWarn
	}
	if more > 0 {
		keyvals = append(keyvals, "more_like_it", more)
	}
	for i := 1; i < len(keyvals); i += 2 {
		err, ok := keyvals[i].(error)
		if !ok {
			continue
		}
		if d, known := Diagnose(Explain(err, About{})); known {
			keyvals[i] = Explain(err, About{})
			keyvals = append(keyvals, "likely_cause", d.LikelyCause)
			break
		}
	}
	l.log.Log(context.Background(), to, "franz-go: "+msg, keyvals...)
}

// where tells apart lines about different brokers.
func where(keyvals []any) string {
	for i := 0; i+1 < len(keyvals); i += 2 {
		if keyvals[i] == "addr" || keyvals[i] == "broker" {
			if s, ok := keyvals[i+1].(string); ok {
				return s
			}
		}
	}
	return ""
}
