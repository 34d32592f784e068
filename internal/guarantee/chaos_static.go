package guarantee

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/sordini-go/sordini/consumer"
)

// instance is the instance id of the member that joins next: the first that no live one has. So one that has left or died is back some time, before its session
// is over or after. "" where members are dynamic.
func (l *load) instance() string {
	for n := 1; l.static; n++ {
		if id := fmt.Sprintf("s%d", n); !l.has(id) {
			return id
		}
	}
	return ""
}

func (l *load) has(instance string) bool {
	return slices.ContainsFunc(l.live, func(m *member) bool { return m.instance == instance })
}

// staticFaults are what happens to static members: their place in the group outlives them.
func (x *chaos) staticFaults(verbs map[string]func(), l *load) {
	if len(l.live) == 0 {
		return
	}
	verbs["a static member is killed and back at once"] = func() {
		m := l.pick()
		m.kill()
		l.perhapsMoved(x.upTo(3))
		l.back(m)
	}
	verbs["a static member is killed and back after its session"] = func() {
		m := l.pick()
		m.kill()
		l.perhapsMoved(x.upTo(3))
		l.outlast(m)
		l.back(m)
	}
	verbs["a static member stops and is back"] = func() {
		m := l.pick()
		l.leaving(m)
		l.perhapsMoved(x.upTo(30)) // its session lasts 30 s, or 45
		l.back(m)
	}
	verbs["a static member is started twice"] = func() { l.twice(false) }
	verbs["a static member is started twice while the first is cut off"] = func() { l.twice(true) }
}

// perhapsMoved lets time pass, and every other time the coordinator move in the middle of it.
func (l *load) perhapsMoved(d time.Duration) {
	moves := l.rng.IntN(2) == 0
	l.pass(d / 2)
	if moves && l.down == nil {
		l.moveCoordinator()
	}
	l.pass(d / 2)
}

// back starts a static member that has ended again, unless that of a member that died meanwhile has its id.
func (l *load) back(m *member) {
	if !l.has(m.instance) {
		l.joinAs(m.instance)
	}
}

// brokerSession is how long a member of KIP-848's protocol lives without a heartbeat; one of a classic group lives for 30 s.
const brokerSession = 45 * time.Second

// outlast waits until the session of a dead member is over. Where a run has no time to lose, the coordinator is told.
func (l *load) outlast(m *member) {
	if d := 25 * l.Calm; d > brokerSession {
		l.pass(d)
		return
	}
	ctx, cancel := context.WithTimeout(l.ctx, 5*time.Second)
	defer cancel()
	_ = l.target.Faults.ExpireMember(ctx, l.group, m.client) // it may not have joined yet, and the coordinator may be away
}

// twice starts a second process with the id of a member that runs, or that is cut off and does not know. In a classic group the one that joined last has the
// place, and the other one has to end and to say why. In KIP-848's protocol the place is the first one's until it has stopped or its session is over; the
// second waits for it. Either of them is stopped then.
func (l *load) twice(cut bool) {
	first := l.live[l.rng.IntN(len(l.live))]
	if cut {
		first.cutOff()
	}
	second := l.joinAs(first.instance)
	two := []*member{first, second}
	for _, m := range two {
		m.twin = true
		m.expected.Store(true)
	}
	l.perhapsMoved(l.upTo(30))
	first.net.heal() // nobody else has cut it
	var stopped *member
	if n := l.rng.IntN(2); l.protocol == consumer.ConsumerProtocol {
		l.pass(l.upTo(5))
		if first.running() && second.running() {
			stopped = two[n]
			l.leaving(stopped)
		}
	}
	ctx, cancel := l.patience()
	defer cancel()
	select {
	case <-first.done:
	case <-second.done:
	case <-ctx.Done():
		l.t.Fatalf("%s and %s both run with the instance id %s", first.name, second.name, first.instance)
	}
	for _, m := range two {
		switch {
		case m.running():
			m.twin = false
			m.expected.Store(cut) // its last commit may be one that it no longer had the right to
			continue
		case m.killed(): // and will be buried
			continue
		case m != stopped && !errors.Is(m.err, kerr.FencedInstanceID):
			l.t.Errorf("Run of %s, whose instance id another process has: %v", m.name, m.err)
		}
		l.live = slices.DeleteFunc(l.live, func(o *member) bool { return o == m })
	}
	if len(l.live) == 0 {
		l.join()
	}
}
