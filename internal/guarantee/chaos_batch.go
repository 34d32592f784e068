package guarantee

import (
	"context"
	"time"

	"github.com/sordini-go/sordini/consumer"
)

// batchWork handles several records at once, in key order, and answers for each.
var batchWork = kind{
	name: "batch", fate: ordinaryFate,
	options: func(l *load) []consumer.Option { // no batch is larger than what may be in flight
		return []consumer.Option{consumer.MaxInFlight(64+l.rng.IntN(1000), 1<<20)}
	},
	register: func(l *load, m *member) error {
		h := m.alive(l.handler(m))
		return consumer.HandleBatch(m.g, l.topic.Topic, func(ctx context.Context, batch []*consumer.Message[Item]) error {
			failed := make(consumer.BatchError, len(batch))
			for i, msg := range batch {
				failed[i] = h(ctx, msg)
			}
			return failed
		}, consumer.BatchSize(1+l.rng.IntN(50)), consumer.BatchLinger(time.Duration(l.rng.IntN(50))*time.Millisecond))
	},
}
