package broker

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sordini-go/sordini/broker/internal/storage"
	"github.com/sordini-go/sordini/broker/internal/txns"
)

// markerRetry is how long a coordinator waits before it sends a marker again that was not acknowledged.
const markerRetry = 100 * time.Millisecond

// markerTimeout is how long a marker that was asked for may take to reach the replicas (request.timeout.ms).
const markerTimeout = 30 * time.Second

// writeMarkers has the markers of a transaction written, each by a goroutine of its own: a partition without a leader holds up its own marker only.
func (c *Cluster) writeMarkers(e txns.Ending) {
	for _, p := range e.Partitions {
		c.wg.Go(func() {
			m := &marking{cluster: c, ending: e, partition: p, wake: newWaiter()}
			if m.run() {
				c.txns.Written(e.TransactionalID, p)
			}
		})
	}
}

// marking is one marker on its way from the coordinator into the log of a partition, and to its replicas.
type marking struct {
	cluster   *Cluster
	ending    txns.Ending
	partition txns.Partition
	wake      *waiter

	written bool // to the leader's log, at this offset and in this epoch
	offset  int64
	epoch   int32
}

// run tries until the marker is written, however long that takes. It reports false when the cluster is closed first.
func (m *marking) run() bool {
	c := m.cluster
	if part := c.partition(m.partition.Topic, m.partition.Partition); part != nil {
		part.addWaiter(m.wake)
		defer part.removeWaiter(m.wake)
	}
	for {
		moved := c.coordinatorChange()
		done, retry := m.try()
		if done {
			return true
		}
		wake := m.wake.changed
		var again <-chan time.Time
		if retry {
			t := time.NewTimer(markerRetry)
			defer t.Stop()
			wake, moved, again = nil, nil, t.C
		}
		select {
		case <-wake:
		case <-moved:
		case <-again:
		case <-c.done:
			return false
		}
	}
}

// try sends the marker if coordinator and leader run, and reports whether the partition has it now, or is to be asked again after a while.
func (m *marking) try() (done, retry bool) {
	c := m.cluster
	coordinator := c.txnTerm(m.ending.TransactionalID)
	if n := c.node(coordinator.broker); n == nil || n.condition() != "running" {
		return false, false
	}
	var leader *node
	part := c.partition(m.partition.Topic, m.partition.Partition)
	switch {
	case m.partition.Topic == offsetsTopic:
		leader = c.node(c.offsetsLeader(m.partition.Partition))
	case part == nil:
		return true, false // deleted
	default:
		leader = c.node(part.leadership().leader)
	}
	if leader == nil || leader.condition() != "running" {
		return false, false
	}
	if !c.store.settle(c.done) { // that the transaction ends
		return false, true
	}
	r := m.request(leader, coordinator.epoch)
	r.meet()
	if !r.suffer() {
		return false, false
	}
	if r.dropped() {
		return false, true
	}
	if r.fault(m.partition.Topic, m.partition.Partition) != nil {
		return false, true
	}
	if m.partition.Topic == offsetsTopic {
		p := &m.ending.Producer
		c.endOffsets(m.partition.Partition, storage.Marker{Producer: p.ID, Epoch: p.Epoch, Coordinator: coordinator.epoch, Commit: m.ending.Commit,
			Bumped: m.ending.Bumped})
		if !c.store.settle(c.done) {
			return false, true
		}
		done = true
	} else if done = m.written && m.replicated(part); !done {
		err := m.append(part, leader, coordinator.epoch)
		switch {
		case errors.Is(err, storage.ErrProducerEpoch), errors.Is(err, storage.ErrCoordinatorFenced):
			c.log.Info("marker refused", "topic", m.partition.Topic, "partition", m.partition.Partition, "error", err)
			done = true
		default:
			done = m.written && m.replicated(part)
		}
	}
	if r.spoil().end {
		r.spoiled()
		m.written = false // the coordinator does not know
		return false, true
	}
	return done, false
}

// request is what the coordinator sends, so that faults find it.
func (m *marking) request(leader *node, epoch int32) *request {
	req := kmsg.NewPtrWriteTxnMarkersRequest()
	mk := kmsg.NewWriteTxnMarkersRequestMarker()
	mk.ProducerID, mk.ProducerEpoch, mk.Committed, mk.CoordinatorEpoch = m.ending.Producer.ID, m.ending.Producer.Epoch, m.ending.Commit, epoch
	mk.Topics = []kmsg.WriteTxnMarkersRequestMarkerTopic{{Topic: m.partition.Topic, Partitions: []int32{m.partition.Partition}}}
	req.Markers = append(req.Markers, mk)
	return &request{header: header{key: int16(kmsg.WriteTxnMarkers)}, node: leader, conn: &conn{node: leader, done: m.cluster.done}, msg: req}
}

// append writes the marker to the leader's log, once an epoch.
func (m *marking) append(part *partition, leader *node, coordinatorEpoch int32) error {
	part.mu.Lock()
	defer part.mu.Unlock()
	if part.deleted || part.leader != leader.id || m.written && part.log.End() > m.offset && part.log.EpochAt(m.offset) == m.epoch {
		return nil // it is on its way to the replicas
	}
	p := &m.ending.Producer
	res, err := part.markLocked(storage.Marker{Producer: p.ID, Epoch: p.Epoch, Coordinator: coordinatorEpoch, Commit: m.ending.Commit, Bumped: m.ending.Bumped},
		leader.now())
	if err == nil {
		m.written, m.offset, m.epoch = true, res.Base, part.epoch
	}
	return err
}

// replicated says whether no change of leaders can take the marker back.
func (m *marking) replicated(part *partition) bool {
	part.mu.Lock()
	defer part.mu.Unlock()
	return part.deleted || part.highWatermarkLocked() > m.offset && part.log.EpochAt(m.offset) == m.epoch
}

// markLocked appends a marker, which has to reach as many replicas as min.insync.replicas asks for.
func (p *partition) markLocked(m storage.Marker, now time.Time) (storage.Appended, error) {
	if len(p.isr) < p.minISRLocked() {
		return storage.Appended{}, kerr.NotEnoughReplicas
	}
	res, err := p.log.AppendMarker(m, p.epoch, now.UnixMilli(), limits(p.topic.settings.Load()))
	if err != nil {
		return res, err
	}
	p.appendedLocked(-1)
	p.retentionDueLocked(now.UnixMilli(), now.UnixMilli(), true)
	return res, nil
}

// endOffsets does what a marker in a partition of the offsets topic does.
func (c *Cluster) endOffsets(partition int32, m storage.Marker) {
	c.txnOffsets.Lock()
	defer c.txnOffsets.Unlock()
	c.groups.EndTxns(func(group string) bool { return c.offsetsPartition(group) == partition }, m.Producer, m.Commit)
	c.writeOwnMarker(partition, m)
}

// handleWriteTxnMarkers is how coordinators end transactions, and how kafka-transactions aborts one that hangs (KIP-664).
func handleWriteTxnMarkers(r *request) answer {
	req := r.msg.(*kmsg.WriteTxnMarkersRequest)
	resp := req.ResponseKind().(*kmsg.WriteTxnMarkersResponse)
	allowed := r.allowsCluster(kmsg.ACLOperationClusterAction) || r.allowsCluster(kmsg.ACLOperationAlter)
	var unacknowledged []pending
	var answers []*int16 // where the answer to each stands
	for i := range req.Markers {
		q := &req.Markers[i]
		out := kmsg.NewWriteTxnMarkersResponseMarker()
		out.ProducerID = q.ProducerID
		for _, t := range q.Topics {
			topic := kmsg.NewWriteTxnMarkersResponseMarkerTopic()
			topic.Topic = t.Topic
			topic.Partitions = make([]kmsg.WriteTxnMarkersResponseMarkerTopicPartition, len(t.Partitions))
			for j, index := range t.Partitions {
				p := &topic.Partitions[j]
				p.Partition = index
				var a *pending
				err := error(kerr.ClusterAuthorizationFailed)
				if allowed {
					a, err = r.mark(q, t.Topic, index)
				}
				p.ErrorCode, _ = codeOf(err)
				if a != nil {
					unacknowledged, answers = append(unacknowledged, *a), append(answers, &p.ErrorCode)
				}
			}
			out.Topics = append(out.Topics, topic)
		}
		resp.Markers = append(resp.Markers, out)
	}
	results := make([]*kmsg.ProduceResponseTopicPartition, len(unacknowledged))
	for i, a := range unacknowledged {
		results[i] = a.p
	}
	if !r.awaitAcknowledged(unacknowledged, markerTimeout) {
		return answer{close: true}
	}
	for i, p := range results {
		*answers[i] = p.ErrorCode
	}
	return answer{resp: resp}
}

// mark writes one marker that was asked for. What it returns has still to be acknowledged by the replicas.
func (r *request) mark(q *kmsg.WriteTxnMarkersRequestMarker, topic string, index int32) (*pending, error) {
	c := r.node.cluster
	if err := r.fault(topic, index); err != nil {
		return nil, err
	}
	if topic == offsetsTopic && c.exists(txns.Partition{Topic: topic, Partition: index}) {
		if c.offsetsLeader(index) != r.node.id {
			return nil, kerr.NotLeaderForPartition
		}
		c.endOffsets(index, storage.Marker{Producer: q.ProducerID, Epoch: q.ProducerEpoch, Coordinator: q.CoordinatorEpoch, Commit: q.Committed,
			Bumped: q.TransactionVersion >= 2})
		return nil, nil
	}
	part := c.partition(topic, index)
	switch {
	case part == nil:
		return nil, kerr.UnknownTopicOrPartition
	case q.ProducerEpoch < 0:
		return nil, because(kerr.UnknownServerError, fmt.Errorf("marker with the producer epoch %d", q.ProducerEpoch))
	}
	part.mu.Lock()
	defer part.mu.Unlock()
	if !slices.Contains(part.replicas, r.node.id) {
		return nil, kerr.UnknownTopicOrPartition
	}
	if err := part.checkLeaderLocked(r.node.id, -1); err != nil {
		return nil, err
	}
	res, err := part.markLocked(storage.Marker{Producer: q.ProducerID, Epoch: q.ProducerEpoch, Coordinator: q.CoordinatorEpoch, Commit: q.Committed,
		Bumped: q.TransactionVersion >= 2}, r.node.now())
	if err != nil {
		return nil, producerError(err)
	}
	return &pending{part: part, epoch: part.epoch, end: res.Base + 1, p: &kmsg.ProduceResponseTopicPartition{}}, nil
}

// producerError gives what a log says of a producer the code that Kafka has for it.
func producerError(err error) error {
	for ours, code := range map[error]*kerr.Error{
		storage.ErrOutOfOrderSequence: kerr.OutOfOrderSequenceNumber,
		storage.ErrProducerEpoch:      kerr.InvalidProducerEpoch,
		storage.ErrTxnState:           kerr.InvalidTxnState,
		storage.ErrCoordinatorFenced:  kerr.TransactionCoordinatorFenced,
		storage.ErrStorage:            kerr.KafkaStorageError,
	} {
		if errors.Is(err, ours) {
			return because(code, err)
		}
	}
	return err
}
