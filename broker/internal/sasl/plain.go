package sasl

import (
	"crypto/sha256"
	"crypto/subtle"
	"strings"
)

// NewPlain starts PLAIN. check says whether a password is a user's.
func NewPlain(check func(user, password string) bool) Exchange { return &plain{check: check} }

type plain struct {
	check func(user, password string) bool
}

// Next takes the only message: an authorization id, the user and the password, with NULs between them.
func (p *plain) Next(message []byte) ([]byte, *Identity, error) {
	tokens := strings.SplitN(string(message), "\x00", 5)
	tokens = tokens[:min(len(tokens), 4)]
	if len(tokens) != 3 {
		return nil, nil, refuse("Invalid SASL/PLAIN response: expected 3 tokens, got %d", len(tokens))
	}
	authzid, user, password := tokens[0], tokens[1], tokens[2]
	switch {
	case user == "":
		return nil, nil, refuse("Authentication failed: username not specified")
	case password == "":
		return nil, nil, refuse("Authentication failed: password not specified")
	case !p.check(user, password):
		return nil, nil, refuse("Authentication failed: Invalid username or password")
	case authzid != "" && authzid != user:
		return nil, nil, refuse("Authentication failed: Client requested an authorization id that is different from username")
	}
	return []byte{}, &Identity{Name: user}, nil
}

// SamePassword compares without telling by its time where the first difference is.
func SamePassword(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}
