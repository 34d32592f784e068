package consumer

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/consumer/internal/bridge"
	"github.com/sordini-go/sordini/consumer/internal/commitmeta"
	"github.com/sordini-go/sordini/consumer/internal/window"
	"github.com/sordini-go/sordini/dlt"
)

func init() {
	bridge.Deliver = func(ctx context.Context, group any, r *sordini.Record) (bridge.Result, error) {
		return group.(*Group).deliver(ctx, r)
	}
}

// deliver takes one record through the ladder at once: the runner's own decoding, middleware, recovery and decisions, with every delay taken for over and the
// flood breaker left out.
func (g *Group) deliver(ctx context.Context, r *sordini.Record) (bridge.Result, error) {
	g.mu.Lock()
	topics, err := g.plan()
	g.mu.Unlock()
	if err != nil {
		return bridge.Result{}, err
	}
	e := newEngine(g, topics)
	e.alone, e.observed = true, false
	e.base, e.foreign, e.text = ctx, len(g.cfg.middleware)+len(g.cfg.batchMiddleware) > 0, dlt.ClientText(g.cluster.ClientID)
	topic := e.topic(r.Topic)
	if topic == nil {
		return bridge.Result{}, fmt.Errorf("group %q handles %s, and the record is of topic %q", g.name, names(topics), r.Topic)
	}
	src := &kgo.Record{
		Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, LeaderEpoch: r.LeaderEpoch, Timestamp: r.Timestamp,
		Key: r.Key, Value: r.Value, Headers: r.Headers,
	}
	p := &partition{e: e, topic: topic, id: r.Partition, fence: fence(time.Now().UnixMilli(), 1), win: window.New(r.Offset, -1, commitmeta.Completed{})}
	l := &lane{p: p, head: &task{rec: src, handler: topic.handlerOf(recordType(topic, src))}}
	for {
		var a *attempt
		var err error
		if h := l.head.handler; h != nil && h.batch != nil {
			batch := p.newBatch(h, []pick{{l, 1}}, 1, time.Now())
			batch.runBatch()
			a = batch.parts[0]
			err = a.answer
		} else {
			a = newAttempt(p, l, time.Now())
			err = a.run()
		}
		d := a.decide(err, time.Now())
		res := bridge.Result{Attempts: a.number, Err: err}
		switch {
		case d.fate == fateDone:
			res.Handled = true
			return res, nil
		case d.fate == fateSkipped:
			res.Skipped = true
			return res, nil
		case d.fate == fateDead || d.flood:
			res.Class = d.class
			if letter := e.write(a, d); letter != nil {
				x := letter.record
				res.DeadLetter = &sordini.Record{
					Topic: x.Topic, Partition: x.Partition, Offset: -1, LeaderEpoch: -1, Timestamp: x.Timestamp, Key: x.Key, Value: x.Value, Headers: x.Headers,
				}
			}
			return res, nil
		case !d.counts:
			return res, fmt.Errorf("the record would be tried again until what it needs is there: %w", err)
		}
		l.attempts++
		if d.fate == fateLater {
			l.head.wait = &waiting{attempts: l.attempts, round: a.round() + 1}
		}
		l.span = a.span
		if l.firstFailed.IsZero() {
			l.firstFailed = time.Now()
		}
	}
}
