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

	"github.com/IBM/sarama"
)

// saramaConfig is for what scripts do: every answer is waited for.
func saramaConfig() *sarama.Config {
	c := sarama.NewConfig()
	c.Version = sarama.V4_1_0_0
	c.ClientID = "sarama-scripts"
	c.Producer.Return.Successes = true
	c.Producer.RequiredAcks = sarama.WaitForAll
	c.Producer.Idempotent = true
	c.Net.MaxOpenRequests = 1
	c.Producer.Partitioner = sarama.NewHashPartitioner
	c.Producer.Retry.Max = 100
	c.Consumer.Offsets.Initial = sarama.OffsetOldest
	c.Consumer.MaxWaitTime = 100 * time.Millisecond
	c.Metadata.Retry.Max = 20
	return c
}

// saramaCreate makes a topic and waits until every broker knows the leaders of its partitions.
func saramaCreate(brokers []string, c *sarama.Config, topic string, partitions int32, configs map[string]string) error {
	admin, err := sarama.NewClusterAdmin(brokers, c)
	if err != nil {
		return err
	}
	defer admin.Close()
	detail := &sarama.TopicDetail{NumPartitions: partitions, ReplicationFactor: -1, ConfigEntries: map[string]*string{}}
	for name, value := range configs {
		detail.ConfigEntries[name] = &value
	}
	if err := admin.CreateTopic(topic, detail, false); err != nil {
		return fmt.Errorf("create %s: %w", topic, err)
	}
	return saramaKnown(brokers, c, topic, partitions)
}

// saramaKnown waits until every broker knows the leaders of so many partitions.
func saramaKnown(brokers []string, c *sarama.Config, topic string, partitions int32) error {
	return until(topic, func() (bool, error) {
		for _, b := range brokers {
			client, err := sarama.NewClient([]string{b}, c)
			if err != nil {
				return false, err
			}
			writable, err := client.WritablePartitions(topic)
			_ = client.Close()
			if err != nil || len(writable) != int(partitions) {
				return false, nil //nolint:nilerr // not known yet
			}
		}
		return true, nil
	})
}

type saramaRecord struct {
	partition          int32
	offset             int64
	key, value         string
	nullKey, nullValue bool
	headers            string
}

func (r saramaRecord) shown() []any {
	return []any{r.partition, r.offset, r.key, r.value, r.nullKey, r.nullValue, r.headers}
}

// saramaRead returns everything that a topic holds, by partition and offset. Where transactions leave control records, which are not shown, last is the value
// of the record with which its one partition ends.
func saramaRead(brokers []string, c *sarama.Config, topic, last string) (all []saramaRecord, err error) {
	client, err := sarama.NewClient(brokers, c)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	consumer, err := sarama.NewConsumerFromClient(client)
	if err != nil {
		return nil, err
	}
	defer consumer.Close()
	partitions, err := consumer.Partitions(topic)
	if err != nil {
		return nil, err
	}
	slices.Sort(partitions)
	for _, p := range partitions {
		end, err := client.GetOffset(topic, p, sarama.OffsetNewest)
		if err != nil {
			return nil, err
		}
		if end == 0 {
			continue
		}
		pc, err := consumer.ConsumePartition(topic, p, sarama.OffsetOldest)
		if err != nil {
			return nil, err
		}
		for reading := true; reading; {
			select {
			case m := <-pc.Messages():
				r := saramaRecord{partition: m.Partition, offset: m.Offset, key: string(m.Key), value: string(m.Value), nullKey: m.Key == nil, nullValue: m.Value == nil}
				for _, h := range m.Headers {
					r.headers += string(h.Key) + "=" + string(h.Value) + " "
				}
				all = append(all, r)
				reading = m.Offset+1 < end
				if last != "" {
					reading = r.value != last
				}
			case <-time.After(30 * time.Second):
				_ = pc.Close()
				return nil, fmt.Errorf("nothing more of %s[%d] after %d records", topic, p, len(all))
			}
		}
		if err := pc.Close(); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func saramaProduce(brokers []string, s say) error {
	for _, codec := range []sarama.CompressionCodec{sarama.CompressionNone, sarama.CompressionGZIP, sarama.CompressionSnappy, sarama.CompressionLZ4, sarama.CompressionZSTD} {
		topic := "sarama-produce-" + codec.String()
		c := saramaConfig()
		c.Producer.Compression = codec
		if err := saramaCreate(brokers, c, topic, 3, nil); err != nil {
			return err
		}
		p, err := sarama.NewSyncProducer(brokers, c)
		if err != nil {
			return err
		}
		send := func(m *sarama.ProducerMessage) {
			partition, offset, err := p.SendMessage(m)
			s.saw(codec.String(), []any{partition, offset, err == nil})
		}
		for i := range 10 {
			send(&sarama.ProducerMessage{Topic: topic, Key: sarama.StringEncoder(fmt.Sprint("key-", i)), Value: sarama.StringEncoder(strings.Repeat(fmt.Sprint("value-", i), 20)),
				Headers: []sarama.RecordHeader{{Key: []byte("n"), Value: []byte(fmt.Sprint(i))}}})
		}
		send(&sarama.ProducerMessage{Topic: topic, Key: sarama.StringEncoder("key-1")}) // a tombstone
		var batch []*sarama.ProducerMessage
		for i := range 300 {
			batch = append(batch, &sarama.ProducerMessage{Topic: topic, Key: sarama.StringEncoder(fmt.Sprint("batch-", i)), Value: sarama.StringEncoder(strings.Repeat("x", i))})
		}
		s.outcome(codec.String()+", batch", p.SendMessages(batch))
		if err := p.Close(); err != nil {
			return err
		}
		all, err := saramaRead(brokers, c, topic, "")
		if err != nil {
			return err
		}
		for _, r := range all[:15] {
			s.saw(codec.String()+", read", r.shown())
		}
		s.saw(codec.String()+", read all", len(all))
	}
	return nil
}

// saramaMember is a member of a group that reads until it is closed.
type saramaMember struct {
	group sarama.ConsumerGroup
	end   context.CancelFunc
	done  chan error
	seen  *sync.Map
	mu    sync.Mutex
	owns  int
}

func newSaramaMember(brokers []string, c *sarama.Config, group, topic string, seen *sync.Map) (*saramaMember, error) {
	g, err := sarama.NewConsumerGroup(brokers, group, c)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	m := &saramaMember{group: g, end: cancel, done: make(chan error, 1), seen: seen}
	go func() {
		for ctx.Err() == nil {
			if err := g.Consume(ctx, []string{topic}, m); err != nil {
				if ctx.Err() == nil && !errors.Is(err, sarama.ErrClosedConsumerGroup) {
					time.Sleep(100 * time.Millisecond) // as its users do
				}
			}
		}
		m.done <- g.Close()
	}()
	return m, nil
}

func (m *saramaMember) Setup(session sarama.ConsumerGroupSession) error {
	n := 0
	for _, partitions := range session.Claims() {
		n += len(partitions)
	}
	m.mu.Lock()
	m.owns = n
	m.mu.Unlock()
	return nil
}

func (m *saramaMember) Cleanup(sarama.ConsumerGroupSession) error { return nil }

func (m *saramaMember) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for {
		select {
		case r, ok := <-claim.Messages():
			if !ok {
				return nil
			}
			m.seen.Store(string(r.Value), true)
			session.MarkMessage(r, "")
		case <-session.Context().Done():
			return nil
		}
	}
}

func (m *saramaMember) has(n int) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.owns == n
}

func (m *saramaMember) close() error {
	m.end()
	return <-m.done
}

// saramaFlow writes numbers until it is closed.
type saramaFlow struct {
	stop, done chan struct{}
	acked      sync.Map
	mu         sync.Mutex
	sent       int
	failed     map[string]bool
}

func newSaramaFlow(brokers []string, c *sarama.Config, topic string) (*saramaFlow, error) {
	p, err := sarama.NewSyncProducer(brokers, c)
	if err != nil {
		return nil, err
	}
	f := &saramaFlow{stop: make(chan struct{}), done: make(chan struct{}), failed: map[string]bool{}}
	go func() {
		defer close(f.done)
		defer p.Close()
		for {
			select {
			case <-f.stop:
				return
			case <-time.After(5 * time.Millisecond):
			}
			f.mu.Lock()
			n := f.sent
			f.sent++
			f.mu.Unlock()
			value := fmt.Sprint(n)
			_, _, err := p.SendMessage(&sarama.ProducerMessage{Topic: topic, Key: sarama.StringEncoder(value), Value: sarama.StringEncoder(value)})
			if err != nil {
				f.mu.Lock()
				f.failed[err.Error()] = true
				f.mu.Unlock()
				continue
			}
			f.acked.Store(value, true)
		}
	}()
	return f, nil
}

func (f *saramaFlow) close() []string {
	close(f.stop)
	<-f.done
	return slices.Sorted(maps.Keys(f.failed))
}

func count(m *sync.Map) (n int) {
	m.Range(func(any, any) bool { n++; return true })
	return n
}

// lost counts what is in one and not in the other.
func lost(acked, seen *sync.Map) (n int) {
	acked.Range(func(k, _ any) bool {
		if _, ok := seen.Load(k); !ok {
			n++
		}
		return true
	})
	return n
}

func saramaGroups(brokers []string, s say) error {
	for _, strategy := range []sarama.BalanceStrategy{sarama.NewBalanceStrategyRange(), sarama.NewBalanceStrategyRoundRobin(), sarama.NewBalanceStrategySticky()} {
		topic := "sarama-groups-" + strategy.Name()
		c := saramaConfig()
		c.Consumer.Group.Rebalance.GroupStrategies = []sarama.BalanceStrategy{strategy}
		c.Consumer.Group.Heartbeat.Interval = 300 * time.Millisecond
		if err := saramaGroup(brokers, c, topic, s, strategy.Name()); err != nil {
			return err
		}
	}
	return nil
}

func saramaGroup(brokers []string, c *sarama.Config, topic string, s say, what string) error {
	if err := saramaCreate(brokers, c, topic, 4, nil); err != nil {
		return err
	}
	flow, err := newSaramaFlow(brokers, c, topic)
	if err != nil {
		return err
	}
	var seen sync.Map
	first, err := newSaramaMember(brokers, c, topic, topic, &seen)
	if err != nil {
		return err
	}
	if err := until("one member", func() (bool, error) { return first.has(4) && count(&seen) > 20, nil }); err != nil {
		return err
	}
	s.saw(what+": one member", 4)
	second, err := newSaramaMember(brokers, c, topic, topic, &seen)
	if err != nil {
		return err
	}
	if err := until("two members", func() (bool, error) { return first.has(2) && second.has(2), nil }); err != nil {
		return err
	}
	s.saw(what+": two members", []int{2, 2})
	admin, err := sarama.NewClusterAdmin(brokers, c)
	if err != nil {
		return err
	}
	defer admin.Close()
	var described []*sarama.GroupDescription
	if err := until("a stable group", func() (is bool, err error) {
		described, err = admin.DescribeConsumerGroups([]string{topic})
		return err == nil && described[0].State == "Stable" && len(described[0].Members) == 2, err
	}); err != nil {
		return err
	}
	s.saw(what+": described", []any{described[0].State, described[0].ProtocolType, described[0].Protocol, len(described[0].Members)})
	before := count(&seen)
	if err := until("two members read", func() (bool, error) { return count(&seen) > before+20, nil }); err != nil {
		return err
	}
	if err := second.close(); err != nil {
		return err
	}
	if err := until("one left", func() (bool, error) { return first.has(4), nil }); err != nil {
		return err
	}
	s.saw(what+": one left", 4)
	s.saw(what+": failed", flow.close())
	if err := until("all read", func() (bool, error) { return lost(&flow.acked, &seen) == 0, nil }); err != nil {
		return err
	}
	s.saw(what+": lost", lost(&flow.acked, &seen))
	if err := until("committed all", func() (bool, error) { // while it reads: what was read before the last rebalance and not committed is read once more
		offsets, err := admin.ListConsumerGroupOffsets(topic, map[string][]int32{topic: {0, 1, 2, 3}})
		if err != nil {
			return false, err
		}
		sum := int64(0)
		for _, o := range offsets.Blocks[topic] {
			sum += o.Offset
		}
		return sum == int64(flow.sent), nil
	}); err != nil {
		return err
	}
	s.saw(what+": committed all", true)
	return first.close()
}

func saramaRestart(brokers []string, s say) error {
	topic := "sarama-restart"
	c := saramaConfig()
	if err := saramaCreate(brokers, c, topic, 3, nil); err != nil {
		return err
	}
	flow, err := newSaramaFlow(brokers, c, topic)
	if err != nil {
		return err
	}
	var seen sync.Map
	var members []*saramaMember
	for range 2 {
		m, err := newSaramaMember(brokers, c, topic, topic, &seen)
		if err != nil {
			return err
		}
		members = append(members, m)
	}
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
	all, err := saramaRead(brokers, c, topic, "")
	if err != nil {
		return err
	}
	distinct := map[string]bool{}
	for _, r := range all {
		distinct[r.value] = true
	}
	s.saw("written once", len(distinct) == len(all))
	return nil
}
