package consumer_test

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/broker"
	"github.com/sordini-go/sordini/consumer"
	"github.com/sordini-go/sordini/producer"
	"github.com/sordini-go/sordini/serde"
)

type Order struct {
	ID    string
	Total int
}

var Placed = sordini.Topic[Order]{
	Name:  "orders",
	Key:   sordini.KeyString(func(o Order) string { return o.ID }),
	Value: serde.JSON[Order](),
}

func Example() {
	b, err := broker.Start(broker.Config{Topics: []broker.Topic{{Name: "orders", Partitions: 3}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer b.Close()
	cluster := sordini.Cluster{Brokers: b.Addrs(), Development: true, Logger: slog.New(slog.DiscardHandler)}

	ctx, stop := context.WithCancel(context.Background())
	defer stop()

	g, err := consumer.New(cluster, "billing")
	if err != nil {
		fmt.Println(err)
		return
	}
	err = consumer.Handle(g, Placed, func(_ context.Context, m *consumer.Message[Order]) error {
		fmt.Printf("charge order %s: %d\n", m.Value.ID, m.Value.Total)
		stop() // one is enough for an example; the group drains
		return nil
	})
	if err != nil {
		fmt.Println(err)
		return
	}

	p, err := producer.New(cluster, producer.Source("order-service"))
	if err != nil {
		fmt.Println(err)
		return
	}
	placed, err := producer.To(p, Placed)
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := placed.Send(ctx, Order{ID: "17", Total: 42}); err != nil {
		fmt.Println(err)
	}
	if err := p.Close(); err != nil {
		fmt.Println(err)
	}

	fmt.Println("run:", g.Run(ctx))
	// Output:
	// charge order 17: 42
	// run: <nil>
}
