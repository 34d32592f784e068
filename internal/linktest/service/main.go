// Command service is the smallest service that publishes and handles JSON: package linktest looks at what it links.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/consumer"
	"github.com/sordini-go/sordini/producer"
	"github.com/sordini-go/sordini/serde"
)

type order struct{ ID string }

var placed = sordini.Topic[order]{
	Name:  "orders",
	Key:   sordini.KeyString(func(o order) string { return o.ID }),
	Value: serde.JSON[order](),
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	cluster, err := sordini.FromEnv()
	if err != nil {
		return err
	}
	if err := sordini.EnsureTopics(ctx, cluster, placed); err != nil {
		return err
	}
	p, err := producer.New(cluster)
	if err != nil {
		return err
	}
	defer p.Close()
	orders, err := producer.To(p, placed)
	if err != nil {
		return err
	}
	if err := orders.Send(ctx, order{ID: "17"}); err != nil {
		return err
	}
	g, err := consumer.New(cluster, "billing")
	if err != nil {
		return err
	}
	if err := consumer.Handle(g, placed, func(_ context.Context, m *consumer.Message[order]) error {
		fmt.Println(m.Value.ID)
		return nil
	}); err != nil {
		return err
	}
	return g.Run(ctx)
}
