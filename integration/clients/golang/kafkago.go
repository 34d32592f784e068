package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
)

func kafkaGoClient(brokers []string, transport kafka.RoundTripper) *kafka.Client {
	return &kafka.Client{Addr: kafka.TCP(brokers...), Timeout: 20 * time.Second, Transport: transport}
}

// kafkaGoCreate makes a topic and waits until every broker knows the leaders of its partitions.
func kafkaGoCreate(brokers []string, transport kafka.RoundTripper, topic string, partitions int, configs ...kafka.ConfigEntry) error {
	ctx := context.Background()
	made, err := kafkaGoClient(brokers, transport).CreateTopics(ctx, &kafka.CreateTopicsRequest{
		Topics: []kafka.TopicConfig{{Topic: topic, NumPartitions: partitions, ReplicationFactor: -1, ConfigEntries: configs}},
	})
	if err != nil {
		return err
	}
	if err := made.Errors[topic]; err != nil {
		return fmt.Errorf("create %s: %w", topic, err)
	}
	return until(topic, func() (bool, error) {
		for _, b := range brokers {
			m, err := kafkaGoClient([]string{b}, transport).Metadata(ctx, &kafka.MetadataRequest{Topics: []string{topic}})
			if err != nil || m.Topics[0].Error != nil || len(m.Topics[0].Partitions) != partitions {
				return false, err
			}
		}
		return true, nil
	})
}

func kafkaGoWriter(brokers []string, topic string) *kafka.Writer {
	return &kafka.Writer{
		Addr: kafka.TCP(brokers...), Topic: topic, Balancer: &kafka.Hash{}, RequiredAcks: kafka.RequireAll, BatchTimeout: time.Millisecond, MaxAttempts: 100,
		WriteBackoffMax: 500 * time.Millisecond,
	}
}

// kafkaGoRead returns everything that a topic holds, by partition and offset.
func kafkaGoRead(brokers []string, topic string, partitions int) (all []kafka.Message, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for id := range partitions {
		leader, err := kafka.DialLeader(ctx, "tcp", brokers[0], topic, id)
		if err != nil {
			return nil, err
		}
		end, err := leader.ReadLastOffset()
		_ = leader.Close()
		if err != nil {
			return nil, err
		}
		r := kafka.NewReader(kafka.ReaderConfig{Brokers: brokers, Topic: topic, Partition: id, MaxWait: 100 * time.Millisecond})
		for offset := int64(0); offset < end; {
			m, err := r.ReadMessage(ctx)
			if err != nil {
				return nil, err
			}
			all = append(all, m)
			offset = m.Offset + 1
		}
		if err := r.Close(); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func kafkaGoProduce(brokers []string, s say) error {
	ctx := context.Background()
	for _, codec := range []kafka.Compression{0, kafka.Gzip, kafka.Snappy, kafka.Lz4, kafka.Zstd} {
		name := codec.String()
		topic := "kafka-go-produce-" + name
		if err := kafkaGoCreate(brokers, nil, topic, 3); err != nil {
			return err
		}
		w := kafkaGoWriter(brokers, topic)
		w.Compression = codec
		for i := range 10 {
			if err := w.WriteMessages(ctx, kafka.Message{Key: []byte(fmt.Sprint("key-", i)), Value: []byte(strings.Repeat(fmt.Sprint("value-", i), 20)),
				Headers: []kafka.Header{{Key: "n", Value: []byte(fmt.Sprint(i))}}}); err != nil {
				return err
			}
		}
		s.outcome(name+", tombstone", w.WriteMessages(ctx, kafka.Message{Key: []byte("key-1")}))
		var batch []kafka.Message
		for i := range 300 {
			batch = append(batch, kafka.Message{Key: []byte(fmt.Sprint("batch-", i)), Value: []byte(strings.Repeat("x", i))})
		}
		s.outcome(name+", batch", w.WriteMessages(ctx, batch...))
		if err := w.Close(); err != nil {
			return err
		}
		all, err := kafkaGoRead(brokers, topic, 3)
		if err != nil {
			return err
		}
		for _, m := range all {
			if !strings.HasPrefix(string(m.Key), "batch") {
				s.saw(name+", read", []any{m.Partition, m.Offset, string(m.Key), string(m.Value), m.Value == nil, fmt.Sprint(m.Headers)})
			}
		}
		s.saw(name+", read all", len(all))
	}
	return nil
}

// kafkaGoMember reads as a member of a group until it is closed.
type kafkaGoMember struct {
	reader *kafka.Reader
	end    context.CancelFunc
	done   chan error
	mu     sync.Mutex
	read   int
}

func newKafkaGoMember(brokers []string, group, topic string, seen *sync.Map) *kafkaGoMember {
	ctx, cancel := context.WithCancel(context.Background())
	m := &kafkaGoMember{end: cancel, done: make(chan error, 1), reader: kafka.NewReader(kafka.ReaderConfig{
		Brokers: brokers, GroupID: group, Topic: topic, StartOffset: kafka.FirstOffset, MaxWait: 100 * time.Millisecond, HeartbeatInterval: 300 * time.Millisecond,
		SessionTimeout: 6 * time.Second, RebalanceTimeout: 6 * time.Second, JoinGroupBackoff: 300 * time.Millisecond,
	})}
	go func() {
		for {
			r, err := m.reader.FetchMessage(ctx)
			if err == nil {
				seen.Store(string(r.Value), true)
				m.mu.Lock()
				m.read++
				m.mu.Unlock()
				err = m.reader.CommitMessages(ctx, r)
			}
			if ctx.Err() != nil {
				m.done <- m.reader.Close()
				return
			}
			if err != nil {
				time.Sleep(100 * time.Millisecond) // as its users do
			}
		}
	}()
	return m
}

func (m *kafkaGoMember) count() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.read
}

func (m *kafkaGoMember) close() error {
	m.end()
	return <-m.done
}

// kafkaGoFlow writes numbers until it is closed.
type kafkaGoFlow struct {
	stop, done chan struct{}
	acked      sync.Map
	failed     map[string]bool
	sent       int
}

func newKafkaGoFlow(brokers []string, topic string) *kafkaGoFlow {
	f := &kafkaGoFlow{stop: make(chan struct{}), done: make(chan struct{}), failed: map[string]bool{}}
	go func() {
		defer close(f.done)
		w := kafkaGoWriter(brokers, topic)
		defer w.Close()
		for {
			select {
			case <-f.stop:
				return
			case <-time.After(5 * time.Millisecond):
			}
			value := fmt.Sprint(f.sent)
			f.sent++
			if err := w.WriteMessages(context.Background(), kafka.Message{Key: []byte(value), Value: []byte(value)}); err != nil {
				f.failed[err.Error()] = true
				continue
			}
			f.acked.Store(value, true)
		}
	}()
	return f
}

func (f *kafkaGoFlow) close() []string {
	close(f.stop)
	<-f.done
	return slices.Sorted(maps.Keys(f.failed))
}

func kafkaGoGroups(brokers []string, s say) error {
	topic := "kafka-go-groups"
	if err := kafkaGoCreate(brokers, nil, topic, 4); err != nil {
		return err
	}
	client := kafkaGoClient(brokers, nil)
	flow := newKafkaGoFlow(brokers, topic)
	var seen sync.Map
	first := newKafkaGoMember(brokers, topic, topic, &seen)
	members := func(n int) func() (bool, error) {
		return func() (bool, error) {
			d, err := client.DescribeGroups(context.Background(), &kafka.DescribeGroupsRequest{GroupIDs: []string{topic}})
			if err != nil {
				return false, err
			}
			return d.Groups[0].GroupState == "Stable" && len(d.Groups[0].Members) == n, nil
		}
	}
	if err := until("one member", members(1)); err != nil {
		return err
	}
	if err := until("one member reads", func() (bool, error) { return count(&seen) > 20, nil }); err != nil {
		return err
	}
	second := newKafkaGoMember(brokers, topic, topic, &seen)
	if err := until("two members", members(2)); err != nil {
		return err
	}
	if err := until("two members read", func() (bool, error) { return second.count() > 10, nil }); err != nil {
		return err
	}
	var owns []int
	if err := until("two members own two each", func() (bool, error) {
		d, err := client.DescribeGroups(context.Background(), &kafka.DescribeGroupsRequest{GroupIDs: []string{topic}})
		if err != nil {
			return false, err
		}
		owns = nil
		for _, m := range d.Groups[0].Members {
			for _, t := range m.MemberAssignments.Topics {
				owns = append(owns, len(t.Partitions))
			}
		}
		return d.Groups[0].GroupState == "Stable" && slices.Equal(owns, []int{2, 2}), nil
	}); err != nil {
		return err
	}
	s.saw("two members", owns)
	if err := second.close(); err != nil {
		return err
	}
	if err := until("one left", members(1)); err != nil {
		return err
	}
	s.saw("failed", flow.close())
	if err := until("all read", func() (bool, error) { return lost(&flow.acked, &seen) == 0, nil }); err != nil {
		return err
	}
	s.saw("lost", lost(&flow.acked, &seen))
	if err := until("committed all", func() (bool, error) { // before it closes, which cancels what it commits just now
		offsets, err := client.OffsetFetch(context.Background(), &kafka.OffsetFetchRequest{GroupID: topic, Topics: map[string][]int{topic: {0, 1, 2, 3}}})
		if err != nil {
			return false, err
		}
		sum := int64(0)
		for _, o := range offsets.Topics[topic] {
			sum += o.CommittedOffset
		}
		return sum == int64(flow.sent), nil
	}); err != nil {
		return err
	}
	s.saw("committed all", true)
	return first.close()
}

func kafkaGoRestart(brokers []string, s say) error {
	topic := "kafka-go-restart"
	if err := kafkaGoCreate(brokers, nil, topic, 3); err != nil {
		return err
	}
	flow := newKafkaGoFlow(brokers, topic)
	var seen sync.Map
	members := []*kafkaGoMember{newKafkaGoMember(brokers, topic, topic, &seen), newKafkaGoMember(brokers, topic, topic, &seen)}
	if err := until("before", func() (bool, error) { return count(&seen) > 50, nil }); err != nil {
		return err
	}
	if err := s.restart(); err != nil {
		return err
	}
	before := count(&flow.acked)
	if err := until("after", func() (bool, error) { return count(&flow.acked) > before+100, nil }); err != nil {
		return err
	}
	s.saw("failed", flow.close())
	if err := until("all read", func() (bool, error) { return lost(&flow.acked, &seen) == 0, nil }); err != nil {
		return err
	}
	s.saw("lost", lost(&flow.acked, &seen))
	for _, m := range members {
		if err := m.close(); err != nil {
			return err
		}
	}
	return nil
}

// kafkaGoText is an error with its kind, as a user would print it.
func kafkaGoText(err error) error {
	var many kafka.WriteErrors
	if errors.As(err, &many) && len(many) > 0 {
		return many[0]
	}
	return err
}
