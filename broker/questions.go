package broker

import (
	"errors"
	"fmt"
	"maps"
	"slices"
)

// ErrUnknownPartition says that a question names a topic or partition that does not exist.
var ErrUnknownPartition = errors.New("unknown topic or partition")

// EndOffset returns the offset that the partition's next record gets, -1 where there is no such partition.
func (c *Cluster) EndOffset(topic string, partition int32) int64 {
	p := c.partition(topic, partition)
	if p == nil {
		return -1
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.End()
}

// StartOffset returns the first offset that the partition still holds, -1 where there is no such partition.
func (c *Cluster) StartOffset(topic string, partition int32) int64 {
	p := c.partition(topic, partition)
	if p == nil {
		return -1
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.Start()
}

// Partitions returns how many partitions a topic has, 0 where there is no such topic.
func (c *Cluster) Partitions(topic string) int {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if t := c.topics[topic]; t != nil {
		return len(t.partitions)
	}
	return 0
}

// Partition is how a partition is at one moment.
type Partition struct {
	Topic  string
	Index  int32
	Leader int32 // node id; [NoLeader] where there is none
	// LeaderEpoch grows with each new leader (KIP-101).
	LeaderEpoch int32
	Replicas    []int32 // node ids, the preferred leader first
	InSync      []int32 // node ids
	// Start is the first offset that is still held, End the one that the next record gets. Up to HighWatermark every in-sync replica has the records, and
	// up to LastStable no transaction is open.
	Start, LastStable, HighWatermark, End int64
}

// String tells the partition in one line.
func (p Partition) String() string {
	leader := "no leader"
	if p.Leader != NoLeader {
		leader = fmt.Sprintf("leader %d", p.Leader)
	}
	s := fmt.Sprintf("%s[%d] %s epoch %d, replicas %v, in sync %v, offsets %d to %d", p.Topic, p.Index, leader, p.LeaderEpoch, p.Replicas, p.InSync, p.Start, p.End)
	if p.HighWatermark != p.End {
		s += fmt.Sprintf(", high watermark %d", p.HighWatermark)
	}
	if p.LastStable != p.HighWatermark {
		s += fmt.Sprintf(", last stable offset %d", p.LastStable)
	}
	return s
}

// Partition returns how a partition is. It fails with [ErrUnknownPartition].
func (c *Cluster) Partition(topic string, partition int32) (Partition, error) {
	p := c.partition(topic, partition)
	if p == nil {
		return Partition{}, fmt.Errorf("%s[%d]: %w", topic, partition, ErrUnknownPartition)
	}
	return p.state(), nil
}

func (p *partition) state() Partition {
	p.mu.Lock()
	defer p.mu.Unlock()
	return Partition{
		Topic: p.topic.name, Index: p.index, Leader: p.leader, LeaderEpoch: p.epoch, Replicas: slices.Clone(p.replicas), InSync: slices.Clone(p.isr),
		Start: p.log.Start(), LastStable: p.lastStableLocked(), HighWatermark: p.highWatermarkLocked(), End: p.log.End(),
	}
}

// Topics returns the names of all topics but Kafka's own, sorted.
func (c *Cluster) Topics() []string {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return slices.DeleteFunc(slices.Sorted(maps.Keys(c.topics)), internalTopic)
}

// partitionsOf returns a topic's partitions, nil where there is no such topic.
func (c *Cluster) partitionsOf(topic string) []*partition {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if t := c.topics[topic]; t != nil {
		return t.partitions
	}
	return nil
}

// Leader returns the node id and the epoch of a partition's leader; the id is -1 where there is none.
func (c *Cluster) Leader(topic string, partition int32) (id, epoch int32) {
	p := c.partition(topic, partition)
	if p == nil {
		return noLeader, -1
	}
	l := p.leadership()
	return l.leader, l.epoch
}
