package proxy_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/goleak"

	"github.com/sordini-go/sordini/broker"
	"github.com/sordini-go/sordini/integration/proxy"
	"github.com/sordini-go/sordini/integration/realkafka"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestProxy runs every claim before the reference broker and before Apache Kafka.
func TestProxy(t *testing.T) {
	t.Run("reference", func(t *testing.T) {
		c, err := broker.Start(broker.Config{Brokers: 2})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		claims(t, c.Addrs())
	})
	t.Run("kafka", func(t *testing.T) {
		c, err := realkafka.Start(t.Context(), realkafka.Config{Brokers: 2})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		claims(t, c.Addrs())
	})
}

func claims(t *testing.T, addrs []string) {
	brokers := map[int32]string{}
	for i, addr := range addrs {
		brokers[int32(i+1)] = addr
	}
	for name, claim := range map[string]func(*testing.T, *rig){
		"ClientsStayBehindIt":                   clientsStayBehindIt,
		"RefusedProduceIsNotApplied":            refusedProduceIsNotApplied,
		"RefusalSparesOtherPartitionsOfRequest": refusalSparesOthers,
		"DroppedResponseWasApplied":             func(t *testing.T, r *rig) { lostAnswerWasApplied(t, r, proxy.DropResponse) },
		"CutResponseWasApplied":                 func(t *testing.T, r *rig) { lostAnswerWasApplied(t, r, proxy.CutResponse) },
		"SwallowedResponseWasApplied":           func(t *testing.T, r *rig) { lostAnswerWasApplied(t, r, proxy.SwallowResponse) },
		"CutRequestIsSentAgain":                 func(t *testing.T, r *rig) { lostRequestIsSentAgain(t, r, proxy.CutRequest) },
		"StalledRequestIsSentAgain":             func(t *testing.T, r *rig) { lostRequestIsSentAgain(t, r, proxy.Stall) },
		"DelayHoldsTheRequest":                  delayHoldsTheRequest,
		"JitterHoldsTheRequest":                 jitterHoldsTheRequest,
		"SlowLinkTakesItsTime":                  slowLinkTakesItsTime,
		"AnswerIsCutAtItsByte":                  answerIsCutAtItsByte,
		"RefusedConnectionIsMadeAgain":          refusedConnectionIsMadeAgain,
		"ChanceFollowsItsSeed":                  chanceFollowsItsSeed,
		"DroppedClientConnectsAgain":            droppedClientConnectsAgain,
		"FaultMatchesByClientAndBroker":         faultMatchesByClientAndBroker,
		"CommitIsRefusedByGroup":                commitIsRefusedByGroup,
		"RequestLostWithItsConnectionIsNoHit":   requestLostWithItsConnectionIsNoHit,
	} {
		t.Run(name, func(t *testing.T) {
			p, err := proxy.Start(proxy.Config{Brokers: brokers, Logger: slog.New(slog.NewTextHandler(t.Output(), nil))})
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			r := &rig{Proxy: p, topic: fmt.Sprintf("t%d-%d", time.Now().UnixNano(), len(name))}
			r.client(t, kgo.ClientID("admin"))
			r.create(t, r.topic, 2)
			claim(t, r)
		})
	}
}

type rig struct {
	*proxy.Proxy
	topic string
	admin *kgo.Client

	mu     sync.Mutex
	dialed map[string]bool
}

// client returns a client behind the proxy whose dials are noted. The first is the rig's own.
func (r *rig) client(t *testing.T, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	cl, err := kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(r.Addrs()...), kgo.DefaultProduceTopic(r.topic), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.RequestTimeoutOverhead(2 * time.Second), kgo.ProduceRequestTimeout(time.Second), kgo.MetadataMinAge(50 * time.Millisecond), kgo.AlwaysRetryEOF(),
		kgo.UnknownTopicRetries(-1), kgo.RetryBackoffFn(func(int) time.Duration { return 50 * time.Millisecond }),
		kgo.Dialer(func(ctx context.Context, network, addr string) (net.Conn, error) {
			r.mu.Lock()
			defer r.mu.Unlock()
			if r.dialed == nil {
				r.dialed = map[string]bool{}
			}
			r.dialed[addr] = true
			return (&net.Dialer{}).DialContext(ctx, network, addr)
		}),
	}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	if r.admin == nil {
		r.admin = cl
	}
	return cl
}

func (r *rig) create(t *testing.T, topic string, partitions int32) {
	t.Helper()
	req := kmsg.NewPtrCreateTopicsRequest()
	rt := kmsg.NewCreateTopicsRequestTopic()
	rt.Topic, rt.NumPartitions, rt.ReplicationFactor = topic, partitions, 1
	req.Topics = append(req.Topics, rt)
	resp, err := req.RequestWith(t.Context(), r.admin)
	if err != nil || resp.Topics[0].ErrorCode != 0 {
		t.Fatalf("create topic: %v %+v", err, resp)
	}
}

func (r *rig) inject(t *testing.T, f proxy.Fault) *proxy.Injected {
	t.Helper()
	in, err := r.Inject(f)
	if err != nil {
		t.Fatal(err)
	}
	return in
}

func (r *rig) wait(t *testing.T, in *proxy.Injected, n int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := in.Wait(ctx, n); err != nil {
		t.Fatal(err)
	}
}

// log returns how many records the topic has.
func (r *rig) log(t *testing.T) (values []string) {
	t.Helper()
	cl := r.client(t, kgo.ConsumeTopics(r.topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	produce := r.client(t)
	marks := 0
	for partition := range int32(2) { // what lies before a mark has been read when the mark has
		if err := produce.ProduceSync(ctx, &kgo.Record{Partition: partition, Value: []byte("mark")}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	for marks < 2 {
		fetches := cl.PollFetches(ctx)
		if err := ctx.Err(); err != nil {
			t.Fatalf("read the topic back: %v, %v", err, fetches.Err())
		}
		fetches.EachRecord(func(rec *kgo.Record) {
			if string(rec.Value) == "mark" {
				marks++
			} else {
				values = append(values, string(rec.Value))
			}
		})
	}
	slices.Sort(values)
	return values
}

func send(t *testing.T, cl *kgo.Client, partition int32, value string) error {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	return cl.ProduceSync(ctx, &kgo.Record{Partition: partition, Value: []byte(value)}).FirstErr()
}

func (r *rig) wantLog(t *testing.T, want ...string) {
	t.Helper()
	if got := r.log(t); !slices.Equal(got, want) {
		t.Errorf("the topic has %q, want %q", got, want)
	}
}

func clientsStayBehindIt(t *testing.T, r *rig) {
	cl := r.client(t)
	for i := range 10 {
		if err := send(t, cl, int32(i%2), fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	if got := r.log(t); len(got) != 10 {
		t.Errorf("%d records, want 10", len(got))
	}
	group := r.client(t, kgo.ConsumerGroup("g-"+r.topic), kgo.ConsumeTopics(r.topic), kgo.DisableAutoCommit())
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if f := group.PollFetches(ctx); f.Err() != nil {
		t.Fatal(f.Err())
	}
	if err := group.CommitUncommittedOffsets(ctx); err != nil {
		t.Fatal(err)
	}
	group.Close()
	r.mu.Lock()
	defer r.mu.Unlock()
	for addr := range r.dialed {
		if !slices.Contains(r.Addrs(), addr) {
			t.Errorf("a client dialled %s, which is not the proxy (%v)", addr, r.Addrs())
		}
	}
	if len(r.dialed) != 2 {
		t.Errorf("dialled %v, want both brokers", r.dialed)
	}
}

func refusedProduceIsNotApplied(t *testing.T, r *rig) {
	cl := r.client(t)
	in := r.inject(t, proxy.Fault{API: kmsg.Produce, Topic: r.topic, Partition: proxy.Any, Count: 1, Do: proxy.Refuse, Code: kerr.MessageTooLarge.Code})
	if err := send(t, cl, 0, "refused"); !errors.Is(err, kerr.MessageTooLarge) {
		t.Errorf("got %v, want MESSAGE_TOO_LARGE", err)
	}
	if err := send(t, r.client(t), 0, "after"); err != nil {
		t.Error(err)
	}
	if in.Hits() != 1 {
		t.Errorf("%d hits", in.Hits())
	}
	r.wantLog(t, "after")
}

func refusalSparesOthers(t *testing.T, r *rig) {
	other := r.topic + "-other"
	r.create(t, other, 2)
	cl := r.client(t, kgo.ProducerLinger(200*time.Millisecond))
	if err := send(t, cl, 0, "first"); err != nil { // knows both topics' leaders from here on
		t.Fatal(err)
	}
	in := r.inject(t, proxy.Fault{API: kmsg.Produce, Topic: other, Partition: 1, Do: proxy.Refuse, Code: kerr.InvalidRecord.Code})
	defer in.Remove()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var records []*kgo.Record
	for partition := range int32(2) {
		records = append(records,
			&kgo.Record{Topic: r.topic, Partition: partition, Value: []byte("kept")},
			&kgo.Record{Topic: other, Partition: partition, Value: []byte("kept")})
	}
	for _, result := range cl.ProduceSync(ctx, records...) {
		refused := result.Record.Topic == other && result.Record.Partition == 1
		if refused != errors.Is(result.Err, kerr.InvalidRecord) {
			t.Errorf("%s[%d]: %v", result.Record.Topic, result.Record.Partition, result.Err)
		}
	}
	if in.Hits() == 0 {
		t.Error("nothing was refused")
	}
	r.wantLog(t, "first", "kept", "kept")
}

func lostAnswerWasApplied(t *testing.T, r *rig, do proxy.Action) {
	cl := r.client(t)
	if err := send(t, cl, 0, "a"); err != nil {
		t.Fatal(err)
	}
	in := r.inject(t, proxy.Fault{API: kmsg.Produce, Topic: r.topic, Partition: 0, Count: 1, Do: do})
	sent := make(chan error, 1)
	go func() { sent <- send(t, cl, 0, "b") }()
	r.wait(t, in, 1)
	// The broker has it, whatever the client is told later.
	if err := <-sent; err != nil {
		t.Error(err)
	}
	if err := send(t, cl, 0, "c"); err != nil {
		t.Error(err)
	}
	r.wantLog(t, "a", "b", "c")
}

func lostRequestIsSentAgain(t *testing.T, r *rig, do proxy.Action) {
	cl := r.client(t)
	in := r.inject(t, proxy.Fault{API: kmsg.Produce, Topic: r.topic, Partition: 0, Count: 1, Do: do})
	if err := send(t, cl, 0, "a"); err != nil {
		t.Error(err)
	}
	if in.Hits() != 1 {
		t.Errorf("%d hits", in.Hits())
	}
	r.wantLog(t, "a")
}

func delayHoldsTheRequest(t *testing.T, r *rig) {
	cl := r.client(t)
	if err := send(t, cl, 0, "a"); err != nil {
		t.Fatal(err)
	}
	in := r.inject(t, proxy.Fault{API: kmsg.Produce, Topic: r.topic, Partition: 0, Count: 1, Do: proxy.Delay, Delay: 400 * time.Millisecond})
	began := time.Now()
	if err := send(t, cl, 0, "b"); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took < 400*time.Millisecond || in.Hits() != 1 {
		t.Errorf("%s and %d hits, want at least 400 ms and 1", took, in.Hits())
	}
}

func incompressible(n int) string {
	var b strings.Builder
	for b.Len() < n {
		b.WriteString(rand.Text())
	}
	return b.String()[:n]
}

func jitterHoldsTheRequest(t *testing.T, r *rig) {
	cl := r.client(t)
	in := r.inject(t, proxy.Fault{
		API: kmsg.Produce, Topic: r.topic, Partition: 0, Count: 5, Seed: 7, Do: proxy.Delay, Delay: 20 * time.Millisecond, Jitter: 20 * time.Millisecond,
	})
	began := time.Now()
	for range 5 {
		if err := send(t, cl, 0, "a"); err != nil {
			t.Error(err)
		}
	}
	if took := time.Since(began); took < 100*time.Millisecond || in.Hits() != 5 {
		t.Errorf("%s and %d hits, want at least 100 ms and 5", took, in.Hits())
	}
}

func slowLinkTakesItsTime(t *testing.T, r *rig) {
	if _, err := r.Inject(proxy.Fault{API: proxy.Any, Do: proxy.Slow}); err == nil {
		t.Error("a slow link without a rate was taken")
	}
	cl := r.client(t)
	if err := send(t, cl, 0, "a"); err != nil {
		t.Fatal(err)
	}
	in := r.inject(t, proxy.Fault{API: kmsg.Produce, Topic: r.topic, Partition: 0, Count: 1, Do: proxy.Slow, BytesPerSecond: 4 << 10})
	began := time.Now()
	if err := send(t, cl, 0, incompressible(2<<10)); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took < 450*time.Millisecond || in.Hits() != 1 {
		t.Errorf("2 KiB at 4 KiB/s took %s with %d hits", took, in.Hits())
	}
}

// answerIsCutAtItsByte: as many bytes of the answer arrive as were asked for, and the connection ends.
func answerIsCutAtItsByte(t *testing.T, r *rig) {
	nc, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", r.Addrs()[0])
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	in := r.inject(t, proxy.Fault{API: kmsg.ApiVersions, Count: 1, Do: proxy.CutResponse, CutAfter: 6})
	request := kmsg.NewRequestFormatter(kmsg.FormatterClientID("raw")).AppendRequest(nil, kmsg.NewPtrApiVersionsRequest(), 1)
	if _, err := nc.Write(request); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(nc)
	if len(got) != 6 || in.Hits() != 1 {
		t.Errorf("%d bytes and %d hits, want 6 and 1 (%v)", len(got), in.Hits(), err)
	}
}

func refusedConnectionIsMadeAgain(t *testing.T, r *rig) {
	in := r.inject(t, proxy.Fault{API: proxy.Any, Count: 3, Do: proxy.RefuseConnections})
	cl := r.client(t)
	if err := send(t, cl, 0, "a"); err != nil {
		t.Error(err)
	}
	r.wait(t, in, 3)
	r.wantLog(t, "a")
}

// chanceFollowsItsSeed: of 20 sends the same ones meet a fault with the same seed.
func chanceFollowsItsSeed(t *testing.T, r *rig) {
	cl := r.client(t)
	met := func(seed uint64) (which []int) {
		in := r.inject(t, proxy.Fault{API: kmsg.Produce, Topic: r.topic, Partition: 0, Probability: 0.5, Seed: seed, Do: proxy.Delay})
		defer in.Remove()
		for i := range 20 {
			before := in.Hits()
			if err := send(t, cl, 0, "a"); err != nil {
				t.Fatal(err)
			}
			if in.Hits() > before {
				which = append(which, i)
			}
		}
		return which
	}
	first := met(1)
	if again := met(1); len(first) == 0 || len(first) == 20 || !slices.Equal(first, again) {
		t.Errorf("with one seed it met %v, then %v", first, again)
	}
	if other := met(2); slices.Equal(first, other) {
		t.Errorf("with another seed it met %v as well", other)
	}
}

func droppedClientConnectsAgain(t *testing.T, r *rig) {
	cl := r.client(t, kgo.ClientID("victim-1"))
	if err := send(t, cl, 0, "a"); err != nil {
		t.Fatal(err)
	}
	if n := r.Drop("somebody else"); n != 0 {
		t.Errorf("%d connections of nobody dropped", n)
	}
	if n := r.Drop("victim*"); n == 0 {
		t.Error("no connection dropped")
	}
	if err := send(t, cl, 0, "b"); err != nil {
		t.Error(err)
	}
	r.wantLog(t, "a", "b")
}

func faultMatchesByClientAndBroker(t *testing.T, r *rig) {
	bad, good := r.client(t, kgo.ClientID("bad-1")), r.client(t, kgo.ClientID("good-1"))
	in := r.inject(t, proxy.Fault{API: kmsg.Produce, Client: "bad*", Do: proxy.Refuse, Code: kerr.MessageTooLarge.Code})
	if err := send(t, good, 0, "good"); err != nil {
		t.Error(err)
	}
	if err := send(t, bad, 0, "bad"); !errors.Is(err, kerr.MessageTooLarge) {
		t.Errorf("got %v", err)
	}
	in.Remove()
	none := r.inject(t, proxy.Fault{API: proxy.Any, Broker: 99, Do: proxy.Stall})
	if err := send(t, good, 0, "good too"); err != nil || none.Hits() != 0 {
		t.Errorf("%v, %d hits of a broker that is not there", err, none.Hits())
	}
	r.wantLog(t, "good", "good too")
}

func commitIsRefusedByGroup(t *testing.T, r *rig) {
	cl := r.client(t, kgo.ConsumerGroup("g-"+r.topic), kgo.ConsumeTopics(r.topic), kgo.DisableAutoCommit(), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err := send(t, cl, 0, "a"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if f := cl.PollFetches(ctx); f.Err() != nil {
		t.Fatal(f.Err())
	}
	in := r.inject(t, proxy.Fault{API: kmsg.OffsetCommit, Group: "g-" + r.topic, Count: 1, Do: proxy.Refuse, Code: kerr.OffsetMetadataTooLarge.Code})
	if err := cl.CommitUncommittedOffsets(ctx); !errors.Is(err, kerr.OffsetMetadataTooLarge) || in.Hits() != 1 {
		t.Errorf("got %v, %d hits", err, in.Hits())
	}
	if err := cl.CommitUncommittedOffsets(ctx); err != nil {
		t.Error(err)
	}
}

// requestLostWithItsConnectionIsNoHit: of two requests in flight the first one's answer takes the connection with it, so the second is still to come.
func requestLostWithItsConnectionIsNoHit(t *testing.T, r *rig) {
	lost, err := r.Inject(proxy.Fault{API: kmsg.ApiVersions, Client: "raw", Count: 2, Do: proxy.DropResponse})
	if err != nil {
		t.Fatal(err)
	}
	request := kmsg.NewRequestFormatter(kmsg.FormatterClientID("raw")).AppendRequest(nil, kmsg.NewPtrApiVersionsRequest(), 1)
	answered := func(inFlight int) bool {
		conn, err := net.Dial("tcp", r.Addrs()[0])
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Write(bytes.Repeat(request, inFlight)); err != nil {
			t.Fatal(err)
		}
		_, err = conn.Read(make([]byte, 1))
		if isTimeout(err) {
			t.Fatal("neither an answer nor the end of the connection")
		}
		return err == nil
	}
	if answered(2) {
		t.Error("an answer came that was to be dropped")
	}
	for deadline := time.Now().Add(10 * time.Second); lost.Hits() < 2; answered(1) {
		if time.Now().After(deadline) {
			t.Fatalf("the fault has met %d requests, want 2", lost.Hits())
		}
	}
	if !answered(1) {
		t.Error("the fault met a third request")
	}
}

func TestFaultThatCanNotBeServedIsRefused(t *testing.T) {
	p, err := proxy.Start(proxy.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	for name, f := range map[string]proxy.Fault{
		"no action":              {API: kmsg.Produce},
		"topic of a heartbeat":   {API: kmsg.Heartbeat, Topic: "orders", Do: proxy.Stall},
		"refusal of everything":  {API: proxy.Any, Do: proxy.Refuse},
		"refusal of ApiVersions": {API: kmsg.ApiVersions, Do: proxy.Refuse},
	} {
		if _, err := p.Inject(f); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// TestBrokerThatGoesWhileIdleIsNoticed: the client's connection must end when the broker's does, also when nothing is under way.
func TestBrokerThatGoesWhileIdleIsNoticed(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	p, err := proxy.Start(proxy.Config{Brokers: map[int32]string{1: l.Addr().String()}})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	client, err := net.Dial("tcp", p.Addrs()[0])
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	upstream, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	upstream.Close()
	if err := client.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Read(make([]byte, 1)); err == nil || errors.Is(err, context.DeadlineExceeded) || isTimeout(err) {
		t.Errorf("the client's connection: %v, want it ended", err)
	}
}

func isTimeout(err error) bool {
	var ne net.Error
	return errors.As(err, &ne) && ne.Timeout()
}
