package broker

import (
	"errors"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sordini-go/sordini/broker/internal/records"
	"github.com/sordini-go/sordini/broker/internal/settings"
	"github.com/sordini-go/sordini/broker/internal/storage"
)

func handleProduce(r *request) answer {
	req := r.msg.(*kmsg.ProduceRequest)
	resp := req.ResponseKind().(*kmsg.ProduceResponse)
	resp.Topics = make([]kmsg.ProduceResponseTopic, len(req.Topics))
	failed := false
	for i := range req.Topics {
		q, t := &req.Topics[i], &resp.Topics[i]
		t.Topic, t.TopicID = q.Topic, q.TopicID
		t.Partitions = make([]kmsg.ProduceResponseTopicPartition, len(q.Partitions))
		for j := range q.Partitions {
			p := &t.Partitions[j]
			p.Default()
			p.Partition = q.Partitions[j].Partition
			p.BaseOffset, p.LogStartOffset = -1, -1
			part, err := r.partition(req.Version >= 13, q.Topic, q.TopicID, p.Partition)
			if err == nil {
				err = r.fault(part.topic.name, p.Partition)
			}
			if err == nil {
				err = r.produce(part, req, q.Partitions[j].Records, p)
			}
			p.ErrorCode, p.ErrorMessage = codeOf(err)
			failed = failed || err != nil
			if p.ErrorCode == kerr.NotLeaderForPartition.Code {
				r.hintLeader(part, &p.CurrentLeader.LeaderID, &p.CurrentLeader.LeaderEpoch, func(n *node) {
					resp.Brokers = appendNode(resp.Brokers, n)
				})
			}
		}
	}
	if req.Acks == 0 {
		return answer{close: failed} // there is no response to say it in
	}
	return answer{resp: resp}
}

// partition finds the partition that a request names by its topic's name or, in newer versions, by its topic's id.
func (r *request) partition(byID bool, name string, id topicID, index int32) (*partition, error) {
	c := r.node.cluster
	if byID {
		t, p := c.partitionByID(id, index)
		switch {
		case t == nil:
			return nil, kerr.UnknownTopicID
		case p == nil:
			return nil, kerr.UnknownTopicOrPartition
		}
		return p, nil
	}
	if p := c.partition(name, index); p != nil {
		return p, nil
	}
	return nil, kerr.UnknownTopicOrPartition
}

// produce checks and appends one partition's records.
func (r *request) produce(part *partition, req *kmsg.ProduceRequest, raw []byte, p *kmsg.ProduceResponseTopicPartition) error {
	if req.Acks < -1 || req.Acks > 1 {
		return kerr.InvalidRequiredAcks
	}
	cfg := part.topic.settings.Load()
	now := time.Now()
	batch, err := checkProduced(raw, req.Version, cfg, now, p)
	if err != nil {
		return err
	}
	part.mu.Lock()
	defer part.mu.Unlock()
	if err := part.checkLeaderLocked(r.node.id, -1); err != nil {
		return err
	}
	if req.Acks == -1 && len(part.isr) < cfg.MinISR {
		return codef(kerr.NotEnoughReplicas, "The size of the current ISR %v is insufficient to satisfy the min.isr requirement of %d for partition %s-%d",
			part.isr, cfg.MinISR, part.topic.name, part.index)
	}
	res, err := part.log.Append(batch, part.epoch, now.UnixMilli(),
		storage.Limits{SegmentBytes: cfg.SegmentBytes, SegmentMs: cfg.SegmentMs, AppendTime: cfg.AppendTime})
	switch {
	case errors.Is(err, storage.ErrOutOfOrderSequence):
		return codef(kerr.OutOfOrderSequenceNumber, "%v", err)
	case errors.Is(err, storage.ErrProducerEpoch):
		return codef(kerr.InvalidProducerEpoch, "%v", err)
	case err != nil:
		return err
	}
	p.BaseOffset, p.LogAppendTime, p.LogStartOffset = res.Base, res.Time, part.log.Start()
	if !res.Duplicate {
		part.notifyLocked()
	}
	return nil
}

// checkProduced applies what a broker checks before it takes the log's lock.
func checkProduced(raw []byte, version int16, cfg *settings.Topic, now time.Time, p *kmsg.ProduceResponseTopicPartition) (records.Batch, error) {
	if len(raw) == 0 {
		return nil, codef(kerr.InvalidRecord, "Produce requests with version %d must have at least one record batch per partition", version)
	}
	batch, rest, err := records.Parse(raw)
	switch {
	case errors.Is(err, records.ErrMagic):
		return nil, codef(kerr.InvalidRecord, "Produce requests with version %d are only allowed to contain record batches with magic version 2: %v", version, err)
	case err != nil:
		return nil, codef(kerr.CorruptMessage, "%v", err)
	case len(rest) != 0:
		return nil, codef(kerr.InvalidRecord, "Produce requests with version %d are only allowed to contain exactly one record batch per partition", version)
	case batch.Codec() == records.Zstd && version < 7:
		return nil, codef(kerr.UnsupportedCompressionType, "Produce requests with version %d are not allowed to use ZStandard compression", version)
	case len(batch) > cfg.MaxMessageBytes:
		return nil, codef(kerr.MessageTooLarge, "The record batch size in the append is %d bytes which exceeds the maximum configured value of %d.", len(batch), cfg.MaxMessageBytes)
	}
	switch err := batch.Check(); {
	case errors.Is(err, records.ErrCorrupt):
		return nil, codef(kerr.CorruptMessage, "%v", err)
	case err != nil:
		return nil, codef(kerr.InvalidRecord, "%v", err)
	case batch.Transactional():
		return nil, codef(kerr.InvalidTxnState, "this broker does not serve transactions yet")
	}
	if !cfg.AppendTime {
		if ahead := time.Duration(batch.MaxTimestamp()-now.UnixMilli()) * time.Millisecond; ahead > cfg.After {
			return nil, codef(kerr.InvalidTimestamp, "Timestamp %d of message with offset 0 is out of range: %v ahead, at most %v", batch.MaxTimestamp(), ahead, cfg.After)
		}
	}
	if cfg.Compact {
		return batch, requireKeys(batch, p)
	}
	return batch, nil
}

// requireKeys refuses a batch for a compacted topic that holds a record without a key, and says which (KIP-467).
func requireKeys(b records.Batch, p *kmsg.ProduceResponseTopicPartition) error {
	i := int32(0)
	for rec, err := range b.Records() {
		if err != nil {
			return codef(kerr.InvalidRecord, "%v", err)
		}
		if rec.Key == nil {
			e := kmsg.NewProduceResponseTopicPartitionErrorRecord()
			e.RelativeOffset = i
			e.ErrorMessage = kmsg.StringPtr("Compacted topic cannot accept message without key")
			p.ErrorRecords = append(p.ErrorRecords, e)
		}
		i++
	}
	if len(p.ErrorRecords) > 0 {
		return codef(kerr.InvalidRecord, "One or more records have been rejected due to %d record errors in total, and only showing the first three errors at most.", len(p.ErrorRecords))
	}
	return nil
}

// hintLeader tells a client that came to the wrong broker where the leader is (KIP-951).
func (r *request) hintLeader(part *partition, id, epoch *int32, endpoint func(*node)) {
	if part == nil {
		return
	}
	l := part.leadership()
	*id, *epoch = l.leader, l.epoch
	if n := r.node.cluster.node(l.leader); n != nil {
		endpoint(n)
	}
}

// appendNode adds a broker's endpoint, once.
func appendNode(bs []kmsg.ProduceResponseBroker, n *node) []kmsg.ProduceResponseBroker {
	for i := range bs {
		if bs[i].NodeID == n.id {
			return bs
		}
	}
	b := kmsg.NewProduceResponseBroker()
	b.NodeID, b.Host, b.Port = n.id, n.host, n.port
	return append(bs, b)
}
