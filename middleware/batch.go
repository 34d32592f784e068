package middleware

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/internal/lograte"
)

// DefaultBatch is the chain that every batch handler begins with, outermost first. There is no correlation id in it: the records of a batch have one each.
func DefaultBatch(cfg Config) []sordini.BatchMiddleware {
	return []sordini.BatchMiddleware{BatchTracing(cfg), BatchMetrics(cfg), BatchLogging(cfg)}
}

// BatchTracing makes one span "process <topic>" (kind consumer) around each call of a batch handler, linked to the spans that sent its records and, for a retry,
// to the attempt before it. messaging.batch.message_count is the number of records.
func BatchTracing(cfg Config) sordini.BatchMiddleware {
	t := processTracing{tracers: newTracers(cfg.TracerProvider), propagator: cfg.propagator(), clientID: cfg.ClientID}
	return func(next sordini.BatchHandler) sordini.BatchHandler {
		return func(ctx context.Context, ds []*sordini.Delivery) error {
			tracer := t.tracers.tracer()
			if tracer == nil || len(ds) == 0 {
				return next(ctx, ds)
			}
			return t.batch(ctx, tracer, next, ds)
		}
	}
}

func (t *processTracing) batch(ctx context.Context, tracer trace.Tracer, next sordini.BatchHandler, ds []*sordini.Delivery) (err error) {
	r := ds[0].Record
	attrs := []attribute.KeyValue{
		attrSystem.String("kafka"), attrOperationName.String("process"), attrOperationType.String("process"),
		attrDestination.String(r.Topic), attrPartition.String(strconv.Itoa(int(r.Partition))), attrGroup.String(ds[0].Group), attrBatchCount.Int(len(ds)),
	}
	if t.clientID != "" {
		attrs = append(attrs, attrClientID.String(t.clientID))
	}
	var links []trace.Link
	for _, d := range ds {
		if sent := trace.SpanContextFromContext(t.propagator.Extract(context.Background(), headerCarrier{&d.Record.Headers})); sent.IsValid() {
			links = append(links, trace.Link{SpanContext: sent, Attributes: []attribute.KeyValue{attrLink.String("sent by"), attrOffset.Int64(d.Record.Offset)}})
		}
		if d.PreviousSpan != nil {
			links = append(links, trace.Link{SpanContext: *d.PreviousSpan, Attributes: []attribute.KeyValue{attrLink.String("retry of"), attrOffset.Int64(d.Record.Offset)}})
		}
	}
	ctx, span := tracer.Start(ctx, "process "+r.Topic, trace.WithSpanKind(trace.SpanKindConsumer), trace.WithAttributes(attrs...), trace.WithLinks(links...))
	returned := false
	defer func() {
		if !returned { // it panics: the runner recovers
			span.SetStatus(codes.Error, "panic")
			span.SetAttributes(attrErrorType.String("panic"))
		}
		if !returned || err != nil {
			sc := span.SpanContext()
			for _, d := range ds {
				d.PreviousSpan = &sc
			}
		}
		span.End()
	}()
	err = next(ctx, ds)
	returned = true
	switch judgeBatch(ctx, err) {
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

// judgeBatch is judge for an error that may have an answer for each record: it failed where any of them did.
func judgeBatch(ctx context.Context, err error) outcome {
	var each interface {
		error
		Unwrap() []error
	}
	if !errors.As(err, &each) {
		return judge(ctx, err)
	}
	out := done
	for _, e := range each.Unwrap() {
		switch judge(ctx, e) {
		case failed:
			return failed
		case cut:
			out = cut
		case skipped:
			if out == done {
				out = skipped
			}
		}
	}
	return out
}

// BatchMetrics measures each call of a batch handler as [Metrics] does an attempt: the duration is that of the call, the others count records.
func BatchMetrics(cfg Config) sordini.BatchMiddleware {
	m := meter(cfg)
	duration, _ := m.Float64Histogram(metricProcess, metric.WithUnit("s"), metric.WithExplicitBucketBoundaries(buckets...),
		metric.WithDescription("Duration of processing operation."))
	consumed, _ := m.Int64Counter(metricConsumed, metric.WithUnit("{message}"),
		metric.WithDescription("Number of messages that were delivered to the application."))
	delay, _ := m.Float64Histogram(metricDelay, metric.WithUnit("s"), metric.WithExplicitBucketBoundaries(delayBuckets...),
		metric.WithDescription("Time from a record's timestamp to the start of its first attempt."))
	sets := attributeSets{build: func(k setKey) []attribute.KeyValue {
		return []attribute.KeyValue{attrOperationName.String("process"), attrOperationType.String("process"), attrGroup.String(k.group)}
	}}
	return func(next sordini.BatchHandler) sordini.BatchHandler {
		return func(ctx context.Context, ds []*sordini.Delivery) (err error) {
			if len(ds) == 0 || !duration.Enabled(ctx) && !consumed.Enabled(ctx) && !delay.Enabled(ctx) {
				return next(ctx, ds)
			}
			key := setKey{topic: ds[0].Record.Topic, group: ds[0].Group}
			start, set, first := time.Now(), sets.get(key), int64(0)
			for _, d := range ds {
				if d.Attempt <= 1 {
					first++
					delay.Record(ctx, max(start.Sub(d.Record.Timestamp), 0).Seconds(), set.record...)
				}
			}
			if first > 0 {
				consumed.Add(ctx, first, set.add...)
			}
			key.errorType = "panic"
			defer func() { duration.Record(ctx, time.Since(start).Seconds(), sets.get(key).record...) }()
			err = next(ctx, ds)
			switch key.errorType = ""; judgeBatch(ctx, err) {
			case skipped:
				key.outcome = "skipped"
			case cut:
				key.outcome = "cut"
			case failed:
				key.errorType = errorType(err)
			}
			return err
		}
	}
}

// BatchLogging writes a line (level warn) for a call of a batch handler that failed, for all or some of its records. Of failures of one kind on one topic at most
// one line is written in ten seconds, with the number of those that were not.
func BatchLogging(cfg Config) sordini.BatchMiddleware {
	var limit lograte.Limiter
	return func(next sordini.BatchHandler) sordini.BatchHandler {
		return func(ctx context.Context, ds []*sordini.Delivery) error {
			err := next(ctx, ds)
			log := cfg.logger()
			if err == nil || len(ds) == 0 || judgeBatch(ctx, err) != failed || !log.Enabled(ctx, slog.LevelWarn) {
				return err
			}
			if ok, more := limit.Allow(ds[0].Record.Topic, err.Error()); ok {
				report(ctx, log, slog.LevelWarn, "batch failed", ds[0], slog.Int("records", len(ds)), slog.String("error", err.Error()), slog.Int("more_like_it", more))
			}
			return err
		}
	}
}
