package sordini

import (
	"context"
	"errors"
	"fmt"

	"github.com/sordini-go/sordini/serde"
)

// Topic is the typed contract of one topic (or, with Type, of one record type on it): one package variable that the publishing and the handling side,
// provisioning and the doctor share. It is plain data; what is wrong with it is said by Bind, which producer.To and consumer.Handle call.
type Topic[T any] struct {
	Name   string         // required
	Type   string         // written to and dispatched on the "type" header, where several types share the topic
	Key    Key[T]         // required: KeyString, KeyOf or Unkeyed
	Value  serde.Serde[T] // required
	Config TopicConfig
	// RenamedFrom is the topic's old name: a group that handles the contract also handles what waits in its inbox of the old name, and dead letters of the old name
	// that are redriven. Stop the group's members that still handle the old name first, and give the topic at least as many partitions as the old one had.
	RenamedFrom string
}

// Key says where a record's key comes from. The zero Key is refused by Bind: having no key is a choice (Unkeyed), never an accident.
type Key[T any] struct {
	bind func(serde.Binding) (func(ctx context.Context, dst []byte, v T, h *serde.Headers) ([]byte, error), error)
	none bool
}

// KeyString keys records by a string of the value. An empty string is an empty key, not a null one.
func KeyString[T any](key func(T) string) Key[T] { return KeyOf(serde.String(), key) }

// KeyOf keys records by a part of the value, encoded by s.
func KeyOf[T, K any](s serde.Serde[K], key func(T) K) Key[T] {
	if s == nil || key == nil {
		return Key[T]{}
	}
	return Key[T]{bind: func(b serde.Binding) (func(context.Context, []byte, T, *serde.Headers) ([]byte, error), error) {
		codec, err := s.Bind(b)
		if err != nil {
			return nil, err
		}
		return func(ctx context.Context, dst []byte, v T, h *serde.Headers) ([]byte, error) {
			return codec.Append(ctx, dst, key(v), h)
		}, nil
	}}
}

// Unkeyed gives records null keys: they are spread over the partitions and unordered among themselves.
func Unkeyed[T any]() Key[T] { return Key[T]{none: true} }

// Bound is a contract bound to a cluster's settings: what encodes and decodes. producer.To and consumer.Handle make one; so may code of your own that needs
// the same bytes. It is safe for concurrent use.
type Bound[T any] struct {
	Topic Topic[T]
	key   func(ctx context.Context, dst []byte, v T, h *serde.Headers) ([]byte, error)
	value serde.Codec[T]
}

// Bind checks the contract and binds its serdes. It does not talk to a broker.
func (t Topic[T]) Bind(c Cluster) (*Bound[T], error) {
	if err := t.Spec().Validate(); err != nil {
		return nil, err
	}
	if t.Key.bind == nil && !t.Key.none {
		return nil, fmt.Errorf("topic %q: Key is not set; use sordini.KeyString, sordini.KeyOf or, where order does not matter, sordini.Unkeyed: %w", t.Name, ErrContract)
	}
	if t.Value == nil {
		return nil, fmt.Errorf("topic %q: Value is not set; use serde.JSON[T]() or another serde: %w", t.Name, ErrContract)
	}
	b := &Bound[T]{Topic: t}
	var err error
	if !t.Key.none {
		if b.key, err = t.Key.bind(serde.Binding{Topic: t.Name, Role: serde.Key, Registry: c.Registry}); err != nil {
			return nil, fmt.Errorf("topic %q: bind key: %w: %w", t.Name, err, ErrContract)
		}
	}
	if b.value, err = t.Value.Bind(serde.Binding{Topic: t.Name, Role: serde.Value, Registry: c.Registry}); err != nil {
		return nil, fmt.Errorf("topic %q: bind value: %w: %w", t.Name, err, ErrContract)
	}
	return b, nil
}

// Keyed reports whether the contract's records have keys.
func (b *Bound[T]) Keyed() bool { return b.key != nil }

// AppendKey appends v's key to dst. For an Unkeyed contract it returns nil, the null key; for any other the result is never nil: an empty key is a key.
func (b *Bound[T]) AppendKey(ctx context.Context, dst []byte, v T, h *Headers) ([]byte, error) {
	if b.key == nil {
		return nil, nil
	}
	out, err := b.key(ctx, dst, v, h)
	return notNil(out), err
}

// AppendValue appends v's encoding to dst. The result is never nil, which would be a tombstone: an empty string is a value.
func (b *Bound[T]) AppendValue(ctx context.Context, dst []byte, v T, h *Headers) ([]byte, error) {
	out, err := b.value.Append(ctx, dst, v, h)
	return notNil(out), err
}

func notNil(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

var errUnclaimed = errors.New("the value is not in the record but where its header claim-check says; give the group consumer.ClaimCheck, and what reads outside of a group middleware.RestoreClaim")

// Decode decodes a record's value; a tombstone gives the zero T. A record whose value is kept elsewhere (see [HeaderClaimCheck]) is an error.
func (b *Bound[T]) Decode(ctx context.Context, r *Record) (T, error) {
	if len(r.Value) == 0 {
		var zero T
		if r.Value == nil {
			return zero, nil
		}
		if _, elsewhere := r.Headers.Get(HeaderClaimCheck); elsewhere {
			return zero, errUnclaimed
		}
	}
	return b.value.Decode(ctx, r.Value, r.Headers)
}
