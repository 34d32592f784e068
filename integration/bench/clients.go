package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/consumer"
	"github.com/sordini-go/sordini/integration/bench/task"
	"github.com/sordini-go/sordini/producer"
	"github.com/sordini-go/sordini/serde"
)

// client does a task in this process: Sordini, or franz-go as it is.
func client(t task.Task) (task.Sample, error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	switch t.Side + " " + t.Kind {
	case "sordini noop", "sordini work", "sordini open":
		return handled(ctx, t)
	case "sordini produce", "sordini sync":
		return sent(ctx, t)
	case "franz-go noop":
		return polled(ctx, t)
	case "franz-go produce":
		return produced(ctx, t)
	case "franz-go sync":
		return producedOneByOne(ctx, t)
	case "ideal work":
		return ideal(ctx, t)
	}
	return nil, task.ErrUnknown
}

// handled runs the group runner.
func handled(ctx context.Context, t task.Task) (task.Sample, error) {
	order, ok := map[string]consumer.OrderingPolicy{"key": consumer.ByKey, "partition": consumer.ByPartition, "unordered": consumer.Unordered}[t.Order]
	if !ok {
		return nil, fmt.Errorf("no order %q", t.Order)
	}
	opts := []consumer.Option{consumer.Logger(slog.New(slog.DiscardHandler))}
	if t.Ways > 0 {
		opts = append(opts, consumer.Concurrency(t.Ways))
	}
	if !t.Chain {
		opts = append(opts, consumer.NoDefaultMiddleware())
	}
	g, err := consumer.New(sordini.Cluster{Brokers: t.Brokers, Development: true}, t.Group, opts...)
	if err != nil {
		return nil, err
	}
	m := task.NewMeter(t)
	topic := sordini.Topic[[]byte]{Name: t.Topic, Key: sordini.Unkeyed[[]byte](), Value: serde.BytesInPlace()}
	err = consumer.Handle(g, topic, func(_ context.Context, r *consumer.Message[[]byte]) error {
		m.Handle(r.Value)
		return nil
	}, consumer.Ordering(order))
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- g.Run(ctx) }()
	select {
	case err := <-ended:
		return nil, errors.Join(errors.New("the group ended early"), err)
	case <-m.Done():
	}
	stop()
	if err := <-ended; err != nil {
		return nil, err
	}
	return m.Sample(), nil
}

// polled is the least that a group member does: it polls what is there, counts, and marks each partition's last record for the next commit.
func polled(ctx context.Context, t task.Task) (task.Sample, error) {
	m := task.NewMeter(t)
	cl, err := kgo.NewClient(kgo.SeedBrokers(t.Brokers...), kgo.ConsumerGroup(t.Group), kgo.ConsumeTopics(t.Topic), kgo.AutoCommitMarks(),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	for {
		select {
		case <-m.Done():
			return m.Sample(), nil
		default:
		}
		fetches := cl.PollRecords(ctx, 10_000)
		if err := fetches.Err(); err != nil {
			return nil, err
		}
		var touched int
		fetches.EachPartition(func(p kgo.FetchTopicPartition) {
			for _, r := range p.Records {
				touched += len(r.Value)
			}
			if n := len(p.Records); n > 0 {
				cl.MarkCommitRecords(p.Records[n-1])
				m.Noop(n)
			}
		})
		runtime.KeepAlive(touched)
	}
}

// ideal sleeps as long as the records say, without Kafka and without an SDK: with as many goroutines, and with the records of a key one after the other
// where the order says so. It gets the records from the topic first.
func ideal(ctx context.Context, t task.Task) (task.Sample, error) {
	records, err := fetchAll(ctx, t)
	if err != nil {
		return nil, err
	}
	m := task.NewMeter(t)
	var wg sync.WaitGroup
	if t.Order == "key" && t.Keys < 10*t.Ways {
		queues := map[string][][]byte{}
		for _, r := range records {
			queues[string(r.Key)] = append(queues[string(r.Key)], r.Value)
		}
		ready := make(chan [][]byte, len(queues)+t.Ways)
		for _, q := range queues {
			ready <- q
		}
		var left atomic.Int64
		left.Store(int64(len(queues)))
		for range t.Ways {
			wg.Go(func() {
				for q := range ready {
					m.Handle(q[0])
					switch {
					case len(q) > 1:
						ready <- q[1:]
					case left.Add(-1) == 0:
						close(ready)
					}
				}
			})
		}
	} else {
		var next atomic.Int64
		for range t.Ways {
			wg.Go(func() {
				for i := next.Add(1) - 1; i < int64(len(records)); i = next.Add(1) - 1 {
					m.Handle(records[i].Value)
				}
			})
		}
	}
	wg.Wait()
	return m.Sample(), nil
}

func fetchAll(ctx context.Context, t task.Task) ([]*kgo.Record, error) {
	cl, err := kgo.NewClient(kgo.SeedBrokers(t.Brokers...), kgo.ConsumeTopics(t.Topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	var records []*kgo.Record
	for len(records) < t.Records {
		fetches := cl.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return nil, err
		}
		records = append(records, fetches.Records()...)
	}
	return records, nil
}

// message is a record whose key was made before.
type message struct{ key, value []byte }

// raw writes a message's value as it is.
type raw struct{}

func (raw) Bind(serde.Binding) (serde.Codec[message], error) { return raw{}, nil }
func (raw) Append(_ context.Context, dst []byte, m message, _ *serde.Headers) ([]byte, error) {
	return append(dst, m.value...), nil
}
func (raw) Decode(context.Context, []byte, serde.Headers) (message, error) {
	return message{}, errors.New("nothing is read here")
}

func messages(t task.Task) []message {
	out := make([]message, t.Keys)
	for i := range out {
		out[i] = message{key: fmt.Appendf(nil, "key-%06d", i), value: task.Value(t.Size, 0, time.Time{})}
	}
	return out
}

// warmed is how many records are sent before anything is measured.
const warmed = 2000

// sent produces with Sordini.
func sent(ctx context.Context, t task.Task) (task.Sample, error) {
	p, err := producer.New(sordini.Cluster{Brokers: t.Brokers, Development: true, Logger: slog.New(slog.DiscardHandler)}, producer.Source("bench"),
		producer.Compression(producer.NoCompression))
	if err != nil {
		return nil, err
	}
	defer func() { _ = p.Close() }()
	pub, err := producer.To(p, sordini.Topic[message]{Name: t.Topic, Key: sordini.KeyOf(serde.Bytes(), func(m message) []byte { return m.key }), Value: raw{}})
	if err != nil {
		return nil, err
	}
	all := messages(t)
	if t.Kind == "sync" {
		return oneByOne(t, func(i int) error { return pub.Send(ctx, all[i%len(all)]) })
	}
	return many(t, func(done func(error)) func(int) {
		answer := func(_ producer.Receipt, err error) { done(err) }
		return func(i int) { pub.SendAsync(ctx, all[i%len(all)], answer) }
	})
}

// many sends all records without waiting for each. sender makes what sends one and has done called with its answer.
func many(t task.Task, sender func(done func(error)) (send func(i int))) (task.Sample, error) {
	var wg sync.WaitGroup
	var failed atomic.Pointer[error]
	done := func(err error) {
		if err != nil {
			failed.CompareAndSwap(nil, &err)
		}
		wg.Done()
	}
	send := sender(done)
	for i := range warmed {
		wg.Add(1)
		send(i)
	}
	wg.Wait()
	var before runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	cpu, start := task.CPU(), time.Now()
	for i := range t.Records {
		wg.Add(1)
		send(i)
	}
	wg.Wait()
	if err := failed.Load(); err != nil {
		return nil, *err
	}
	return task.Since(start, cpu, &before, t.Records), nil
}

// oneByOne sends each record when the one before was acknowledged.
func oneByOne(t task.Task, send func(i int) error) (task.Sample, error) {
	took := make([]float64, t.Records)
	var before runtime.MemStats
	var cpu time.Duration
	var start time.Time
	for i := -warmed / 4; i < t.Records; i++ {
		if i == 0 {
			runtime.ReadMemStats(&before)
			cpu, start = task.CPU(), time.Now()
		}
		began := time.Now()
		if err := send(max(i, 0)); err != nil {
			return nil, err
		}
		if i >= 0 {
			took[i] = time.Since(began).Seconds() * 1000
		}
	}
	s := task.Since(start, cpu, &before, t.Records)
	slices.Sort(took)
	s["p50"], s["p99"] = took[len(took)/2], took[len(took)*99/100]
	return s, nil
}

func rawClient(t task.Task) (*kgo.Client, error) {
	return kgo.NewClient(kgo.SeedBrokers(t.Brokers...), kgo.ProducerBatchCompression(kgo.NoCompression()), kgo.DefaultProduceTopic(t.Topic))
}

var source = []byte("bench")

// headers are those that Sordini's producer writes: a correlation id, a UUID of version 7 made here without any library, and the source.
func headers() []kgo.RecordHeader {
	return []kgo.RecordHeader{{Key: "correlation-id", Value: uuid7(make([]byte, 0, 36))}, {Key: "source", Value: source}}
}

// produced is franz-go given the same headers.
func produced(ctx context.Context, t task.Task) (task.Sample, error) {
	cl, err := rawClient(t)
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	all := messages(t)
	return many(t, func(done func(error)) func(int) {
		answer := func(_ *kgo.Record, err error) { done(err) }
		return func(i int) {
			m := all[i%len(all)]
			cl.Produce(ctx, &kgo.Record{Key: m.key, Value: m.value, Headers: headers()}, answer)
		}
	})
}

func producedOneByOne(ctx context.Context, t task.Task) (task.Sample, error) {
	cl, err := rawClient(t)
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	all := messages(t)
	return oneByOne(t, func(i int) error {
		m := all[i%len(all)]
		return cl.ProduceSync(ctx, &kgo.Record{Key: m.key, Value: m.value, Headers: headers()}).FirstErr()
	})
}

// uuid7 appends the text of a UUID of version 7.
func uuid7(dst []byte) []byte {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:], uint64(time.Now().UnixMilli())<<16|rand.Uint64()&0xfff|0x7000)
	binary.BigEndian.PutUint64(b[8:], rand.Uint64()&^(3<<62)|2<<62)
	const digits = "0123456789abcdef"
	for i, c := range b {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			dst = append(dst, '-')
		}
		dst = append(dst, digits[c>>4], digits[c&15])
	}
	return dst
}
