package tokens

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

func table() *Table {
	return NewTable(Config{Secret: "s3cret", MaxLifetime: 7 * 86_400_000, Expiry: 86_400_000, Check: 3_600_000})
}

func TestATokenIsRenewedUpToItsMaximum(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := table()
		tok, err := all.Create("User:alice", "User:root", []string{"User:bob"}, 2*86_400_000+1000)
		if err != nil || tok.Expires-tok.Issued != 86_400_000 || tok.Max-tok.Issued != 2*86_400_000+1000 {
			t.Fatalf("%v, %v", tok, err)
		}
		time.Sleep(12 * time.Hour)
		for by, want := range map[string]error{"User:alice": nil, "User:bob": nil, "User:root": kerr.DelegationTokenOwnerMismatch} {
			if _, err := all.Renew(tok.HMAC, by, 0); !errors.Is(err, want) {
				t.Errorf("%s renews: %v, want %v", by, err, want)
			}
		}
		time.Sleep(20 * time.Hour)
		if at, err := all.Renew(tok.HMAC, "User:bob", math.MaxInt64); err != nil || at != tok.Max {
			t.Errorf("renewed until %d, %v, want %d", at, err, tok.Max)
		}
		if at, err := all.Renew(tok.HMAC, "User:bob", 1000); err != nil || at != time.Now().UnixMilli()+1000 {
			t.Errorf("renewed until %d, %v", at, err)
		}
		if _, found := all.Find(tok.ID); !found {
			t.Error("nobody can log in")
		}
		time.Sleep(2 * time.Second)
		if _, found := all.Find(tok.ID); found {
			t.Error("an expired token logs in")
		}
		if _, err := all.Renew(tok.HMAC, "User:bob", 0); !errors.Is(err, kerr.DelegationTokenExpired) {
			t.Errorf("renewed after it has expired: %v", err)
		}
		time.Sleep(time.Hour)
		if _, err := all.Renew(tok.HMAC, "User:bob", 0); !errors.Is(err, kerr.DelegationTokenNotFound) {
			t.Errorf("renewed after it was removed: %v", err)
		}
	})
}

func TestATokenIsLetExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := table()
		tok, _ := all.Create("User:alice", "User:alice", nil, -1)
		if _, err := all.Expire(tok.HMAC, "User:bob", -1); !errors.Is(err, kerr.DelegationTokenOwnerMismatch) {
			t.Errorf("by somebody else: %v", err)
		}
		if at, err := all.Expire(tok.HMAC, "User:alice", 5000); err != nil || at != time.Now().UnixMilli()+5000 {
			t.Errorf("in a while: %d, %v", at, err)
		}
		time.Sleep(6 * time.Second)
		if _, err := all.Expire(tok.HMAC, "User:alice", 5000); !errors.Is(err, kerr.DelegationTokenExpired) {
			t.Errorf("again: %v", err)
		}
		if _, err := all.Expire(tok.HMAC, "User:alice", -1); err != nil {
			t.Errorf("at once: %v", err)
		}
		if _, err := all.Expire(tok.HMAC, "User:alice", -1); !errors.Is(err, kerr.DelegationTokenNotFound) {
			t.Errorf("of none: %v", err)
		}
	})
}

func TestTokensAreSeenByThoseWhoHoldThem(t *testing.T) {
	all := table()
	a, _ := all.Create("User:alice", "User:root", []string{"User:bob"}, -1)
	c, _ := all.Create("User:carol", "User:carol", nil, -1)
	nobody := func(Token) bool { return false }
	for _, test := range []struct {
		by     string
		owners []string
		sees   func(Token) bool
		want   []string
	}{
		{"User:alice", nil, nobody, []string{a.ID}},
		{"User:bob", nil, nobody, []string{a.ID}},
		{"User:root", nil, nobody, nil},
		{"User:root", nil, func(t Token) bool { return t.ID == c.ID }, []string{c.ID}},
		{"User:alice", []string{"User:carol"}, nobody, nil},
		{"User:alice", []string{"User:bob"}, nobody, []string{a.ID}},
		{"User:alice", []string{}, nobody, nil},
	} {
		var got []string
		for _, tok := range all.List(test.by, test.owners, test.sees) {
			got = append(got, tok.ID)
		}
		if fmt.Sprint(got) != fmt.Sprint(test.want) {
			t.Errorf("%s, of %v: %v, want %v", test.by, test.owners, got, test.want)
		}
	}
}

func TestWithoutASecretThereAreNoTokens(t *testing.T) {
	all := NewTable(Config{})
	_, create := all.Create("User:a", "User:a", nil, 0)
	_, renew := all.Renew(nil, "User:a", 0)
	_, expire := all.Expire(nil, "User:a", 0)
	for _, err := range []error{create, renew, expire} {
		if !errors.Is(err, kerr.DelegationTokenAuthDisabled) {
			t.Error(err)
		}
	}
}

func TestATokenPrintsNoSecret(t *testing.T) {
	tok, _ := table().Create("User:alice", "User:alice", nil, 0)
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		if said := fmt.Sprintf(format, tok); strings.Contains(said, tok.Password()) || strings.Contains(said, strings.Trim(fmt.Sprintf("%d", tok.HMAC[:4]), "[]")) {
			t.Errorf("%s prints %s", format, said)
		}
	}
}
