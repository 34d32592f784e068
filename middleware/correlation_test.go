package middleware_test

import (
	"context"
	"testing"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/middleware"
)

func TestAttemptHasTheCorrelationIDOfItsRecord(t *testing.T) {
	var got string
	h := middleware.Correlation()(func(ctx context.Context, _ *sordini.Delivery) error {
		got = sordini.CorrelationID(ctx)
		return nil
	})
	_ = h(t.Context(), delivery(1, header("correlation-id", "first"), header("correlation-id", "last")))
	if got != "last" {
		t.Errorf("the id is %q, want the last header's", got)
	}
	for _, d := range []*sordini.Delivery{delivery(1), delivery(1, header("correlation-id", ""))} {
		if _ = h(sordini.WithCorrelationID(t.Context(), "of the runner"), d); len(got) != 36 {
			t.Errorf("a record without an id is handled with %q, want a new one", got)
		}
	}
}

func TestSendWritesCorrelationIDAndSource(t *testing.T) {
	var got sordini.Headers
	send := middleware.SendCorrelation("order-service")(func(_ context.Context, r *sordini.Record, _ func(*sordini.Record, error)) { got = r.Headers })

	send(sordini.WithCorrelationID(t.Context(), "c-1"), &sordini.Record{}, nil)
	if got.Text("correlation-id") != "c-1" || got.Text("source") != "order-service" || len(got) != 2 {
		t.Errorf("headers %v", got)
	}
	send(t.Context(), &sordini.Record{}, nil)
	first := got.Text("correlation-id")
	send(t.Context(), &sordini.Record{}, nil)
	if second := got.Text("correlation-id"); len(first) != 36 || len(second) != 36 || first == second {
		t.Errorf("ids %q and %q, want two new ones", first, second)
	}
	send(t.Context(), &sordini.Record{Headers: sordini.Headers{header("source", "me"), header("correlation-id", "mine")}}, nil)
	if got.Text("correlation-id") != "mine" || got.Text("source") != "me" || len(got) != 2 {
		t.Errorf("headers that were there are changed: %v", got)
	}
}

func TestSendWithoutSourceWritesNone(t *testing.T) {
	send := middleware.SendCorrelation("")(func(_ context.Context, r *sordini.Record, _ func(*sordini.Record, error)) {
		if _, ok := r.Headers.Get("source"); ok {
			t.Errorf("headers %v", r.Headers)
		}
	})
	send(t.Context(), &sordini.Record{}, nil)
}

func TestWhatAHandlerSendsHasTheIDOfWhatItHandles(t *testing.T) {
	var got string
	send := middleware.SendCorrelation("")(func(_ context.Context, r *sordini.Record, _ func(*sordini.Record, error)) {
		got = r.Headers.Text("correlation-id")
	})
	handle := middleware.Correlation()(func(ctx context.Context, _ *sordini.Delivery) error {
		send(ctx, &sordini.Record{Topic: "payments"}, nil)
		return nil
	})
	_ = handle(t.Context(), delivery(1, header("correlation-id", "c-17")))
	if got != "c-17" {
		t.Fatalf("sent with %q, want c-17", got)
	}
}
