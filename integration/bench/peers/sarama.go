package main

import (
	"context"
	"errors"

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

var correlationHeader, sourceHeader = []byte(task.CorrelationHeader), []byte(task.SourceHeader)

func saramaSent(_ context.Context, t task.Task) (task.Sample, error) {
	p, err := sarama.NewAsyncProducer(t.Brokers, saramaConfig())
	if err != nil {
		return nil, err
	}
	defer p.AsyncClose()
	all := t.Messages()
	return task.Many(t, func(done func(error)) func(int) error {
		go func() {
			for range p.Successes() {
				done(nil)
			}
		}()
		go func() {
			for e := range p.Errors() {
				done(e.Err)
			}
		}()
		return func(n int) error {
			for i := range n {
				m := all[i%len(all)]
				p.Input() <- &sarama.ProducerMessage{Topic: t.Topic, Key: sarama.ByteEncoder(m.Key), Value: sarama.ByteEncoder(m.Value), Headers: []sarama.RecordHeader{
					{Key: correlationHeader, Value: task.CorrelationID()}, {Key: sourceHeader, Value: task.Source},
				}}
			}
			return nil
		}
	})
}
