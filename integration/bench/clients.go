package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"

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

// raw writes a message's value as it is.
type raw struct{}

func (raw) Bind(serde.Binding) (serde.Codec[task.Message], error) { return raw{}, nil }
func (raw) Append(_ context.Context, dst []byte, m task.Message, _ *serde.Headers) ([]byte, error) {
	return append(dst, m.Value...), nil
}
func (raw) Decode(context.Context, []byte, serde.Headers) (task.Message, error) {
	return task.Message{}, errors.New("nothing is read here")
}

// sent produces with Sordini.
func sent(ctx context.Context, t task.Task) (task.Sample, error) {
	p, err := producer.New(sordini.Cluster{Brokers: t.Brokers, Development: true, Logger: slog.New(slog.DiscardHandler)}, producer.Source("bench"),
		producer.Compression(producer.NoCompression))
	if err != nil {
		return nil, err
	}
	defer func() { _ = p.Close() }()
	pub, err := producer.To(p, sordini.Topic[task.Message]{Name: t.Topic, Key: sordini.KeyOf(serde.Bytes(), func(m task.Message) []byte { return m.Key }), Value: raw{}})
	if err != nil {
		return nil, err
	}
	all := t.Messages()
	if t.Kind == "sync" {
		return task.OneByOne(t, func(i int) error { return pub.Send(ctx, all[i%len(all)]) })
	}
	return task.Many(t, func(done func(error)) func(int) error {
		answer := func(_ producer.Receipt, err error) { done(err) }
		return func(n int) error {
			for i := range n {
				pub.SendAsync(ctx, all[i%len(all)], answer)
			}
			return nil
		}
	})
}

func rawClient(t task.Task) (*kgo.Client, error) {
	return kgo.NewClient(kgo.SeedBrokers(t.Brokers...), kgo.ProducerBatchCompression(kgo.NoCompression()), kgo.DefaultProduceTopic(t.Topic))
}

func headers() []kgo.RecordHeader {
	return []kgo.RecordHeader{{Key: task.CorrelationHeader, Value: task.CorrelationID()}, {Key: task.SourceHeader, Value: task.Source}}
}

// produced is franz-go given the same headers.
func produced(ctx context.Context, t task.Task) (task.Sample, error) {
	cl, err := rawClient(t)
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	all := t.Messages()
	return task.Many(t, func(done func(error)) func(int) error {
		answer := func(_ *kgo.Record, err error) { done(err) }
		return func(n int) error {
			for i := range n {
				m := all[i%len(all)]
				cl.Produce(ctx, &kgo.Record{Key: m.Key, Value: m.Value, Headers: headers()}, answer)
			}
			return nil
		}
	})
}

func producedOneByOne(ctx context.Context, t task.Task) (task.Sample, error) {
	cl, err := rawClient(t)
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	all := t.Messages()
	return task.OneByOne(t, func(i int) error {
		m := all[i%len(all)]
		return cl.ProduceSync(ctx, &kgo.Record{Key: m.Key, Value: m.Value, Headers: headers()}).FirstErr()
	})
}
