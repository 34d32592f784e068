package middleware

import (
	"context"
	"strconv"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/sordini-go/sordini"
)

// Tracing makes a span "process <topic>" (kind consumer) around each attempt. It continues the trace that the record's headers carry (W3C trace context; see
// [Config.NewTrace]) and is linked to the span that sent the record; a retry is also linked to the attempt before it. Inside a span that is there already,
// in a test say, it becomes that one's child. A failed attempt has status error and error.type; keys are left out, they may be personal.
//
// Where no tracer provider is installed nothing is done, and a trace context in the record's headers is not carried on.
func Tracing(cfg Config) sordini.AttemptMiddleware {
	t := processTracing{tracers: newTracers(cfg.TracerProvider), propagator: cfg.propagator(), newTrace: cfg.NewTrace, clientID: cfg.ClientID}
	return func(next sordini.Handler) sordini.Handler {
		return func(ctx context.Context, d *sordini.Delivery) error {
			tracer := t.tracers.tracer()
			if tracer == nil {
				return next(ctx, d)
			}
			return t.attempt(ctx, tracer, next, d)
		}
	}
}

type processTracing struct {
	tracers    *tracers
	propagator propagation.TextMapPropagator
	newTrace   bool
	clientID   string
}

func (t *processTracing) attempt(ctx context.Context, tracer trace.Tracer, next sordini.Handler, d *sordini.Delivery) (err error) {
	ctx, span := t.start(ctx, tracer, d)
	returned := false
	defer func() {
		if !returned { // it panics: the runner recovers
			span.SetStatus(codes.Error, "panic")
			span.SetAttributes(attrErrorType.String("panic"))
		}
		if !returned || err != nil {
			sc := span.SpanContext()
			d.PreviousSpan = &sc
		}
		span.End()
	}()
	err = next(ctx, d)
	returned = true
	switch judge(ctx, err) {
	case skipped:
		span.SetAttributes(attrOutcome.String("skipped"))
	case cut:
		span.SetAttributes(attrOutcome.String("cut"))
	case failed:
		span.SetStatus(codes.Error, err.Error())
		span.SetAttributes(attrErrorType.String(errorType(err)))
	}
	return err
}

func (t *processTracing) start(ctx context.Context, tracer trace.Tracer, d *sordini.Delivery) (context.Context, trace.Span) {
	r := d.Record
	ambient := trace.SpanFromContext(ctx)
	ctx = t.propagator.Extract(ctx, headerCarrier{&r.Headers})
	creation := trace.SpanContextFromContext(ctx)
	if ambient.SpanContext().IsValid() {
		if ctx = trace.ContextWithSpan(ctx, ambient); creation.Equal(ambient.SpanContext()) {
			creation = trace.SpanContext{} // the headers have none
		}
	}
	attrs := append(make([]attribute.KeyValue, 0, 11),
		attrSystem.String("kafka"), attrOperationName.String("process"), attrOperationType.String("process"),
		attrDestination.String(r.Topic), attrPartition.String(strconv.Itoa(int(r.Partition))), attrOffset.Int64(r.Offset),
		attrGroup.String(d.Group), attrAttempt.Int(d.Attempt))
	if t.clientID != "" {
		attrs = append(attrs, attrClientID.String(t.clientID))
	}
	if id := sordini.CorrelationID(ctx); id != "" {
		attrs = append(attrs, attrConversationID.String(id))
	}
	if r.Tombstone() {
		attrs = append(attrs, attrTombstone.Bool(true))
	}
	opts := append(make([]trace.SpanStartOption, 0, 4), trace.WithSpanKind(trace.SpanKindConsumer), trace.WithAttributes(attrs...))
	var links []trace.Link
	if creation.IsValid() {
		links = append(links, trace.Link{SpanContext: creation, Attributes: []attribute.KeyValue{attrLink.String("sent by")}})
	}
	if d.PreviousSpan != nil {
		links = append(links, trace.Link{SpanContext: *d.PreviousSpan, Attributes: []attribute.KeyValue{attrLink.String("retry of")}})
	}
	if len(links) > 0 {
		opts = append(opts, trace.WithLinks(links...))
	}
	if t.newTrace {
		opts = append(opts, trace.WithNewRoot())
	}
	return tracer.Start(ctx, "process "+r.Topic, opts...)
}

// SendTracing makes a span "send <topic>" (kind producer) that lasts until the record was acknowledged or refused, and writes its context into the record's
// headers (W3C trace context). A context that the record carries already is left as it is; the span is then of kind client and linked to it.
//
// Where no tracer provider is installed, a span context of ctx is still written into the headers.
func SendTracing(cfg Config) sordini.SendMiddleware {
	t := sendTracing{tracers: newTracers(cfg.TracerProvider), propagator: cfg.propagator(), clientID: cfg.ClientID}
	t.fields = t.propagator.Fields()
	return func(next sordini.Sender) sordini.Sender {
		return func(ctx context.Context, r *sordini.Record, done func(*sordini.Record, error)) {
			tracer := t.tracers.tracer()
			if tracer != nil {
				ctx, done = t.start(ctx, tracer, r, done)
			} else if trace.SpanContextFromContext(ctx).IsValid() && !t.carries(r) {
				t.propagator.Inject(ctx, headerCarrier{&r.Headers})
			}
			next(ctx, r, done)
		}
	}
}

type sendTracing struct {
	tracers    *tracers
	propagator propagation.TextMapPropagator
	fields     []string
	clientID   string
}

// carries reports whether the record has a creation context of its own.
func (t *sendTracing) carries(r *sordini.Record) bool {
	for i := range r.Headers {
		for _, f := range t.fields {
			if r.Headers[i].Key == f && f != "baggage" {
				return true
			}
		}
	}
	return false
}

func (t *sendTracing) start(ctx context.Context, tracer trace.Tracer, r *sordini.Record, done func(*sordini.Record, error)) (context.Context, func(*sordini.Record, error)) {
	attrs := append(make([]attribute.KeyValue, 0, 8),
		attrSystem.String("kafka"), attrOperationName.String("send"), attrOperationType.String("send"), attrDestination.String(r.Topic))
	if t.clientID != "" {
		attrs = append(attrs, attrClientID.String(t.clientID))
	}
	if id, ok := r.Headers.Get(sordini.HeaderCorrelationID); ok {
		attrs = append(attrs, attrConversationID.String(string(id)))
	}
	if r.Tombstone() {
		attrs = append(attrs, attrTombstone.Bool(true))
	}
	opts := append(make([]trace.SpanStartOption, 0, 3), trace.WithAttributes(attrs...))
	custom := t.carries(r)
	if custom {
		opts = append(opts, trace.WithSpanKind(trace.SpanKindClient))
		if sc := trace.SpanContextFromContext(t.propagator.Extract(context.Background(), headerCarrier{&r.Headers})); sc.IsValid() {
			opts = append(opts, trace.WithLinks(trace.Link{SpanContext: sc}))
		}
	} else {
		opts = append(opts, trace.WithSpanKind(trace.SpanKindProducer))
	}
	ctx, span := tracer.Start(ctx, "send "+r.Topic, opts...)
	if !custom {
		t.propagator.Inject(ctx, headerCarrier{&r.Headers})
	}
	return ctx, func(r *sordini.Record, err error) {
		if err != nil {
			span.SetStatus(codes.Error, err.Error())
			span.SetAttributes(attrErrorType.String(errorType(err)))
		} else {
			span.SetAttributes(attrPartition.String(strconv.Itoa(int(r.Partition))), attrOffset.Int64(r.Offset))
		}
		span.End()
		done(r, err)
	}
}

// headerCarrier lets a propagator read and write record headers.
type headerCarrier struct{ h *sordini.Headers }

func (c headerCarrier) Get(key string) string { return c.h.Text(key) }

func (c headerCarrier) Set(key, value string) { c.h.Set(key, []byte(value)) }

func (c headerCarrier) Keys() []string {
	keys := make([]string, len(*c.h))
	for i := range *c.h {
		keys[i] = (*c.h)[i].Key
	}
	return keys
}
