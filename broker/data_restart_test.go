package broker_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"github.com/sordini-go/sordini/broker"
	"github.com/sordini-go/sordini/broker/internal/files/crashfs"
)

// heartbeats counts the answers to heartbeats that are no errors of the network.
type heartbeats struct {
	key int16
	n   atomic.Int64
}

func (h *heartbeats) OnBrokerRead(_ kgo.BrokerMetadata, key int16, _ int, _, _ time.Duration, err error) {
	if key == h.key && err == nil {
		h.n.Add(1)
	}
}

// member is a client of a group that counts how often it loses partitions.
type member struct {
	client *kgo.Client
	beats  heartbeats
	lost   atomic.Int64
	seen   atomic.Int64
}

func joinAs(t *testing.T, cluster *broker.Cluster, key int16, opts ...kgo.Opt) *member {
	t.Helper()
	m := &member{beats: heartbeats{key: key}}
	opts = append(opts, kgo.ConsumeTopics("orders"), kgo.WithHooks(&m.beats), kgo.HeartbeatInterval(50*time.Millisecond),
		kgo.RetryBackoffFn(func(int) time.Duration { return 20 * time.Millisecond }))
	if key != int16(kmsg.ShareGroupHeartbeat) { // whose clients do not tell of partitions
		lost := func(context.Context, *kgo.Client, map[string][]int32) { m.lost.Add(1) }
		opts = append(opts, kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.OnPartitionsRevoked(lost), kgo.OnPartitionsLost(lost))
	}
	m.client = newClient(t, cluster, opts...)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			m.client.PollFetches(ctx).EachRecord(func(r *kgo.Record) {
				if m.beats.key == int16(kmsg.ShareGroupHeartbeat) {
					r.Ack(kgo.AckAccept)
				}
				m.seen.Add(1)
			})
		}
	}()
	t.Cleanup(func() { stop(); <-done })
	return m
}

// until looks, again and again, whether something is so.
func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within 30 s: %s", what)
		}
	}
}

// here is where clusters listen that are started again: on a network of their own, so that nobody takes their ports meanwhile.
func here(cfg broker.Config) broker.Config {
	cfg.Network, cfg.Listen = broker.NewNetwork(), "127.0.0.1:9092"
	return cfg
}

// restarts ends a cluster, as it is told, and starts one at its addresses on what it has left on its disk.
func restarts(t *testing.T, cluster *broker.Cluster, cfg broker.Config, disk *crashfs.FS, killed bool) (*broker.Cluster, *crashfs.FS) {
	t.Helper()
	left := disk
	if killed {
		left = disk.Crash(disk.Ops(), crashfs.Nothing, 0)
	}
	if err := cluster.Close(); err != nil {
		t.Fatal(err)
	}
	return startOn(t, cfg, left), left
}

func TestMembersDoNotNoticeThatTheirBrokerWasStartedAgain(t *testing.T) {
	next := func() kgo.Opt {
		return kgo.WithContext(context.WithValue(t.Context(), "opt_in_kafka_next_gen_balancer_beta", true)) //nolint:staticcheck // franz-go's key
	}
	for name, with := range map[string]struct {
		key  int16
		kind string
		opts func(i int) []kgo.Opt
	}{
		"classic": {int16(kmsg.Heartbeat), "classic", func(int) []kgo.Opt { return []kgo.Opt{kgo.ConsumerGroup("g")} }},
		"static":  {int16(kmsg.Heartbeat), "classic", func(i int) []kgo.Opt { return []kgo.Opt{kgo.ConsumerGroup("g"), kgo.InstanceID(fmt.Sprint("i", i))} }},
		"KIP-848": {int16(kmsg.ConsumerGroupHeartbeat), "consumer", func(int) []kgo.Opt { return []kgo.Opt{kgo.ConsumerGroup("g"), next()} }},
		"share":   {int16(kmsg.ShareGroupHeartbeat), "share", func(int) []kgo.Opt { return []kgo.Opt{kgo.ShareGroup("g")} }},
	} {
		for _, killed := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/killed=%v", name, killed), func(t *testing.T) {
				t.Parallel()
				cfg := here(broker.Config{Topics: []broker.Topic{{Name: "orders", Partitions: 2}}, Properties: map[string]string{"offsets.topic.num.partitions": "2",
					"share.coordinator.state.topic.num.partitions": "2", "group.consumer.heartbeat.interval.ms": "50", "group.share.heartbeat.interval.ms": "50",
					"group.consumer.min.heartbeat.interval.ms": "50", "group.share.min.heartbeat.interval.ms": "50"}})
				disk := crashfs.New()
				cluster := startOn(t, cfg, disk)
				if with.kind == "share" {
					setGroup(t, cluster, "g", "share.auto.offset.reset", "earliest")
				}
				var members []*member
				for i := range 2 {
					members = append(members, joinAs(t, cluster, with.key, with.opts(i)...))
				}
				seen := func() (n int64) {
					for _, m := range members {
						n += m.seen.Load()
					}
					return n
				}
				shares := func(cluster *broker.Cluster) bool {
					g, _ := cluster.Group("g")
					return g.State == "Stable" && len(g.Members) == 2 && len(g.Members[0].Partitions) > 0 && len(g.Members[1].Partitions) > 0
				}
				until(t, "both are in the group, and each has something", func() bool { return shares(cluster) })
				fill(t, cluster, 2, 10)
				until(t, "10 records are seen", func() bool { return seen() >= 10 })
				until(t, "both have reported twice", func() bool { return members[0].beats.n.Load() >= 2 && members[1].beats.n.Load() >= 2 })
				before, _ := cluster.Group("g")
				for _, m := range members {
					m.lost.Store(0)
				}
				cluster, _ = restarts(t, cluster, cfg, disk, killed)
				for i, m := range members {
					at := m.beats.n.Load()
					until(t, fmt.Sprintf("member %d has reported three times", i), func() bool { return m.beats.n.Load() >= at+3 })
				}
				fill(t, cluster, 2, 10)
				until(t, "20 records are seen", func() bool { return seen() >= 20 })
				after, _ := cluster.Group("g")
				if fmt.Sprint(after.Generation, after.Type) != fmt.Sprint(before.Generation, with.kind) {
					t.Errorf("the group is %+v, was %+v", after, before)
				}
				for i, m := range members {
					if m.lost.Load() > 0 {
						t.Errorf("member %d has lost its partitions; the group is %+v, was %+v", i, after, before)
					}
				}
				for i := range before.Members {
					if b, a := before.Members[i], after.Members[i]; a.ID != b.ID || a.Epoch != b.Epoch || fmt.Sprint(a.Partitions) != fmt.Sprint(b.Partitions) {
						t.Errorf("the member is %+v, was %+v", a, b)
					}
				}
			})
		}
	}
}

func TestSchemasAndTheirIDsSurviveARestart(t *testing.T) {
	for _, killed := range []bool{false, true} {
		for _, brokers := range []int{1, 3} {
			cfg := here(broker.Config{Brokers: brokers, Registry: &broker.Registry{}})
			disk := crashfs.New()
			cluster := startOn(t, cfg, disk)
			client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: cluster.Dial}}
			ask := func(method, path, body string) string {
				t.Helper()
				return askRegistry(t, client, method, cluster.RegistryURL()+path, body)
			}
			paths := []string{"/subjects", "/schemas/ids/1", "/schemas/ids/2", "/schemas/ids/3", "/subjects/orders-value/versions", "/subjects/orders-value/versions/latest",
				"/subjects/payments-value/versions/1", "/config", "/config/orders-value", "/mode"}
			ask("PUT", "/config/orders-value", `{"compatibility":"NONE"}`)
			for i, schema := range []string{`{\"type\": \"string\"}`, `{\"type\": \"long\"}`} {
				if got := ask("POST", "/subjects/orders-value/versions", fmt.Sprintf(`{"schema":"%s"}`, schema)); !strings.Contains(got, fmt.Sprintf(`"id":%d`, i+1)) {
					t.Fatal(got)
				}
			}
			ask("POST", "/subjects/payments-value/versions", `{"schema":"{\"type\": \"bytes\"}"}`)
			ask("POST", "/subjects/gone-value/versions", `{"schema":"{\"type\": \"int\"}"}`)
			ask("DELETE", "/subjects/gone-value", "")
			before := make(map[string]string)
			for _, path := range paths {
				before[path] = ask("GET", path, "")
			}
			cluster, _ = restarts(t, cluster, cfg, disk, killed)
			for _, path := range paths {
				if now := ask("GET", path, ""); now != before[path] {
					t.Errorf("killed %v, %d brokers: %s is %s, was %s", killed, brokers, path, now, before[path])
				}
			}
			if got := ask("POST", "/subjects/orders-value/versions", `{"schema":"{\"type\": \"float\"}"}`); !strings.Contains(got, `"id":5`) {
				t.Errorf("the next schema is %s", got)
			}
		}
	}
}

func TestTokensLogInAfterARestart(t *testing.T) {
	cfg := here(broker.Config{Topics: []broker.Topic{{Name: "orders"}}, Properties: map[string]string{"delegation.token.secret.key": "k3y"},
		SASL:       &broker.SASL{Users: []broker.User{broker.NewUser("root", "root-secret"), broker.NewUser("alice", "alice-secret"), broker.NewUser("bob", "bob-secret")}},
		Authorizer: &broker.Authorizer{SuperUsers: []string{"User:root"}}})
	disk := crashfs.New()
	cluster := startOn(t, cfg, disk)
	root := dial(t, cluster, 1).login("root")
	token, gone := made(t, root, "alice", "bob"), made(t, root, "alice")
	if r := ask[*kmsg.ExpireDelegationTokenResponse](dial(t, cluster, 1).login("alice"), 2, &kmsg.ExpireDelegationTokenRequest{HMAC: gone.HMAC, ExpiryPeriodMillis: -1}); r.ErrorCode != 0 {
		t.Fatalf("%+v", r)
	}
	renewed := ask[*kmsg.RenewDelegationTokenResponse](dial(t, cluster, 1).login("bob"), 2, &kmsg.RenewDelegationTokenRequest{HMAC: token.HMAC, RenewTimeMillis: 600_000})
	list := kmsg.NewPtrDescribeDelegationTokenRequest()
	before := ask[*kmsg.DescribeDelegationTokenResponse](root, 3, list)
	cluster, left := restarts(t, cluster, cfg, disk, true)
	root = dial(t, cluster, 1).login("root")
	after := ask[*kmsg.DescribeDelegationTokenResponse](root, 3, list)
	if fmt.Sprintf("%+v", after.TokenDetails) != fmt.Sprintf("%+v", before.TokenDetails) || len(after.TokenDetails) != 1 || after.TokenDetails[0].ExpiryTimestamp != renewed.ExpiryTimestamp {
		t.Errorf("there are %+v, were %+v", after.TokenDetails, before.TokenDetails)
	}
	logsIn := func(token *kmsg.CreateDelegationTokenResponse) error {
		cl := connect(t, cluster, nil, scram.Auth{User: token.TokenID, Pass: base64.StdEncoding.EncodeToString(token.HMAC), IsToken: true}.AsSha256Mechanism())
		defer cl.Close()
		return cl.Ping(t.Context())
	}
	if err := logsIn(token); err != nil {
		t.Errorf("with a token from before: %v", err)
	}
	if logsIn(gone) == nil {
		t.Error("with a token that was taken back before")
	}
	cfg.Properties = map[string]string{"delegation.token.secret.key": "another"}
	cluster, _ = restarts(t, cluster, cfg, left, false)
	if logsIn(token) == nil {
		t.Error("with a token of another secret")
	}
}
