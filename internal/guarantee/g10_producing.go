package guarantee

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sordini-go/sordini/internal/history"
	"github.com/sordini-go/sordini/producer"
)

var producing = []Scenario{
	{Guarantee: "G10", Name: "AcknowledgedMeansWritten", Targets: Reference | Kafka, Verbs: []Verb{KillBroker}, Alone: true, body: acknowledgedMeansWritten},
	{Guarantee: "G10", Name: "LostAnswerWritesOnce", Targets: Reference | Kafka, Verbs: []Verb{DropAfterApply, CutFrame}, body: lostAnswerWritesOnce},
	{Guarantee: "G10", Name: "RefusedSendIsNotWritten", Targets: Reference | Kafka, Verbs: []Verb{RefuseProduce}, body: refusedSendIsNotWritten},
	{Guarantee: "G10", Name: "KeyOrderSurvivesRetriedSends", Targets: Reference | Kafka, Verbs: []Verb{RefuseProduce, DropAfterApply, MoveLeader}, body: keyOrderSurvivesRetriedSends},
	{Guarantee: "G10", Name: "ContextThatEndsFirstTellsTheTruth", Targets: Reference | Kafka, Verbs: []Verb{StallRequest}, body: contextThatEndsFirst},
	{Guarantee: "G10", Name: "TooFewReplicasAcknowledgeNothing", Targets: Reference | Kafka, Verbs: []Verb{KillBroker}, Alone: true, body: tooFewReplicas},
	{Guarantee: "G10", Name: "CloseDeliversWhatIsBuffered", Targets: Reference | Kafka, body: closeDelivers},
}

// acknowledgedMeansWritten: every broker dies once while records are sent; what was acknowledged is on the log, once and in order.
func acknowledgedMeansWritten(sc *scene) {
	tp := sc.topic(3)
	src := sc.source()
	for id := range int32(sc.target.Brokers) {
		var sent sync.WaitGroup
		items := sc.items(300, 30, "")
		sent.Go(func() {
			for _, err := range src.trySendAll(tp, items...) {
				if err != nil {
					sc.t.Errorf("send while a broker died: %v", err)
				}
			}
		})
		up := sc.downDuring("kill a broker", id+1, sc.target.Faults.Kill)
		sent.Wait()
		up()
	}
	src.close()
}

// lostAnswerWritesOnce: the broker has the batch, the producer is not told, and sends it again.
func lostAnswerWritesOnce(sc *scene) {
	tp := sc.topic(2)
	src := sc.source()
	src.sendAll(tp, sc.items(10, 10, "")...)
	for _, do := range []Action{DropResponse, CutResponse, DropResponse} {
		lost := sc.inject(Fault{API: kmsg.Produce, Topic: tp.Name, Partition: Any, Count: 2, Do: do})
		for lost.Hits() < 2 && sc.ctx.Err() == nil { // how many requests they go in is the producer's to decide
			src.sendAll(tp, sc.items(40, 10, "")...)
		}
		lost.Remove()
	}
	src.close()
}

// refusedSendIsNotWritten: a definite no is an error that promises that nothing was written.
func refusedSendIsNotWritten(sc *scene) {
	tp := sc.topic(1)
	src := sc.source()
	src.sendAll(tp, sc.item("a", ""))
	no := sc.inject(Fault{API: kmsg.Produce, Topic: tp.Name, Partition: Any, Count: 1, Do: Refuse, Code: kerr.InvalidRecord.Code})
	ctx, cancel := sc.patience()
	defer cancel()
	err := src.send(ctx, tp, sc.item("a", ""))
	sc.awaitHits(no, 1)
	if !errors.Is(err, kerr.InvalidRecord) || errors.Is(err, producer.ErrOutcomeUnknown) {
		sc.t.Errorf("got %v, want INVALID_RECORD and no doubt", err)
	}
	if err := src.send(ctx, tp, sc.item("a", "")); err != nil {
		sc.t.Errorf("send after a refusal: %v", err)
	}
	src.close()
}

// keyOrderSurvivesRetriedSends: refusals that are worth a retry, lost answers and moving leaders, with batches in flight behind each.
func keyOrderSurvivesRetriedSends(sc *scene) {
	tp := sc.topic(3)
	src := sc.source()
	src.sendAll(tp, sc.items(30, 30, "")...)
	faults := []Fault{
		{Do: Refuse, Code: kerr.NotEnoughReplicas.Code}, {Do: DropResponse}, {Do: Refuse, Code: kerr.NotLeaderForPartition.Code}, {Do: CutResponse},
		{Do: Refuse, Code: kerr.RequestTimedOut.Code}, {Do: DropResponse},
	}
	for i, f := range faults {
		f.API, f.Topic, f.Partition, f.Count = kmsg.Produce, tp.Name, int32(i%3), 1
		in := sc.inject(f)
		var sent sync.WaitGroup
		for part := range 4 {
			items := sc.items(50, 25, "")
			for i := range items { // each goroutine has keys of its own, or there would be no order to keep
				items[i].Key += string(rune('a' + part))
			}
			sent.Go(func() {
				for _, err := range src.trySendAll(tp, items...) {
					if err != nil {
						sc.t.Errorf("send: %v", err)
					}
				}
			})
		}
		sc.do("move a leader", func(ctx context.Context) error {
			return sc.target.Faults.MoveLeader(ctx, tp.Name, int32(i+1)%3, sc.other(sc.leader(tp, int32(i+1)%3)))
		})
		sent.Wait()
		in.Remove()
	}
	src.close()
}

// contextThatEndsFirst: Send returns when its context ends and says whether the record may have been written.
func contextThatEndsFirst(sc *scene) {
	tp := sc.topic(1)
	src := sc.source()
	src.sendAll(tp, sc.item("a", ""))
	ended, end := context.WithCancel(sc.ctx)
	end()
	if err := src.send(ended, tp, sc.item("a", "")); !errors.Is(err, context.Canceled) || errors.Is(err, producer.ErrOutcomeUnknown) {
		sc.t.Errorf("send with a context that had ended: %v, want context.Canceled and no doubt", err)
	}
	held := sc.inject(Fault{API: kmsg.Produce, Topic: tp.Name, Partition: Any, Count: 1, Do: Stall})
	ctx, cancel := context.WithTimeout(sc.ctx, time.Second)
	defer cancel()
	sc.bounded("Send with a deadline of 1 s", 2*time.Second, func() {
		if err := src.send(ctx, tp, sc.item("a", "")); !errors.Is(err, producer.ErrOutcomeUnknown) || !errors.Is(err, context.DeadlineExceeded) {
			sc.t.Errorf("send whose context ended while the request was out: %v, want ErrOutcomeUnknown and context.DeadlineExceeded", err)
		}
	})
	held.Remove()
	src.sendAll(tp, sc.items(5, 1, "")...)
	src.close()
}

// tooFewReplicas: with one broker of three nothing can be acknowledged; when they are back everything is.
func tooFewReplicas(sc *scene) {
	tp := sc.topic(1)
	src := sc.source()
	src.sendAll(tp, sc.item("a", ""))
	leader := sc.leader(tp, 0)
	first := sc.downDuring("kill a broker", sc.other(leader), sc.target.Faults.Kill)
	second := sc.downDuring("kill a broker", sc.other(sc.other(leader)), sc.target.Faults.Kill)
	ctx, cancel := context.WithTimeout(sc.ctx, 3*time.Second)
	defer cancel()
	if err := src.send(ctx, tp, sc.item("a", "")); err == nil {
		sc.t.Error("Send returned nil with one of three replicas alive and min.insync.replicas 2")
	}
	var sent sync.WaitGroup
	var errs []error
	items := sc.items(10, 2, "")
	sent.Go(func() { errs = src.trySendAll(tp, items...) })
	var ups sync.WaitGroup // both at once: a controller alone has no quorum
	ups.Go(first)
	ups.Go(second)
	ups.Wait()
	sent.Wait()
	for _, err := range errs {
		if err != nil {
			sc.t.Errorf("send after the replicas had come back: %v", err)
		}
	}
	src.close()
}

// closeDelivers: at SIGTERM the contexts of all sends end; what was accepted into the buffer is delivered by Close or named by it.
func closeDelivers(sc *scene) {
	tp := sc.topic(3)
	src := sc.source()
	ctx, cancel := context.WithCancel(sc.ctx)
	defer cancel()
	var mu sync.Mutex
	told := map[history.Kind]int{}
	var calls sync.WaitGroup
	for _, it := range sc.items(1000, 100, "") {
		calls.Add(1)
		src.start(context.WithoutCancel(ctx), tp, it, func(err error) {
			defer calls.Done()
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				told[history.Accepted]++
			case errors.Is(err, producer.ErrOutcomeUnknown):
				told[history.Unknown]++
			default:
				told[history.Refused]++
			}
		})
	}
	cancel()
	src.close()
	calls.Wait()
	if told[history.Accepted] != 1000 {
		sc.t.Errorf("%v of 1000 buffered records when Close returned nil", told)
	}
}
