package broker_test

import (
	"cmp"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/oauth"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"github.com/sordini-go/sordini/broker"
)

var authority = func() *broker.Authority {
	a, err := broker.NewAuthority()
	if err != nil {
		panic(err)
	}
	return a
}()

// serverTLS and clientTLS are settings of the authority; a name asks for a client certificate.
func serverTLS(t testing.TB, auth tls.ClientAuthType) *tls.Config {
	t.Helper()
	cfg, err := authority.Server()
	if err != nil {
		t.Fatal(err)
	}
	cfg.ClientAuth = auth
	return cfg
}

func clientTLS(t testing.TB, name string) *tls.Config {
	t.Helper()
	cfg, err := authority.Client(name)
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// startSecure runs a cluster in memory.
func startSecure(t testing.TB, cfg broker.Config) *broker.Cluster {
	t.Helper()
	cfg.Network = broker.NewNetwork()
	if cfg.Topics == nil {
		cfg.Topics = []broker.Topic{{Name: "orders"}}
	}
	cluster, err := broker.Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cluster.Close() })
	return cluster
}

func users() *broker.SASL {
	return &broker.SASL{Users: []broker.User{broker.NewUser("alice", "alice-secret"), broker.NewUser("bob", "bob-secret")}}
}

// connect returns a client that authenticates and gives up early. tlsConfig may be nil.
func connect(t testing.TB, cluster *broker.Cluster, tlsConfig *tls.Config, mechanism sasl.Mechanism, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	dial := cluster.Dial
	opts = append([]kgo.Opt{kgo.SeedBrokers(cluster.Addrs()...), kgo.ProducerLinger(0), kgo.RetryTimeout(2 * time.Second), kgo.RecordDeliveryTimeout(5 * time.Second)}, opts...)
	if tlsConfig != nil {
		dial = dialTLS(cluster, tlsConfig)
	}
	opts = append(opts, kgo.Dialer(dial))
	if mechanism != nil {
		opts = append(opts, kgo.SASL(mechanism))
	}
	client, err := kgo.NewClient(opts...)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func plainAuth(user, password string) sasl.Mechanism {
	return plain.Auth{User: user, Pass: password}.AsMechanism()
}

// unsignedToken is a token that nobody has signed.
func unsignedToken(subject string, life time.Duration) string {
	enc := base64.RawURLEncoding
	now := time.Now()
	return enc.EncodeToString([]byte(`{"alg":"none"}`)) + "." +
		enc.EncodeToString(fmt.Appendf(nil, `{"sub":%q,"iat":%d,"exp":%d}`, subject, now.Unix(), now.Add(life).Unix())) + "."
}

func TestEveryMechanismAuthenticatesOverTextAndTLS(t *testing.T) {
	sasls := users()
	sasls.OAuth = &broker.OAuth{AllowUnsigned: true}
	for name, mechanism := range map[string]func(password string) sasl.Mechanism{
		"PLAIN":         func(p string) sasl.Mechanism { return plainAuth("alice", p) },
		"SCRAM-SHA-256": func(p string) sasl.Mechanism { return scram.Auth{User: "alice", Pass: p}.AsSha256Mechanism() },
		"SCRAM-SHA-512": func(p string) sasl.Mechanism { return scram.Auth{User: "alice", Pass: p}.AsSha512Mechanism() },
		"OAUTHBEARER": func(p string) sasl.Mechanism {
			life := time.Hour
			if p != "alice-secret" {
				life = -time.Hour
			}
			return oauth.Auth{Token: unsignedToken("alice", life)}.AsMechanism()
		},
	} {
		for _, overTLS := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, TLS %v", name, overTLS), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					cfg := broker.Config{Brokers: 2, SASL: sasls, Authorizer: &broker.Authorizer{ACLs: []broker.ACL{{Principal: "User:alice", Name: "orders"}}}}
					var client *tls.Config
					if overTLS {
						cfg.TLS, client = serverTLS(t, tls.NoClientCert), clientTLS(t, "")
					}
					cluster := startSecure(t, cfg)
					c := connect(t, cluster, client, mechanism("alice-secret"))
					defer c.Close()
					if err := c.ProduceSync(t.Context(), &kgo.Record{Topic: "orders", Value: []byte("x")}).FirstErr(); err != nil {
						t.Errorf("produce: %v", err)
					}
					wrong := connect(t, cluster, client, mechanism("wrong"))
					defer wrong.Close()
					if err := wrong.Ping(t.Context()); err == nil || name != "OAUTHBEARER" && !errors.Is(err, kerr.SaslAuthenticationFailed) {
						t.Errorf("wrong password: %v", err) // of a token, franz-go has an error of its own
					}
				})
			})
		}
	}
}

func TestClientCertificateIsThePrincipal(t *testing.T) {
	for _, test := range []struct {
		auth         tls.ClientAuthType
		rules, name  string
		principal    string // who may write
		fails, wrote bool
	}{
		{auth: tls.RequireAndVerifyClientCert, name: "alice", principal: "User:CN=alice", wrote: true},
		{auth: tls.RequireAndVerifyClientCert, name: "", fails: true},
		{auth: tls.VerifyClientCertIfGiven, name: "", principal: "User:ANONYMOUS", wrote: true},
		{auth: tls.VerifyClientCertIfGiven, name: "bob", principal: "User:ANONYMOUS"},
		{auth: tls.RequireAndVerifyClientCert, name: "Alice", rules: "RULE:^CN=(.*)$/$1/L, DEFAULT", principal: "User:alice", wrote: true},
		{auth: tls.RequireAndVerifyClientCert, name: "Alice", rules: "RULE:^OU=(.*)$/$1/", fails: true},
	} {
		synctest.Test(t, func(t *testing.T) {
			props := map[string]string{}
			if test.rules != "" {
				props["ssl.principal.mapping.rules"] = test.rules
			}
			cluster := startSecure(t, broker.Config{TLS: serverTLS(t, test.auth), Properties: props,

				Authorizer: &broker.Authorizer{ACLs: []broker.ACL{{Principal: cmp.Or(test.principal, "User:nobody"), Name: "orders"}}}})
			c := connect(t, cluster, clientTLS(t, test.name), nil)
			defer c.Close()
			err := c.Ping(t.Context())
			if (err != nil) != test.fails {
				t.Errorf("%+v: ping: %v", test, err)
			}
			if test.fails {
				return
			}
			err = c.ProduceSync(t.Context(), &kgo.Record{Topic: "orders", Value: []byte("x")}).FirstErr()
			if test.wrote != (err == nil) || err != nil && !errors.Is(err, kerr.TopicAuthorizationFailed) {
				t.Errorf("%+v: produce: %v", test, err)
			}
		})
	}
}

// dialTLS dials the cluster and speaks TLS.
func dialTLS(cluster *broker.Cluster, cfg *tls.Config) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		raw, err := cluster.Dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		c := cfg.Clone()
		c.ServerName = strings.Split(addr, ":")[0]
		t := tls.Client(raw, c)
		if err := t.HandshakeContext(ctx); err != nil {
			raw.Close()
			return nil, err
		}
		return t, nil
	}
}

// mustTLS is a connection over TLS.
func mustTLS(t *testing.T, cluster *broker.Cluster) net.Conn {
	t.Helper()
	conn, err := dialTLS(cluster, clientTLS(t, ""))(t.Context(), "tcp", cluster.Addrs()[0])
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func TestSettingsSayHowTheClusterIsSecured(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cluster := startSecure(t, broker.Config{TLS: serverTLS(t, tls.VerifyClientCertIfGiven), SASL: users(), Authorizer: &broker.Authorizer{SuperUsers: []string{"User:alice"}}})
		c := connect(t, cluster, clientTLS(t, ""), plainAuth("alice", "alice-secret"))
		defer c.Close()
		req := kmsg.NewPtrDescribeConfigsRequest()
		req.Resources = []kmsg.DescribeConfigsRequestResource{{ResourceType: kmsg.ConfigResourceTypeBroker, ResourceName: "1"}}
		resp, err := req.RequestWith(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]string{"sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-512,SCRAM-SHA-256", "ssl.client.auth": "requested",
			"authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer", "listeners": "SASL_SSL://" + cluster.Addrs()[0]}
		for _, kv := range resp.Resources[0].Configs {
			if w, ok := want[kv.Name]; ok && (kv.Value == nil || *kv.Value != w) {
				t.Errorf("%s is %v, want %s", kv.Name, kv.Value, w)
			}
			delete(want, kv.Name)
		}
		if len(want) > 0 {
			t.Errorf("not described: %v", want)
		}
	})
}
