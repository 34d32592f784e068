package middleware

import (
	"context"
	"fmt"
	"time"

	"github.com/sordini-go/sordini"
)

// ErrTimeout is the cause of a context that [Timeout] ended. It is a context.DeadlineExceeded.
var ErrTimeout = fmt.Errorf("the attempt took longer than middleware.Timeout allows: %w", context.DeadlineExceeded)

// Timeout ends the context of an attempt after d, with cause [ErrTimeout]: the attempt fails like any other and is tried again. It costs a timer and a context
// for each attempt, and a handler that does not look at its context is not stopped by it. The runner has a limit of its own (5 minutes), which costs nothing:
// use Timeout where a handler needs a shorter one.
func Timeout(d time.Duration) sordini.AttemptMiddleware {
	return func(next sordini.Handler) sordini.Handler {
		return func(ctx context.Context, x *sordini.Delivery) error {
			ctx, cancel := context.WithTimeoutCause(ctx, d, ErrTimeout)
			defer cancel()
			err := next(ctx, x)
			if err != nil && context.Cause(ctx) == ErrTimeout {
				return fmt.Errorf("%w (limit %s, attempt %d): %w", ErrTimeout, d, x.Attempt, err)
			}
			return err
		}
	}
}
