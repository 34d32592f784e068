package guarantee

import (
	"context"
	"errors"
	"sync"

	"github.com/sordini-go/sordini/consumer"
	"github.com/sordini-go/sordini/internal/history"
)

var ownership = []Scenario{
	{Guarantee: "G5", Name: "RevocationWaitsForHandlers", Targets: Reference | Kafka, body: revocationWaitsForHandlers},
	{Guarantee: "G5", Name: "RevocationCancelsHandlersThatStay", Targets: Reference | Kafka, body: revocationCancelsHandlers},
	{Guarantee: "G5", Name: "MemberThatWasCutOffIsFenced", Targets: Reference | Kafka, Verbs: []Verb{CutMember}, body: cutOffMemberIsFenced},
}

// revocationWaitsForHandlers: a second member joins while handlers run; they end in time, and what they did is not done again.
func revocationWaitsForHandlers(sc *scene) {
	tp, group := sc.topic(2), sc.group("billing")
	hold := newGate()
	h := func(ctx context.Context, m *consumer.Message[Item]) error {
		if m.Value.Do == "hold" {
			return hold.pass(ctx)
		}
		return nil
	}
	sc.member(group, []*topic{tp}, h)
	src := sc.source()
	items := sc.items(20, 20, "hold")
	src.sendAll(tp, items...)
	sc.awaitAt(hold, 20)
	second := sc.member(group, []*topic{tp}, h)
	sc.await("a revocation to start", func(t *tally) bool { return t.group(group).revoking > 0 })
	hold.release()
	sc.await("the second member to own a partition", func(t *tally) bool { return t.group(group).assigned[second.name] == 1 })
	sc.awaitAllEnded(group, tp)
	sc.awaitCommitted(group, tp)
	sc.look(func(t *tally) {
		t.group(group).each(func(at place, r recordTally) {
			if r.attempts != 1 {
				sc.t.Errorf("%v was handled %d times though every handler ended before the revocation did", at, r.attempts)
			}
		})
	})
}

// revocationCancelsHandlers: a handler that does not end is told why, and its partition goes all the same.
func revocationCancelsHandlers(sc *scene) {
	tp, group := sc.topic(2), sc.group("billing")
	var mu sync.Mutex
	var causes []error
	firstLife := newGate()
	sc.member(group, []*topic{tp}, func(ctx context.Context, _ *consumer.Message[Item]) error {
		err := firstLife.pass(ctx)
		mu.Lock()
		defer mu.Unlock()
		causes = append(causes, err)
		return err
	})
	src := sc.source()
	src.sendAll(tp, sc.items(20, 20, "")...)
	sc.awaitAt(firstLife, 20)
	second := sc.member(group, []*topic{tp}, standard)
	sc.await("the second member to own a partition", func(t *tally) bool { return t.group(group).assigned[second.name] == 1 })
	mu.Lock()
	cancelled := len(causes)
	for _, err := range causes {
		if !errors.Is(err, consumer.ErrRevoked) {
			sc.t.Errorf("a handler was cancelled with %v, want ErrRevoked", err)
		}
	}
	mu.Unlock()
	if cancelled == 0 {
		sc.t.Error("no handler of the revoked partition was cancelled")
	}
	firstLife.release()
	sc.awaitAllEnded(group, tp)
	sc.awaitCommitted(group, tp)
	sc.look(func(t *tally) {
		if n := t.group(group).count(history.Dead); n != 0 {
			sc.t.Errorf("%d dead letters of attempts that were cut by a revocation", n)
		}
	})
}

// cutOffMemberIsFenced: a member loses its network, not its life. Another takes over; what the first still does is not committed, and its fence is older.
func cutOffMemberIsFenced(sc *scene) {
	tp, group := sc.topic(2), sc.group("billing")
	hold := newGate()
	var mu sync.Mutex
	fences := map[string]int64{}
	zombie := sc.member(group, []*topic{tp}, func(ctx context.Context, m *consumer.Message[Item]) error {
		mu.Lock()
		fences["zombie"] = max(fences["zombie"], m.Fence)
		mu.Unlock()
		return hold.pass(ctx)
	})
	src := sc.source()
	src.sendAll(tp, sc.items(10, 10, "")...)
	sc.awaitAt(hold, 10)
	zombie.cutOff()
	heir := sc.member(group, []*topic{tp}, func(_ context.Context, m *consumer.Message[Item]) error {
		mu.Lock()
		defer mu.Unlock()
		fences["heir"] = max(fences["heir"], m.Fence)
		return nil
	})
	sc.await("the heir to own both partitions", func(t *tally) bool { return t.group(group).assigned[heir.name] == 2 })
	sc.await("the heir to handle everything", func(t *tally) bool { return t.allEnded(group, tp.Name) })
	mu.Lock()
	if fences["heir"] <= fences["zombie"] {
		sc.t.Errorf("the heir's fence %d is not above the zombie's %d", fences["heir"], fences["zombie"])
	}
	mu.Unlock()
	hold.release()
	zombie.net.heal()
	sc.await("the cut-off member to learn that it lost its partitions", func(t *tally) bool { return t.group(group).lost[zombie.name] > 0 })
	src.sendAll(tp, sc.items(10, 10, "")...)
	sc.awaitAllEnded(group, tp)
	sc.awaitCommitted(group, tp)
	zombie.drain()
	_ = zombie.wait() // whether its last words were heard is not this claim's business
}
