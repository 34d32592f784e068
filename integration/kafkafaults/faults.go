// Package kafkafaults breaks a real cluster for the guarantee suite: what happens to brokers, Apache Kafka does; what happens on the wire, the proxy.
package kafkafaults

import (
	"context"

	"github.com/sordini-go/sordini/integration/proxy"
	"github.com/sordini-go/sordini/integration/realkafka"
	"github.com/sordini-go/sordini/internal/guarantee"
)

// Faults are those of one cluster behind one proxy.
type Faults struct {
	c *realkafka.Cluster
	p *proxy.Proxy
}

// New returns the faults of a cluster, and of the proxy in front of it that the services use.
func New(c *realkafka.Cluster, p *proxy.Proxy) *Faults { return &Faults{c: c, p: p} }

var actions = map[guarantee.Action]proxy.Action{
	guarantee.Refuse: proxy.Refuse, guarantee.DropRequest: proxy.CutRequest, guarantee.DropResponse: proxy.DropResponse,
	guarantee.CutResponse: proxy.CutResponse, guarantee.Delay: proxy.Delay, guarantee.Slow: proxy.Slow, guarantee.Stall: proxy.Stall,
	guarantee.RefuseConnections: proxy.RefuseConnections,
}

// Inject lets requests go wrong at the proxy.
func (f *Faults) Inject(fault guarantee.Fault) (guarantee.Injected, error) {
	in, err := f.p.Inject(proxy.Fault{
		API: fault.API, Topic: fault.Topic, Partition: fault.Partition, Client: fault.Client, Broker: fault.Broker,
		Count: fault.Count, Probability: fault.Probability, Seed: fault.Seed,
		Do: actions[fault.Do], Code: fault.Code, Delay: fault.Delay, Jitter: fault.Jitter, BytesPerSecond: fault.BytesPerSecond, CutAfter: fault.CutAfter,
	})
	if err != nil {
		return nil, err // and not a nil *proxy.Injected in an interface
	}
	return in, nil
}

func (f *Faults) Kill(_ context.Context, id int32) error    { return f.c.KillBroker(id) }
func (f *Faults) Stop(_ context.Context, id int32) error    { return f.c.StopBroker(id) }
func (f *Faults) Start(ctx context.Context, id int32) error { return f.c.StartBroker(ctx, id) }
func (f *Faults) Pause(_ context.Context, id int32) error   { return f.c.PauseBroker(id) }
func (f *Faults) Resume(_ context.Context, id int32) error  { return f.c.ResumeBroker(id) }

func (f *Faults) Leader(ctx context.Context, topic string, partition int32) (int32, error) {
	return f.c.Leader(ctx, topic, partition)
}

func (f *Faults) Coordinator(ctx context.Context, group string) (int32, error) {
	return f.c.Coordinator(ctx, group)
}

func (f *Faults) MoveLeader(ctx context.Context, topic string, partition, to int32) error {
	return f.c.MoveLeader(ctx, topic, partition, to)
}

func (f *Faults) MoveCoordinator(ctx context.Context, group string, to int32) error {
	return f.c.MoveCoordinator(ctx, group, to)
}

func (f *Faults) TxnCoordinator(ctx context.Context, transactionalID string) (int32, error) {
	return f.c.TxnCoordinator(ctx, transactionalID)
}

func (f *Faults) MoveTxnCoordinator(ctx context.Context, transactionalID string, to int32) error {
	return f.c.MoveTxnCoordinator(ctx, transactionalID, to)
}

func (f *Faults) ExpireMember(ctx context.Context, group, client string) error {
	return f.c.ExpireMember(ctx, group, client)
}
