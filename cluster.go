package sordini

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"

	"github.com/sordini-go/sordini/internal/secret"
	"github.com/sordini-go/sordini/serde"
)

// Registry is where a schema registry is; see [serde.Registry].
type Registry = serde.Registry

// Secret is a string that is never printed (guarantee G14).
type Secret = secret.Secret

// NewSecret returns a Secret that holds s.
func NewSecret(s string) Secret { return secret.New(s) }

// Mechanism is a SASL mechanism: its name and one authentication. Plain, ScramSHA256 and ScramSHA512 are here; implement it for others.
type Mechanism = sasl.Mechanism

// Cluster is how to reach a Kafka cluster. It is plain data, copied freely; printing it shows no secret.
type Cluster struct {
	Brokers  []string // host:port, at least one
	ClientID string   // the program's name when empty; brokers write it to their logs and quotas
	TLS      *tls.Config
	SASL     Mechanism
	Registry Registry

	// AllowPlainWithoutTLS says for the second time that SASL PLAIN may send its password in clear text.
	AllowPlainWithoutTLS bool

	// Dial opens connections in place of net.Dialer; an in-memory network in tests. TLS, where set, is put on top of it.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)

	// Logger takes what the SDK reports: slog.Default() when nil. Nothing is written to it that is also returned as an error.
	Logger *slog.Logger

	// Development accepts the broker's replication factor for topics that are created, with a warning: for one broker on a laptop.
	Development bool

	// Strict refuses what is otherwise warned about. Strict and Development together are refused.
	Strict bool

	// Kgo is the one escape hatch: franz-go options that are applied before Sordini's own. What would break a guarantee is refused: acknowledgements,
	// idempotence, auto-commit, balancers, isolation, group, topics, transactional id, callbacks of the group.
	Kgo []kgo.Opt
}

// ErrCluster is wrapped by every error about cluster settings that can not work.
var ErrCluster = errors.New("invalid cluster settings")

// Log returns the cluster's logger, slog.Default() where none is set.
func (c Cluster) Log() *slog.Logger {
	if c.Logger != nil {
		return c.Logger
	}
	return slog.Default()
}

// NewClient validates the cluster and returns a franz-go client for it, with opts applied last. It does not dial. It is how every part of
// Sordini connects, and the way to a raw client with the same settings for what Sordini does not cover.
func (c Cluster) NewClient(opts ...kgo.Opt) (*kgo.Client, error) {
	if len(c.Brokers) == 0 {
		return nil, fmt.Errorf("cluster: Brokers is empty; give at least one host:port: %w", ErrCluster)
	}
	all := append([]kgo.Opt{}, c.Kgo...)
	all = append(all, kgo.SeedBrokers(c.Brokers...))
	if c.ClientID != "" {
		all = append(all, kgo.ClientID(c.ClientID))
	}
	if c.Dial != nil {
		all = append(all, kgo.Dialer(c.Dial))
	}
	if c.TLS != nil && c.Dial == nil {
		all = append(all, kgo.DialTLSConfig(c.TLS))
	}
	if c.SASL != nil {
		all = append(all, kgo.SASL(c.SASL))
	}
	return kgo.NewClient(append(all, opts...)...)
}
