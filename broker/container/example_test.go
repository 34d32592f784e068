package container_test

import (
	"context"
	"fmt"
	"log"

	"github.com/testcontainers/testcontainers-go"

	"github.com/sordini-go/sordini/broker/container"
)

func ExampleRun() { //nolint:testableexamples // it needs a Docker engine; integration/containers has the tests
	ctx := context.Background()
	ctr, err := container.Run(ctx, "sordini/broker:dev", container.WithTopic("orders", 12), container.WithSASL("alice", "secret"))
	defer func() {
		if err := testcontainers.TerminateContainer(ctr); err != nil {
			log.Print(err)
		}
	}()
	if err != nil {
		log.Print(err)
		return
	}
	brokers, err := ctr.ConnectionString(ctx)
	if err != nil {
		log.Print(err)
		return
	}
	fmt.Println("bootstrap.servers =", brokers)
}
