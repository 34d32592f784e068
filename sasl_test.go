package sordini_test

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
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/broker"
	"github.com/sordini-go/sordini/broker/brokertest"
	"github.com/sordini-go/sordini/producer"
	"github.com/sordini-go/sordini/serde"
)

// issuer signs tokens (ES256).
type issuer struct {
	t   *testing.T
	key *ecdsa.PrivateKey
}

func newIssuer(t *testing.T) issuer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return issuer{t, key}
}

func (i issuer) jwks() []byte {
	i.t.Helper()
	point, err := i.key.PublicKey.Bytes()
	if err != nil {
		i.t.Fatal(err)
	}
	encode := base64.RawURLEncoding.EncodeToString
	return fmt.Appendf(nil, `{"keys":[{"kty":"EC","crv":"P-256","alg":"ES256","kid":"1","use":"sig","x":%q,"y":%q}]}`, encode(point[1:33]), encode(point[33:]))
}

// sign returns a token for somebody, good from now on.
func (i issuer) sign(subject string, life time.Duration) string {
	i.t.Helper()
	payload, err := json.Marshal(map[string]any{"sub": subject, "iat": time.Now().Unix(), "exp": time.Now().Add(life).Unix()})
	if err != nil {
		i.t.Fatal(err)
	}
	encode := base64.RawURLEncoding.EncodeToString
	text := encode([]byte(`{"alg":"ES256","kid":"1"}`)) + "." + encode(payload)
	hash := sha256.Sum256([]byte(text))
	r, s, err := ecdsa.Sign(rand.Reader, i.key, hash[:])
	if err != nil {
		i.t.Fatal(err)
	}
	return text + "." + encode(append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...))
}

// mayWrite lets somebody write to a topic, so that a test sees who the broker takes a client for.
func mayWrite(name, topic string) brokertest.Option {
	return brokertest.ACLs(broker.ACL{Principal: "User:" + name, Operations: []string{"WRITE"}, Name: topic})
}

func send(t *testing.T, cl *kgo.Client, topic string) error {
	t.Helper()
	return cl.ProduceSync(t.Context(), &kgo.Record{Topic: topic, Value: []byte("x")}).FirstErr() //nolint:wrapcheck // looked at as it is
}

func client(t *testing.T, c sordini.Cluster) *kgo.Client {
	t.Helper()
	cl, err := c.NewClient()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return cl
}

// ownMechanism is SASL PLAIN as somebody else would write it: the extension point.
type ownMechanism struct{ user, password string }

func (ownMechanism) Name() string { return "PLAIN" }

func (o ownMechanism) Authenticate(context.Context, string) (sasl.Session, []byte, error) {
	return ownSession{}, []byte("\x00" + o.user + "\x00" + o.password), nil
}

func (o ownMechanism) Principal() string { return "User:" + o.user }

func (o ownMechanism) Validate() error {
	if o.user == "" {
		return errors.New("it has no user")
	}
	return nil
}

type ownSession struct{}

func (ownSession) Challenge([]byte) (bool, []byte, error) { return true, nil, nil }

// Each mechanism gets in as who it says, and with a wrong secret is told so.
func TestMechanismsGetInAsWhoTheySayAndNotOtherwise(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		idp, stranger := newIssuer(t), newIssuer(t)
		c := brokertest.New(t, brokertest.TLS(), brokertest.User("alice", "alice-secret"), brokertest.OAuth(broker.OAuth{JWKS: idp.jwks()}), brokertest.Topic("orders", 1), mayWrite("alice", "orders"))
		token := func(i issuer) sordini.Mechanism {
			return sordini.OAuthBearer(sordini.BearerToken(sordini.NewSecret(i.sign("alice", time.Hour))))
		}
		for name, m := range map[string]struct{ right, wrong sordini.Mechanism }{
			"PLAIN":         {sordini.Plain("alice", "alice-secret"), sordini.Plain("alice", canary)},
			"SCRAM-SHA-256": {sordini.ScramSHA256("alice", "alice-secret"), sordini.ScramSHA256("alice", canary)},
			"SCRAM-SHA-512": {sordini.ScramSHA512("alice", "alice-secret"), sordini.ScramSHA512("alice", canary)},
			"OAUTHBEARER":   {token(idp), token(stranger)},
			"one's own":     {ownMechanism{"alice", "alice-secret"}, ownMechanism{"alice", canary}},
		} {
			with := func(m sordini.Mechanism) sordini.Cluster {
				s := c.SDK()
				s.SASL, s.Logger = m, slog.New(slog.DiscardHandler)
				return s
			}
			if err := send(t, client(t, with(m.right)), "orders"); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if got := with(m.right).Principal(); got != "User:alice" {
				t.Errorf("%s: principal %q", name, got)
			}
			err := ping(t, with(m.wrong), 5*time.Second)
			expect(t, name, err, kerr.SaslAuthenticationFailed, sordini.CodeAuthentication, "User:alice")
			if strings.Contains(err.Error(), canary) {
				t.Errorf("%s: the error shows the password: %v", name, err)
			}
		}
	})
}

func TestOnesOwnMechanismIsAskedWhetherItCanWork(t *testing.T) {
	c := working(func(c *sordini.Cluster) { c.SASL, c.AllowPlainWithoutTLS = ownMechanism{}, true })
	if err := c.Validate(); !errors.Is(err, sordini.ErrCluster) || !strings.Contains(err.Error(), "SASL PLAIN: it has no user") {
		t.Errorf("error %v", err)
	}
	c.SASL, c.AllowPlainWithoutTLS = ownMechanism{"u", "p"}, false
	if err := c.Validate(); !errors.Is(err, sordini.ErrCluster) || !strings.Contains(err.Error(), "clear text") {
		t.Errorf("error %v", err)
	}
}

// A session lasts no longer than its token (KIP-368): for an hour of five-minute tokens every send goes through, and a token is asked for when four
// minutes of the last have passed, not at each connection.
func TestClientCredentialsGoOnAcrossTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		signer := newIssuer(t)
		p := newIDP(t, func(w http.ResponseWriter, _ *http.Request) { give(w, signer.sign("billing", 5*time.Minute), 300) })
		c := brokertest.New(t, brokertest.Brokers(3), brokertest.TLS(), brokertest.OAuth(broker.OAuth{JWKS: signer.jwks(), Skew: -1}), brokertest.Topic("orders", 3), mayWrite("billing", "orders"))
		s := c.SDK()
		s.SASL, s.Logger, s.AllowPlainWithoutTLS = sordini.OAuthBearer(p.credentials(nil).Tokens()), slog.New(slog.DiscardHandler), true
		cl := client(t, s)
		for range 60 {
			for range 5 {
				if err := send(t, cl, "orders"); err != nil {
					t.Fatal(err)
				}
			}
			time.Sleep(time.Minute)
		}
		if n := len(p.asked()); n < 12 || n > 16 {
			t.Errorf("asked %d times in an hour", n)
		}
		if err := c.WaitRecords(t.Context(), "orders", 300); err != nil {
			t.Error(err)
		}
	})
}

// The user and the password of a file count from the next connection on. A file that is gone keeps what it was.
func TestLoginThatIsRotatedNeedsNoRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sordini.ForgetWarnings()
		c := brokertest.New(t, brokertest.User("alice", "alice-secret"), brokertest.User("bob", "bob-secret"), brokertest.Topic("a", 1), brokertest.Topic("b", 1), mayWrite("alice", "a"), mayWrite("bob", "b"))
		user, password := filepath.Join(t.TempDir(), "user"), filepath.Join(t.TempDir(), "password")
		write(t, user, "alice\n")
		write(t, password, "alice-secret\n")
		var out lockedBuffer
		s := c.SDK()
		s.SASL, s.Logger = sordini.Login{UsernameFile: user, Password: sordini.SecretFile(password)}.ScramSHA512(), slog.New(slog.NewTextHandler(&out, nil))
		cl := client(t, s)
		can := func(may, mayNot string) {
			t.Helper()
			if err := send(t, cl, may); err != nil {
				t.Errorf("%s: %v", may, err)
			}
			if err := send(t, cl, mayNot); !errors.Is(err, kerr.TopicAuthorizationFailed) {
				t.Errorf("%s: error %v", mayNot, err)
			}
		}
		can("a", "b")
		write(t, user, "bob")
		write(t, password, "bob-secret")
		can("a", "b") // the connections that there are stay who they are
		c.DropConnections("")
		can("b", "a")
		if out.String() != "" {
			t.Errorf("reported %s", &out.b)
		}
		if err := os.Remove(password); err != nil {
			t.Fatal(err)
		}
		c.DropConnections("")
		can("b", "a")
		if text := out.String(); strings.Count(text, "what it held before is used") != 1 || !strings.Contains(text, password) || strings.Contains(text, "bob-secret") {
			t.Errorf("reported %s", text)
		}
	})
}

// An identity provider that is away for a while costs time, and no record: what is sent meanwhile waits.
func TestIdentityProviderThatIsAwayCostsTimeOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		signer, began := newIssuer(t), time.Now()
		p := newIDP(t, func(w http.ResponseWriter, _ *http.Request) {
			if time.Since(began) < 40*time.Second {
				http.Error(w, "maintenance", http.StatusServiceUnavailable)
				return
			}
			give(w, signer.sign("billing", time.Hour), 3600)
		})
		c := brokertest.New(t, brokertest.Brokers(3), brokertest.TLS(), brokertest.OAuth(broker.OAuth{JWKS: signer.jwks()}), brokertest.Topic("orders", 3), mayWrite("billing", "orders"))
		s := c.SDK()
		s.SASL, s.Logger, s.AllowPlainWithoutTLS = sordini.OAuthBearer(p.credentials(nil).Tokens()), slog.New(slog.DiscardHandler), true
		out, err := producer.New(s)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = out.Close() }()
		to, err := producer.To(out, sordini.Topic[string]{Name: "orders", Key: sordini.Unkeyed[string](), Value: serde.String()})
		if err != nil {
			t.Fatal(err)
		}
		if err := to.Send(t.Context(), "violins"); err != nil {
			t.Errorf("after %s: %v", time.Since(began), err)
		}
		if took := time.Since(began); took < 40*time.Second || took > 90*time.Second {
			t.Errorf("took %s", took)
		}
	})
}
