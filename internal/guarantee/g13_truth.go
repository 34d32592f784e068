package guarantee

import (
	"context"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sordini-go/sordini/consumer"
)

var truth = []Scenario{
	{Guarantee: "G13", Name: "RefusedDeadLettersAreUnhealthy", Targets: Reference | Kafka, Verbs: []Verb{RefuseProduce}, body: refusedDeadLettersAreUnhealthy},
	{Guarantee: "G13", Name: "HandlerPastItsTimeoutIsUnhealthy", Targets: Reference | Kafka, body: handlerPastItsTimeoutIsUnhealthy},
	{Guarantee: "G13", Name: "FailedCommitsAreUnhealthy", Targets: Reference | Kafka, Verbs: []Verb{RefuseCommit}, body: failedCommitsAreUnhealthy},
}

func (sc *scene) awaitHealth(m *member, what string, ok bool, words ...string) {
	sc.t.Helper()
	sc.poll(what, func() bool {
		h := m.g.Health()
		if h.OK != ok {
			return false
		}
		for _, w := range words {
			found := false
			for _, r := range h.Reasons {
				found = found || strings.Contains(r.Code, w) || strings.Contains(r.Summary, w) || r.Topic == w
			}
			if !found {
				return false
			}
		}
		return true
	})
}

func refusedDeadLettersAreUnhealthy(sc *scene) {
	tp, group := sc.topic(1), sc.group("billing")
	m := sc.member(group, []*topic{tp}, standard)
	src := sc.source()
	src.sendAll(tp, sc.item("a", ""))
	sc.awaitCommitted(group, tp)
	sc.awaitHealth(m, "the group to be well", true)
	refusal := sc.inject(Fault{
		API: kmsg.Produce, Topic: sc.deadLetters(tp, group), Partition: Any, Do: Refuse, Code: kerr.TopicAuthorizationFailed.Code,
	})
	src.sendAll(tp, sc.item("bad", "permanent"))
	sc.awaitHealth(m, "the group to name its dead-letter topic as the reason", false, "dead-letter", tp.Name)
	refusal.Remove()
	sc.awaitAllEnded(group, tp)
	sc.awaitHealth(m, "the group to be well again", true)
}

func handlerPastItsTimeoutIsUnhealthy(sc *scene) {
	tp, group := sc.topic(1), sc.group("billing")
	stay := newGate()
	defer stay.release()
	m := sc.member(group, []*topic{tp}, func(_ context.Context, m *consumer.Message[Item]) error {
		if m.Value.Do == "stay" && m.Attempt == 1 {
			stay.block()
		}
		return nil
	}, consumer.HandlerTimeout(time.Second), quick(3))
	src := sc.source()
	src.sendAll(tp, sc.item("a", ""), sc.item("b", "stay"), sc.item("c", ""))
	sc.awaitAt(stay, 1)
	sc.awaitHealth(m, "the group to name the handler's topic as the reason", false, tp.Name)
	stay.release()
	sc.awaitAllEnded(group, tp)
	sc.awaitCommitted(group, tp)
	sc.awaitHealth(m, "the group to be well again", true)
}

func failedCommitsAreUnhealthy(sc *scene) {
	tp, group := sc.topic(1), sc.group("billing")
	m := sc.member(group, []*topic{tp}, standard)
	src := sc.source()
	src.sendAll(tp, sc.item("a", ""))
	sc.awaitCommitted(group, tp)
	refusal := sc.inject(Fault{API: kmsg.OffsetCommit, Topic: tp.Name, Partition: Any, Do: Refuse, Code: kerr.TopicAuthorizationFailed.Code})
	src.sendAll(tp, sc.item("b", ""))
	sc.awaitAllEnded(group, tp)
	sc.awaitHealth(m, "the group to name the commit as the reason", false, "commit")
	refusal.Remove()
	sc.awaitCommitted(group, tp)
	sc.awaitHealth(m, "the group to be well again", true)
}
