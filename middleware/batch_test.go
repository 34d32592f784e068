package middleware_test

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/codes"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/middleware"
)

func TestBatchHasOneSpanLinkedToItsRecords(t *testing.T) {
	var rec recorder
	h := middleware.BatchTracing(middleware.Config{TracerProvider: rec.provider()})(func(context.Context, []*sordini.Delivery) error { return errors.New("no money") })
	ds := []*sordini.Delivery{delivery(1, traceparent()), delivery(1), delivery(1, traceparent())}
	_ = h(t.Context(), ds)
	s := rec.only(t)
	if s.name != "process orders" || s.status != codes.Error || len(s.links) != 2 || s.links[0].SpanContext.SpanID().String() != parentSpan {
		t.Errorf("span %q with status %v and links %v, want links to the two that say who sent them", s.name, s.status, s.links)
	}
	if s.parent.IsValid() {
		t.Errorf("parent %v: a batch has no single one", s.parent)
	}
	for _, d := range ds {
		if d.PreviousSpan == nil || d.PreviousSpan.SpanID() != s.context.SpanID() {
			t.Error("a retry would not be linked to the batch that failed")
		}
	}
}

func TestBatchWithOneFailureIsLoggedAsFailed(t *testing.T) {
	log, out := logger(slog.LevelInfo)
	for _, each := range [][]error{{nil, sordini.ErrSkipped}, {sordini.ErrSkipped, errors.New("no money")}} {
		h := middleware.BatchLogging(middleware.Config{Logger: log})(func(context.Context, []*sordini.Delivery) error { return errors.Join(each...) })
		_ = h(t.Context(), []*sordini.Delivery{delivery(1), delivery(1)})
	}
	if n := strings.Count(out.String(), "batch failed"); n != 1 || !strings.Contains(out.String(), "records=2") {
		t.Errorf("logged\n%s, want the failed batch alone", out)
	}
}

func TestBatchIsMeasuredOnceAndItsRecordsAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var rec recorder
		h := middleware.BatchMetrics(middleware.Config{MeterProvider: meters{r: &rec}})(func(context.Context, []*sordini.Delivery) error {
			time.Sleep(2 * time.Second) // virtual
			return errors.Join(sordini.ErrSkipped, errors.New("no money"))
		})
		ds := []*sordini.Delivery{delivery(1), delivery(1), delivery(2)}
		for _, d := range ds {
			d.Record.Timestamp = time.Now().Add(-time.Minute)
		}
		_ = h(t.Context(), ds)
		values := map[string][]float64{}
		for _, p := range rec.points {
			values[p.metric] = append(values[p.metric], p.value)
		}
		want := map[string][]float64{
			"messaging.process.duration":         {2},
			"messaging.client.consumed.messages": {2}, // the third was delivered before
			"sordini.process.delay":              {60, 60},
		}
		if !maps.EqualFunc(values, want, slices.Equal) {
			t.Errorf("measured %v, want %v", values, want)
		}
		if !strings.Contains(strings.Join(rec.lines(), "\n"), "messaging.process.duration error.type=") {
			t.Errorf("measured %q, want the error's type", rec.lines())
		}
	})
}
