package middleware_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/trace"
	tracenoop "go.opentelemetry.io/otel/trace/noop"
	"go.uber.org/goleak"

	"github.com/sordini-go/sordini"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// recorder is a tracer and a meter that remember, in place of the OTel SDK: that would be one more module in go.mod for the tests alone.
type recorder struct {
	tracenoop.TracerProvider
	tracenoop.Tracer

	mu     sync.Mutex
	spans  []*span
	points []point
	units  map[string]string
}

type span struct {
	tracenoop.Span

	mu       sync.Mutex
	name     string
	kind     trace.SpanKind
	context  trace.SpanContext
	parent   trace.SpanContext
	links    []trace.Link
	attrs    map[attribute.Key]attribute.Value
	status   codes.Code
	describe string
	ended    bool
	start    time.Time
	took     time.Duration
}

type point struct {
	metric string
	value  float64
	attrs  attribute.Set
}

func (r *recorder) provider() trace.TracerProvider { return tracerProvider{r: r} }

type tracerProvider struct {
	tracenoop.TracerProvider
	r *recorder
}

func (p tracerProvider) Tracer(string, ...trace.TracerOption) trace.Tracer { return tracer{r: p.r} }

type tracer struct {
	tracenoop.Tracer
	r *recorder
}

func (t tracer) Start(ctx context.Context, name string, opts ...trace.SpanStartOption) (context.Context, trace.Span) {
	c := trace.NewSpanStartConfig(opts...)
	t.r.mu.Lock()
	defer t.r.mu.Unlock()
	s := &span{name: name, kind: c.SpanKind(), links: c.Links(), attrs: map[attribute.Key]attribute.Value{}, start: time.Now()}
	if !c.NewRoot() {
		s.parent = trace.SpanContextFromContext(ctx)
	}
	for _, kv := range c.Attributes() {
		s.attrs[kv.Key] = kv.Value
	}
	id := trace.SpanContextConfig{TraceID: s.parent.TraceID(), TraceFlags: trace.FlagsSampled}
	binary.BigEndian.PutUint64(id.SpanID[:], uint64(len(t.r.spans)+1))
	if !s.parent.IsValid() {
		binary.BigEndian.PutUint64(id.TraceID[:8], uint64(len(t.r.spans)+1))
	}
	s.context = trace.NewSpanContext(id)
	t.r.spans = append(t.r.spans, s)
	return trace.ContextWithSpan(ctx, s), s
}

func (s *span) SpanContext() trace.SpanContext { return s.context }
func (s *span) IsRecording() bool              { return true }

func (s *span) SetAttributes(kvs ...attribute.KeyValue) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, kv := range kvs {
		s.attrs[kv.Key] = kv.Value
	}
}

func (s *span) SetStatus(c codes.Code, description string) { s.status, s.describe = c, description }

func (s *span) End(...trace.SpanEndOption) {
	if s.ended {
		panic("span ended twice")
	}
	s.ended, s.took = true, time.Since(s.start)
}

// text prints the attributes, sorted.
func (s *span) text() string {
	var lines []string
	for k, v := range s.attrs {
		lines = append(lines, fmt.Sprintf("%s=%s", k, v.String()))
	}
	slices.Sort(lines)
	return strings.Join(lines, " ")
}

func (r *recorder) only(t *testing.T) *span {
	t.Helper()
	if len(r.spans) != 1 {
		t.Fatalf("%d spans, want 1", len(r.spans))
	}
	return r.spans[0]
}

// meters is a meter provider that remembers.
type meters struct {
	metricnoop.MeterProvider
	r *recorder
}

func (m meters) Meter(string, ...metric.MeterOption) metric.Meter { return meter{r: m.r} }

type meter struct {
	metricnoop.Meter
	r *recorder
}

func (m meter) Float64Histogram(name string, opts ...metric.Float64HistogramOption) (metric.Float64Histogram, error) {
	m.r.unit(name, metric.NewFloat64HistogramConfig(opts...).Unit())
	return histogram{r: m.r, name: name}, nil
}

func (m meter) Int64Counter(name string, opts ...metric.Int64CounterOption) (metric.Int64Counter, error) {
	m.r.unit(name, metric.NewInt64CounterConfig(opts...).Unit())
	return counter{r: m.r, name: name}, nil
}

func (r *recorder) unit(name, unit string) {
	if r.units == nil {
		r.units = map[string]string{}
	}
	r.units[name] = unit
}

type histogram struct {
	metricnoop.Float64Histogram
	r    *recorder
	name string
}

func (histogram) Enabled(context.Context) bool { return true }

func (h histogram) Record(_ context.Context, v float64, opts ...metric.RecordOption) {
	h.r.add(h.name, v, metric.NewRecordConfig(opts).Attributes())
}

type counter struct {
	metricnoop.Int64Counter
	r    *recorder
	name string
}

func (counter) Enabled(context.Context) bool { return true }

func (c counter) Add(_ context.Context, n int64, opts ...metric.AddOption) {
	c.r.add(c.name, float64(n), metric.NewAddConfig(opts).Attributes())
}

func (r *recorder) add(name string, v float64, set attribute.Set) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.points = append(r.points, point{name, v, set})
}

// lines prints what was measured, without values that are times.
func (r *recorder) lines() []string {
	var lines []string
	for _, p := range r.points {
		line := p.metric
		for _, kv := range p.attrs.ToSlice() {
			line += fmt.Sprintf(" %s=%s", kv.Key, kv.Value.String())
		}
		lines = append(lines, line)
	}
	return lines
}

func delivery(attempt int, headers ...sordini.Header) *sordini.Delivery {
	r := &sordini.Record{Topic: "orders", Partition: 3, Offset: 42, Timestamp: time.Now(), Key: []byte("k"), Value: []byte("v"), Headers: headers}
	return sordini.NewDelivery(r, "billing", attempt, 1, nil)
}

func header(key, value string) sordini.Header {
	return sordini.Header{Key: key, Value: []byte(value)}
}
