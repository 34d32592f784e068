package broker_test

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sordini-go/sordini/broker"
)

func creation(change func(*kmsg.CreateACLsRequestCreation)) kmsg.CreateACLsRequestCreation {
	a := kmsg.NewCreateACLsRequestCreation()
	a.ResourceType, a.ResourceName, a.ResourcePatternType = kmsg.ACLResourceTypeTopic, "orders", kmsg.ACLResourcePatternTypeLiteral
	a.Principal, a.Host, a.Operation, a.PermissionType = "User:alice", "*", kmsg.ACLOperationWrite, kmsg.ACLPermissionTypeAllow
	if change != nil {
		change(&a)
	}
	return a
}

// superBubble runs a test with a connection of a super user.
func superBubble(t *testing.T, test func(t *testing.T, cluster *broker.Cluster, admin *wire)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		sasl := users()
		sasl.Users = append(sasl.Users, broker.NewUser("admin", "admin-secret"))
		cluster := startSecure(t, broker.Config{SASL: sasl, Authorizer: &broker.Authorizer{SuperUsers: []string{"User:admin"}}})
		test(t, cluster, dial(t, cluster, 1).login("admin"))
	})
}

func TestACLsAreCreatedFoundAndDeleted(t *testing.T) {
	superBubble(t, func(t *testing.T, cluster *broker.Cluster, admin *wire) {
		alice := dial(t, cluster, 1).login("alice")
		write := func() int16 { return alice.produce("orders", 0, seal(batchOf(text("x")...))).ErrorCode }
		if code := write(); code != kerr.TopicAuthorizationFailed.Code {
			t.Errorf("before: %d", code)
		}
		req := kmsg.NewPtrCreateACLsRequest()
		req.Creations = []kmsg.CreateACLsRequestCreation{creation(nil), creation(nil), // twice the same
			creation(func(a *kmsg.CreateACLsRequestCreation) { a.ResourceName = "*" }),
			creation(func(a *kmsg.CreateACLsRequestCreation) {
				a.ResourceName, a.ResourcePatternType = "ord", kmsg.ACLResourcePatternTypePrefixed
			}),
			creation(func(a *kmsg.CreateACLsRequestCreation) {
				a.ResourceType, a.ResourceName, a.Operation = kmsg.ACLResourceTypeGroup, "g", kmsg.ACLOperationRead
			})}
		for i, r := range ask[*kmsg.CreateACLsResponse](admin, 3, req).Results {
			if r.ErrorCode != 0 {
				t.Errorf("ACL %d: %d", i, r.ErrorCode)
			}
		}
		if code := write(); code != 0 {
			t.Errorf("allowed: %d", code)
		}
		describe := kmsg.NewPtrDescribeACLsRequest()
		describe.ResourceType, describe.Operation, describe.PermissionType = kmsg.ACLResourceTypeTopic, kmsg.ACLOperationAny, kmsg.ACLPermissionTypeAny
		describe.ResourceName = kmsg.StringPtr("orders")
		for pattern, want := range map[kmsg.ACLResourcePatternType]int{
			kmsg.ACLResourcePatternTypeLiteral: 1, kmsg.ACLResourcePatternTypePrefixed: 0, kmsg.ACLResourcePatternTypeAny: 1, kmsg.ACLResourcePatternTypeMatch: 3,
		} {
			describe.ResourcePatternType = pattern
			if r := ask[*kmsg.DescribeACLsResponse](admin, 3, describe); r.ErrorCode != 0 || len(r.Resources) != want {
				t.Errorf("%s: %+v", pattern, r)
			}
		}
		del := kmsg.NewPtrDeleteACLsRequest()
		f := kmsg.NewDeleteACLsRequestFilter()
		f.ResourceType, f.ResourcePatternType, f.Operation, f.PermissionType = kmsg.ACLResourceTypeTopic, kmsg.ACLResourcePatternTypeAny, kmsg.ACLOperationAny, kmsg.ACLPermissionTypeAny
		del.Filters = append(del.Filters, f)
		if r := ask[*kmsg.DeleteACLsResponse](admin, 3, del).Results[0]; r.ErrorCode != 0 || len(r.MatchingACLs) != 3 {
			t.Errorf("deleted: %+v", r)
		}
		if code := write(); code != kerr.TopicAuthorizationFailed.Code {
			t.Errorf("after: %d", code)
		}
	})
}

// TestIllegalACLsAreRefused has the answers of Apache Kafka 4.3.1.
func TestIllegalACLsAreRefused(t *testing.T) {
	type change = func(*kmsg.CreateACLsRequestCreation)
	for name, test := range map[string]struct {
		change change
		code   int16 // of the illegal one
		other  int16 // of a legal one beside it
		end    bool  // of the connection
	}{
		"no type":         {change: func(a *kmsg.CreateACLsRequestCreation) { a.ResourceType = 0 }, end: true},
		"any type":        {change: func(a *kmsg.CreateACLsRequestCreation) { a.ResourceType = 1 }, code: -1, other: -1},
		"type 99":         {change: func(a *kmsg.CreateACLsRequestCreation) { a.ResourceType = 99 }, code: 42},
		"no pattern":      {change: func(a *kmsg.CreateACLsRequestCreation) { a.ResourcePatternType = 0 }, end: true},
		"any pattern":     {change: func(a *kmsg.CreateACLsRequestCreation) { a.ResourcePatternType = 1 }, code: -1, other: -1},
		"matching":        {change: func(a *kmsg.CreateACLsRequestCreation) { a.ResourcePatternType = 2 }, code: -1, other: -1},
		"pattern 99":      {change: func(a *kmsg.CreateACLsRequestCreation) { a.ResourcePatternType = 99 }, code: 42},
		"no operation":    {change: func(a *kmsg.CreateACLsRequestCreation) { a.Operation = 0 }, end: true},
		"any operation":   {change: func(a *kmsg.CreateACLsRequestCreation) { a.Operation = 1 }, code: -1, other: -1},
		"operation 99":    {change: func(a *kmsg.CreateACLsRequestCreation) { a.Operation = 99 }, code: 42},
		"no permission":   {change: func(a *kmsg.CreateACLsRequestCreation) { a.PermissionType = 0 }, end: true},
		"any permission":  {change: func(a *kmsg.CreateACLsRequestCreation) { a.PermissionType = 1 }, code: -1, other: -1},
		"permission 99":   {change: func(a *kmsg.CreateACLsRequestCreation) { a.PermissionType = 99 }, code: 42},
		"no name":         {change: func(a *kmsg.CreateACLsRequestCreation) { a.ResourceName = "" }, code: 42},
		"another cluster": {change: func(a *kmsg.CreateACLsRequestCreation) { a.ResourceType = 4 }, code: 42},
		"no principal":    {change: func(a *kmsg.CreateACLsRequestCreation) { a.Principal = "" }, code: 42},
		"no kind":         {change: func(a *kmsg.CreateACLsRequestCreation) { a.Principal = "alice" }, code: 42},
		"another kind":    {change: func(a *kmsg.CreateACLsRequestCreation) { a.Principal = "Group:x" }},
		"two-phase":       {change: func(a *kmsg.CreateACLsRequestCreation) { a.Operation = 15 }},
	} {
		superBubble(t, func(t *testing.T, _ *broker.Cluster, admin *wire) {
			req := kmsg.NewPtrCreateACLsRequest()
			req.SetVersion(3)
			req.Creations = []kmsg.CreateACLsRequestCreation{creation(nil), creation(test.change)}
			admin.send(req)
			resp, err := admin.receive(req)
			if test.end {
				if err == nil {
					t.Errorf("%s: %+v", name, resp)
				}
				return
			}
			if err != nil {
				t.Errorf("%s: %v", name, err)
				return
			}
			r := resp.(*kmsg.CreateACLsResponse).Results
			if r[0].ErrorCode != test.other || r[1].ErrorCode != test.code {
				t.Errorf("%s: %d and %d", name, r[0].ErrorCode, r[1].ErrorCode)
			}
		})
	}
}

func TestWithoutAuthorizerThereAreNoACLs(t *testing.T) {
	bubble(t, func(t *testing.T, cluster *broker.Cluster) {
		w := dial(t, cluster, 1)
		describe := kmsg.NewPtrDescribeACLsRequest()
		describe.ResourceType, describe.ResourcePatternType, describe.Operation, describe.PermissionType = 1, 1, 1, 1
		if r := ask[*kmsg.DescribeACLsResponse](w, 3, describe); r.ErrorCode != kerr.SecurityDisabled.Code {
			t.Errorf("describe: %+v", r)
		}
		create := kmsg.NewPtrCreateACLsRequest()
		create.Creations = append(create.Creations, creation(nil))
		if r := ask[*kmsg.CreateACLsResponse](w, 3, create).Results[0]; r.ErrorCode != kerr.SecurityDisabled.Code {
			t.Errorf("create: %+v", r)
		}
	})
}

// logBuffer is a log that many goroutines write to.
type logBuffer struct {
	mu  sync.Mutex // guards buf
	buf bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// TestG14BrokerShowsNoSecret is guarantee G14 for the reference broker: whatever clients and tests do, its log, dump and settings show no secret.
func TestG14BrokerShowsNoSecret(t *testing.T) {
	const canary = "hunter2-canary"
	synctest.Test(t, func(t *testing.T) {
		logged := new(logBuffer)
		cfg := broker.Config{TLS: serverTLS(t, tls.NoClientCert), SASL: &broker.SASL{Users: []broker.User{broker.NewUser("alice", canary)}, OAuth: &broker.OAuth{AllowUnsigned: true}},
			Logger: slog.New(slog.NewTextHandler(logged, &slog.HandlerOptions{Level: slog.LevelDebug})), Authorizer: &broker.Authorizer{}}
		cluster := startSecure(t, cfg)
		for _, password := range []string{canary, canary + "x"} {
			c := connect(t, cluster, clientTLS(t, ""), plainAuth("alice", password))
			err := c.ProduceSync(t.Context(), &kgo.Record{Topic: "orders", Value: []byte("x")}).FirstErr()
			if err == nil || strings.Contains(err.Error(), canary) {
				t.Errorf("produce: %v", err)
			}
			c.Close()
		}
		w := &wire{t: t, conn: mustTLS(t, cluster), name: "wire"}
		w.tell(1, saslHandshake("OAUTHBEARER"))
		w.tell(2, saslToken("n,,\x01auth=Bearer "+canary+"\x01\x01"))
		w.tell(2, saslToken("\x01"))
		cluster.Dump(logged)
		fmt.Fprintf(logged, "%v %+v %#v %v %v", cfg, cfg, cfg, cfg.SASL, cfg.SASL.Users)
		fmt.Fprintf(logged, "%+v %#v", struct{ c broker.Config }{cfg}, cfg.SASL.Users[0])
		synctest.Wait() // until the connections have logged their last
		for _, secret := range []string{canary, fmt.Sprintf("%x", canary), strings.Trim(fmt.Sprintf("%v", []byte(canary)), "[]")} {
			if strings.Contains(logged.String(), secret) {
				t.Errorf("%q is shown in\n%s", secret, logged.String())
			}
		}
		for _, want := range []string{"principal=User:alice", "Invalid username or password", "token refused", "operation=DESCRIBE", "name=orders"} {
			if !strings.Contains(logged.String(), want) {
				t.Errorf("the log does not say %q:\n%s", want, logged.String())
			}
		}
	})
}

func TestConfigurationsThatLetNobodyInAreRefused(t *testing.T) {
	for want, cfg := range map[string]broker.Config{
		"neither a user nor OAuth": {SASL: &broker.SASL{}},
		"is there twice":           {SASL: &broker.SASL{Users: []broker.User{broker.NewUser("a", "x"), broker.NewUser("a", "y")}}},
		"a name and a password":    {SASL: &broker.SASL{Users: []broker.User{{}}}},
		"GSSAPI":                   {SASL: &broker.SASL{Mechanisms: []string{"GSSAPI"}}},
		"OAUTHBEARER needs":        {SASL: &broker.SASL{Mechanisms: []string{"OAUTHBEARER"}, Users: []broker.User{broker.NewUser("a", "x")}}},
		"no keys to check":         {SASL: &broker.SASL{OAuth: &broker.OAuth{}}},
		"key set":                  {SASL: &broker.SASL{OAuth: &broker.OAuth{JWKS: []byte("x")}}},
		"no certificate":           {TLS: &tls.Config{}},
		"neither DEFAULT":          {Properties: map[string]string{"ssl.principal.mapping.rules": "x"}},
		"not address:number":       {Properties: map[string]string{"max.connections.per.ip.overrides": "x"}},
		"the principal is missing": {Authorizer: &broker.Authorizer{ACLs: []broker.ACL{{Name: "x"}}}},
		"the name is missing":      {Authorizer: &broker.Authorizer{ACLs: []broker.ACL{{Principal: "x"}}}},
		"no operation":             {Authorizer: &broker.Authorizer{ACLs: []broker.ACL{{Principal: "x", Name: "x", Operations: []string{"FLY"}}}}},
		"the resource must be":     {Authorizer: &broker.Authorizer{ACLs: []broker.ACL{{Principal: "x", Name: "x", Resource: "MOON"}}}},
		"only name":                {Authorizer: &broker.Authorizer{ACLs: []broker.ACL{{Principal: "x", Name: "x", Resource: "CLUSTER"}}}},
		"a principal has a type":   {Authorizer: &broker.Authorizer{SuperUsers: []string{"admin"}}},
	} {
		cluster, err := broker.Start(cfg)
		if err == nil {
			cluster.Close()
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}

func TestAutomaticTopicNeedsPermission(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cluster := startSecure(t, broker.Config{SASL: users(), AutoCreateTopics: true, Authorizer: &broker.Authorizer{ACLs: []broker.ACL{
			{Principal: "alice", Name: "made", Operations: []string{"WRITE", "CREATE"}}, {Principal: "bob", Name: "*", Operations: []string{"WRITE"}}}}})
		for user, ok := range map[string]bool{"alice": true, "bob": false} {
			c := connect(t, cluster, nil, plainAuth(user, user+"-secret"), kgo.AllowAutoTopicCreation())
			err := c.ProduceSync(t.Context(), &kgo.Record{Topic: map[string]string{"alice": "made", "bob": "unmade"}[user], Value: []byte("x")}).FirstErr()
			if ok && err != nil || !ok && !errors.Is(err, kerr.TopicAuthorizationFailed) {
				t.Errorf("%s: %v", user, err)
			}
			c.Close()
		}
		if cluster.Partitions("unmade") != 0 || cluster.Partitions("made") != 1 {
			t.Error("what was created is not what was allowed")
		}
	})
}

func TestRegularExpressionNamesOnlyWhatItsClientMaySee(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cluster := startSecure(t, broker.Config{SASL: users(), Topics: []broker.Topic{{Name: "orders"}, {Name: "orders-secret"}}, Authorizer: &broker.Authorizer{ACLs: []broker.ACL{
			{Principal: "alice", Name: "orders", Operations: []string{"READ"}}, {Principal: "alice", Resource: "GROUP", Name: "*"}}}})
		w := dial(t, cluster, 1).login("alice")
		req := kmsg.NewPtrConsumerGroupHeartbeatRequest()
		req.Group, req.MemberID, req.RebalanceTimeoutMillis, req.SubscribedTopicRegex = "g", "m", 10000, kmsg.StringPtr("orders.*")
		req.Topics = []kmsg.ConsumerGroupHeartbeatRequestTopic{}
		assigned := 0
		for range 5 {
			r := ask[*kmsg.ConsumerGroupHeartbeatResponse](w, 1, req)
			if r.ErrorCode != 0 {
				t.Fatalf("heartbeat: %d", r.ErrorCode)
			}
			if r.Assignment != nil {
				assigned = len(r.Assignment.Topics)
			}
			req = kmsg.NewPtrConsumerGroupHeartbeatRequest()
			req.Group, req.MemberID, req.MemberEpoch, req.RebalanceTimeoutMillis = "g", "m", r.MemberEpoch, -1
			time.Sleep(time.Second)
		}
		if assigned != 1 {
			t.Errorf("%d topics are assigned", assigned)
		}
	})
}

func TestTopicIsNotDeletedByIDWithoutPermission(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cluster := startSecure(t, broker.Config{SASL: users(), Authorizer: &broker.Authorizer{ACLs: []broker.ACL{{Principal: "alice", Name: "orders", Operations: []string{"DESCRIBE"}}}}})
		meta := ask[*kmsg.MetadataResponse](dial(t, cluster, 1).login("alice"), 12, metadataOfOrders())
		for user, named := range map[string]bool{"alice": true, "bob": false} { // only who may describe it learns its name
			req := kmsg.NewPtrDeleteTopicsRequest()
			req.Topics = []kmsg.DeleteTopicsRequestTopic{{TopicID: meta.Topics[0].TopicID}}
			r := ask[*kmsg.DeleteTopicsResponse](dial(t, cluster, 1).login(user), 6, req).Topics[0]
			if r.ErrorCode != kerr.TopicAuthorizationFailed.Code || (r.Topic != nil) != named {
				t.Errorf("%s: %+v", user, r)
			}
		}
		if cluster.Partitions("orders") != 1 {
			t.Error("the topic is gone")
		}
	})
}

func TestGroupIsNotDescribedToWhoMayNotSeeItsTopics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cluster := startSecure(t, broker.Config{SASL: users(), Authorizer: &broker.Authorizer{ACLs: []broker.ACL{
			{Principal: "alice", Name: "orders", Operations: []string{"READ"}}, {Principal: "User:*", Resource: "GROUP", Name: "*"}}}})
		w := dial(t, cluster, 1).login("alice")
		join := kmsg.NewPtrConsumerGroupHeartbeatRequest()
		join.Group, join.MemberID, join.RebalanceTimeoutMillis, join.SubscribedTopicNames = "g", "m", 10000, []string{"orders"}
		join.Topics = []kmsg.ConsumerGroupHeartbeatRequestTopic{}
		if r := ask[*kmsg.ConsumerGroupHeartbeatResponse](w, 1, join); r.ErrorCode != 0 {
			t.Fatalf("join: %d", r.ErrorCode)
		}
		for user, code := range map[string]int16{"alice": 0, "bob": kerr.TopicAuthorizationFailed.Code} {
			req := kmsg.NewPtrConsumerGroupDescribeRequest()
			req.Groups = []string{"g"}
			g := ask[*kmsg.ConsumerGroupDescribeResponse](dial(t, cluster, 1).login(user), 0, req).Groups[0]
			if g.ErrorCode != code || (len(g.Members) == 1) != (code == 0) {
				t.Errorf("%s: %+v", user, g)
			}
		}
	})
}
