package guarantee

import (
	"context"
	"strings"
	"sync/atomic"
	"time"

	"github.com/sordini-go/sordini/consumer"
)

var bounds = []Scenario{
	{Guarantee: "G8", Name: "RecordBoundSlowsAndNeverDrops", Targets: Reference | Kafka, body: func(sc *scene) {
		boundSlowsAndNeverDrops(sc, 30, 1<<30, 400, "")
	}},
	{Guarantee: "G8", Name: "ByteBoundSlowsAndNeverDrops", Targets: Reference | Kafka, body: func(sc *scene) {
		boundSlowsAndNeverDrops(sc, 100, 100_000, 200, strings.Repeat("x", 10_000))
	}},
	{Guarantee: "G8", Name: "BoundFullOfOneKeyLetsItGoOn", Targets: Reference | Kafka, body: boundFullOfOneKey},
}

// boundSlowsAndNeverDrops: handlers stand still with the bound full; when they go on, everything ends.
func boundSlowsAndNeverDrops(sc *scene, records int, bytes int64, n int, padding string) {
	tp, group := sc.topic(3), sc.group("billing")
	hold, gauges := newGate(), &meter{}
	sc.member(group, []*topic{tp}, func(ctx context.Context, _ *consumer.Message[Item]) error { return hold.pass(ctx) },
		consumer.Concurrency(8), consumer.MaxInFlight(records, bytes), consumer.WithTelemetry(consumer.Telemetry{MeterProvider: gauges}))
	src := sc.source()
	items := sc.items(n, 50, "")
	for i := range items {
		items[i].Do = padding
	}
	src.sendAll(tp, items...)
	sc.awaitAt(hold, 8)
	sc.hold(2 * time.Second) // time to fetch more than it may
	inFlight, ok := gauges.read("sordini.consumer.in_flight")
	most := records
	if size := len(padding); size > 0 {
		most = min(most, int(bytes)/size+records/4+1) // one poll may exceed the bytes
		most = min(most, n-1)
	}
	if !ok || inFlight < 8 || int(inFlight) > most {
		sc.t.Errorf("%d records in flight (known: %t), want 8 to %d of %d", inFlight, ok, most, n)
	}
	hold.release()
	sc.awaitAllEnded(group, tp)
	sc.awaitCommitted(group, tp)
	sc.look(func(t *tally) {
		if most := t.group(group).most; most > 8 {
			sc.t.Errorf("%d handlers at the same time with Concurrency(8)", most)
		}
	})
}

// boundFullOfOneKey: the bound is full of records of one key that is being retried; nothing deadlocks.
func boundFullOfOneKey(sc *scene) {
	tp, group := sc.topic(1), sc.group("billing")
	var started atomic.Int64
	sc.member(group, []*topic{tp}, func(ctx context.Context, m *consumer.Message[Item]) error {
		started.Add(1)
		return standard(ctx, m)
	}, quick(3), consumer.Concurrency(4), consumer.MaxInFlight(10, 1<<30))
	src := sc.source()
	src.sendAll(tp, sc.item("hot", "fail:3"))
	items := sc.items(60, 1, "")
	for i := range items {
		items[i].Key = "hot"
	}
	src.sendAll(tp, items...)
	src.sendAll(tp, sc.items(20, 20, "")...)
	sc.awaitAllEnded(group, tp)
	sc.awaitCommitted(group, tp)
	if got := started.Load(); got != 84 {
		sc.t.Errorf("%d attempts, want 81 and 3 retries", got)
	}
}
