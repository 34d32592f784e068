package registry

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/twmb/franz-go/pkg/sr"

	"github.com/sordini-go/sordini/serde"
)

// ErrNotRegistered says that a codec's own schema is not registered under its subject. Register it with [Register] or `sordini schema register`: a
// service in production does not, unless it is told to (see [AutoRegister]).
var ErrNotRegistered = errors.New("schema is not registered")

// ErrOffline says that a schema is not in Registry.File and that there is no registry to ask.
var ErrOffline = errors.New("not in the file of schemas, and there is no registry to ask")

var (
	errNotRegistry = errors.New("the answer has no error code, as every answer of a registry has: see whether Registry.URLs name one")
	errNoSchema    = errors.New("the answer has no schema")
)

// UnknownError says that the registry does not know what it was asked for.
type UnknownError struct {
	What string // such as "schema id 17" or "subject orders-value"
	Err  error  // the registry's answer
}

func (e *UnknownError) Error() string {
	return fmt.Sprintf("the schema registry does not know %s: %v", e.What, e.Err)
}

// Unwrap returns the registry's answer, a [*sr.ResponseError], or [ErrOffline].
func (e *UnknownError) Unwrap() error { return e.Err }

// MismatchError says that a schema exists and that records cannot be read or written with it here: it is of another format, it is registered under another
// subject, or the value's type cannot be made of it.
type MismatchError struct {
	ID  ID
	Err error
}

func (e *MismatchError) Error() string { return fmt.Sprintf("%s does not fit: %v", e.ID, e.Err) }

// Unwrap returns the reason.
func (e *MismatchError) Unwrap() error { return e.Err }

// classify says what an answer of the registry means for the record that is waiting for it.
func classify(what string, err error) error {
	var answer *sr.ResponseError
	if !errors.As(err, &answer) {
		return &serde.RetryableError{Err: fmt.Errorf("ask the schema registry for %s: %w", what, err)}
	}
	switch code := answer.StatusCode; {
	case code == http.StatusUnauthorized || code == http.StatusForbidden:
		return &serde.AccessError{Err: fmt.Errorf("the schema registry refuses %s: %w", what, err)}
	case answer.ErrorCode == 0:
		// A proxy in between, a wrong path, plain text sent to a port of TLS: it says nothing about what was asked for, and so nothing may die of it.
		return &serde.RetryableError{Err: fmt.Errorf("ask the schema registry for %s: %w: %w", what, errNotRegistry, err)}
	case code == http.StatusNotFound:
		return &UnknownError{What: what, Err: err}
	case code >= 500 || code == http.StatusTooManyRequests || code == http.StatusRequestTimeout:
		return &serde.RetryableError{Err: fmt.Errorf("ask the schema registry for %s: %w", what, err)}
	}
	return fmt.Errorf("the schema registry refuses %s: %w", what, err)
}
