package serde

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
)

// JSON is encoding/json, strict about what it can not represent: bytes after the value are an error.
func JSON[T any]() Serde[T] { return jsonSerde[T]{} }

type jsonSerde[T any] struct{}

func (jsonSerde[T]) Bind(Binding) (Codec[T], error) { return jsonSerde[T]{}, nil }

func (jsonSerde[T]) Append(_ context.Context, dst []byte, v T, _ *Headers) ([]byte, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return dst, fmt.Errorf("encode JSON: %w", err)
	}
	return append(dst, b...), nil
}

func (jsonSerde[T]) Decode(_ context.Context, src []byte, _ Headers) (T, error) {
	var v T
	dec := json.NewDecoder(bytes.NewReader(src))
	if err := dec.Decode(&v); err != nil {
		return v, fmt.Errorf("decode JSON: %w", err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return v, fmt.Errorf("decode JSON: bytes after the value at offset %d", dec.InputOffset())
	}
	return v, nil
}
