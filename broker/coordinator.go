package broker

import (
	"maps"
	"sync"
	"unicode/utf16"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sordini-go/sordini/broker/internal/groups"
)

// coordinators says which broker coordinates which group. The groups themselves are the cluster's: as with the replicated log that Kafka keeps them
// in, whoever becomes a group's coordinator knows what the last one knew.
type coordinators struct {
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
func (c *Cluster) home(group string) int32 {
	p := javaHash(group) % int32(c.property().Int("offsets.topic.num.partitions"))
	for i := range c.nodes {
		n := c.nodes[(int(p)+i)%len(c.nodes)]
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
		if req.CoordinatorType != coordinatesGroup {
			return nil, codef(kerr.InvalidRequest, "this broker has coordinators of groups only, not of type %d", req.CoordinatorType)
		}
		if n = r.node.cluster.node(r.node.cluster.ofGroup(key)); n == nil {
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
		Logger:                c.log,
	})
}
