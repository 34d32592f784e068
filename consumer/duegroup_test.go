package consumer_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/consumer"
	"github.com/sordini-go/sordini/dlt"
)

// tenThousandWait lets 10,000 records on twelve partitions wait for times spread over ten seconds, in place or in the inbox, and returns by how much each came late, in
// order.
func tenThousandWait(t testing.TB, least time.Duration, inbox bool) []time.Duration {
	const n, partitions = 10_000 / scale, 12
	w := newWorld(t, partitions)
	w.history = nil
	var mu sync.Mutex
	due, late := make(map[string]time.Time, n), make([]time.Duration, 0, n)
	wait := func(i int) time.Duration { return least + time.Duration(i*7919%10_007)*time.Millisecond }
	all := make(chan struct{})
	r := start(t, w.bare(func(_ context.Context, m *consumer.Message[string]) error {
		now := time.Now()
		mu.Lock()
		defer mu.Unlock()
		if !inbox && m.Attempt == 1 {
			d := wait(len(due))
			due[m.Value] = now.Add(d)
			return consumer.RetryAfter(d, errBoom)
		}
		if late = append(late, now.Sub(due[m.Value])); len(late) == n {
			close(all)
		}
		return nil
	}, consumer.FloodBreaker(-1, 0, 0), consumer.MaxInFlight(20_000, 1<<30)))
	if !inbox {
		w.crowd(n, partitions)
	} else {
		waitFor(t, "the inboxes are read", func() bool { _, _, ok := w.Committed("g", "orders.g.retry", partitions-1); return ok })
		records := make([]*kgo.Record, n)
		began := time.Now()
		for i := range records {
			v := fmt.Sprint(i)
			due[v] = began.Add(wait(i))
			src := &sordini.Record{Topic: "orders", Partition: int32(i % partitions), Offset: int64(i), Timestamp: began, Key: []byte(v), Value: []byte(v)}
			x := dlt.InboxRecord{Record: src, Group: "g", Due: due[v], Operation: "op"}.Encode("orders.g.retry")
			records[i] = &kgo.Record{Topic: x.Topic, Partition: x.Partition, Key: x.Key, Value: x.Value, Headers: x.Headers, Timestamp: x.Timestamp}
		}
		if err := w.raw.ProduceSync(context.Background(), records...).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	<-all
	if err := r.stop(); err != nil {
		t.Error(err)
	}
	slices.Sort(late)
	return late
}

// In place and through the inbox: never early, and 99 of 100 within 50 ms where nothing takes time but what is waited for.
func TestRetriesAreNeverEarlyAndHardlyLateWithTenThousandWaiting(t *testing.T) {
	for name, inbox := range map[string]bool{"in place": false, "through the inbox": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				late := tenThousandWait(t, time.Minute, inbox)
				t.Logf("late: least %v, 99 of 100 %v, most %v", late[0], late[len(late)*99/100], late[len(late)-1])
				if late[0] < 0 || late[len(late)*99/100] > 50*time.Millisecond {
					t.Errorf("late: least %v, 99 of 100 %v", late[0], late[len(late)*99/100])
				}
			})
		})
	}
}

// The same in real time, over loopback, with the broker in the same process.
func BenchmarkRetriesWithTenThousandWaiting(b *testing.B) {
	for name, inbox := range map[string]bool{"in place": false, "through the inbox": true} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				late := tenThousandWait(b, 5*time.Second, inbox)
				if late[0] < 0 {
					b.Fatalf("%v early", -late[0])
				}
				b.ReportMetric(float64(late[len(late)*99/100].Microseconds())/1000, "p99-ms-late")
				b.ReportMetric(float64(late[len(late)-1].Microseconds())/1000, "max-ms-late")
			}
		})
	}
}
