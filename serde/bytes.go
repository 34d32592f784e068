package serde

import (
	"bytes"
	"context"
)

// Bytes passes bytes through. Decode copies, so that a handler may keep what it is given. A nil slice encodes as an empty value: the null value is a
// tombstone, and only Delete writes one.
func Bytes() Serde[[]byte] { return bytesSerde{} }

type bytesSerde struct{}

func (bytesSerde) Bind(Binding) (Codec[[]byte], error) { return bytesSerde{}, nil }

func (bytesSerde) Append(_ context.Context, dst, v []byte, _ *Headers) ([]byte, error) {
	return append(dst, v...), nil
}

func (bytesSerde) Decode(_ context.Context, src []byte, _ Headers) ([]byte, error) {
	return bytes.Clone(src), nil
}
