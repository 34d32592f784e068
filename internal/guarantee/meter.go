package guarantee

import (
	"context"
	"sync"

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"
)

// meter is a meter provider that can be asked for what a member's observable gauges say.
type meter struct {
	noop.MeterProvider

	mu       sync.Mutex
	callback metric.Callback
}

type gauge struct {
	noop.Int64ObservableGauge
	name string
}

type registration struct {
	noop.Registration
	of *meter
}

// reading takes what a callback observes of one gauge.
type reading struct {
	noop.Observer
	name  string
	value int64
	found bool
}

type instruments struct {
	noop.Meter
	of *meter
}

// Meter returns the meter of whatever asks: it is for one member.
func (m *meter) Meter(string, ...metric.MeterOption) metric.Meter { return instruments{of: m} }

func (instruments) Int64ObservableGauge(name string, _ ...metric.Int64ObservableGaugeOption) (metric.Int64ObservableGauge, error) {
	return gauge{name: name}, nil
}

func (i instruments) RegisterCallback(f metric.Callback, _ ...metric.Observable) (metric.Registration, error) {
	i.of.mu.Lock()
	defer i.of.mu.Unlock()
	i.of.callback = f
	return registration{of: i.of}, nil
}

func (r registration) Unregister() error {
	r.of.mu.Lock()
	defer r.of.mu.Unlock()
	r.of.callback = nil
	return nil
}

func (r *reading) ObserveInt64(o metric.Int64Observable, value int64, _ ...metric.ObserveOption) {
	if g, ok := o.(gauge); ok && g.name == r.name {
		r.value, r.found = r.value+value, true
	}
}

// read returns what the gauge says now, summed over its attributes, and whether it is there.
func (m *meter) read(name string) (int64, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.callback == nil {
		return 0, false
	}
	r := &reading{name: name}
	if err := m.callback(context.Background(), r); err != nil {
		return 0, false
	}
	return r.value, r.found
}
