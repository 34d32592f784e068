package broker

import (
	"errors"

	"github.com/sordini-go/sordini/broker/internal/groups"
	"github.com/sordini-go/sordini/broker/internal/records"
	"github.com/sordini-go/sordini/broker/internal/storage"
	"github.com/sordini-go/sordini/broker/internal/txns"
)

// What coordinators write down they append to Kafka's own topics in Kafka's own encoding. It is read only when a data directory is opened: who takes a
// group or a transactional id over knows it already. A partition without a leader, or on a disk that a test says is full, goes without.

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
	c.appendOwn(ownEntry{topic: topic, index: index, records: recs, producer: producer})
}

// writeOwnMarker appends the marker of a transaction that has committed offsets.
func (c *Cluster) writeOwnMarker(index int32, m storage.Marker) {
	c.appendOwn(ownEntry{topic: offsetsTopic, index: index, marker: &m})
}

// ownEntry is something that a coordinator writes to an internal topic: records, or a marker.
type ownEntry struct {
	topic    string
	index    int32
	records  []records.Record
	producer *records.Producer // of the transaction that the records are part of; nil: none
	marker   *storage.Marker
}

// appendOwn appends to a partition of an internal topic. What the disk does not take now it takes later, in the order in which it came, and until then
// nothing is answered that depends on it.
func (c *Cluster) appendOwn(e ownEntry) {
	s := c.store
	if s == nil {
		_ = c.tryOwn(e) // memory takes everything
		return
	}
	s.owning.Lock()
	defer s.owning.Unlock()
	var err error
	if len(s.own) == 0 {
		err = c.tryOwn(e)
	}
	if err != nil || len(s.own) > 0 {
		s.own = append(s.own, e)
	}
	if err != nil || len(s.own) > 0 || s.fsync == FsyncPromises {
		s.promise()
	}
}

// tryOwn appends to a partition of an internal topic, and has the followers fetch it. It fails with [storage.ErrStorage].
func (c *Cluster) tryOwn(e ownEntry) error {
	p := c.partition(e.topic, e.index)
	if p == nil {
		return nil // deleted
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.deleted || p.leader == noLeader {
		return nil
	}
	now, end := c.node(p.leader).now().UnixMilli(), p.log.End()
	if err := p.appendOwnLocked(e, now); err != nil {
		return err
	}
	if p.log.End() > end {
		p.appendedLocked(-1)
		p.retentionDueLocked(now, now, true)
	}
	return nil
}

func (p *partition) appendOwnLocked(e ownEntry, now int64) error {
	lim := limits(p.topic.settings.Load())
	if e.marker != nil {
		_, err := p.log.AppendMarker(*e.marker, p.epoch, now, lim)
		if err != nil && !errors.Is(err, storage.ErrStorage) {
			p.cluster.log.Info("marker refused", "topic", e.topic, "partition", e.index, "error", err)
			return nil
		}
		return err
	}
	b := records.New(e.records, e.producer, now)
	if !p.cluster.node(p.leader).wroteLocked(len(b)) {
		return nil
	}
	_, err := p.log.AppendOwn(b, p.epoch, now, lim)
	return err
}

// writeOwnAgain writes what the disk has not taken before. It reports whether nothing is left.
func (s *store) writeOwnAgain() bool {
	s.owning.Lock()
	defer s.owning.Unlock()
	for len(s.own) > 0 {
		if err := s.cluster.tryOwn(s.own[0]); err != nil {
			return s.fails(err)
		}
		s.own = s.own[1:]
	}
	return true
}
