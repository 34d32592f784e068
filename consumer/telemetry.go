package consumer

import (
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// Telemetry is where traces and metrics go. A nil field means OpenTelemetry's global one, which does nothing until the program sets it.
type Telemetry struct {
	TracerProvider trace.TracerProvider
	MeterProvider  metric.MeterProvider
	Propagator     propagation.TextMapPropagator
}

func (t Telemetry) meter() metric.Meter {
	p := t.MeterProvider
	if p == nil {
		p = otel.GetMeterProvider()
	}
	return p.Meter("github.com/sordini-go/sordini/consumer")
}

// WithTelemetry sets where traces and metrics go; see Telemetry.
func WithTelemetry(t Telemetry) Option { return groupOption(func(c *config) { c.telemetry = t }) }
