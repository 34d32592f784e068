package broker

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func handleDescribeCluster(r *request) answer {
	req := r.msg.(*kmsg.DescribeClusterRequest)
	resp := req.ResponseKind().(*kmsg.DescribeClusterResponse)
	c := r.node.cluster
	resp.ClusterID, resp.ControllerID, resp.EndpointType = c.id, c.controllerID(), 1
	resp.ClusterAuthorizedOperations = unknownOperations
	if req.Version >= 1 && req.EndpointType != 1 {
		resp.ErrorCode, resp.ClusterID, resp.ControllerID = kerr.MismatchedEndpointType.Code, "", noLeader
		resp.ErrorMessage = kmsg.StringPtr("The request was sent to an endpoint of type BROKER, but we wanted an endpoint of type CONTROLLER")
		if req.EndpointType != 2 {
			resp.ErrorCode = kerr.UnsupportedEndpointType.Code
			resp.ErrorMessage = kmsg.StringPtr(fmt.Sprintf("Unsupported endpoint type %d", req.EndpointType))
		}
		return answer{resp: resp}
	}
	if req.IncludeClusterAuthorizedOperations {
		resp.ClusterAuthorizedOperations = r.clusterOperations()
	}
	for _, n := range c.nodes {
		if n.forgotten.Load() || !n.isAlive() && !(req.Version >= 2 && req.IncludeFencedBrokers) {
			continue
		}
		b := kmsg.NewDescribeClusterResponseBroker()
		e := r.endpoint(n)
		b.NodeID, b.Host, b.Port, b.Rack = n.id, e.host, e.port, n.rackOrNil()
		b.IsFenced = !n.isAlive()
		resp.Brokers = append(resp.Brokers, b)
	}
	return answer{resp: resp}
}
