package integration_test

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/integration/proxy"
	"github.com/sordini-go/sordini/integration/realkafka"
	"github.com/sordini-go/sordini/internal/guarantee"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// atOnce is how many scenarios share the cluster at the same time: they mostly wait.
const atOnce = 8

// TestGuarantees runs the guarantee suite on three brokers of Apache Kafka: first what harms nobody else, several at the same time, each behind a proxy of
// its own; then, one after the other, what brings brokers down.
func TestGuarantees(t *testing.T) {
	c, err := realkafka.Start(t.Context(), realkafka.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	var together, alone []guarantee.Scenario
	for _, s := range guarantee.Scenarios("", guarantee.Kafka) {
		if s.Alone {
			alone = append(alone, s)
		} else {
			together = append(together, s)
		}
	}
	run := func(s guarantee.Scenario) {
		t.Run(s.Guarantee+"/"+s.Name, func(t *testing.T) { s.Run(t, behindProxy(t, c)) })
	}
	var wg sync.WaitGroup
	slots := make(chan struct{}, atOnce)
	for _, s := range together {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			run(s)
		})
	}
	wg.Wait()
	for _, s := range alone {
		run(s)
	}
}

// TestKafkaServesEveryVerb: the scenarios above use all faults that the design wants Apache Kafka to show, and cover every guarantee.
func TestKafkaServesEveryVerb(t *testing.T) {
	served, covered := map[guarantee.Verb]bool{}, map[string]bool{}
	for _, s := range guarantee.Scenarios("", guarantee.Kafka) {
		covered[s.Guarantee] = true
		for _, v := range s.Verbs {
			served[v] = true
		}
	}
	for _, v := range guarantee.Required {
		if !served[v] {
			t.Errorf("no scenario makes Apache Kafka %s", v)
		}
	}
	for _, g := range guarantee.Guarantees {
		if !covered[g] {
			t.Errorf("no scenario of %s runs on Apache Kafka", g)
		}
	}
}

// behindProxy is the cluster as a target, with a proxy in front that ends with the test.
func behindProxy(t *testing.T, c *realkafka.Cluster) *guarantee.Target {
	t.Helper()
	brokers := map[int32]string{}
	for i, addr := range c.Addrs() {
		brokers[int32(i+1)] = addr
	}
	p, err := proxy.Start(proxy.Config{Brokers: brokers, Logger: slog.New(slog.NewTextHandler(t.Output(), nil))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return &guarantee.Target{
		Kind: guarantee.Kafka, Brokers: c.Brokers(), Patience: 90 * time.Second,
		Cluster: sordini.Cluster{Brokers: p.Addrs()},
		Direct:  sordini.Cluster{Brokers: c.Addrs()},
		Faults:  &kafkaFaults{c: c, p: p},
	}
}

// kafkaFaults: what happens to brokers, Apache Kafka does; what happens on the wire, the proxy.
type kafkaFaults struct {
	c *realkafka.Cluster
	p *proxy.Proxy
}

func (f *kafkaFaults) Inject(fault guarantee.Fault) (guarantee.Injected, error) {
	actions := map[guarantee.Action]proxy.Action{
		guarantee.Refuse: proxy.Refuse, guarantee.DropResponse: proxy.DropResponse, guarantee.CutResponse: proxy.CutResponse,
		guarantee.Delay: proxy.Delay, guarantee.Stall: proxy.Stall,
	}
	in, err := f.p.Inject(proxy.Fault{
		API: fault.API, Topic: fault.Topic, Partition: fault.Partition, Client: fault.Client, Count: fault.Count,
		Do: actions[fault.Do], Code: fault.Code, Delay: fault.Delay,
	})
	if err != nil {
		return nil, err // and not a nil *proxy.Injected in an interface
	}
	return in, nil
}

func (f *kafkaFaults) Kill(_ context.Context, id int32) error    { return f.c.KillBroker(id) }
func (f *kafkaFaults) Stop(_ context.Context, id int32) error    { return f.c.StopBroker(id) }
func (f *kafkaFaults) Start(ctx context.Context, id int32) error { return f.c.StartBroker(ctx, id) }
func (f *kafkaFaults) Pause(_ context.Context, id int32) error   { return f.c.PauseBroker(id) }
func (f *kafkaFaults) Resume(_ context.Context, id int32) error  { return f.c.ResumeBroker(id) }

func (f *kafkaFaults) Leader(ctx context.Context, topic string, partition int32) (int32, error) {
	return f.c.Leader(ctx, topic, partition)
}

func (f *kafkaFaults) Coordinator(ctx context.Context, group string) (int32, error) {
	return f.c.Coordinator(ctx, group)
}

func (f *kafkaFaults) MoveLeader(ctx context.Context, topic string, partition, to int32) error {
	return f.c.MoveLeader(ctx, topic, partition, to)
}

func (f *kafkaFaults) MoveCoordinator(ctx context.Context, group string, to int32) error {
	return f.c.MoveCoordinator(ctx, group, to)
}
