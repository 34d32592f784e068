package producer

import (
	"context"
	"testing"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/serde"
)

type ctxKey struct{}

// What a send used is used again only where nobody but us had it: middleware may look at a record after it was answered, and a tracer at a context.
func TestOnlyWhatNobodyElseHasIsUsedAgain(t *testing.T) {
	plain, wrapped := new(Producer), &Producer{wrapped: true}
	done := func(*sordini.Record, error) {}
	for name, x := range map[string]struct {
		p    *Producer
		wait *wait
		ctx  func(*call) context.Context
		err  error
		want bool
	}{
		"nothing around it":     {p: plain, want: true},
		"a span around it":      {p: plain, ctx: func(c *call) context.Context { return context.WithValue(c, ctxKey{}, 1) }},
		"middleware around it":  {p: wrapped},
		"a caller waits for it": {p: plain, wait: new(wait)},
		"it failed":             {p: plain, err: ErrNotWritten},
	} {
		t.Run(name, func(t *testing.T) {
			from := x.p.stock.get(x.p)
			from.Context, from.wait = t.Context(), x.wait
			var ctx context.Context = from
			if x.ctx != nil {
				ctx = x.ctx(from)
			}
			c := x.p.callFor(ctx, from)
			c.out, c.done = &from.record, done
			c.finish(x.err)
			if from.over != x.want {
				t.Errorf("used again: %v, want %v", from.over, x.want)
			}
		})
	}
}

func TestACallOfTheStockIsAsNew(t *testing.T) {
	p := new(Producer)
	var back returns
	for range 3 * listLength {
		c := p.stock.get(p)
		c.wait, c.err, c.answered, c.plain, c.over, c.record.Topic, c.rec.Topic, c.size = new(wait), ErrNotWritten, true, true, true, "t", "t", 1
		back.add(c, &p.stock)
	}
	back.flush(&p.stock)
	seen := map[*call]bool{}
	for range 3 * listLength {
		c := p.stock.get(p)
		if seen[c] {
			t.Fatal("the stock gave a call to two")
		}
		seen[c] = true
		if c.p != p || c.answer == nil || c.next != nil || c.wait != nil || c.err != nil || c.answered || c.plain || c.over || c.record.Topic != "" || c.rec.Topic != "" || c.size != 0 {
			t.Fatalf("a call has something of its last use: %+v", c)
		}
	}
}

// All but franz-go's part of a SendAsync, with both headers: one allocation, for the goroutine of the callbacks where it has come to its end.
func TestSendAsyncAllocatesLittle(t *testing.T) {
	p, err := New(sordini.Cluster{Brokers: []string{"127.0.0.1:1"}}, Source("shop"))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	p.sender = func(ctx context.Context, r *sordini.Record, done func(*sordini.Record, error)) {
		c := p.callFor(ctx, ctx.Value(callKey{}).(*call))
		c.out, c.done = r, done
		c.finish(nil)
	}
	pub, err := To(p, sordini.Topic[[]byte]{Name: "orders", Key: sordini.KeyOf(serde.Bytes(), func(b []byte) []byte { return b[:5] }), Value: serde.Bytes()})
	if err != nil {
		t.Fatal(err)
	}
	answered := make(chan error, 1)
	done := func(_ Receipt, err error) { answered <- err }
	ctx, value := t.Context(), make([]byte, 100)
	if n := testing.AllocsPerRun(1000, func() {
		pub.SendAsync(ctx, value, done)
		if err := <-answered; err != nil {
			t.Error(err)
		}
	}); n > 1 {
		t.Errorf("%v allocations a send", n)
	}
}
