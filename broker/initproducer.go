package broker

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sordini-go/sordini/broker/internal/txns"
)

// handleInitProducerID gives a producer its id and epoch. Without a transactional id that is always a new one, whatever the producer had (KIP-360).
func handleInitProducerID(r *request) answer {
	req := r.msg.(*kmsg.InitProducerIDRequest)
	resp := req.ResponseKind().(*kmsg.InitProducerIDResponse)
	p, err := r.initProducer(req)
	resp.ProducerID, resp.ProducerEpoch = p.ID, p.Epoch
	resp.ErrorCode = fencedBefore(4, req.Version, err)
	return answer{resp: resp}
}

func (r *request) initProducer(req *kmsg.InitProducerIDRequest) (txns.Producer, *kerr.Error) {
	none := txns.Producer{ID: txns.NoProducer, Epoch: txns.NoEpoch}
	switch {
	case req.TransactionalID == nil && !r.allowsIdempotence():
		return none, kerr.ClusterAuthorizationFailed
	case req.TransactionalID != nil && !r.allowsTxn(kmsg.ACLOperationWrite, *req.TransactionalID):
		return none, kerr.TransactionalIDAuthorizationFailed
	case (req.ProducerID == txns.NoProducer) != (req.ProducerEpoch == txns.NoEpoch):
		return none, kerr.InvalidRequest
	case req.TransactionalID == nil:
		return txns.Producer{ID: r.node.cluster.newProducerID()}, nil
	}
	if err := r.refuseTxn(*req.TransactionalID); err != nil {
		return none, err
	}
	r.node.cluster.provideInternal(transactionsTopic)
	var was *txns.Producer
	if req.ProducerID != txns.NoProducer {
		was = &txns.Producer{ID: req.ProducerID, Epoch: req.ProducerEpoch}
	}
	return r.node.cluster.txns.Init(*req.TransactionalID, req.TransactionTimeoutMillis, was)
}
