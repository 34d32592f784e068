package guarantee

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/sordini-go/sordini/consumer"
)

var stopping = []Scenario{
	{Guarantee: "G12", Name: "StopIsBoundedWhenEveryBrokerHangs", Targets: Reference | Kafka, Verbs: []Verb{PauseBroker}, Alone: true, body: func(sc *scene) {
		stopIsBounded(sc, func(id int32) func() { return sc.pausedDuring(id) })
	}},
	{Guarantee: "G12", Name: "StopIsBoundedWhenEveryBrokerIsGone", Targets: Reference | Kafka, Verbs: []Verb{KillBroker}, Alone: true, body: func(sc *scene) {
		stopIsBounded(sc, func(id int32) func() { return sc.downDuring("kill a broker", id, sc.target.Faults.Kill) })
	}},
	{Guarantee: "G12", Name: "HandlerThatStaysIsNamed", Targets: Reference | Kafka, body: handlerThatStaysIsNamed},
}

// Run may take its drain timeout, 3 s to commit and leave and a moment; Close its own 5 s.
const (
	drainBound = 3*time.Second + 5*time.Second
	closeBound = 6 * time.Second
)

// stopIsBounded: with the whole cluster away, Run and Close return in their time, say what they could not do, and leave nothing behind (the scene checks
// connections, the package's goleak goroutines).
func stopIsBounded(sc *scene, down func(int32) (up func())) {
	tp, group := sc.topic(3), sc.group("billing")
	hold := newGate()
	m := sc.member(group, []*topic{tp}, func(ctx context.Context, m *consumer.Message[Item]) error {
		if m.Value.Do == "hold" {
			return hold.pass(ctx)
		}
		return nil
	}, consumer.DrainTimeout(3*time.Second))
	src := sc.source()
	src.sendAll(tp, sc.items(50, 10, "")...)
	sc.awaitCommitted(group, tp)
	src.sendAll(tp, sc.item("held", "hold"))
	sc.awaitAt(hold, 1)
	var ups []func()
	for id := range int32(sc.target.Brokers) {
		ups = append(ups, down(id+1))
	}
	items := sc.items(20, 10, "")
	results := make(chan error, len(items))
	for _, it := range items {
		src.start(sc.ctx, tp, it, func(err error) { results <- err })
	}
	sc.hold(time.Second)
	hold.release() // ends in time for the drain, too late for a commit
	sc.bounded("Run with no broker to talk to", drainBound, func() {
		m.drain()
		err := m.wait()
		lost := 0 // a member that learned that its session is over has nothing left to commit
		sc.look(func(t *tally) { lost = t.group(group).lost[m.name] })
		if lost == 0 && !errors.Is(err, consumer.ErrCommit) {
			sc.t.Errorf("Run: %v, want ErrCommit: its last commit can not have been acknowledged", err)
		}
	})
	src.closed = true
	sc.bounded("Close with no broker to talk to", closeBound, func() {
		err := src.p.Close()
		var not, unknown int // what had been written to a connection already has an unknown outcome
		_, text, _ := strings.Cut(fmt.Sprint(err), "close the producer: ")
		if _, e := fmt.Sscanf(text, "%d records were not sent and %d have an unknown outcome", &not, &unknown); e != nil || not+unknown != len(items) {
			sc.t.Errorf("Close: %v, want an error that says what became of %d records", err, len(items))
		}
	})
	for range items {
		if err := <-results; err == nil {
			sc.t.Error("a send with no broker to talk to returned nil")
		}
	}
	if n := m.net.openSoon() + src.net.openSoon(); n != 0 {
		sc.t.Errorf("%d connections are open after Run and Close", n)
	}
	for i := range ups {
		go func() { ups[i]() }() // all at once: a controller alone has no quorum
	}
	for _, up := range ups {
		up()
	}
	again := sc.source() // the cluster is well again; that the group's next member goes on is shown elsewhere, and costs a session here
	again.sendAll(tp, sc.items(10, 10, "")...)
	sc.judgement.Open = true
}

// handlerThatStaysIsNamed: a handler that ignores its context can not be stopped; Run says which record it has.
func handlerThatStaysIsNamed(sc *scene) {
	tp, group := sc.topic(1), sc.group("billing")
	stay := newGate()
	defer stay.release()
	m := sc.member(group, []*topic{tp}, func(_ context.Context, m *consumer.Message[Item]) error {
		if m.Value.Do == "stay" {
			stay.block()
		}
		return nil
	}, consumer.DrainTimeout(time.Second))
	src := sc.source()
	src.sendAll(tp, sc.items(3, 3, "")...)
	src.sendAll(tp, sc.item("stays", "stay"))
	sc.awaitAt(stay, 1)
	sc.bounded("Run with a handler that ignores its context", time.Second+5*time.Second, func() {
		m.drain()
		err := m.wait()
		if !errors.Is(err, consumer.ErrUndrained) || !strings.Contains(fmt.Sprint(err), tp.Name) || !strings.Contains(fmt.Sprint(err), "3") {
			sc.t.Errorf("Run: %v, want ErrUndrained and the record %s[0]@3", err, tp.Name)
		}
	})
	stay.release()
	sc.member(group, []*topic{tp}, func(context.Context, *consumer.Message[Item]) error { return nil })
	sc.awaitAllEnded(group, tp)
}
