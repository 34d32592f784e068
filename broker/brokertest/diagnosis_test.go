package brokertest_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/broker"
	"github.com/sordini-go/sordini/broker/brokertest"
	"github.com/sordini-go/sordini/consumer"
	"github.com/sordini-go/sordini/producer"
	"github.com/sordini-go/sordini/serde"
)

type order struct{ ID string }

var placed = sordini.Topic[order]{Name: "orders", Key: sordini.KeyString(func(o order) string { return o.ID }), Value: serde.JSON[order]()}

// sendOne sends with the SDK.
func sendOne(t *testing.T, c sordini.Cluster) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	p, err := producer.New(c, producer.Source("test"), producer.DeliveryTimeout(10*time.Second))
	if err != nil {
		return err //nolint:wrapcheck // looked at as it is
	}
	defer p.Close()
	to, err := producer.To(p, placed)
	if err != nil {
		return err //nolint:wrapcheck // looked at as it is
	}
	return to.Send(ctx, order{"1"}) //nolint:wrapcheck // looked at as it is
}

// consumeOne runs a group until it has handled a record, has failed, or a minute has passed.
func consumeOne(t *testing.T, c sordini.Cluster) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	g, err := consumer.New(c, "billing")
	if err != nil {
		return err //nolint:wrapcheck // looked at as it is
	}
	handled := false
	if err := consumer.Handle(g, placed, func(context.Context, *consumer.Message[order]) error {
		handled = true
		cancel()
		return nil
	}); err != nil {
		return err //nolint:wrapcheck // looked at as it is
	}
	if err = g.Run(ctx); err == nil && !handled {
		err = errors.New("nothing was handled in a minute")
	}
	return err //nolint:wrapcheck // looked at as it is
}

// On a cluster with TLS, SASL and ACLs the SDK works for who may, and says to others who they are, what they may not, and what to do about it.
func TestSDKSaysWhoMayNotDoWhat(t *testing.T) {
	const write, read = "WRITE", "READ"
	synctest.Test(t, func(t *testing.T) {
		b := brokertest.New(t, brokertest.Brokers(2), brokertest.TLS(), brokertest.User("alice", "alice-secret"), brokertest.User("bob", "bob-secret"),
			brokertest.User("carol", "carol-secret"), brokertest.User("dave", "dave-secret"), brokertest.Topic("orders", 2), brokertest.ACLs(
				broker.ACL{Principal: "alice", Name: "orders", Operations: []string{write, read, "DESCRIBE_CONFIGS"}},
				broker.ACL{Principal: "alice", Resource: "GROUP", Name: "billing", Prefixed: true},
				broker.ACL{Principal: "alice", Name: "billing", Prefixed: true},
				broker.ACL{Principal: "alice", Name: "orders.", Prefixed: true},
				broker.ACL{Principal: "dave", Name: "orders", Prefixed: true},
				broker.ACL{Principal: "bob", Name: "orders", Operations: []string{read}},
				broker.ACL{Principal: "bob", Name: "orders", Operations: []string{write}, Deny: true},
				broker.ACL{Principal: "carol", Resource: "GROUP", Name: "billing", Operations: []string{read}}))
		as := func(name string) sordini.Cluster {
			c := b.SDKAs(name)
			c.Logger = slog.New(slog.DiscardHandler)
			return c
		}
		if err := sendOne(t, as("alice")); err != nil {
			t.Errorf("alice sends: %v", err)
		}
		if err := consumeOne(t, as("alice")); err != nil {
			t.Errorf("alice consumes: %v", err)
		}
		bare, plain, wrong := as("alice"), as("alice"), as("alice")
		bare.SASL, plain.TLS, wrong.SASL = nil, nil, sordini.ScramSHA512("alice", "wrong")
		for name, test := range map[string]struct {
			err  error
			code string
			says []string
		}{
			"bob sends":            {sendOne(t, as("bob")), sordini.CodeAuthorization, []string{"User:bob", "produce", "orders", "Write"}},
			"bob consumes":         {consumeOne(t, as("bob")), sordini.CodeAuthorization, []string{"User:bob", "a topic"}},
			"dave consumes":        {consumeOne(t, as("dave")), sordini.CodeAuthorization, []string{"User:dave", "billing"}},
			"carol consumes":       {consumeOne(t, as("carol")), sordini.CodeAuthorization, []string{"User:carol", "a topic"}},
			"carol sends":          {sendOne(t, as("carol")), sordini.CodeAuthorization, []string{"User:carol", "orders"}},
			"without SASL":         {consumeOne(t, bare), sordini.CodeSASLMissing, nil},
			"without TLS":          {consumeOne(t, plain), sordini.CodeTLSMissing, nil},
			"with another's words": {sendOne(t, wrong), sordini.CodeAuthentication, []string{"alice"}},
		} {
			d, ok := sordini.Diagnose(test.err)
			if !ok || d.Code != test.code {
				t.Errorf("%s: %v; diagnosis %+v", name, test.err, d)
				continue
			}
			text := strings.Join([]string{d.Summary, d.LikelyCause, d.Fix}, "; ")
			if slices.ContainsFunc(test.says, func(s string) bool { return !strings.Contains(text, s) }) {
				t.Errorf("%s: the diagnosis does not say %q: %s (%v)", name, test.says, text, test.err)
			}
		}
	})
}
