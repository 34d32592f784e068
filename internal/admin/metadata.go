package admin

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Cluster is one broker's view of the cluster.
type Cluster struct {
	ID         string
	Controller int32 // -1 where it is not known
	Brokers    []Broker
	Topics     []Topic // sorted by name
}

// Broker is one node.
type Broker struct {
	ID   int32
	Host string
	Port int32
	Rack string
}

// Topic is a topic as metadata has it. Where Err is set, only Name is.
type Topic struct {
	Name       string
	ID         [16]byte // zero before Kafka 2.8
	Internal   bool
	Partitions []Partition // sorted by id
	Operations Operations  // what the client's principal may do
	Err        error       // kerr.UnknownTopicOrPartition, kerr.TopicAuthorizationFailed …
}

// Partition is one partition of a topic. Err is kerr.LeaderNotAvailable and the like.
type Partition struct {
	ID                     int32
	Leader                 int32 // -1 where there is none
	LeaderEpoch            int32
	Replicas, ISR, Offline []int32
	Err                    error
}

// Exists reports whether the topic is there.
func (t Topic) Exists() bool { return t.Err == nil }

// Topic returns the topic named name. One that was not asked for, or is not there, has an Err of kerr.UnknownTopicOrPartition.
func (c Cluster) Topic(name string) Topic {
	if i, ok := slices.BinarySearchFunc(c.Topics, name, func(t Topic, n string) int { return strings.Compare(t.Name, n) }); ok {
		return c.Topics[i]
	}
	return Topic{Name: name, Err: fmt.Errorf("topic %q: %w", name, kerr.UnknownTopicOrPartition)}
}

// Names returns the names of the topics that exist and are not internal, sorted.
func (c Cluster) Names() []string {
	var names []string
	for _, t := range c.Topics {
		if t.Err == nil && !t.Internal {
			names = append(names, t.Name)
		}
	}
	return names
}

// Operations is a set of ACL operations (KIP-430), one bit each.
type Operations struct{ bits int32 }

// OperationsOf returns the set that a broker answered as bits.
func OperationsOf(bits int32) Operations { return Operations{bits} }

// Allows reports whether op is in the set, and true where the broker does not say (no authorizer, an old broker): then trying is the only test.
func (o Operations) Allows(op kmsg.ACLOperation) bool {
	const unknown = -1 << 31
	return o.bits == unknown || o.bits == 0 || o.bits&(1<<uint(op)) != 0
}

// Metadata asks for the named topics, or for every topic where none is named. A topic that does not exist is not created and is answered with its Err set.
func Metadata(ctx context.Context, cl *kgo.Client, topics ...string) (Cluster, error) {
	if len(topics) == 0 {
		return metadata(ctx, cl, nil)
	}
	ask := make([]kmsg.MetadataRequestTopic, 0, len(topics))
	for _, name := range topics {
		t := kmsg.NewMetadataRequestTopic()
		t.Topic = kmsg.StringPtr(name)
		ask = append(ask, t)
	}
	return metadata(ctx, cl, ask)
}

// Brokers asks for the brokers alone.
func Brokers(ctx context.Context, cl *kgo.Client) (Cluster, error) {
	return metadata(ctx, cl, []kmsg.MetadataRequestTopic{})
}

func metadata(ctx context.Context, cl *kgo.Client, topics []kmsg.MetadataRequestTopic) (Cluster, error) {
	req := kmsg.NewPtrMetadataRequest()
	req.Topics = topics
	req.AllowAutoTopicCreation = false
	req.IncludeTopicAuthorizedOperations = true
	resp, err := req.RequestWith(ctx, cl)
	if err != nil {
		return Cluster{}, fmt.Errorf("ask for metadata: %w", err)
	}
	if err := failure(resp.ErrorCode, nil, "ask for metadata"); err != nil {
		return Cluster{}, err
	}
	c := Cluster{Controller: resp.ControllerID}
	if resp.ClusterID != nil {
		c.ID = *resp.ClusterID
	}
	for _, b := range resp.Brokers {
		x := Broker{ID: b.NodeID, Host: b.Host, Port: b.Port}
		if b.Rack != nil {
			x.Rack = *b.Rack
		}
		c.Brokers = append(c.Brokers, x)
	}
	for _, t := range resp.Topics {
		if t.Topic == nil {
			continue
		}
		x := Topic{Name: *t.Topic, ID: t.TopicID, Internal: t.IsInternal, Operations: Operations{t.AuthorizedOperations}}
		x.Err = failure(t.ErrorCode, nil, "topic %q", *t.Topic)
		for _, p := range t.Partitions {
			x.Partitions = append(x.Partitions, Partition{
				ID: p.Partition, Leader: p.Leader, LeaderEpoch: p.LeaderEpoch,
				Replicas: p.Replicas, ISR: p.ISR, Offline: p.OfflineReplicas,
				Err: failure(p.ErrorCode, nil, "partition %s[%d]", *t.Topic, p.Partition),
			})
		}
		slices.SortFunc(x.Partitions, func(a, b Partition) int { return int(a.ID) - int(b.ID) })
		c.Topics = append(c.Topics, x)
	}
	slices.SortFunc(c.Topics, func(a, b Topic) int { return strings.Compare(a.Name, b.Name) })
	return c, nil
}

// WaitLeaders blocks until each topic exists and every partition of it has a leader, asking again at growing intervals of 10 ms to 500 ms. Topics that
// were just created take a moment to be known by every broker, so the answer that shows them is returned: another broker may not know them yet. When ctx ends
// first, the error says what is still missing.
func WaitLeaders(ctx context.Context, cl *kgo.Client, topics ...string) (Cluster, error) {
	if len(topics) == 0 {
		return Cluster{}, nil
	}
	var missing error
	for wait := 10 * time.Millisecond; ; wait = min(2*wait, 500*time.Millisecond) {
		c, err := Metadata(ctx, cl, topics...)
		if err == nil {
			if missing = c.leaderless(topics); missing == nil {
				return c, nil
			}
		} else if missing == nil {
			missing = err
		}
		select {
		case <-ctx.Done():
			return Cluster{}, fmt.Errorf("wait for leaders: %w (%w)", missing, context.Cause(ctx))
		case <-time.After(wait):
		}
	}
}

func (c Cluster) leaderless(topics []string) error {
	for _, name := range topics {
		t := c.Topic(name)
		switch {
		case t.Err != nil && !errors.Is(t.Err, kerr.LeaderNotAvailable):
			return t.Err
		case len(t.Partitions) == 0:
			return fmt.Errorf("topic %q has no partition yet: %w", name, kerr.LeaderNotAvailable)
		}
		for _, p := range t.Partitions {
			if p.Leader < 0 || errors.Is(p.Err, kerr.LeaderNotAvailable) {
				return fmt.Errorf("partition %s[%d] has no leader: %w", name, p.ID, kerr.LeaderNotAvailable)
			}
		}
	}
	return nil
}
