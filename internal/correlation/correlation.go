// Package correlation carries a correlation id in a context at the price of one allocation.
package correlation

import (
	"context"
	"sync"
	"time"
	"unsafe"

	"github.com/sordini-go/sordini/internal/uuid"
)

type key struct{}

// carrier is the context itself and the id's storage: an id that fits, as every UUID does, needs no allocation of its own.
type carrier struct {
	context.Context
	id  string // points into buf where the id fits
	buf [uuid.Len]byte
}

// fresh is a carrier whose id is made when somebody asks for it: most handlers of records without one neither log nor send.
type fresh struct {
	context.Context
	once sync.Once
	made *carrier
}

func (f *fresh) Value(k any) any {
	if _, ok := k.(key); !ok {
		return f.Context.Value(k)
	}
	f.once.Do(func() {
		c := &carrier{}
		uuid.Append(c.buf[:0], uuid.V7())
		c.id = unsafe.String(&c.buf[0], len(c.buf)) // nobody writes to buf from here on
		f.made = c
	})
	return f.made
}

func (c *carrier) Value(k any) any {
	if _, ok := k.(key); ok {
		return c
	}
	return c.Context.Value(k)
}

// With returns a context with id.
func With(ctx context.Context, id string) context.Context { return &carrier{Context: ctx, id: id} }

// WithHeader returns a context with an id that is a header's value. The bytes are copied: a context may outlive the buffer of a fetch.
func WithHeader(ctx context.Context, id []byte) context.Context {
	c := &carrier{Context: ctx}
	if len(id) == 0 || len(id) > len(c.buf) {
		c.id = string(id)
		return c
	}
	n := copy(c.buf[:], id)
	c.id = unsafe.String(&c.buf[0], n) // nobody writes to buf from here on
	return c
}

// WithNew returns a context with a new id, a UUIDv7 of the moment when it is asked for first.
func WithNew(ctx context.Context) context.Context { return &fresh{Context: ctx} }

// ID returns ctx's id, "" where there is none.
func ID(ctx context.Context) string {
	if c, ok := ctx.Value(key{}).(*carrier); ok {
		return c.id
	}
	return ""
}

// New returns a new id.
func New() string { return string(uuid.Append(make([]byte, 0, uuid.Len), uuid.V7())) }

// AppendHeader appends ctx's id to dst, or one that is made at the time now where ctx has none.
func AppendHeader(ctx context.Context, dst []byte, now time.Time) []byte {
	if id := ID(ctx); id != "" {
		return append(dst, id...)
	}
	return uuid.Append(dst, uuid.V7At(now))
}
