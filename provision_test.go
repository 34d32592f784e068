package sordini_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/broker"
	"github.com/sordini-go/sordini/broker/brokertest"
	"github.com/sordini-go/sordini/internal/admin"
)

// logged is a cluster of the reference broker whose reports are kept.
func logged(c *brokertest.Cluster, change func(*sordini.Cluster)) (sordini.Cluster, *bytes.Buffer) {
	var out bytes.Buffer
	s := c.SDK()
	s.Development = false
	s.Logger = slog.New(slog.NewTextHandler(&out, nil))
	change(&s)
	return s, &out
}

func describe(t *testing.T, c sordini.Cluster, name string) (admin.Topic, admin.Configs) {
	t.Helper()
	cl, err := c.NewClient()
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	meta, err := admin.Metadata(t.Context(), cl, name)
	if err != nil {
		t.Fatal(err)
	}
	configs, failed, err := admin.TopicConfigs(t.Context(), cl, []string{name})
	if err != nil || len(failed) > 0 {
		t.Fatal(err, failed)
	}
	return meta.Topic(name), configs[name]
}

func TestEnsureTopicsCreatesWhatTheContractSays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := brokertest.New(t, brokertest.Brokers(3))
		cluster, out := logged(c, func(c *sordini.Cluster) { c.Strict = true })
		placed, paid := orders(func(*sordini.Topic[order]) {}), orders(func(t *sordini.Topic[order]) {
			t.Name, t.Config = "payments", sordini.TopicConfig{Partitions: 5, Compact: true, MaxMessageBytes: 2 << 20, Extra: map[string]string{"segment.ms": "60000"}}
		})
		shipped := orders(func(t *sordini.Topic[order]) { t.Type = "order.shipped" }) // on the same topic
		for range 2 {                                                                 // the second finds nothing to do
			if err := sordini.EnsureTopics(t.Context(), cluster, placed, paid, shipped); err != nil {
				t.Fatal(err)
			}
		}
		if out.Len() > 0 {
			t.Errorf("reported %s", out)
		}
		topic, configs := describe(t, cluster, "orders")
		if len(topic.Partitions) != 12 || len(topic.Partitions[0].Replicas) != 3 || topic.ID == [16]byte{} {
			t.Errorf("created %+v", topic)
		}
		if n, _ := configs.Int("retention.ms"); n != 604800000 || configs["min.insync.replicas"].Value != "2" || !configs["min.insync.replicas"].Own {
			t.Errorf("settings %v", configs)
		}
		topic, configs = describe(t, cluster, "payments")
		if len(topic.Partitions) != 5 || configs["cleanup.policy"].Value != "compact" || configs["max.message.bytes"].Value != "2097152" || configs["segment.ms"].Value != "60000" {
			t.Errorf("created %+v with %v", topic, configs)
		}
	})
}

func TestDevelopmentTakesTheBrokersReplicationFactorAndSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cluster, out := logged(brokertest.New(t), func(c *sordini.Cluster) { c.Development = true })
		if err := sordini.EnsureTopics(t.Context(), cluster, orders(func(*sordini.Topic[order]) {})); err != nil {
			t.Fatal(err)
		}
		topic, configs := describe(t, cluster, "orders")
		if len(topic.Partitions) != 12 || len(topic.Partitions[0].Replicas) != 1 || configs["min.insync.replicas"].Own {
			t.Errorf("created %+v with %v", topic, configs["min.insync.replicas"])
		}
		if !strings.Contains(out.String(), "Development: topic orders") {
			t.Errorf("reported %s", out)
		}
	})
}

func TestWithoutDevelopmentAClusterOfOneIsRefusedWithTheFix(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cluster, _ := logged(brokertest.New(t), func(*sordini.Cluster) {})
		err := sordini.EnsureTopics(t.Context(), cluster, orders(func(*sordini.Topic[order]) {}))
		d, ok := sordini.Diagnose(err)
		if !errors.Is(err, kerr.InvalidReplicationFactor) || !ok || d.Code != sordini.CodeTooFewBrokers || !strings.Contains(err.Error(), "Development") {
			t.Errorf("error %v", err)
		}
	})
}

func TestThinReplicationIsReportedAndRefusedByStrict(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := brokertest.New(t, brokertest.Brokers(3))
		for want, config := range map[string]sordini.TopicConfig{
			"Config.ReplicationFactor is 2": {ReplicationFactor: 2}, "Config.MinInSyncReplicas is 1": {MinInSyncReplicas: 1},
			"unclean.leader.election.enable": {Extra: map[string]string{"unclean.leader.election.enable": "true"}},
		} {
			topic := orders(func(t *sordini.Topic[order]) { t.Name, t.Config = "thin"+want[len(want)-1:], config })
			strict, _ := logged(c, func(c *sordini.Cluster) { c.Strict = true })
			if err := sordini.EnsureTopics(t.Context(), strict, topic); !errors.Is(err, sordini.ErrContract) || !strings.Contains(err.Error(), want) {
				t.Errorf("Strict: error %v, want %s", err, want)
			}
			cluster, out := logged(c, func(*sordini.Cluster) {})
			if err := sordini.EnsureTopics(t.Context(), cluster, topic); err != nil {
				t.Errorf("%s: %v", want, err)
			}
			if !strings.Contains(out.String(), want) {
				t.Errorf("reported %s, want %s", out, want)
			}
		}
	})
}

func TestDriftIsReportedAndRefusedByStrict(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := brokertest.New(t, brokertest.Brokers(3), brokertest.Topics(broker.Topic{
			Name: "orders", Partitions: 6, ReplicationFactor: 2, Configs: map[string]string{"retention.ms": "60000", "min.insync.replicas": "2"},
		}))
		want := []string{"partitions 6 instead of 12", "replication factor 2 instead of 3", "retention.ms 60000 instead of 604800000"}
		strict, _ := logged(c, func(c *sordini.Cluster) { c.Strict = true })
		strictly := sordini.EnsureTopics(t.Context(), strict, orders(func(*sordini.Topic[order]) {}))
		if !errors.Is(strictly, sordini.ErrDrift) {
			t.Fatalf("Strict: error %v", strictly)
		}
		cluster, out := logged(c, func(*sordini.Cluster) {})
		if err := sordini.EnsureTopics(t.Context(), cluster, orders(func(*sordini.Topic[order]) {})); err != nil {
			t.Fatal(err)
		}
		for _, part := range want {
			if !strings.Contains(strictly.Error(), part) || !strings.Contains(out.String(), part) {
				t.Errorf("%q or %q does not mention %s", strictly, out, part)
			}
		}
		if topic, _ := describe(t, cluster, "orders"); len(topic.Partitions) != 6 {
			t.Error("the topic was altered")
		}
	})
}

func TestContractsAreCheckedBeforeAnythingIsDialled(t *testing.T) {
	cluster := sordini.Cluster{Brokers: []string{"localhost:1"}}
	err := sordini.EnsureTopics(t.Context(), cluster, orders(func(*sordini.Topic[order]) {}), orders(func(t *sordini.Topic[order]) { t.Config.Partitions = 3 }))
	if !errors.Is(err, sordini.ErrContract) || !strings.Contains(err.Error(), "Partitions 12 and 3") {
		t.Errorf("error %v", err)
	}
	if err := sordini.EnsureTopics(t.Context(), cluster, orders(func(t *sordini.Topic[order]) { t.Name = "" })); !errors.Is(err, sordini.ErrContract) {
		t.Errorf("error %v", err)
	}
	if err := sordini.EnsureTopics(t.Context(), sordini.Cluster{}); err != nil {
		t.Errorf("no contracts: %v", err)
	}
}

func TestSeveralInstancesMayEnsureTopicsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := brokertest.New(t, brokertest.Brokers(3))
		var wg sync.WaitGroup
		for range 5 {
			wg.Go(func() {
				cluster, _ := logged(c, func(c *sordini.Cluster) { c.Strict = true })
				if err := sordini.EnsureTopics(t.Context(), cluster, orders(func(*sordini.Topic[order]) {})); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	})
}

func TestForbiddenCreationNamesTheCommand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := brokertest.New(t, brokertest.Brokers(3))
		c.Inject(broker.Fault{API: broker.APICreateTopics, Fail: kerr.TopicAuthorizationFailed.Code})
		cluster, _ := logged(c, func(c *sordini.Cluster) { c.SASL = nil })
		err := sordini.EnsureTopics(t.Context(), cluster, orders(func(*sordini.Topic[order]) {}))
		d, ok := sordini.Diagnose(err)
		if !errors.Is(err, kerr.TopicAuthorizationFailed) || !ok || d.Code != sordini.CodeAuthorization {
			t.Fatalf("error %v", err)
		}
		for _, part := range []string{
			"kafka-topics.sh --bootstrap-server", "--create --topic orders --partitions 12 --replication-factor 3 --config cleanup.policy=delete --config min.insync.replicas=2",
			"User:ANONYMOUS may not create topic topic \"orders\"", "kafka-acls.sh --add --allow-principal User:ANONYMOUS --operation Create --topic orders",
		} {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%q does not mention %s", err, part)
			}
		}
	})
}

func TestEnsureTopicsEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := brokertest.New(t, brokertest.Brokers(3))
		c.Inject(broker.Fault{API: broker.APIMetadata, Stall: true})
		cluster, _ := logged(c, func(*sordini.Cluster) {})
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		start := time.Now()
		if err := sordini.EnsureTopics(ctx, cluster, orders(func(*sordini.Topic[order]) {})); err == nil {
			t.Error("it succeeds without an answer")
		}
		if took := time.Since(start); took > 4*time.Second {
			t.Errorf("it took %v", took)
		}
	})
}

func TestEnsureTopicsWaitsForTheLeaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := brokertest.New(t, brokertest.Brokers(3), brokertest.Topics(broker.Topic{Name: "orders", Partitions: 12, ReplicationFactor: 3}))
		fault := c.Inject(broker.Fault{API: broker.APIMetadata, Topic: "orders", Fail: kerr.LeaderNotAvailable.Code, Count: 8})
		cluster, _ := logged(c, func(*sordini.Cluster) {})
		if err := sordini.EnsureTopics(t.Context(), cluster, orders(func(*sordini.Topic[order]) {})); err != nil {
			t.Fatal(err)
		}
		if fault.Hits() != 8 {
			t.Errorf("it returned after %d of 8 answers that there is no leader", fault.Hits())
		}
	})
}
