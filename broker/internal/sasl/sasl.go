package sasl

import (
	"errors"
	"fmt"
	"time"
)

// Names of mechanisms.
const (
	Plain       = "PLAIN"
	ScramSHA256 = "SCRAM-SHA-256"
	ScramSHA512 = "SCRAM-SHA-512"
	OAuthBearer = "OAUTHBEARER"
)

// Identity is who a client has proven to be.
type Identity struct {
	Name    string
	Expires time.Time // of the credential; zero: never
	Token   bool      // the credential is a delegation token (KIP-48)
}

// Exchange is one authentication. It is used by one goroutine, message after message, until it has ended: with an identity or with an error.
type Exchange interface {
	// Next takes a message of the client and returns what to send back, and the identity when the exchange has ended well. An error that is a
	// *[Refusal] has a text for the client; the text of another one is not for clients.
	Next(message []byte) (reply []byte, id *Identity, err error)
}

// Refusal is an error whose text the client may see.
type Refusal struct{ Reason string }

func (e *Refusal) Error() string { return e.Reason }

func refuse(format string, args ...any) error { return &Refusal{fmt.Sprintf(format, args...)} }

// errEnded says that a client goes on after the exchange has ended.
var errEnded = errors.New("the exchange has ended")
