package guarantee

import (
	"context"

	"github.com/sordini-go/sordini/consumer"
)

var restart = []Scenario{
	{Guarantee: "G7", Name: "CleanStopRepeatsNothing", Targets: Reference | Kafka, body: cleanStopRepeatsNothing},
	{Guarantee: "G7", Name: "CrashRepeatsOnlyWhatWasInFlight", Targets: Reference | Kafka, Verbs: []Verb{KillMember}, body: crashRepeatsOnlyWhatWasInFlight},
}

func cleanStopRepeatsNothing(sc *scene) {
	tp, group := sc.topic(3), sc.group("billing")
	src := sc.source()
	for range 4 {
		m := sc.member(group, []*topic{tp}, standard, quick(2))
		items := sc.items(50, 10, "")
		items[3].Do, items[20].Do = "fail:1", "permanent"
		src.sendAll(tp, items...)
		sc.await("some to end", func(t *tally) bool { return t.group(group).ended >= 20 })
		m.stop() // in the middle of it
	}
	sc.member(group, []*topic{tp}, standard, quick(2))
	sc.awaitAllEnded(group, tp)
	sc.look(func(t *tally) {
		t.group(group).each(func(at place, r recordTally) {
			if r.ends != 1 {
				sc.t.Errorf("%v ended %d times over clean stops", at, r.ends)
			}
		})
	})
}

// crashRepeatsOnlyWhatWasInFlight: 40 records are done behind one that is not, and committed so. After the crash only that one is handled again.
func crashRepeatsOnlyWhatWasInFlight(sc *scene) {
	tp, group := sc.topic(1), sc.group("billing")
	stuck := newGate()
	victim := sc.member(group, []*topic{tp}, func(ctx context.Context, m *consumer.Message[Item]) error {
		if m.Value.Do == "stick" {
			return stuck.pass(ctx)
		}
		return nil
	})
	src := sc.source()
	src.sendAll(tp, sc.item("stuck", "stick"))
	src.sendAll(tp, sc.items(40, 40, "")...)
	sc.await("the completion map to be committed", func(t *tally) bool { return t.group(group).ranges[place{tp.Name, 0, 0}] == 40 })
	victim.kill()
	sc.member(group, []*topic{tp}, func(context.Context, *consumer.Message[Item]) error { return nil })
	sc.awaitAllEnded(group, tp)
	sc.awaitCommitted(group, tp)
	sc.look(func(t *tally) {
		t.group(group).each(func(at place, r recordTally) {
			want := uint16(1)
			if at.offset == 0 {
				want = 2
			}
			if r.attempts != want {
				sc.t.Errorf("offset %d was handled %d times, want %d", at.offset, r.attempts, want)
			}
		})
	})
}
