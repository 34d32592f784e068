package broker

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sordini-go/sordini/broker/internal/txns"
)

// handleTxnOffsetCommit commits offsets as part of a transaction (KIP-447).
func handleTxnOffsetCommit(r *request) answer {
	req := r.msg.(*kmsg.TxnOffsetCommitRequest)
	c := r.node.cluster
	switch {
	case !r.allowsTxn(kmsg.ACLOperationWrite, req.TransactionalID):
		return answer{resp: failTxnCommit(req, kerr.TransactionalIDAuthorizationFailed.Code)}
	case !r.allowsGroup(kmsg.ACLOperationRead, req.Group):
		return answer{resp: failTxnCommit(req, kerr.GroupAuthorizationFailed.Code)}
	}
	if req.Group == "" {
		return answer{resp: failTxnCommit(req, kerr.InvalidGroupID.Code)}
	}
	failed := r.denyTxnCommits(req)
	if len(req.Topics) == 0 {
		resp := req.ResponseKind().(*kmsg.TxnOffsetCommitResponse)
		resp.Topics = failed
		return answer{resp: resp}
	}
	if !r.coordinates(req.Group) {
		return answer{resp: mergeTxnCommits(failTxnCommit(req, kerr.NotCoordinator.Code), failed)}
	}
	support := supportOf(req.Version, 5)
	producer := txns.Producer{ID: req.ProducerID, Epoch: req.ProducerEpoch}
	part := txns.Partition{Topic: offsetsTopic, Partition: c.offsetsPartition(req.Group)}
	var resp *kmsg.TxnOffsetCommitResponse
	err := r.patiently(support, req.TransactionalID, func() *kerr.Error {
		c.txnOffsets.RLock() // no marker comes in between
		defer c.txnOffsets.RUnlock()
		if support == adds || c.property().Bool("transaction.partition.verification.enable") {
			if err := r.askCoordinator(support, req.TransactionalID, producer, part); err != nil {
				return err
			}
		}
		resp = (<-r.ask(req)).(*kmsg.TxnOffsetCommitResponse)
		return nil
	})
	if err != nil {
		resp = failTxnCommit(req, err.Code)
	}
	return answer{resp: mergeTxnCommits(resp, failed)}
}

// denyTxnCommits takes what the client may not commit, and what a fault fails, out of the request, and answers it.
func (r *request) denyTxnCommits(req *kmsg.TxnOffsetCommitRequest) []kmsg.TxnOffsetCommitResponseTopic {
	var failed []kmsg.TxnOffsetCommitResponseTopic
	kept := req.Topics[:0]
	for _, q := range req.Topics {
		allowed := r.allowsTopic(kmsg.ACLOperationRead, q.Topic)
		out, rest := kmsg.TxnOffsetCommitResponseTopic{Topic: q.Topic}, q.Partitions[:0]
		for _, p := range q.Partitions {
			err := r.fault(q.Topic, p.Partition)
			if !allowed {
				err = kerr.TopicAuthorizationFailed
			}
			if err == nil {
				rest = append(rest, p)
				continue
			}
			code, _ := codeOf(err)
			out.Partitions = append(out.Partitions, kmsg.TxnOffsetCommitResponseTopicPartition{Partition: p.Partition, ErrorCode: code})
		}
		if q.Partitions = rest; len(rest) > 0 {
			kept = append(kept, q)
		}
		if len(out.Partitions) > 0 {
			failed = append(failed, out)
		}
	}
	req.Topics = kept
	return failed
}

// failTxnCommit answers every partition of a request with an error.
func failTxnCommit(req *kmsg.TxnOffsetCommitRequest, code int16) *kmsg.TxnOffsetCommitResponse {
	resp := req.ResponseKind().(*kmsg.TxnOffsetCommitResponse)
	for _, q := range req.Topics {
		t := kmsg.TxnOffsetCommitResponseTopic{Topic: q.Topic}
		for _, p := range q.Partitions {
			t.Partitions = append(t.Partitions, kmsg.TxnOffsetCommitResponseTopicPartition{Partition: p.Partition, ErrorCode: code})
		}
		resp.Topics = append(resp.Topics, t)
	}
	return resp
}

// mergeTxnCommits puts the answers to a topic's partitions beside one another.
func mergeTxnCommits(resp *kmsg.TxnOffsetCommitResponse, failed []kmsg.TxnOffsetCommitResponseTopic) *kmsg.TxnOffsetCommitResponse {
next:
	for _, f := range failed {
		for i := range resp.Topics {
			if resp.Topics[i].Topic == f.Topic {
				resp.Topics[i].Partitions = append(resp.Topics[i].Partitions, f.Partitions...)
				continue next
			}
		}
		resp.Topics = append(resp.Topics, f)
	}
	return resp
}
