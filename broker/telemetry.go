package broker

import (
	"encoding/binary"
	"hash/crc32"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sordini-go/sordini/broker/internal/records"
)

// Clients' metrics (KIP-714), as a broker without a plugin that takes them: the two requests are not among those that ApiVersions names, and are
// answered for who asks nevertheless. There is nothing that clients are asked for, and what they push is dropped.

// subscriptionOf is the id of a client's subscription, which a client has to name when it pushes.
func subscriptionOf(instance [16]byte) int32 { return int32(crc32.ChecksumIEEE(instance[:])) }

func handleGetTelemetrySubscriptions(r *request) answer {
	req := r.msg.(*kmsg.GetTelemetrySubscriptionsRequest)
	resp := req.ResponseKind().(*kmsg.GetTelemetrySubscriptionsResponse)
	resp.ClientInstanceID = req.ClientInstanceID
	if resp.ClientInstanceID == ([16]byte{}) {
		resp.ClientInstanceID = newUUID()
	}
	resp.SubscriptionID = subscriptionOf(resp.ClientInstanceID)
	resp.AcceptedCompressionTypes = []int8{int8(records.Zstd), int8(records.LZ4), int8(records.Gzip), int8(records.Snappy)}
	resp.PushIntervalMillis, resp.TelemetryMaxBytes, resp.DeltaTemporality = 300_000, 1<<20, true
	return answer{resp: resp}
}

func handlePushTelemetry(r *request) answer {
	req := r.msg.(*kmsg.PushTelemetryRequest)
	resp := req.ResponseKind().(*kmsg.PushTelemetryResponse)
	switch {
	case req.ClientInstanceID == [16]byte{} || binary.BigEndian.Uint64(req.ClientInstanceID[:]) == 0 && binary.BigEndian.Uint64(req.ClientInstanceID[8:]) == 1:
		resp.ErrorCode = kerr.InvalidRequest.Code
	case req.SubscriptionID != subscriptionOf(req.ClientInstanceID):
		resp.ErrorCode = kerr.UnknownSubscriptionID.Code
	case len(req.Metrics) > 1<<20:
		resp.ErrorCode = kerr.TelemetryTooLarge.Code
	}
	return answer{resp: resp}
}
