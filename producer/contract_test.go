package producer_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/producer"
	"github.com/sordini-go/sordini/serde"
)

// Whatever is wrong is said when the producer or the publisher is made, with the thing and what to do.
func TestWrongOptionsAreRefused(t *testing.T) {
	cluster := sordini.Cluster{Brokers: []string{"127.0.0.1:1"}}
	for _, c := range []struct {
		cluster sordini.Cluster
		opts    []producer.Option
		says    []string
	}{
		{sordini.Cluster{}, nil, []string{"Brokers"}},
		{sordini.Cluster{Brokers: cluster.Brokers, Strict: true, Development: true}, nil, []string{"Strict", "Development"}},
		{sordini.Cluster{Brokers: cluster.Brokers, SASL: sordini.Plain("u", "secret")}, nil, []string{"PLAIN", "TLS"}},
		{sordini.Cluster{Brokers: cluster.Brokers, Kgo: []kgo.Opt{kgo.RequiredAcks(kgo.LeaderAck()), kgo.DisableIdempotentWrite()}}, nil, []string{"RequiredAcks"}},
		{sordini.Cluster{Brokers: cluster.Brokers, Kgo: []kgo.Opt{kgo.ProducerLinger(time.Second)}}, nil, []string{"ProducerLinger"}},
		{cluster, []producer.Option{producer.DeliveryTimeout(0)}, []string{"DeliveryTimeout", "more than 0"}},
		{cluster, []producer.Option{producer.CloseTimeout(-1)}, []string{"CloseTimeout"}},
		{cluster, []producer.Option{producer.Linger(2 * time.Minute)}, []string{"Linger", "half of the delivery timeout"}},
		{cluster, []producer.Option{producer.MaxBuffered(0, 1)}, []string{"MaxBuffered records"}},
		{cluster, []producer.Option{producer.MaxBuffered(1, 0)}, []string{"MaxBuffered bytes"}},
		{cluster, []producer.Option{producer.Compression(99)}, []string{"Compression"}},
		{cluster, []producer.Option{producer.Middleware(nil)}, []string{"Middleware", "nil"}},
		{cluster, []producer.Option{producer.WhenFull(7)}, []string{"WhenFull", "Block or Fail"}},
		{cluster, []producer.Option{producer.ClaimCheck(nil, 0)}, []string{"ClaimCheck", "nil"}},
		{cluster, []producer.Option{producer.ClaimCheck(brokenStore{}, -1)}, []string{"ClaimCheck", "-1"}},
	} {
		p, err := producer.New(c.cluster, c.opts...)
		if err == nil {
			p.Close()
			t.Errorf("accepted; want an error with %q", c.says)
			continue
		}
		for _, s := range c.says {
			if !strings.Contains(err.Error(), s) {
				t.Errorf("%v does not say %q", err, s)
			}
		}
		if strings.Contains(err.Error(), "secret") {
			t.Errorf("%v shows the password", err)
		}
	}
}

func TestWrongContractsAreRefused(t *testing.T) {
	p, err := producer.New(sordini.Cluster{Brokers: []string{"127.0.0.1:1"}})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	publisher(t, p, orders("orders"))
	key := sordini.KeyString(func(o order) string { return o.ID })
	for _, c := range []struct {
		topic sordini.Topic[order]
		says  string
	}{
		{sordini.Topic[order]{Key: key, Value: serde.JSON[order]()}, "Name"},
		{sordini.Topic[order]{Name: "a b", Key: key, Value: serde.JSON[order]()}, "' '"},
		{sordini.Topic[order]{Name: "a", Value: serde.JSON[order]()}, "Key is not set"},
		{sordini.Topic[order]{Name: "a", Key: key}, "Value is not set"},
		{sordini.Topic[order]{Name: "orders", Key: key, Value: serde.JSON[order](), Config: sordini.TopicConfig{Partitions: 3}}, "Partitions 12 and 3"},
	} {
		if _, err := producer.To(p, c.topic); !errors.Is(err, sordini.ErrContract) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("got %v, want an error with %q", err, c.says)
		}
	}
	again := orders("orders")
	again.Type = "order.placed" // another type on the topic is no contradiction
	publisher(t, p, again)
}

func TestTxThatNobodyMadeIsRefused(t *testing.T) {
	p, err := producer.New(sordini.Cluster{Brokers: []string{"127.0.0.1:1"}})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	in := publisher(t, p, orders("orders")).In(new(producer.Tx))
	if err := in.Send(context.Background(), order{}); !errors.Is(err, producer.ErrNoTransaction) || !errors.Is(err, producer.ErrNotWritten) {
		t.Errorf("Send: %v", err)
	}
	if err := in.SendBatch(context.Background(), []order{{}}); !errors.Is(err, producer.ErrNoTransaction) {
		t.Errorf("SendBatch: %v", err)
	}
	if err := in.Delete(context.Background(), order{}); !errors.Is(err, producer.ErrNoTransaction) {
		t.Errorf("Delete: %v", err)
	}
	got := make(chan error, 1)
	in.SendAsync(context.Background(), order{}, func(_ producer.Receipt, err error) { got <- err })
	if err := <-got; !errors.Is(err, producer.ErrNoTransaction) {
		t.Errorf("SendAsync: %v", err)
	}
}
