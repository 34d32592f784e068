package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/broker"
	"github.com/sordini-go/sordini/integration/kafkafaults"
	"github.com/sordini-go/sordini/integration/proxy"
	"github.com/sordini-go/sordini/integration/realkafka"
	"github.com/sordini-go/sordini/internal/guarantee"
	"github.com/sordini-go/sordini/internal/guarantee/reference"
)

// brokers is how many there are: one may be away.
const brokers = 3

// cluster is what the run runs on.
type cluster struct {
	target *guarantee.Target
	close  func()
	dump   func(io.Writer) // says what the brokers hold
}

func (s settings) start(ctx context.Context, log *slog.Logger) (*cluster, error) {
	if !s.kafka && s.brokers == "" {
		return s.reference()
	}
	var c *realkafka.Cluster
	var err error
	if s.kafka {
		c, err = realkafka.Start(ctx, realkafka.Config{Brokers: brokers})
	} else {
		c, err = realkafka.Attach(ctx, strings.Split(s.brokers, ","))
	}
	if err != nil {
		return nil, err
	}
	if c.Brokers() != brokers {
		c.Close()
		return nil, fmt.Errorf("the cluster has %d brokers, the run is made for %d", c.Brokers(), brokers)
	}
	addrs := map[int32]string{}
	for i, addr := range c.Addrs() {
		addrs[int32(i+1)] = addr
	}
	p, err := proxy.Start(proxy.Config{Brokers: addrs, Logger: log})
	if err != nil {
		c.Close()
		return nil, err
	}
	return &cluster{
		target: &guarantee.Target{
			Kind: guarantee.Kafka, Brokers: brokers, Patience: s.patience, Foreign: !s.kafka,
			Cluster: sordini.Cluster{Brokers: p.Addrs()}, Direct: sordini.Cluster{Brokers: c.Addrs()}, Faults: kafkafaults.New(c, p),
		},
		close: func() {
			p.Close()
			c.Close()
		},
		dump: func(io.Writer) {}, // its log is in its folder
	}, nil
}

func (s settings) reference() (*cluster, error) {
	c, err := broker.Start(broker.Config{Brokers: brokers, Network: broker.NewNetwork()})
	if err != nil {
		return nil, err
	}
	return &cluster{target: reference.Target(c, brokers, s.patience), close: func() { _ = c.Close() }, dump: func(w io.Writer) { c.Dump(w) }}, nil
}
