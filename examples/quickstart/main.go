package main

import (
	"context"
	"fmt"
	"log"
	"os/signal"
	"syscall"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/consumer"
	"github.com/sordini-go/sordini/producer"
	"github.com/sordini-go/sordini/serde"
)

type Order struct{ ID, Item string }

var Placed = sordini.Topic[Order]{
	Name:  "orders",
	Key:   sordini.KeyString(func(o Order) string { return o.ID }),
	Value: serde.JSON[Order](),
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, sordini.Cluster{Brokers: []string{"localhost:9092"}, Development: true}); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, cluster sordini.Cluster) error {
	if err := sordini.EnsureTopics(ctx, cluster, Placed); err != nil {
		return err
	}
	p, err := producer.New(cluster, producer.Source("shop"))
	if err != nil {
		return err
	}
	defer p.Close()
	placed, err := producer.To(p, Placed)
	if err != nil {
		return err
	}
	if err := placed.Send(ctx, Order{ID: "17", Item: "a map of the castle"}); err != nil {
		return err // nil means: every in-sync replica has it
	}
	g, err := consumer.New(cluster, "billing")
	if err != nil {
		return err
	}
	err = consumer.Handle(g, Placed, func(ctx context.Context, m *consumer.Message[Order]) error {
		fmt.Println("charge order", m.Value.ID) // an error is retried, then dead-lettered
		return nil
	})
	if err != nil {
		return err
	}
	return g.Run(ctx) // blocks; nil after a clean drain
}
