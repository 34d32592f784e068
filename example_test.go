package sordini_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/broker"
	"github.com/sordini-go/sordini/consumer"
	"github.com/sordini-go/sordini/producer"
	"github.com/sordini-go/sordini/serde"
)

type Order struct {
	ID    string `json:"id"`
	Cents int    `json:"cents"`
}

// Placed is one contract for both sides.
var Placed = sordini.Topic[Order]{
	Name:   "orders",
	Key:    sordini.KeyString(func(o Order) string { return o.ID }),
	Value:  serde.JSON[Order](),
	Config: sordini.TopicConfig{Partitions: 12, Retention: 7 * 24 * time.Hour},
}

// One program that publishes three orders and handles them, on the reference broker.
func Example() {
	b, err := broker.Start(broker.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer b.Close()
	cluster := sordini.Cluster{Brokers: b.Addrs(), Development: true, Logger: slog.New(slog.DiscardHandler)}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := sordini.EnsureTopics(ctx, cluster, Placed); err != nil {
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
	for i, cents := range []int{250, 1250, 99} {
		if err := placed.Send(ctx, Order{ID: "17", Cents: cents}); err != nil {
			fmt.Println(i, err)
		}
	}
	if err := p.Close(); err != nil {
		fmt.Println(err)
	}

	g, err := consumer.New(cluster, "billing")
	if err != nil {
		fmt.Println(err)
		return
	}
	handled := 0
	err = consumer.Handle(g, Placed, func(_ context.Context, m *consumer.Message[Order]) error {
		fmt.Printf("order %s: %d cents\n", m.Value.ID, m.Value.Cents)
		if handled++; handled == 3 {
			cancel() // as SIGTERM would
		}
		return nil
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("drained:", g.Run(ctx) == nil)
	// Output:
	// order 17: 250 cents
	// order 17: 1250 cents
	// order 17: 99 cents
	// drained: true
}

// A cluster with TLS and SCRAM. Printing it shows no secret.
func ExampleCluster() {
	t, err := sordini.TLSFromFiles("", "", "") // the system's authorities, no client certificate
	if err != nil {
		fmt.Println(err)
		return
	}
	cluster := sordini.Cluster{
		Brokers:  []string{"kafka-1:9093", "kafka-2:9093"},
		ClientID: "order-service",
		TLS:      t,
		SASL:     sordini.ScramSHA512("alice", "open sesame"),
		Strict:   true,
	}
	fmt.Println(cluster)
	fmt.Println(cluster.Validate())
	// Output:
	// cluster(brokers=[kafka-1:9093 kafka-2:9093] client-id=order-service tls=on sasl=(SCRAM-SHA-512 as "alice") strict)
	// <nil>
}

// What can not work is refused before anything is dialled, with the field and the fix.
func ExampleCluster_Validate() {
	err := sordini.Cluster{Brokers: []string{"kafka"}, SASL: sordini.Plain("alice", "open sesame")}.Validate()
	fmt.Println(errors.Is(err, sordini.ErrCluster))
	fmt.Println(err)
	// Output:
	// true
	// cluster: Brokers[0] is "kafka"; give a host:port such as kafka:9092: invalid cluster settings
	// cluster: SASL PLAIN without TLS sends the password in clear text; set TLS, use sordini.ScramSHA512, or say AllowPlainWithoutTLS as well: invalid cluster settings
}

// An error whose cause is known says what to do: here three replicas are asked of a cluster of one.
func ExampleDiagnose() {
	b, err := broker.Start(broker.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer b.Close()
	err = sordini.EnsureTopics(context.Background(), sordini.Cluster{Brokers: b.Addrs()}, Placed)
	d, known := sordini.Diagnose(err)
	fmt.Println(known, d.Code)
	fmt.Println(d.Summary)
	fmt.Println(d.Fix)
	// Output:
	// true too-few-brokers
	// the replication factor of topic "orders" is not possible on this cluster
	// set Cluster.Development on a laptop, say a smaller TopicConfig.ReplicationFactor, or bring the brokers back
}

// Several instances may ensure their topics at once; what is there is left as it is.
func ExampleEnsureTopics() {
	b, err := broker.Start(broker.Config{Brokers: 3})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer b.Close()
	cluster := sordini.Cluster{Brokers: b.Addrs(), Strict: true}
	ctx := context.Background()
	fmt.Println(sordini.EnsureTopics(ctx, cluster, Placed))

	grown := Placed
	grown.Config.Partitions = 24
	err = sordini.EnsureTopics(ctx, cluster, grown)
	fmt.Println(errors.Is(err, sordini.ErrDrift))
	fmt.Println(err)
	// Output:
	// <nil>
	// true
	// topic "orders": partitions 12 instead of 24; alter the topic or the contract: topic differs from its contract
}

// A correlation id that an HTTP request brought travels in the records that its handler sends, and from there into the contexts of whoever handles them.
func ExampleWithCorrelationID() {
	ctx := sordini.WithCorrelationID(context.Background(), "req-42")
	fmt.Println(sordini.CorrelationID(ctx))
	fmt.Println(sordini.CorrelationID(context.Background()) == "", len(sordini.NewCorrelationID()))
	// Output:
	// req-42
	// true 36
}
