package sordini

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sordini-go/sordini/internal/secret"
	"github.com/sordini-go/sordini/serde"
)

// Registry is where a schema registry is; see [serde.Registry].
type Registry = serde.Registry

// Secret is a string that is never printed (guarantee G14).
type Secret = secret.Secret

// NewSecret returns a Secret that holds s.
func NewSecret(s string) Secret { return secret.New(s) }

// SecretFile returns a Secret that stands in a file, without one line end at its end. The file is read again at each use, so a changed one counts from the next
// connection on, without a restart. One that can not be read, or is empty, is refused at construction; when that happens later, the Secret stays what it was
// and the cluster's logger is told.
func SecretFile(path string) Secret { return secret.File(path) }

// Cluster is how to reach a Kafka cluster. It is plain data, copied freely; printing it shows no secret (guarantee G14). [FromEnv] makes one from the
// environment. What can not work is refused by [Cluster.Validate], which everything that connects calls.
type Cluster struct {
	Brokers  []string    // host:port, at least one; the others are learned from it
	ClientID string      // the program's name when empty; brokers write it to their logs and quotas
	TLS      *tls.Config // nil for none; TLSFromFiles makes one from PEM files
	TLSFiles TLSFiles    // certificates in files that are read again when they change; TLS is on when any is named, with TLS, if set, for the rest
	SASL     Mechanism   // nil for none; Plain, ScramSHA256, ScramSHA512, OAuthBearer, AWSMSKIAM
	Registry Registry    // of schemas; the zero value for none

	// AllowPlainWithoutTLS says for the second time that what SASL PLAIN, OAUTHBEARER or AWS_MSK_IAM send, the client secret for a token endpoint, or the
	// registry's credentials, may cross the network in clear text.
	AllowPlainWithoutTLS bool

	// Dial opens connections in place of net.Dialer; an in-memory network in tests. TLS, where set, is put on top of it.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)

	// Logger takes what the SDK reports: slog.Default() when nil. Nothing is written to it that is also returned as an error.
	Logger *slog.Logger

	// Development accepts the broker's replication factor for topics that are created, with a warning: for one broker on a laptop.
	Development bool

	// Strict refuses what is otherwise warned about: fewer than 3 replicas, fewer than 2 in sync, TLS that verifies nothing, passwords in clear text. Strict and
	// Development together are refused.
	Strict bool

	// Kgo is the one escape hatch: options of franz-go for buffers, sizes, timeouts, hooks, compression. What would break a guarantee, or what a field of
	// Sordini says already, is refused: acknowledgements, idempotence, partitioner, auto-commit, balancers, isolation, group, topics, offsets, transactional
	// id, callbacks of the group, brokers, TLS, SASL. So is what the part that connects sets itself.
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

// Name returns the client id that brokers see: ClientID, or the program's name where that is empty.
func (c Cluster) Name() string {
	if c.ClientID != "" {
		return c.ClientID
	}
	name := strings.TrimSuffix(filepath.Base(os.Args[0]), ".exe")
	if name == "" || name == "." || name == string(filepath.Separator) {
		return "sordini"
	}
	return name[:min(len(name), maxClientID)]
}

// maxClientID is what franz-go allows.
const maxClientID = 256

// NewClient validates the cluster and returns a franz-go client for it, with opts applied last. It does not dial. It is how every part of Sordini connects,
// and the way to a raw client with the same settings for what Sordini does not cover. What is warned about is logged, at most once in ten seconds.
//
// Options are applied in this order: Sordini's limits and timeouts, Kgo, what the other fields say, opts. An option of Kgo that opts replace is refused:
// it would be ignored in silence.
func (c Cluster) NewClient(opts ...kgo.Opt) (*kgo.Client, error) {
	problems, warnings := c.inspect()
	if err := clusterError(problems); err != nil {
		return nil, err
	}
	touched, err := c.checkKgo()
	if err != nil {
		return nil, err
	}
	for _, w := range warnings {
		if ok, _ := warned.Allow("cluster", w); ok {
			c.Log().Warn("cluster: " + w)
		}
	}
	var h hung
	dial, err := c.dialer(&h)
	if err != nil {
		return nil, err
	}
	all := append(c.limits(), c.Kgo...)
	all = append(all, kgo.SeedBrokers(c.Brokers...), kgo.ClientID(c.Name()), kgo.Dialer(dial), kgo.WithHooks(&h))
	if c.SASL != nil {
		all = append(all, kgo.SASL(reporting{c.SASL, c.Log()}))
	}
	cl, err := kgo.NewClient(append(all, opts...)...)
	if err != nil {
		return nil, clusterError([]string{err.Error()})
	}
	if err := touched.kept(cl); err != nil {
		cl.Close()
		return nil, err
	}
	return cl, nil
}
