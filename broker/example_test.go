package broker_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sordini-go/sordini/broker"
)

func Example() {
	cluster, err := broker.Start(broker.Config{Topics: []broker.Topic{{Name: "orders", Partitions: 1}}})
	if err != nil {
		log.Fatal(err)
	}
	defer cluster.Close()

	client, err := kgo.NewClient(kgo.SeedBrokers(cluster.Addrs()...), kgo.MetadataMinAge(50*time.Millisecond)) // or any other Kafka client
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

	// The broker takes the record and drops the connection before it answers. The client sends it again, and it is there once.
	dropped, err := cluster.Inject(broker.Fault{API: broker.APIProduce, Topic: "orders", DropResponse: true, Count: 1})
	if err != nil {
		log.Fatal(err)
	}
	record := &kgo.Record{Topic: "orders", Key: []byte("17"), Value: []byte("three violins")}
	if err := client.ProduceSync(context.Background(), record).FirstErr(); err != nil {
		log.Fatal(err)
	}
	fmt.Println("responses dropped:", dropped.Hits())

	records, err := cluster.Records("orders", 0)
	if err != nil {
		log.Fatal(err)
	}
	for _, r := range records {
		fmt.Printf("%d %s=%s\n", r.Offset, r.Key, r.Value)
	}
	// Output:
	// responses dropped: 1
	// 0 17=three violins
}
