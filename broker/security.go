package broker

import (
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sordini-go/sordini/broker/internal/sasl"
	"github.com/sordini-go/sordini/broker/internal/settings"
)

// SASL makes clients prove who they are before they may do anything else. At least one user or OAuth is needed.
type SASL struct {
	// Mechanisms are those that are enabled (sasl.enabled.mechanisms): PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER. Default: the first three
	// where there are Users, the last where there is OAuth.
	Mechanisms []string
	// Users have a password, with which they may use PLAIN and both SCRAM mechanisms. Clients add others for SCRAM (AlterUserScramCredentials).
	Users []User
	// OAuth says which tokens are accepted with OAUTHBEARER.
	OAuth *OAuth
}

// User is somebody with a password. It prints no password.
type User struct {
	name     string
	password func() string // a closure, which nothing prints
}

// NewUser returns a user.
func NewUser(name, password string) User {
	return User{name: name, password: func() string { return password }}
}

// String returns the user's name.
func (u User) String() string { return u.name }

// OAuth says which tokens are accepted with OAUTHBEARER (KIP-255, KIP-768): JSON web tokens that a key set verifies, that have not expired, and whose
// claims are the expected ones. A client's session lasts no longer than its token.
type OAuth struct {
	// JWKS is a JSON web key set as it is written; JWKSFile names a file, JWKSURL an address that has one. One of them, unless AllowUnsigned.
	JWKS              []byte
	JWKSFile, JWKSURL string
	// Issuer is what a token's "iss" must be. Default: anything.
	Issuer string
	// Audience has what a token's "aud" must have one of. Default: anything.
	Audience []string
	// Subject is the claim that has the client's name. Default "sub".
	Subject string
	// Skew is how far clocks may be apart. Default 30 s; negative: not at all.
	Skew time.Duration
	// AllowUnsigned accepts tokens that nobody has signed, as Kafka does by default: anybody can make one.
	AllowUnsigned bool
}

// security is what a cluster's listeners know about clients.
type security struct {
	tls        *tls.Config // nil: plain text
	mapper     *principalMapper
	mechanisms []string // SASL's; none: clients need not authenticate
	plain      map[string]User
	tokens     *sasl.Validator
	maxReauth  time.Duration // 0: sessions do not end by themselves
	delay      time.Duration // before a failure is answered
	limit      int           // bytes of a frame before authentication

	mu    sync.Mutex // guards scram
	scram map[scramKey]scramEntry
}

type scramKey struct {
	user      string
	mechanism sasl.Scram
}

// scramEntry is a credential, or what to make it of when it is needed first: that takes milliseconds.
type scramEntry struct {
	credential sasl.Credential
	user       *User
}

// authenticationTime is how long a client may take until it has authenticated, the TLS handshake included. Kafka has connections.max.idle.ms for that,
// ten minutes by default, which holds here where it is shorter.
const authenticationTime = 30 * time.Second

func newSecurity(cfg Config, values settings.Broker) (*security, error) {
	s := &security{
		tls:       cfg.TLS,
		maxReauth: max(values.Millis("connections.max.reauth.ms"), 0),
		delay:     values.Millis("connection.failed.authentication.delay.ms"),
		limit:     values.Int("sasl.server.max.receive.size"),
		plain:     make(map[string]User),
		scram:     make(map[scramKey]scramEntry),
	}
	var err error
	if s.mapper, err = newPrincipalMapper(values.String("ssl.principal.mapping.rules")); err != nil {
		return nil, err
	}
	if cfg.TLS != nil && len(cfg.TLS.Certificates) == 0 && cfg.TLS.GetCertificate == nil && cfg.TLS.GetConfigForClient == nil {
		return nil, errors.New("TLS: the brokers have no certificate")
	}
	if _, err := perIP(values); err != nil {
		return nil, err
	}
	if cfg.SASL == nil {
		return s, nil
	}
	return s, s.setSASL(*cfg.SASL)
}

func (s *security) setSASL(cfg SASL) error {
	for i := range cfg.Users {
		u := cfg.Users[i]
		if u.name == "" || u.password == nil || u.password() == "" {
			return fmt.Errorf("SASL user %q: a name and a password are needed", u.name)
		}
		if _, twice := s.plain[u.name]; twice {
			return fmt.Errorf("SASL user %q is there twice", u.name)
		}
		s.plain[u.name] = u
		s.scram[scramKey{u.name, sasl.SHA256}] = scramEntry{user: &u}
		s.scram[scramKey{u.name, sasl.SHA512}] = scramEntry{user: &u}
	}
	s.mechanisms = slices.Clone(cfg.Mechanisms)
	if len(s.mechanisms) == 0 {
		if len(cfg.Users) > 0 {
			s.mechanisms = append(s.mechanisms, sasl.Plain, sasl.ScramSHA512, sasl.ScramSHA256) // in the order in which Kafka happens to name them
		}
		if cfg.OAuth != nil {
			s.mechanisms = append(s.mechanisms, sasl.OAuthBearer)
		}
	}
	if len(s.mechanisms) == 0 {
		return errors.New("SASL: there is neither a user nor OAuth, so nobody could authenticate")
	}
	for _, m := range s.mechanisms {
		switch m {
		case sasl.Plain, sasl.ScramSHA256, sasl.ScramSHA512:
		case sasl.OAuthBearer:
			if cfg.OAuth == nil {
				return errors.New("SASL: OAUTHBEARER needs OAuth, which says what tokens are accepted")
			}
		default:
			return fmt.Errorf("SASL: mechanism %q is not served; those are PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 and OAUTHBEARER", m)
		}
	}
	if cfg.OAuth == nil {
		return nil
	}
	var err error
	s.tokens, err = newTokens(*cfg.OAuth)
	return err
}

func newTokens(cfg OAuth) (*sasl.Validator, error) {
	v := &sasl.Validator{Unsigned: cfg.AllowUnsigned, Issuer: cfg.Issuer, Audience: cfg.Audience, Subject: cfg.Subject, Skew: max(cfg.Skew, 0)}
	if cfg.Skew == 0 {
		v.Skew = 30 * time.Second
	}
	var err error
	switch {
	case len(cfg.JWKS) > 0:
		v.Keys, err = sasl.NewKeySet(cfg.JWKS)
	case cfg.JWKSFile != "":
		v.Keys, err = sasl.KeySetFile(cfg.JWKSFile)
	case cfg.JWKSURL != "":
		v.Keys, err = sasl.KeySetURL(cfg.JWKSURL)
	case !cfg.AllowUnsigned:
		err = errors.New("there are no keys to check tokens with; give JWKS, JWKSFile or JWKSURL, or AllowUnsigned in tests")
	}
	if err != nil {
		return nil, fmt.Errorf("OAuth: %w", err)
	}
	return v, nil
}

// checkPassword is for PLAIN.
func (s *security) checkPassword(user, password string) bool {
	u, ok := s.plain[user]
	return ok && sasl.SamePassword(u.password(), password)
}

// credential finds a user's SCRAM credential.
func (s *security) credential(mechanism sasl.Scram, user string) (sasl.Credential, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := scramKey{user, mechanism}
	e, ok := s.scram[key]
	if !ok {
		return sasl.Credential{}, false
	}
	if e.user != nil {
		c, err := mechanism.Derive(e.user.password())
		if err != nil {
			return sasl.Credential{}, false
		}
		e = scramEntry{credential: c}
		s.scram[key] = e
	}
	return e.credential, true
}

// protocol is Kafka's name of what the listeners speak.
func (s *security) protocol() string {
	switch {
	case s.tls != nil && len(s.mechanisms) > 0:
		return "SASL_SSL"
	case s.tls != nil:
		return "SSL"
	case len(s.mechanisms) > 0:
		return "SASL_PLAINTEXT"
	}
	return "PLAINTEXT"
}

// secured is how Kafka's settings would say what the configuration says of security.
func (c *Cluster) secured() map[string]string {
	s, own := c.security, make(map[string]string)
	if len(s.mechanisms) > 0 {
		own["sasl.enabled.mechanisms"] = strings.Join(s.mechanisms, ",")
	}
	if s.tls != nil {
		switch s.tls.ClientAuth {
		case tls.RequireAndVerifyClientCert, tls.RequireAnyClientCert:
			own["ssl.client.auth"] = "required"
		case tls.VerifyClientCertIfGiven, tls.RequestClientCert:
			own["ssl.client.auth"] = "requested"
		}
	}
	if c.authorizer != nil {
		own["authorizer.class.name"] = "org.apache.kafka.metadata.authorizer.StandardAuthorizer"
	}
	return own
}
