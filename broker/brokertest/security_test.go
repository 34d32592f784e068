package brokertest_test

import (
	"errors"
	"testing"
	"testing/synctest"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/broker"
	"github.com/sordini-go/sordini/broker/brokertest"
)

func produce(t *testing.T, c sordini.Cluster, topic string) error {
	t.Helper()
	client, err := c.NewClient()
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	return client.ProduceSync(t.Context(), &kgo.Record{Topic: topic, Value: []byte("one")}).FirstErr() //nolint:wrapcheck // looked at as it is
}

// Whatever a cluster wants of its clients, SDK has it; SDKAs is the one that it is asked for, who may do what ACLs say.
func TestSDKGetsIntoEverySecuredCluster(t *testing.T) {
	alice := brokertest.User("alice", "alice-secret")
	write := brokertest.ACLs(broker.ACL{Principal: "User:alice", Operations: []string{"WRITE"}, Name: "orders"}, broker.ACL{Principal: "User:CN=alice", Operations: []string{"WRITE"}, Name: "orders"})
	for name, c := range map[string]struct {
		opts []brokertest.Option
		acls bool
	}{
		"users":                            {[]brokertest.Option{alice}, false},
		"TLS and users":                    {[]brokertest.Option{brokertest.TLS(), alice}, false},
		"mutual TLS":                       {[]brokertest.Option{brokertest.MutualTLS()}, false},
		"mutual TLS and ACLs":              {[]brokertest.Option{brokertest.MutualTLS(), write}, true},
		"mutual TLS, users, ACLs":          {[]brokertest.Option{brokertest.MutualTLS(), alice, write}, true},
		"users and ACLs":                   {[]brokertest.Option{alice, write}, true},
		"users, ACLs, users of a registry": {[]brokertest.Option{alice, write, brokertest.RegistryUser("bob", "bob-secret")}, true},
	} {
		for _, virtual := range []bool{true, false} {
			run := func(t *testing.T) {
				cluster := brokertest.New(t, append(c.opts, brokertest.Topic("orders", 1), brokertest.Topic("audit", 1))...)
				for _, topic := range []string{"orders", "audit"} {
					if err := produce(t, cluster.SDK(), topic); err != nil {
						t.Errorf("%s: %v", topic, err)
					}
				}
				if err := produce(t, cluster.SDKAs("alice"), "orders"); err != nil {
					t.Error(err)
				}
				if err := produce(t, cluster.SDKAs("alice"), "audit"); c.acls != errors.Is(err, kerr.TopicAuthorizationFailed) || !c.acls && err != nil {
					t.Errorf("what alice may not: %v", err)
				}
			}
			if virtual {
				t.Run(name+" in virtual time", func(t *testing.T) { synctest.Test(t, run) })
			} else {
				t.Run(name, run)
			}
		}
	}
}

func TestTLSAloneIsAnonymous(t *testing.T) {
	cluster := brokertest.New(t, brokertest.TLS(), brokertest.Topic("orders", 1))
	if err := produce(t, cluster.SDK(), "orders"); err != nil {
		t.Error(err)
	}
	if c := cluster.SDK(); c.TLS == nil || c.SASL != nil || c.Principal() != "User:ANONYMOUS" || cluster.Authority() == nil {
		t.Errorf("SDK is %v", c)
	}
}
