package broker_test

import (
	"crypto/pbkdf2"
	"crypto/sha256"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"github.com/sordini-go/sordini/broker"
)

func saslHandshake(mechanism string) *kmsg.SASLHandshakeRequest {
	req := kmsg.NewPtrSASLHandshakeRequest()
	req.Mechanism = mechanism
	return req
}

func saslToken(token string) *kmsg.SASLAuthenticateRequest {
	req := kmsg.NewPtrSASLAuthenticateRequest()
	req.SASLAuthBytes = []byte(token)
	return req
}

func apiVersions() *kmsg.ApiVersionsRequest {
	req := kmsg.NewPtrApiVersionsRequest()
	req.ClientSoftwareName, req.ClientSoftwareVersion = "test", "1"
	return req
}

// saslBubble runs a test against a cluster with SASL in virtual time.
func saslBubble(t *testing.T, props map[string]string, test func(t *testing.T, cluster *broker.Cluster)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		test(t, startSecure(t, broker.Config{SASL: users(), Properties: props}))
	})
}

// tell sends a request and says in short what came back: "33", "0 with 5s", "end".
func (w *wire) tell(version int16, req kmsg.Request) string {
	w.t.Helper()
	req.SetVersion(version)
	w.next++
	if _, err := w.conn.Write(kmsg.NewRequestFormatter().AppendRequest(nil, req, w.next)); err != nil {
		return "end"
	}
	resp, err := w.receive(req)
	if err != nil {
		return "end"
	}
	switch r := resp.(type) {
	case *kmsg.SASLHandshakeResponse:
		return fmt.Sprint(r.ErrorCode)
	case *kmsg.SASLAuthenticateResponse:
		if r.ErrorMessage != nil && *r.ErrorMessage != "" {
			return fmt.Sprintf("%d %s", r.ErrorCode, *r.ErrorMessage)
		}
		if r.SessionLifetimeMillis > 0 {
			return fmt.Sprintf("%d for %d ms", r.ErrorCode, r.SessionLifetimeMillis)
		}
		return fmt.Sprint(r.ErrorCode)
	case *kmsg.ApiVersionsResponse:
		return fmt.Sprint(r.ErrorCode)
	case *kmsg.ListGroupsResponse:
		return fmt.Sprint(r.ErrorCode)
	case *kmsg.MetadataResponse:
		if len(r.Topics) == 1 {
			return fmt.Sprint(r.Topics[0].ErrorCode)
		}
		return "0"
	}
	return fmt.Sprintf("%T", resp)
}

// step is a request and what the answer is to be, as tell writes it. The answers were read off Apache Kafka 4.3.1.
type step struct {
	version int16
	req     kmsg.Request
	want    string
}

func metadataOfOrders() *kmsg.MetadataRequest {
	req := kmsg.NewPtrMetadataRequest()
	req.Topics = []kmsg.MetadataRequestTopic{{Topic: kmsg.StringPtr("orders")}}
	return req
}

func TestRequestsOutOfTurnAreAnsweredAsKafkaDoes(t *testing.T) {
	const alice = "\x00alice\x00alice-secret"
	const invalid = "58 Authentication failed: Invalid username or password"
	const scramInvalid = "58 Authentication failed during authentication due to invalid credentials with SASL mechanism SCRAM-SHA-256"
	plainFails := func(token, want string) []step {
		return []step{{1, saslHandshake("PLAIN"), "0"}, {2, saslToken(token), want}, {1, saslHandshake("PLAIN"), "end"}}
	}
	scramFails := func(token, want string) []step {
		return []step{{1, saslHandshake("SCRAM-SHA-256"), "0"}, {2, saslToken(token), want}, {1, saslHandshake("PLAIN"), "end"}}
	}
	in := []step{{1, saslHandshake("PLAIN"), "0"}, {2, saslToken(alice), "0 for 5000 ms"}}
	with := func(steps ...step) []step { return append(in[:2:2], steps...) }
	for name, steps := range map[string][]step{
		"another request first":            {{12, metadataOfOrders(), "end"}},
		"a token first":                    {{2, saslToken(alice), "end"}},
		"versions twice":                   {{4, apiVersions(), "0"}, {4, apiVersions(), "end"}},
		"mechanism that is not enabled":    {{1, saslHandshake("GSSAPI"), "33"}, {1, saslHandshake("PLAIN"), "end"}},
		"request for a token":              {{1, saslHandshake("PLAIN"), "0"}, {12, metadataOfOrders(), "34"}, {2, saslToken(alice), "end"}},
		"groups for a token":               {{1, saslHandshake("PLAIN"), "0"}, {4, kmsg.NewPtrListGroupsRequest(), "34"}, {2, saslToken(alice), "end"}},
		"handshake for a token":            {{1, saslHandshake("PLAIN"), "0"}, {1, saslHandshake("PLAIN"), "34"}, {2, saslToken(alice), "end"}},
		"nothing in the token":             plainFails("", "58 Invalid SASL/PLAIN response: expected 3 tokens, got 1"),
		"five parts":                       plainFails("\x00a\x00b\x00c\x00d", "58 Invalid SASL/PLAIN response: expected 3 tokens, got 4"),
		"no user":                          plainFails("\x00\x00x", "58 Authentication failed: username not specified"),
		"no password":                      plainFails("\x00alice\x00", "58 Authentication failed: password not specified"),
		"wrong password":                   plainFails("\x00alice\x00wrong", invalid),
		"no such user":                     plainFails("\x00carol\x00wrong", invalid),
		"for somebody else":                plainFails("bob"+alice, "58 Authentication failed: Client requested an authorization id that is different from username"),
		"scram without anything":           scramFails("", scramInvalid),
		"scram of nobody":                  scramFails("n,,n=carol,r=abc", scramInvalid),
		"scram bound to a channel":         scramFails("p=x,,n=alice,r=abc", scramInvalid),
		"scram for somebody else":          scramFails("n,a=bob,n=alice,r=abc", "58 Authentication failed: Client requested an authorization id that is different from username"),
		"token after it":                   with(step{2, saslToken(alice), "34 SaslAuthenticate request received after successful authentication"}, step{12, metadataOfOrders(), "0"}),
		"again":                            with(in[0], in[1], step{12, metadataOfOrders(), "0"}),
		"again too soon":                   with(in[0], in[1], step{1, saslHandshake("PLAIN"), "34"}, step{12, metadataOfOrders(), "0"}),
		"again as somebody else":           with(in[0], step{2, saslToken("\x00bob\x00bob-secret"), "58 Cannot change principals during re-authentication from User.alice: User.bob"}, step{12, metadataOfOrders(), "end"}),
		"again with a wrong password":      with(in[0], step{2, saslToken("\x00alice\x00wrong"), invalid}, step{12, metadataOfOrders(), "end"}),
		"again by another mechanism":       with(step{1, saslHandshake("SCRAM-SHA-256"), "0"}, step{2, saslToken("n,,n=alice,r=abc"), "end"}),
		"again by one that is not enabled": with(step{1, saslHandshake("GSSAPI"), "end"}),
		"request in between":               with(in[0], step{12, metadataOfOrders(), "34"}, step{2, saslToken(alice), "end"}),
	} {
		saslBubble(t, map[string]string{"connections.max.reauth.ms": "5000"}, func(t *testing.T, cluster *broker.Cluster) {
			w := dial(t, cluster, 1)
			for i, s := range steps {
				if got := w.tell(s.version, s.req); got != s.want {
					t.Errorf("%s, step %d: %q, want %q", name, i+1, got, s.want)
				}
			}
		})
	}
}

func TestOldHandshakeIsFollowedByBareTokens(t *testing.T) {
	saslBubble(t, nil, func(t *testing.T, cluster *broker.Cluster) {
		for token, ok := range map[string]bool{"\x00alice\x00alice-secret": true, "\x00alice\x00wrong": false} {
			w := dial(t, cluster, 1)
			if got := w.tell(0, saslHandshake("PLAIN")); got != "0" {
				t.Fatalf("handshake: %s", got)
			}
			if _, err := w.conn.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(token))), token...)); err != nil {
				t.Fatal(err)
			}
			reply, err := w.frame()
			if ok && (err != nil || len(reply) != 0 || w.tell(12, metadataOfOrders()) != "0") {
				t.Errorf("token: %q, %v", reply, err)
			}
			if !ok && !errors.Is(err, io.EOF) {
				t.Errorf("wrong token: %q, %v", reply, err)
			}
		}
	})
}

func TestFailureIsAnsweredAfterAWhile(t *testing.T) {
	saslBubble(t, map[string]string{"connection.failed.authentication.delay.ms": "3000"}, func(t *testing.T, cluster *broker.Cluster) {
		w := dial(t, cluster, 1)
		w.tell(1, saslHandshake("PLAIN"))
		began := time.Now()
		w.tell(2, saslToken("\x00alice\x00wrong"))
		if d := time.Since(began); d != 3*time.Second {
			t.Errorf("answered after %v", d)
		}
	})
}

func TestSessionEndsUnlessTheClientAuthenticatesAgain(t *testing.T) {
	saslBubble(t, map[string]string{"connections.max.reauth.ms": "60000"}, func(t *testing.T, cluster *broker.Cluster) {
		w := dial(t, cluster, 1).login("alice")
		time.Sleep(59 * time.Second)
		if got := w.tell(12, metadataOfOrders()); got != "0" {
			t.Errorf("within the session: %s", got)
		}
		time.Sleep(2 * time.Second)
		if got := w.tell(12, metadataOfOrders()); got != "end" {
			t.Errorf("after the session: %s", got)
		}
		late := dial(t, cluster, 1).login("alice")
		time.Sleep(61 * time.Second)
		if got := late.login("alice").tell(12, metadataOfOrders()); got != "0" {
			t.Errorf("authenticated again, late: %s", got)
		}
	})
}

func TestClientGoesOnProducingThroughReauthentication(t *testing.T) {
	for _, overTLS := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			cfg := broker.Config{SASL: users(), Properties: map[string]string{"connections.max.reauth.ms": "5000"}}
			var client *tls.Config
			if overTLS {
				cfg.TLS, client = serverTLS(t, tls.NoClientCert), clientTLS(t, "")
			}
			cluster := startSecure(t, cfg)
			c := connect(t, cluster, client, scram.Auth{User: "alice", Pass: "alice-secret"}.AsSha512Mechanism(), kgo.RetryTimeout(time.Minute), kgo.RecordDeliveryTimeout(time.Minute))
			defer c.Close()
			for i := range 100 {
				if err := c.ProduceSync(t.Context(), &kgo.Record{Topic: "orders", Value: []byte{byte(i)}}).FirstErr(); err != nil {
					t.Fatalf("record %d: %v", i, err)
				}
				time.Sleep(700 * time.Millisecond)
			}
			records, err := cluster.Records("orders", 0)
			if err != nil || len(records) != 100 {
				t.Errorf("%d records, %v", len(records), err)
			}
		})
	}
}

func TestStrangersHaveLittleTimeAndRoom(t *testing.T) {
	saslBubble(t, map[string]string{"sasl.server.max.receive.size": "1000"}, func(t *testing.T, cluster *broker.Cluster) {
		began := time.Now()
		w := dial(t, cluster, 1)
		if got := w.tell(1, saslHandshake("PLAIN")); got != "0" {
			t.Fatal(got)
		}
		if _, err := w.frame(); !errors.Is(err, io.EOF) {
			t.Errorf("a client that says nothing: %v", err)
		}
		if d := time.Since(began); d < 29*time.Second || d > 31*time.Second {
			t.Errorf("a stranger was served for %v", d)
		}
		large := dial(t, cluster, 1)
		large.conn.Write(binary.BigEndian.AppendUint32(nil, 1001))
		large.ends("a frame of 1001 bytes before authentication")
		known := dial(t, cluster, 1).login("alice")
		time.Sleep(9 * time.Minute)
		meta := metadataOfOrders()
		meta.Topics = append(meta.Topics, kmsg.MetadataRequestTopic{Topic: kmsg.StringPtr(strings.Repeat("x", 2000))})
		if r := ask[*kmsg.MetadataResponse](known, 12, meta); len(r.Topics) != 2 {
			t.Errorf("afterwards: %+v", r)
		}
	})
	synctest.Test(t, func(t *testing.T) { // a handshake of TLS that never comes
		cluster := startSecure(t, broker.Config{TLS: serverTLS(t, tls.NoClientCert)})
		began := time.Now()
		w := dial(t, cluster, 1)
		if _, err := w.frame(); !errors.Is(err, io.EOF) {
			t.Errorf("a client that says nothing: %v", err)
		}
		if d := time.Since(began); d > 31*time.Second {
			t.Errorf("a stranger was served for %v", d)
		}
	})
}

func TestConnectionsAreLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cluster := startSecure(t, broker.Config{Properties: map[string]string{"max.connections": "2"}})
		first, second, third := dial(t, cluster, 1), dial(t, cluster, 1), dial(t, cluster, 1)
		first.tell(0, apiVersions())
		second.tell(0, apiVersions())
		answered := make(chan string)
		go func() { answered <- third.tell(0, apiVersions()) }()
		synctest.Wait()
		select {
		case got := <-answered:
			t.Errorf("the third of two connections is answered: %s", got)
		default:
		}
		first.conn.Close()
		if got := <-answered; got != "0" {
			t.Errorf("after another has gone: %s", got)
		}
	})
	for _, overrides := range []string{"", "127.0.0.1:3", "10.0.0.1:7"} {
		synctest.Test(t, func(t *testing.T) {
			cluster := startSecure(t, broker.Config{Properties: map[string]string{"max.connections.per.ip": "2", "max.connections.per.ip.overrides": overrides}})
			want := 2
			if strings.HasPrefix(overrides, "127") {
				want = 3
			}
			for i := range 4 {
				if got := dial(t, cluster, 1).tell(0, apiVersions()); (got == "0") != (i < want) {
					t.Errorf("overrides %q, connection %d: %s", overrides, i+1, got)
				}
			}
		})
	}
}

func TestSCRAMUsersAreAddedReplacedAndDeleted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cluster := startSecure(t, broker.Config{SASL: users()})
		admin := connect(t, cluster, nil, plainAuth("alice", "alice-secret"))
		defer admin.Close()
		alter := func(password string) {
			req := kmsg.NewPtrAlterUserSCRAMCredentialsRequest()
			req.Upsertions = append(req.Upsertions, upsertion(t, "carol", password))
			resp, err := req.RequestWith(t.Context(), admin)
			if err != nil || resp.Results[0].ErrorCode != 0 {
				t.Fatalf("%+v, %v", resp, err)
			}
		}
		may := func(password string) bool {
			c := connect(t, cluster, nil, scram.Auth{User: "carol", Pass: password}.AsSha256Mechanism())
			defer c.Close()
			return c.Ping(t.Context()) == nil
		}
		if may("one") {
			t.Error("carol is not there yet")
		}
		alter("one")
		if !may("one") || may("two") {
			t.Error("carol has the first password")
		}
		alter("two")
		if may("one") || !may("two") {
			t.Error("carol has the second password")
		}
		req := kmsg.NewPtrAlterUserSCRAMCredentialsRequest()
		req.Deletions = []kmsg.AlterUserSCRAMCredentialsRequestDeletion{{Name: "carol", Mechanism: 1}}
		if _, err := req.RequestWith(t.Context(), admin); err != nil {
			t.Fatal(err)
		}
		if may("two") {
			t.Error("carol has gone")
		}
	})
}

func upsertion(t *testing.T, user, password string) kmsg.AlterUserSCRAMCredentialsRequestUpsertion {
	t.Helper()
	u := kmsg.NewAlterUserSCRAMCredentialsRequestUpsertion()
	u.Name, u.Mechanism, u.Iterations, u.Salt = user, 1, 4096, []byte("some salt")
	salted, err := pbkdf2.Key(sha256.New, password, u.Salt, int(u.Iterations), sha256.Size)
	if err != nil {
		t.Fatal(err)
	}
	u.SaltedPassword = salted
	return u
}

// FuzzStranger sends bytes of any content to a listener where one has to authenticate: the broker must go on for others, and nobody gets in.
func FuzzStranger(f *testing.F) {
	frame := func(reqs ...kmsg.Request) (b []byte) {
		for i, r := range reqs {
			b = kmsg.NewRequestFormatter().AppendRequest(b, r, int32(i))
		}
		return b
	}
	handshake := saslHandshake("PLAIN")
	handshake.SetVersion(1)
	old := saslHandshake("SCRAM-SHA-256")
	token := saslToken("\x00alice\x00wrong")
	token.SetVersion(2)
	metadata := metadataOfOrders()
	metadata.SetVersion(9)
	f.Add(frame(apiVersions(), handshake, token))
	f.Add(append(frame(old), 0, 0, 0, 3, 'n', ',', ','))
	f.Add(frame(metadata))
	f.Add(frame(handshake, metadata))
	f.Add([]byte{0, 0, 0, 0})
	f.Add([]byte{0x60, 0x80, 6, 9, 42})
	logged := new(logBuffer)
	cluster := startSecure(f, broker.Config{SASL: users(), Logger: slog.New(slog.NewTextHandler(logged, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Properties: map[string]string{"connection.failed.authentication.delay.ms": "0"}})
	f.Fuzz(func(t *testing.T, sent []byte) {
		logged.mu.Lock()
		logged.buf.Reset()
		logged.mu.Unlock()
		conn, err := cluster.Dial(t.Context(), "tcp", cluster.Addrs()[0])
		if err != nil {
			t.Fatal(err)
		}
		conn.Write(sent)
		if c, ok := conn.(interface{ CloseWrite() error }); ok {
			c.CloseWrite()
		}
		conn.Close()
		if got := dial(t, cluster, 1).tell(1, saslHandshake("PLAIN")); got != "0" {
			t.Fatalf("the broker answers others no more: %s", got)
		}
		logged.mu.Lock()
		defer logged.mu.Unlock()
		if strings.Contains(logged.buf.String(), "msg=authenticated") && !strings.Contains(string(sent), "alice-secret") {
			t.Errorf("%q let somebody in", sent)
		}
	})
}

// TestCredentialsAreCheckedAsKafkaChecksThem has the answers of Apache Kafka 4.3.1 to one request.
func TestCredentialsAreCheckedAsKafkaChecksThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := dial(t, startSecure(t, broker.Config{SASL: users()}), 1).login("alice")
		req := kmsg.NewPtrAlterUserSCRAMCredentialsRequest()
		want := make(map[string]string)
		for _, u := range []struct {
			name       string
			mechanism  int8
			iterations int32
			want       string
		}{
			{"few", 1, 4095, "93 Too few iterations"}, {"many", 2, 16385, "93 Too many iterations"}, {"most", 2, 16384, "0 "}, {"", 1, 4096, "93 Username must not be empty"},
			{"none", 0, 4096, "33 Unknown SCRAM mechanism"}, {"other", 9, 4096, "33 Unknown SCRAM mechanism"},
			{"twice", 1, 4096, ""}, {"twice", 2, 4096, "92 A user credential cannot be altered twice in the same request"}, {"good", 1, 4096, "0 "},
		} {
			up := kmsg.NewAlterUserSCRAMCredentialsRequestUpsertion()
			up.Name, up.Mechanism, up.Iterations, up.Salt, up.SaltedPassword = u.name, u.mechanism, u.iterations, []byte("salt"), []byte("salted")
			req.Upsertions = append(req.Upsertions, up)
			want[u.name] = u.want
		}
		req.Deletions = []kmsg.AlterUserSCRAMCredentialsRequestDeletion{{Name: "gone", Mechanism: 1}, {Name: "gone too", Mechanism: 9}}
		want["gone"], want["gone too"] = "91 Attempt to delete a user credential that does not exist", "33 Unknown SCRAM mechanism"
		results := ask[*kmsg.AlterUserSCRAMCredentialsResponse](w, 0, req).Results
		for _, r := range results {
			text := ""
			if r.ErrorMessage != nil {
				text = *r.ErrorMessage
			}
			if got := fmt.Sprintf("%d %s", r.ErrorCode, text); got != want[r.User] {
				t.Errorf("user %q: %s, want %s", r.User, got, want[r.User])
			}
		}
		if len(results) != len(want) {
			t.Errorf("%d results for %d users", len(results), len(want))
		}
	})
}
