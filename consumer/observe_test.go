package consumer

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/consumer/internal/commitmeta"
	"github.com/sordini-go/sordini/consumer/internal/window"
	"github.com/sordini-go/sordini/internal/history"
	"github.com/sordini-go/sordini/producer"
	"github.com/sordini-go/sordini/serde"
)

// TestG5AttemptStartsUnderTheLockThatListsIt: between the two a loss would find a running attempt, and the history would say that it started afterwards.
func TestG5AttemptStartsUnderTheLockThatListsIt(t *testing.T) {
	contract := sordini.Topic[string]{Name: "orders", Key: sordini.KeyString(func(s string) string { return s }), Value: serde.String()}
	for name, handle := range map[string]func(*Group) error{
		"one": func(g *Group) error {
			return Handle(g, contract, func(context.Context, *Message[string]) error { return nil })
		},
		"batch": func(g *Group) error {
			return HandleBatch(g, contract, func(context.Context, []*Message[string]) error { return nil }, BatchLinger(0))
		},
		"transaction": func(g *Group) error {
			return HandleTx(g, contract, func(context.Context, *producer.Tx, *Message[string]) error { return nil })
		},
	} {
		t.Run(name, func(t *testing.T) {
			log := &history.Log{}
			p := observed(t, log, handle)
			p.mu.Lock()
			defer p.mu.Unlock()
			a := p.take(time.Now())
			if a == nil {
				t.Fatal("nothing is taken")
			}
			got := log.Events()
			if len(got) != len(p.running) || len(got) != 1 {
				t.Fatalf("%d attempts run and %d events are recorded, want one of each", len(p.running), len(got))
			}
			e := got[0]
			if e.Kind != history.AttemptStart || e.Group != "g" || e.Topic != "orders" || e.Offset != 7 || string(e.Key) != "k" || e.Attempt != 1 || e.Fence != p.fence {
				t.Errorf("recorded %+v", e)
			}
			if (e.Call != 0) != (name == "batch") {
				t.Errorf("the event's call is %d", e.Call)
			}
			p.mu.Unlock()
			if a.parts != nil {
				a.runBatch()
			} else if err := a.run(); err != nil {
				t.Error(err)
			}
			p.mu.Lock()
			if got = log.Events(); len(got) != 2 || got[1].Kind != history.AttemptEnd || got[1].Call != e.Call {
				t.Errorf("recorded %+v, want one start and one end", got)
			}
		})
	}
}

// TestDoomedAttemptDoesNotStart: nobody is called.
func TestDoomedAttemptDoesNotStart(t *testing.T) {
	log := &history.Log{}
	p := observed(t, log, func(g *Group) error {
		contract := sordini.Topic[string]{Name: "orders", Key: sordini.KeyString(func(s string) string { return s }), Value: serde.String()}
		return Handle(g, contract, func(context.Context, *Message[string]) error { return nil })
	})
	p.mu.Lock()
	p.crash.suspect = commitmeta.Note{Offset: 7, OK: true, Crashes: crashesOfOne}
	a := p.take(time.Now())
	p.mu.Unlock()
	if err := a.run(); err == nil {
		t.Fatal("the attempt was made")
	}
	if got := log.Events(); len(got) != 0 {
		t.Errorf("recorded %+v", got)
	}
}

// TestASkipIsAnAnswerAlsoWhenItIsDrained: a handler that skips a record while the group drains has decided, and the record ends; nothing was cut short.
func TestASkipIsAnAnswerAlsoWhenItIsDrained(t *testing.T) {
	log := &history.Log{}
	var a *attempt
	p := observed(t, log, func(g *Group) error {
		contract := sordini.Topic[string]{Name: "orders", Key: sordini.KeyString(func(s string) string { return s }), Value: serde.String()}
		return Handle(g, contract, func(context.Context, *Message[string]) error {
			a.stop(ErrDraining)
			return Skip(errors.New("of no interest"))
		})
	})
	p.mu.Lock()
	a = p.take(time.Now())
	p.mu.Unlock()
	err := a.run()
	if d := a.decide(err, time.Now()); d.fate != fateSkipped {
		t.Errorf("the record's fate is %v, want it skipped", d.fate)
	}
	got := log.Events()
	if end := got[len(got)-1]; end.Kind != history.AttemptEnd || end.Outcome != history.Succeeded {
		t.Errorf("recorded %+v, want an attempt that has answered", end)
	}
}

// observed is a partition with one record that is ready, offset 7 with key k.
func observed(t *testing.T, log *history.Log, handle func(*Group) error) *partition {
	t.Helper()
	g, err := New(sordini.Cluster{Brokers: []string{"localhost:1"}, Development: true}, "g", Observe(log))
	if err != nil {
		t.Fatal(err)
	}
	if err := handle(g); err != nil {
		t.Fatal(err)
	}
	topics, err := g.plan()
	if err != nil {
		t.Fatal(err)
	}
	e := newEngine(g, topics)
	e.base = t.Context()
	e.pool.stop() // the test takes the worker's part
	p := &partition{e: e, topic: e.topic("orders"), fence: 3, win: window.New(7, -1, commitmeta.Completed{}), table: newLaneTable()}
	p.admit([]*kgo.Record{{Topic: "orders", Offset: 7, Key: []byte("k"), Value: []byte("v")}})
	return p
}
