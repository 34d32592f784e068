package producer_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/broker/brokertest"
	"github.com/sordini-go/sordini/producer"
	"github.com/sordini-go/sordini/serde"
)

type order struct{ ID, Text string }

func orders(name string) sordini.Topic[order] {
	return sordini.Topic[order]{Name: name, Key: sordini.KeyString(func(o order) string { return o.ID }), Value: serde.JSON[order]()}
}

func TestSend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := brokertest.New(t, brokertest.Topic("orders", 3))
		p, err := producer.New(c.SDK(), producer.Source("order-service"))
		if err != nil {
			t.Fatal(err)
		}
		pub, err := producer.To(p, orders("orders"))
		if err != nil {
			t.Fatal(err)
		}
		ctx := context.Background()
		if err := pub.Send(ctx, order{"1", "a"}); err != nil {
			t.Fatal(err)
		}
		var batch []order
		for i := range 100 {
			batch = append(batch, order{fmt.Sprint(i), "b"})
		}
		if err := pub.SendBatch(ctx, batch); err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		pub.SendAsync(ctx, order{"2", "c"}, func(r producer.Receipt, err error) { done <- err })
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if err := pub.Delete(ctx, order{ID: "1"}); err != nil {
			t.Fatal(err)
		}
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
		n := 0
		for i := range int32(3) {
			rs, err := c.Records("orders", i)
			if err != nil {
				t.Fatal(err)
			}
			n += len(rs)
			for _, r := range rs[:1] {
				t.Logf("%+v", r)
			}
		}
		if n != 103 {
			t.Fatalf("%d records", n)
		}
	})
}
