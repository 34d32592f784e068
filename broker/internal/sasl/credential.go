package sasl

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"fmt"
	"hash"
)

// Bounds of iterations, as Kafka has them.
const (
	MinIterations = 4096
	MaxIterations = 16384
)

// Scram is one of the two SCRAM mechanisms, numbered as in the requests about credentials (KIP-554).
type Scram int8

// The mechanisms.
const (
	SHA256 Scram = 1
	SHA512 Scram = 2
)

// ScramOf returns the mechanism with this name.
func ScramOf(name string) (Scram, bool) {
	switch name {
	case ScramSHA256:
		return SHA256, true
	case ScramSHA512:
		return SHA512, true
	}
	return 0, false
}

func (s Scram) hash() func() hash.Hash {
	if s == SHA512 {
		return sha512.New
	}
	return sha256.New
}

// Credential is what a server keeps of a password: enough to check it, not enough to be somebody else's client.
type Credential struct {
	Salt, StoredKey, ServerKey []byte
	Iterations                 int
}

// Format prints no secret.
func (c Credential) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "credential(%d iterations)", c.Iterations)
}

// NewCredential derives a credential from what a client has made of the password (RFC 5802, SaltedPassword).
func (s Scram) NewCredential(salt, saltedPassword []byte, iterations int) Credential {
	clientKey := s.mac(saltedPassword, "Client Key")
	h := s.hash()()
	h.Write(clientKey)
	return Credential{Salt: salt, StoredKey: h.Sum(nil), ServerKey: s.mac(saltedPassword, "Server Key"), Iterations: iterations}
}

// Derive makes a credential from a password, with a salt of its own and the fewest iterations.
func (s Scram) Derive(password string) (Credential, error) {
	salt := make([]byte, 24)
	rand.Read(salt)
	salted, err := pbkdf2.Key(s.hash(), password, salt, MinIterations, s.hash()().Size())
	if err != nil {
		return Credential{}, fmt.Errorf("derive credential: %w", err)
	}
	return s.NewCredential(salt, salted, MinIterations), nil
}

func (s Scram) mac(key []byte, message string) []byte {
	m := hmac.New(s.hash(), key)
	m.Write([]byte(message))
	return m.Sum(nil)
}
