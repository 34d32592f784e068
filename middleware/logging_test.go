package middleware_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/middleware"
)

func logger(level slog.Level) (*slog.Logger, *bytes.Buffer) {
	var b bytes.Buffer
	return slog.New(slog.NewTextHandler(&b, &slog.HandlerOptions{Level: level, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}})), &b
}

func TestFailedAttemptIsLoggedWithWhatItTakesToFindIt(t *testing.T) {
	log, out := logger(slog.LevelInfo)
	h := middleware.Wrap(func(context.Context, *sordini.Delivery) error { return errors.New("no money") }, middleware.Correlation(), middleware.Logging(middleware.Config{Logger: log}))
	_ = h(t.Context(), delivery(2, header("correlation-id", "c-1")))
	const want = `level=WARN msg="attempt failed" topic=orders partition=3 offset=42 group=billing attempt=2 correlation_id=c-1 error="no money" more_like_it=0` + "\n"
	if out.String() != want {
		t.Errorf("logged\n%s, want\n%s", out, want)
	}
}

func TestRepeatedFailuresAreLoggedAtABoundedRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, out := logger(slog.LevelInfo)
		n := 0
		h := middleware.Logging(middleware.Config{Logger: log})(func(context.Context, *sordini.Delivery) error { n++; return fmt.Errorf("order %d: refused", n) })
		for range 10_000 { // 100 s
			_ = h(t.Context(), delivery(1))
			time.Sleep(10 * time.Millisecond)
		}
		if lines := strings.Count(out.String(), "\n"); lines != 10 || !strings.Contains(out.String(), "more_like_it=999") {
			t.Errorf("%d lines for 10,000 failures in 100 s, want 10 that count the rest:\n%s", lines, out)
		}
	})
}

func TestOutcomesHaveTheirLevels(t *testing.T) {
	cut, cancel := context.WithCancelCause(t.Context())
	cancel(sordini.ErrInterrupted)
	for _, c := range []struct {
		ctx  context.Context
		err  error
		want string
	}{
		{t.Context(), nil, `level=DEBUG msg="record handled"`},
		{t.Context(), fmt.Errorf("old: %w", sordini.ErrSkipped), `level=INFO msg="record skipped on purpose"`},
		{cut, context.Canceled, `level=DEBUG msg="attempt cut"`},
		{t.Context(), errors.New("x"), `level=WARN msg="attempt failed"`},
	} {
		log, out := logger(slog.LevelDebug)
		_ = middleware.Logging(middleware.Config{Logger: log})(func(context.Context, *sordini.Delivery) error { return c.err })(c.ctx, delivery(1))
		if !strings.HasPrefix(out.String(), c.want) || strings.Count(out.String(), "\n") != 1 {
			t.Errorf("logged %q, want %q", out, c.want)
		}
		quiet, none := logger(slog.LevelError)
		_ = middleware.Logging(middleware.Config{Logger: quiet})(func(context.Context, *sordini.Delivery) error { return c.err })(c.ctx, delivery(1))
		if none.Len() > 0 {
			t.Errorf("logged %q below the logger's level", none)
		}
	}
}
