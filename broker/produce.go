package broker

import (
	"errors"
	"fmt"
	"math"
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
	var unacknowledged []pending
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
				var acked pending
				if acked, err = r.produce(part, req, q.Partitions[j].Records, p); acked.part != nil {
					unacknowledged = append(unacknowledged, acked)
				}
			}
			p.ErrorCode, p.ErrorMessage = codeOf(err)
			if err != nil {
				failed = true
				r.node.cluster.log.Info("produce refused", "broker", r.node.id, "client", r.client, "topic", q.Topic, "partition", p.Partition, "error", err)
			}
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
	if !r.awaitAcknowledged(unacknowledged, time.Duration(req.TimeoutMillis)*time.Millisecond) {
		return answer{close: true}
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
		case !r.allowsPartitionsOf(t.name):
			return nil, kerr.TopicAuthorizationFailed
		case p == nil:
			return nil, kerr.UnknownTopicOrPartition
		}
		return p, nil
	}
	if !r.allowsPartitionsOf(name) {
		return nil, kerr.TopicAuthorizationFailed
	}
	if p := c.partition(name, index); p != nil {
		return p, nil
	}
	return nil, kerr.UnknownTopicOrPartition
}

// produce checks and appends one partition's records. It returns what is still to be acknowledged by in-sync replicas, if anything.
func (r *request) produce(part *partition, req *kmsg.ProduceRequest, raw []byte, p *kmsg.ProduceResponseTopicPartition) (pending, error) {
	if req.Acks < -1 || req.Acks > 1 {
		return pending{}, kerr.InvalidRequiredAcks
	}
	cfg := part.topic.settings.Load()
	now := r.node.now()
	batch, err := checkFrame(raw, req, cfg)
	if err != nil {
		return pending{}, err
	}
	refused := checkRecords(batch, cfg, now, p)
	var verified *storage.Verification
	if batch.Transactional() {
		if err := part.checkLeader(r.node.id); err != nil {
			return pending{}, err
		}
		if verified, err = r.verify(part, supportOf(req.Version, 12), *req.TransactionID, batch); err != nil {
			return pending{}, err
		}
	}
	part.mu.Lock()
	defer part.mu.Unlock()
	if err := part.checkLeaderLocked(r.node.id, -1); err != nil {
		return pending{}, err
	}
	if req.Acks == -1 && len(part.isr) < part.minISRLocked() {
		return pending{}, because(kerr.NotEnoughReplicas, fmt.Errorf("in sync are %v, min.insync.replicas is %d", part.isr, cfg.MinISR))
	}
	p.LogStartOffset = part.log.Start()
	if refused != nil {
		return pending{}, refused
	}
	res, err := part.log.AppendVerified(batch, verified, part.epoch, now.UnixMilli(), limits(cfg))
	if err != nil {
		return pending{}, producerError(err)
	}
	p.BaseOffset, p.LogAppendTime = res.Base, res.Time
	if !res.Duplicate {
		part.appendedLocked(req.Acks)
		part.retentionDueLocked(now.UnixMilli(), batch.MaxTimestamp(), batch.ProducerID() != records.NoProducer)
	}
	if end := res.Base + int64(batch.LastOffsetDelta()) + 1; req.Acks == -1 {
		if done, err := part.acknowledgedLocked(r.node.id, part.epoch, end); !done || err != nil {
			return pending{part: part, epoch: part.epoch, end: end, p: p}, nil
		}
	}
	return pending{}, nil
}

// checkFrame checks what Kafka checks before it looks at the log: that there is one whole batch of a size that the topic takes.
func checkFrame(raw []byte, req *kmsg.ProduceRequest, cfg *settings.Topic) (records.Batch, error) {
	batch, rest, err := records.Parse(raw)
	switch {
	case errors.Is(err, records.ErrCorrupt):
		return nil, codef(kerr.CorruptMessage, "%v", err)
	case err != nil:
		return nil, because(kerr.InvalidRecord, err)
	case batch.Codec() == records.Zstd && req.Version < 7:
		return nil, because(kerr.UnsupportedCompressionType, fmt.Errorf("zstd in version %d", req.Version))
	}
	if _, _, err := records.Parse(rest); err == nil { // an end that is cut off is ignored
		return nil, because(kerr.InvalidRecord, errors.New("more than one batch"))
	}
	switch {
	case batch.Transactional() && req.TransactionID == nil:
		return nil, because(kerr.TransactionalIDAuthorizationFailed, errors.New("a transaction without a transactional id"))
	case batch.BaseOffset() != 0:
		return batch, nil // found by checkRecords
	case len(batch) > cfg.MaxMessageBytes:
		return nil, because(kerr.MessageTooLarge, fmt.Errorf("batch of %d bytes, max.message.bytes is %d", len(batch), cfg.MaxMessageBytes))
	}
	if err := batch.CheckSum(); err != nil {
		return nil, because(kerr.CorruptMessage, err)
	}
	return batch, nil
}

// checkRecords checks what Kafka checks as part of appending.
func checkRecords(batch records.Batch, cfg *settings.Topic, now time.Time, p *kmsg.ProduceResponseTopicPartition) error {
	if batch.BaseOffset() != 0 {
		return because(kerr.InvalidRecord, fmt.Errorf("base offset %d of a producer's batch", batch.BaseOffset()))
	}
	if batch.Codec() > records.Zstd {
		return because(kerr.UnknownServerError, fmt.Errorf("compression type %d", batch.Codec()))
	}
	if err := batch.Check(); err != nil {
		return because(kerr.InvalidRecord, err)
	}
	if cfg.Compact {
		if err := requireKeys(batch, p); err != nil {
			return err
		}
	}
	if cfg.AppendTime {
		return nil
	}
	return checkTimestamps(batch, cfg, now, p)
}

// checkTimestamps refuses a batch that holds records from too far in the past or in the future (KIP-937). Its header is enough to see that there is
// none; which they are is looked for only when there is one.
func checkTimestamps(batch records.Batch, cfg *settings.Topic, now time.Time, p *kmsg.ProduceResponseTopicPartition) error {
	from, to := int64(math.MinInt64), int64(math.MaxInt64)
	if cfg.Before < math.MaxInt64 {
		from = now.Add(-cfg.Before).UnixMilli()
	}
	if cfg.After < math.MaxInt64 {
		to = now.Add(cfg.After).UnixMilli()
	}
	if batch.MaxTimestamp() <= to && from == math.MinInt64 {
		return nil
	}
	i := int32(0)
	for rec, err := range batch.Records() {
		if err != nil {
			return because(kerr.InvalidRecord, err)
		}
		if rec.Timestamp != -1 && (rec.Timestamp < from || rec.Timestamp > to) {
			p.ErrorRecords = append(p.ErrorRecords, errorRecord(i,
				"Timestamp %d of message with offset %d is out of range. The timestamp should be within [%d, %d]", rec.Timestamp, i, from, to))
		}
		i++
	}
	if len(p.ErrorRecords) > 0 {
		return codef(kerr.InvalidTimestamp, "One or more records have been rejected due to invalid timestamp")
	}
	return nil
}

func errorRecord(i int32, format string, args ...any) kmsg.ProduceResponseTopicPartitionErrorRecord {
	e := kmsg.NewProduceResponseTopicPartitionErrorRecord()
	e.RelativeOffset = i
	e.ErrorMessage = kmsg.StringPtr(fmt.Sprintf(format, args...))
	return e
}

// requireKeys refuses a batch for a compacted topic that holds a record without a key, and says which (KIP-467).
func requireKeys(b records.Batch, p *kmsg.ProduceResponseTopicPartition) error {
	i := int32(0)
	for rec, err := range b.Records() {
		if err != nil {
			return codef(kerr.InvalidRecord, "%v", err)
		}
		if rec.Key == nil {
			p.ErrorRecords = append(p.ErrorRecords, errorRecord(i, "Compacted topic cannot accept message without key"))
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
