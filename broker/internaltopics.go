package broker

import (
	"errors"
	"strconv"

	"github.com/twmb/franz-go/pkg/kerr"
)

// Kafka's own topics. A partition of theirs is led by the broker that coordinates the groups, the transactional ids or the share partitions
// that belong to it. Every broker
// holds them all, whatever offsets.topic.replication.factor says: Kafka's default of 3 would make a coordinator impossible on fewer brokers.
const (
	offsetsTopic      = "__consumer_offsets"
	transactionsTopic = "__transaction_state"
	shareStateTopic   = "__share_group_state"
)

// adminClient is the client id that may produce to internal topics, as in Kafka.
const adminClient = "__admin_client"

// internalTopic says whether a topic is one of Kafka's own.
func internalTopic(name string) bool {
	return name == offsetsTopic || name == transactionsTopic || name == shareStateTopic
}

func (t *topic) internal() bool { return internalTopic(t.name) }

// provideInternal creates one of Kafka's own topics where it does not exist yet: Kafka does when it is first asked for a coordinator. There the answer is
// COORDINATOR_NOT_AVAILABLE until the topic has leaders, which takes no time here.
func (c *Cluster) provideInternal(name string) {
	if c.lookup(name) != nil {
		return
	}
	p := c.property()
	s := topicSpec{name: name, partitions: -1, replicas: -1, configs: map[string]string{"cleanup.policy": "compact"}}
	count := 0
	switch name {
	case offsetsTopic:
		count = p.Int("offsets.topic.num.partitions")
		s.configs["compression.type"] = "producer"
		s.configs["segment.bytes"] = strconv.Itoa(p.Int("offsets.topic.segment.bytes"))
	case transactionsTopic:
		count = p.Int("transaction.state.log.num.partitions")
		s.configs["compression.type"] = "uncompressed"
		s.configs["min.insync.replicas"] = strconv.Itoa(p.Int("transaction.state.log.min.isr"))
		s.configs["segment.bytes"] = strconv.Itoa(p.Int("transaction.state.log.segment.bytes"))
		s.configs["unclean.leader.election.enable"] = "false"
	case shareStateTopic:
		count = p.Int("share.coordinator.state.topic.num.partitions")
		s.configs["cleanup.policy"] = "delete"
		s.configs["compression.type"] = "producer"
		s.configs["min.insync.replicas"] = strconv.Itoa(p.Int("share.coordinator.state.topic.min.isr"))
		s.configs["retention.ms"] = "-1"
		s.configs["segment.bytes"] = strconv.Itoa(p.Int("share.coordinator.state.topic.segment.bytes"))
	}
	for i := range count {
		var replicas []int32
		for j := range c.nodes { // in the order of firstAlive
			if n := c.nodes[(i+j)%len(c.nodes)]; !n.forgotten.Load() {
				replicas = append(replicas, n.id)
			}
		}
		s.assigned = append(s.assigned, replicas)
	}
	if _, err := c.createTopic(s); err != nil {
		if !errors.Is(err, kerr.TopicAlreadyExists) {
			c.log.Error("internal topic not created", "topic", name, "error", err)
		}
		return
	}
	// A coordinator may have been moved before there was a partition to lead.
	switch name {
	case shareStateTopic:
		return
	case offsetsTopic:
		c.coordinators.mu.Lock()
		defer c.coordinators.mu.Unlock()
		for i, id := range c.coordinators.leads {
			c.leadInternal(offsetsTopic, i, id)
		}
		return
	}
	c.txnCoordinators.mu.Lock()
	defer c.txnCoordinators.mu.Unlock()
	for i, t := range c.txnCoordinators.terms {
		c.leadInternal(transactionsTopic, i, t.broker)
	}
}

// leadInternal makes a broker lead a partition of an internal topic, where there is one and the broker can.
func (c *Cluster) leadInternal(topic string, index int, id int32) {
	p := c.partition(topic, int32(index))
	if p == nil || id == noLeader {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.leader == id {
		return
	}
	p.replicateLocked()
	p.changeLocked(change{election: electNamed, named: id})
	p.replicateLocked()
}

// coordinatorOf returns who is to coordinate what belongs to a partition of an internal topic: its leader. Where it has none, or does not exist yet, it is
// who did so far, or the first that runs.
func (c *Cluster) coordinatorOf(topic string, index int, now int32) int32 {
	if p := c.partition(topic, int32(index)); p != nil {
		if l := p.leadership(); l.leader != noLeader {
			return l.leader
		}
	}
	if n := c.node(now); n != nil && n.isAlive() {
		return now
	}
	return c.firstAlive(int32(index))
}
