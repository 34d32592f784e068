package producer_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/producer"
)

// sendMany sends n records without waiting for each, and returns when all are answered.
func (f *fixture) sendMany(n int) {
	var wg sync.WaitGroup
	wg.Add(n)
	done := func(_ producer.Receipt, err error) {
		if err != nil {
			f.t.Error(err)
		}
		wg.Done()
	}
	o := order{ID: "k", Text: "x"}
	for range n {
		f.pub.SendAsync(f.t.Context(), o, done)
	}
	wg.Wait()
}

// Middleware sees a record that stays what it was, however many are sent after it.
func TestARecordThatMiddlewareHadIsNotUsedAgain(t *testing.T) {
	var mu sync.Mutex
	var kept []*sordini.Record
	var was []string
	keep := func(next sordini.Sender) sordini.Sender {
		return func(ctx context.Context, r *sordini.Record, done func(*sordini.Record, error)) {
			next(ctx, r, func(r *sordini.Record, err error) {
				mu.Lock()
				kept, was = append(kept, r), append(was, fmt.Sprint(*r))
				mu.Unlock()
				done(r, err)
			})
		}
	}
	f := start(t, nil, producer.Middleware(keep))
	for range 5 {
		f.sendMany(200)
	}
	for i, r := range kept {
		if now := fmt.Sprint(*r); now != was[i] {
			t.Fatalf("record %d was\n%s and is\n%s", i, was[i], now)
		}
	}
	if len(kept) != 1000 {
		t.Errorf("%d records were seen", len(kept))
	}
}

// Headers that an option of the service's own gives to many records stay what they are.
func TestHeadersThatManyRecordsShareAreKept(t *testing.T) {
	shared := sordini.Headers{{Key: sordini.HeaderCorrelationID, Value: []byte("c")}, {Key: sordini.HeaderSource, Value: []byte("s")}}
	f := start(t, nil)
	for range 100 {
		answered := make(chan error, 1)
		f.pub.SendAsync(t.Context(), order{ID: "k"}, func(_ producer.Receipt, err error) { answered <- err }, func(r *sordini.Record) { r.Headers = shared })
		if err := <-answered; err != nil {
			t.Fatal(err)
		}
	}
	if got := fmt.Sprintf("%s", shared); got != "[{correlation-id c} {source s}]" {
		t.Errorf("they are %s", got)
	}
}
