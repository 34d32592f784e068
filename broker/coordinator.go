package broker

import (
	"maps"
	"sync"
	"sync/atomic"
	"unicode/utf16"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sordini-go/sordini/broker/internal/groups"
)

// coordinators says which broker coordinates which group. The groups themselves are the cluster's: as with the replicated log that Kafka keeps them
// in, whoever becomes a group's coordinator knows what the last one knew.
type coordinators struct {
	stale atomic.Bool // topics have changed since the groups were told

	mu      sync.Mutex // guards what follows
	moved   map[string]int32
	changed chan struct{} // closed, and replaced, when any group has moved
}

// ofGroup returns the broker that coordinates a group, noLeader where none can.
func (c *Cluster) ofGroup(group string) int32 {
	c.coordinators.mu.Lock()
	id, moved := c.coordinators.moved[group]
	c.coordinators.mu.Unlock()
	if moved && c.node(id).isAlive() {
		return id
	}
	return c.home(group)
}

// home is where a group is coordinated when nobody has moved it: by the leader of its partition of __consumer_offsets, which is the first of the
// partition's replicas that lives.
func (c *Cluster) home(group string) int32 { return c.firstAlive(c.offsetsPartition(group)) }

// firstAlive returns the leader of a partition of one of Kafka's own topics, which all brokers hold, noLeader where none is alive.
func (c *Cluster) firstAlive(partition int32) int32 {
	for i := range c.nodes {
		n := c.nodes[(int(partition)+i)%len(c.nodes)]
		if n.isAlive() {
			return n.id
		}
	}
	return noLeader
}

// javaHash is what Kafka spreads groups by: String.hashCode, made positive.
func javaHash(s string) int32 {
	var h int32
	for _, u := range utf16.Encode([]rune(s)) {
		h = 31*h + int32(u)
	}
	return h & 0x7fffffff
}

// coordinatorsChanged wakes requests that wait at a broker that does not coordinate their group any more.
func (c *Cluster) coordinatorsChanged() {
	c.coordinators.mu.Lock()
	defer c.coordinators.mu.Unlock()
	close(c.coordinators.changed)
	c.coordinators.changed = make(chan struct{})
}

func (c *Cluster) moveCoordinator(group string, id int32) {
	c.coordinators.mu.Lock()
	c.coordinators.moved = maps.Clone(c.coordinators.moved)
	if c.coordinators.moved == nil {
		c.coordinators.moved = make(map[string]int32)
	}
	c.coordinators.moved[group] = id
	c.coordinators.mu.Unlock()
	c.coordinatorsChanged()
}

func (c *Cluster) coordinatorChange() <-chan struct{} {
	c.coordinators.mu.Lock()
	defer c.coordinators.mu.Unlock()
	return c.coordinators.changed
}

// Types of coordinators that FindCoordinator asks for.
const (
	coordinatesGroup = 0
	coordinatesTxn   = 1
)

func handleFindCoordinator(r *request) answer {
	req := r.msg.(*kmsg.FindCoordinatorRequest)
	resp := req.ResponseKind().(*kmsg.FindCoordinatorResponse)
	find := func(key string) (n *node, err error) {
		if req.CoordinatorType == coordinatesGroup && !r.allows(kmsg.ACLOperationDescribe, kmsg.ACLResourceTypeGroup, key) {
			return nil, kerr.GroupAuthorizationFailed
		}
		if req.CoordinatorType == coordinatesTxn && !r.allows(kmsg.ACLOperationDescribe, kmsg.ACLResourceTypeTransactionalId, key) {
			return nil, kerr.TransactionalIDAuthorizationFailed
		}
		switch req.CoordinatorType {
		case coordinatesGroup:
			n = r.node.cluster.node(r.node.cluster.ofGroup(key))
		case coordinatesTxn:
			n = r.node.cluster.node(r.node.cluster.ofTxn(key))
		default:
			return nil, codef(kerr.InvalidRequest, "this broker has coordinators of groups and transactions, not of type %d", req.CoordinatorType)
		}
		if n == nil {
			return nil, kerr.CoordinatorNotAvailable
		}
		return n, nil
	}
	if req.Version < 4 {
		n, err := find(req.CoordinatorKey)
		resp.ErrorCode, resp.ErrorMessage = codeOf(err)
		resp.NodeID, resp.Port = -1, -1
		if n != nil {
			resp.ErrorMessage = kmsg.StringPtr("NONE") // as Kafka does
			resp.NodeID, resp.Host, resp.Port = n.id, n.host, n.port
		}
		return answer{resp: resp}
	}
	for _, key := range req.CoordinatorKeys {
		co := kmsg.NewFindCoordinatorResponseCoordinator()
		co.Key, co.NodeID, co.Port = key, -1, -1
		n, err := find(key)
		co.ErrorCode, co.ErrorMessage = codeOf(err)
		if n != nil {
			co.ErrorMessage = new(string) // as Kafka does
			co.NodeID, co.Host, co.Port = n.id, n.host, n.port
		}
		resp.Coordinators = append(resp.Coordinators, co)
	}
	return answer{resp: resp}
}

// topicsChanged notes that topics were created, deleted or given more partitions. The coordinator is told when the next request for it comes, so that
// creating many topics one by one does not list them all each time.
func (c *Cluster) topicsChanged() {
	c.coordinators.stale.Store(true)
	c.watchers.notify()
}

// refreshGroups tells the coordinator of changed topics.
func (c *Cluster) refreshGroups() {
	if c.coordinators.stale.CompareAndSwap(true, false) {
		c.groups.Changed()
	}
}

// listTopics is what the coordinator assigns from.
func (c *Cluster) listTopics() []groups.Topic {
	c.mu.RLock()
	defer c.mu.RUnlock()
	list := make([]groups.Topic, 0, len(c.topics))
	for _, t := range c.topics {
		list = append(list, groups.Topic{Name: t.name, ID: t.id, Partitions: int32(len(t.partitions))})
	}
	return list
}

var migrations = map[string]groups.Migration{
	"bidirectional": groups.MigrateBothWays, "upgrade": groups.MigrateForth, "downgrade": groups.MigrateBack, "disabled": groups.MigrateNever,
}

// newGroups starts the coordinator of all groups.
func (c *Cluster) newGroups() *groups.Manager {
	p := c.property()
	return groups.New(groups.Config{
		TopicExists: func(topic string, partition int32) bool { return c.partition(topic, partition) != nil },
		TopicID: func(name string) ([16]byte, bool) {
			t := c.lookup(name)
			if t == nil {
				return topicID{}, false
			}
			return t.id, true
		},
		TopicName: func(id [16]byte) (string, bool) {
			t := c.lookupID(id)
			if t == nil {
				return "", false
			}
			return t.name, true
		},
		MaxMetadata:           p.Int("offset.metadata.max.bytes"),
		MinSession:            p.Millis("group.min.session.timeout.ms"),
		MaxSession:            p.Millis("group.max.session.timeout.ms"),
		InitialRebalanceDelay: p.Millis("group.initial.rebalance.delay.ms"),
		MaxSize:               p.Int("group.max.size"),
		Topics:                c.listTopics,
		Consumer: groups.ConsumerConfig{
			MaxSize:   p.Int("group.consumer.max.size"),
			Migration: migrations[p.String("group.consumer.migration.policy")],
		},
		ConsumerOf: c.consumerConfig,
		Changed:    c.watchers.notify,
		Logger:     c.log,
	})
}
