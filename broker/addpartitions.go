package broker

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sordini-go/sordini/broker/internal/txns"
)

// offsetsPartition is the partition of the offsets topic that a group's offsets are in.
func (c *Cluster) offsetsPartition(group string) int32 {
	return javaHash(group) % int32(c.property().Int("offsets.topic.num.partitions"))
}

// exists says whether a partition exists that a transaction may have.
func (c *Cluster) exists(p txns.Partition) bool {
	if p.Topic == offsetsTopic {
		return p.Partition >= 0 && p.Partition < int32(c.property().Int("offsets.topic.num.partitions"))
	}
	return c.partition(p.Topic, p.Partition) != nil
}

// handleAddPartitionsToTxn announces what a client of the older kind will write to; from version 4 on it is brokers that ask, and several
// transactions at a time (KIP-890).
func handleAddPartitionsToTxn(r *request) answer {
	req := r.msg.(*kmsg.AddPartitionsToTxnRequest)
	resp := req.ResponseKind().(*kmsg.AddPartitionsToTxnResponse)
	if req.Version < 4 {
		topics := make([]kmsg.AddPartitionsToTxnRequestTransactionTopic, len(req.Topics))
		for i, t := range req.Topics {
			topics[i].Topic, topics[i].Partitions = t.Topic, t.Partitions
		}
		for _, t := range r.addPartitions(req.TransactionalID, txns.Producer{ID: req.ProducerID, Epoch: req.ProducerEpoch}, topics, false) {
			out := kmsg.NewAddPartitionsToTxnResponseTopic()
			out.Topic = t.Topic
			for _, p := range t.Partitions {
				out.Partitions = append(out.Partitions, kmsg.AddPartitionsToTxnResponseTopicPartition{Partition: p.Partition, ErrorCode: p.ErrorCode})
			}
			resp.Topics = append(resp.Topics, out)
		}
		return answer{resp: resp}
	}
	if !r.allowsCluster(kmsg.ACLOperationClusterAction) {
		resp.ErrorCode = kerr.ClusterAuthorizationFailed.Code
		return answer{resp: resp}
	}
	for i := range req.Transactions {
		q := &req.Transactions[i]
		t := kmsg.NewAddPartitionsToTxnResponseTransaction()
		t.TransactionalID = q.TransactionalID
		t.Topics = r.addPartitions(q.TransactionalID, txns.Producer{ID: q.ProducerID, Epoch: q.ProducerEpoch}, q.Topics, q.VerifyOnly)
		resp.Transactions = append(resp.Transactions, t)
	}
	return answer{resp: resp}
}

type (
	addedTopic     = kmsg.AddPartitionsToTxnResponseTransactionTopic
	addedPartition = kmsg.AddPartitionsToTxnResponseTransactionTopicPartition
)

// addPartitions adds what one transaction is to have, or says what of it the transaction has.
func (r *request) addPartitions(id string, producer txns.Producer, topics []kmsg.AddPartitionsToTxnRequestTransactionTopic, verify bool) []addedTopic {
	c := r.node.cluster
	var all *kerr.Error
	switch {
	case r.msg.GetVersion() < 4:
		all = r.refuseTxn(id)
	case id != "" && r.node.cluster.ofTxn(id) != r.node.id: // brokers may ask about every id
		all = kerr.NotCoordinator
	}
	failed := make(map[txns.Partition]*kerr.Error)
	var parts []txns.Partition
	for _, t := range topics {
		for _, index := range t.Partitions {
			p := txns.Partition{Topic: t.Topic, Partition: index}
			parts = append(parts, p)
			switch {
			case all != nil:
			case r.msg.GetVersion() < 4 && (p.Topic == offsetsTopic || !r.allowsTopic(kmsg.ACLOperationWrite, p.Topic)):
				failed[p] = kerr.TopicAuthorizationFailed
			case r.fault(p.Topic, p.Partition) != nil:
				code, _ := codeOf(r.fault(p.Topic, p.Partition))
				failed[p] = &kerr.Error{Message: "INJECTED", Code: code}
			case !c.exists(p):
				failed[p] = kerr.UnknownTopicOrPartition
			}
		}
	}
	switch {
	case all != nil:
	case len(failed) > 0: // nothing is added then
		all = kerr.OperationNotAttempted
	case verify:
		for _, p := range parts {
			failed[p] = c.txns.Verify(id, producer, p)
		}
	default:
		all = c.txns.Add(id, producer, parts)
	}
	var out []addedTopic
	for _, t := range topics {
		at := addedTopic{Topic: t.Topic}
		for _, index := range t.Partitions {
			err, one := failed[txns.Partition{Topic: t.Topic, Partition: index}]
			if !one {
				err = all
			}
			at.Partitions = append(at.Partitions, addedPartition{Partition: index, ErrorCode: fencedBefore(2, r.msg.GetVersion(), err)})
		}
		out = append(out, at)
	}
	return out
}

// handleAddOffsetsToTxn announces that a client of the older kind will commit a group's offsets in its transaction.
func handleAddOffsetsToTxn(r *request) answer {
	req := r.msg.(*kmsg.AddOffsetsToTxnRequest)
	resp := req.ResponseKind().(*kmsg.AddOffsetsToTxnResponse)
	c := r.node.cluster
	err := r.refuseTxn(req.TransactionalID)
	if err == nil && !r.allowsGroup(kmsg.ACLOperationRead, req.Group) {
		err = kerr.GroupAuthorizationFailed
	}
	if err == nil {
		err = c.txns.Add(req.TransactionalID, txns.Producer{ID: req.ProducerID, Epoch: req.ProducerEpoch},
			[]txns.Partition{{Topic: offsetsTopic, Partition: c.offsetsPartition(req.Group)}})
	}
	resp.ErrorCode = fencedBefore(2, req.Version, err)
	return answer{resp: resp}
}
