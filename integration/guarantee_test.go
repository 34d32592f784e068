package integration_test

import (
	"log/slog"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/integration/kafkafaults"
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

// TestKafkaShowsEveryGuarantee: the scenarios above cover all that the suite covers.
func TestKafkaShowsEveryGuarantee(t *testing.T) {
	covered := map[string]bool{}
	for _, s := range guarantee.Scenarios("", guarantee.Kafka) {
		covered[s.Guarantee] = true
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
		Faults:  kafkafaults.New(c, p),
	}
}
