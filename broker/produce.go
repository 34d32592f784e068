package broker

import (
	"errors"
	"fmt"
	"math"
	"strings"
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
	failed, denied := false, r.deniesTransaction(req)
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
			if denied {
				err = kerr.TransactionalIDAuthorizationFailed
			}
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
			if req.Version >= 10 && p.ErrorCode == kerr.NotLeaderForPartition.Code { // the first version with hints
				r.hintLeader(part, &p.CurrentLeader.LeaderID, &p.CurrentLeader.LeaderEpoch, func(n *node) {
					resp.Brokers = r.appendNode(resp.Brokers, n)
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
	if part.topic.internal() && r.client != adminClient {
		return pending{}, codef(kerr.InvalidTopicException, "Cannot append to internal topic %s", part.topic.name)
	}
	cfg := part.topic.settings.Load()
	now := r.node.now()
	batch, err := checkFrame(raw, req)
	if err != nil {
		return pending{}, err
	}
	refused := checkWhole(batch, cfg)
	if refused == nil {
		var checked records.Batch
		if checked, refused = checkRecords(part, batch, cfg, now, p); refused == nil {
			batch = checked
		}
	}
	var verified *storage.Verification
	if batch.Transactional() {
		if err := part.checkLeader(r.node.id); err != nil {
			return pending{}, err
		}
		if verified, err = r.verify(part, supportOf(req.Version, 12), *req.TransactionID, batch); err != nil {
			return pending{}, err
		}
	}
	if !r.node.disk.hasRoom(len(batch)) {
		if err := part.checkLeader(r.node.id); err != nil {
			return pending{}, err
		}
		if err := r.node.reserve(len(batch)); err != nil {
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
		if errors.Is(refused, kerr.MessageTooLarge) || errors.Is(refused, kerr.RecordListTooLarge) || errors.Is(refused, kerr.CorruptMessage) {
			p.LogStartOffset = -1 // Kafka says it with those codes that are about single records
		}
		return pending{}, refused
	}
	res, err := part.log.AppendVerified(batch, verified, part.epoch, now.UnixMilli(), limits(cfg))
	if err != nil {
		return pending{}, producerError(err)
	}
	p.BaseOffset, p.LogAppendTime = res.Base, res.Time
	if !res.Duplicate {
		r.node.disk.used.Add(int64(len(batch)))
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

// checkFrame checks what Kafka checks before it looks at the log: that there is one whole batch.
func checkFrame(raw []byte, req *kmsg.ProduceRequest) (records.Batch, error) {
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
	if batch.Transactional() && req.TransactionID == nil {
		return nil, because(kerr.TransactionalIDAuthorizationFailed, errors.New("a transaction without a transactional id"))
	}
	return batch, nil
}

// checkWhole checks what Kafka checks of a batch as a whole when it is to be appended: after its transaction and its partition's replicas.
func checkWhole(batch records.Batch, cfg *settings.Topic) error {
	switch {
	case batch.BaseOffset() != 0: // found by checkRecords
		return nil
	case len(batch) > cfg.MaxMessageBytes:
		return because(kerr.MessageTooLarge, fmt.Errorf("batch of %d bytes, max.message.bytes is %d", len(batch), cfg.MaxMessageBytes))
	}
	if err := batch.CheckSum(); err != nil {
		return because(kerr.CorruptMessage, err)
	}
	return nil
}

// checkRecords checks what Kafka checks as part of appending, and returns the batch as it is to be appended.
func checkRecords(part *partition, batch records.Batch, cfg *settings.Topic, now time.Time, p *kmsg.ProduceResponseTopicPartition) (records.Batch, error) {
	if batch.BaseOffset() != 0 {
		return nil, because(kerr.InvalidRecord, fmt.Errorf("base offset %d of a producer's batch", batch.BaseOffset()))
	}
	if batch.Codec() > records.Zstd {
		return nil, because(kerr.UnknownServerError, fmt.Errorf("compression type %d", batch.Codec()))
	}
	rules := rulesOf(cfg, now)
	found, err := batch.Check(rules)
	switch {
	case errors.Is(err, records.ErrDecompress):
		return nil, because(kerr.UnknownServerError, err)
	case err != nil:
		return nil, because(kerr.InvalidRecord, err)
	}
	if err := refuse(part, found.Refused, rules, p); err != nil {
		return nil, err
	}
	target, named := records.ParseCodec(cfg.Compression)
	if !named {
		target = batch.Codec()
	}
	switch {
	case target != batch.Codec():
		if batch, err = batch.Compressed(target, cfg.Level); err != nil {
			return nil, because(kerr.InvalidRecord, err)
		}
		if len(batch) > cfg.MaxMessageBytes {
			return nil, because(kerr.MessageTooLarge, fmt.Errorf("batch of %d bytes as %s, max.message.bytes is %d", len(batch), target, cfg.MaxMessageBytes))
		}
	case found.OutOfOrder && target != records.None:
		// Kafka means to number the records anew, and fails because it has passed over their contents.
		return nil, because(kerr.UnknownServerError, errors.New("the records of a compressed batch are not numbered from 0 on"))
	}
	if int64(len(batch)) > cfg.SegmentBytes {
		return nil, because(kerr.RecordListTooLarge, fmt.Errorf("batch of %d bytes, segment.bytes is %d", len(batch), cfg.SegmentBytes))
	}
	return batch, nil
}

// rulesOf says which records a topic takes: with keys where it is compacted, and from not too far in the past or in the future (KIP-937).
func rulesOf(cfg *settings.Topic, now time.Time) records.Rules {
	rules := records.Anything
	rules.Keys = cfg.Compact
	if cfg.AppendTime {
		return rules
	}
	rules.Oldest = now.UnixMilli() - math.MaxInt64 // what Kafka names as the bound where there is none
	if cfg.Before < math.MaxInt64 {
		rules.Oldest = now.Add(-cfg.Before).UnixMilli()
	}
	if cfg.After < math.MaxInt64 {
		rules.Newest = now.Add(cfg.After).UnixMilli()
	}
	return rules
}

// refuse says which records break a rule of the topic (KIP-467).
func refuse(part *partition, refused []records.Refusal, rules records.Rules, p *kmsg.ProduceResponseTopicPartition) error {
	if len(refused) == 0 {
		return nil
	}
	var shown []string
	timestamp := false
	for i, r := range refused {
		e := kmsg.NewProduceResponseTopicPartitionErrorRecord()
		e.RelativeOffset = r.Index
		message := fmt.Sprintf("Compacted topic cannot accept message without key in topic partition %s-%d", part.topic.name, part.index)
		if !r.Keyless {
			timestamp = true
			message = fmt.Sprintf("Timestamp %d of message with offset %d is out of range. The timestamp should be within [%d, %d]",
				r.Timestamp, r.Index, rules.Oldest, rules.Newest)
		}
		if i < 3 {
			shown = append(shown, fmt.Sprintf("RecordError(batchIndex=%d, message='%s')", r.Index, message))
		}
		e.ErrorMessage = &message
		p.ErrorRecords = append(p.ErrorRecords, e)
	}
	if timestamp {
		return codef(kerr.InvalidTimestamp, "One or more records have been rejected due to invalid timestamp")
	}
	return codef(kerr.InvalidRecord, "One or more records have been rejected due to %d record errors in total, and only showing the first three errors at most: [%s]",
		len(refused), strings.Join(shown, ", "))
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
func (r *request) appendNode(bs []kmsg.ProduceResponseBroker, n *node) []kmsg.ProduceResponseBroker {
	for i := range bs {
		if bs[i].NodeID == n.id {
			return bs
		}
	}
	b := kmsg.NewProduceResponseBroker()
	e := r.endpoint(n)
	b.NodeID, b.Host, b.Port, b.Rack = n.id, e.host, e.port, n.rackOrNil()
	return append(bs, b)
}
