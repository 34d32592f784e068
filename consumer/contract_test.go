package consumer_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/broker"
	"github.com/sordini-go/sordini/broker/brokertest"
	"github.com/sordini-go/sordini/consumer"
	"github.com/sordini-go/sordini/producer"
)

func nop(context.Context, *consumer.Message[string]) error { return nil }

// build makes a group and registers handlers; it returns the first error, of New, Handle or Run.
func build(t *testing.T, c sordini.Cluster, name string, opts []consumer.Option, register ...func(*consumer.Group) error) error {
	g, err := consumer.New(c, name, opts...)
	if err != nil {
		return err
	}
	for _, f := range register {
		if err := f(g); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	return g.Run(ctx)
}

func handleTopic(t sordini.Topic[string], opts ...consumer.HandlerOption) func(*consumer.Group) error {
	return func(g *consumer.Group) error { return consumer.Handle(g, t, nop, opts...) }
}

func TestWrongContractsAreRefusedBeforeTheFirstFetch(t *testing.T) {
	with := func(change func(*sordini.Topic[string])) sordini.Topic[string] {
		t := orders
		change(&t)
		return t
	}
	many := with(func(t *sordini.Topic[string]) { t.Type = "placed"; t.Config.Partitions = 7 })
	for name, c := range map[string]struct {
		cluster  func(*sordini.Cluster)
		group    string
		opts     []consumer.Option
		register []func(*consumer.Group) error
		is       error
		says     []string // the thing and the fix
	}{
		"no brokers":              {cluster: func(c *sordini.Cluster) { c.Brokers = nil }, is: sordini.ErrCluster, says: []string{"Brokers", "host:port"}},
		"strict with development": {cluster: func(c *sordini.Cluster) { c.Strict = true }, is: sordini.ErrCluster, says: []string{"Strict", "Development"}},
		"PLAIN without TLS": {
			cluster: func(c *sordini.Cluster) { c.SASL = sordini.Plain("me", "secret") },
			is:      sordini.ErrCluster, says: []string{"PLAIN", "TLS"},
		},
		"escape hatch on what is the group's": {
			cluster: func(c *sordini.Cluster) { c.Kgo = []kgo.Opt{kgo.ConsumeTopics("orders")} }, is: sordini.ErrCluster, says: []string{"ConsumeTopics"},
		},
		"no group name":                  {group: "-", is: consumer.ErrConfig, says: []string{"name is empty"}},
		"no handler":                     {is: consumer.ErrConfig, says: []string{"no handler", "consumer.Handle"}},
		"nil handler":                    {register: []func(*consumer.Group) error{func(g *consumer.Group) error { return consumer.Handle[string](g, orders, nil) }}, is: consumer.ErrConfig, says: []string{"orders", "nil"}},
		"zero key":                       {register: []func(*consumer.Group) error{handleTopic(with(func(t *sordini.Topic[string]) { t.Key = sordini.Key[string]{} }))}, is: sordini.ErrContract, says: []string{"orders", "Key", "KeyString", "Unkeyed"}},
		"no value":                       {register: []func(*consumer.Group) error{handleTopic(with(func(t *sordini.Topic[string]) { t.Value = nil }))}, is: sordini.ErrContract, says: []string{"orders", "Value", "serde"}},
		"no topic name":                  {register: []func(*consumer.Group) error{handleTopic(with(func(t *sordini.Topic[string]) { t.Name = "" }))}, is: sordini.ErrContract, says: []string{"Name"}},
		"illegal topic name":             {register: []func(*consumer.Group) error{handleTopic(with(func(t *sordini.Topic[string]) { t.Name = "order service" }))}, is: sordini.ErrContract, says: []string{"order service", "letters"}},
		"companion name too long":        {register: []func(*consumer.Group) error{handleTopic(with(func(t *sordini.Topic[string]) { t.Name = strings.Repeat("o", 247) }))}, is: sordini.ErrContract, says: []string{"249"}},
		"two configs for one topic":      {opts: []consumer.Option{consumer.OtherTypes(consumer.SkipOthers)}, register: []func(*consumer.Group) error{handleTopic(orders), handleTopic(many)}, is: sordini.ErrContract, says: []string{"orders", "Config"}},
		"two handlers for one topic":     {register: []func(*consumer.Group) error{handleTopic(orders), handleTopic(orders)}, is: consumer.ErrConfig, says: []string{"orders", "second group"}},
		"two orders for one topic":       {opts: []consumer.Option{consumer.OtherTypes(consumer.SkipOthers)}, register: []func(*consumer.Group) error{handleTopic(orders), handleTopic(typed("placed"), consumer.Ordering(consumer.ByPartition))}, is: consumer.ErrConfig, says: []string{"orders", "Ordering"}},
		"types without a choice":         {register: []func(*consumer.Group) error{handleTopic(typed("placed"))}, is: consumer.ErrConfig, says: []string{"placed", "OtherTypes(consumer.SkipOthers)", "DeadOthers"}},
		"dead others without letters":    {opts: []consumer.Option{consumer.OtherTypes(consumer.DeadOthers), consumer.WithoutDeadLetters("a test")}, register: []func(*consumer.Group) error{handleTopic(typed("placed"))}, is: consumer.ErrConfig, says: []string{"DeadOthers", "WithoutDeadLetters"}},
		"dead letters off without why":   {opts: []consumer.Option{consumer.WithoutDeadLetters("")}, is: consumer.ErrConfig, says: []string{"WithoutDeadLetters", "why"}},
		"no concurrency":                 {opts: []consumer.Option{consumer.Concurrency(0)}, is: consumer.ErrConfig, says: []string{"Concurrency(0)", "10,000"}},
		"bound below concurrency":        {opts: []consumer.Option{consumer.MaxInFlight(10, 1<<20)}, is: consumer.ErrConfig, says: []string{"MaxInFlight(10", "Concurrency(64)"}},
		"empty bound":                    {opts: []consumer.Option{consumer.MaxInFlight(0, 0)}, is: consumer.ErrConfig, says: []string{"MaxInFlight(0, 0)", "positive"}},
		"negative drain timeout":         {opts: []consumer.Option{consumer.DrainTimeout(-time.Second)}, is: consumer.ErrConfig, says: []string{"DrainTimeout(-1s)"}},
		"no commit interval":             {opts: []consumer.Option{consumer.CommitInterval(0)}, is: consumer.ErrConfig, says: []string{"CommitInterval(0s)", "positive"}},
		"no handler timeout":             {register: []func(*consumer.Group) error{handleTopic(orders, consumer.HandlerTimeout(0))}, is: consumer.ErrConfig, says: []string{"orders", "HandlerTimeout(0s)", "positive"}},
		"negative delay":                 {register: []func(*consumer.Group) error{handleTopic(orders, consumer.Retry(consumer.RetryPolicy{Delay: -1}))}, is: consumer.ErrConfig, says: []string{"orders", "Delay"}},
		"jitter above one":               {opts: []consumer.Option{consumer.Retry(consumer.RetryPolicy{Jitter: 20})}, is: consumer.ErrConfig, says: []string{"Jitter 20", "share"}},
		"unknown ordering":               {opts: []consumer.Option{consumer.Ordering(9)}, is: consumer.ErrConfig, says: []string{"Ordering(9)", "ByKey"}},
		"unknown policy for other types": {opts: []consumer.Option{consumer.OtherTypes(9)}, is: consumer.ErrConfig, says: []string{"OtherTypes(9)", "SkipOthers"}},
		"nil middleware":                 {opts: []consumer.Option{consumer.Middleware(nil)}, is: consumer.ErrConfig, says: []string{"Middleware", "nil"}},
		"plain handlers beside transactions": {register: []func(*consumer.Group) error{func(g *consumer.Group) error {
			return consumer.HandleTx(g, orders, func(context.Context, *producer.Tx, *consumer.Message[string]) error { return nil })
		}, handleTopic(many)}, is: consumer.ErrConfig, says: []string{"orders", "second group"}},
		"no transactional instance": {opts: []consumer.Option{consumer.TransactionalInstance("")}, is: consumer.ErrConfig, says: []string{"TransactionalInstance"}},
		"transactions beside plain handlers": {register: []func(*consumer.Group) error{handleTopic(orders), func(g *consumer.Group) error {
			return consumer.HandleTx(g, orders, func(context.Context, *producer.Tx, *consumer.Message[string]) error { return nil })
		}}, is: consumer.ErrConfig, says: []string{"orders", "second group"}},
		"topic that is not there": {register: []func(*consumer.Group) error{handleTopic(with(func(t *sordini.Topic[string]) { t.Name = "oders" }))}, is: consumer.ErrTopics, says: []string{`"oders" does not exist`, `did you mean "orders"`, "kafka-topics --bootstrap-server"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 1)
				w.put("a=1")
				fetched := w.Inject(broker.Fault{API: broker.APIFetch})
				cluster := w.sdk()
				if c.cluster != nil {
					c.cluster(&cluster)
				}
				group := "g"
				if c.group == "-" {
					group = ""
				}
				err := build(t, cluster, group, c.opts, c.register...)
				if !errors.Is(err, c.is) {
					t.Fatalf("got %v, want %v", err, c.is)
				}
				for _, s := range c.says {
					if !strings.Contains(err.Error(), s) {
						t.Errorf("%q does not say %q", err, s)
					}
				}
				if n := fetched.Hits(); n != 0 {
					t.Errorf("%d fetches before the refusal", n)
				}
			})
		})
	}
}

func TestCompanionsAreCreatedWhereTheyMayBe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 3)
		r := start(t, w.group(nop))
		waitFor(t, "it runs", func() bool { return w.committed() == 0 })
		r.cleanly()
		for _, name := range []string{"orders.g.dlt", "orders.g.retry"} {
			if n := w.Partitions(name); n != 3 {
				t.Errorf("%s has %d partitions, want 3", name, n)
			}
		}
	})
}

func TestCompanionsThatCannotWorkAreRefusedWithTheCommandsToRun(t *testing.T) {
	good := map[string]string{"max.message.bytes": "2000000"}
	for name, c := range map[string]struct {
		topics []broker.Topic
		fault  *broker.Fault
		says   []string
	}{
		"too few partitions": {
			topics: []broker.Topic{{Name: "orders.g.dlt", Partitions: 2, Configs: good}, {Name: "orders.g.retry", Partitions: 3, Configs: good}},
			says:   []string{"orders.g.dlt", "2 partitions", "kafka-topics --bootstrap-server", "--alter --topic orders.g.dlt --partitions 3"},
		},
		"records too small": {
			topics: []broker.Topic{{Name: "orders.g.dlt", Partitions: 3, Configs: good}, {Name: "orders.g.retry", Partitions: 3, Configs: map[string]string{"max.message.bytes": "1000"}}},
			says:   []string{"orders.g.retry", "1000 bytes", "--entity-name orders.g.retry --add-config max.message.bytes=1114124"},
		},
		"compacted": {
			topics: []broker.Topic{{Name: "orders.g.dlt", Partitions: 3, Configs: map[string]string{"max.message.bytes": "2000000", "cleanup.policy": "compact"}}, {Name: "orders.g.retry", Partitions: 3, Configs: good}},
			says:   []string{"orders.g.dlt", "compacted", "--add-config cleanup.policy=delete"},
		},
		"may not be created": {
			fault: &broker.Fault{API: broker.APICreateTopics, Fail: 29},
			says:  []string{"orders.g.dlt", "orders.g.retry", "does not exist and can not be created", "TOPIC_AUTHORIZATION_FAILED", "--create --topic orders.g.retry --partitions 3", "--config max.message.bytes=1114124", "--config retention.ms=-1"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 3, brokertest.Topics(c.topics...))
				w.put("a=1")
				if c.fault != nil {
					w.Inject(*c.fault)
				}
				fetched := w.Inject(broker.Fault{API: broker.APIFetch})
				err := build(t, w.sdk(), "g", nil, handleTopic(orders))
				if !errors.Is(err, consumer.ErrTopics) {
					t.Fatalf("got %v, want ErrTopics", err)
				}
				for _, s := range c.says {
					if !strings.Contains(err.Error(), s) {
						t.Errorf("%q does not say %q", err, s)
					}
				}
				if n := fetched.Hits(); n != 0 {
					t.Errorf("%d fetches before the refusal", n)
				}
			})
		})
	}
}

func TestWithoutDeadLettersAFailingRecordHoldsItsKeyAndSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.put("bad=1", "good=2", "bad=3")
		got := newSeen(t)
		g := w.group(func(_ context.Context, m *consumer.Message[string]) error {
			if m.Value == "1" {
				return consumer.Permanent(errBoom)
			}
			got.add(m.Value)
			return nil
		}, consumer.WithoutDeadLetters("a test"))
		r := start(t, g)
		got.wait(1)
		time.Sleep(time.Hour)
		if c := w.committed(); c > 0 {
			t.Errorf("committed %d past a record that was not handled", c)
		}
		if !slices.ContainsFunc(g.Health().Reasons, func(r consumer.Reason) bool { return r.Code == "dead-letters-off" && r.Offset == 0 }) || g.Health().OK {
			t.Errorf("health %+v, want dead-letters-off at offset 0", g.Health())
		}
		if w.Partitions("orders.g.dlt") != 0 {
			t.Error("companion topics were created although dead letters are off")
		}
		r.cleanly()
	})
}
