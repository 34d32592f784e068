package realkafka

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sasl/plain"
)

// adminClient is a client with the super user's rights that speaks to the brokers directly, past any proxy.
type adminClient struct{ *kgo.Client }

// Client returns a franz-go client of the super user. The caller closes it.
func (c *Cluster) Client(opts ...kgo.Opt) (*kgo.Client, error) {
	all := []kgo.Opt{
		kgo.SeedBrokers(c.Addrs()...), kgo.ClientID("realkafka"),
		kgo.MetadataMinAge(50 * time.Millisecond), kgo.RequestTimeoutOverhead(5 * time.Second), kgo.DialTimeout(2 * time.Second),
	}
	tls, err := c.TLSConfig("admin")
	if err != nil {
		return nil, err
	}
	if tls != nil {
		all = append(all, kgo.DialTLSConfig(tls))
	}
	if c.set.SASL {
		all = append(all, kgo.SASL(plain.Auth{User: "admin", Pass: "admin-secret"}.AsMechanism()))
	}
	return kgo.NewClient(append(all, opts...)...)
}

func (c *Cluster) adminClient() (*adminClient, error) {
	c.adminMu.Lock()
	defer c.adminMu.Unlock()
	if c.admin == nil {
		cl, err := c.Client()
		if err != nil {
			return nil, err
		}
		c.admin = &adminClient{cl}
	}
	return c.admin, nil
}

// settled does f again while Kafka answers that it is worth it, for ten seconds: a broker hears from the controller of a new topic, or of a coordinator
// that has moved, a moment after others.
func settled(ctx context.Context, f func() error) error {
	for deadline := time.Now().Add(10 * time.Second); ; {
		err := f()
		if !kerr.IsRetriable(err) || time.Now().After(deadline) {
			return err
		}
		if serr := sleep(ctx, 50*time.Millisecond); serr != nil {
			return errors.Join(serr, err)
		}
	}
}

// partition reads a partition's leader and replicas afresh.
func (a *adminClient) partition(ctx context.Context, topic string, partition int32) (leader int32, replicas, isr []int32, err error) {
	err = settled(ctx, func() (err error) {
		leader, replicas, isr, err = a.partitionOnce(ctx, topic, partition)
		return err
	})
	return leader, replicas, isr, err
}

func (a *adminClient) partitionOnce(ctx context.Context, topic string, partition int32) (leader int32, replicas, isr []int32, err error) {
	req := kmsg.NewPtrMetadataRequest()
	t := kmsg.NewMetadataRequestTopic()
	t.Topic = kmsg.StringPtr(topic)
	req.Topics = append(req.Topics, t)
	resp, err := req.RequestWith(ctx, a.Client)
	if err != nil {
		return 0, nil, nil, err
	}
	for _, t := range resp.Topics {
		if err := kerr.ErrorForCode(t.ErrorCode); err != nil {
			return 0, nil, nil, err
		}
		for _, p := range t.Partitions {
			if p.Partition == partition {
				return p.Leader, p.Replicas, p.ISR, nil
			}
		}
	}
	return 0, nil, nil, kerr.UnknownTopicOrPartition
}

// Leader returns the id of the partition's leader, -1 while it has none.
func (c *Cluster) Leader(ctx context.Context, topic string, partition int32) (int32, error) {
	a, err := c.adminClient()
	if err != nil {
		return 0, err
	}
	leader, _, _, err := a.partition(ctx, topic, partition)
	if err != nil {
		return 0, fmt.Errorf("leader of %s[%d]: %w", topic, partition, err)
	}
	return leader, nil
}

// MoveLeader makes broker to the leader of the partition and returns once it is. The broker must hold an in-sync replica. It is done as an operator would:
// the replica is moved to the front of the assignment, which makes it the preferred one, and a preferred election is asked for.
func (c *Cluster) MoveLeader(ctx context.Context, topic string, partition, to int32) error {
	if err := c.moveLeader(ctx, topic, partition, to); err != nil {
		return fmt.Errorf("move the leader of %s[%d] to broker %d: %w", topic, partition, to, err)
	}
	return nil
}

func (c *Cluster) moveLeader(ctx context.Context, topic string, partition, to int32) error {
	a, err := c.adminClient()
	if err != nil {
		return err
	}
	_, replicas, _, err := a.partition(ctx, topic, partition)
	if err != nil {
		return err
	}
	if !slices.Contains(replicas, to) {
		return fmt.Errorf("it has no replica there; replicas are %v", replicas)
	}
	order := append([]int32{to}, slices.DeleteFunc(slices.Clone(replicas), func(id int32) bool { return id == to })...)
	if !slices.Equal(order, replicas) {
		if err := settled(ctx, func() error { return a.reassign(ctx, topic, partition, order) }); err != nil {
			return err
		}
	}
	for {
		err := a.electPreferred(ctx, topic, partition)
		if leader, _, _, merr := a.partition(ctx, topic, partition); merr == nil && leader == to {
			return nil
		}
		if serr := sleep(ctx, 100*time.Millisecond); serr != nil { // a replica that has just come back needs a moment to be in sync
			return fmt.Errorf("%s[%d]: %w", topic, partition, errors.Join(serr, err))
		}
	}
}

func (a *adminClient) reassign(ctx context.Context, topic string, partition int32, replicas []int32) error {
	req := kmsg.NewPtrAlterPartitionAssignmentsRequest()
	req.TimeoutMillis = 10_000
	t := kmsg.NewAlterPartitionAssignmentsRequestTopic()
	t.Topic = topic
	p := kmsg.NewAlterPartitionAssignmentsRequestTopicPartition()
	p.Partition, p.Replicas = partition, replicas
	t.Partitions = append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	resp, err := req.RequestWith(ctx, a.Client)
	if err != nil {
		return err
	}
	if err := kerr.ErrorForCode(resp.ErrorCode); err != nil {
		return err
	}
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
				return err
			}
		}
	}
	return nil
}

func (a *adminClient) electPreferred(ctx context.Context, topic string, partition int32) error {
	req := kmsg.NewPtrElectLeadersRequest()
	req.ElectionType, req.TimeoutMillis = 0, 10_000
	t := kmsg.NewElectLeadersRequestTopic()
	t.Topic, t.Partitions = topic, []int32{partition}
	req.Topics = append(req.Topics, t)
	resp, err := req.RequestWith(ctx, a.Client)
	if err != nil {
		return err
	}
	if err := kerr.ErrorForCode(resp.ErrorCode); err != nil {
		return err
	}
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			if err := kerr.ErrorForCode(p.ErrorCode); err != nil && !errors.Is(err, kerr.ElectionNotNeeded) {
				return err
			}
		}
	}
	return nil
}

// coordination is one of the two kinds of coordinator: what FindCoordinator calls it, and the topic whose leaders they are.
type coordination struct {
	what  string
	kind  int8
	topic string
}

var (
	ofGroup       = coordination{"group", 0, "__consumer_offsets"}
	ofTransaction = coordination{"transactional id", 1, "__transaction_state"}
)

// Coordinator returns the id of the broker that coordinates the group.
func (c *Cluster) Coordinator(ctx context.Context, group string) (int32, error) {
	return c.coordinator(ctx, ofGroup, group)
}

// TxnCoordinator returns the id of the broker that coordinates the transactions of a transactional id.
func (c *Cluster) TxnCoordinator(ctx context.Context, transactionalID string) (int32, error) {
	return c.coordinator(ctx, ofTransaction, transactionalID)
}

func (c *Cluster) coordinator(ctx context.Context, of coordination, key string) (id int32, err error) {
	err = settled(ctx, func() (err error) {
		id, err = c.coordinatorOnce(ctx, of, key)
		return err
	})
	return id, err
}

func (c *Cluster) coordinatorOnce(ctx context.Context, of coordination, key string) (int32, error) {
	a, err := c.adminClient()
	if err != nil {
		return 0, err
	}
	req := kmsg.NewPtrFindCoordinatorRequest()
	req.CoordinatorKey, req.CoordinatorKeys, req.CoordinatorType = key, []string{key}, of.kind
	resp, err := req.RequestWith(ctx, a.Client)
	if err == nil && len(resp.Coordinators) == 1 {
		if err = kerr.ErrorForCode(resp.Coordinators[0].ErrorCode); err == nil {
			return resp.Coordinators[0].NodeID, nil
		}
	}
	if err == nil {
		if err = kerr.ErrorForCode(resp.ErrorCode); err == nil {
			return resp.NodeID, nil
		}
	}
	return 0, fmt.Errorf("coordinator of %s %q: %w", of.what, key, err)
}

// MoveCoordinator makes broker to the coordinator of the group, by moving the leader of the group's partition of __consumer_offsets, and returns once the
// brokers say so.
func (c *Cluster) MoveCoordinator(ctx context.Context, group string, to int32) error {
	return c.moveCoordinatorOf(ctx, ofGroup, group, to)
}

// MoveTxnCoordinator is MoveCoordinator for the transactions of a transactional id, which has a partition of __transaction_state.
func (c *Cluster) MoveTxnCoordinator(ctx context.Context, transactionalID string, to int32) error {
	return c.moveCoordinatorOf(ctx, ofTransaction, transactionalID, to)
}

func (c *Cluster) moveCoordinatorOf(ctx context.Context, of coordination, key string, to int32) error {
	if err := c.moveCoordinator(ctx, of, key, to); err != nil {
		return fmt.Errorf("move the coordinator of %s %q to broker %d: %w", of.what, key, to, err)
	}
	return nil
}

func (c *Cluster) moveCoordinator(ctx context.Context, of coordination, key string, to int32) error {
	a, err := c.adminClient()
	if err != nil {
		return err
	}
	partitions := 0
	for partitions == 0 { // the first look for a coordinator creates the topic, and is refused until it is there
		if _, err := c.coordinator(ctx, of, key); err != nil && !kerr.IsRetriable(err) {
			return err
		}
		req := kmsg.NewPtrMetadataRequest()
		t := kmsg.NewMetadataRequestTopic()
		t.Topic = kmsg.StringPtr(of.topic)
		req.Topics = append(req.Topics, t)
		resp, err := req.RequestWith(ctx, a.Client)
		if err != nil {
			return err
		}
		for _, t := range resp.Topics {
			partitions = len(t.Partitions)
		}
		if err := sleep(ctx, 50*time.Millisecond); err != nil {
			return err
		}
	}
	if err := c.moveLeader(ctx, of.topic, hashPartition(key, partitions), to); err != nil {
		return err
	}
	for {
		id, err := c.coordinator(ctx, of, key)
		if err == nil && id == to {
			return nil
		}
		if serr := sleep(ctx, 50*time.Millisecond); serr != nil {
			return fmt.Errorf("its partition is led there, the coordinator is broker %d: %w", id, errors.Join(serr, err))
		}
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// hashPartition is org.apache.kafka.common.utils.Utils.abs(groupId.hashCode()) % partitions, for keys in ASCII.
func hashPartition(key string, partitions int) int32 {
	var h int32
	for _, r := range key {
		h = h*31 + r
	}
	switch {
	case h == math.MinInt32:
		h = 0 // has no absolute value
	case h < 0:
		h = -h
	}
	return h % int32(partitions)
}
