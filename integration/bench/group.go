package main

import (
	"context"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// groupOf measures how long the members of one group take until they own all partitions, each at least one, and stay so. They start at once, as the
// containers of a service do.
func groupOf(members int, consumer bool) func(engine string) (float64, error) {
	return func(engine string) (float64, error) {
		addrs, stop, err := startEngine(engine, members, "orders")
		if err != nil {
			return 0, err
		}
		defer stop()
		g := &ownership{owned: make([]int, members), changed: make(chan struct{}, 1)}
		var clients []*kgo.Client
		defer func() {
			var wg sync.WaitGroup
			for _, cl := range clients {
				wg.Go(cl.Close)
			}
			wg.Wait()
		}()
		begin := time.Now()
		for i := range members {
			opts := []kgo.Opt{
				kgo.SeedBrokers(addrs...), kgo.ConsumerGroup("workers"), kgo.ConsumeTopics("orders"), kgo.DisableAutoCommit(),
				kgo.FetchMaxWait(5 * time.Second),
				kgo.OnPartitionsAssigned(func(_ context.Context, _ *kgo.Client, parts map[string][]int32) { g.add(i, len(parts["orders"])) }),
				kgo.OnPartitionsRevoked(func(_ context.Context, _ *kgo.Client, parts map[string][]int32) { g.add(i, -len(parts["orders"])) }),
				kgo.OnPartitionsLost(func(_ context.Context, _ *kgo.Client, parts map[string][]int32) { g.add(i, -len(parts["orders"])) }),
			}
			if consumer {
				opts = append(opts, kgo.ServerSideBalancer())
			}
			cl, err := kgo.NewClient(opts...)
			if err != nil {
				return 0, err
			}
			clients = append(clients, cl)
		}
		return g.settle(begin).Seconds(), nil
	}
}

// ownership is how many partitions each member has.
type ownership struct {
	changed chan struct{}

	mu    sync.Mutex // guards what follows
	owned []int
	at    time.Time // of the last change
}

func (o *ownership) add(member, n int) {
	if n == 0 {
		return
	}
	o.mu.Lock()
	o.owned[member] += n
	o.at = time.Now()
	o.mu.Unlock()
	select {
	case o.changed <- struct{}{}:
	default:
	}
}

// settle waits until every member has a partition and nothing has changed for two seconds, and returns when that began.
func (o *ownership) settle(begin time.Time) time.Duration {
	for {
		o.mu.Lock()
		idle, at, since := 0, o.at, time.Since(o.at)
		for _, n := range o.owned {
			if n == 0 {
				idle++
			}
		}
		o.mu.Unlock()
		if idle == 0 && since > 2*time.Second {
			return at.Sub(begin)
		}
		select {
		case <-o.changed:
		case <-time.After(500 * time.Millisecond):
		}
	}
}
