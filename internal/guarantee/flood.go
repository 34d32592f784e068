package guarantee

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/sordini-go/sordini/consumer"
	"github.com/sordini-go/sordini/internal/history"
)

// floods: a dependency that is away is not ten thousand bad records.
var floods = []Scenario{
	{Guarantee: "G1", Name: "OutageWithManyKeysKillsFour", Targets: Reference | Kafka, body: func(sc *scene) { outage(sc, sc.topic(3), 200) }},
	{Guarantee: "G1", Name: "OutageWithNullKeysKillsFour", Targets: Reference | Kafka, body: func(sc *scene) { outage(sc, sc.unkeyedTopic(3), 200) }},
	{Guarantee: "G1", Name: "OutageWithTwoHotKeysKillsFour", Targets: Reference | Kafka, body: func(sc *scene) { outage(sc, sc.topic(3), 2) }},
	{Guarantee: "G1", Name: "RecordThatFailsAloneDies", Targets: Reference | Kafka, body: recordThatFailsAloneDies},
}

// outage lets a dependency fail while records go on coming: at most four die, the group says what it waits for, and when the dependency is back everything
// else is handled, in order.
func outage(sc *scene, tp *topic, keys int) {
	group := sc.group("billing")
	var away atomic.Bool
	m := sc.member(group, []*topic{tp}, func(context.Context, *consumer.Message[Item]) error {
		if away.Load() {
			return errors.New("dial tcp 10.0.0.7:5432: connection refused")
		}
		return nil
	})
	src := sc.source()
	src.sendAll(tp, sc.items(100, keys, "")...)
	sc.awaitCommitted(group, tp)
	away.Store(true)
	for end := time.Now().Add(sc.target.outage()); time.Now().Before(end); sc.hold(500 * time.Millisecond) {
		src.sendAll(tp, sc.items(10, keys, "")...)
	}
	if m.g.Health().OK {
		sc.t.Error("the group calls itself well in the middle of an outage (G13)")
	}
	away.Store(false)
	sc.awaitAllEnded(group, tp)
	sc.awaitCommitted(group, tp)
	sc.look(func(t *tally) {
		if dead := t.group(group).count(history.Dead); dead > 4 {
			sc.t.Errorf("%d dead letters of an outage, at most 4 are allowed", dead)
		}
	})
	sc.awaitHealth(m, "the group to be well again", true)
}

// recordThatFailsAloneDies: right after its last retry, beside records that work and when nothing else is in flight.
func recordThatFailsAloneDies(sc *scene) {
	tp, group := sc.topic(1), sc.group("billing")
	sc.member(group, []*topic{tp}, standard, quick(3))
	src := sc.source()
	src.sendAll(tp, sc.item("bad", "fail"))
	sc.awaitAllEnded(group, tp)
	for range 10 {
		src.sendAll(tp, sc.item("a", ""), sc.item("bad", "fail"), sc.item("b", ""))
		sc.awaitAllEnded(group, tp)
	}
	sc.awaitCommitted(group, tp)
	sc.look(func(t *tally) {
		if dead := t.group(group).count(history.Dead); dead != 11 {
			sc.t.Errorf("%d dead letters, want 11", dead)
		}
	})
}
