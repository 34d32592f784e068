// Command evolution runs three versions of one service side by side, as a rolling deployment does: each publishes orders of its own schema, and each
// handles the orders of all. The registry's level is FULL, because in a rolling deployment old versions read what new ones write. It runs on the embedded broker and its schema registry:
//
//	go run ./examples/evolution
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"sync"
	"time"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/broker"
	"github.com/sordini-go/sordini/consumer"
	"github.com/sordini-go/sordini/producer"
	"github.com/sordini-go/sordini/serde"
	"github.com/sordini-go/sordini/serde/registry"
)

func main() {
	b, err := broker.Start(broker.Config{Registry: &broker.Registry{Compatibility: "FULL"}})
	if err != nil {
		log.Fatal(err)
	}
	defer b.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cluster := sordini.Cluster{Brokers: b.Addrs(), Development: true, Registry: sordini.Registry{URLs: []string{b.RegistryURL()}}}
	if err := run(ctx, cluster, 100, os.Stdout); err != nil {
		log.Fatal(err)
	}
}

// run registers the three schemas one after another, each after a check, as three releases would, and lets every version publish n orders.
func run(ctx context.Context, cluster sordini.Cluster, n int, out io.Writer) error {
	if err := sordini.EnsureTopics(ctx, cluster, PlacedV1); err != nil {
		return err
	}
	for i, v := range values {
		if err := registry.Compatible(ctx, cluster.Registry, "orders", serde.Value, v); err != nil { // the test before a deployment
			return err
		}
		s, err := registry.Register(ctx, cluster.Registry, "orders", serde.Value, v) // the deployment's first step
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "version %d of the service has schema id %d\n", i+1, s.ID)
	}
	err := registry.Compatible(ctx, cluster.Registry, "orders", serde.Value, PlacedRenamed.Value)
	var refused *registry.IncompatibleError
	if !errors.As(err, &refused) {
		return fmt.Errorf("a version that older ones cannot read is not refused: %w", err)
	}
	fmt.Fprintln(out, "the version with a renamed field is refused:", err)
	want := 3 * n
	versions := []*version{
		{name: "v1", publish: publisher(PlacedV1, func(id string) OrderV1 { return OrderV1{ID: id, Cents: 100} })},
		{name: "v2", publish: publisher(PlacedV2, func(id string) OrderV2 { return OrderV2{ID: id, Cents: 200, Currency: "USD"} })},
		{name: "v3", publish: publisher(PlacedV3, func(id string) OrderV3 { return OrderV3{ID: id, Cents: 300, Currency: "GBP"} })},
	}
	runV1, err := handler(cluster, PlacedV1, versions[0], want, func(o OrderV1) string { return fmt.Sprint(o.Cents) })
	if err != nil {
		return err
	}
	runV2, err := handler(cluster, PlacedV2, versions[1], want, func(o OrderV2) string { return fmt.Sprint(o.Cents, " ", o.Currency) })
	if err != nil {
		return err
	}
	runV3, err := handler(cluster, PlacedV3, versions[2], want, func(o OrderV3) string { return fmt.Sprint(o.Cents, " ", o.Currency) })
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	for i, serve := range []func(context.Context) error{runV1, runV2, runV3} {
		wg.Go(func() {
			if err := serve(ctx); err != nil {
				cancel(err)
			}
		})
		wg.Go(func() {
			if err := versions[i].publish(ctx, cluster, versions[i].name, n); err != nil {
				cancel(err)
			}
		})
	}
	wg.Wait()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	for _, v := range versions {
		fmt.Fprintf(out, "%s saw %v\n", v.name, v.seen)
	}
	return nil
}

// version is one version of the service.
type version struct {
	name    string
	publish func(ctx context.Context, cluster sordini.Cluster, name string, n int) error

	mu   sync.Mutex // guards seen
	seen map[string]int
}

// publisher publishes orders of one version.
func publisher[T any](topic sordini.Topic[T], order func(id string) T) func(context.Context, sordini.Cluster, string, int) error {
	return func(ctx context.Context, cluster sordini.Cluster, name string, n int) error {
		p, err := producer.New(cluster, producer.Source(name))
		if err != nil {
			return err
		}
		defer p.Close()
		to, err := producer.To(p, topic)
		if err != nil {
			return err
		}
		for i := range n {
			if err := to.Send(ctx, order(fmt.Sprintf("%s-%d", name, i))); err != nil {
				return err
			}
		}
		return nil
	}
}

// handler counts what a version makes of the orders of all versions, and ends when it has seen them all.
func handler[T any](cluster sordini.Cluster, topic sordini.Topic[T], v *version, want int, show func(T) string) (func(context.Context) error, error) {
	g, err := consumer.New(cluster, "billing-"+v.name)
	if err != nil {
		return nil, err
	}
	v.seen = make(map[string]int)
	all, handled := make(chan struct{}), 0
	err = consumer.Handle(g, topic, func(_ context.Context, m *consumer.Message[T]) error {
		v.mu.Lock()
		defer v.mu.Unlock()
		v.seen[show(m.Value)]++
		if handled++; handled == want {
			close(all)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) error {
		ctx, stop := context.WithCancel(ctx)
		defer stop()
		go func() {
			select {
			case <-all:
				stop()
			case <-ctx.Done():
			}
		}()
		return g.Run(ctx)
	}, nil
}
