package broker

import (
	"context"
	"errors"
	"fmt"
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

// Member is one member of a group.
type Member struct {
	ID         string
	InstanceID string // empty: a dynamic member
	ClientID   string
	Host       string
	Metadata   []byte // what it joined with
	Assignment []byte // what it was given
	// Partitions are those that it has, by topic and in order; in a group of the consumer protocol (KIP-848) with those that it has still to give up.
	Partitions map[string][]int32
	// Epoch is the member's epoch, or in a classic group the generation.
	Epoch int32
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

// Leader returns the node id and the epoch of a partition's leader; the id is -1 where there is none.
func (c *Cluster) Leader(topic string, partition int32) (id, epoch int32) {
	p := c.partition(topic, partition)
	if p == nil {
		return noLeader, -1
	}
	l := p.leadership()
	return l.leader, l.epoch
}

// Coordinator returns the node id of a group's coordinator, -1 while no broker runs.
func (c *Cluster) Coordinator(group string) int32 { return c.ofGroup(group) }

// Committed returns the offset that a group has committed for a partition, and the metadata that was committed with it.
func (c *Cluster) Committed(group, topic string, partition int32) (offset int64, metadata string, ok bool) {
	c.refreshGroups()
	offset, _, metadata, ok = c.groups.Committed(group, topic, partition)
	return offset, metadata, ok
}

// Groups returns the names of all groups, sorted.
func (c *Cluster) Groups() []string { return c.groups.Groups() }

// Members returns the members of a group, none where there is no such group.
func (c *Cluster) Members(group string) []Member {
	info, _ := c.groups.Group(group)
	members := make([]Member, len(info.Members))
	for i, m := range info.Members {
		members[i] = Member{ID: m.ID, InstanceID: m.InstanceID, ClientID: m.ClientID, Host: m.Host, Metadata: m.Metadata, Assignment: m.Assignment,
			Partitions: m.Partitions, Epoch: m.Epoch}
	}
	return members
}

// GroupState returns the state of a group under Kafka's name, such as "Stable" or "PreparingRebalance"; "Dead" where there is no such group.
func (c *Cluster) GroupState(group string) string {
	info, ok := c.groups.Group(group)
	if !ok {
		return "Dead"
	}
	return string(info.State)
}

// WaitRecords blocks until n records have ever been written to a topic, over all partitions: those that have been deleted since count too. It
// returns the context's cause when ctx ends first, and [ErrUnknownPartition] or [ErrClosed] when there is nothing to wait for.
func (c *Cluster) WaitRecords(ctx context.Context, topic string, n int64) error {
	w := newWaiter()
	var waiting []*partition
	defer func() {
		for _, p := range waiting {
			p.removeWaiter(w)
		}
	}()
	for {
		c.mu.RLock()
		var partitions []*partition
		if t := c.topics[topic]; t != nil {
			partitions = t.partitions
		}
		c.mu.RUnlock()
		if partitions == nil {
			return fmt.Errorf("wait for %d records of %s: %w", n, topic, ErrUnknownPartition)
		}
		for _, p := range partitions[min(len(waiting), len(partitions)):] {
			p.addWaiter(w)
			waiting = append(waiting, p)
		}
		have := int64(0)
		for _, p := range partitions {
			p.mu.Lock()
			have += p.log.End()
			p.mu.Unlock()
		}
		if have >= n {
			return nil
		}
		select {
		case <-w.changed:
		case <-ctx.Done():
			return fmt.Errorf("wait for %d records of %s, have %d: %w", n, topic, have, context.Cause(ctx))
		case <-c.done:
			return fmt.Errorf("wait for %d records of %s, have %d: %w", n, topic, have, ErrClosed)
		}
	}
}
