package consumer

import (
	"sync"
	"unsafe"
)

// slab makes values of one type many at a time, because a value is used once and for a short time, and there is one for every attempt. None is used twice: a
// handler that keeps its message or its context beyond its end keeps what it was given.
type slab[T any] struct{ chunks sync.Pool }

// slabBytes is what is made at once, and is kept alive by one value that somebody keeps: a size that the allocator has, less what it puts before.
const slabBytes = 4096 - 8

// newSlab makes as many values as are made at once.
func newSlab[T any]() []T { return make([]T, max(1, slabBytes/unsafe.Sizeof(*new(T)))) }

// get returns a zero value.
func (s *slab[T]) get() *T {
	c, _ := s.chunks.Get().(*[]T)
	if c == nil {
		c = new([]T)
	}
	if len(*c) == 0 {
		*c = newSlab[T]()
	}
	x := &(*c)[0]
	*c = (*c)[1:]
	s.chunks.Put(c)
	return x
}
