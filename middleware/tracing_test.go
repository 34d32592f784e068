package middleware_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	tracenoop "go.opentelemetry.io/otel/trace/noop"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/middleware"
)

const parentTrace, parentSpan = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"

func traceparent() sordini.Header {
	return header("traceparent", "00-"+parentTrace+"-"+parentSpan+"-01")
}

func TestProcessSpanContinuesTheTraceOfTheRecordAndTimesTheHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var rec recorder
		chain := middleware.Default(middleware.Config{TracerProvider: rec.provider(), ClientID: "svc"})
		var inside trace.SpanContext
		h := middleware.Wrap(func(ctx context.Context, _ *sordini.Delivery) error {
			inside = trace.SpanContextFromContext(ctx)
			time.Sleep(3 * time.Second)
			return nil
		}, chain...)
		if err := h(t.Context(), delivery(1, traceparent(), header("correlation-id", "c-1"))); err != nil {
			t.Fatal(err)
		}
		s := rec.only(t)
		if s.name != "process orders" || s.kind != trace.SpanKindConsumer || !s.ended || s.took != 3*time.Second || s.status != codes.Unset {
			t.Errorf("span %q of kind %v, ended %v after %v with status %v", s.name, s.kind, s.ended, s.took, s.status)
		}
		if s.parent.TraceID().String() != parentTrace || s.parent.SpanID().String() != parentSpan || !s.parent.IsRemote() {
			t.Errorf("parent is %v", s.parent)
		}
		if len(s.links) != 1 || s.links[0].SpanContext.SpanID().String() != parentSpan {
			t.Errorf("links %v: the conventions want one to the creation context", s.links)
		}
		if inside.SpanID() != s.context.SpanID() {
			t.Error("the handler's context does not have the span")
		}
		const want = "messaging.client.id=svc messaging.consumer.group.name=billing messaging.destination.name=orders " +
			"messaging.destination.partition.id=3 messaging.kafka.offset=42 messaging.message.conversation_id=c-1 messaging.operation.name=process " +
			"messaging.operation.type=process messaging.system=kafka sordini.attempt=1"
		if got := s.text(); got != want {
			t.Errorf("attributes\n%s, want\n%s", got, want)
		}
	})
}

func TestProcessSpanOfATombstoneSaysSo(t *testing.T) {
	var rec recorder
	d := delivery(1)
	d.Record.Value = nil
	_ = middleware.Tracing(middleware.Config{TracerProvider: rec.provider()})(func(context.Context, *sordini.Delivery) error { return nil })(t.Context(), d)
	if !rec.only(t).attrs["messaging.kafka.message.tombstone"].AsBool() {
		t.Error("the attribute is missing")
	}
}

func TestProcessSpanSaysHowTheAttemptEnded(t *testing.T) {
	revoked, cancel := context.WithCancelCause(t.Context())
	cancel(fmt.Errorf("revoked: %w", sordini.ErrInterrupted))
	late, stop := context.WithCancelCause(t.Context())
	stop(errors.New("handler timeout"))
	for name, c := range map[string]struct {
		ctx                context.Context
		err                error
		status             codes.Code
		errorType, outcome string
	}{
		"done":      {t.Context(), nil, codes.Unset, "", ""},
		"failed":    {t.Context(), fmt.Errorf("charge: %w", errors.New("no money")), codes.Error, "*errors.errorString", ""},
		"broker":    {t.Context(), fmt.Errorf("send: %w", kerr.NotEnoughReplicas), codes.Error, "NOT_ENOUGH_REPLICAS", ""},
		"joined":    {t.Context(), errors.Join(sordini.ErrContract, errors.New("x")), codes.Error, "*errors.errorString", ""},
		"deadline":  {t.Context(), fmt.Errorf("dial: %w", context.DeadlineExceeded), codes.Error, "timeout", ""},
		"skipped":   {t.Context(), fmt.Errorf("old: %w", sordini.ErrSkipped), codes.Unset, "", "skipped"},
		"cut":       {revoked, context.Canceled, codes.Unset, "", "cut"},
		"timed out": {late, context.Canceled, codes.Error, "canceled", ""},
	} {
		var rec recorder
		err := middleware.Tracing(middleware.Config{TracerProvider: rec.provider()})(func(context.Context, *sordini.Delivery) error { return c.err })(c.ctx, delivery(1))
		s := rec.only(t)
		if !errors.Is(err, c.err) || s.status != c.status || s.attrs["error.type"].AsString() != c.errorType || s.attrs["sordini.outcome"].AsString() != c.outcome || !s.ended {
			t.Errorf("%s: error %v, span %s with status %v, ended %v", name, err, s.text(), s.status, s.ended)
		}
	}
}

func TestPanicEndsTheSpanAndGoesOn(t *testing.T) {
	var rec recorder
	defer func() {
		if recover() != "boom" {
			t.Error("the panic is gone: recovering is the runner's")
		}
		if s := rec.only(t); !s.ended || s.status != codes.Error || s.attrs["error.type"].AsString() != "panic" {
			t.Errorf("span %s, status %v, ended %v", s.text(), s.status, s.ended)
		}
	}()
	_ = middleware.Tracing(middleware.Config{TracerProvider: rec.provider()})(func(context.Context, *sordini.Delivery) error { panic("boom") })(t.Context(), delivery(1))
}

func TestRetryIsLinkedToTheAttemptBeforeIt(t *testing.T) {
	var rec recorder
	h := middleware.Tracing(middleware.Config{TracerProvider: rec.provider()})(func(context.Context, *sordini.Delivery) error { return errors.New("x") })
	first := delivery(1, traceparent())
	_ = h(t.Context(), first)
	second := delivery(2, traceparent())
	second.PreviousSpan = first.PreviousSpan // as the runner does
	_ = h(t.Context(), second)
	if len(rec.spans) != 2 {
		t.Fatalf("%d spans", len(rec.spans))
	}
	s := rec.spans[1]
	if len(s.links) != 2 || s.links[1].SpanContext.SpanID() != rec.spans[0].context.SpanID() || s.parent.SpanID().String() != parentSpan {
		t.Errorf("links %v, parent %v", s.links, s.parent)
	}
	if s.attrs["sordini.attempt"].AsInt64() != 2 {
		t.Errorf("attributes %s", s.text())
	}
}

func TestNewTraceOnlyLinks(t *testing.T) {
	var rec recorder
	h := middleware.Tracing(middleware.Config{TracerProvider: rec.provider(), NewTrace: true})(func(context.Context, *sordini.Delivery) error { return nil })
	_ = h(t.Context(), delivery(1, traceparent()))
	if s := rec.only(t); s.parent.IsValid() || s.context.TraceID().String() == parentTrace || len(s.links) != 1 {
		t.Errorf("parent %v, links %v", s.parent, s.links)
	}
}

func TestProcessSpanInsideAnotherIsItsChild(t *testing.T) {
	var rec recorder
	h := middleware.Tracing(middleware.Config{TracerProvider: rec.provider()})(func(context.Context, *sordini.Delivery) error { return nil })
	ctx, outer := rec.provider().Tracer("test").Start(t.Context(), "test")
	_ = h(ctx, delivery(1, traceparent()))
	_ = h(ctx, delivery(1))
	if s := rec.spans[1]; s.parent.SpanID() != outer.SpanContext().SpanID() || len(s.links) != 1 || s.links[0].SpanContext.SpanID().String() != parentSpan {
		t.Errorf("parent %v, links %v", s.parent, s.links)
	}
	if s := rec.spans[2]; len(s.links) != 0 {
		t.Errorf("links %v of a record without a trace context", s.links)
	}
}

// asynchronous returns a sender that keeps what it was given, and a function that acknowledges it.
func asynchronous() (sordini.Sender, func(error)) {
	var record *sordini.Record
	var finish func(*sordini.Record, error)
	return func(_ context.Context, r *sordini.Record, done func(*sordini.Record, error)) {
			record, finish = r, done
		},
		func(err error) {
			record.Partition, record.Offset = 5, 99
			finish(record, err)
		}
}

func TestSendSpanLastsUntilTheAcknowledgementAndTravelsInTheRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var rec recorder
		send, acknowledge := asynchronous()
		send = middleware.WrapSend(send, middleware.DefaultSend(middleware.Config{TracerProvider: rec.provider(), Source: "svc"})...)
		r := &sordini.Record{Topic: "orders"}
		calls := 0
		send(sordini.WithCorrelationID(t.Context(), "c-1"), r, func(_ *sordini.Record, err error) {
			calls++
			if err != nil {
				t.Error(err)
			}
		})
		s := rec.only(t)
		if s.ended {
			t.Fatal("the span ended before the acknowledgement")
		}
		time.Sleep(time.Second)
		acknowledge(nil)
		if calls != 1 || !s.ended || s.took != time.Second || s.name != "send orders" || s.kind != trace.SpanKindProducer {
			t.Errorf("done called %d times; span %q of kind %v took %v", calls, s.name, s.kind, s.took)
		}
		const want = "messaging.destination.name=orders messaging.destination.partition.id=5 messaging.kafka.message.tombstone=true messaging.kafka.offset=99 " +
			"messaging.message.conversation_id=c-1 messaging.operation.name=send messaging.operation.type=send messaging.system=kafka"
		if got := s.text(); got != want {
			t.Errorf("attributes\n%s, want\n%s", got, want)
		}
		if got, want := r.Headers.Text("traceparent"), fmt.Sprintf("00-%s-%s-01", s.context.TraceID(), s.context.SpanID()); got != want {
			t.Errorf("traceparent %q, want %q", got, want)
		}
	})
}

func TestSendSpanOfARefusedRecordSaysWhy(t *testing.T) {
	var rec recorder
	send, acknowledge := asynchronous()
	var got error
	middleware.SendTracing(middleware.Config{TracerProvider: rec.provider()})(send)(t.Context(), &sordini.Record{Topic: "orders"}, func(_ *sordini.Record, err error) { got = err })
	acknowledge(fmt.Errorf("produce: %w", kerr.MessageTooLarge))
	if s := rec.only(t); s.status != codes.Error || s.attrs["error.type"].AsString() != "MESSAGE_TOO_LARGE" || !errors.Is(got, kerr.MessageTooLarge) {
		t.Errorf("span %s, status %v, error %v", s.text(), s.status, got)
	}
}

func TestSendKeepsACreationContextThatTheRecordHas(t *testing.T) {
	var rec recorder
	send, _ := asynchronous()
	r := &sordini.Record{Topic: "orders", Headers: sordini.Headers{traceparent()}}
	middleware.SendTracing(middleware.Config{TracerProvider: rec.provider()})(send)(t.Context(), r, nil)
	s := rec.only(t)
	if r.Headers.Text("traceparent") != string(traceparent().Value) || len(r.Headers) != 1 {
		t.Errorf("headers %v", r.Headers)
	}
	if s.kind != trace.SpanKindClient || len(s.links) != 1 || s.links[0].SpanContext.SpanID().String() != parentSpan {
		t.Errorf("kind %v, links %v", s.kind, s.links)
	}
}

func TestSendWithoutATracerPassesTheTraceOn(t *testing.T) {
	id, _ := trace.TraceIDFromHex(parentTrace)
	sid, _ := trace.SpanIDFromHex(parentSpan)
	ctx := trace.ContextWithRemoteSpanContext(t.Context(), trace.NewSpanContext(trace.SpanContextConfig{TraceID: id, SpanID: sid, TraceFlags: 1}))
	send, _ := asynchronous()
	r := &sordini.Record{Topic: "orders"}
	middleware.SendTracing(middleware.Config{TracerProvider: tracenoop.NewTracerProvider()})(send)(ctx, r, nil)
	if got := r.Headers.Text("traceparent"); got != string(traceparent().Value) {
		t.Errorf("traceparent %q", got)
	}
}

func TestTracerInstalledAfterwardsIsUsed(t *testing.T) {
	before := otel.GetTracerProvider()
	var calls int
	h := middleware.Tracing(middleware.Config{})(func(context.Context, *sordini.Delivery) error { calls++; return nil })
	early := middleware.Tracing(middleware.Config{TracerProvider: before})(func(context.Context, *sordini.Delivery) error { return nil })
	_ = h(t.Context(), delivery(1))
	var rec recorder
	otel.SetTracerProvider(rec.provider())
	defer otel.SetTracerProvider(tracenoop.NewTracerProvider())
	_, _ = h(t.Context(), delivery(1)), early(t.Context(), delivery(1))
	if len(rec.spans) != 2 || calls != 2 {
		t.Errorf("%d spans of 2, %d calls", len(rec.spans), calls)
	}
}

func TestProviderThatCanNotBeComparedIsUsed(t *testing.T) {
	var rec recorder
	p := uncomparable{tracerProvider: tracerProvider{r: &rec}, more: []int{1}}
	h := middleware.Tracing(middleware.Config{TracerProvider: p})(func(context.Context, *sordini.Delivery) error { return nil })
	_, _ = h(t.Context(), delivery(1)), h(t.Context(), delivery(1))
	if len(rec.spans) != 2 {
		t.Errorf("%d spans", len(rec.spans))
	}
}

type uncomparable struct {
	tracerProvider
	more []int
}
