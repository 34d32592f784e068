package broker_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sordini-go/sordini/broker"
)

// A test waits for what it is about, and is told what was there instead when that does not come.
func ExampleCluster_WaitLag() {
	cluster, err := broker.Start(broker.Config{Topics: []broker.Topic{{Name: "orders", Partitions: 1}}})
	if err != nil {
		log.Fatal(err)
	}
	defer cluster.Close()
	client, err := kgo.NewClient(kgo.SeedBrokers(cluster.Addrs()...), kgo.ConsumerGroup("billing"), kgo.ConsumeTopics("orders"),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.DisableAutoCommit())
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for _, order := range []string{"three violins", "a bow", "a case"} {
		if err := client.ProduceSync(ctx, &kgo.Record{Topic: "orders", Value: []byte(order)}).FirstErr(); err != nil {
			log.Fatal(err)
		}
	}
	if err := cluster.WaitGroup(ctx, "billing", "Stable", 1); err != nil {
		log.Fatal(err)
	}
	fmt.Println("lag:", cluster.Lag("billing")[0].Lag)

	go func() { // the service
		for range 3 {
			client.PollRecords(ctx, 1)
		}
		if err := client.CommitUncommittedOffsets(ctx); err != nil {
			log.Print(err)
		}
	}()
	fmt.Println("waited:", cluster.WaitLag(ctx, "billing", 0))
	fmt.Println("committed:", cluster.Commits("billing")[0].Offset)

	late, cancel := context.WithCancel(ctx)
	cancel()
	fmt.Println(cluster.WaitRecords(late, "orders", 4))
	// Output:
	// lag: 3
	// waited: <nil>
	// committed: 3
	// wait for 4 records of orders, have 3: context canceled
}

// What consumers of committed records get, and what else is in the log.
func ExampleCluster_CommittedRecords() {
	cluster, err := broker.Start(broker.Config{Topics: []broker.Topic{{Name: "orders", Partitions: 1}}})
	if err != nil {
		log.Fatal(err)
	}
	defer cluster.Close()
	client, err := kgo.NewClient(kgo.SeedBrokers(cluster.Addrs()...), kgo.TransactionalID("shop"))
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	ctx := context.Background()
	for value, end := range []kgo.TransactionEndTry{kgo.TryAbort, kgo.TryCommit} {
		if err := client.BeginTransaction(); err != nil {
			log.Fatal(err)
		}
		for _, item := range []string{"violin", "bow"} {
			if err := client.ProduceSync(ctx, &kgo.Record{Topic: "orders", Value: fmt.Append(nil, "order ", value, ": ", item)}).FirstErr(); err != nil {
				log.Fatal(err)
			}
		}
		if err := client.EndTransaction(ctx, end); err != nil {
			log.Fatal(err)
		}
	}
	if err := cluster.WaitTransactionsEnded(ctx); err != nil {
		log.Fatal(err)
	}
	committed, err := cluster.CommittedRecords("orders", 0)
	if err != nil {
		log.Fatal(err)
	}
	for _, r := range committed {
		fmt.Printf("%d %s\n", r.Offset, r.Value)
	}
	all, err := cluster.LogRecords("orders", 0)
	if err != nil {
		log.Fatal(err)
	}
	for _, r := range all {
		fmt.Println(r.Offset, r.Txn, r.Marker)
	}
	// Output:
	// 3 order 1: violin
	// 4 order 1: bow
	// 0 aborted false
	// 1 aborted false
	// 2 aborted true
	// 3 committed false
	// 4 committed false
	// 5 committed true
}
