package sordini_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kbin"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/broker"
	"github.com/sordini-go/sordini/broker/brokertest"
	"github.com/sordini-go/sordini/internal/admin"
	"github.com/sordini-go/sordini/serde"
)

// expect reports a diagnosis that is not what it should be: the code, and that it says what happened, why and what to do.
func expect(t *testing.T, what string, err error, cause error, code string, parts ...string) {
	t.Helper()
	d, ok := sordini.Diagnose(err)
	if !ok || d.Code != code {
		t.Errorf("%s: diagnosis %q of %v, want %q", what, d.Code, err, code)
		return
	}
	if cause != nil && !errors.Is(err, cause) {
		t.Errorf("%s: %v hides its cause %v", what, err, cause)
	}
	if d.Summary == "" || d.LikelyCause == "" || d.Fix == "" || !strings.Contains(err.Error(), d.Summary) || !strings.Contains(err.Error(), d.Fix) {
		t.Errorf("%s: %v does not say all of %+v", what, err, d)
	}
	for _, part := range parts {
		if text := fmt.Sprintf("%v %+v", err, d); !strings.Contains(text, part) {
			t.Errorf("%s: %q does not mention %q", what, text, part)
		}
	}
}

func TestErrorsOfABrokerAreExplained(t *testing.T) {
	about := sordini.About{Operation: "produce", Topic: "order", Names: []string{"payments", "orders"}, Group: "billing", Principal: "User:alice", Address: "kafka:9092", Limit: 100, Size: 200}
	for code, c := range map[string]struct {
		causes []error
		parts  []string
	}{
		sordini.CodeAuthentication: {[]error{kerr.SaslAuthenticationFailed, errors.New("server sent authentication error \"x\"")}, []string{"User:alice"}},
		sordini.CodeSASLMechanism:  {[]error{kerr.UnsupportedSaslMechanism}, []string{"KAFKA_SASL_MECHANISM"}},
		sordini.CodeSASLUnexpected: {[]error{kerr.IllegalSaslState}, []string{"kafka:9092", "Cluster.SASL"}},
		sordini.CodeAuthorization: {
			[]error{kerr.TopicAuthorizationFailed, kerr.GroupAuthorizationFailed, kerr.ClusterAuthorizationFailed, kerr.TransactionalIDAuthorizationFailed},
			[]string{`User:alice may not produce topic "order"`, "kafka-acls.sh --add --allow-principal User:alice --operation Write --topic order"},
		},
		sordini.CodeUnknownTopic:       {[]error{kerr.UnknownTopicOrPartition, kerr.UnknownTopicID}, []string{`topic "order" does not exist`, `did you mean "orders"?`, "sordini.EnsureTopics"}},
		sordini.CodeNotEnoughReplicas:  {[]error{kerr.NotEnoughReplicas, kerr.NotEnoughReplicasAfterAppend}, []string{"min.insync.replicas"}},
		sordini.CodeTooFewBrokers:      {[]error{kerr.InvalidReplicationFactor}, []string{"Cluster.Development"}},
		sordini.CodeRecordTooLarge:     {[]error{kerr.MessageTooLarge, kerr.RecordListTooLarge}, []string{"max.message.bytes is 100, the record has 200 bytes", "claim check"}},
		sordini.CodeFencedProducer:     {[]error{kerr.ProducerFenced, kerr.InvalidProducerEpoch}, []string{"transactional id"}},
		sordini.CodeDataLoss:           {[]error{&kgo.ErrDataLoss{Topic: "order"}}, []string{"truncated"}},
		sordini.CodeOffsetOutOfRange:   {[]error{kerr.OffsetOutOfRange}, []string{"retention"}},
		sordini.CodeMemberReplaced:     {[]error{kerr.FencedInstanceID}, []string{`group "billing"`, "instance id"}},
		sordini.CodeCommitRebalanced:   {[]error{kerr.RebalanceInProgress, kerr.IllegalGeneration, kerr.UnknownMemberID, kerr.StaleMemberEpoch}, []string{`group "billing"`, "nothing is lost"}},
		sordini.CodeCoordinator:        {[]error{kerr.CoordinatorNotAvailable, kerr.NotCoordinator}, []string{"offsets.topic.replication.factor"}},
		sordini.CodeLeaderNotAvailable: {[]error{kerr.LeaderNotAvailable, kerr.NotLeaderForPartition}, []string{"election"}},
		sordini.CodeDiskFull:           {[]error{kerr.KafkaStorageError, syscall.ENOSPC}, []string{"free space"}},
		sordini.CodeRegistryAccess:     {[]error{&serde.AccessError{Err: errors.New("401")}}, []string{"SCHEMA_REGISTRY_URL", "nothing was skipped"}},
		sordini.CodePolicy:             {[]error{kerr.PolicyViolation, kerr.InvalidConfig}, []string{"TopicConfig"}},
		sordini.CodeVersion:            {[]error{kerr.UnsupportedVersion, errors.New("broker is too old; x")}, []string{"Kafka before 2.4"}},
		sordini.CodeProducerTimeout:    {[]error{kgo.ErrRecordTimeout, kerr.RequestTimedOut}, []string{`topic "order"`}},
	} {
		for _, cause := range c.causes {
			wrapped := fmt.Errorf("produce order[3]: %w", cause)
			expect(t, code, sordini.Explain(wrapped, about), cause, code, append(c.parts, "produce order[3]")...)
			bare := sordini.Explain(cause, sordini.About{})
			expect(t, code+" of nothing", bare, cause, code)
			if again := sordini.Explain(fmt.Errorf("x: %w", bare), about); strings.Count(again.Error(), code) != 1 {
				t.Errorf("%s is explained twice: %v", code, again)
			}
		}
		expect(t, code, sordini.ExplainAs(errors.New("x"), code, about), nil, code)
	}
}

func TestCausesThatTheCallerKnowsAreExplained(t *testing.T) {
	for _, code := range []string{sordini.CodeHandlerSlow, sordini.CodeSerialization, sordini.CodeAdvertisedListener} {
		cause := errors.New("x")
		expect(t, code, sordini.ExplainAs(cause, code, sordini.About{Group: "billing", Topic: "orders", Address: "kafka:9092"}), cause, code)
	}
}

func TestWhatIsNotKnownIsLeftAlone(t *testing.T) {
	cause := errors.New("something else")
	if err := sordini.Explain(cause, sordini.About{Topic: "orders"}); err != cause {
		t.Errorf("%v", err)
	}
	if err := sordini.ExplainAs(cause, "no-such-code", sordini.About{}); err != cause {
		t.Errorf("%v", err)
	}
	if err := errors.Join(sordini.Explain(nil, sordini.About{}), sordini.ExplainAs(nil, sordini.CodePolicy, sordini.About{})); err != nil {
		t.Errorf("%v", err)
	}
	if d, ok := sordini.Diagnose(cause); ok || d != (sordini.Diagnosis{}) {
		t.Errorf("%v", d)
	}
}

func TestCodesAreStable(t *testing.T) {
	shape := regexp.MustCompile(`^[a-z]+(-[a-z]+)+$`)
	seen := map[string]bool{}
	for _, code := range []string{
		sordini.CodeBrokerUnreachable, sordini.CodeAdvertisedListener, sordini.CodeBrokerHung, sordini.CodeTLSMissing, sordini.CodeTLSUnexpected, sordini.CodeTLSUntrusted,
		sordini.CodeTLSClientCertificate, sordini.CodeSASLMissing, sordini.CodeSASLUnexpected, sordini.CodeSASLMechanism, sordini.CodeAuthentication,
		sordini.CodeAuthorization, sordini.CodeUnknownTopic, sordini.CodeLeaderNotAvailable, sordini.CodeCoordinator, sordini.CodeNotEnoughReplicas,
		sordini.CodeTooFewBrokers, sordini.CodeRecordTooLarge, sordini.CodeFencedProducer, sordini.CodeOffsetOutOfRange, sordini.CodeDataLoss,
		sordini.CodeHandlerSlow, sordini.CodeProducerTimeout, sordini.CodeCommitRebalanced, sordini.CodeMemberReplaced, sordini.CodeSerialization,
		sordini.CodeDiskFull, sordini.CodeVersion, sordini.CodePolicy, sordini.CodeTokenExpired, sordini.CodeTokenEndpoint, sordini.CodeTokenRefused, sordini.CodeClock,
	} {
		if !shape.MatchString(code) || seen[code] {
			t.Errorf("code %q", code)
		}
		seen[code] = true
		if d, ok := sordini.Diagnose(sordini.ExplainAs(io.EOF, code, sordini.About{})); !ok || d.Code != code {
			t.Errorf("code %q has no entry in the catalogue", code)
		}
	}
}

// ping makes a client for the cluster and asks for metadata.
func ping(t *testing.T, c sordini.Cluster, timeout time.Duration) error {
	t.Helper()
	cl, err := c.NewClient()
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	_, err = admin.Metadata(ctx, cl)
	return sordini.Explain(err, sordini.About{Principal: c.Principal()})
}

func TestUnreachableBrokerIsExplained(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := closed.Addr().String()
	_ = closed.Close()
	err = ping(t, working(func(c *sordini.Cluster) { c.Brokers = []string{address} }), time.Second)
	expect(t, "closed port", err, syscall.ECONNREFUSED, sordini.CodeBrokerUnreachable, address)
	nowhere := working(func(c *sordini.Cluster) {
		c.Dial = func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("no such network") }
	})
	expect(t, "own dial", ping(t, nowhere, time.Second), nil, sordini.CodeBrokerUnreachable, "localhost:9092", "no such network")
}

// The address in Brokers answers; the one that the broker gives for itself does not.
func TestUnreachableAdvertisedListenerIsExplained(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := brokertest.New(t, brokertest.Topic("orders", 1))
		cluster := c.SDK()
		inside := c.Addrs()[0]
		cluster.Logger = working(func(*sordini.Cluster) {}).Logger
		cluster.Brokers = []string{"public:9092"}
		cluster.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			if address == "public:9092" {
				return c.Dial(ctx, network, inside)
			}
			return nil, &net.OpError{Op: "dial", Net: network, Err: syscall.ECONNREFUSED}
		}
		cl, err := cluster.NewClient()
		if err != nil {
			t.Fatal(err)
		}
		defer cl.Close()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if _, err := admin.Metadata(ctx, cl); err != nil { // from the seed
			t.Fatal(err)
		}
		_, err = cl.DiscoveredBrokers()[0].Request(ctx, kmsg.NewPtrApiVersionsRequest())
		expect(t, "advertised listener", err, syscall.ECONNREFUSED, sordini.CodeAdvertisedListener, inside, "advertised.listeners")
	})
}

func serveTLS(t *testing.T, cfg *tls.Config) string {
	t.Helper()
	l, err := tls.Listen("tcp", "127.0.0.1:0", cfg)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_ = conn.(*tls.Conn).Handshake()
			_, _ = io.CopyN(io.Discard, conn, 1)
			_ = conn.Close()
		}
	})
	t.Cleanup(func() { _ = l.Close(); wg.Wait() })
	return l.Addr().String()
}

func TestTLSThatDoesNotFitIsExplained(t *testing.T) {
	p, other := newPKI(t), newPKI(t)
	server := serveTLS(t, &tls.Config{Certificates: []tls.Certificate{p.pair}})
	mutual := serveTLS(t, &tls.Config{Certificates: []tls.Certificate{p.pair}, ClientCAs: p.pool, ClientAuth: tls.RequireAndVerifyClientCert})
	plain := brokertest.New(t)
	trusting := func(p pki) *tls.Config { return &tls.Config{RootCAs: p.pool, ServerName: "localhost"} }
	wrongName := trusting(p)
	wrongName.ServerName = "kafka.example"
	for what, c := range map[string]struct {
		address string
		tls     *tls.Config
		code    string
	}{
		"client without TLS":             {server, nil, sordini.CodeTLSMissing},
		"broker without TLS":             {plain.Addrs()[0], trusting(p), sordini.CodeTLSUnexpected},
		"another authority":              {server, trusting(other), sordini.CodeTLSUntrusted},
		"another host name":              {server, wrongName, sordini.CodeTLSUntrusted},
		"client without its certificate": {mutual, trusting(p), sordini.CodeTLSClientCertificate},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			expect(t, what, ping(t, working(func(cl *sordini.Cluster) { cl.Brokers, cl.TLS = []string{c.address}, c.tls }), time.Second), nil, c.code)
		})
	}
}

// serve answers requests in Kafka's framing, each by its key; nil closes the connection.
func serve(t *testing.T, answer func(key int16) kmsg.Response) string {
	t.Helper()
	return serveFrames(t, func(key int16, _ []byte) kmsg.Response { return answer(key) })
}

// serveFrames is serve for who wants to see what follows a request's first 8 bytes, too.
func serveFrames(t *testing.T, answer func(key int16, body []byte) kmsg.Response) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer func() { _ = conn.Close() }()
				for size := make([]byte, 4); ; {
					if _, err := io.ReadFull(conn, size); err != nil {
						return
					}
					frame := make([]byte, binary.BigEndian.Uint32(size))
					if _, err := io.ReadFull(conn, frame); err != nil {
						return
					}
					r := kbin.Reader{Src: frame}
					key, version, id := r.Int16(), r.Int16(), r.Int32()
					resp := answer(key, r.Src)
					if resp == nil {
						return
					}
					if resp.SetVersion(version); key == 18 {
						resp.SetVersion(min(version, 3))
					}
					body := binary.BigEndian.AppendUint32(nil, uint32(id))
					if resp.IsFlexible() && key != 18 {
						body = append(body, 0)
					}
					body = resp.AppendTo(body)
					if _, err := conn.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), body...)); err != nil {
						return
					}
				}
			})
		}
	})
	t.Cleanup(func() { _ = l.Close(); wg.Wait() })
	return l.Addr().String()
}

// lockedBuffer may be written to by several goroutines.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func versions(keys ...int16) kmsg.Response {
	resp := kmsg.NewPtrApiVersionsResponse()
	for _, key := range append(keys, 18, 3) {
		k := kmsg.NewApiVersionsResponseApiKey()
		k.ApiKey, k.MaxVersion = key, 1
		resp.ApiKeys = append(resp.ApiKeys, k)
	}
	return resp
}

func TestSASLThatDoesNotFitIsExplained(t *testing.T) {
	closing := func(key int16) kmsg.Response { // a listener with SASL, to a client without: it closes on the first request
		if key == 18 {
			return versions(17, 36)
		}
		return nil
	}
	handshake := func(code int16) func(int16) kmsg.Response {
		return func(key int16) kmsg.Response {
			if key == 18 {
				return versions(17, 36)
			}
			resp := kmsg.NewPtrSASLHandshakeResponse()
			resp.ErrorCode = code
			return resp
		}
	}
	refusing := func(key int16) kmsg.Response {
		switch key {
		case 18:
			return versions(17, 36)
		case 17:
			return kmsg.NewPtrSASLHandshakeResponse()
		}
		resp := kmsg.NewPtrSASLAuthenticateResponse()
		resp.ErrorCode, resp.ErrorMessage = kerr.SaslAuthenticationFailed.Code, kmsg.StringPtr("Authentication failed during authentication due to invalid credentials")
		return resp
	}
	user := sordini.ScramSHA512("alice", canary)
	for what, c := range map[string]struct {
		answer func(int16) kmsg.Response
		sasl   sordini.Mechanism
		code   string
		cause  error
		part   string
	}{
		"client without SASL":   {closing, nil, sordini.CodeSASLMissing, io.EOF, "Cluster.SASL"},
		"another mechanism":     {handshake(kerr.UnsupportedSaslMechanism.Code), user, sordini.CodeSASLMechanism, kerr.UnsupportedSaslMechanism, "sasl.enabled.mechanisms"},
		"listener without SASL": {handshake(kerr.IllegalSaslState.Code), user, sordini.CodeSASLUnexpected, kerr.IllegalSaslState, "security protocol"},
		"wrong password":        {refusing, user, sordini.CodeAuthentication, kerr.SaslAuthenticationFailed, "User:alice"},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			var out lockedBuffer
			err := ping(t, working(func(cl *sordini.Cluster) {
				cl.Brokers, cl.SASL = []string{serve(t, c.answer)}, c.sasl
				cl.Logger = slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug - 8}))
			}), time.Second)
			expect(t, what, err, c.cause, c.code, c.part)
			if text := fmt.Sprintf("%+v %s", err, out.String()); strings.Contains(text, canary) || out.String() == "" {
				t.Errorf("the error or the log shows the password, or there is no log: %s", text)
			}
		})
	}
}

func TestWhatTheReferenceBrokerAnswersIsExplained(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := brokertest.New(t, brokertest.Topics(broker.Topic{Name: "orders", Partitions: 1, ReplicationFactor: 1, Configs: map[string]string{"max.message.bytes": "1000"}}))
		cluster := c.SDK()
		cluster.Logger = working(func(*sordini.Cluster) {}).Logger
		cl, err := cluster.NewClient()
		if err != nil {
			t.Fatal(err)
		}
		defer cl.Close()
		about := sordini.About{Operation: "produce", Topic: "orders", Principal: cluster.Principal()}

		meta, err := admin.Metadata(t.Context(), cl, "order")
		if err != nil {
			t.Fatal(err)
		}
		all, err := admin.Metadata(t.Context(), cl)
		if err != nil {
			t.Fatal(err)
		}
		expect(t, "unknown topic", sordini.Explain(meta.Topic("order").Err, sordini.About{Topic: "order", Names: all.Names()}), kerr.UnknownTopicOrPartition,
			sordini.CodeUnknownTopic, `did you mean "orders"?`)

		noise := make([]byte, 2000)
		_, _ = rand.Read(noise) // zeros would be compressed to less than the limit
		large := cl.ProduceSync(t.Context(), &kgo.Record{Topic: "orders", Value: noise}).FirstErr()
		expect(t, "too large", sordini.Explain(large, about), kerr.MessageTooLarge, sordini.CodeRecordTooLarge)

		for code, cause := range map[string]*kerr.Error{
			sordini.CodeAuthorization: kerr.TopicAuthorizationFailed, sordini.CodePolicy: kerr.PolicyViolation, sordini.CodeFencedProducer: kerr.ProducerFenced,
		} {
			fault := c.Inject(broker.Fault{API: broker.APIProduce, Fail: cause.Code})
			err := cl.ProduceSync(t.Context(), &kgo.Record{Topic: "orders", Value: []byte("x")}).FirstErr()
			fault.Remove()
			expect(t, cause.Message, sordini.Explain(err, about), cause, code)
		}
		for code, cause := range map[string]*kerr.Error{ // retried for ever by the producer, so asked for by one request
			sordini.CodeOffsetOutOfRange: kerr.OffsetOutOfRange, sordini.CodeDiskFull: kerr.KafkaStorageError, sordini.CodeLeaderNotAvailable: kerr.NotLeaderForPartition,
			sordini.CodeNotEnoughReplicas: kerr.NotEnoughReplicas,
		} {
			fault := c.Inject(broker.Fault{API: broker.APIListOffsets, Fail: cause.Code})
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			got, err := admin.ListOffsets(ctx, cl, false, admin.Latest, map[string][]int32{"orders": {0}})
			cancel()
			fault.Remove()
			if err == nil {
				err = got["orders"][0].Err
			}
			expect(t, cause.Message, sordini.Explain(err, about), cause, code)
		}
	})
}
