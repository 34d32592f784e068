package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sordini-go/sordini/broker"
	"github.com/sordini-go/sordini/integration/bench/task"
)

const stored = 500_000 // records

// startEngine starts a cluster of three brokers with topics of some partitions.
func startEngine(engine string, partitions int, topics ...string) (addrs []string, stop func(), err error) {
	switch engine {
	case "sordini":
		cfg := broker.Config{Brokers: 3}
		for _, t := range topics {
			cfg.Topics = append(cfg.Topics, broker.Topic{Name: t, Partitions: partitions})
		}
		c, err := broker.Start(cfg)
		if err != nil {
			return nil, nil, err
		}
		return c.Addrs(), func() { c.Close() }, nil
	case withData, withSegments:
		return startWithData(engine, partitions, topics)
	case "kfake":
		c, err := kfake.NewCluster(kfake.NumBrokers(3), kfake.SeedTopics(int32(partitions), topics...))
		if err != nil {
			return nil, nil, err
		}
		return c.ListenAddrs(), c.Close, nil
	}
	return nil, nil, fmt.Errorf("no engine %q", engine)
}

// The engines of the rows about data directories: the reference broker as it syncs by default, and as Kafka does.
const (
	withData     = "with data"
	withSegments = "with data, synced as Kafka does"
)

// startWithData is startEngine with an empty data directory.
func startWithData(engine string, partitions int, topics []string) (addrs []string, stop func(), err error) {
	dir, err := os.MkdirTemp("", "sordini-bench-")
	if err != nil {
		return nil, nil, err
	}
	cfg := broker.Config{Brokers: 3, DataDir: dir}
	if engine == withSegments {
		cfg.Fsync = broker.FsyncSegments
	}
	for _, t := range topics {
		cfg.Topics = append(cfg.Topics, broker.Topic{Name: t, Partitions: partitions})
	}
	c, err := broker.Start(cfg)
	if err != nil {
		return nil, nil, errors.Join(err, os.RemoveAll(dir))
	}
	return c.Addrs(), func() {
		_ = c.Close()
		_ = os.RemoveAll(dir)
	}, nil
}

func measureStart(engine string) (float64, error) {
	begin := time.Now()
	addrs, stop, err := startEngine(engine, 1, "orders")
	if err != nil {
		return 0, err
	}
	defer stop()
	cl, err := kgo.NewClient(kgo.SeedBrokers(addrs...), kgo.ProducerLinger(0))
	if err != nil {
		return 0, err
	}
	defer cl.Close()
	if err := cl.ProduceSync(context.Background(), &kgo.Record{Topic: "orders", Value: []byte("first")}).FirstErr(); err != nil {
		return 0, err
	}
	return time.Since(begin).Seconds() * 1000, nil
}

// fill produces records of 100 bytes and waits for all of them.
func fill(addrs []string, n int) error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(addrs...), kgo.ProducerBatchCompression(kgo.NoCompression()), kgo.DefaultProduceTopic("orders"))
	if err != nil {
		return err
	}
	defer cl.Close()
	var failed error
	value := make([]byte, 100)
	for i := range n {
		for j := range 8 {
			value[j] = byte(i >> (8 * j))
		}
		cl.Produce(context.Background(), &kgo.Record{Value: value}, func(_ *kgo.Record, err error) { // one goroutine calls all of these
			if err != nil && failed == nil {
				failed = err
			}
		})
	}
	return errors.Join(cl.Flush(context.Background()), failed)
}

func measureProduce(engine string) (float64, error) {
	addrs, stop, err := startEngine(engine, 6, "orders")
	if err != nil {
		return 0, err
	}
	defer stop()
	if err := fill(addrs, 10_000); err != nil {
		return 0, err
	}
	before := task.CPU()
	err = fill(addrs, stored)
	return float64(task.CPU()-before) / stored, err
}

func measureFetch(engine string) (float64, error) {
	addrs, stop, err := startEngine(engine, 6, "orders")
	if err != nil {
		return 0, err
	}
	defer stop()
	if err := fill(addrs, stored); err != nil {
		return 0, err
	}
	runtime.GC()
	before := task.CPU()
	cl, err := kgo.NewClient(kgo.SeedBrokers(addrs...), kgo.ConsumeTopics("orders"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		return 0, err
	}
	defer cl.Close()
	for n := 0; n < stored; {
		fetches := cl.PollFetches(context.Background())
		if err := fetches.Err(); err != nil {
			return 0, err
		}
		n += fetches.NumRecords()
	}
	return float64(task.CPU()-before) / stored, nil
}

func measureSync(engine string) (float64, error) {
	addrs, stop, err := startEngine(engine, 1, "orders")
	if err != nil {
		return 0, err
	}
	defer stop()
	cl, err := kgo.NewClient(kgo.SeedBrokers(addrs...), kgo.DefaultProduceTopic("orders"), kgo.ProducerLinger(0))
	if err != nil {
		return 0, err
	}
	defer cl.Close()
	took := make([]float64, 0, 3000)
	for i := range 3300 {
		begin := time.Now()
		if err := cl.ProduceSync(context.Background(), &kgo.Record{Value: make([]byte, 100)}).FirstErr(); err != nil {
			return 0, err
		}
		if i >= 300 { // the first ones connect and warm up
			took = append(took, float64(time.Since(begin).Nanoseconds())/1000)
		}
	}
	slices.Sort(took)
	return took[len(took)/2], nil
}

// live is the live heap.
func live() float64 {
	var m runtime.MemStats
	for range 3 { // what finalizers hold goes with the next
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc)
}

func measureHeap(engine string) (float64, error) {
	addrs, stop, err := startEngine(engine, 6, "orders")
	if err != nil {
		return 0, err
	}
	defer stop()
	if err := fill(addrs, 1000); err != nil {
		return 0, err
	}
	before := live()
	if err := fill(addrs, stored); err != nil {
		return 0, err
	}
	return (live() - before) / stored, nil
}

func measureResident(engine string) (float64, error) {
	addrs, stop, err := startEngine(engine, 6, "orders")
	if err != nil {
		return 0, err
	}
	defer stop()
	if err := fill(addrs, stored); err != nil {
		return 0, err
	}
	runtime.GC()
	return resident()
}

// resident is the memory of this process that is in RAM, in megabytes.
func resident() (float64, error) {
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kb, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			return kb / 1024, err
		}
	}
	return 0, errors.New("no VmRSS")
}

func measurePartitions(engine string) (float64, error) {
	addrs, stop, err := startEngine(engine, 1)
	if err != nil {
		return 0, err
	}
	defer stop()
	return createPartitions(addrs)
}

func measurePartitionsResident(engine string) (float64, error) {
	addrs, stop, err := startEngine(engine, 1)
	if err != nil {
		return 0, err
	}
	defer stop()
	if _, err := createPartitions(addrs); err != nil {
		return 0, err
	}
	runtime.GC()
	return resident()
}

func createPartitions(addrs []string) (float64, error) {
	cl, err := kgo.NewClient(kgo.SeedBrokers(addrs...))
	if err != nil {
		return 0, err
	}
	defer cl.Close()
	begin := time.Now()
	req := kmsg.NewPtrCreateTopicsRequest()
	for i := range 10 {
		t := kmsg.NewCreateTopicsRequestTopic()
		t.Topic, t.NumPartitions, t.ReplicationFactor = fmt.Sprintf("topic-%d", i), 1000, 3
		req.Topics = append(req.Topics, t)
	}
	resp, err := req.RequestWith(context.Background(), cl)
	if err != nil {
		return 0, err
	}
	for i := range resp.Topics {
		if t := &resp.Topics[i]; t.ErrorCode != 0 {
			return 0, fmt.Errorf("create %s: code %d", t.Topic, t.ErrorCode)
		}
	}
	return time.Since(begin).Seconds(), nil
}
