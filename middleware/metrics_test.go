package middleware_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/middleware"
)

func TestAttemptsAreMeasuredByOutcome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var rec recorder
		var next error
		h := middleware.Metrics(middleware.Config{MeterProvider: meters{r: &rec}})(func(context.Context, *sordini.Delivery) error {
			time.Sleep(2 * time.Second)
			return next
		})
		d := delivery(1)
		d.Record.Timestamp = time.Now().Add(-time.Minute)
		next = errors.New("x")
		_ = h(t.Context(), d)
		next = nil
		_ = h(t.Context(), delivery(2))
		next = fmt.Errorf("x: %w", sordini.ErrSkipped)
		_ = h(t.Context(), delivery(3))
		const base = " messaging.consumer.group.name=billing messaging.destination.name=orders messaging.operation.name=process messaging.operation.type=process messaging.system=kafka"
		want := []string{
			"messaging.client.consumed.messages" + base,
			"sordini.process.delay" + base,
			"messaging.process.duration error.type=*errors.errorString" + base,
			"messaging.process.duration" + base,
			"messaging.process.duration" + base + " sordini.outcome=skipped",
		}
		if got := rec.lines(); !slices.Equal(got, want) {
			t.Errorf("measured\n%q, want\n%q", got, want)
		}
		if rec.points[1].value != 60 || rec.points[2].value != 2 {
			t.Errorf("delay %v s, duration %v s; want 60 and 2", rec.points[1].value, rec.points[2].value)
		}
		if rec.units["messaging.process.duration"] != "s" || rec.units["messaging.client.consumed.messages"] != "{message}" {
			t.Errorf("units %v", rec.units)
		}
	})
}

func TestPanicIsMeasured(t *testing.T) {
	var rec recorder
	h := middleware.Metrics(middleware.Config{MeterProvider: meters{r: &rec}})(func(context.Context, *sordini.Delivery) error { panic("boom") })
	func() {
		defer func() { _ = recover() }()
		_ = h(t.Context(), delivery(2))
	}()
	if got := rec.lines(); len(got) != 1 || !slices.Contains(got, "messaging.process.duration error.type=panic messaging.consumer.group.name=billing "+
		"messaging.destination.name=orders messaging.operation.name=process messaging.operation.type=process messaging.system=kafka") {
		t.Errorf("measured %q", got)
	}
}

func TestSendsAreMeasuredWhenTheyEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var rec recorder
		for _, err := range []error{nil, kerr.NotEnoughReplicas} {
			send, acknowledge := asynchronous()
			middleware.SendMetrics(middleware.Config{MeterProvider: meters{r: &rec}})(send)(t.Context(), &sordini.Record{Topic: "orders"}, func(*sordini.Record, error) {})
			time.Sleep(time.Second)
			acknowledge(err)
		}
		const base = " messaging.destination.name=orders messaging.operation.name=send messaging.operation.type=send messaging.system=kafka"
		want := []string{
			"messaging.client.operation.duration" + base, "messaging.client.sent.messages" + base,
			"messaging.client.operation.duration error.type=NOT_ENOUGH_REPLICAS" + base, "messaging.client.sent.messages error.type=NOT_ENOUGH_REPLICAS" + base,
		}
		if got := rec.lines(); !slices.Equal(got, want) {
			t.Errorf("measured\n%q, want\n%q", got, want)
		}
		if rec.points[0].value != 1 {
			t.Errorf("duration %v s, want 1", rec.points[0].value)
		}
	})
}

type many struct{ error }

func TestMeasuringManyTopicsKeepsBoundedMemory(t *testing.T) {
	var rec recorder
	h := middleware.Metrics(middleware.Config{MeterProvider: meters{r: &rec}})(func(context.Context, *sordini.Delivery) error { return many{} })
	for i := range 1500 {
		d := delivery(2)
		d.Record.Topic = fmt.Sprint("t", i)
		_ = h(t.Context(), d)
	}
	if len(rec.points) != 1500 {
		t.Errorf("%d points of 1500: what does not fit the cache must still be measured", len(rec.points))
	}
}
