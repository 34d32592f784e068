package broker

import (
	"github.com/sordini-go/sordini/broker/internal/groups"
	"github.com/sordini-go/sordini/broker/internal/records"
	"github.com/sordini-go/sordini/broker/internal/storage"
	"github.com/sordini-go/sordini/broker/internal/txns"
)

// What coordinators write down they append to Kafka's own topics in Kafka's own encoding. Nothing is read back from there: who takes a group or a
// transactional id over knows it already. A partition without a leader, or on a disk that is full, goes without.

// writeGroups appends what is to be written down of groups: what is of one group and one transaction, and stands together, in one batch.
func (c *Cluster) writeGroups(entries []groups.Entry) {
	for from := 0; from < len(entries); {
		e := &entries[from]
		var recs []records.Record
		for from < len(entries) {
			n := &entries[from]
			if n.Group != e.Group || n.Transactional != e.Transactional || n.Producer != e.Producer || n.Epoch != e.Epoch {
				break
			}
			recs = append(recs, records.Record{Key: n.Key, Value: n.Value})
			from++
		}
		var p *records.Producer
		if e.Transactional {
			p = &records.Producer{ID: e.Producer, Epoch: e.Epoch}
		}
		c.writeOwn(offsetsTopic, c.offsetsPartition(e.Group), recs, p)
	}
}

// writeTxns appends what is to be written down of transactional ids.
func (c *Cluster) writeTxns(entries []txns.Entry) {
	for _, e := range entries {
		partitions := c.property().Int("transaction.state.log.num.partitions")
		c.writeOwn(transactionsTopic, javaHash(e.TransactionalID)%int32(partitions), []records.Record{{Key: e.Key, Value: e.Value}}, nil)
	}
}

func (c *Cluster) writeOwn(topic string, index int32, recs []records.Record, producer *records.Producer) {
	c.appendOwn(topic, index, func(p *partition, now int64, lim storage.Limits) {
		b := records.New(recs, producer, now)
		if p.cluster.node(p.leader).wroteLocked(len(b)) {
			p.log.AppendOwn(b, p.epoch, now, lim)
		}
	})
}

// writeOwnMarker appends the marker of a transaction that has committed offsets.
func (c *Cluster) writeOwnMarker(index int32, m storage.Marker) {
	c.appendOwn(offsetsTopic, index, func(p *partition, now int64, lim storage.Limits) {
		if _, err := p.log.AppendMarker(m, p.epoch, now, lim); err != nil {
			c.log.Info("marker refused", "topic", offsetsTopic, "partition", index, "error", err)
		}
	})
}

// appendOwn appends to a partition of an internal topic, and has the followers fetch it.
func (c *Cluster) appendOwn(topic string, index int32, add func(p *partition, now int64, lim storage.Limits)) {
	p := c.partition(topic, index)
	if p == nil {
		return // deleted
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.deleted || p.leader == noLeader {
		return
	}
	now, end := c.node(p.leader).now().UnixMilli(), p.log.End()
	add(p, now, limits(p.topic.settings.Load()))
	if p.log.End() > end {
		p.appendedLocked(-1)
		p.retentionDueLocked(now, now, true)
	}
}
