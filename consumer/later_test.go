package consumer_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sordini-go/sordini/consumer"
)

// once is retried through the inbox alone: no retries in place.
func once(delays ...time.Duration) []consumer.Option {
	return []consumer.Option{consumer.Retry(consumer.RetryPolicy{Retries: -1}), consumer.RetryLater(delays...)}
}

// The bound of what is in memory of the inbox is given back by what ends, and by what is taken away.
func TestMoreComesDueThanMayBeInMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.whole = true
		for i := range 60 {
			w.put(fmt.Sprintf("k%d=%d", i, i))
		}
		got := newSeen(t)
		h := func(_ context.Context, m *consumer.Message[string]) error {
			if m.Attempt == 1 {
				return errBoom
			}
			got.add(m.Value)
			return nil
		}
		opts := append(once(time.Minute), consumer.MaxInFlight(8, 1<<20), consumer.Concurrency(2), consumer.FloodBreaker(-1, 0, 0))
		r := start(t, w.group(h, opts...))
		got.wait(60)
		waitFor(t, "everything is committed", func() bool { return w.committed() == 60 && w.inboxCommitted() == 60 })
		r.cleanly()
	})
}
