package serde

import (
	"context"
	"fmt"
	"unicode/utf8"
)

// String is text in UTF-8. Bytes that are not valid UTF-8 do not decode, and a string that is not does not encode.
func String() Serde[string] { return stringSerde{} }

type stringSerde struct{}

func (stringSerde) Bind(Binding) (Codec[string], error) { return stringSerde{}, nil }

func (stringSerde) Append(_ context.Context, dst []byte, v string, _ *Headers) ([]byte, error) {
	if !utf8.ValidString(v) {
		return dst, fmt.Errorf("encode text: %d bytes that are %w", len(v), errNotUTF8)
	}
	return append(dst, v...), nil
}

func (stringSerde) Decode(_ context.Context, src []byte, _ Headers) (string, error) {
	if !utf8.Valid(src) {
		return "", fmt.Errorf("decode text: %d bytes that are %w", len(src), errNotUTF8)
	}
	return string(src), nil
}
