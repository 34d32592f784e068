package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
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
	var s sends
	w := &kafka.Writer{
		Addr: kafka.TCP(t.Brokers...), Topic: t.Topic, Balancer: &kafka.Hash{}, RequiredAcks: kafka.RequireAll, Async: true,
		BatchSize: 10_000, BatchBytes: 1 << 20, BatchTimeout: 10 * time.Millisecond,
		Completion: func(msgs []kafka.Message, err error) {
			for range msgs {
				s.done(err)
			}
		},
	}
	defer func() { _ = w.Close() }()
	keys := make([][]byte, t.Keys)
	for i := range keys {
		keys[i] = fmt.Appendf(nil, "key-%06d", i)
	}
	value := task.Value(t.Size, 0, time.Time{})
	send := func(n int) error {
		s.wg.Add(n)
		for at := 0; at < n; at += 1000 { // one at a time is slower still
			batch := make([]kafka.Message, min(1000, n-at))
			for i := range batch {
				batch[i] = kafka.Message{Key: keys[(at+i)%len(keys)], Value: value}
			}
			if err := w.WriteMessages(ctx, batch...); err != nil {
				return err
			}
		}
		s.wg.Wait()
		return s.err()
	}
	if err := send(2000); err != nil {
		return nil, err
	}
	var before runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	cpu, start := task.CPU(), time.Now()
	err := send(t.Records)
	return task.Since(start, cpu, &before, t.Records), err
}
