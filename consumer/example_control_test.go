package consumer_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"time"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/broker"
	"github.com/sordini-go/sordini/consumer"
	"github.com/sordini-go/sordini/producer"
)

// billing runs a group that bills orders, three of which are published.
func billing(ctx context.Context, use func(g *consumer.Group, billed *atomic.Int64), opts ...consumer.Option) {
	b, err := broker.Start(broker.Config{Topics: []broker.Topic{{Name: "orders", Partitions: 3}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer b.Close()
	cluster := sordini.Cluster{Brokers: b.Addrs(), Development: true, Logger: slog.New(slog.DiscardHandler)}
	p, err := producer.New(cluster, producer.Source("order-service"))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer p.Close()
	placed, err := producer.To(p, Placed)
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := placed.SendBatch(ctx, []Order{{ID: "1", Total: 10}, {ID: "2", Total: 20}, {ID: "3", Total: 30}}); err != nil {
		fmt.Println(err)
		return
	}

	var billed atomic.Int64
	g, err := consumer.New(cluster, "billing", opts...)
	if err == nil {
		err = consumer.Handle(g, Placed, func(context.Context, *consumer.Message[Order]) error { billed.Add(1); return nil })
	}
	if err != nil {
		fmt.Println(err)
		return
	}
	running, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- g.Run(running) }()
	use(g, &billed)
	stop()
	fmt.Println("run:", <-done)
}

func until(f func() bool) {
	for tick := time.NewTicker(time.Millisecond); !f(); <-tick.C {
	}
}

// A group is paused while the invoice system is being deployed.
func ExampleGroup_Pause() {
	billing(context.Background(), func(g *consumer.Group, billed *atomic.Int64) {
		until(func() bool { return billed.Load() == 3 })
		if err := g.Pause(consumer.Everything()); err != nil {
			fmt.Println(err)
		}
		for _, r := range g.Health().Reasons {
			fmt.Println(r.Code+":", r.Summary)
		}
		if err := g.Resume(consumer.Everything()); err != nil {
			fmt.Println(err)
		}
		fmt.Println("paused:", g.Paused())
	})
	// Output:
	// paused: the group is paused; Resume lets it go on
	// paused: []
	// run: <nil>
}

// All orders are billed again, after a mistake was repaired.
func ExampleGroup_Replay() {
	ctx := context.Background()
	billing(ctx, func(g *consumer.Group, billed *atomic.Int64) {
		until(func() bool { return billed.Load() == 3 })
		if err := g.Replay(ctx, consumer.Earliest()); err != nil {
			fmt.Println(err)
		}
		until(func() bool { return billed.Load() == 6 })
		fmt.Println("billed:", billed.Load())
	})
	// Output:
	// billed: 6
	// run: <nil>
}

// The invoice API takes 100 calls a second, and 5 a second for each customer. It has a bad day.
func ExampleLimit() {
	all, err := consumer.NewRateLimit(consumer.Rate{Records: 100})
	if err != nil {
		fmt.Println(err)
		return
	}
	each, err := consumer.NewRateLimit(consumer.Rate{Records: 5})
	if err != nil {
		fmt.Println(err)
		return
	}
	billing(context.Background(), func(_ *consumer.Group, billed *atomic.Int64) {
		if err := all.Set(consumer.Rate{Records: 20}); err != nil {
			fmt.Println(err)
		}
		until(func() bool { return billed.Load() == 3 })
		fmt.Println("at", all.Rate().Records, "a second")
	}, consumer.Limit(all), consumer.LimitEachKey(each), consumer.CircuitBreaker(consumer.CircuitPolicy{Failures: 10}))
	// Output:
	// at 20 a second
	// run: <nil>
}

// What Kubernetes asks.
func ExampleGroup_Handler() {
	billing(context.Background(), func(g *consumer.Group, billed *atomic.Int64) {
		until(func() bool { return billed.Load() == 3 })
		admin := httptest.NewServer(g.Handler()) // in a service: go http.ListenAndServe(":8081", g.Handler())
		defer admin.Close()
		for _, path := range []string{"/livez", "/readyz", "/healthz"} {
			resp, err := http.Get(admin.URL + path)
			if err != nil {
				fmt.Println(err)
				return
			}
			resp.Body.Close()
			fmt.Println(path, resp.StatusCode)
		}
	}, consumer.RedactKeys(func([]byte) string { return "(hidden)" }))
	// Output:
	// /livez 200
	// /readyz 200
	// /healthz 200
	// run: <nil>
}
