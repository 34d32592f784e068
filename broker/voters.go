package broker

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// The voters of the metadata quorum are fixed, as in a cluster whose kraft.version is 0 (KIP-853): a change is refused after what is wrong with it.

func handleAddRaftVoter(r *request) answer {
	req := r.msg.(*kmsg.AddRaftVoterRequest)
	resp := req.ResponseKind().(*kmsg.AddRaftVoterResponse)
	resp.ErrorCode, resp.ErrorMessage = codeOf(r.refuseVoter(req.ClusterID, req.VoterID, req.VoterDirectoryID, "Add", "adding"))
	return answer{resp: resp}
}

func handleRemoveRaftVoter(r *request) answer {
	req := r.msg.(*kmsg.RemoveRaftVoterRequest)
	resp := req.ResponseKind().(*kmsg.RemoveRaftVoterResponse)
	resp.ErrorCode, resp.ErrorMessage = codeOf(r.refuseVoter(req.ClusterID, req.VoterID, req.VoterDirectoryID, "Remove", "removing"))
	return answer{resp: resp}
}

func (r *request) refuseVoter(cluster *string, voter int32, directory [16]byte, what, doing string) error {
	switch {
	case !r.allowsCluster(kmsg.ACLOperationAlter):
		return denied(kerr.ClusterAuthorizationFailed)
	case cluster != nil && *cluster != r.node.cluster.id:
		return codef(kerr.InconsistentClusterID, "The given id \"%s\" doesn't match the cluster id \"%s\"", *cluster, r.node.cluster.id)
	case voter < 0 || directory == [16]byte{}:
		return codef(kerr.InvalidRequest, "%s voter request didn't include a valid voter", what)
	}
	return codef(kerr.UnsupportedVersion, "%s", fmt.Sprintf("Cluster doesn't support %s voter because the kraft.version feature is 0", doing))
}
