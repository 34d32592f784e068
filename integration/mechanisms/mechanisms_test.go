// Package mechanisms_test logs in to Apache Kafka in every way that the SDK knows, but for Amazon's, which Apache Kafka does not have.
package mechanisms_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/goleak"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/integration/realkafka"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const canary = "hunter2-canary"

// issuer signs tokens (ES256).
type issuer struct{ key *ecdsa.PrivateKey }

func newIssuer(t *testing.T) issuer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return issuer{key}
}

var encode = base64.RawURLEncoding.EncodeToString

func (i issuer) jwks(t *testing.T) string {
	t.Helper()
	point, err := i.key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf(`{"keys":[{"kty":"EC","crv":"P-256","alg":"ES256","kid":"1","use":"sig","x":%q,"y":%q}]}`, encode(point[1:33]), encode(point[33:]))
}

func (i issuer) sign(subject string, life time.Duration) string {
	now := time.Now()
	payload, _ := json.Marshal(map[string]any{"sub": subject, "iat": now.Unix(), "exp": now.Add(life).Unix(), "scope": []string{"kafka"}}) // never fails
	text := encode([]byte(`{"alg":"ES256","kid":"1"}`)) + "." + encode(payload)
	hash := sha256.Sum256([]byte(text))
	r, s, err := ecdsa.Sign(rand.Reader, i.key, hash[:])
	if err != nil {
		panic(err) // the machine has no randomness
	}
	return text + "." + encode(append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...))
}

// allow lets somebody write to a topic of that name, so that it is seen who Kafka takes a client for.
func allow(t *testing.T, admin *kgo.Client, users ...string) {
	t.Helper()
	topics, acls := kmsg.NewPtrCreateTopicsRequest(), kmsg.NewPtrCreateACLsRequest()
	for _, user := range users {
		topic := kmsg.NewCreateTopicsRequestTopic()
		topic.Topic, topic.NumPartitions, topic.ReplicationFactor = "of-"+user, 1, 1
		topics.Topics = append(topics.Topics, topic)
		acl := kmsg.NewCreateACLsRequestCreation()
		acl.ResourceType, acl.ResourceName, acl.ResourcePatternType = kmsg.ACLResourceTypeTopic, topic.Topic, kmsg.ACLResourcePatternTypeLiteral
		acl.Principal, acl.Host, acl.Operation, acl.PermissionType = "User:"+user, "*", kmsg.ACLOperationWrite, kmsg.ACLPermissionTypeAllow
		acls.Creations = append(acls.Creations, acl)
	}
	made, err := topics.RequestWith(t.Context(), admin)
	if err != nil {
		t.Fatal(err)
	}
	allowed, err := acls.RequestWith(t.Context(), admin)
	if err != nil {
		t.Fatal(err)
	}
	for i := range users {
		if err := errors.Join(kerr.ErrorForCode(made.Topics[i].ErrorCode), kerr.ErrorForCode(allowed.Results[i].ErrorCode)); err != nil {
			t.Fatal(err)
		}
	}
	all := kmsg.NewPtrDescribeACLsRequest() // the controller has them; the broker hears of them later
	all.ResourceType, all.ResourcePatternType = kmsg.ACLResourceTypeTopic, kmsg.ACLResourcePatternTypeAny
	all.Operation, all.PermissionType = kmsg.ACLOperationAny, kmsg.ACLPermissionTypeAny
	for {
		known, err := all.RequestWith(t.Context(), admin)
		if err != nil {
			t.Fatal(err)
		}
		if len(known.Resources) >= len(users) {
			return
		}
		select {
		case <-t.Context().Done():
			t.Fatal("the broker does not hear of the ACLs")
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// TestMechanisms starts one broker that wants TLS with client certificates and SASL, and lets the SDK at it in every way.
func TestMechanisms(t *testing.T) {
	idp, stranger := newIssuer(t), newIssuer(t)
	c, err := realkafka.Start(t.Context(), realkafka.Config{
		Brokers: 1, MTLS: true, ACL: true, SASL: true, JWKS: idp.jwks(t),
		Properties: map[string]string{"connection.failed.authentication.delay.ms": "0", "connections.max.reauth.ms": "60000"},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	certificates := filepath.Join(c.Dir(), "tls")
	files := sordini.TLSFiles{CA: c.CAFile(), Cert: filepath.Join(certificates, "alice.crt"), Key: filepath.Join(certificates, "alice.key")}
	var reported strings.Builder
	as := func(m sordini.Mechanism) sordini.Cluster {
		return sordini.Cluster{Brokers: c.Addrs(), TLSFiles: files, SASL: m, Logger: slog.New(slog.NewTextHandler(&reported, nil))}
	}
	connect := func(t *testing.T, cl sordini.Cluster) *kgo.Client {
		t.Helper()
		client, err := cl.NewClient(kgo.RetryTimeout(5 * time.Second))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(client.Close)
		return client
	}
	write := func(t *testing.T, client *kgo.Client, topic string) error {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		return client.ProduceSync(ctx, &kgo.Record{Topic: topic, Value: []byte("x")}).FirstErr()
	}
	allow(t, connect(t, as(sordini.ScramSHA512("admin", "admin-secret"))), "alice", "bob")

	token := func(i issuer, life time.Duration) sordini.Mechanism {
		return sordini.OAuthBearer(sordini.BearerToken(sordini.NewSecret(i.sign("alice", life))), sordini.Extension("logicalCluster", "lkc-1"))
	}
	for name, m := range map[string]struct{ right, wrong sordini.Mechanism }{
		"PLAIN":         {sordini.Plain("alice", "alice-secret"), sordini.Plain("alice", canary)},
		"SCRAM-SHA-256": {sordini.ScramSHA256("alice", "alice-secret"), sordini.ScramSHA256("alice", canary)},
		"SCRAM-SHA-512": {sordini.ScramSHA512("alice", "alice-secret"), sordini.ScramSHA512("alice", canary)},
		"OAUTHBEARER":   {token(idp, time.Hour), token(stranger, time.Hour)},
	} {
		t.Run(name, func(t *testing.T) {
			client := connect(t, as(m.right))
			if err := write(t, client, "of-alice"); err != nil {
				t.Error(err)
			}
			if err := write(t, client, "of-bob"); !errors.Is(err, kerr.TopicAuthorizationFailed) {
				t.Errorf("what alice may not: %v", err)
			}
			_, err := kmsg.NewPtrMetadataRequest().RequestWith(t.Context(), connect(t, as(m.wrong)))
			if d, _ := sordini.Diagnose(sordini.Explain(err, sordini.About{})); d.Code != sordini.CodeAuthentication || strings.Contains(err.Error(), canary) {
				t.Errorf("a wrong secret: %v", err)
			}
		})
	}

	t.Run("client credentials go on across tokens", func(t *testing.T) {
		var asked atomic.Int32
		endpoint := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			asked.Add(1)
			if id, secret, _ := r.BasicAuth(); id != "billing" || secret != "billing-secret" || r.FormValue("scope") != "kafka" {
				http.Error(w, `{"error":"invalid_client"}`, http.StatusUnauthorized)
				return
			}
			_ = json.NewEncoder(w).Encode(map[string]any{"access_token": idp.sign("bob", 4*time.Second), "token_type": "Bearer", "expires_in": 4})
		}))
		defer endpoint.Close()
		trusted := endpoint.Client().Transport.(*http.Transport).TLSClientConfig
		cc := sordini.ClientCredentials{TokenURL: endpoint.URL, ClientID: "billing", ClientSecret: sordini.NewSecret("billing-secret"), Scopes: []string{"kafka"}, TLS: trusted}
		client := connect(t, as(sordini.OAuthBearer(cc.Tokens())))
		tick := time.NewTicker(200 * time.Millisecond)
		defer tick.Stop()
		for began := time.Now(); time.Since(began) < 7*time.Second; <-tick.C {
			if err := write(t, client, "of-bob"); err != nil {
				t.Fatal(err)
			}
		}
		if n := asked.Load(); n < 3 || n > 8 {
			t.Errorf("asked %d times for tokens of four seconds, in seven", n)
		}
		cc.ClientSecret = sordini.NewSecret(canary)
		_, err := kmsg.NewPtrMetadataRequest().RequestWith(t.Context(), connect(t, as(sordini.OAuthBearer(cc.Tokens()))))
		if d, _ := sordini.Diagnose(err); d.Code != sordini.CodeTokenRefused || strings.Contains(err.Error(), canary) {
			t.Errorf("a wrong secret: %v", err)
		}
	})

	t.Run("files are read again", func(t *testing.T) {
		dir := t.TempDir()
		path := func(name string) string { return filepath.Join(dir, name) }
		put := func(name, text string) {
			if err := os.WriteFile(path(name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		copyOf := func(name, from string) {
			text, err := os.ReadFile(from)
			if err != nil {
				t.Fatal(err)
			}
			put(name, string(text))
		}
		copyOf("ca", files.CA)
		copyOf("cert", files.Cert)
		copyOf("key", files.Key)
		put("token", idp.sign("alice", time.Hour))
		t.Setenv("KAFKA_BROKERS", strings.Join(c.Addrs(), ","))
		t.Setenv("KAFKA_SECURITY_PROTOCOL", c.Protocol())
		t.Setenv("KAFKA_SASL_MECHANISM", "OAUTHBEARER")
		t.Setenv("KAFKA_OAUTH_TOKEN_FILE", path("token"))
		t.Setenv("KAFKA_CA_FILE", path("ca"))
		t.Setenv("KAFKA_CERT_FILE", path("cert"))
		t.Setenv("KAFKA_KEY_FILE", path("key"))
		cluster, err := sordini.FromEnv()
		if err != nil {
			t.Fatal(err)
		}
		cluster.Kgo = []kgo.Opt{kgo.ConnIdleTimeout(time.Second)} // so that there are new connections
		client := connect(t, cluster)
		if err := write(t, client, "of-alice"); err != nil {
			t.Error(err)
		}
		put("token", idp.sign("bob", time.Hour))
		copyOf("cert", filepath.Join(certificates, "bob.crt"))
		copyOf("key", filepath.Join(certificates, "bob.key"))
		closed := time.NewTimer(3 * time.Second)
		defer closed.Stop()
		<-closed.C
		if err := write(t, client, "of-bob"); err != nil {
			t.Errorf("after the token and the certificate were changed: %v", err)
		}
	})

	t.Run("client without its certificate", func(t *testing.T) {
		cluster := as(sordini.Plain("alice", "alice-secret"))
		cluster.TLSFiles.Cert, cluster.TLSFiles.Key = "", ""
		_, err := kmsg.NewPtrMetadataRequest().RequestWith(t.Context(), connect(t, cluster))
		if d, _ := sordini.Diagnose(sordini.Explain(err, sordini.About{})); d.Code != sordini.CodeTLSClientCertificate {
			t.Errorf("diagnosis %q of %v", d.Code, err)
		}
	})
	if text := reported.String(); strings.Contains(text, canary) || strings.Contains(text, "alice-secret") {
		t.Errorf("reported %s", text)
	}
}
