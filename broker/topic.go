package broker

import (
	"maps"
	"strings"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/sordini-go/sordini/broker/internal/settings"
)

// topicID is a topic's id (KIP-516). The zero id names no topic.
type topicID [16]byte

// topic is a topic's metadata. The cluster's lock guards partitions and overrides.
type topic struct {
	name       string
	id         topicID
	partitions []*partition // only grows
	overrides  map[string]string

	settings atomic.Pointer[settings.Topic] // resolved; replaced when a setting is altered
}

// topicSpec is what CreateTopics asks for.
type topicSpec struct {
	name       string
	partitions int       // -1: the broker's default
	replicas   int       // -1: the broker's default
	assigned   [][]int32 // by partition; instead of partitions and replicas
	configs    map[string]string
	err        error // what is wrong with the request, found after what Kafka looks at first
}

func newTopicSpec(t Topic) topicSpec {
	s := topicSpec{name: t.Name, partitions: t.Partitions, replicas: t.ReplicationFactor, configs: t.Configs}
	if s.partitions == 0 {
		s.partitions = -1
	}
	if s.replicas == 0 {
		s.replicas = -1
	}
	return s
}

// maxPartitions bounds how many partitions one request may create, so that a number alone cannot take all memory.
const maxPartitions = 100_000

// checkTopicName applies Kafka's rules. The second value says what is wrong.
func checkTopicName(name string) error {
	legal := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '_' || r == '-'
	}
	switch {
	case name == "":
		return codef(kerr.InvalidTopicException, "Topic name is invalid: the empty string is not allowed")
	case name == "." || name == "..":
		return codef(kerr.InvalidTopicException, "Topic name is invalid: '%s' is not allowed", name)
	case len(name) > 249:
		return codef(kerr.InvalidTopicException, "Topic name is invalid: the length of '%s' is longer than the max allowed length 249", name)
	case strings.ContainsFunc(name, func(r rune) bool { return !legal(r) }):
		return codef(kerr.InvalidTopicException,
			"Topic name is invalid: '%s' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'", name)
	}
	return nil
}

// collapse makes one name of all that Kafka's metric names cannot tell apart; two topics must not have the same.
func collapse(name string) string { return strings.ReplaceAll(name, ".", "_") }

// createTopic checks the spec and creates the topic.
func (c *Cluster) createTopic(s topicSpec) (*topic, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t, err := c.newTopicLocked(s)
	if err != nil {
		return nil, err
	}
	if err := c.store.recordTopic(t); err != nil {
		return nil, err
	}
	c.topics[t.name] = t
	c.topicByID[t.id] = t
	c.collapsed[collapse(t.name)] = t.name
	c.topicsChanged()
	c.log.Info("topic created", "topic", t.name, "partitions", len(t.partitions))
	return t, nil
}

// newTopicLocked makes the topic without adding it, which is what a request that only validates wants.
func (c *Cluster) newTopicLocked(s topicSpec) (*topic, error) {
	if err := checkTopicName(s.name); err != nil {
		return nil, err
	}
	if c.topics[s.name] != nil {
		return nil, codef(kerr.TopicAlreadyExists, "Topic '%s' already exists.", s.name)
	}
	if other, collides := c.collapsed[collapse(s.name)]; collides {
		return nil, codef(kerr.InvalidTopicException, "Topic '%s' collides with existing topic: %s", s.name, other)
	}
	if s.err != nil {
		return nil, s.err
	}
	assigned, err := c.assignLocked(s)
	if err != nil {
		return nil, err
	}
	overrides := maps.Clone(s.configs)
	if overrides == nil {
		overrides = map[string]string{}
	}
	resolved, err := settings.ParseTopic(overrides, c.settings)
	if err != nil {
		return nil, codef(kerr.InvalidConfig, "%v", err)
	}
	t := &topic{name: s.name, id: newUUID(), overrides: overrides}
	t.settings.Store(&resolved)
	for i, replicas := range assigned {
		t.partitions = append(t.partitions, newPartition(c, t, int32(i), replicas))
	}
	return t, nil
}

// assignLocked says which brokers hold which partition.
func (c *Cluster) assignLocked(s topicSpec) ([][]int32, error) {
	if s.assigned != nil {
		switch {
		case s.replicas != -1:
			return nil, codef(kerr.InvalidRequest, "A manual partition assignment was specified, but replication factor was not set to -1.")
		case s.partitions != -1:
			return nil, codef(kerr.InvalidRequest, "A manual partition assignment was specified, but numPartitions was not set to -1.")
		}
		for i, replicas := range s.assigned {
			if err := c.checkReplicas(i, replicas, len(s.assigned[0])); err != nil {
				return nil, err
			}
		}
		return s.assigned, nil
	}
	if s.partitions == -1 {
		s.partitions = c.settings.Int("num.partitions")
	}
	if s.replicas == -1 {
		s.replicas = c.settings.Int("default.replication.factor")
	}
	switch {
	case s.partitions < 1:
		return nil, codef(kerr.InvalidPartitions, "Number of partitions was set to an invalid non-positive value.")
	case s.partitions > maxPartitions:
		return nil, codef(kerr.PolicyViolation, "At most %d partitions can be created at once.", maxPartitions)
	case s.replicas < 1:
		return nil, codef(kerr.InvalidReplicationFactor, "Replication factor must be larger than 0, or -1 to use the default value.")
	}
	return c.place(0, s.partitions, s.replicas)
}

// checkReplicas checks one partition of an assignment by hand.
func (c *Cluster) checkReplicas(partition int, replicas []int32, want int) error {
	if len(replicas) == 0 {
		return codef(kerr.InvalidReplicaAssignment, "The manual partition assignment includes an empty replica list.")
	}
	seen := map[int32]bool{}
	for _, id := range replicas {
		switch {
		case c.node(id) == nil || c.node(id).forgotten.Load():
			return codef(kerr.InvalidReplicaAssignment, "The manual partition assignment includes broker %d, but no such broker is registered.", id)
		case seen[id]:
			return codef(kerr.InvalidReplicaAssignment, "The manual partition assignment includes the broker %d more than once.", id)
		}
		seen[id] = true
	}
	if len(replicas) != want {
		return codef(kerr.InvalidReplicaAssignment, "The manual partition assignment includes a partition with %d replica(s), but this is not consistent with previous partitions, which have %d replica(s).", len(replicas), want)
	}
	return nil
}

// lookup finds a topic by name.
func (c *Cluster) lookup(name string) *topic {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.topics[name]
}

// lookupID finds a topic by id.
func (c *Cluster) lookupID(id topicID) *topic {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.topicByID[id]
}

// partition finds a partition by its topic's name, nil where there is none.
func (c *Cluster) partition(name string, index int32) *partition {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.topics[name].partition(index)
}

// partitionByID finds a partition by its topic's id. The first value tells an unknown topic from an unknown partition.
func (c *Cluster) partitionByID(id topicID, index int32) (*topic, *partition) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	t := c.topicByID[id]
	return t, t.partition(index)
}

// partition returns nil for an index that does not exist, and on a nil topic. The cluster's lock must be held.
func (t *topic) partition(index int32) *partition {
	if t == nil || index < 0 || int(index) >= len(t.partitions) {
		return nil
	}
	return t.partitions[index]
}
