package middleware

import (
	"context"
	"log/slog"
	"time"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/internal/lograte"
)

// Logging writes a line for an attempt that failed (level warn), one that was skipped on purpose (info) and, where the logger wants to know, one that was
// done or cut by a revocation or a shutdown (debug). Of failures and skips of one kind on one topic at most one line is written in ten seconds, with the
// number of those that were not. What becomes of the record then, another attempt or its dead letter, is the runner's to report; it does not repeat the error
// that stands here.
func Logging(cfg Config) sordini.AttemptMiddleware {
	var limit lograte.Limiter
	return func(next sordini.Handler) sordini.Handler {
		return func(ctx context.Context, d *sordini.Delivery) error {
			log := cfg.logger()
			verbose := log.Enabled(ctx, slog.LevelDebug)
			var start time.Time
			if verbose {
				start = time.Now()
			}
			err := next(ctx, d)
			if err == nil && !verbose {
				return nil
			}
			switch judge(ctx, err) {
			case done:
				report(ctx, log, slog.LevelDebug, "record handled", d, slog.Duration("took", time.Since(start)))
			case cut:
				if verbose {
					report(ctx, log, slog.LevelDebug, "attempt cut", d, slog.Any("cause", context.Cause(ctx)))
				}
			case skipped:
				if log.Enabled(ctx, slog.LevelInfo) {
					if ok, more := limit.Allow(d.Record.Topic, err.Error()); ok {
						report(ctx, log, slog.LevelInfo, "record skipped on purpose", d, slog.String("reason", err.Error()), slog.Int("more_like_it", more))
					}
				}
			case failed:
				if log.Enabled(ctx, slog.LevelWarn) {
					if ok, more := limit.Allow(d.Record.Topic, err.Error()); ok {
						report(ctx, log, slog.LevelWarn, "attempt failed", d, slog.String("error", err.Error()), slog.Int("more_like_it", more))
					}
				}
			}
			return err
		}
	}
}

func report(ctx context.Context, log *slog.Logger, level slog.Level, msg string, d *sordini.Delivery, more ...slog.Attr) {
	r := d.Record
	log.LogAttrs(ctx, level, msg, append([]slog.Attr{
		slog.String("topic", r.Topic), slog.Int("partition", int(r.Partition)), slog.Int64("offset", r.Offset), slog.String("group", d.Group),
		slog.Int("attempt", d.Attempt), slog.String("correlation_id", sordini.CorrelationID(ctx)),
	}, more...)...)
}
