package consumer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/dlt"
	"github.com/sordini-go/sordini/internal/history"
)

// write makes the dead letter of a failed record, nil where dead-lettering is off.
func (e *engine) write(a *attempt, d decision) *letter {
	if a.p.topic.deadName == "" {
		return nil
	}
	r := a.src
	now := time.Now()
	first := a.l.firstFailed
	if first.IsZero() {
		first = now
	}
	x := &letter{class: d.class, failure: dlt.Failure{
		Record: &sordini.Record{
			Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, LeaderEpoch: r.LeaderEpoch, Timestamp: r.Timestamp,
			Key: r.Key, Value: r.Value, Headers: r.Headers,
		},
		TopicID: a.cameFrom(), Group: e.g.name, Class: d.class, Err: d.err, Stack: d.stack,
		Attempts: a.number, FirstFailed: first, Failed: now, Client: e.text,
	}}
	e.compose(x, a.p.topic, e.g.cfg.format)
	return x
}

// compose writes the letter in a format.
func (e *engine) compose(x *letter, topic *topicPlan, f dlt.Format) {
	rec, cut := f.Record(topic.deadName, x.failure)
	x.record = &kgo.Record{
		Topic: rec.Topic, Partition: rec.Partition, Key: rec.Key, Value: rec.Value, Headers: rec.Headers, Timestamp: rec.Timestamp,
	}
	if x.cut = cut; cut >= dlt.WithoutHeaders {
		r := x.failure.Record
		e.stats.truncatedLetters.Add(1)
		e.report("letter-truncated", Reason{
			Code: "dead-letter-truncated", Topic: r.Topic, Partition: r.Partition, Offset: r.Offset,
			Summary: fmt.Sprintf("the dead letter of offset %d was too large and was written without its %v; the source has the record as long as it keeps it; raise max.message.bytes of %s",
				r.Offset, cut, topic.deadName),
		})
	}
}

// post produces the dead letter of a parked lane. It does not block and holds no worker; posted hears of the outcome.
func (e *engine) post(p *partition, l *lane) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || l.state != laneParked {
		return
	}
	e.produce(p, l)
}

// posted hears what became of a dead letter. Once every in-sync replica has it, the record is over; if the topic refused it, the lane waits and tries again,
// and nothing is committed past it (guarantee G2).
func (e *engine) posted(p *partition, l *lane, r *kgo.Record, err error) {
	resume := false
	defer func() {
		if resume {
			e.steer(tp{p.topic.name, p.id})
		}
	}()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return
	}
	src := l.head.rec
	p.parked--
	defer p.settle()
	if err == nil && l.letter.hand != nil {
		e.record(func() history.Event {
			return l.letter.hand.event(l.head, history.Place{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset}, "")
		})
		resume = p.handed(l, r.Offset)
		p.dispatch()
		return
	}
	if err != nil {
		x := l.letter
		if x.hand != nil && errors.Is(err, kerr.MessageTooLarge) { // what cannot be handed on dies
			p.outgrown(l, err)
			return
		}
		if errors.Is(err, kerr.MessageTooLarge) && x.hand == nil && x.cut < dlt.WithoutKey {
			x.limit = x.smaller(p.topic.deadMax)
			f := e.g.cfg.format
			f.Limit = x.limit
			e.compose(x, p.topic, f)
		}
		x.refused++
		x.err = err
		e.logRecord(slog.LevelError, "dead letter was refused; it is tried again, and nothing is committed past its record", src, err.Error(), "error", err, "dead_letters", r.Topic)
		e.stats.refusedLetters.Add(1)
		if p.stopping {
			l.state = laneHeld
			return
		}
		l.state = laneWaiting
		wait := min(time.Second<<min(x.refused-1, 10), 30*time.Second)
		if errors.Is(err, kgo.ErrMaxBuffered) {
			wait = 100 * time.Millisecond
		}
		e.due.add(l, time.Now().Add(wait))
		return
	}
	class := l.letter.class
	e.record(func() history.Event {
		return l.head.died(history.DeadLettered, class, &history.Place{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset})
	})
	e.record(func() history.Event { return l.head.died(history.Ended, class, nil) })
	e.stats.letters(class).Add(1)
	e.logRecord(slog.LevelWarn, "record was dead-lettered", src, string(class)+" "+l.cause.Error(), "class", string(class), "attempts", l.attempts, "dead_letters", r.Topic)
	resume = p.complete(l, time.Now())
	p.dispatch()
}

// died is what the history says of the dead letter, and then of the record.
func (t *task) died(kind history.Kind, class dlt.Class, to *history.Place) history.Event {
	ev := history.Event{Kind: kind, Topic: t.rec.Topic, Partition: t.rec.Partition, Offset: t.rec.Offset, Key: t.rec.Key, Class: string(class), To: to}
	if kind == history.Ended {
		ev.Outcome = history.Dead
	}
	t.wait.mark(&ev)
	return ev
}

// produce writes what a parked lane has for a companion. It does not block. p.mu is held.
func (e *engine) produce(p *partition, l *lane) {
	if l.since.IsZero() {
		l.since = time.Now()
	}
	if e.tx != nil {
		e.tx.addLetter(p, l)
		return
	}
	e.side.TryProduce(context.Background(), l.letter.record, func(r *kgo.Record, err error) { e.posted(p, l, r, err) })
}

// smaller is the next limit to try for a letter that was too large: first what the topic is known to take, then ever less. A topic's limit may have been lowered
// since the group looked.
func (x *letter) smaller(known int) int {
	if x.limit == 0 && known > 0 {
		return known
	}
	if x.limit == 0 {
		x.limit = 1 << 20
	}
	return max(1, x.limit/4)
}
