package guarantee

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/sordini-go/sordini/consumer"
	"github.com/sordini-go/sordini/internal/history"
)

var drain = []Scenario{
	{Guarantee: "G6", Name: "DrainLetsHandlersFinish", Targets: Reference | Kafka, body: drainLetsHandlersFinish},
	{Guarantee: "G6", Name: "DrainDeadlineLeavesNoTrace", Targets: Reference | Kafka, body: drainDeadlineLeavesNoTrace},
	{Guarantee: "G6", Name: "WaitingRetrySurvivesTheStop", Targets: Reference | Kafka, body: waitingRetrySurvivesTheStop},
}

// drainLetsHandlersFinish: what runs when Run's context ends is finished and committed; nothing new is started.
func drainLetsHandlersFinish(sc *scene) {
	tp, group := sc.topic(1), sc.group("billing")
	hold := newGate()
	m := sc.member(group, []*topic{tp}, func(ctx context.Context, _ *consumer.Message[Item]) error { return hold.pass(ctx) }, consumer.Concurrency(4))
	src := sc.source()
	src.sendAll(tp, sc.items(10, 10, "")...)
	sc.awaitAt(hold, 4)
	m.drain()
	sc.await("the drain to start", func(t *tally) bool { return t.draining[m.name] })
	hold.release()
	if err := m.wait(); err != nil {
		sc.t.Errorf("Run: %v", err)
	}
	sc.look(func(t *tally) {
		g := t.group(group)
		started := 0
		g.each(func(place, recordTally) { started++ })
		if started != 4 || g.count(history.Handled) != 4 {
			sc.t.Errorf("%d started and %d handled, want the 4 that ran when the drain began", started, g.count(history.Handled))
		}
	})
	if got := sc.committed(group, tp)[0]; got != 4 {
		sc.t.Errorf("committed %d after a clean drain of 4 handlers, want 4", got)
	}
	sc.member(group, []*topic{tp}, standard)
	sc.awaitAllEnded(group, tp)
}

// drainDeadlineLeavesNoTrace: handlers that are cut by the drain are told so; their attempts are not counted, not dead-lettered, not committed.
func drainDeadlineLeavesNoTrace(sc *scene) {
	tp, group := sc.topic(1), sc.group("billing")
	hold := newGate()
	var mu sync.Mutex
	var causes []error
	m := sc.member(group, []*topic{tp}, func(ctx context.Context, _ *consumer.Message[Item]) error {
		err := hold.pass(ctx)
		mu.Lock()
		defer mu.Unlock()
		causes = append(causes, err)
		return err
	}, consumer.DrainTimeout(time.Second), quick(-1))
	src := sc.source()
	src.sendAll(tp, sc.items(5, 5, "")...)
	sc.awaitAt(hold, 5)
	m.drain()
	err := m.wait()
	if !errors.Is(err, consumer.ErrUndrained) {
		sc.t.Errorf("Run: %v, want ErrUndrained", err)
	}
	mu.Lock()
	for _, err := range causes {
		if !errors.Is(err, consumer.ErrDraining) {
			sc.t.Errorf("a handler was cancelled with %v, want ErrDraining", err)
		}
	}
	if len(causes) != 5 {
		sc.t.Errorf("%d handlers were cancelled, want 5", len(causes))
	}
	mu.Unlock()
	if got := sc.committed(group, tp)[0]; got > 0 {
		sc.t.Errorf("committed %d though no handler finished", got)
	}
	sc.member(group, []*topic{tp}, func(_ context.Context, m *consumer.Message[Item]) error {
		if m.Attempt != 1 {
			sc.t.Errorf("attempt %d after the drain, want 1: an attempt that was cut counts for nothing", m.Attempt)
		}
		return nil
	})
	sc.awaitAllEnded(group, tp)
	sc.awaitCommitted(group, tp)
	sc.look(func(t *tally) {
		if n := t.group(group).count(history.Dead); n != 0 {
			sc.t.Errorf("%d dead letters of attempts that were cut by draining", n)
		}
	})
}

// waitingRetrySurvivesTheStop: a record that waits for its next attempt is nobody's loss when the member stops, and the next member keeps the appointment: it
// goes on counting, and not early.
func waitingRetrySurvivesTheStop(sc *scene) {
	const delay = 10 * time.Second
	tp, group := sc.topic(1), sc.group("billing")
	var failed time.Time
	m := sc.member(group, []*topic{tp}, func(_ context.Context, m *consumer.Message[Item]) error {
		if m.Value.Do == "later" {
			failed = time.Now()
			return consumer.RetryAfter(delay, errors.New("not today"))
		}
		return nil
	})
	src := sc.source()
	src.sendAll(tp, sc.item("a", "later"), sc.item("b", ""), sc.item("a", ""))
	sc.await("the other key to end, and the attempt before it", func(t *tally) bool { g := t.group(group); return g.ended == 1 && g.running == 0 })
	sc.bounded("Run with a retry that is due in 10 s", 8*time.Second, func() {
		m.drain()
		if err := m.wait(); err != nil {
			sc.t.Errorf("Run: %v", err)
		}
	})
	sc.member(group, []*topic{tp}, func(_ context.Context, m *consumer.Message[Item]) error {
		if m.Value.Do == "later" && (m.Attempt != 2 || time.Since(failed) < delay) {
			sc.t.Errorf("attempt %d came %v after the failure, want the second one after %v", m.Attempt, time.Since(failed), delay)
		}
		return nil
	})
	sc.awaitAllEnded(group, tp)
	sc.awaitCommitted(group, tp)
}
