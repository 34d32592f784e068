package guarantee

import (
	"context"
	"errors"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sordini-go/sordini/consumer"
	"github.com/sordini-go/sordini/internal/history"
)

// peers are the five ways in which four other Go frameworks lost or misrouted a record when they were run on their documented paths (November 2026: zkafka
// 2.3.0, kafka-konsumer 2.3.5, watermill-kafka 3.1.2, goka 1.1.16).
var peers = []Scenario{
	{Guarantee: "G1", Name: "PeerZkafkaCommitsARefusedDeadLetter", Targets: Reference | Kafka, Verbs: []Verb{RefuseProduce}, body: func(sc *scene) {
		failedRecordWithRefusedDeadLetter(sc, kerr.MessageTooLarge)
	}},
	{Guarantee: "G6", Name: "PeerZkafkaCommitsWhatAStopInterrupted", Targets: Reference | Kafka, body: stopInterruptsAHandler},
	{Guarantee: "G1", Name: "PeerKonsumerCommitsARefusedRetry", Targets: Reference | Kafka, Verbs: []Verb{RefuseProduce}, body: func(sc *scene) {
		failedRecordWithRefusedDeadLetter(sc, kerr.InvalidRecord)
	}},
	{Guarantee: "G6", Name: "PeerWatermillDeadLettersAShutdown", Targets: Reference | Kafka, body: shutdownIsNoFailure},
	{Guarantee: "G2", Name: "PeerGokaCommitsPastWhatIsInFlight", Targets: Reference | Kafka, body: laterRecordEndsFirst},
}

// failedRecordWithRefusedDeadLetter: zkafka and kafka-konsumer had committed offset 1, with nothing in the other topic and the record gone.
func failedRecordWithRefusedDeadLetter(sc *scene, refusal *kerr.Error) {
	tp, group := sc.topic(1), sc.group("billing")
	in := sc.inject(Fault{API: kmsg.Produce, Topic: sc.deadLetters(tp, group), Partition: Any, Do: Refuse, Code: refusal.Code})
	m := sc.member(group, []*topic{tp}, standard, quick(1))
	src := sc.source()
	src.sendAll(tp, sc.item("k", "fail"))
	sc.awaitHits(in, 2)
	m.drain()
	_ = m.wait() // with a dead letter that is refused it may or may not call itself drained; what it commits counts
	if got := sc.committed(group, tp)[0]; got > 0 {
		sc.t.Errorf("committed %d; the record is neither handled nor dead-lettered", got)
	}
	in.Remove()
	sc.member(group, []*topic{tp}, standard, quick(1))
	sc.awaitAllEnded(group, tp)
	sc.awaitCommitted(group, tp)
}

// stopInterruptsAHandler: zkafka committed the record whose handler its stop had interrupted.
func stopInterruptsAHandler(sc *scene) {
	tp, group := sc.topic(1), sc.group("billing")
	hold := newGate()
	m := sc.member(group, []*topic{tp}, func(ctx context.Context, _ *consumer.Message[Item]) error { return hold.pass(ctx) }, consumer.DrainTimeout(0))
	src := sc.source()
	src.sendAll(tp, sc.item("k", ""))
	sc.awaitAt(hold, 1)
	m.drain()
	if err := m.wait(); !errors.Is(err, consumer.ErrUndrained) {
		sc.t.Errorf("Run: %v, want ErrUndrained", err)
	}
	if got := sc.committed(group, tp)[0]; got > 0 {
		sc.t.Errorf("committed %d; the handler never finished", got)
	}
	sc.member(group, []*topic{tp}, standard)
	sc.awaitAllEnded(group, tp)
}

// shutdownIsNoFailure: watermill's graceful close cancelled the handler at once, dead-lettered the record with the reason "context canceled" and without
// its key, and did not commit it either.
func shutdownIsNoFailure(sc *scene) {
	tp, group := sc.topic(1), sc.group("billing")
	started := newGate()
	m := sc.member(group, []*topic{tp}, func(ctx context.Context, _ *consumer.Message[Item]) error {
		if err := started.pass(ctx); err != nil {
			return err
		}
		select { // a handler that obeys its context and needs 500 ms
		case <-time.After(500 * time.Millisecond):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}, quick(2))
	src := sc.source()
	src.sendAll(tp, sc.item("k", ""))
	sc.awaitAt(started, 1)
	started.release()
	m.stop()
	sc.look(func(t *tally) {
		if got := t.group(group).count(history.Handled); got != 1 {
			sc.t.Errorf("%d handled by a graceful stop, want 1", got)
		}
	})
	if got := sc.committed(group, tp)[0]; got != 1 {
		sc.t.Errorf("committed %d, want 1", got)
	}
}

// laterRecordEndsFirst: goka committed offset 2 while the record at offset 0 was in flight, and its shutdown took longer than 7 s.
func laterRecordEndsFirst(sc *scene) {
	tp, group := sc.topic(1), sc.group("billing")
	hold := newGate()
	m := sc.member(group, []*topic{tp}, func(ctx context.Context, m *consumer.Message[Item]) error {
		if m.Value.Key == "slow" {
			return hold.pass(ctx)
		}
		return nil
	}, consumer.DrainTimeout(time.Second))
	src := sc.source()
	src.sendAll(tp, sc.item("slow", ""), sc.item("fast", ""))
	sc.await("the later record to end", func(t *tally) bool { return t.group(group).ended == 1 })
	sc.bounded("Run with a handler in flight", 6*time.Second, func() {
		m.drain()
		if err := m.wait(); !errors.Is(err, consumer.ErrUndrained) {
			sc.t.Errorf("Run: %v, want ErrUndrained", err)
		}
	})
	if got := sc.committed(group, tp)[0]; got > 0 {
		sc.t.Errorf("committed %d while offset 0 was in flight", got)
	}
	sc.member(group, []*topic{tp}, func(context.Context, *consumer.Message[Item]) error { return nil })
	sc.awaitAllEnded(group, tp)
}
