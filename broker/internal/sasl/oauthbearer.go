package sasl

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// NewOAuthBearer starts OAUTHBEARER. validate says whom a token stands for; ctx ends what it waits for. Why a token is not valid is told to audit, not
// to the client.
func NewOAuthBearer(ctx context.Context, validate func(ctx context.Context, token string) (Identity, error), audit func(error)) Exchange {
	return &bearer{ctx: ctx, validate: validate, audit: audit}
}

type bearer struct {
	ctx      context.Context //nolint:containedctx // an exchange is one call that is cut into messages
	validate func(ctx context.Context, token string) (Identity, error)
	audit    func(error)
	refused  string // what the client was told, which it has to acknowledge
}

var (
	bearerFirst = regexp.MustCompile(`\An,(?:a=(` + saslName + "))?,\x01" + `((?:[A-Za-z]+=[\x21-\x7E \t\r\n]+` + "\x01)*)\x01" + `\z`)
	bearerAuth  = regexp.MustCompile(`\A(\w+) +([-_~+/.a-zA-Z0-9]+=*)\z`)
)

// invalidToken is what a client learns of a token that is not accepted (RFC 7628, section 3.2.2).
const invalidToken = `{"status":"invalid_token"}`

// Next takes the token, and the acknowledgement of a failure.
func (b *bearer) Next(message []byte) ([]byte, *Identity, error) {
	if b.refused != "" && string(message) == "\x01" {
		return nil, nil, &Refusal{b.refused}
	}
	authzid, token, err := parseBearer(string(message))
	if err != nil {
		return nil, nil, err
	}
	id, err := b.validate(b.ctx, token)
	if err != nil {
		b.audit(err)
		b.refused = invalidToken
		return []byte(invalidToken), nil, nil
	}
	if authzid != "" && authzid != id.Name {
		return nil, nil, refuse("Authentication failed: Client requested an authorization id (%s) that is different from the token's principal name (%s)", authzid, id.Name)
	}
	return []byte{}, &id, nil
}

// parseBearer takes a client's first message apart. Extensions (KIP-342) are accepted and have no effect.
func parseBearer(message string) (authzid, token string, err error) {
	m := bearerFirst.FindStringSubmatch(message)
	if m == nil {
		return "", "", errors.New("invalid OAUTHBEARER first message of the client")
	}
	auth := ""
	for pair := range strings.SplitSeq(m[2], "\x01") {
		if k, v, ok := strings.Cut(pair, "="); ok && k == "auth" {
			auth = v
		}
	}
	a := bearerAuth.FindStringSubmatch(auth)
	if a == nil {
		return "", "", errors.New("invalid OAUTHBEARER first message of the client: no token in \"auth\"")
	}
	if !strings.EqualFold(a[1], "bearer") {
		return "", "", fmt.Errorf("invalid scheme %q in OAUTHBEARER first message of the client", a[1])
	}
	return m[1], a[2], nil
}
