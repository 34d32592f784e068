package middleware

import (
	"reflect"
	"strings"
	"sync/atomic"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/trace"
)

// tracers finds the tracer to use, and says nil where nobody would see its spans: then the whole of tracing is skipped, at the price of two atomic loads.
type tracers struct {
	provider trace.TracerProvider // nil: the global one, whenever it is installed
	current  atomic.Pointer[current]
}

type current struct {
	provider trace.TracerProvider
	tracer   trace.Tracer
}

func newTracers(p trace.TracerProvider) *tracers {
	if p != nil && pkg(p) == globalPkg {
		p = nil // a placeholder that was fetched before a provider was installed
	}
	return &tracers{provider: p}
}

func (t *tracers) tracer() trace.Tracer {
	p := t.provider
	if p == nil {
		p = otel.GetTracerProvider()
	}
	if c := t.current.Load(); c != nil && same(c.provider, p) {
		return c.tracer
	}
	c := &current{provider: p}
	if name := pkg(p); name != globalPkg && !strings.HasSuffix(name, "otel/trace/noop") {
		c.tracer = p.Tracer(scope, trace.WithSchemaURL(schemaURL))
	}
	t.current.Store(c)
	return c.tracer
}

const globalPkg = "go.opentelemetry.io/otel/internal/global"

// pkg is the package that p's type comes from.
func pkg(p trace.TracerProvider) string {
	t := reflect.TypeOf(p)
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t.PkgPath()
}

// same compares two providers, also those whose type can not be compared.
func same(a, b trace.TracerProvider) bool {
	if reflect.TypeOf(a) != reflect.TypeOf(b) {
		return false
	}
	if reflect.TypeOf(a).Kind() == reflect.Pointer {
		return a == b
	}
	return !reflect.ValueOf(a).Comparable() || a == b
}
