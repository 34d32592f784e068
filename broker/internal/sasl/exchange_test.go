package sasl

import (
	"context"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// scramClient is the other side of SCRAM-SHA-256.
type scramClient struct{ user, password, nonce string }

func (c scramClient) first() string { return "n,," + c.bare() }
func (c scramClient) bare() string  { return "n=" + c.user + ",r=" + c.nonce }

// final answers the server's message, and returns what the server's last one must be.
func (c scramClient) final(t *testing.T, server string, lie func(string) string) (message, verifier string) {
	t.Helper()
	var nonce, salt string
	var iterations int
	for field := range strings.SplitSeq(server, ",") {
		switch k, v, _ := strings.Cut(field, "="); k {
		case "r":
			nonce = v
		case "s":
			salt = v
		case "i":
			fmt.Sscan(v, &iterations)
		}
	}
	raw, err := base64.StdEncoding.DecodeString(salt)
	if err != nil {
		t.Fatal(err)
	}
	salted, err := pbkdf2.Key(sha256.New, c.password, raw, iterations, 32)
	if err != nil {
		t.Fatal(err)
	}
	mac := func(key []byte, text string) []byte {
		m := hmac.New(sha256.New, key)
		m.Write([]byte(text))
		return m.Sum(nil)
	}
	clientKey := mac(salted, "Client Key")
	stored := sha256.Sum256(clientKey)
	bare := lie("c=biws,r=" + nonce)
	all := c.bare() + "," + server + "," + bare
	proof := make([]byte, 32)
	subtle.XORBytes(proof, clientKey, mac(stored[:], all))
	return bare + ",p=" + base64.StdEncoding.EncodeToString(proof), "v=" + base64.StdEncoding.EncodeToString(mac(mac(salted, "Server Key"), all))
}

// aToken is the only delegation token that there is; it is carol's.
func aToken(id string) (Credential, Identity, bool) {
	credential, err := SHA256.Derive("hmac")
	return credential, Identity{Name: "carol", Token: true}, err == nil && id == "token-1"
}

func TestScramTakesADelegationTokenForItsOwner(t *testing.T) {
	for name, test := range map[string]struct {
		first, password string
		ok              bool
	}{
		"token":             {"n,,n=token-1,r=abc,tokenauth=true", "hmac", true},
		"another password":  {"n,,n=token-1,r=abc,tokenauth=true", "other", false},
		"another token":     {"n,,n=token-2,r=abc,tokenauth=true", "hmac", false},
		"a user":            {"n,,n=alice,r=abc,tokenauth=true", "secret", false},
		"not as a token":    {"n,,n=token-1,r=abc", "hmac", false},
		"tokens are not on": {"n,,n=token-1,r=abc,tokenauth=false", "hmac", false},
	} {
		server := scramServer(t)
		challenge, _, err := server.Next([]byte(test.first))
		if err != nil {
			if test.ok {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		user, extension, _ := strings.Cut(strings.TrimPrefix(test.first, "n,,n="), ",r=abc")
		client := scramClient{user, test.password, "abc" + extension}
		final, _ := client.final(t, string(challenge), func(s string) string { return s })
		_, id, err := server.Next([]byte(final))
		if ok := err == nil && id != nil; ok != test.ok {
			t.Errorf("%s: %v, %v", name, id, err)
		} else if ok && (id.Name != "carol" || !id.Token) {
			t.Errorf("%s: %+v", name, id)
		}
	}
}

func scramServer(t *testing.T) Exchange {
	t.Helper()
	credential, err := SHA256.Derive("secret")
	if err != nil {
		t.Fatal(err)
	}
	return NewScram(SHA256, func(user string) (Credential, bool) { return credential, user == "alice" || user == "a,b=c" }, aToken)
}

// TestScramIsThatOfRFC7677 uses the example of the RFC: the mechanism is its own client's and server's only if both read the RFC alike.
func TestScramIsThatOfRFC7677(t *testing.T) {
	salt, err := base64.StdEncoding.DecodeString("W22ZaJ0SNY7soEsUEjb6gQ==")
	if err != nil {
		t.Fatal(err)
	}
	salted, err := pbkdf2.Key(sha256.New, "pencil", salt, 4096, 32)
	if err != nil {
		t.Fatal(err)
	}
	s := &scram{mechanism: SHA256, find: func(string) (Credential, bool) { return SHA256.NewCredential(salt, salted, 4096), true }}
	if _, _, err := s.Next([]byte("n,,n=user,r=rOprNGfwEbeRWgbNEkqO")); err != nil {
		t.Fatal(err)
	}
	s.nonce = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0" // the RFC's instead of a random one
	s.first = "n=user,r=rOprNGfwEbeRWgbNEkqO,r=" + s.nonce + ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
	reply, id, err := s.Next([]byte("c=biws,r=" + s.nonce + ",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="))
	if err != nil || id == nil || string(reply) != "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=" {
		t.Errorf("%q, %v, %v", reply, id, err)
	}
}

func TestScramAcceptsTheRightProofOnly(t *testing.T) {
	for name, test := range map[string]struct {
		client scramClient
		change func(first, final string) (string, string)
		lie    func(final string) string // and prove it
		ok     bool
	}{
		"other nonce, proven":   {client: scramClient{"alice", "secret", "abc"}, lie: func(s string) string { return strings.Replace(s, "r=abc", "r=abd", 1) }},
		"longer nonce, proven":  {client: scramClient{"alice", "secret", "abc"}, lie: func(s string) string { return strings.Replace(s, "r=abc", "r=xabc", 1) }},
		"other channel, proven": {client: scramClient{"alice", "secret", "abc"}, lie: func(s string) string { return strings.Replace(s, "c=biws", "c=eSws", 1) }},
		"right":                 {client: scramClient{"alice", "secret", "abc"}, ok: true},
		"escaped name":          {client: scramClient{"a=2Cb=3Dc", "secret", "abc"}, ok: true},
		"wrong password":        {client: scramClient{"alice", "Secret", "abc"}},
		"no such user":          {client: scramClient{"bob", "secret", "abc"}},
		"another nonce":         {client: scramClient{"alice", "secret", "abc"}, change: func(a, b string) (string, string) { return a, strings.Replace(b, "r=abc", "r=abd", 1) }},
		"nonce longer":          {client: scramClient{"alice", "secret", "abc"}, change: func(a, b string) (string, string) { return a, strings.Replace(b, "r=abc", "r=xabc", 1) }},
		"another channel":       {client: scramClient{"alice", "secret", "abc"}, change: func(a, b string) (string, string) { return a, strings.Replace(b, "c=biws", "c=eSws", 1) }},
		"proof cut short":       {client: scramClient{"alice", "secret", "abc"}, change: func(a, b string) (string, string) { return a, b[:strings.Index(b, ",p=")] + ",p=AAAA" }},
		"no proof":              {client: scramClient{"alice", "secret", "abc"}, change: func(a, b string) (string, string) { return a, b[:strings.Index(b, ",p=")] }},
		"empty final":           {client: scramClient{"alice", "secret", "abc"}, change: func(a, _ string) (string, string) { return a, "" }},
		"unescaped equals":      {client: scramClient{"a=b", "secret", "abc"}},
		"binding asked for":     {client: scramClient{"alice", "secret", "abc"}, change: func(a, b string) (string, string) { return "p=tls-unique" + a[1:], b }},
		"text before it all":    {client: scramClient{"alice", "secret", "abc"}, change: func(a, b string) (string, string) { return "x" + a, b }},
	} {
		server := scramServer(t)
		first := test.client.first()
		change := test.change
		if change == nil {
			change = func(a, b string) (string, string) { return a, b }
		}
		first, _ = change(first, ",p=")
		reply, id, err := server.Next([]byte(first))
		verifier := ""
		if err == nil {
			var final string
			lie := test.lie
			if lie == nil {
				lie = func(s string) string { return s }
			}
			final, verifier = test.client.final(t, string(reply), lie)
			_, final = change(first, final)
			reply, id, err = server.Next([]byte(final))
		}
		if in := err == nil && id != nil; in != test.ok || in && string(reply) != verifier {
			t.Errorf("%s: %v, %q, %v", name, id, reply, err)
		}
		if _, _, err := server.Next([]byte("x")); err == nil {
			t.Errorf("%s: the exchange goes on after its end", name)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the error shows the password: %v", name, err)
		}
	}
}

func TestCredentialsPrintNoSecret(t *testing.T) {
	c, err := SHA256.Derive("secret")
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprintf("%v %+v %#v %s %x", c, c, c, c, c); got != strings.TrimSuffix(strings.Repeat("credential(4096 iterations) ", 5), " ") {
		t.Error(got)
	}
}

func TestBearerTokenIsRefusedInTwoSteps(t *testing.T) {
	var audited error
	validate := func(_ context.Context, token string) (Identity, error) {
		if token != "good" {
			return Identity{}, errors.New("expired")
		}
		return Identity{Name: "alice", Expires: time.Unix(1, 0)}, nil
	}
	server := func() Exchange {
		return NewOAuthBearer(context.Background(), validate, func(err error) { audited = err })
	}
	for name, test := range map[string]struct {
		message string
		ok      bool
		refusal string
	}{
		"good":               {message: "n,,\x01auth=Bearer good\x01\x01", ok: true},
		"good, for oneself":  {message: "n,a=alice,\x01auth=bearer good\x01\x01", ok: true},
		"good, extensions":   {message: "n,,\x01logicalCluster=x\x01auth=Bearer good\x01\x01", ok: true},
		"for somebody else":  {message: "n,a=bob,\x01auth=Bearer good\x01\x01", refusal: "Authentication failed: Client requested an authorization id (bob) that is different from the token's principal name (alice)"},
		"another scheme":     {message: "n,,\x01auth=Basic good\x01\x01"},
		"no token":           {message: "n,,\x01auth=Bearer \x01\x01"},
		"no auth":            {message: "n,,\x01x=y\x01\x01"},
		"no end":             {message: "n,,\x01auth=Bearer good\x01"},
		"nothing":            {message: ""},
		"acknowledges first": {message: "\x01"},
	} {
		reply, id, err := server().Next([]byte(test.message))
		if ok := err == nil && id != nil && len(reply) == 0; ok != test.ok {
			t.Errorf("%s: %q, %v, %v", name, reply, id, err)
		}
		refusal, _ := errors.AsType[*Refusal](err)
		if refusal == nil {
			refusal = new(Refusal)
		}
		if refusal.Reason != test.refusal {
			t.Errorf("%s: the client hears %q", name, refusal.Reason)
		}
	}
	s := server()
	reply, id, err := s.Next([]byte("n,,\x01auth=Bearer bad\x01\x01"))
	if string(reply) != `{"status":"invalid_token"}` || id != nil || err != nil || audited == nil {
		t.Errorf("bad token: %q, %v, %v; audited %v", reply, id, err, audited)
	}
	if _, _, err = s.Next([]byte("\x01")); err == nil || err.Error() != `{"status":"invalid_token"}` {
		t.Errorf("acknowledged: %v", err)
	}
}

// FuzzExchanges feeds the mechanisms two messages of any bytes: nobody gets in without the password.
func FuzzExchanges(f *testing.F) {
	f.Add("\x00alice\x00wrong", "")
	f.Add("n,,n=alice,r=abc", "c=biws,r=abc,p=AAAA")
	f.Add("n,a=x,\x01auth=Bearer x.y.z\x01\x01", "\x01")
	credential, err := SHA256.Derive("a password that the fuzzer does not find")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, first, second string) {
		for name, e := range map[string]Exchange{
			Plain:       NewPlain(func(_, password string) bool { return password == "a password that the fuzzer does not find" }),
			ScramSHA256: NewScram(SHA256, func(string) (Credential, bool) { return credential, true }, aToken),
			OAuthBearer: NewOAuthBearer(context.Background(), (&Validator{}).Validate, func(error) {}),
		} {
			for _, message := range []string{first, second} {
				_, id, err := e.Next([]byte(message))
				if id != nil {
					t.Fatalf("%s: %q and %q let %+v in", name, first, second, id)
				}
				if err != nil {
					break
				}
			}
		}
	})
}
