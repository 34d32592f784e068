package broker

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Streams' own groups (KIP-1071) are off, as in a cluster whose streams.version is 0: Kafka Streams has its group.protocol=classic there.

func handleStreamsGroupHeartbeat(r *request) answer {
	resp := r.msg.ResponseKind().(*kmsg.StreamsGroupHeartbeatResponse)
	resp.ErrorCode, resp.Status = kerr.UnsupportedVersion.Code, []kmsg.StreamsGroupHeartbeatResponseStatus{}
	return answer{resp: resp}
}

func handleStreamsGroupDescribe(r *request) answer {
	req := r.msg.(*kmsg.StreamsGroupDescribeRequest)
	resp := req.ResponseKind().(*kmsg.StreamsGroupDescribeResponse)
	for _, group := range req.Groups {
		g := kmsg.NewStreamsGroupDescribeResponseGroup()
		g.Group, g.ErrorCode = group, kerr.UnsupportedVersion.Code
		resp.Groups = append(resp.Groups, g)
	}
	return answer{resp: resp}
}
