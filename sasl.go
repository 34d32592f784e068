package sordini

import (
	"context"
	"fmt"
	"log/slog"
	"strings"

	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

// Mechanism is a SASL mechanism: its name and one authentication. [Plain], [ScramSHA256], [ScramSHA512], [OAuthBearer] and [AWSMSKIAM] are here; implement it
// for others. What an implementation returns from Authenticate is used for one connection, or for one re-authentication of it (KIP-368), so it may be
// different each time: a password that was changed, a token that was renewed. Authenticate is called from several goroutines.
//
// Two methods more may say what the SDK can not know, and are called where they are there: Principal() string is who the brokers take the client for
// ("User:alice"), for diagnoses; Validate() error refuses what can not work before anything connects.
//
// Close of a [sasl.ClosingMechanism] is not called: the clients of a cluster share its mechanism.
//
// An implementation keeps its secrets where %+v does not look, in a func or a [Secret] (guarantee G14).
type Mechanism = sasl.Mechanism

// Plain is SASL PLAIN (RFC 4616): the password crosses the network as it is, so it is refused without TLS unless Cluster.AllowPlainWithoutTLS says otherwise.
// For a password in a file see [Login].
func Plain(username, password string) Mechanism {
	return Login{Username: username, Password: NewSecret(password)}.Plain()
}

// ScramSHA256 is SASL SCRAM-SHA-256 (RFC 7677, KIP-84): both sides prove that they know the password without sending it. For a password in a file see [Login].
func ScramSHA256(username, password string) Mechanism {
	return Login{Username: username, Password: NewSecret(password)}.ScramSHA256()
}

// ScramSHA512 is SASL SCRAM-SHA-512 (KIP-84): see ScramSHA256.
func ScramSHA512(username, password string) Mechanism {
	return Login{Username: username, Password: NewSecret(password)}.ScramSHA512()
}

// Login is a user and a password for the mechanisms that want those. Both may stand in files, which are read again at each connection: a rotated password is
// used from the next connection on, without a restart.
//
//	SASL: sordini.Login{Username: "alice", Password: sordini.SecretFile("/run/secrets/password")}.ScramSHA512()
type Login struct {
	Username     string
	UsernameFile string // instead of Username; one line end is cut off
	Password     Secret
}

// Plain is SASL PLAIN; see the function of this name.
func (l Login) Plain() Mechanism {
	return l.mechanism("PLAIN", func(username, password string) sasl.Mechanism {
		return plain.Plain(func(context.Context) (plain.Auth, error) { return plain.Auth{User: username, Pass: password}, nil })
	})
}

// ScramSHA256 is SASL SCRAM-SHA-256; see the function of this name.
func (l Login) ScramSHA256() Mechanism {
	return l.mechanism("SCRAM-SHA-256", func(username, password string) sasl.Mechanism { return scram.Sha256(scramAuth(username, password)) })
}

// ScramSHA512 is SASL SCRAM-SHA-512; see the function ScramSHA256.
func (l Login) ScramSHA512() Mechanism {
	return l.mechanism("SCRAM-SHA-512", func(username, password string) sasl.Mechanism { return scram.Sha512(scramAuth(username, password)) })
}

func scramAuth(username, password string) func(context.Context) (scram.Auth, error) {
	return func(context.Context) (scram.Auth, error) { return scram.Auth{User: username, Pass: password}, nil }
}

func (l Login) mechanism(name string, of func(username, password string) sasl.Mechanism) *mechanism {
	username := NewSecret(l.Username)
	if l.UsernameFile != "" {
		username = SecretFile(l.UsernameFile)
	}
	return &mechanism{
		name: name,
		who:  username.Reveal,
		about: func() string {
			if l.UsernameFile != "" {
				return fmt.Sprintf("as the user in %s", l.UsernameFile)
			}
			return fmt.Sprintf("as %q", l.Username)
		},
		problems: func(Cluster) []string {
			if l.Username != "" && l.UsernameFile != "" {
				return []string{"has both a Username and a UsernameFile; leave one out"}
			}
			return append(required("username", username), required("password", l.Password)...)
		},
		begin: func(ctx context.Context, host string) (sasl.Session, []byte, error) {
			user, err := current(ctx, name+" user name", username)
			if err != nil {
				return nil, nil, err
			}
			password, err := current(ctx, name+" password", l.Password)
			if err != nil {
				return nil, nil, err
			}
			return of(user, password).Authenticate(ctx, host)
		},
	}
}

// required says what is wrong with a secret that has to be there.
func required(what string, s Secret) []string {
	switch _, err := s.Get(); {
	case s.IsZero():
		return []string{"has no " + what}
	case err != nil:
		return []string{"has no " + what + ": " + err.Error()}
	}
	return nil
}

// current returns what a secret is now. One whose file can not be read stays what it was, and that is reported.
func current(ctx context.Context, what string, s Secret) (string, error) {
	value, err := s.Get()
	if err == nil {
		return value, nil
	}
	if value == "" {
		return "", fmt.Errorf("%s: %w", what, err)
	}
	report(ctx, fmt.Sprintf("%s: %v; what it held before is used", what, err))
	return value, nil
}

// mechanism is what every mechanism here is. Secrets are in closures alone: fmt calls no methods on somebody's unexported field, and prints a func as an
// address.
type mechanism struct {
	name     string
	who      func() string          // the user's name as the brokers will see it, "" where that is not known
	about    func() string          // for printing
	problems func(Cluster) []string // what can not work
	begin    func(ctx context.Context, host string) (sasl.Session, []byte, error)
}

// Name is the mechanism's name in SaslHandshake.
func (m *mechanism) Name() string { return m.name }

// Authenticate starts one authentication.
func (m *mechanism) Authenticate(ctx context.Context, host string) (sasl.Session, []byte, error) {
	session, first, err := m.begin(ctx, host)
	if err != nil {
		return nil, nil, fmt.Errorf("SASL %s with %s: %w", m.name, host, err)
	}
	return session, first, nil
}

// Principal is who the brokers take the client for, "" where that is not known.
func (m *mechanism) Principal() string {
	if who := m.who(); who != "" {
		return "User:" + who
	}
	return ""
}

// Format prints the mechanism and the user for every verb.
func (m *mechanism) Format(f fmt.State, _ rune) {
	if m == nil {
		_, _ = f.Write([]byte("<nil>"))
		return
	}
	_, _ = fmt.Fprintf(f, "%s %s", m.name, m.about())
}

// MarshalText is Format for encoders.
func (m *mechanism) MarshalText() ([]byte, error) { return fmt.Append(nil, m), nil }

// Principal is who the brokers take the client for, as ACLs name it, so far as the settings tell: the SASL user, the subject of a token, or the subject of
// the client's certificate; User:ANONYMOUS without any, and "" where only the brokers know.
func (c Cluster) Principal() string {
	if c.SASL != nil {
		if m, ok := c.SASL.(interface{ Principal() string }); ok && !isNil(c.SASL) {
			return m.Principal()
		}
		return ""
	}
	if subject := c.certificateSubject(); subject != "" {
		return "User:" + subject
	}
	return "User:ANONYMOUS"
}

func isNil(m Mechanism) bool {
	own, ok := m.(*mechanism)
	return ok && own == nil
}

// exposes are the mechanisms whose proof of identity can be used by whoever reads it on the network.
var exposes = map[string]string{
	"PLAIN": "the password", "OAUTHBEARER": "the token", "AWS_MSK_IAM": "a signature that is good for minutes",
}

// inspectSASL adds what can not work, and what should not be, about the mechanism.
func (c Cluster) inspectSASL(bad, doubtful func(string, ...any)) {
	if c.SASL == nil {
		return
	}
	if isNil(c.SASL) {
		bad("SASL is a nil mechanism; use sordini.Plain, sordini.ScramSHA256, sordini.ScramSHA512 or sordini.OAuthBearer, or leave it out")
		return
	}
	if m, ok := c.SASL.(*mechanism); ok {
		for _, p := range m.problems(c) {
			bad("SASL %s %s", m.name, p)
		}
	} else if m, ok := c.SASL.(interface{ Validate() error }); ok {
		if err := m.Validate(); err != nil {
			bad("SASL %s: %v", c.SASL.Name(), err)
		}
	}
	what, exposed := exposes[strings.ToUpper(c.SASL.Name())]
	switch {
	case !exposed || c.usesTLS():
	case c.AllowPlainWithoutTLS:
		doubtful("SASL %s without TLS sends %s in clear text (AllowPlainWithoutTLS)", c.SASL.Name(), what)
	default:
		bad("SASL %s without TLS sends %s in clear text; set TLS, use sordini.ScramSHA512, or say AllowPlainWithoutTLS as well", c.SASL.Name(), what)
	}
}

// reporting is a mechanism that reports to a cluster's logger what is no error yet.
type reporting struct {
	Mechanism
	log *slog.Logger
}

// Authenticate starts one authentication.
func (r reporting) Authenticate(ctx context.Context, host string) (sasl.Session, []byte, error) {
	return r.Mechanism.Authenticate(context.WithValue(ctx, reporter{}, r.log), host) //nolint:wrapcheck // the mechanism's own
}

// reporter is the context's key for the logger.
type reporter struct{}

// report logs what goes on working but should be looked at, at most once in ten seconds.
func report(ctx context.Context, text string) {
	log, ok := ctx.Value(reporter{}).(*slog.Logger)
	if !ok {
		log = slog.Default()
	}
	if ok, _ := warned.Allow("sasl", text); ok {
		log.Warn("cluster: " + text)
	}
}
