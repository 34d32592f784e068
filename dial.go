package sordini

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"slices"
)

// dialer opens a connection, with TLS on top where that is set, in dialTimeout at most. Its errors carry a diagnosis: an address that is not in Brokers came
// from the cluster, so what can not be reached there is what it advertises.
func (c Cluster) dialer(h *hung) (func(ctx context.Context, network, address string) (net.Conn, error), error) {
	certificates, err := c.newTLSSource()
	if err != nil {
		return nil, err
	}
	dial := c.Dial
	if dial == nil {
		dial = (&net.Dialer{Timeout: dialTimeout}).DialContext
	}
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		if err := h.refuse(network, address); err != nil {
			return nil, ExplainAs(err, CodeBrokerHung, About{Address: address})
		}
		dialing, cancel := context.WithTimeout(ctx, dialTimeout)
		defer cancel()
		conn, err := dial(dialing, network, address)
		switch {
		case err == nil && certificates == nil:
			return conn, nil
		case err == nil:
			return handshake(dialing, certificates.config(), conn, address)
		case ctx.Err() != nil:
			return nil, err
		}
		var op *net.OpError
		if !errors.As(err, &op) { // franz-go goes to the next broker, or tries again, only after what it takes for a failed dial
			err = &net.OpError{Op: "dial", Net: network, Addr: hostPort(address), Err: err}
		}
		code := CodeAdvertisedListener
		if slices.Contains(c.Brokers, address) {
			code = CodeBrokerUnreachable
		}
		return nil, ExplainAs(err, code, About{Address: address})
	}, nil
}

// handshake puts TLS on top of a connection. The configuration is its own.
func handshake(ctx context.Context, cfg *tls.Config, raw net.Conn, address string) (net.Conn, error) {
	if cfg.ServerName == "" {
		host, _, err := net.SplitHostPort(address)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("dial %s: %w", address, err), raw.Close())
		}
		cfg.ServerName = host
	}
	conn := tls.Client(raw, cfg)
	if err := conn.HandshakeContext(ctx); err != nil {
		_ = raw.Close()
		return nil, Explain(fmt.Errorf("TLS handshake with %s: %w", address, err), About{Address: address})
	}
	return conn, nil
}

// hostPort is an address that nobody resolved.
type hostPort string

func (hostPort) Network() string  { return "tcp" }
func (a hostPort) String() string { return string(a) }
