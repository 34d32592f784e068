package producer_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/broker"
	"github.com/sordini-go/sordini/producer"
	"github.com/sordini-go/sordini/serde"
)

// Records of two topics in one call, with an answer for each that failed.
func ExampleProducer_SendAll() {
	b, err := broker.Start(broker.Config{Topics: []broker.Topic{{Name: "orders", Partitions: 1}, {Name: "reservations", Partitions: 1}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer b.Close()
	p, err := producer.New(sordini.Cluster{Brokers: b.Addrs(), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer p.Close()
	placed, err := producer.To(p, sordini.Topic[string]{Name: "orders", Key: sordini.Unkeyed[string](), Value: serde.String()})
	if err != nil {
		fmt.Println(err)
		return
	}
	reserved, err := producer.To(p, sordini.Topic[int64]{Name: "reservations", Key: sordini.Unkeyed[int64](), Value: serde.Int64()})
	if err != nil {
		fmt.Println(err)
		return
	}
	err = p.SendAll(context.Background(), placed.Message("a map of the castle"), reserved.Message(17), reserved.Message(18, producer.Partition(3)))
	fmt.Println(errors.Is(err, producer.ErrNotWritten), err)
	// Output:
	// true message 2 to reservations: send to reservations: not written: no such partition: reservations has partitions 0 to 0, and 3 was chosen
}
