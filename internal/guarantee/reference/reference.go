// Package reference makes the reference broker a target of the guarantee suite.
package reference

import (
	"context"
	"fmt"
	"time"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/broker"
	"github.com/sordini-go/sordini/internal/guarantee"
)

// Target is a running reference cluster of so many brokers as a target of the suite.
func Target(c *broker.Cluster, brokers int, patience time.Duration) *guarantee.Target {
	cluster := sordini.Cluster{Brokers: c.Addrs(), Dial: c.Dial}
	return &guarantee.Target{
		Kind: guarantee.Reference, Brokers: brokers, Cluster: cluster, Direct: cluster, Faults: &faults{c: c, brokers: int32(brokers)}, Patience: patience,
	}
}

// faults are the cluster's own.
type faults struct {
	c       *broker.Cluster
	brokers int32
}

var _ guarantee.ReplicaFaults = (*faults)(nil)

func (f *faults) Inject(fault guarantee.Fault) (guarantee.Injected, error) {
	b := broker.Fault{
		API: broker.API(fault.API) + 1, Topic: fault.Topic, ClientID: fault.Client, Broker: fault.Broker,
		Count: fault.Count, Probability: fault.Probability, Seed: fault.Seed,
	}
	if fault.Topic != "" && fault.Partition != guarantee.Any {
		b.Partitions = []int32{fault.Partition}
	}
	switch fault.Do {
	case guarantee.Refuse:
		b.Fail = fault.Code
	case guarantee.DropRequest:
		b.DropRequest = true
	case guarantee.DropResponse:
		b.DropResponse = true
	case guarantee.CutResponse:
		b.CutResponse, b.CutAfter = true, fault.CutAfter
	case guarantee.Delay:
		b.Delay, b.Jitter = fault.Delay, fault.Jitter
	case guarantee.Slow:
		b.BytesPerSecond = fault.BytesPerSecond
	case guarantee.Stall:
		b.Stall = true
	case guarantee.RefuseConnections:
		b.API, b.RefuseConnections = broker.AnyAPI, true
	default:
		return nil, fmt.Errorf("the reference broker has no fault of kind %d", fault.Do)
	}
	in, err := f.c.Inject(b)
	if err != nil {
		return nil, err // not a nil *broker.Injected in an interface
	}
	return in, nil
}

func (f *faults) Kill(_ context.Context, id int32) error  { return f.c.KillBroker(id) }
func (f *faults) Stop(_ context.Context, id int32) error  { return f.c.StopBroker(id) }
func (f *faults) Start(_ context.Context, id int32) error { return f.c.StartBroker(id) }
func (f *faults) Pause(_ context.Context, id int32) error { return f.c.PauseBroker(id) }
func (f *faults) Resume(_ context.Context, id int32) error {
	return f.c.ResumeBroker(id)
}

func (f *faults) Leader(_ context.Context, topic string, partition int32) (int32, error) {
	id, _ := f.c.Leader(topic, partition)
	return id, nil
}

func (f *faults) Coordinator(_ context.Context, group string) (int32, error) {
	return f.c.Coordinator(group), nil
}

func (f *faults) MoveLeader(_ context.Context, topic string, partition, to int32) error {
	return f.c.MoveLeader(topic, partition, to)
}

func (f *faults) MoveCoordinator(_ context.Context, group string, to int32) error {
	return f.c.MoveCoordinator(group, to)
}

func (f *faults) ShrinkISR(_ context.Context, topic string, partition int32) error {
	leader, _ := f.c.Leader(topic, partition)
	var followers []int32
	for id := int32(1); id <= f.brokers; id++ {
		if id != leader {
			followers = append(followers, id)
		}
	}
	return f.c.ShrinkISR(topic, partition, followers...)
}

func (f *faults) RestoreISR(_ context.Context, topic string, partition int32) error {
	return f.c.RestoreISR(topic, partition)
}

func (f *faults) StartLosing(_ context.Context, id int32) error {
	return f.c.StartBroker(id, broker.LoseUnreplicated())
}
func (f *faults) FillDisk(_ context.Context, id int32) error { return f.c.FillDisk(id) }
func (f *faults) FreeDisk(_ context.Context, id int32) error { return f.c.FreeDisk(id) }

func (f *faults) SkewClock(_ context.Context, id int32, by time.Duration) error {
	return f.c.SkewClock(id, by)
}

func (f *faults) HoldReplication(_ context.Context, id int32) error { return f.c.HoldReplication(id) }
func (f *faults) ReleaseReplication(_ context.Context, id int32) error {
	return f.c.ReleaseReplication(id)
}

func (f *faults) TxnCoordinator(_ context.Context, transactionalID string) (int32, error) {
	return f.c.TxnCoordinator(transactionalID), nil
}

func (f *faults) MoveTxnCoordinator(_ context.Context, transactionalID string, to int32) error {
	return f.c.MoveTxnCoordinator(transactionalID, to)
}

func (f *faults) ExpireMember(_ context.Context, group, client string) error {
	found := false
	for _, m := range f.c.Members(group) {
		if m.ClientID != client {
			continue
		}
		found = true
		if err := f.c.ExpireMember(group, m.ID); err != nil {
			return err
		}
	}
	if !found {
		return fmt.Errorf("group %s has no member of client %s: %w", group, client, broker.ErrUnknownMember)
	}
	return nil
}
