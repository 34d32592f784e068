package serde

import (
	"context"
	"encoding/binary"
	"fmt"
)

// Int64 is a 64-bit integer in 8 bytes, big-endian, as Java's LongSerializer writes it.
func Int64() Serde[int64] { return int64Serde{} }

// Int32 is a 32-bit integer in 4 bytes, big-endian, as Java's IntegerSerializer writes it.
func Int32() Serde[int32] { return int32Serde{} }

type int64Serde struct{}

func (int64Serde) Bind(Binding) (Codec[int64], error) { return int64Serde{}, nil }

func (int64Serde) Append(_ context.Context, dst []byte, v int64, _ *Headers) ([]byte, error) {
	return binary.BigEndian.AppendUint64(dst, uint64(v)), nil
}

func (int64Serde) Decode(_ context.Context, src []byte, _ Headers) (int64, error) {
	if len(src) != 8 {
		return 0, fmt.Errorf("decode a 64-bit integer: %d bytes, not 8", len(src))
	}
	return int64(binary.BigEndian.Uint64(src)), nil
}

type int32Serde struct{}

func (int32Serde) Bind(Binding) (Codec[int32], error) { return int32Serde{}, nil }

func (int32Serde) Append(_ context.Context, dst []byte, v int32, _ *Headers) ([]byte, error) {
	return binary.BigEndian.AppendUint32(dst, uint32(v)), nil
}

func (int32Serde) Decode(_ context.Context, src []byte, _ Headers) (int32, error) {
	if len(src) != 4 {
		return 0, fmt.Errorf("decode a 32-bit integer: %d bytes, not 4", len(src))
	}
	return int32(binary.BigEndian.Uint32(src)), nil
}
