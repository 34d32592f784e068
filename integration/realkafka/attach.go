package realkafka

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// errForeign says that a broker was not started here.
var errForeign = errors.New("the broker's process is not ours")

// Attach returns a plain cluster that runs already, for its moves and questions: its brokers, whose ids must count from 1, can not be killed, stopped or
// paused.
func Attach(ctx context.Context, seeds []string) (*Cluster, error) {
	cl, err := kgo.NewClient(kgo.SeedBrokers(seeds...), kgo.ClientID("realkafka"))
	if err != nil {
		return nil, fmt.Errorf("attach to %v: %w", seeds, err)
	}
	defer cl.Close()
	resp, err := kmsg.NewPtrMetadataRequest().RequestWith(ctx, cl)
	if err != nil {
		return nil, fmt.Errorf("attach to %v: %w", seeds, err)
	}
	slices.SortFunc(resp.Brokers, func(a, b kmsg.MetadataResponseBroker) int { return int(a.NodeID - b.NodeID) })
	c := &Cluster{set: settings{Config: Config{Brokers: len(resp.Brokers)}}}
	for i, b := range resp.Brokers {
		if b.NodeID != int32(i+1) {
			return nil, fmt.Errorf("attach to %v: broker %d is the %dth; ids must count from 1", seeds, b.NodeID, i+1)
		}
		c.foreign = append(c.foreign, net.JoinHostPort(b.Host, strconv.Itoa(int(b.Port))))
	}
	return c, nil
}
