package middleware

import (
	"log/slog"

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/sordini-go/sordini"
)

// Config is what the default chains need to know. The zero value works.
type Config struct {
	Logger         *slog.Logger                  // slog.Default() when nil
	TracerProvider trace.TracerProvider          // the global one when nil, also when it is installed later
	MeterProvider  metric.MeterProvider          // the global one when nil, also when it is installed later
	Propagator     propagation.TextMapPropagator // W3C trace context and baggage when nil
	Source         string                        // the sending service, for the header "source"; none when empty
	ClientID       string                        // for messaging.client.id; left out when empty

	// NewTrace starts a trace of its own for every record that is handled, linked to the one that sent it. By default it continues that one, as the
	// conventions allow where a span handles a single record.
	NewTrace bool
}

// Default is the chain that every handler begins with, outermost first.
func Default(cfg Config) []sordini.AttemptMiddleware {
	return []sordini.AttemptMiddleware{Correlation(), Tracing(cfg), Metrics(cfg), Logging(cfg)}
}

// DefaultSend is the chain that every send begins with, outermost first.
func DefaultSend(cfg Config) []sordini.SendMiddleware {
	return []sordini.SendMiddleware{SendCorrelation(cfg.Source), SendTracing(cfg), SendMetrics(cfg)}
}

// Wrap puts a chain around a handler; the first middleware is the outermost.
func Wrap(h sordini.Handler, chain ...sordini.AttemptMiddleware) sordini.Handler {
	for i := len(chain) - 1; i >= 0; i-- {
		h = chain[i](h)
	}
	return h
}

// WrapSend puts a chain around a sender; the first middleware is the outermost.
func WrapSend(s sordini.Sender, chain ...sordini.SendMiddleware) sordini.Sender {
	for i := len(chain) - 1; i >= 0; i-- {
		s = chain[i](s)
	}
	return s
}

// scope is the instrumentation scope of spans and metrics.
const scope = "github.com/sordini-go/sordini/middleware"

func (c Config) logger() *slog.Logger {
	if c.Logger != nil {
		return c.Logger
	}
	return slog.Default()
}

func (c Config) propagator() propagation.TextMapPropagator {
	if c.Propagator != nil {
		return c.Propagator
	}
	return propagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, propagation.Baggage{})
}
