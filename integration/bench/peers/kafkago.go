package main

import (
	"context"
	"errors"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/sordini-go/sordini/integration/bench/task"
)

// kafkaGoHandled reads with a group and commits once a second, with the larger fetches that its documentation suggests for throughput.
func kafkaGoHandled(ctx context.Context, t task.Task) (task.Sample, error) {
	r := kafka.NewReader(kafka.ReaderConfig{
		Brokers: t.Brokers, GroupID: t.Group, Topic: t.Topic, StartOffset: kafka.FirstOffset, IsolationLevel: kafka.ReadCommitted,
		CommitInterval: time.Second, MinBytes: 1, MaxBytes: 10 << 20, QueueCapacity: 10_000,
	})
	defer func() { _ = r.Close() }()
	m := task.NewMeter(t)
	for {
		select {
		case <-m.Done():
			return m.Sample(), nil
		default:
		}
		msg, err := r.ReadMessage(ctx)
		if err != nil {
			return nil, errors.Join(errEnded, err)
		}
		m.Handle(msg.Value)
	}
}

// kafkaGoSent has no idempotent producer to use: acks of all replicas is the most it offers.
func kafkaGoSent(ctx context.Context, t task.Task) (task.Sample, error) {
	w := &kafka.Writer{
		Addr: kafka.TCP(t.Brokers...), Topic: t.Topic, Balancer: &kafka.Hash{}, RequiredAcks: kafka.RequireAll, Async: true,
		BatchSize: 10_000, BatchBytes: 1 << 20, BatchTimeout: 10 * time.Millisecond,
	}
	defer func() { _ = w.Close() }()
	all := t.Messages()
	return task.Many(t, func(done func(error)) func(int) error {
		w.Completion = func(msgs []kafka.Message, err error) {
			for range msgs {
				done(err)
			}
		}
		return func(n int) error {
			for at := 0; at < n; at += 1000 { // one at a time is slower still
				batch := make([]kafka.Message, min(1000, n-at))
				for i := range batch {
					m := all[(at+i)%len(all)]
					batch[i] = kafka.Message{Key: m.Key, Value: m.Value, Headers: []kafka.Header{
						{Key: task.CorrelationHeader, Value: task.CorrelationID()}, {Key: task.SourceHeader, Value: task.Source},
					}}
				}
				if err := w.WriteMessages(ctx, batch...); err != nil {
					return err
				}
			}
			return nil
		}
	})
}
