package serde

import "context"

// Serde describes how values of T become the bytes of a record key or value. Implementations are immutable and safe for concurrent use.
type Serde[T any] interface {
	// Bind returns the codec for one topic and role. It does not block on the network. It returns an error when the binding can not work:
	// a serde that needs a schema registry and is given none, a type that the format can not represent.
	Bind(Binding) (Codec[T], error)
}

// Codec encodes and decodes values of T for one topic and role. It is safe for concurrent use.
type Codec[T any] interface {
	// Append encodes v and appends it to dst, growing it as append does. A codec that carries its schema id in headers sets them on h, which is
	// never nil. An error leaves dst's first len(dst) bytes as they were.
	Append(ctx context.Context, dst []byte, v T, h *Headers) ([]byte, error)

	// Decode decodes src, which is never nil (a nil value is a tombstone and does not reach a codec), and must not keep or change it.
	// An error means that these bytes will never decode, unless it is, or wraps, a [RetryableError]: a registry that can not be reached
	// is not poison.
	Decode(ctx context.Context, src []byte, h Headers) (T, error)
}

// Role tells a key from a value.
type Role uint8

// The two roles. The zero Role is the value.
const (
	Value Role = iota
	Key
)

// String returns "value" or "key", as subject names have it.
func (r Role) String() string {
	if r == Key {
		return "key"
	}
	return "value"
}

// Binding is what a codec is made for.
type Binding struct {
	Topic    string
	Role     Role
	Registry Registry
}

// RetryableError marks a decoding or encoding failure that says nothing about the bytes: the registry was away, a deadline passed.
// Such a record is tried again and never dead-lettered (guarantee G9).
type RetryableError struct{ Err error }

func (e *RetryableError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *RetryableError) Unwrap() error { return e.Err }

// AccessError marks a failure that no retry and no other record will end, but only a person: the registry refuses the credentials. A group that meets it
// while it decodes stops with it; nothing is dead-lettered and nothing is committed past the record.
type AccessError struct{ Err error }

func (e *AccessError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *AccessError) Unwrap() error { return e.Err }
