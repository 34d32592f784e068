package guarantee_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/broker"
	"github.com/sordini-go/sordini/internal/guarantee"
)

func TestMain(m *testing.M) {
	// Scenarios mostly wait, in virtual or in real time: more of them than processors may run.
	flag.Parse()
	if err := flag.Set("test.parallel", "16"); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m)
}

// onReference runs a guarantee's scenarios on the reference broker, in virtual time where that can be, several at the same time.
func onReference(t *testing.T, name string) {
	t.Helper()
	scenarios := guarantee.Scenarios(name, guarantee.Reference)
	if len(scenarios) == 0 {
		t.Fatalf("%s has no scenario", name)
	}
	t.Parallel()
	var wg sync.WaitGroup
	for _, s := range scenarios {
		wg.Go(func() {
			t.Run(s.Name, func(t *testing.T) {
				if virtual || !s.BrokersFail() {
					synctest.Test(t, func(t *testing.T) { s.Run(t, reference(t, 10*time.Minute)) })
				} else {
					s.Run(t, reference(t, time.Minute))
				}
			})
		})
	}
	wg.Wait()
}

// reference starts three brokers in memory.
func reference(t *testing.T, patience time.Duration) *guarantee.Target {
	t.Helper()
	c, err := broker.Start(broker.Config{Brokers: 3, Network: broker.NewNetwork()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			var held bytes.Buffer
			c.Dump(&held)
			t.Logf("the brokers held:\n%s", held.Bytes()[:min(held.Len(), 16<<10)])
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	cluster := sordini.Cluster{Brokers: c.Addrs(), Dial: c.Dial}
	return &guarantee.Target{
		Kind: guarantee.Reference, Brokers: 3, Cluster: cluster, Direct: cluster, Faults: &referenceFaults{c: c}, Patience: patience,
	}
}

// referenceFaults gives the suite the reference broker's own faults.
type referenceFaults struct{ c *broker.Cluster }

func (f *referenceFaults) Inject(fault guarantee.Fault) (guarantee.Injected, error) {
	b := broker.Fault{API: broker.API(fault.API) + 1, Topic: fault.Topic, ClientID: fault.Client, Count: fault.Count}
	if fault.Topic != "" && fault.Partition != guarantee.Any {
		b.Partitions = []int32{fault.Partition}
	}
	switch fault.Do {
	case guarantee.Refuse:
		b.Fail = fault.Code
	case guarantee.DropResponse:
		b.DropResponse = true
	case guarantee.CutResponse:
		b.CutResponse = true
	case guarantee.Delay:
		b.Delay = fault.Delay
	case guarantee.Stall:
		b.Stall = true
	default:
		return nil, fmt.Errorf("the reference broker has no fault of kind %d", fault.Do)
	}
	in, err := f.c.Inject(b)
	if err != nil {
		return nil, err // not a nil *broker.Injected in an interface
	}
	return in, nil
}

func (f *referenceFaults) Kill(_ context.Context, id int32) error  { return f.c.KillBroker(id) }
func (f *referenceFaults) Stop(_ context.Context, id int32) error  { return f.c.StopBroker(id) }
func (f *referenceFaults) Start(_ context.Context, id int32) error { return f.c.StartBroker(id) }
func (f *referenceFaults) Pause(_ context.Context, id int32) error { return f.c.PauseBroker(id) }
func (f *referenceFaults) Resume(_ context.Context, id int32) error {
	return f.c.ResumeBroker(id)
}

func (f *referenceFaults) Leader(_ context.Context, topic string, partition int32) (int32, error) {
	id, _ := f.c.Leader(topic, partition)
	return id, nil
}

func (f *referenceFaults) Coordinator(_ context.Context, group string) (int32, error) {
	return f.c.Coordinator(group), nil
}

func (f *referenceFaults) MoveLeader(_ context.Context, topic string, partition, to int32) error {
	return f.c.MoveLeader(topic, partition, to)
}

func (f *referenceFaults) MoveCoordinator(_ context.Context, group string, to int32) error {
	return f.c.MoveCoordinator(group, to)
}

var _ guarantee.ReplicaFaults = (*referenceFaults)(nil)

func (f *referenceFaults) ShrinkISR(_ context.Context, topic string, partition int32) error {
	leader, _ := f.c.Leader(topic, partition)
	var followers []int32
	for id := range int32(3) {
		if id+1 != leader {
			followers = append(followers, id+1)
		}
	}
	return f.c.ShrinkISR(topic, partition, followers...)
}

func (f *referenceFaults) RestoreISR(_ context.Context, topic string, partition int32) error {
	return f.c.RestoreISR(topic, partition)
}

func (f *referenceFaults) StartLosing(_ context.Context, id int32) error {
	return f.c.StartBroker(id, broker.LoseUnreplicated())
}
func (f *referenceFaults) FillDisk(_ context.Context, id int32) error { return f.c.FillDisk(id) }
func (f *referenceFaults) FreeDisk(_ context.Context, id int32) error { return f.c.FreeDisk(id) }

func (f *referenceFaults) SkewClock(_ context.Context, id int32, by time.Duration) error {
	return f.c.SkewClock(id, by)
}

func TestG1NoLoss(t *testing.T)       { onReference(t, "G1") }
func TestG2CommitSafety(t *testing.T) { onReference(t, "G2") }
func TestG3KeyOrder(t *testing.T)     { onReference(t, "G3") }
func TestG4Isolation(t *testing.T)    { onReference(t, "G4") }
func TestG5Ownership(t *testing.T)    { onReference(t, "G5") }
func TestG6Drain(t *testing.T)        { onReference(t, "G6") }
func TestG7Restart(t *testing.T)      { onReference(t, "G7") }
func TestG8Bounded(t *testing.T)      { onReference(t, "G8") }
func TestG9Poison(t *testing.T)       { onReference(t, "G9") }
func TestG10Producer(t *testing.T)    { onReference(t, "G10") }
func TestG11ExactlyOnce(t *testing.T) { onReference(t, "G11") }
func TestG12BoundedStop(t *testing.T) { onReference(t, "G12") }
func TestG13Truth(t *testing.T)       { onReference(t, "G13") }
func TestG14Secrecy(t *testing.T)     { onReference(t, "G14") }
