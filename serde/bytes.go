package serde

import (
	"bytes"
	"context"
	"sync"
)

// Bytes passes bytes through. Decode copies, so that a handler may keep what it is given; copies of small values share memory, so keeping one may keep 16 KiB. A nil slice encodes as an empty value: the null value is a
// tombstone, and only Delete writes one.
func Bytes() Serde[[]byte] { return bytesSerde{} }

// BytesInPlace is Bytes without the copy: Decode gives the record's own memory. It is for handlers that read a value and let it go. A value that is kept keeps
// the batch that it was fetched in, up to megabytes; one that is written to changes what a retry sees and a dead letter holds.
func BytesInPlace() Serde[[]byte] { return inPlaceSerde{} }

type inPlaceSerde struct{ bytesSerde }

func (inPlaceSerde) Bind(Binding) (Codec[[]byte], error) { return inPlaceSerde{}, nil }

func (inPlaceSerde) Decode(_ context.Context, src []byte, _ Headers) ([]byte, error) {
	return src[:len(src):len(src)], nil // appending reallocates
}

type bytesSerde struct{}

func (bytesSerde) Bind(Binding) (Codec[[]byte], error) { return bytesSerde{}, nil }

func (bytesSerde) Append(_ context.Context, dst, v []byte, _ *Headers) ([]byte, error) {
	return append(dst, v...), nil
}

func (bytesSerde) Decode(_ context.Context, src []byte, _ Headers) ([]byte, error) {
	return copies.clone(src), nil
}

// copies is where small values are copied to.
var copies arena

// arena copies small slices into chunks that they share, because an allocation for each takes longer than the copy. It is safe for concurrent use.
type arena struct{ chunks sync.Pool }

const (
	arenaChunk = 16 << 10
	arenaLimit = 1 << 10 // what is larger is copied alone
)

// clone returns a copy of b that the arena does not write to again; appending to it reallocates.
func (a *arena) clone(b []byte) []byte {
	if len(b) == 0 || len(b) > arenaLimit {
		return bytes.Clone(b)
	}
	c, _ := a.chunks.Get().(*[]byte)
	if c == nil {
		c = new([]byte)
	}
	if cap(*c)-len(*c) < len(b) {
		*c = make([]byte, 0, arenaChunk)
	}
	from := len(*c)
	*c = append(*c, b...)
	to := len(*c)
	x := (*c)[from:to:to]
	a.chunks.Put(c)
	return x
}
