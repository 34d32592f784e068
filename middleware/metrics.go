package middleware

import (
	"context"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/sordini-go/sordini"
)

// Metrics measures each attempt:
//
//	messaging.process.duration          s, histogram: how long the attempt took; with error.type where it failed, sordini.outcome where it was skipped or cut
//	messaging.client.consumed.messages  counter: records that were given to a handler, each once however often it is retried
//	sordini.process.delay               s, histogram: from the record's timestamp to its first attempt
//
// Attributes are messaging.system, messaging.operation.name, messaging.destination.name and messaging.consumer.group.name: never a key, an offset or a
// message. A meter that does not record costs nothing. What belongs to the group as a whole (lag, records in flight, retries, dead letters) the runner measures.
func Metrics(cfg Config) sordini.AttemptMiddleware {
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
	return func(next sordini.Handler) sordini.Handler {
		return func(ctx context.Context, d *sordini.Delivery) (err error) {
			if !duration.Enabled(ctx) && !consumed.Enabled(ctx) && !delay.Enabled(ctx) {
				return next(ctx, d)
			}
			key := setKey{topic: d.Record.Topic, group: d.Group}
			start := time.Now()
			if d.Attempt <= 1 {
				set := sets.get(key)
				consumed.Add(ctx, 1, set.add...)
				delay.Record(ctx, max(start.Sub(d.Record.Timestamp), 0).Seconds(), set.record...)
			}
			key.errorType = "panic"
			defer func() { duration.Record(ctx, time.Since(start).Seconds(), sets.get(key).record...) }()
			err = next(ctx, d)
			switch key.errorType = ""; judge(ctx, err) {
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

// SendMetrics measures each send:
//
//	messaging.client.operation.duration  s, histogram: from the send to its acknowledgement or error
//	messaging.client.sent.messages       counter: records that the producer was asked to send
//
// with messaging.system, messaging.operation.name, messaging.destination.name and, where it failed, error.type.
func SendMetrics(cfg Config) sordini.SendMiddleware {
	m := meter(cfg)
	duration, _ := m.Float64Histogram(metricOperation, metric.WithUnit("s"), metric.WithExplicitBucketBoundaries(buckets...),
		metric.WithDescription("Duration of messaging operation initiated by a producer or consumer client."))
	sent, _ := m.Int64Counter(metricSent, metric.WithUnit("{message}"),
		metric.WithDescription("Number of messages producer attempted to send to the broker."))
	sets := attributeSets{build: func(setKey) []attribute.KeyValue {
		return []attribute.KeyValue{attrOperationName.String("send"), attrOperationType.String("send")}
	}}
	return func(next sordini.Sender) sordini.Sender {
		return func(ctx context.Context, r *sordini.Record, finish func(*sordini.Record, error)) {
			if !duration.Enabled(ctx) && !sent.Enabled(ctx) {
				next(ctx, r, finish)
				return
			}
			topic, start := r.Topic, time.Now()
			next(ctx, r, func(r *sordini.Record, err error) {
				key := setKey{topic: topic}
				if err != nil {
					key.errorType = errorType(err)
				}
				set := sets.get(key)
				duration.Record(ctx, time.Since(start).Seconds(), set.record...)
				sent.Add(ctx, 1, set.add...)
				finish(r, err)
			})
		}
	}
}

// delayBuckets reach from what a healthy group needs to a week of retries and redrives.
var delayBuckets = []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200, 86400, 604800}

func meter(cfg Config) metric.Meter {
	p := cfg.MeterProvider
	if p == nil {
		p = otel.GetMeterProvider()
	}
	return p.Meter(scope, metric.WithSchemaURL(schemaURL))
}

// attributeSets keeps the attributes of each combination that was seen, so that measuring allocates nothing. Reading it takes no lock.
type attributeSets struct {
	build func(setKey) []attribute.KeyValue
	seen  atomic.Pointer[map[setKey]*options]

	mu sync.Mutex // one writer at a time
}

type setKey struct{ topic, group, errorType, outcome string }

type options struct {
	record []metric.RecordOption
	add    []metric.AddOption
}

// maxSets bounds the memory if somebody's errors have no end of types; what does not fit is built again each time.
const maxSets = 1000

func (a *attributeSets) get(k setKey) *options {
	if m := a.seen.Load(); m != nil {
		if o := (*m)[k]; o != nil {
			return o
		}
	}
	attrs := append(a.build(k), attrSystem.String("kafka"), attrDestination.String(k.topic))
	if k.errorType != "" {
		attrs = append(attrs, attrErrorType.String(k.errorType))
	}
	if k.outcome != "" {
		attrs = append(attrs, attrOutcome.String(k.outcome))
	}
	set := metric.WithAttributeSet(attribute.NewSet(attrs...))
	o := &options{record: []metric.RecordOption{set}, add: []metric.AddOption{set}}

	a.mu.Lock()
	defer a.mu.Unlock()
	next := map[setKey]*options{}
	if m := a.seen.Load(); m != nil {
		if len(*m) >= maxSets {
			return o
		}
		next = maps.Clone(*m)
	}
	next[k] = o
	a.seen.Store(&next)
	return o
}
