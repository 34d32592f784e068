package consumer

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/internal/history"
	"github.com/sordini-go/sordini/serde"
)

// What was fetched goes to lanes as far as workers have use for it: the rest costs a pointer a record. As long as something is kept behind that there is room for, a
// lane is ready, whoever takes one, so that every worker finds what it may do.
func TestRecordsAreAdmittedAsWorkersHaveUseForThem(t *testing.T) {
	p := withRecords(t, 1000, func(i int) string { return fmt.Sprint(i) })
	if n := p.win.InFlight(); n > 2*ahead {
		t.Errorf("%d of 1000 records are admitted, and no worker has come", n)
	}
	for i := range 1000 {
		if p.ready.empty() {
			t.Fatalf("no lane is ready after %d attempts", i)
		}
		if p.take(time.Now()) == nil {
			t.Fatalf("nothing is taken after %d attempts", i)
		}
	}
	if p.take(time.Now()) != nil || len(p.backlog) != 0 {
		t.Error("there is more than was put in")
	}
}

// A key with many records holds up no other key (guarantee G4): what is behind them is admitted too.
func TestAKeyWithManyRecordsKeepsNoOtherBehind(t *testing.T) {
	p := withRecords(t, 1000, func(i int) string { return map[bool]string{true: "other"}[i == 999] })
	first, second := p.take(time.Now()), p.take(time.Now())
	if first == nil || second == nil || string(second.src.Key) != "other" {
		t.Errorf("beside %v, %v is taken, want the record of the other key", first, second)
	}
	if third := p.take(time.Now()); third != nil {
		t.Errorf("offset %d runs beside the one before it of its key", third.src.Offset)
	}
}

// withRecords is a partition that has fetched records from offset 8 on, with one of their own before them.
func withRecords(t *testing.T, n int, key func(i int) string) *partition {
	contract := sordini.Topic[string]{Name: "orders", Key: sordini.KeyString(func(s string) string { return s }), Value: serde.String()}
	p := observed(t, &history.Log{}, func(g *Group) error {
		return Handle(g, contract, func(context.Context, *Message[string]) error { return nil })
	})
	var records []*kgo.Record
	for i := range n {
		records = append(records, &kgo.Record{Topic: "orders", Offset: int64(8 + i), Key: []byte(key(i)), Value: []byte("v")})
	}
	p.admit(records)
	p.mu.Lock()
	t.Cleanup(p.mu.Unlock)
	a := p.take(time.Now())
	if a == nil || a.src.Offset != 7 {
		t.Fatalf("%v is taken, want offset 7", a)
	}
	return p
}
