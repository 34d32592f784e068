package consumer

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/internal/history"
	"github.com/sordini-go/sordini/producer"
	"github.com/sordini-go/sordini/serde"
)

// TestG5NothingOfALostPartitionIsCommitted: neither what ends after the loss, nor what a commit that has not been sent yet says of it.
func TestG5NothingOfALostPartitionIsCommitted(t *testing.T) {
	log := &history.Log{}
	p := observed(t, log, func(g *Group) error {
		contract := sordini.Topic[string]{Name: "orders", Key: sordini.KeyString(func(s string) string { return s }), Value: serde.String()}
		return Handle(g, contract, func(context.Context, *Message[string]) error { return nil })
	})
	p.mu.Lock()
	a := p.take(time.Now())
	p.mu.Unlock()
	err := a.run()
	p.finish(a, a.decide(err, time.Now()), false)
	before := p.e.snapshots([]*partition{p})
	if len(before) != 1 || before[0].offset != 8 {
		t.Fatalf("%d snapshots, want one that commits offset 8", len(before))
	}
	p.lose()
	if err, again := p.e.send(t.Context(), membership{}, before); err != nil || again {
		t.Errorf("what was not sent: %v", err) // to nobody: no broker is there
	}
	if after := p.e.snapshots([]*partition{p}); len(after) != 0 {
		t.Errorf("%d snapshots of a lost partition", len(after))
	}
	for _, e := range log.Events() {
		if e.Kind == history.CommitStart {
			t.Errorf("recorded %+v", e)
		}
	}
}

// TestWhatIsStagedIsAlwaysInATransactionOfTheHistory: between the end of one and the names in the next nothing is recorded, since what others record there would be judged
// as if the records in flight had not ended.
func TestWhatIsStagedIsAlwaysInATransactionOfTheHistory(t *testing.T) {
	log := &inPieces{}
	p := observed(t, &log.Log, func(g *Group) error {
		contract := sordini.Topic[string]{Name: "orders", Key: sordini.KeyString(func(s string) string { return s }), Value: serde.String()}
		return HandleTx(g, contract, func(context.Context, *producer.Tx, *Message[string]) error { return nil })
	})
	p.e.g.cfg.recorder = log
	x := newTransactions(p.e)
	p.mu.Lock()
	a := p.take(time.Now())
	p.mu.Unlock()
	staged := &staged{p: p, l: a.l, t: a.l.head, a: a}
	x.add(staged)
	batch, name := x.form()
	if len(batch) != 1 {
		t.Fatalf("%d records in a transaction, want one", len(batch))
	}
	log.pieces = nil
	x.again(batch, name, nil)
	if len(log.pieces) != 1 {
		t.Fatalf("recorded %v, want one piece", log.pieces)
	}
	piece := log.pieces[0]
	if first, last := piece[0], piece[len(piece)-1]; first.Kind != history.TxAbort || first.Tx != name || last.Kind != history.Ended || last.Tx == name || last.Offset != 7 {
		t.Errorf("recorded %v, want the end of %s, and the record's in another", piece, name)
	}
}

// inPieces keeps what was recorded together.
type inPieces struct {
	history.Log
	mu     sync.Mutex
	pieces [][]history.Event
}

func (l *inPieces) Record(events ...history.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pieces = append(l.pieces, events)
	l.Log.Record(events...)
}
