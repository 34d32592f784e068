package consumer_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sordini-go/sordini/consumer"
)

// How long a thousand keys take on twelve partitions, but for the first key, whose records fail or not.
func thousandKeys(t *testing.T, poisoned bool, opts ...consumer.Option) (took time.Duration) {
	synctest.Test(t, func(t *testing.T) {
		const n, keys, partitions = 60_000, 1000, 12 // fewer, and a hundredth is less than one round of handlers
		w := newWorld(t, partitions)
		w.history = nil
		records := make([]*kgo.Record, n)
		for i := range records {
			records[i] = record(fmt.Sprintf("k%d=%d", i%keys, i%keys))
			records[i].Partition = int32(i % keys % partitions)
		}
		if err := w.raw.ProduceSync(context.Background(), records...).FirstErr(); err != nil {
			t.Fatal(err)
		}
		const others = n - n/keys
		var handled, failed, first atomic.Int64
		done := make(chan time.Duration, 1)
		r := start(t, w.bare(func(_ context.Context, m *consumer.Message[string]) error {
			first.CompareAndSwap(0, time.Now().UnixNano())
			time.Sleep(5 * time.Millisecond)
			switch {
			case m.Value == "0" && poisoned:
				failed.Add(1)
				return errBoom
			case m.Value != "0" && handled.Add(1) == others:
				done <- time.Duration(time.Now().UnixNano() - first.Load())
			}
			return nil
		}, append(opts, consumer.Concurrency(100))...))
		took = <-done
		r.stop()
		if poisoned && failed.Load() < 3 {
			t.Errorf("the poison key failed %d times", failed.Load())
		}
	})
	return took
}

// One poison key among a thousand costs the others at most a hundredth of their throughput, whether its records are retried in place or through the inbox, or its
// handler is slow to fail.
func TestG4PoisonKeyCostsOtherKeysAHundredthAtMost(t *testing.T) {
	healthy := thousandKeys(t, false)
	for name, opts := range map[string][]consumer.Option{
		"retried in place":      nil,
		"and the retries hurry": {consumer.Retry(consumer.RetryPolicy{Retries: 1 << 20, Delay: time.Millisecond, Max: time.Millisecond})},
		"through the inbox":     once(100*time.Millisecond, 200*time.Millisecond, 400*time.Millisecond, time.Second),
	} {
		took := thousandKeys(t, true, opts...)
		t.Logf("%s: %v beside a poison key, %v without, %+.2f%%", name, took, healthy, 100*(float64(took)/float64(healthy)-1))
		if took > healthy+healthy/100 {
			t.Errorf("%s: the other keys take %v beside a poison key and %v without", name, took, healthy)
		}
	}
}
