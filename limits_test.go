package sordini_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/broker"
	"github.com/sordini-go/sordini/broker/brokertest"
	"github.com/sordini-go/sordini/internal/admin"
)

// A broker that hangs takes connections and answers nothing.
func TestHungBrokerCostsSecondsNotTensOfThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := brokertest.New(t, brokertest.Brokers(3), brokertest.Topics(broker.Topic{Name: "orders", Partitions: 6, ReplicationFactor: 3}))
		cluster := c.SDK()
		cluster.Logger = slog.New(slog.DiscardHandler)
		cl, err := cluster.NewClient(kgo.RecordPartitioner(kgo.ManualPartitioner()))
		if err != nil {
			t.Fatal(err)
		}
		defer cl.Close()
		if err := cl.ProduceSync(t.Context(), &kgo.Record{Topic: "orders"}).FirstErr(); err != nil {
			t.Fatal(err)
		}
		if err := c.PauseBroker(2); err != nil {
			t.Fatal(err)
		}
		for i := range 10 { // each may come to the one that hangs
			start := time.Now()
			if _, err := admin.Brokers(t.Context(), cl); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(start); took > 6*time.Second {
				t.Errorf("request %d took %v", i, took)
			}
			time.Sleep(300 * time.Millisecond) // virtual
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		for p := range int32(6) {
			start := time.Now()
			if err := cl.ProduceSync(ctx, &kgo.Record{Topic: "orders", Partition: p}).FirstErr(); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(start); took > 12*time.Second {
				t.Errorf("a record for partition %d took %v", p, took)
			}
		}
	})
}

func TestWhatFranzGoReportsIsLoggedWithItsFixAtABoundedRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		c := brokertest.New(t)
		cluster := c.SDK()
		cluster.Logger = slog.New(slog.NewTextHandler(&out, nil))
		if err := c.KillBroker(1); err != nil {
			t.Fatal(err)
		}
		cl, err := cluster.NewClient()
		if err != nil {
			t.Fatal(err)
		}
		defer cl.Close()
		for range 250 { // 25 s
			_, err := admin.Brokers(t.Context(), cl)
			expect(t, "dead broker", sordini.Explain(err, sordini.About{}), nil, sordini.CodeBrokerUnreachable)
			time.Sleep(100 * time.Millisecond) // virtual
		}
		synctest.Wait()
		lines := strings.Count(out.String(), "\n")
		if lines == 0 || lines > 3 || !strings.Contains(out.String(), "check Cluster.Brokers (KAFKA_BROKERS)") || strings.Contains(out.String(), "level=INFO") {
			t.Errorf("%d lines:\n%s", lines, &out)
		}
	})
}
