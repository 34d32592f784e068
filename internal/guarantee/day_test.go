//go:build synctests

package guarantee_test

import (
	"flag"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sordini-go/sordini/broker"
	"github.com/sordini-go/sordini/internal/guarantee"
	"github.com/sordini-go/sordini/internal/guarantee/reference"
	"github.com/sordini-go/sordini/internal/history"
)

var dayHours = flag.Int("day.hours", 4, "hours of the long day")

// TestDayOfMixedLoadLeavesMemoryFlat runs hours of mixed load in virtual time: after each the checker is content, and the memory is what it was.
func TestDayOfMixedLoadLeavesMemoryFlat(t *testing.T) {
	const (
		settled = 2        // hours until the compacted topic and Kafka's own have their size
		slack   = 1 << 20  // bytes: segments are not rolled at the same moment in each hour
		most    = 32 << 20 // bytes, whatever the hours before were
	)
	synctest.Test(t, func(t *testing.T) {
		c, err := broker.Start(broker.Config{Brokers: 3, Network: broker.NewNetwork(), Properties: map[string]string{
			// Kafka's own topics are compacted by segments, too, which are 100 MB by default: a day of this load would not fill one.
			"offsets.topic.num.partitions": "3", "offsets.topic.segment.bytes": "262144",
			"transaction.state.log.num.partitions": "3", "transaction.state.log.segment.bytes": "262144",
			"transactional.id.expiration.ms": "7200000",
			// Of a client that is gone its fetch session is kept until another one needs the slot: 1,000 are filled in days.
			"max.incremental.fetch.session.cache.slots": "20",
		}})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		var first uint64
		var goroutines int
		began := time.Now()
		guarantee.Day{Hours: *dayHours, Hour: func(n int, r history.Report) {
			heap := live()
			t.Logf("hour %d: %d KiB live, %d goroutines; %s", n+1, heap>>10, runtime.NumGoroutine(), r)
			switch {
			case n+1 == settled:
				first, goroutines = heap, runtime.NumGoroutine()
			case n+1 > settled && (heap > first+slack || heap > most):
				t.Errorf("hour %d: %d KiB are live, after hour %d it was %d", n+1, heap>>10, settled, first>>10)
			case n+1 > settled && runtime.NumGoroutine() > goroutines+20:
				t.Errorf("hour %d: %d goroutines, after hour %d it was %d", n+1, runtime.NumGoroutine(), settled, goroutines)
			}
		}}.Run(t, reference.Target(c, 3, time.Hour))
		if took := time.Since(began); !t.Failed() && took < time.Duration(*dayHours)*time.Hour {
			t.Errorf("the day took %s", took)
		}
	})
}

// live is how many bytes are in use.
func live() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
