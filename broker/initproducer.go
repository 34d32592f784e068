package broker

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// handleInitProducerID gives an idempotent producer its id. Without a transactional id that is always a new one, whatever the producer had (KIP-360).
func handleInitProducerID(r *request) answer {
	req := r.msg.(*kmsg.InitProducerIDRequest)
	resp := req.ResponseKind().(*kmsg.InitProducerIDResponse)
	resp.ProducerID, resp.ProducerEpoch = -1, -1
	if req.TransactionalID != nil {
		resp.ErrorCode = kerr.InvalidRequest.Code // transactions are not served yet
		return answer{resp: resp}
	}
	if !r.allowsIdempotence() {
		resp.ErrorCode = kerr.ClusterAuthorizationFailed.Code
		return answer{resp: resp}
	}
	if (req.ProducerID == -1) != (req.ProducerEpoch == -1) {
		resp.ErrorCode = kerr.InvalidRequest.Code
		return answer{resp: resp}
	}
	c := r.node.cluster
	c.mu.Lock()
	resp.ProducerID, resp.ProducerEpoch = c.nextPID, 0
	c.nextPID++
	c.mu.Unlock()
	return answer{resp: resp}
}
