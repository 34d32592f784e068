package containers

import (
	"testing"

	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/modules/kafka"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/broker/container"
	"github.com/sordini-go/sordini/examples/billing/billingtest"
)

func TestOrdersAreSettledInAContainer(t *testing.T) {
	ctr, err := container.Run(t.Context(), sordiniImage, container.WithBrokers(3))
	testcontainers.CleanupContainer(t, ctr)
	if err != nil {
		t.Fatal(err)
	}
	brokers, err := ctr.Brokers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	billingtest.OrdersAreSettled(t, sordini.Cluster{Brokers: brokers})
}

func TestOrdersAreSettledOnApacheKafka(t *testing.T) {
	ctr, err := kafka.Run(t.Context(), kafkaImage)
	testcontainers.CleanupContainer(t, ctr, testcontainers.StopTimeout(0)) // its shell does not hand SIGTERM on
	if err != nil {
		t.Fatal(err)
	}
	brokers, err := ctr.Brokers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	billingtest.OrdersAreSettled(t, sordini.Cluster{Brokers: brokers, Development: true}) // one broker
}
