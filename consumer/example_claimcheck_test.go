package consumer_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/broker"
	"github.com/sordini-go/sordini/consumer"
	"github.com/sordini-go/sordini/middleware"
	"github.com/sordini-go/sordini/producer"
	"github.com/sordini-go/sordini/serde"
)

// A scan of 3 MB on a topic that takes 1 MB: the value is a file, the record refers to it, and the handler has it.
func ExampleClaimCheck() {
	b, err := broker.Start(broker.Config{Topics: []broker.Topic{{Name: "scans", Partitions: 1}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer b.Close()
	dir, err := os.MkdirTemp("", "claims-")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	cluster := sordini.Cluster{Brokers: b.Addrs(), Development: true, Logger: slog.New(slog.DiscardHandler)}
	scans := sordini.Topic[string]{Name: "scans", Key: sordini.Unkeyed[string](), Value: serde.String()}

	store, err := middleware.NewFileStore(dir) // a volume that both services mount
	if err != nil {
		fmt.Println(err)
		return
	}
	p, err := producer.New(cluster, producer.ClaimCheck(store, 0))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer p.Close()
	scan, err := producer.To(p, scans)
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := scan.Send(context.Background(), strings.Repeat("x", 3<<20)); err != nil {
		fmt.Println(err)
		return
	}

	g, err := consumer.New(cluster, "archive", consumer.ClaimCheck(store))
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	err = consumer.Handle(g, scans, func(_ context.Context, m *consumer.Message[string]) error {
		fmt.Println("handled", len(m.Value), "bytes")
		stop()
		return nil
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := g.Run(ctx); err != nil {
		fmt.Println(err)
		return
	}
	records, err := b.Records("scans", 0)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("the record has", len(records[0].Value))
	// Output:
	// handled 3145728 bytes
	// the record has 0
}
