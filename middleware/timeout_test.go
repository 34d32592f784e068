package middleware_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/middleware"
)

func TestTimeoutCutsTheAttemptWithItsCause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		err := middleware.Timeout(time.Second)(func(ctx context.Context, _ *sordini.Delivery) error {
			<-ctx.Done()
			if context.Cause(ctx) != middleware.ErrTimeout {
				t.Errorf("cause %v", context.Cause(ctx))
			}
			return ctx.Err()
		})(t.Context(), delivery(1))
		if took := time.Since(start); took != time.Second || !errors.Is(err, middleware.ErrTimeout) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("after %v: %v", took, err)
		}
	})
}

func TestTimeoutLeavesOtherErrorsAlone(t *testing.T) {
	want := errors.New("x")
	if err := middleware.Timeout(time.Hour)(func(context.Context, *sordini.Delivery) error { return want })(t.Context(), delivery(1)); err != want {
		t.Errorf("error %v", err)
	}
	if err := middleware.Timeout(time.Hour)(func(context.Context, *sordini.Delivery) error { return nil })(t.Context(), delivery(1)); err != nil {
		t.Errorf("error %v", err)
	}
}
