package broker

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sordini-go/sordini/broker/internal/txns"
)

// handleEndTxn commits or aborts a transaction. It is answered when the decision is made; the markers are written afterwards. From version 5 on the
// client gets a new epoch with the answer (KIP-890).
func handleEndTxn(r *request) answer {
	req := r.msg.(*kmsg.EndTxnRequest)
	resp := req.ResponseKind().(*kmsg.EndTxnResponse)
	resp.ProducerID, resp.ProducerEpoch = txns.NoProducer, txns.NoEpoch
	err := r.refuseTxn(req.TransactionalID)
	if err == nil {
		var p txns.Producer
		p, err = r.node.cluster.txns.End(req.TransactionalID, txns.Producer{ID: req.ProducerID, Epoch: req.ProducerEpoch}, req.Commit, req.Version >= 5)
		resp.ProducerID, resp.ProducerEpoch = p.ID, p.Epoch
	}
	resp.ErrorCode = fencedBefore(2, req.Version, err)
	return answer{resp: resp}
}
