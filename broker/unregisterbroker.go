package broker

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// handleUnregisterBroker makes the controller forget a broker until it starts again: no partition is placed on it (KIP-631).
func handleUnregisterBroker(r *request) answer {
	req := r.msg.(*kmsg.UnregisterBrokerRequest)
	resp := req.ResponseKind().(*kmsg.UnregisterBrokerResponse)
	var err error
	switch n := r.node.cluster.node(req.BrokerID); {
	case !r.allowsCluster(kmsg.ACLOperationAlter):
		err = clusterDenied(kmsg.ACLOperationAlter)
	case n == nil || n.forgotten.Load():
		err = codef(kerr.BrokerIDNotRegistered, "Broker ID %d is not currently registered", req.BrokerID)
	default:
		n.forgotten.Store(true)
		r.node.cluster.brokerLeft(n.id)
		r.node.cluster.log.Info("broker unregistered", "broker", n.id)
	}
	resp.ErrorCode, resp.ErrorMessage = codeOf(err)
	return answer{resp: resp}
}
