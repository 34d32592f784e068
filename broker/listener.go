package broker

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
)

// Listener is a further address at which every broker takes connections, such as the one for clients in a container's network where the first is for
// clients outside it. A client is told the brokers' addresses on the listener that it came through (KIP-103). What the first listener asks of clients
// (TLS, SASL) every other asks too.
type Listener struct {
	// Name is what Kafka's settings call it, in capitals, such as INTERNAL. The first listener has the name of its protocol: PLAINTEXT, SSL and so on.
	Name string
	// Listen and Advertise are as in [Config].
	Listen    string
	Advertise []string
}

// endpoint is where one broker is on one listener.
type endpoint struct {
	name  string // the listener's
	bind  string // what is listened on; once that has happened, with the port that it has
	local string // where this process reaches it
	host  string // as clients are told; "" until it is known where the broker listens
	port  int32
}

// advertised is the address that clients are told.
func (e *endpoint) advertised() string { return net.JoinHostPort(e.host, strconv.Itoa(int(e.port))) }

// listen opens the listener. The first time settles the addresses: a broker that starts again is where it was before, and others read that without a lock.
func (e *endpoint) listen(c *Cluster) (l net.Listener, err error) {
	if c.network != nil {
		l, err = c.network.Listen(e.bind)
	} else {
		l, err = net.Listen("tcp", e.bind)
	}
	if err != nil || e.local != "" {
		return l, err
	}
	bound, port, err := net.SplitHostPort(l.Addr().String())
	if err == nil {
		var p uint64
		p, err = strconv.ParseUint(port, 10, 16)
		if e.host == "" {
			e.port = int32(p)
		}
	}
	if err != nil {
		l.Close()
		return nil, fmt.Errorf("address %s: %w", l.Addr(), err)
	}
	host, _, _ := net.SplitHostPort(e.bind) // newEndpoints has split it
	e.bind = net.JoinHostPort(host, port)
	if ip := net.ParseIP(bound); bound == "" || ip != nil && ip.IsUnspecified() {
		bound = "127.0.0.1" // nobody can connect to a wildcard
	}
	e.local = net.JoinHostPort(bound, port)
	if e.host == "" {
		e.host = bound
	}
	return l, nil
}

// newEndpoints reads the addresses of the configuration: each broker's, by listener.
func newEndpoints(cfg Config, protocol string) ([][]endpoint, error) {
	brokers := make([][]endpoint, cfg.Brokers)
	listeners := append([]Listener{{Name: protocol, Listen: cfg.Listen, Advertise: cfg.Advertise}}, cfg.Listeners...)
	for i, l := range listeners {
		if err := checkListenerName(l.Name, listeners[:i]); err != nil {
			return nil, err
		}
		host, first, err := splitAddress(l.Listen, cfg.Brokers)
		if err != nil {
			return nil, fmt.Errorf("listen address %q: %w", l.Listen, err)
		}
		if n := len(l.Advertise); n > 1 && n != cfg.Brokers {
			return nil, fmt.Errorf("listener %s advertises %d addresses for %d brokers: give one for each, or one alone", l.Name, n, cfg.Brokers)
		}
		for b := range brokers {
			e := endpoint{name: l.Name, bind: net.JoinHostPort(host, strconv.Itoa(following(first, b)))}
			if len(l.Advertise) > 0 {
				if e.host, e.port, err = advertisedAt(l.Advertise, b); err != nil {
					return nil, err
				}
			}
			brokers[b] = append(brokers[b], e)
		}
	}
	return brokers, nil
}

func checkListenerName(name string, others []Listener) error {
	letters := func(r rune) bool { return (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_' }
	switch {
	case name == "" || strings.ContainsFunc(name, letters):
		return fmt.Errorf("listener %q: a name has capitals, digits and underscores, such as INTERNAL", name)
	case name == "CONTROLLER":
		return errors.New("listener CONTROLLER: the reference broker's controllers need none")
	case slices.ContainsFunc(others, func(l Listener) bool { return l.Name == name }):
		return fmt.Errorf("listener %s is there twice, and the first has the name of its protocol", name)
	}
	return nil
}

// splitAddress reads an address whose port is the first of as many as there are brokers.
func splitAddress(address string, brokers int) (host string, first int, err error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return "", 0, err
	}
	p, err := strconv.ParseUint(port, 10, 16)
	if err != nil || p != 0 && p+uint64(brokers)-1 > 65535 {
		return "", 0, fmt.Errorf("the port must be a number that leaves room for %d brokers", brokers)
	}
	return host, int(p), nil
}

// following is the port of a broker by that of the first; 0 stands for a free one.
func following(first, broker int) int {
	if first == 0 {
		return 0
	}
	return first + broker
}

// advertisedAt is the address that one broker advertises.
func advertisedAt(addresses []string, broker int) (string, int32, error) {
	address, ports := addresses[0], broker+1
	if len(addresses) > 1 {
		address, ports, broker = addresses[broker], 1, 0
	}
	host, port, err := splitAddress(address, ports)
	if ip := net.ParseIP(host); err == nil && (port == 0 || host == "" || ip != nil && ip.IsUnspecified()) {
		err = errors.New("clients need a host and a port that they can connect to")
	}
	if err != nil {
		return "", 0, fmt.Errorf("advertised address %q: %w", address, err)
	}
	return host, int32(following(port, broker)), nil
}

// endpoint is where the client that asks reaches a broker.
func (r *request) endpoint(n *node) *endpoint { return &n.endpoints[r.conn.listener] }

// listenerSettings are the broker's listeners as Kafka's settings have them.
func (n *node) listenerSettings() map[string]string {
	var listen, advertise, protocols []string
	protocol := n.cluster.security.protocol()
	for i := range n.endpoints {
		e := &n.endpoints[i]
		listen = append(listen, e.name+"://"+e.local)
		advertise = append(advertise, e.name+"://"+e.advertised())
		protocols = append(protocols, e.name+":"+protocol)
	}
	own := map[string]string{"listeners": strings.Join(listen, ","), "advertised.listeners": strings.Join(advertise, ",")}
	if len(n.endpoints) > 1 {
		own["listener.security.protocol.map"] = strings.Join(protocols, ",")
	}
	return own
}
