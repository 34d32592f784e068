package broker_test

import (
	"encoding/base64"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"github.com/sordini-go/sordini/broker"
)

// delegating runs a test on a broker with tokens and users.
func delegating(t *testing.T, test func(t *testing.T, cluster *broker.Cluster)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		test(t, start(t, broker.Config{
			Network: broker.NewNetwork(), Topics: []broker.Topic{{Name: "orders"}},
			Properties: map[string]string{"delegation.token.secret.key": "k3y", "connections.max.idle.ms": "-1"},
			SASL:       &broker.SASL{Users: []broker.User{broker.NewUser("root", "root-secret"), broker.NewUser("alice", "alice-secret"), broker.NewUser("bob", "bob-secret")}},
			Authorizer: &broker.Authorizer{SuperUsers: []string{"User:root"}, ACLs: []broker.ACL{{Principal: "User:alice", Operations: []string{"DESCRIBE"}, Name: "orders"}}},
		}))
	})
}

func made(t *testing.T, w *wire, owner string, renewers ...string) *kmsg.CreateDelegationTokenResponse {
	t.Helper()
	req := kmsg.NewPtrCreateDelegationTokenRequest()
	req.MaxLifetimeMillis = -1
	if owner != "" {
		req.OwnerPrincipalType, req.OwnerPrincipalName = kmsg.StringPtr("User"), &owner
	}
	for _, r := range renewers {
		req.Renewers = append(req.Renewers, kmsg.CreateDelegationTokenRequestRenewer{PrincipalType: "User", PrincipalName: r})
	}
	return ask[*kmsg.CreateDelegationTokenResponse](w, 3, req)
}

// Who holds a token is its owner to the broker, but for tokens; and only as long as the token lasts.
func TestAClientLogsInWithADelegationToken(t *testing.T) {
	delegating(t, func(t *testing.T, cluster *broker.Cluster) {
		root := dial(t, cluster, 1).login("root")
		token := made(t, root, "alice", "bob")
		if token.ErrorCode != 0 || token.PrincipalName != "alice" || token.TokenRequesterPrincipalName != "root" {
			t.Fatalf("%+v", token)
		}
		secret := scram.Auth{User: token.TokenID, Pass: base64.StdEncoding.EncodeToString(token.HMAC), IsToken: true}
		cl := connect(t, cluster, nil, secret.AsSha256Mechanism())
		defer cl.Close()
		resp, err := kmsg.NewPtrMetadataRequest().RequestWith(t.Context(), cl)
		if err != nil || len(resp.Topics) != 1 || *resp.Topics[0].Topic != "orders" {
			t.Fatalf("%+v, %v", resp, err)
		}
		create, err := kmsg.NewPtrCreateDelegationTokenRequest().RequestWith(t.Context(), cl)
		if err != nil || create.ErrorCode != kerr.DelegationTokenRequestNotAllowed.Code {
			t.Errorf("a token's holder makes a token: %+v, %v", create, err)
		}
		bob := dial(t, cluster, 1).login("bob")
		if r := ask[*kmsg.RenewDelegationTokenResponse](bob, 2, &kmsg.RenewDelegationTokenRequest{HMAC: token.HMAC, RenewTimeMillis: 60_000}); r.ErrorCode != 0 || r.ExpiryTimestamp != time.Now().UnixMilli()+60_000 {
			t.Errorf("renewed: %+v", r)
		}
		time.Sleep(2 * time.Minute)
		late := connect(t, cluster, nil, secret.AsSha512Mechanism(), kgo.RetryTimeout(10*time.Second))
		defer late.Close()
		if err := late.Ping(t.Context()); err == nil {
			t.Error("an expired token logs in")
		}
	})
}

func TestTokensAreGivenAndShownToWhoMay(t *testing.T) {
	delegating(t, func(t *testing.T, cluster *broker.Cluster) {
		alice, bob, root := dial(t, cluster, 1).login("alice"), dial(t, cluster, 1).login("bob"), dial(t, cluster, 1).login("root")
		if r := made(t, alice, "bob"); r.ErrorCode != kerr.DelegationTokenAuthorizationFailed.Code || r.ExpiryTimestamp != -1 {
			t.Errorf("for somebody else: %+v", r)
		}
		bad := kmsg.NewPtrCreateDelegationTokenRequest()
		bad.Renewers = []kmsg.CreateDelegationTokenRequestRenewer{{PrincipalType: "Group", PrincipalName: "all"}}
		if r := ask[*kmsg.CreateDelegationTokenResponse](alice, 3, bad); r.ErrorCode != kerr.InvalidPrincipalType.Code {
			t.Errorf("with a group to renew it: %+v", r)
		}
		token := made(t, alice, "")
		for who, want := range map[*wire]int{alice: 1, bob: 0, root: 1} {
			if r := ask[*kmsg.DescribeDelegationTokenResponse](who, 3, kmsg.NewPtrDescribeDelegationTokenRequest()); r.ErrorCode != 0 || len(r.TokenDetails) != want {
				t.Errorf("%d tokens are seen, want %d", len(r.TokenDetails), want)
			}
		}
		if r := ask[*kmsg.ExpireDelegationTokenResponse](bob, 2, &kmsg.ExpireDelegationTokenRequest{HMAC: token.HMAC, ExpiryPeriodMillis: -1}); r.ErrorCode != kerr.DelegationTokenOwnerMismatch.Code {
			t.Errorf("by somebody else: %+v", r)
		}
		if r := ask[*kmsg.ExpireDelegationTokenResponse](alice, 2, &kmsg.ExpireDelegationTokenRequest{HMAC: token.HMAC, ExpiryPeriodMillis: -1}); r.ErrorCode != 0 {
			t.Errorf("by its owner: %+v", r)
		}
		if r := ask[*kmsg.RenewDelegationTokenResponse](alice, 2, &kmsg.RenewDelegationTokenRequest{HMAC: token.HMAC}); r.ErrorCode != kerr.DelegationTokenNotFound.Code {
			t.Errorf("renewed when it is gone: %+v", r)
		}
	})
}
