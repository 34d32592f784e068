package broker

import (
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf16"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sordini-go/sordini/broker/internal/groups"
)

// coordinators says which broker coordinates which group: the one that leads the group's partition of __consumer_offsets, which every broker holds. A
// broker that takes a partition over keeps it: one that comes back coordinates nothing that others have taken over meanwhile, so that what it was sent
// before, and carries out only now, is refused.
type coordinators struct {
	stale atomic.Bool // topics have changed since the groups were told

	mu    sync.RWMutex // guards what follows; held while a group is told something, and never taken with the cluster's lock held
	leads []int32      // by partition of __consumer_offsets; noLeader while no broker runs

	waking  sync.Mutex    // guards what follows
	changed chan struct{} // closed, and replaced, when any coordinator has moved
}

// ofGroup returns the broker that coordinates a group, noLeader where none can.
func (c *Cluster) ofGroup(group string) int32 {
	c.coordinators.mu.RLock()
	defer c.coordinators.mu.RUnlock()
	return c.coordinators.of(group)
}

// of is ofGroup with the lock held.
func (cs *coordinators) of(group string) int32 { return cs.leads[cs.partition(group)] }

func (cs *coordinators) partition(group string) int { return int(javaHash(group)) % len(cs.leads) }

// offsetsLeader returns the broker that leads a partition of __consumer_offsets, noLeader where none does.
func (c *Cluster) offsetsLeader(partition int32) int32 {
	c.coordinators.mu.RLock()
	defer c.coordinators.mu.RUnlock()
	return c.coordinators.leads[partition]
}

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

// placeCoordinators finds a coordinator for the groups of brokers that have gone. Whoever takes a group over knows what was written down of it, and so
// does the broker that has started now, where nobody has taken its place.
func (c *Cluster) placeCoordinators(started int32) {
	cs := &c.coordinators
	cs.mu.Lock()
	taken, moved := make([]bool, len(cs.leads)), false
	for p, lead := range cs.leads {
		if next := c.coordinatorOf(offsetsTopic, p, lead); next != lead || lead == started && lead != noLeader {
			cs.leads[p], taken[p], moved = next, true, true
		}
	}
	if moved {
		c.reloadGroups(func(p int) bool { return taken[p] })
	}
	cs.mu.Unlock()
	c.placeTxnCoordinators()
	c.coordinatorsChanged()
}

// moveCoordinator moves the coordinator of a group, and with it that of the groups in the same partition.
func (c *Cluster) moveCoordinator(group string, id int32) {
	cs := &c.coordinators
	cs.mu.Lock()
	if at := cs.partition(group); cs.leads[at] != id {
		cs.leads[at] = id
		c.leadInternal(offsetsTopic, at, id)
		c.reloadGroups(func(p int) bool { return p == at })
	}
	cs.mu.Unlock()
	c.coordinatorsChanged()
}

// reloadGroups makes groups what their new coordinator reads of them. The coordinators' lock is held.
func (c *Cluster) reloadGroups(in func(partition int) bool) {
	for _, name := range c.groups.Groups() {
		switch p := c.coordinators.partition(name); {
		case !in(p):
		case c.coordinators.leads[p] == noLeader:
			c.groups.Unload(name)
		default:
			c.groups.Moved(name)
		}
	}
}

// javaHash is what Kafka spreads groups and transactional ids by: the absolute value of String.hashCode, 0 for the number that has none.
func javaHash(s string) int32 {
	var h int32
	for _, u := range utf16.Encode([]rune(s)) {
		h = 31*h + int32(u)
	}
	switch {
	case h == math.MinInt32:
		return 0
	case h < 0:
		return -h
	}
	return h
}

// coordinatorsChanged wakes what waits for another coordinator.
func (c *Cluster) coordinatorsChanged() {
	c.coordinators.waking.Lock()
	defer c.coordinators.waking.Unlock()
	close(c.coordinators.changed)
	c.coordinators.changed = make(chan struct{})
}

func (c *Cluster) coordinatorChange() <-chan struct{} {
	c.coordinators.waking.Lock()
	defer c.coordinators.waking.Unlock()
	return c.coordinators.changed
}

// Types of coordinators that FindCoordinator asks for.
const (
	coordinatesGroup = 0
	coordinatesTxn   = 1
	coordinatesShare = 2
)

func handleFindCoordinator(r *request) answer {
	req := r.msg.(*kmsg.FindCoordinatorRequest)
	resp := req.ResponseKind().(*kmsg.FindCoordinatorResponse)
	find := func(key string) (n *node, err error) {
		if req.CoordinatorType == coordinatesGroup && !r.allows(kmsg.ACLOperationDescribe, kmsg.ACLResourceTypeGroup, key) {
			return nil, denied(kerr.GroupAuthorizationFailed)
		}
		if req.CoordinatorType == coordinatesTxn && !r.allows(kmsg.ACLOperationDescribe, kmsg.ACLResourceTypeTransactionalId, key) {
			return nil, denied(kerr.TransactionalIDAuthorizationFailed)
		}
		switch req.CoordinatorType {
		case coordinatesGroup:
			r.node.cluster.provideInternal(offsetsTopic)
			n = r.node.cluster.node(r.node.cluster.ofGroup(key))
		case coordinatesTxn:
			r.node.cluster.provideInternal(transactionsTopic)
			n = r.node.cluster.node(r.node.cluster.ofTxn(key))
		case coordinatesShare:
			if req.Version < 6 {
				return nil, codef(kerr.InvalidRequest, "")
			}
			k, err := parseShareKey(key)
			if err != nil {
				return nil, because(kerr.InvalidRequest, err)
			}
			r.node.cluster.provideInternal(shareStateTopic)
			n = r.node.cluster.node(r.node.cluster.ofShare(k))
		default:
			return nil, codef(kerr.InvalidRequest, "This most likely occurs because of a request being malformed by the client library or the message was sent to an incompatible broker. See the broker logs for more details.")
		}
		if n == nil || !n.isAlive() {
			return nil, kerr.CoordinatorNotAvailable
		}
		return n, nil
	}
	if req.CoordinatorType == coordinatesShare && req.Version >= 6 && !r.allowsCluster(kmsg.ACLOperationClusterAction) {
		resp = failRequest(req, kerr.ClusterAuthorizationFailed.Code).(*kmsg.FindCoordinatorResponse)
		for i := range resp.Coordinators {
			resp.Coordinators[i].ErrorMessage = kmsg.StringPtr(denials[kerr.ClusterAuthorizationFailed])
		}
		return answer{resp: resp}
	}
	if req.Version < 4 {
		n, err := find(req.CoordinatorKey)
		resp.ErrorCode, resp.ErrorMessage = codeOf(err)
		resp.NodeID, resp.Port = -1, -1
		if n != nil {
			resp.ErrorMessage = kmsg.StringPtr("NONE") // as Kafka does
			e := r.endpoint(n)
			resp.NodeID, resp.Host, resp.Port = n.id, e.host, e.port
		}
		return answer{resp: resp}
	}
	for _, key := range req.CoordinatorKeys {
		co := kmsg.NewFindCoordinatorResponseCoordinator()
		co.Key, co.NodeID, co.Port = key, -1, -1
		n, err := find(key)
		co.ErrorCode, co.ErrorMessage = codeOf(err)
		if _, said := denials[kerrOf(err)]; said || n != nil || req.CoordinatorType == coordinatesShare && req.Version >= 6 {
			co.ErrorMessage = new(string) // as Kafka does
		}
		if n != nil {
			e := r.endpoint(n)
			co.NodeID, co.Host, co.Port = n.id, e.host, e.port
		}
		resp.Coordinators = append(resp.Coordinators, co)
	}
	return answer{resp: resp}
}

// topicsChanged notes that topics were created, deleted or given more partitions. The coordinator is told when the next request for it comes, so that
// creating many topics one by one does not list them all each time.
func (c *Cluster) topicsChanged() { c.coordinators.stale.Store(true) }

// refreshGroups tells the coordinator of changed topics.
func (c *Cluster) refreshGroups() {
	if c.coordinators.stale.CompareAndSwap(true, false) {
		c.groups.Changed()
		c.shareStates.DeleteTopics(func(id [16]byte) bool { return c.lookupID(id) != nil })
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
		OffsetsRetention:      time.Duration(p.Int("offsets.retention.minutes")) * time.Minute,
		OffsetsCheckInterval:  p.Millis("offsets.retention.check.interval.ms"),
		MinSession:            p.Millis("group.min.session.timeout.ms"),
		MaxSession:            p.Millis("group.max.session.timeout.ms"),
		InitialRebalanceDelay: p.Millis("group.initial.rebalance.delay.ms"),
		MaxSize:               p.Int("group.max.size"),
		Topics:                c.listTopics,
		Consumer: groups.ConsumerConfig{
			MaxSize:   p.Int("group.consumer.max.size"),
			Assignors: strings.FieldsFunc(p.String("group.consumer.assignors"), func(r rune) bool { return r == ',' || r == ' ' }),
			Migration: migrations[p.String("group.consumer.migration.policy")],
		},
		ConsumerOf:  c.consumerConfig,
		Share:       groups.ShareConfig{MaxSize: p.Int("group.share.max.size")},
		ShareOf:     c.shareConfig,
		ShareStates: shareStates{c.shareStates},
		Write:       c.writeGroups,
		Members:     c.store != nil,
		Changed:     c.watchers.notify,
		Logger:      c.log,
	})
}
