package middleware_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/broker"
	"github.com/sordini-go/sordini/middleware"
	"github.com/sordini-go/sordini/producer"
	"github.com/sordini-go/sordini/serde"
)

// stdout is a logger for examples: without times.
func stdout(level slog.Level) *slog.Logger {
	return slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{Level: level, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))
}

// The default chain around a handler that fails: its log line has what it takes to find the record.
func ExampleDefault() {
	h := middleware.Wrap(
		func(ctx context.Context, _ *sordini.Delivery) error { return errors.New("no money") },
		middleware.Default(middleware.Config{Logger: stdout(slog.LevelInfo)})...,
	)
	r := &sordini.Record{Topic: "orders", Partition: 3, Offset: 42}
	r.Headers.Set(sordini.HeaderCorrelationID, []byte("req-42"))
	err := h(context.Background(), sordini.NewDelivery(r, "billing", 1, 0, nil))
	fmt.Println(err)
	// Output:
	// level=WARN msg="attempt failed" topic=orders partition=3 offset=42 group=billing attempt=1 correlation_id=req-42 error="no money" more_like_it=0
	// no money
}

// Middleware of one's own: it sees the record, the attempt, and what came of it.
func ExampleWrap() {
	audit := func(next sordini.Handler) sordini.Handler {
		return func(ctx context.Context, d *sordini.Delivery) error {
			err := next(ctx, d)
			fmt.Printf("%s[%d] offset %d, attempt %d: %v\n", d.Record.Topic, d.Record.Partition, d.Record.Offset, d.Attempt, err)
			return err
		}
	}
	h := middleware.Wrap(func(context.Context, *sordini.Delivery) error { return nil }, audit)
	_ = h(context.Background(), sordini.NewDelivery(&sordini.Record{Topic: "orders", Offset: 7}, "billing", 2, 0, nil))
	// Output: orders[0] offset 7, attempt 2: <nil>
}

// Both headers are on every record, on the reference broker as anywhere.
func ExampleDefaultSend() {
	b, err := broker.Start(broker.Config{Topics: []broker.Topic{{Name: "greetings", Partitions: 1}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer b.Close()
	p, err := producer.New(sordini.Cluster{Brokers: b.Addrs(), Logger: slog.New(slog.DiscardHandler)}, producer.Source("greeter"))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer p.Close()
	greet, err := producer.To(p, sordini.Topic[string]{Name: "greetings", Key: sordini.Unkeyed[string](), Value: serde.String()})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := greet.Send(sordini.WithCorrelationID(context.Background(), "req-42"), "hello"); err != nil {
		fmt.Println(err)
		return
	}
	records, err := b.Records("greetings", 0)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, r := range records {
		fmt.Printf("%s", r.Value)
		for _, h := range r.Headers {
			fmt.Printf(" %s=%s", h.Key, h.Value)
		}
		fmt.Println()
	}
	// Output: hello correlation-id=req-42 source=greeter
}
