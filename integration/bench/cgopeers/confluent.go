//go:build cgo

package main

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"github.com/sordini-go/sordini/integration/bench/task"
)

// handled polls one message after the other and leaves storing and committing offsets to the library, which is its default: telling it the offset of each
// message that was handled (StoreMessage) costs a call into C more.
func handled(_ context.Context, t task.Task) (task.Sample, error) {
	c, err := kafka.NewConsumer(&kafka.ConfigMap{
		"bootstrap.servers": strings.Join(t.Brokers, ","), "group.id": t.Group, "auto.offset.reset": "earliest", "isolation.level": "read_committed",
		"enable.auto.commit": true, "enable.auto.offset.store": true,
	})
	if err != nil {
		return nil, err
	}
	defer func() { _ = c.Close() }()
	m := task.NewMeter(t)
	if err := c.Subscribe(t.Topic, nil); err != nil {
		return nil, err
	}
	for {
		select {
		case <-m.Done():
			return m.Sample(), nil
		default:
		}
		switch e := c.Poll(100).(type) {
		case *kafka.Message:
			if e.TopicPartition.Error != nil {
				return nil, e.TopicPartition.Error
			}
			m.Handle(e.Value)
		case kafka.Error: // the library says of most that it recovers by itself
			if e.IsFatal() {
				return nil, e
			}
		}
	}
}

// newProducer has delivery reports without key and value, which nobody looks at, and Java's partitioner as the other sides have.
func newProducer(t task.Task, lingerMs int) (*kafka.Producer, error) {
	return kafka.NewProducer(&kafka.ConfigMap{
		"bootstrap.servers": strings.Join(t.Brokers, ","), "enable.idempotence": true, "acks": "all", "partitioner": "murmur2_random", "linger.ms": lingerMs,
		"go.delivery.report.fields": "none",
	})
}

func message(t *task.Task, m task.Message) *kafka.Message {
	return &kafka.Message{
		TopicPartition: kafka.TopicPartition{Topic: &t.Topic, Partition: kafka.PartitionAny}, Key: m.Key, Value: m.Value,
		Headers: []kafka.Header{{Key: task.CorrelationHeader, Value: task.CorrelationID()}, {Key: task.SourceHeader, Value: task.Source}},
	}
}

// sent has its delivery reports in the producer's channel of events. The batches of go.batch.producer would be faster, but have no headers.
func sent(_ context.Context, t task.Task) (task.Sample, error) {
	p, err := newProducer(t, 5) // the library's default
	if err != nil {
		return nil, err
	}
	defer p.Close()
	all := t.Messages()
	return task.Many(t, func(done func(error)) func(int) error {
		go func() {
			for e := range p.Events() {
				if m, ok := e.(*kafka.Message); ok {
					done(m.TopicPartition.Error)
				}
			}
		}()
		return func(n int) error {
			for i := range n {
				m := message(&t, all[i%len(all)])
				err := p.Produce(m, nil)
				for full(err) {
					time.Sleep(time.Millisecond)
					err = p.Produce(m, nil)
				}
				if err != nil {
					return err
				}
			}
			return nil
		}
	})
}

// full says that a hundred thousand messages are waiting, which is when a sender has to wait as well.
func full(err error) bool {
	var e kafka.Error
	return errors.As(err, &e) && e.Code() == kafka.ErrQueueFull
}

// sentOneByOne waits for each record's own delivery report, without linger: the others do not wait for more records either.
func sentOneByOne(_ context.Context, t task.Task) (task.Sample, error) {
	p, err := newProducer(t, 0)
	if err != nil {
		return nil, err
	}
	defer p.Close()
	all := t.Messages()
	reports := make(chan kafka.Event, 1)
	return task.OneByOne(t, func(i int) error {
		if err := p.Produce(message(&t, all[i%len(all)]), reports); err != nil {
			return err
		}
		return (<-reports).(*kafka.Message).TopicPartition.Error
	})
}
