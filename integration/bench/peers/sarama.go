package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/IBM/sarama"

	"github.com/sordini-go/sordini/integration/bench/task"
)

func saramaConfig() *sarama.Config {
	c := sarama.NewConfig()
	c.Version = sarama.V4_0_0_0
	c.Consumer.Offsets.Initial = sarama.OffsetOldest
	c.Consumer.IsolationLevel = sarama.ReadCommitted
	c.Producer.RequiredAcks = sarama.WaitForAll
	c.Producer.Idempotent = true
	c.Net.MaxOpenRequests = 1 // what its idempotent producer asks for
	c.Producer.Return.Successes = true
	c.Producer.Return.Errors = true
	return c
}

type saramaHandler struct{ m *task.Meter }

func (saramaHandler) Setup(sarama.ConsumerGroupSession) error   { return nil }
func (saramaHandler) Cleanup(sarama.ConsumerGroupSession) error { return nil }
func (h saramaHandler) ConsumeClaim(s sarama.ConsumerGroupSession, c sarama.ConsumerGroupClaim) error {
	for r := range c.Messages() {
		h.m.Handle(r.Value)
		s.MarkMessage(r, "")
	}
	return nil
}

func saramaHandled(ctx context.Context, t task.Task) (task.Sample, error) {
	g, err := sarama.NewConsumerGroup(t.Brokers, t.Group, saramaConfig())
	if err != nil {
		return nil, err
	}
	defer func() { _ = g.Close() }()
	m := task.NewMeter(t)
	ended := make(chan error, 1)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		for {
			if err := g.Consume(ctx, []string{t.Topic}, saramaHandler{m}); err != nil || ctx.Err() != nil {
				ended <- err
				return
			}
		}
	}()
	select {
	case err := <-ended:
		return nil, errors.Join(errEnded, err)
	case <-m.Done():
		return m.Sample(), nil
	}
}

func saramaSent(_ context.Context, t task.Task) (task.Sample, error) {
	p, err := sarama.NewAsyncProducer(t.Brokers, saramaConfig())
	if err != nil {
		return nil, err
	}
	defer p.AsyncClose()
	var s sends
	go func() {
		for range p.Successes() {
			s.done(nil)
		}
	}()
	go func() {
		for e := range p.Errors() {
			s.done(e.Err)
		}
	}()
	keys := make([]sarama.ByteEncoder, t.Keys)
	for i := range keys {
		keys[i] = fmt.Appendf(nil, "key-%06d", i)
	}
	value := sarama.ByteEncoder(task.Value(t.Size, 0, time.Time{}))
	send := func(n int) {
		s.wg.Add(n)
		for i := range n {
			p.Input() <- &sarama.ProducerMessage{Topic: t.Topic, Key: keys[i%len(keys)], Value: value}
		}
		s.wg.Wait()
	}
	send(2000)
	var before runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	cpu, start := task.CPU(), time.Now()
	send(t.Records)
	return task.Since(start, cpu, &before, t.Records), s.err()
}
