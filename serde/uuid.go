package serde

import (
	"context"
	"fmt"

	"github.com/sordini-go/sordini/internal/uuid"
)

// UUID is a UUID in 36 characters of text, as Java's UUIDSerializer writes it. Decode also takes upper case.
func UUID() Serde[[16]byte] { return uuidSerde{} }

type uuidSerde struct{}

func (uuidSerde) Bind(Binding) (Codec[[16]byte], error) { return uuidSerde{}, nil }

func (uuidSerde) Append(_ context.Context, dst []byte, v [16]byte, _ *Headers) ([]byte, error) {
	return uuid.Append(dst, v), nil
}

func (uuidSerde) Decode(_ context.Context, src []byte, _ Headers) ([16]byte, error) {
	v, err := uuid.Parse(src)
	if err != nil {
		return v, fmt.Errorf("decode a UUID: %w", err)
	}
	return v, nil
}
