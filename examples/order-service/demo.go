package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/producer"
	"github.com/sordini-go/sordini/serde"
)

// rawOrder is what the demo puts on the orders topic beside decent orders: bytes that are none.
type rawOrder struct {
	id    string
	bytes []byte
}

// rawOrders is the orders topic as bytes.
var rawOrders = sordini.Topic[rawOrder]{
	Name:   Placed.Name,
	Key:    sordini.KeyString(func(o rawOrder) string { return o.id }),
	Value:  rawSerde{},
	Config: settings,
}

// rawSerde is a serde of one's own: a codec for both directions that is its own binding.
type rawSerde struct{}

func (s rawSerde) Bind(serde.Binding) (serde.Codec[rawOrder], error) { return s, nil }

func (rawSerde) Append(_ context.Context, dst []byte, o rawOrder, _ *serde.Headers) ([]byte, error) {
	return append(dst, o.bytes...), nil
}

func (rawSerde) Decode(_ context.Context, src []byte, _ serde.Headers) (rawOrder, error) {
	return rawOrder{bytes: bytes.Clone(src)}, nil
}

// order generates the nth order of a demo: mostly plain ones, and a few of everything that can go wrong.
func order(run string, n int) Order {
	o := Order{ID: fmt.Sprintf("%s-%06d", run, n), Customer: fmt.Sprintf("customer-%d", n%1000), Card: "4000", Country: "Norway", Cents: int64(100 + n%9900)}
	switch {
	case n == 5 || n == 15 || n == 25: // few: more at the end of a demo would look like an outage, and wait for the bank to come back
		o.Card = "broken"
	case n%100 == 7:
		o.Card = "declined"
	case n%100 == 27:
		o.Country = "Atlantis"
	case n%100 == 47:
		o.Cancelled = true
	case n%50 == 13:
		o.Card = fmt.Sprintf("flaky-%d", 1+n%3)
	case n%50 == 33:
		o.Country = "Laputa"
	}
	return o
}

// undecodable reports whether the demo sends bytes in place of its nth order.
func undecodable(n int) bool { return n%100 == 87 }

// feed publishes n generated orders as fast as the cluster takes them, and stops early when ctx ends. It returns when every one that it sent was answered.
func feed(ctx context.Context, s *service, p *progress, n int) error {
	run := fmt.Sprintf("demo-%x", time.Now().UnixMilli())
	var wg sync.WaitGroup
	var mu sync.Mutex
	var failed error
	sent := func(id string, k kind) func(producer.Receipt, error) {
		wg.Add(1)
		return func(_ producer.Receipt, err error) {
			defer wg.Done()
			if err == nil {
				err = s.ledger.write(entry{ID: id, Kind: k})
			} else {
				p.forget(id)
			}
			if err != nil {
				mu.Lock()
				failed = err
				mu.Unlock()
			}
		}
	}
	sending := context.WithoutCancel(ctx) // a stop ends the feed, not what is on its way
	for i := 0; i < n && ctx.Err() == nil; i++ {
		o := order(run, i)
		p.expect(o.ID)
		if undecodable(i) {
			s.raw.SendAsync(sending, rawOrder{id: o.ID, bytes: []byte(`{"id": "` + o.ID + `", "cents": twelve}`)}, sent(o.ID, injected))
		} else {
			s.placed.SendAsync(sending, o, sent(o.ID, accepted))
		}
	}
	wg.Wait()
	return failed
}

// watch prints how far the demo is, once a second, until ctx ends.
func watch(ctx context.Context, w io.Writer, l *ledger, p *progress) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			open, ended := p.counts()
			fmt.Fprintf(w, "published %d, ended in %s %d, in %s %d, open %d\n", l.len(), paymentGroup, ended[paymentGroup], shippingGroup, ended[shippingGroup], open)
		case <-ctx.Done():
			return
		}
	}
}
