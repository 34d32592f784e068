package main

import (
	"context"
	"fmt"
	"net"
	"strings"

	"github.com/sordini-go/sordini/broker"
	"github.com/sordini-go/sordini/integration/realkafka"
)

// pair names a kind of cluster that both sides have.
type pair string

const (
	one   pair = "one broker"
	three pair = "three brokers"
	users pair = "one broker, whose clients authenticate and have rights"
)

// superUser may do anything where there are users.
const superUser = "admin"

// properties are the brokers' settings on both sides, where they are not Kafka's defaults: those that realkafka gives its clusters, and short times.
func (p pair) properties() map[string]string {
	props := map[string]string{
		"offsets.topic.num.partitions":             "5",
		"group.initial.rebalance.delay.ms":         "0",
		"group.min.session.timeout.ms":             "1000",
		"group.consumer.heartbeat.interval.ms":     "1000",
		"group.consumer.min.heartbeat.interval.ms": "500",
		"group.consumer.min.session.timeout.ms":    "3000",
		"group.consumer.assignment.interval.ms":    "0",
		"group.share.assignment.interval.ms":       "0",
		"offset.metadata.max.bytes":                "64",
		"num.partitions":                           "2",
		"default.replication.factor":               "1",
		"min.insync.replicas":                      "1",
		"auto.create.topics.enable":                "true",
	}
	if p == users {
		props["connections.max.reauth.ms"] = "3600000"
		props["connection.failed.authentication.delay.ms"] = "0"
	}
	return props
}

func (p pair) brokers() int {
	if p == three {
		return 3
	}
	return 1
}

// side is one cluster.
type side struct {
	real   bool     // Apache Kafka
	secure bool     // clients authenticate, and ACLs say what they may do
	addrs  []string // by node id minus 1
	close  func()

	dial func(ctx context.Context, network, addr string) (net.Conn, error) // nil: over TCP
}

// connect opens a connection to a broker.
func (s *side) connect(ctx context.Context, id int32) (net.Conn, error) {
	if id < 1 || int(id) > len(s.addrs) {
		return nil, fmt.Errorf("no broker %d", id)
	}
	dial := s.dial
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	return dial(ctx, "tcp", s.addrs[id-1])
}

func startKafka(ctx context.Context, p pair) (*side, error) {
	c, err := realkafka.Start(ctx, realkafka.Config{
		Brokers: p.brokers(), Features: features, Properties: p.properties(), ACL: p == users, Users: passwords(),
	})
	if err != nil {
		return nil, err
	}
	return &side{real: true, secure: p == users, addrs: c.Addrs(), close: c.Close}, nil
}

func startReference(_ context.Context, p pair) (*side, error) { return startOn(nil, p) }

// startInMemory starts the reference broker on a network in memory, for virtual time.
func startInMemory(_ context.Context, p pair) (*side, error) { return startOn(broker.NewNetwork(), p) }

func startOn(network *broker.Network, p pair) (*side, error) {
	cfg := broker.Config{Network: network, Brokers: p.brokers(), Properties: p.properties(), Racks: []string{"rack-1", "rack-2", "rack-3"}[:p.brokers()]}
	if p == users {
		cfg.SASL, cfg.Authorizer = &broker.SASL{}, &broker.Authorizer{SuperUsers: []string{"User:" + superUser}}
		for name, password := range passwords() {
			cfg.SASL.Users = append(cfg.SASL.Users, broker.NewUser(name, password))
		}
	}
	c, err := broker.Start(cfg)
	if err != nil {
		return nil, err
	}
	return &side{secure: p == users, addrs: c.Addrs(), close: func() { _ = c.Close() }, dial: c.Dial}, nil
}

// port returns which broker listens there, 0 for none.
func (s *side) port(port int32) int {
	for i, a := range s.addrs {
		if strings.HasSuffix(a, fmt.Sprintf(":%d", port)) {
			return i + 1
		}
	}
	return 0
}
