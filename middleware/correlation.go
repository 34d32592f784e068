package middleware

import (
	"context"
	"slices"
	"time"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/internal/correlation"
	"github.com/sordini-go/sordini/internal/uuid"
)

// Correlation reads a record's correlation-id header into the context, so that log lines and sends of the handler carry it. A record without one gets a new
// id (UUIDv7), which a retry does not repeat.
func Correlation() sordini.AttemptMiddleware {
	return func(next sordini.Handler) sordini.Handler {
		return func(ctx context.Context, d *sordini.Delivery) error {
			if id, _ := d.Record.Headers.Get(sordini.HeaderCorrelationID); len(id) > 0 {
				return next(correlation.WithHeader(ctx, id), d)
			}
			return next(correlation.WithNew(ctx), d)
		}
	}
}

// SendCorrelation writes the headers correlation-id, from the context or new (UUIDv7), and source, unless source is empty. A header that the record has
// already is left as it is.
func SendCorrelation(source string) sordini.SendMiddleware {
	from := slices.Clip([]byte(source)) // every record shares it
	return func(next sordini.Sender) sordini.Sender {
		return func(ctx context.Context, r *sordini.Record, done func(*sordini.Record, error)) {
			if _, ok := r.Headers.Get(sordini.HeaderCorrelationID); !ok {
				r.Headers.Add(sordini.HeaderCorrelationID, correlation.AppendHeader(ctx, make([]byte, 0, uuid.Len), time.Now()))
			}
			if len(from) > 0 {
				if _, ok := r.Headers.Get(sordini.HeaderSource); !ok {
					r.Headers.Add(sordini.HeaderSource, from)
				}
			}
			next(ctx, r, done)
		}
	}
}
