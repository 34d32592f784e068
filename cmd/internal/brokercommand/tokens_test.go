package brokercommand

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/oauth"

	"github.com/sordini-go/sordini/broker"
)

// ask produces a record and says what came of it.
func ask(t *testing.T, addrs, topic string, opts ...kgo.Opt) error {
	t.Helper()
	client, err := kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(strings.Split(addrs, ",")...), kgo.RetryTimeout(2 * time.Second), kgo.RecordDeliveryTimeout(5 * time.Second), kgo.ProducerLinger(0),
		kgo.UnknownTopicRetries(0), kgo.AllowAutoTopicCreation(),
	}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	return client.ProduceSync(t.Context(), &kgo.Record{Topic: topic, Value: []byte("v")}).FirstErr()
}

func TestTopicsAreNotMadeByAskingWhereThatIsForbidden(t *testing.T) {
	cmd, ready := process(t, nil, "--listen", "127.0.0.1:0", "--brokers", "3", "--topic", "orders:12", "--no-auto-create")
	if n := len(strings.Split(ready, ",")); n != 3 {
		t.Errorf("%d brokers are ready: %s", n, ready)
	}
	if err := ask(t, ready, "orders"); err != nil {
		t.Errorf("produce to the topic of the command line: %v", err)
	}
	if err := ask(t, ready, "by-accident"); !errors.Is(err, kerr.UnknownTopicOrPartition) {
		t.Errorf("produce to a topic that nobody has created: %v", err)
	}
	stop(t, cmd)
}

// keep writes a certificate chain and its key down.
func keep(t *testing.T, cfg *tls.Config, certFile, keyFile string) {
	t.Helper()
	pair := cfg.Certificates[0]
	var chain []byte
	for _, der := range pair.Certificate {
		chain = append(chain, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	}
	der, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	key := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	if err := errors.Join(os.WriteFile(certFile, chain, 0o600), os.WriteFile(keyFile, key, 0o600)); err != nil {
		t.Fatal(err)
	}
}

func TestBrokerWantsCertificatesAndTokensFromFiles(t *testing.T) {
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	authority, err := broker.NewAuthority()
	if err != nil {
		t.Fatal(err)
	}
	server, err := authority.Server()
	if err != nil {
		t.Fatal(err)
	}
	keep(t, server, file("broker.crt"), file("broker.key"))
	client := func(of *broker.Authority, name string) kgo.Opt {
		cfg, err := of.Client(name)
		if err != nil {
			t.Fatal(err)
		}
		cfg.RootCAs = server.ClientCAs
		return kgo.DialTLSConfig(cfg)
	}
	stranger, err := broker.NewAuthority()
	if err != nil {
		t.Fatal(err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	set, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "1"}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.WriteFile(file("keys.json"), set, 0o600), os.WriteFile(file("ca.crt"), authority.PEM(), 0o600)); err != nil {
		t.Fatal(err)
	}
	token := func(issuer, audience string) kgo.Opt {
		signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key}, (&jose.SignerOptions{}).WithHeader("kid", "1"))
		if err != nil {
			t.Fatal(err)
		}
		text, err := jwt.Signed(signer).Claims(jwt.Claims{
			Subject: "alice", Issuer: issuer, Audience: jwt.Audience{audience}, IssuedAt: jwt.NewNumericDate(time.Now()), Expiry: jwt.NewNumericDate(time.Now().Add(time.Hour)),
		}).Serialize()
		if err != nil {
			t.Fatal(err)
		}
		return kgo.SASL(oauth.Auth{Token: text}.AsMechanism())
	}

	cmd, ready := process(t, nil, "--listen", "127.0.0.1:0", "--topic", "orders:1",
		"--tls-cert", file("broker.crt"), "--tls-key", file("broker.key"), "--tls-client-ca", file("ca.crt"),
		"--oauth-jwks", file("keys.json"), "--oauth-issuer", "the castle", "--oauth-audience", "kafka", "--oauth-audience", "others",
		"--acl", "allow User:alice WRITE,DESCRIBE TOPIC orders")
	if err := ask(t, ready, "orders", client(authority, "alice"), token("the castle", "kafka")); err != nil {
		t.Errorf("who has both: %v", err)
	}
	for who, opts := range map[string][]kgo.Opt{
		"without a certificate":            {client(authority, ""), token("the castle", "kafka")},
		"with another authority's":         {client(stranger, "alice"), token("the castle", "kafka")},
		"without a token":                  {client(authority, "alice")},
		"with a token of another issuer":   {client(authority, "alice"), token("the village", "kafka")},
		"with a token for another service": {client(authority, "alice"), token("the castle", "mail")},
	} {
		c, err := kgo.NewClient(append(opts, kgo.SeedBrokers(ready), kgo.RequestRetries(0))...)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Ping(t.Context()); err == nil {
			t.Errorf("%s: it got in", who)
		}
		c.Close()
	}
	stop(t, cmd)
}
