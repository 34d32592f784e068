package middleware_test

import (
	"context"
	"log/slog"
	"testing"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/middleware"
)

func quiet() middleware.Config {
	return middleware.Config{Logger: slog.New(slog.DiscardHandler), Source: "svc"}
}

func TestDefaultChainCostsOneAllocationARecordWhereNothingIsInstalled(t *testing.T) {
	h := middleware.Wrap(func(context.Context, *sordini.Delivery) error { return nil }, middleware.Default(quiet())...)
	d, ctx := delivery(1, header("correlation-id", "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"), header("source", "svc")), t.Context()
	if n := testing.AllocsPerRun(1000, func() { _ = h(ctx, d) }); n > 1 {
		t.Errorf("%v allocations", n)
	}
}

func TestDefaultSendChainCostsOneAllocationARecordWhereNothingIsInstalled(t *testing.T) {
	s := middleware.WrapSend(func(context.Context, *sordini.Record, func(*sordini.Record, error)) {}, middleware.DefaultSend(quiet())...)
	r, ctx := &sordini.Record{Topic: "orders", Headers: make(sordini.Headers, 0, 4)}, t.Context()
	if n := testing.AllocsPerRun(1000, func() { r.Headers = r.Headers[:0]; s(ctx, r, nil) }); n > 1 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkDefault(b *testing.B) {
	b.ReportAllocs()
	h := middleware.Wrap(func(context.Context, *sordini.Delivery) error { return nil }, middleware.Default(quiet())...)
	d, ctx := delivery(1, header("correlation-id", "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"), header("source", "svc")), b.Context()
	for b.Loop() {
		_ = h(ctx, d)
	}
}

func BenchmarkDefaultSend(b *testing.B) {
	b.ReportAllocs()
	s := middleware.WrapSend(func(context.Context, *sordini.Record, func(*sordini.Record, error)) {}, middleware.DefaultSend(quiet())...)
	r, ctx := &sordini.Record{Topic: "orders", Headers: make(sordini.Headers, 0, 4)}, b.Context()
	for b.Loop() {
		r.Headers = r.Headers[:0]
		s(ctx, r, nil)
	}
}
