package broker_test

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sordini-go/sordini/broker"
)

// recorded is what Apache Kafka 4.3.1 answered to each probe under each list of ACLs. To record it again, start one Kafka broker with StandardAuthorizer,
// SASL PLAIN and the users admin (a super user), alice and bob, whose passwords are admin-secret and so on, and run the test with its address in
// KAFKA_TO_RECORD.
const recorded = "testdata/authorization.txt"

// login authenticates with PLAIN.
func (w *wire) login(user string) *wire {
	w.t.Helper()
	handshake := kmsg.NewPtrSASLHandshakeRequest()
	handshake.Mechanism = "PLAIN"
	if r := ask[*kmsg.SASLHandshakeResponse](w, 1, handshake); r.ErrorCode != 0 {
		w.t.Fatalf("handshake: %d", r.ErrorCode)
	}
	auth := kmsg.NewPtrSASLAuthenticateRequest()
	auth.SASLAuthBytes = []byte("\x00" + user + "\x00" + user + "-secret")
	if r := ask[*kmsg.SASLAuthenticateResponse](w, 2, auth); r.ErrorCode != 0 {
		w.t.Fatalf("log in as %s: %d", user, r.ErrorCode)
	}
	return w
}

// authzCase is a list of ACLs of alice (or of who is named), written as "ALLOW READ TOPIC orders", with an asterisk behind a prefix and maybe a host.
type authzCase struct{ name, acls string }

var authzCases = []authzCase{
	{"nothing", ""},
	{"topic READ", "ALLOW READ TOPIC orders"}, {"topic WRITE", "ALLOW WRITE TOPIC orders"}, {"topic CREATE", "ALLOW CREATE TOPIC new"},
	{"topic DELETE", "ALLOW DELETE TOPIC orders; ALLOW DELETE TOPIC ghost"}, {"topic ALTER", "ALLOW ALTER TOPIC orders"},
	{"topic DESCRIBE", "ALLOW DESCRIBE TOPIC orders; ALLOW DESCRIBE TOPIC ghost"}, {"topic DESCRIBE_CONFIGS", "ALLOW DESCRIBE_CONFIGS TOPIC orders"},
	{"topic ALTER_CONFIGS", "ALLOW ALTER_CONFIGS TOPIC orders"}, {"topic ALL", "ALLOW ALL TOPIC orders"},
	{"topic prefix", "ALLOW READ TOPIC ord~"}, {"topic prefix beside", "ALLOW READ TOPIC orders-~"}, {"any topic", "ALLOW ALL TOPIC *"},
	{"deny before allow", "ALLOW ALL TOPIC orders; DENY WRITE TOPIC orders"}, {"deny DESCRIBE", "ALLOW READ TOPIC orders; DENY DESCRIBE TOPIC orders"},
	{"deny READ implies nothing", "ALLOW DESCRIBE TOPIC orders; DENY READ TOPIC orders"}, {"deny by prefix", "ALLOW ALL TOPIC orders; DENY ALL TOPIC o~"},
	{"deny any", "ALLOW ALL TOPIC orders; DENY READ TOPIC *"},
	{"other host", "ALLOW ALL TOPIC orders 10.1.2.3"}, {"this host", "ALLOW ALL TOPIC orders 127.0.0.1"},
	{"everyone", "ALLOW READ TOPIC orders * User:*"}, {"bob", "ALLOW ALL TOPIC orders * User:bob"}, {"deny everyone", "ALLOW ALL TOPIC orders; DENY WRITE TOPIC orders * User:*"},
	{"group READ", "ALLOW READ GROUP g"}, {"group DESCRIBE", "ALLOW DESCRIBE GROUP g"}, {"group DELETE", "ALLOW DELETE GROUP g"}, {"group ALL", "ALLOW ALL GROUP *"},
	{"consumer", "ALLOW READ TOPIC orders; ALLOW READ GROUP g"},
	{"cluster DESCRIBE", "ALLOW DESCRIBE CLUSTER kafka-cluster"}, {"cluster ALTER", "ALLOW ALTER CLUSTER kafka-cluster"},
	{"cluster CREATE", "ALLOW CREATE CLUSTER kafka-cluster; ALLOW DESCRIBE TOPIC *"}, {"cluster DELETE", "ALLOW DELETE CLUSTER kafka-cluster"},
	{"cluster DESCRIBE_CONFIGS", "ALLOW DESCRIBE_CONFIGS CLUSTER kafka-cluster"}, {"cluster ALTER_CONFIGS", "ALLOW ALTER_CONFIGS CLUSTER kafka-cluster"},
	{"cluster CLUSTER_ACTION", "ALLOW CLUSTER_ACTION CLUSTER kafka-cluster"}, {"cluster IDEMPOTENT_WRITE", "ALLOW IDEMPOTENT_WRITE CLUSTER kafka-cluster"},
	{"cluster ALL", "ALLOW ALL CLUSTER kafka-cluster"},
	{"transactional id WRITE", "ALLOW WRITE TRANSACTIONAL_ID t"}, {"transactional id DESCRIBE", "ALLOW DESCRIBE TRANSACTIONAL_ID t"},
	{"transactional producer", "ALLOW WRITE TRANSACTIONAL_ID t; ALLOW WRITE TOPIC orders; ALLOW READ GROUP g"},
}

func (c authzCase) creations(t *testing.T) (out []kmsg.CreateACLsRequestCreation) {
	for text := range strings.SplitSeq(c.acls, "; ") {
		f := strings.Fields(text)
		if len(f) == 0 {
			continue
		}
		f = append(f, []string{"*", "User:alice"}[len(f)-4:]...)
		a := kmsg.NewCreateACLsRequestCreation()
		var err error
		if a.PermissionType, err = kmsg.ParseACLPermissionType(f[0]); err != nil {
			t.Fatal(err)
		}
		if a.Operation, err = kmsg.ParseACLOperation(f[1]); err != nil {
			t.Fatal(err)
		}
		if a.ResourceType, err = kmsg.ParseACLResourceType(f[2]); err != nil {
			t.Fatal(err)
		}
		a.ResourceName, a.ResourcePatternType, a.Host, a.Principal = f[3], kmsg.ACLResourcePatternTypeLiteral, f[4], f[5]
		if name, prefixed := strings.CutSuffix(f[3], "~"); prefixed {
			a.ResourceName, a.ResourcePatternType = name, kmsg.ACLResourcePatternTypePrefixed
		}
		out = append(out, a)
	}
	return out
}

// probe is one request, whose answer depends on what its client may do.
type probe struct {
	name string
	key  kmsg.Key
	ask  func(w *wire, orders [16]byte) string
}

// said is how an answer is written down: Kafka's name of the code, and maybe more.
func said(code int16, more ...any) string {
	name := "ok"
	if code != 0 {
		name = kerr.TypedErrorForCode(code).Message
	}
	for _, m := range more {
		name += fmt.Sprintf(",%v", m)
	}
	return strings.ReplaceAll(name, " ", "_")
}

func TestAuthorizationIsWhatKafkaAnswers(t *testing.T) {
	if addr := os.Getenv("KAFKA_TO_RECORD"); addr != "" {
		record(t, addr)
		return
	}
	want := make(map[string]string)
	f, err := os.Open(recorded)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		k, v, _ := strings.Cut(s.Text(), ": ")
		want[k] = v
	}
	cluster, err := broker.Start(broker.Config{Network: broker.NewNetwork(), Topics: []broker.Topic{{Name: "orders"}},
		Properties: map[string]string{"auto.create.topics.enable": "true"},
		SASL:       &broker.SASL{Users: []broker.User{broker.NewUser("admin", "admin-secret"), broker.NewUser("alice", "alice-secret"), broker.NewUser("bob", "bob-secret")}},
		Authorizer: &broker.Authorizer{SuperUsers: []string{"User:admin"}}})
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	compared := 0
	for name, lines := range answers(t, func() *wire { return dial(t, cluster, 1) }, 0) {
		for _, got := range lines {
			key, code, _ := strings.Cut(got, "=")
			expected, known := "", false
			for _, e := range strings.Fields(want[name]) {
				if k, v, _ := strings.Cut(e, "="); k == key {
					expected, known = v, true
				}
			}
			compared++
			if !known {
				t.Errorf("%s, %s: not recorded from Kafka; here %s", name, key, code)
			} else if code != expected {
				t.Errorf("%s, %s: %s, Kafka says %s", name, key, code, expected)
			}
		}
	}
	if compared < len(authzCases)*30 {
		t.Errorf("only %d answers were compared", compared)
	}
}

// record writes what Kafka answers down.
func record(t *testing.T, addr string) {
	got := answers(t, func() *wire {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		return &wire{t: t, conn: conn, name: "wire"}
	}, 300*time.Millisecond)
	var b strings.Builder
	for _, c := range authzCases {
		fmt.Fprintf(&b, "%s: %s\n", c.name, strings.Join(got[c.name], " "))
	}
	if err := os.MkdirAll(filepath.Dir(recorded), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(recorded, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

// answers runs the probes that the broker serves under each list of ACLs. settle is how long a change takes to be known everywhere.
func answers(t *testing.T, connect func() *wire, settle time.Duration) map[string][]string {
	admin := connect().login("admin")
	served := make(map[int16]bool)
	for _, k := range ask[*kmsg.ApiVersionsResponse](admin, 0, kmsg.NewPtrApiVersionsRequest()).ApiKeys {
		served[k.ApiKey] = true
	}
	create := kmsg.NewPtrCreateTopicsRequest()
	topic := kmsg.NewCreateTopicsRequestTopic()
	topic.Topic, topic.NumPartitions, topic.ReplicationFactor = "orders", 1, 1
	create.Topics = append(create.Topics, topic)
	ask[*kmsg.CreateTopicsResponse](admin, 7, create)
	for _, key := range []string{"g", "t"} { // makes the coordinators' topics
		find := kmsg.NewPtrFindCoordinatorRequest()
		find.CoordinatorKey = key
		if key == "t" {
			find.CoordinatorType = 1
		}
		for range 50 {
			if r := ask[*kmsg.FindCoordinatorResponse](admin, 3, find); r.ErrorCode != kerr.CoordinatorNotAvailable.Code {
				break
			}
			time.Sleep(settle)
		}
	}
	commit := kmsg.NewPtrOffsetCommitRequest()
	commit.Group, commit.Generation = "g", -1
	commit.Topics = []kmsg.OffsetCommitRequestTopic{{Topic: "orders", Partitions: []kmsg.OffsetCommitRequestTopicPartition{{Offset: 1, LeaderEpoch: -1}}}}
	ask[*kmsg.OffsetCommitResponse](admin, 8, commit)
	time.Sleep(settle)
	meta := kmsg.NewPtrMetadataRequest()
	meta.Topics = []kmsg.MetadataRequestTopic{{Topic: kmsg.StringPtr("orders")}}
	id := ask[*kmsg.MetadataResponse](admin, 12, meta).Topics[0].TopicID
	if id == ([16]byte{}) {
		t.Fatal("topic orders has no id")
	}
	got := make(map[string][]string)
	for _, c := range authzCases {
		admin := connect().login("admin")
		clear := kmsg.NewPtrDeleteACLsRequest()
		all := kmsg.NewDeleteACLsRequestFilter()
		all.ResourceType, all.ResourcePatternType, all.Operation, all.PermissionType = 1, 1, 1, 1
		clear.Filters = append(clear.Filters, all)
		ask[*kmsg.DeleteACLsResponse](admin, 3, clear)
		acls := kmsg.NewPtrCreateACLsRequest()
		acls.Creations = c.creations(t)
		for _, r := range ask[*kmsg.CreateACLsResponse](admin, 3, acls).Results {
			if r.ErrorCode != 0 {
				t.Fatalf("%s: %d", c.name, r.ErrorCode)
			}
		}
		time.Sleep(settle)
		alice := connect().login("alice")
		for _, p := range probes {
			if served[p.key.Int16()] {
				got[c.name] = append(got[c.name], p.name+"="+p.ask(alice, id))
			}
		}
	}
	return got
}
