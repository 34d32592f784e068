package guarantee

import (
	"context"
	"errors"
	"time"

	"github.com/sordini-go/sordini/consumer"
	"github.com/sordini-go/sordini/internal/history"
)

var isolation = []Scenario{
	{Guarantee: "G4", Name: "StuckKeyDelaysNoOther", Targets: Reference | Kafka, body: stuckKeyDelaysNoOther},
	{Guarantee: "G4", Name: "StuckNullKeyDelaysNoOther", Targets: Reference | Kafka, body: stuckNullKeyDelaysNoOther},
	{Guarantee: "G4", Name: "WaitingRetriesHoldNoWorker", Targets: Reference | Kafka, body: waitingRetriesHoldNoWorker},
}

// stuckKeyDelaysNoOther: while one key is being handled, every record of every other key ends.
func stuckKeyDelaysNoOther(sc *scene) {
	tp, group := sc.topic(2), sc.group("billing")
	stuck := newGate()
	sc.member(group, []*topic{tp}, func(ctx context.Context, m *consumer.Message[Item]) error {
		if m.Value.Key == "k0" {
			return stuck.pass(ctx)
		}
		return nil
	}, consumer.Concurrency(4))
	src := sc.source()
	src.sendAll(tp, sc.item("k0", ""))
	sc.awaitAt(stuck, 1)
	src.sendAll(tp, sc.items(500, 100, "")...) // five of them k0's
	sc.await("every other key's records to end", func(t *tally) bool { return t.group(group).ended == 495 })
	stuck.release()
	sc.awaitAllEnded(group, tp)
	sc.awaitCommitted(group, tp)
}

// stuckNullKeyDelaysNoOther: records with a null key are not one key.
func stuckNullKeyDelaysNoOther(sc *scene) {
	tp, group := sc.unkeyedTopic(1), sc.group("billing")
	stuck := newGate()
	sc.member(group, []*topic{tp}, func(ctx context.Context, m *consumer.Message[Item]) error {
		if m.Value.Do == "stick" {
			return stuck.pass(ctx)
		}
		return nil
	}, consumer.Concurrency(4))
	src := sc.source()
	src.sendAll(tp, sc.item("", "stick"))
	src.sendAll(tp, sc.items(100, 1, "")...)
	sc.await("the others to end", func(t *tally) bool { return t.group(group).ended == 100 })
	stuck.release()
	sc.awaitAllEnded(group, tp)
}

// waitingRetriesHoldNoWorker: 60 records wait for a retry, and two workers do all the rest meanwhile.
func waitingRetriesHoldNoWorker(sc *scene) {
	tp, group := sc.topic(2), sc.group("billing")
	const wait = 10 * time.Second
	sc.member(group, []*topic{tp}, func(_ context.Context, m *consumer.Message[Item]) error {
		if m.Value.Do == "later" && m.Attempt == 1 {
			return consumer.RetryAfter(wait, errors.New("not now"))
		}
		return nil
	}, consumer.Concurrency(2))
	src := sc.source()
	src.sendAll(tp, sc.items(60, 60, "later")...)
	items := sc.items(200, 50, "")
	for i := range items {
		items[i].Key = "other-" + items[i].Key
	}
	src.sendAll(tp, items...)
	sc.await("the other keys' records to end", func(t *tally) bool { return t.group(group).ended >= 200 })
	if took := sinceFirst(sc.log.Events(), history.AttemptEnd); took >= wait {
		sc.t.Errorf("the other keys' records ended %s after the first failure; waiting retries held the workers", took)
	}
	sc.awaitAllEnded(group, tp)
	sc.awaitCommitted(group, tp)
	for _, e := range early(sc.log.Events(), wait) {
		sc.t.Errorf("a retry came earlier than %s after its failure: %s", wait, e.String())
	}
}

// early returns the second attempts that were started less than d after the first had ended.
func early(events []history.Event, d time.Duration) (found []history.Event) {
	ended := map[place]time.Time{}
	for _, e := range events {
		at := place{e.Topic, e.Partition, e.Offset}
		switch {
		case e.Kind == history.AttemptEnd && e.Attempt == 1:
			ended[at] = e.At
		case e.Kind == history.AttemptStart && e.Attempt == 2 && e.At.Sub(ended[at]) < d:
			found = append(found, e)
		}
	}
	return found
}

// sinceFirst returns the time from the first event of the kind to the last event.
func sinceFirst(events []history.Event, kind history.Kind) time.Duration {
	for _, e := range events {
		if e.Kind == kind {
			return events[len(events)-1].At.Sub(e.At)
		}
	}
	return 0
}
