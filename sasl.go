package sordini

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

// Mechanism is a SASL mechanism: its name and one authentication. Plain, ScramSHA256 and ScramSHA512 are here; implement it for others. An implementation
// keeps its secrets where %+v does not look, in a func or a [Secret] (guarantee G14).
type Mechanism = sasl.Mechanism

// Plain is SASL PLAIN (RFC 4616): the password crosses the network as it is, so it is refused without TLS unless Cluster.AllowPlainWithoutTLS says otherwise.
func Plain(username, password string) Mechanism {
	m := newMechanism("PLAIN", username, password)
	m.inner = plain.Plain(func(context.Context) (plain.Auth, error) { return plain.Auth{User: username, Pass: password}, nil })
	return m
}

// ScramSHA256 is SASL SCRAM-SHA-256 (RFC 7677, KIP-84): both sides prove that they know the password without sending it.
func ScramSHA256(username, password string) Mechanism {
	m := newMechanism("SCRAM-SHA-256", username, password)
	m.inner = scram.Sha256(scramAuth(username, password))
	return m
}

// ScramSHA512 is SASL SCRAM-SHA-512 (KIP-84): see ScramSHA256.
func ScramSHA512(username, password string) Mechanism {
	m := newMechanism("SCRAM-SHA-512", username, password)
	m.inner = scram.Sha512(scramAuth(username, password))
	return m
}

func scramAuth(username, password string) func(context.Context) (scram.Auth, error) {
	return func(context.Context) (scram.Auth, error) { return scram.Auth{User: username, Pass: password}, nil }
}

// mechanism holds the password in the closure of inner alone: fmt calls no methods on somebody's unexported field, and prints a func as an address.
type mechanism struct {
	name, username string
	missing        string // what was not given
	inner          sasl.Mechanism
}

func newMechanism(name, username, password string) *mechanism {
	m := &mechanism{name: name, username: username}
	switch {
	case username == "":
		m.missing = "username"
	case password == "":
		m.missing = "password"
	}
	return m
}

// Name is the mechanism's name in SaslHandshake.
func (m *mechanism) Name() string { return m.name }

// Authenticate starts one authentication.
func (m *mechanism) Authenticate(ctx context.Context, host string) (sasl.Session, []byte, error) {
	return m.inner.Authenticate(ctx, host)
}

// Format prints the mechanism and the user for every verb.
func (m *mechanism) Format(f fmt.State, _ rune) {
	if m == nil {
		_, _ = f.Write([]byte("<nil>"))
		return
	}
	_, _ = fmt.Fprintf(f, "%s as %q", m.name, m.username)
}

// MarshalText is Format for encoders.
func (m *mechanism) MarshalText() ([]byte, error) { return fmt.Append(nil, m), nil }

// Principal is who the brokers take the client for, as ACLs name it, so far as the settings tell: the SASL user, or the subject of the client's
// certificate; User:ANONYMOUS without either.
func (c Cluster) Principal() string {
	switch m := c.SASL.(type) {
	case nil:
	case *mechanism:
		return "User:" + m.username
	default:
		return ""
	}
	if c.TLS != nil && len(c.TLS.Certificates) > 0 {
		if leaf := c.TLS.Certificates[0].Leaf; leaf != nil {
			return "User:" + leaf.Subject.String()
		}
	}
	return "User:ANONYMOUS"
}
