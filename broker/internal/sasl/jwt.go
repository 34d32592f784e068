package sasl

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Validator checks JSON web tokens as KIP-768 has it: the signature by a key set, then who issued the token, for whom, and how long it is valid. It is
// safe for concurrent use.
type Validator struct {
	Keys     *KeySet  // nil: no signed token is accepted
	Unsigned bool     // tokens without a signature ("alg": "none") are accepted: for tests only
	Issuer   string   // sasl.oauthbearer.expected.issuer; "": any
	Audience []string // sasl.oauthbearer.expected.audience; none: any
	Subject  string   // the claim with the name; default "sub"
	Skew     time.Duration
}

// algorithms are those with a public key: with a shared secret, who can check a token can make one.
var algorithms = []jose.SignatureAlgorithm{
	jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512, jose.ES256, jose.ES384, jose.ES512, jose.EdDSA,
}

// Validate returns whom a token stands for. It may ask for keys until ctx ends. Its errors do not show the token.
func (v *Validator) Validate(ctx context.Context, token string) (Identity, error) {
	var payload []byte
	var err error
	switch unsigned := isUnsigned(token); {
	case unsigned && !v.Unsigned:
		err = errors.New("the token is not signed")
	case unsigned:
		payload, err = unsignedPayload(token)
	default:
		payload, err = v.verify(ctx, token)
	}
	if err != nil {
		return Identity{}, err
	}
	return v.claims(payload)
}

// isUnsigned says that a token's header claims that nobody has signed it.
func isUnsigned(token string) bool {
	header, _, _ := strings.Cut(token, ".")
	raw, err := base64.RawURLEncoding.DecodeString(header)
	if err != nil {
		return false
	}
	var h struct {
		Alg string `json:"alg"`
	}
	return json.Unmarshal(raw, &h) == nil && strings.EqualFold(h.Alg, "none")
}

func unsignedPayload(token string) ([]byte, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 || parts[2] != "" {
		return nil, errors.New("a token that is not signed has a header, claims and an empty signature")
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return nil, errors.New("the token's claims are not base64")
	}
	return payload, nil
}

func (v *Validator) verify(ctx context.Context, token string) ([]byte, error) {
	if v.Keys == nil {
		return nil, errors.New("the token is signed, and there are no keys to check it with")
	}
	signed, err := jose.ParseSignedCompact(token, algorithms)
	if err != nil {
		return nil, fmt.Errorf("parse token: %w", err)
	}
	keys, err := v.Keys.find(ctx, signed.Signatures[0].Header.KeyID)
	if err != nil {
		return nil, err
	}
	for i := range keys {
		if payload, err := signed.Verify(&keys[i]); err == nil {
			return payload, nil
		}
	}
	return nil, fmt.Errorf("no key verifies the token's signature (key id %q, %d keys tried)", signed.Signatures[0].Header.KeyID, len(keys))
}

// claims checks what the token claims, now.
func (v *Validator) claims(payload []byte) (Identity, error) {
	claims := make(map[string]any)
	d := json.NewDecoder(bytes.NewReader(payload))
	d.UseNumber()
	if err := d.Decode(&claims); err != nil {
		return Identity{}, errors.New("the token's claims are not a JSON object")
	}
	now := time.Now()
	expires, ok := moment(claims["exp"])
	if !ok {
		return Identity{}, errors.New("the token does not say when it expires (exp)")
	}
	if !now.Before(expires.Add(v.Skew)) {
		return Identity{}, fmt.Errorf("the token expired at %s", expires.UTC().Format(time.RFC3339))
	}
	if _, ok := moment(claims["iat"]); !ok {
		if _, there := claims["iat"]; there || !v.Unsigned {
			return Identity{}, errors.New("the token does not say when it was issued (iat)")
		}
	}
	if raw, there := claims["nbf"]; there {
		from, ok := moment(raw)
		if !ok {
			return Identity{}, errors.New("the token's nbf is not a time")
		}
		if now.Before(from.Add(-v.Skew)) {
			return Identity{}, fmt.Errorf("the token is valid from %s", from.UTC().Format(time.RFC3339))
		}
	}
	if issuer, _ := claims["iss"].(string); v.Issuer != "" && issuer != v.Issuer {
		return Identity{}, fmt.Errorf("the token's issuer is %q, expected is %q", issuer, v.Issuer)
	}
	if len(v.Audience) > 0 && !slices.ContainsFunc(texts(claims["aud"]), func(a string) bool { return slices.Contains(v.Audience, a) }) {
		return Identity{}, fmt.Errorf("the token's audience is %q, expected is one of %q", texts(claims["aud"]), v.Audience)
	}
	name, _ := claims[cmp.Or(v.Subject, "sub")].(string)
	if strings.TrimSpace(name) == "" {
		return Identity{}, fmt.Errorf("the token has no %s", cmp.Or(v.Subject, "sub"))
	}
	return Identity{Name: name, Expires: expires}, nil
}

// moment reads a NumericDate: seconds since 1970, maybe with a fraction.
func moment(claim any) (time.Time, bool) {
	n, ok := claim.(json.Number)
	if !ok {
		return time.Time{}, false
	}
	f, err := n.Float64()
	if err != nil || f < 0 || f > math.MaxInt32*1000.0 { // far enough: the year 69,000
		return time.Time{}, false
	}
	return time.UnixMilli(int64(f * 1000)), true
}

// texts reads a claim that is one text or a list of them.
func texts(claim any) []string {
	switch c := claim.(type) {
	case string:
		return []string{c}
	case []any:
		var out []string
		for _, e := range c {
			if s, ok := e.(string); ok {
				out = append(out, s)
			}
		}
		return out
	}
	return nil
}
