package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/sordini-go/sordini/integration/bench/task"
)

// row is one thing that is measured: a task that several sides do.
type row struct {
	name, what string
	bar        string // of issue 6, in words
	metric     string // what it is judged by first
	sides      []string

	engine func(engine string) (float64, error) // rows of the broker: one number, in this process, without a task

	task       task.Task
	partitions int
	zipf       bool                           // keys are drawn with Zipf(1.0), else evenly
	work       func(*rand.Rand) time.Duration // of a record
	arrive     int                            // records a second of an open loop
}

const million = 1_000_000

func engineRow(name, unit, what string, measure func(string) (float64, error)) row {
	return row{name: name, what: what, metric: unit, sides: []string{"sordini", "kfake"}, engine: measure}
}

// dataRow compares the broker with a data directory with itself in memory.
func dataRow(name, unit, what, bar string, measure func(string) (float64, error)) row {
	return row{name: name, what: what, metric: unit, bar: bar, sides: []string{"sordini", withData, withSegments}, engine: measure}
}

func constant(d time.Duration) func(*rand.Rand) time.Duration {
	return func(*rand.Rand) time.Duration { return d }
}

// upTo5ms is the work of parallel-consumer's own benchmark.
func upTo5ms(r *rand.Rand) time.Duration { return time.Duration(r.Int64N(int64(5 * time.Millisecond))) }

const (
	pc        = "parallel-consumer"
	confluent = "confluent-kafka-go"
	allPeers  = "ahead of every peer's rate"
)

func rows() []row {
	all := []row{
		engineRow("start", "ms", "from nothing to the first acknowledged record, without linger", measureStart),
		engineRow("broker-produce", "ns CPU", "a record of 100 bytes produced, in batches as the client makes them, client and broker together", measureProduce),
		engineRow("broker-fetch", "ns CPU", "a record of 100 bytes fetched, client and broker together", measureFetch),
		engineRow("broker-sync", "µs", "median of 3,000 records produced one after the other, without linger", measureSync),
		engineRow("heap", "bytes", "live heap a stored record of 100 bytes", measureHeap),
		engineRow("resident", "MB", "resident memory of the process that has stored 500,000 records of 100 bytes", measureResident),
		engineRow("group-classic", "s", "until 1,000 members of a classic group are stable (cooperative-sticky, 1,000 partitions)", groupOf(1000, false)),
		engineRow("group-consumer", "s", "until 1,000 members of a group of the consumer protocol are stable (KIP-848, 1,000 partitions)", groupOf(1000, true)),
		engineRow("partitions", "s", "10,000 partitions created in ten topics", measurePartitions),
		dataRow("data-produce", "ns CPU", "broker-produce with a data directory, against memory alone", "at most 1.3 times memory's cpu", measureProduce),
		dataRow("data-fetch", "ns CPU", "broker-fetch with a data directory, against memory alone", "at most 1.3 times memory's cpu", measureFetch),
		dataRow("data-sync", "µs", "broker-sync with a data directory, against memory alone: every record waits for the disk", "", measureSync),
		dataRow("data-start", "ms", "from nothing to the first acknowledged record, without linger, with an empty data directory, against memory alone", "within milliseconds", measureStart),
		engineRow("partitions-rss", "MB", "resident memory of the process that has 10,000 partitions", measurePartitionsResident),

		{name: "noop", what: "a handler that does nothing, middleware off, key order, 12 partitions, 100 bytes", metric: "cpu", bar: "cpu at most 2 times franz-go's, at most 0.5 allocation",
			sides: []string{"sordini", "franz-go"}, task: task.Task{Kind: "noop", Order: "key", Records: million, Keys: 10_000, Size: 100}, partitions: 12},
		{name: "noop-chain", what: "the same with the default middleware, and the peers with nothing", metric: "cpu", bar: "cpu at most 4 times franz-go's, at most 4 allocations, " + allPeers,
			sides: []string{"sordini", "franz-go", "sarama", "kafka-go", "watermill", confluent},
			task:  task.Task{Kind: "noop", Order: "key", Chain: true, Records: million, Keys: 10_000, Size: 100}, partitions: 12},
		{name: "noop-1k", what: "a handler that does nothing, middleware off, 1 KiB", metric: "cpu", bar: "cpu at most 1.15 times franz-go's",
			sides: []string{"sordini", "franz-go"}, task: task.Task{Kind: "noop", Order: "key", Records: 300_000, Keys: 10_000, Size: 1024}, partitions: 12},
		{name: "produce", what: "records sent without waiting for each, both headers on, 100 bytes", metric: "cpu", bar: "0.95 of franz-go's rate, 1.1 times its cpu, 1 allocation more",
			sides: []string{"sordini", "franz-go", "sarama", "kafka-go", confluent}, task: task.Task{Kind: "produce", Records: million, Keys: 10_000, Size: 100}, partitions: 12},
		{name: "sync", what: "records sent one after the other", metric: "p50", bar: "p50 at most 1.05 times franz-go's",
			sides: []string{"sordini", "franz-go", confluent}, task: task.Task{Kind: "sync", Records: 5000, Keys: 10_000, Size: 100}, partitions: 12},

		{name: "ways-100", what: "20,000 records, 12 partitions, 10,000 keys, 5 ms of work, key order, 100 ways", metric: "rate", bar: "0.95 of the ideal, at most 5 µs CPU a record",
			sides: []string{"sordini", "ideal", pc}, task: task.Task{Kind: "work", Order: "key", Chain: true, Records: 20_000, Ways: 100, Keys: 10_000, Size: 100},
			partitions: 12, work: constant(5 * time.Millisecond)},
		{name: "ways-1000", what: "1,000,000 records, 100,000 keys, 5 ms of work, key order, 1,000 ways", metric: "rate", bar: "0.9 of the ideal",
			sides: []string{"sordini", "ideal"}, task: task.Task{Kind: "work", Order: "key", Chain: true, Records: million, Ways: 1000, Keys: 100_000, Size: 100},
			partitions: 12, work: constant(5 * time.Millisecond)},
	}
	own := row{metric: "rate", bar: "0.95 of the ideal", sides: []string{"sordini", "ideal", pc}, partitions: 1, work: upTo5ms}
	own.task = task.Task{Kind: "work", Order: "key", Chain: true, Records: 10_000, Ways: 16, Size: 100}
	for _, keys := range []int{1, 2, 5, 10, 20, 50, 100, 1000, 10_000} {
		r := own
		r.name, r.what = fmt.Sprintf("own-%d", keys), fmt.Sprintf("parallel-consumer's own workload: 10,000 records, 1 partition, 0 to 5 ms of work, 16 ways, %d keys", keys)
		r.task.Keys = keys
		all = append(all, r)
	}
	r := own
	r.name, r.what = "own-unordered", "the same, unordered"
	r.task.Keys, r.task.Order = 10_000, "unordered"
	all = append(all, r)
	r = own
	r.name, r.what, r.bar, r.metric = "open", "the same with 10,000 keys, Zipf(1.0), arriving 2,500 a second whether the one before is handled or not; how long each takes", "ahead of parallel-consumer", "p99"
	r.sides, r.zipf, r.arrive, r.task.Kind, r.task.Keys, r.task.Records = []string{"sordini", pc}, true, 2500, "open", 10_000, 25_000
	all = append(all, r)
	for _, ways := range []int{16, 100, 1000} {
		for _, work := range []time.Duration{0, 100 * time.Microsecond, time.Millisecond, 10 * time.Millisecond, 100 * time.Millisecond} {
			if work*25_000/time.Duration(ways) > 30*time.Second {
				continue // takes minutes and shows what 1 and 10 ms show
			}
			all = append(all, row{name: strings.ReplaceAll(fmt.Sprintf("work-%v-%d", work, ways), "µ", "u"), what: fmt.Sprintf("25,000 records, 8 partitions, 1,000 keys, %v of work, %d ways", work, ways),
				metric: "rate", bar: "ahead of parallel-consumer", sides: []string{"sordini", pc, "ideal"}, partitions: 8, work: constant(work),
				task: task.Task{Kind: "work", Order: "key", Chain: true, Records: 25_000, Ways: ways, Keys: 1000, Size: 100}})
		}
	}
	return all
}

// keysOf returns who draws a record's key.
func (r row) keysOf(rnd *rand.Rand) func() int {
	if !r.zipf {
		return func() int { return rnd.IntN(r.task.Keys) }
	}
	sums, total := make([]float64, r.task.Keys), 0.0 // math/rand's Zipf wants an exponent above 1
	for i := range sums {
		total += 1 / float64(i+1)
		sums[i] = total
	}
	return func() int {
		at := rnd.Float64() * total
		low, high := 0, len(sums)-1
		for low < high {
			if mid := (low + high) / 2; sums[mid] < at {
				low = mid + 1
			} else {
				high = mid
			}
		}
		return low
	}
}

// interval is the median of ratios and an interval that holds it with 95 %, from order statistics; with fewer than six pairs the smallest and the largest.
func interval(ratios []float64) (mid, low, high float64) {
	if len(ratios) == 0 {
		return 0, 0, 0
	}
	n := len(ratios)
	k := 0
	for p := math.Pow(0.5, float64(n)); n >= 6; k++ { // P(X <= k) of Binomial(n, 1/2) stays under 2.5 %
		sum, c := 0.0, 1.0
		for i := 0; i <= k+1; i++ {
			sum += c * p
			c *= float64(n-i) / float64(i+1)
		}
		if sum > 0.025 {
			break
		}
	}
	s := sorted(ratios)
	return median(ratios), s[k], s[n-1-k]
}
