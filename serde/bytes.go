package serde

import (
	"bytes"
	"context"
	"fmt"
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

// UUID is a UUID in 36 characters of text, as Java's UUIDSerializer writes it. Decode also takes upper case.
func UUID() Serde[[16]byte] { return uuidSerde{} }

type uuidSerde struct{}

func (uuidSerde) Bind(Binding) (Codec[[16]byte], error) { return uuidSerde{}, nil }

func (uuidSerde) Append(_ context.Context, dst []byte, v [16]byte, _ *Headers) ([]byte, error) {
	const digits = "0123456789abcdef"
	for i, b := range v {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			dst = append(dst, '-')
		}
		dst = append(dst, digits[b>>4], digits[b&15])
	}
	return dst, nil
}

func (uuidSerde) Decode(_ context.Context, src []byte, _ Headers) ([16]byte, error) {
	var v [16]byte
	if len(src) != 36 {
		return v, fmt.Errorf("decode a UUID: %d bytes, not 36", len(src))
	}
	at := 0
	for i := range v {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			if src[at] != '-' {
				return [16]byte{}, fmt.Errorf("decode a UUID: %q at %d, not '-'", src[at], at)
			}
			at++
		}
		hi, ok1 := unhex(src[at])
		lo, ok2 := unhex(src[at+1])
		if !ok1 || !ok2 {
			return [16]byte{}, fmt.Errorf("decode a UUID: %q at %d is not hexadecimal", src[at:at+2], at)
		}
		v[i] = hi<<4 | lo
		at += 2
	}
	return v, nil
}

func unhex(c byte) (byte, bool) {
	switch {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10, true
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}
