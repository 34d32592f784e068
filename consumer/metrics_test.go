package consumer_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"

	"github.com/sordini-go/sordini/consumer"
	"github.com/sordini-go/sordini/dlt"
)

// meters is a meter provider that can be asked for what its observable instruments say.
type meters struct {
	noop.MeterProvider
	mu        sync.Mutex
	callbacks map[*meters]metric.Callback
}

type meter struct {
	noop.Meter
	m *meters
}

type instrument struct {
	noop.Int64ObservableCounter
	name string
}

type instrumentGauge struct {
	noop.Int64ObservableGauge
	name string
}

type registration struct {
	noop.Registration
	m *meters
}

func (m *meters) Meter(string, ...metric.MeterOption) metric.Meter { return meter{m: m} }

func (m meter) Int64ObservableCounter(name string, _ ...metric.Int64ObservableCounterOption) (metric.Int64ObservableCounter, error) {
	return &instrument{name: name}, nil
}

func (m meter) Int64ObservableGauge(name string, _ ...metric.Int64ObservableGaugeOption) (metric.Int64ObservableGauge, error) {
	return &instrumentGauge{name: name}, nil
}

func (m meter) RegisterCallback(f metric.Callback, _ ...metric.Observable) (metric.Registration, error) {
	m.m.mu.Lock()
	defer m.m.mu.Unlock()
	m.m.callbacks = map[*meters]metric.Callback{m.m: f}
	return registration{m: m.m}, nil
}

func (r registration) Unregister() error {
	r.m.mu.Lock()
	defer r.m.mu.Unlock()
	r.m.callbacks = nil
	return nil
}

type observer struct {
	noop.Observer
	got map[string]int64
}

func (o observer) ObserveInt64(i metric.Int64Observable, v int64, opts ...metric.ObserveOption) {
	var name string
	switch x := i.(type) {
	case *instrument:
		name = x.name
	case *instrumentGauge:
		name = x.name
	}
	var attrs []string
	set := metric.NewObserveConfig(opts).Attributes()
	for _, kv := range set.ToSlice() {
		if k := string(kv.Key); k != "messaging.consumer.group.name" {
			attrs = append(attrs, fmt.Sprintf("%s=%s", k[strings.LastIndex(k, ".")+1:], kv.Value.String()))
		}
	}
	slices.Sort(attrs)
	o.got[strings.Join(append([]string{name}, attrs...), " ")] = v
}

// collect returns what the instruments say, nil when nothing is registered.
func (m *meters) collect() map[string]int64 {
	m.mu.Lock()
	f := m.callbacks[m]
	m.mu.Unlock()
	if f == nil {
		return nil
	}
	o := observer{got: map[string]int64{}}
	if err := f(context.Background(), o); err != nil {
		panic(err)
	}
	return o.got
}

func TestG13MetricsSayWhatIsSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.put("a=1", "bad=2", "skip=3", "flaky=4", "held=5", "b=6")
		held, m := newGate(), &meters{}
		g := w.group(func(ctx context.Context, x *consumer.Message[string]) error {
			switch x.Value {
			case "2":
				return consumer.Permanent(errBoom)
			case "3":
				return consumer.Skip(nil)
			case "4":
				if x.Attempt == 1 {
					return errBoom
				}
			case "5":
				return held.wait(ctx)
			}
			return nil
		}, consumer.WithTelemetry(consumer.Telemetry{MeterProvider: m}))
		r := start(t, g)
		waitFor(t, "offset 4 is committed", func() bool { return w.committed() == 4 })
		time.Sleep(time.Minute)
		got := m.collect()
		for name, want := range map[string]int64{
			"sordini.consumer.records outcome=handled":     3,
			"sordini.consumer.records outcome=skipped":     1,
			"sordini.consumer.records outcome=dead":        1,
			"sordini.consumer.deadletters class=permanent": 1,
			"sordini.consumer.deadletters class=decode":    0,
			"sordini.consumer.retries":                     1,
			"sordini.consumer.in_flight":                   1,
			"sordini.consumer.lag id=0 name=orders":        2,
			"sordini.consumer.oldest id=0 name=orders":     60,
			"sordini.consumer.healthy":                     1,
			"sordini.consumer.commit.failures":             0,
		} {
			if v, ok := got[name]; !ok || v != want && !(strings.Contains(name, "oldest") && v == want-1) {
				t.Errorf("%s is %d, want %d", name, v, want)
			}
		}
		held.pass()
		r.cleanly()
		if m.collect() != nil {
			t.Error("the metrics are still registered after Run returned")
		}
		c := g.Counts()
		if c.Handled != 4 || c.Skipped != 1 || c.Retried != 1 || c.Dead[dlt.Permanent] != 1 {
			t.Errorf("counts %+v", c)
		}
	})
}

func TestG13LagIsRightWhileFetchingIsHeldUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		fill(w, 100)
		held, m := newGate(), &meters{}
		r := start(t, w.group(func(ctx context.Context, _ *consumer.Message[string]) error { return held.wait(ctx) },
			consumer.Concurrency(10), consumer.MaxInFlight(10, 1<<20), consumer.WithTelemetry(consumer.Telemetry{MeterProvider: m})))
		time.Sleep(time.Second)
		fill(w, 100)
		time.Sleep(time.Minute)
		if lag := m.collect()["sordini.consumer.lag id=0 name=orders"]; lag != 200 {
			t.Errorf("the lag is %d, want 200", lag)
		}
		held.pass()
		r.cleanly()
	})
}
