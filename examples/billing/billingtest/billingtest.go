// Package billingtest has the test of the billing service that needs a cluster, written once and run on every kind of cluster.
package billingtest

import (
	"context"
	"testing"
	"time"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/dlt"
	"github.com/sordini-go/sordini/examples/billing"
	"github.com/sordini-go/sordini/producer"
)

// OrdersAreSettled publishes two orders, lets the service run until the bank was asked about both, and stops it: the one that was declined must be a dead
// letter then, and the other one not.
func OrdersAreSettled(t *testing.T, cluster sordini.Cluster) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := sordini.EnsureTopics(ctx, cluster, billing.Placed); err != nil {
		t.Fatal(err)
	}
	p, err := producer.New(cluster, producer.Source("shop"))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	placed, err := producer.To(p, billing.Placed)
	if err != nil {
		t.Fatal(err)
	}
	if err := placed.SendBatch(ctx, []billing.Order{{ID: "17", Cents: 1200}, {ID: "18", Cents: -1}}); err != nil {
		t.Fatal(err)
	}

	asked := make(chan string, 2)
	running, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() {
		ended <- billing.Run(running, cluster, func(_ context.Context, o billing.Order) error {
			asked <- o.ID
			if o.Cents < 0 {
				return billing.ErrDeclined
			}
			return nil
		})
	}()
	for range 2 {
		select {
		case <-asked:
		case err := <-ended:
			t.Fatalf("the service ended before the bank was asked: %v", err)
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Fatalf("stop of the service: %v", err)
	}

	var dead []string
	for letter, err := range dlt.Read(ctx, cluster, dlt.Query{Group: billing.Group}) {
		if err != nil {
			t.Fatal(err)
		}
		dead = append(dead, string(letter.Record.Key))
	}
	if len(dead) != 1 || dead[0] != "18" {
		t.Errorf("dead letters are %v, want that of order 18", dead)
	}
}
