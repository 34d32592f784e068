package admin

import (
	"context"
	"errors"
	"net"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// AskCoordinator sends a request that the coordinators of groups answer: send is its RequestWith. franz-go 1.22.2 keeps going to the coordinator that it knows
// when that can not be reached, with requests that it may have to split (OffsetFetch, DescribeGroups, DeleteGroups and their like: handleShardedReq in
// client.go), until the client's next look at the cluster, which may be minutes away. So we look, and ask again: a broker that is gone coordinates nothing.
func AskCoordinator[Resp any](ctx context.Context, cl *kgo.Client, send func(context.Context, kmsg.Requestor) (Resp, error)) (Resp, error) {
	resp, err := send(ctx, cl)
	var unreached *net.OpError
	if !errors.As(err, &unreached) || unreached.Op != "dial" {
		return resp, err
	}
	if _, failed := Brokers(ctx, cl); failed != nil {
		return resp, err
	}
	return send(ctx, cl)
}
