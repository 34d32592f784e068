package main

import (
	"context"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill-kafka/v3/pkg/kafka"

	"github.com/sordini-go/sordini/integration/bench/task"
)

func watermillHandled(ctx context.Context, t task.Task) (task.Sample, error) {
	sub, err := kafka.NewSubscriber(kafka.SubscriberConfig{
		Brokers: t.Brokers, Unmarshaler: kafka.DefaultMarshaler{}, ConsumerGroup: t.Group, OverwriteSaramaConfig: saramaConfig(),
	}, watermill.NopLogger{})
	if err != nil {
		return nil, err
	}
	defer func() { _ = sub.Close() }()
	m := task.NewMeter(t)
	messages, err := sub.Subscribe(ctx, t.Topic)
	if err != nil {
		return nil, err
	}
	for {
		select {
		case <-m.Done():
			return m.Sample(), nil
		case msg, ok := <-messages:
			if !ok {
				return nil, errEnded
			}
			m.Handle(msg.Payload)
			msg.Ack()
		}
	}
}
