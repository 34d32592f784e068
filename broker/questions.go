package broker

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/sordini-go/sordini/broker/internal/records"
)

// ErrUnknownPartition says that a question names a topic or partition that does not exist.
var ErrUnknownPartition = errors.New("unknown topic or partition")

// Header is one header of a [Record].
type Header struct {
	Key   string
	Value []byte
}

// Record is a record that a partition holds. A null key or value is nil.
type Record struct {
	Partition int32
	Offset    int64
	Key       []byte
	Value     []byte
	Headers   []Header
	Timestamp time.Time
}

// Records returns the records that a partition holds, oldest first, decompressed. Control records are left out. It fails with
// [ErrUnknownPartition], and when a batch cannot be decompressed.
func (c *Cluster) Records(topic string, partition int32) ([]Record, error) {
	p := c.partition(topic, partition)
	if p == nil {
		return nil, fmt.Errorf("records of %s[%d]: %w", topic, partition, ErrUnknownPartition)
	}
	p.mu.Lock()
	start := p.log.Start()
	var batches []records.Batch
	for b := range p.log.Batches(start) {
		batches = append(batches, b)
	}
	p.mu.Unlock()
	var out []Record
	for _, b := range batches {
		if b.Control() {
			continue
		}
		for r, err := range b.Records() {
			if err != nil {
				return out, fmt.Errorf("records of %s[%d]: %w", topic, partition, err)
			}
			if r.Offset < start {
				continue
			}
			rec := Record{Partition: partition, Offset: r.Offset, Key: r.Key, Value: r.Value, Timestamp: time.UnixMilli(r.Timestamp)}
			for _, h := range r.Headers() {
				rec.Headers = append(rec.Headers, Header{Key: h.Key, Value: h.Value})
			}
			out = append(out, rec)
		}
	}
	return out, nil
}

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

// Topics returns the names of all topics, sorted.
func (c *Cluster) Topics() []string {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return slices.Sorted(maps.Keys(c.topics))
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
