package brokertest

import (
	"crypto/rand"
	"crypto/tls"
	"slices"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/broker"
	"github.com/sordini-go/sordini/broker/registry"
)

// Admin is who [Cluster.SDK] is on a cluster that wants to know: a user, or the subject of a certificate. It may do everything.
const Admin = "admin"

// security is what the options say of it.
type security struct {
	tls, mutual   bool
	authorize     bool
	acls          []broker.ACL
	users         []login
	oauth         *broker.OAuth
	registryUsers []login
}

type login struct{ name, password string }

// TLS has the brokers speak TLS, with certificates of an authority that is made for the cluster and that [Cluster.SDK] trusts.
func TLS() Option { return func(s *settings) { s.tls = true } }

// MutualTLS is TLS where clients show certificates too. Without users the certificate says who a client is: [Cluster.SDK] is "User:CN=admin", and
// [Cluster.SDKAs] whom it is asked for.
func MutualTLS() Option { return func(s *settings) { s.tls, s.mutual = true, true } }

// User has clients log in, and lets this one do so by SASL PLAIN, SCRAM-SHA-256 and SCRAM-SHA-512. [Cluster.SDKAs] logs in as it.
func User(name, password string) Option {
	return func(s *settings) { s.users = append(s.users, login{name, password}) }
}

// OAuth has clients log in, and accepts these tokens by SASL OAUTHBEARER.
func OAuth(tokens broker.OAuth) Option { return func(s *settings) { s.oauth = &tokens } }

// ACLs forbids what no ACL allows, to everyone but [Admin]. Without MutualTLS it has clients log in.
func ACLs(acls ...broker.ACL) Option {
	return func(s *settings) { s.authorize, s.acls = true, append(s.acls, acls...) }
}

// RegistryUser has clients of the schema registry log in. [Cluster.SDK] does as the first.
func RegistryUser(name, password string) Option {
	return func(s *settings) { s.registryUsers = append(s.registryUsers, login{name, password}) }
}

// identities are how clients get in.
type identities struct {
	authority *broker.Authority // nil: no TLS
	mutual    bool
	passwords map[string]string // nil: nobody logs in
	registry  *login
}

// secure turns what the options say into the cluster's settings.
func (s *settings) secure() (identities, error) {
	ids := identities{mutual: s.mutual}
	if s.tls {
		var err error
		if ids.authority, err = broker.NewAuthority(); err != nil {
			return ids, err //nolint:wrapcheck // says what it is
		}
		if s.Config.TLS, err = ids.authority.Server(); err != nil {
			return ids, err //nolint:wrapcheck // says what it is
		}
		if s.mutual {
			s.Config.TLS.ClientAuth = tls.RequireAndVerifyClientCert
		}
	}
	if len(s.users) > 0 || s.oauth != nil || s.authorize && !s.mutual {
		ids.passwords = make(map[string]string)
		sasl := broker.SASL{OAuth: s.oauth}
		if !slices.ContainsFunc(s.users, func(u login) bool { return u.name == Admin }) {
			s.users = append(s.users, login{Admin, rand.Text()})
		}
		for _, u := range s.users {
			ids.passwords[u.name] = u.password
			sasl.Users = append(sasl.Users, broker.NewUser(u.name, u.password))
		}
		s.Config.SASL = &sasl
	}
	if s.authorize {
		s.Config.Authorizer = &broker.Authorizer{SuperUsers: []string{"User:" + Admin, "User:CN=" + Admin}, ACLs: s.acls}
	}
	if len(s.registryUsers) > 0 {
		ids.registry = &s.registryUsers[0]
		s.Config.Registry.Users = make(map[string]registry.Password)
		for _, u := range s.registryUsers {
			s.Config.Registry.Users[u.name] = registry.Password(u.password)
		}
	}
	return ids, nil
}

// SDK returns the settings with which the SDK reaches the cluster and its schema registry. On a cluster that wants to know who that is, it is [Admin].
func (c *Cluster) SDK() sordini.Cluster { return c.sdk(Admin) }

// SDKAs is SDK as somebody else: a user of [User], or with [MutualTLS] alone anybody. It ends the test where there is no such user.
func (c *Cluster) SDKAs(name string) sordini.Cluster {
	c.t.Helper()
	if _, known := c.identities.passwords[name]; !known && (c.identities.passwords != nil || !c.identities.mutual) {
		c.t.Fatalf("brokertest: there is no user %q; add one with brokertest.User", name)
	}
	return c.sdk(name)
}

func (c *Cluster) sdk(name string) sordini.Cluster {
	ids := c.identities
	s := sordini.Cluster{Brokers: c.Addrs(), Dial: c.Dial, Development: true}
	if url := c.RegistryURL(); url != "" {
		s.Registry.URLs = []string{url}
	}
	if c.inMemory {
		s.Registry.Dial = c.Dial
	}
	if ids.authority != nil {
		subject := ""
		if ids.mutual {
			subject = name
		}
		cfg, err := ids.authority.Client(subject)
		if err != nil {
			c.t.Fatalf("brokertest: %v", err)
		}
		s.TLS = cfg
	}
	if ids.passwords != nil {
		s.SASL = sordini.ScramSHA512(name, ids.passwords[name])
	}
	if ids.registry != nil {
		s.Registry.Username, s.Registry.Password = ids.registry.name, sordini.NewSecret(ids.registry.password)
		s.AllowPlainWithoutTLS = true // the registry speaks HTTP
	}
	return s
}

// Authority is who signed the brokers' certificates; nil without [TLS].
func (c *Cluster) Authority() *broker.Authority { return c.identities.authority }
