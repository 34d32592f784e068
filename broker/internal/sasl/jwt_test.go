package sasl

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	ecKey, otherKey = newECKey(), newECKey()
	rsaKey          = func() *rsa.PrivateKey {
		k, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			panic(err)
		}
		return k
	}()
)

func newECKey() *ecdsa.PrivateKey {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return k
}

// keySet writes public keys down.
func keySet(t testing.TB, keys map[string]any) []byte {
	t.Helper()
	var set jose.JSONWebKeySet
	for id, k := range keys {
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: k, KeyID: id})
	}
	raw, err := json.Marshal(set)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// sign makes a token.
func sign(t testing.TB, alg jose.SignatureAlgorithm, key any, id string, claims map[string]any) string {
	t.Helper()
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: jose.JSONWebKey{Key: key, KeyID: id}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := s.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	token, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func unsignedToken(claims map[string]any) string {
	payload, _ := json.Marshal(claims)
	return base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." + base64.RawURLEncoding.EncodeToString(payload) + "."
}

func TestOnlyTokensThatHoldAreAccepted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := time.Now().Unix()
		claims := func(change map[string]any) map[string]any {
			c := map[string]any{"sub": "alice", "iss": "https://issuer", "aud": []string{"kafka", "other"}, "iat": now - 10, "exp": now + 60}
			maps.Copy(c, change)
			maps.DeleteFunc(c, func(_ string, v any) bool { return v == nil })
			return c
		}
		keys, err := NewKeySet(keySet(t, map[string]any{"ec": &ecKey.PublicKey, "rsa": &rsaKey.PublicKey}))
		if err != nil {
			t.Fatal(err)
		}
		strict := &Validator{Keys: keys, Issuer: "https://issuer", Audience: []string{"kafka"}, Skew: 30 * time.Second}
		good := sign(t, jose.ES256, ecKey, "ec", claims(nil))
		parts := strings.Split(good, ".")
		forged := base64.RawURLEncoding.EncodeToString([]byte(`{"sub":"admin","iss":"https://issuer","aud":"kafka","iat":1,"exp":99999999999}`))
		shared := []byte("0123456789abcdef0123456789abcdef")
		for name, test := range map[string]struct {
			token, want string // what the error has; "" for a good token
		}{
			"good, elliptic":        {good, ""},
			"good, RSA":             {sign(t, jose.RS256, rsaKey, "rsa", claims(nil)), ""},
			"good, RSA-PSS":         {sign(t, jose.PS512, rsaKey, "rsa", claims(nil)), ""},
			"good, one audience":    {sign(t, jose.ES256, ecKey, "ec", claims(map[string]any{"aud": "kafka"})), ""},
			"good, no key id":       {sign(t, jose.ES256, ecKey, "", claims(nil)), ""},
			"good, within the skew": {sign(t, jose.ES256, ecKey, "ec", claims(map[string]any{"exp": now - 29, "nbf": now + 29})), ""},
			"expired":               {sign(t, jose.ES256, ecKey, "ec", claims(map[string]any{"exp": now - 30})), "expired"},
			"not yet valid":         {sign(t, jose.ES256, ecKey, "ec", claims(map[string]any{"nbf": now + 31})), "valid from"},
			"never expires":         {sign(t, jose.ES256, ecKey, "ec", claims(map[string]any{"exp": nil})), "expires"},
			"exp is text":           {sign(t, jose.ES256, ecKey, "ec", claims(map[string]any{"exp": "tomorrow"})), "expires"},
			"exp beyond all time":   {sign(t, jose.ES256, ecKey, "ec", claims(map[string]any{"exp": 1e300})), "expires"},
			"no iat":                {sign(t, jose.ES256, ecKey, "ec", claims(map[string]any{"iat": nil})), "iat"},
			"nbf is text":           {sign(t, jose.ES256, ecKey, "ec", claims(map[string]any{"nbf": "x"})), "nbf"},
			"another issuer":        {sign(t, jose.ES256, ecKey, "ec", claims(map[string]any{"iss": "https://evil"})), "issuer"},
			"no issuer":             {sign(t, jose.ES256, ecKey, "ec", claims(map[string]any{"iss": nil})), "issuer"},
			"another audience":      {sign(t, jose.ES256, ecKey, "ec", claims(map[string]any{"aud": "other"})), "audience"},
			"no audience":           {sign(t, jose.ES256, ecKey, "ec", claims(map[string]any{"aud": nil})), "audience"},
			"nobody":                {sign(t, jose.ES256, ecKey, "ec", claims(map[string]any{"sub": " "})), "sub"},
			"no subject":            {sign(t, jose.ES256, ecKey, "ec", claims(map[string]any{"sub": nil})), "sub"},
			"another key":           {sign(t, jose.ES256, otherKey, "ec", claims(nil)), "no key verifies"},
			"unknown key":           {sign(t, jose.ES256, otherKey, "new", claims(nil)), "no key verifies"},
			"key of another kind":   {sign(t, jose.ES256, ecKey, "rsa", claims(nil)), "no key verifies"},
			"shared secret":         {sign(t, jose.HS256, shared, "ec", claims(nil)), "parse token"},
			"not signed":            {unsignedToken(claims(nil)), "not signed"},
			"claims replaced":       {parts[0] + "." + forged + "." + parts[2], "no key verifies"},
			"signature cut off":     {parts[0] + "." + parts[1] + ".", "no key verifies"},
			"no token":              {"x", "parse token"},
			"claims are no object":  {signRaw(t, "[]"), "JSON"},
		} {
			id, err := strict.Validate(t.Context(), test.token)
			switch {
			case test.want == "" && (err != nil || id.Name != "alice" || id.Expires.IsZero()):
				t.Errorf("%s: %+v, %v", name, id, err)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
				t.Errorf("%s: %+v, error %v, want %q", name, id, err, test.want)
			case err != nil && strings.Contains(err.Error(), test.token) && len(test.token) > 1:
				t.Errorf("%s: the error shows the token: %v", name, err)
			}
		}
		lax := &Validator{Unsigned: true, Subject: "user"}
		if id, err := lax.Validate(t.Context(), unsignedToken(map[string]any{"user": "bob", "exp": now + 1})); err != nil || id.Name != "bob" {
			t.Errorf("unsigned, allowed: %+v, %v", id, err)
		}
		if _, err := lax.Validate(t.Context(), unsignedToken(map[string]any{"user": "bob", "exp": now + 1})+"c2ln"); err == nil {
			t.Error("a token that says that it is not signed has a signature")
		}
		if _, err := lax.Validate(t.Context(), good); err == nil {
			t.Error("a signature that nobody can check is accepted")
		}
	})
}

func signRaw(t *testing.T, payload string) string {
	t.Helper()
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: ecKey, KeyID: "ec"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := s.Sign([]byte(payload))
	if err != nil {
		t.Fatal(err)
	}
	token, _ := signed.CompactSerialize()
	return token
}

func TestNewKeysAreFoundWhereTheSetIsKept(t *testing.T) {
	first, both := keySet(t, map[string]any{"ec": &ecKey.PublicKey}), keySet(t, map[string]any{"ec": &ecKey.PublicKey, "new": &otherKey.PublicKey})
	current, loads := first, 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		loads++
		w.Write(current)
	}))
	defer server.Close()
	file := filepath.Join(t.TempDir(), "jwks.json")
	if err := os.WriteFile(file, first, 0o600); err != nil {
		t.Fatal(err)
	}
	byURL, err := KeySetURL(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	byFile, err := KeySetFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for name, keys := range map[string]*KeySet{"URL": byURL, "file": byFile} {
		claims := map[string]any{"sub": "alice", "iat": 1, "exp": time.Now().Unix() + 60}
		token := sign(t, jose.ES256, otherKey, "new", claims)
		v := &Validator{Keys: keys}
		if _, err := v.Validate(t.Context(), token); err == nil {
			t.Errorf("%s: the key is not there yet", name)
		}
		current = both
		if err := os.WriteFile(file, both, 0o600); err != nil {
			t.Fatal(err)
		}
		before := loads
		if _, err := v.Validate(t.Context(), token); err == nil || loads != before {
			t.Errorf("%s: the set was loaded again at once, %v", name, err)
		}
		keys.mu.Lock()
		keys.loaded = keys.loaded.Add(-keysAtLeast)
		keys.mu.Unlock()
		if id, err := v.Validate(t.Context(), token); err != nil || id.Name != "alice" {
			t.Errorf("%s: %+v, %v", name, id, err)
		}
		current = first
		if err := os.WriteFile(file, first, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := KeySetURL(server.URL + "\x00"); err == nil {
		t.Error("an address that is none")
	}
	for _, raw := range []string{"", "{}", `{"keys":[]}`, `{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}`} {
		if _, err := NewKeySet([]byte(raw)); err == nil {
			t.Errorf("key set %q is accepted", raw)
		}
	}
}

// FuzzValidate takes tokens of any bytes: none may be accepted that the key has not signed.
func FuzzValidate(f *testing.F) {
	keys, err := NewKeySet(keySet(f, map[string]any{"ec": &ecKey.PublicKey}))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(sign(f, jose.ES256, otherKey, "ec", map[string]any{"sub": "alice", "iat": 1, "exp": 99999999999}))
	f.Add(unsignedToken(map[string]any{"sub": "alice", "iat": 1, "exp": 99999999999}))
	f.Add("..")
	f.Fuzz(func(t *testing.T, token string) {
		if id, err := (&Validator{Keys: keys}).Validate(context.Background(), token); err == nil {
			t.Errorf("token %q stands for %+v", token, id)
		}
		_, _ = (&Validator{Unsigned: true}).Validate(context.Background(), token)
	})
}

// FuzzKeySet takes key sets of any bytes: a set that is accepted has public keys only, and finds each by its id.
func FuzzKeySet(f *testing.F) {
	f.Add(keySet(f, map[string]any{"ec": &ecKey.PublicKey, "rsa": &rsaKey.PublicKey}))
	f.Add(keySet(f, map[string]any{"private": ecKey}))
	f.Add([]byte(`{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}`))
	f.Add([]byte(`{"keys":[{"kty":"EC","crv":"P-256","x":"","y":""}]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		set, err := NewKeySet(raw)
		if err != nil {
			return
		}
		for _, key := range set.keys.Keys {
			if !key.IsPublic() {
				t.Errorf("key %q is not public", key.KeyID)
			}
			if found, err := set.find(t.Context(), key.KeyID); err != nil || len(found) == 0 {
				t.Errorf("key %q is not found: %v", key.KeyID, err)
			}
		}
		if _, err := (&Validator{Keys: set}).Validate(t.Context(), unsignedToken(map[string]any{"sub": "alice", "iat": 1, "exp": 99999999999})); err == nil {
			t.Error("a token that nobody signed is accepted")
		}
	})
}
