package serde

import (
	"bytes"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Header is one record header. It is franz-go's type, so that headers pass between the client and a handler without being copied.
type Header = kgo.RecordHeader

// Headers are a record's headers in wire order; a key may occur more than once, as Kafka allows. The zero value is empty and ready to use.
// Headers are not safe for concurrent use.
type Headers []Header

// Get returns the value of the last header named key, as Kafka's Headers.lastHeader does, and whether there is one.
func (h Headers) Get(key string) ([]byte, bool) {
	for i := len(h) - 1; i >= 0; i-- {
		if h[i].Key == key {
			return h[i].Value, true
		}
	}
	return nil, false
}

// Text is Get as a string, "" where there is none.
func (h Headers) Text(key string) string {
	v, _ := h.Get(key)
	return string(v)
}

// Values returns the values of every header named key, in order.
func (h Headers) Values(key string) [][]byte {
	var vs [][]byte
	for i := range h {
		if h[i].Key == key {
			vs = append(vs, h[i].Value)
		}
	}
	return vs
}

// Add appends a header, keeping others of the same key.
func (h *Headers) Add(key string, value []byte) { *h = append(*h, Header{Key: key, Value: value}) }

// Set leaves exactly one header named key, at the place of the first one or at the end.
func (h *Headers) Set(key string, value []byte) {
	for i := range *h {
		if (*h)[i].Key == key {
			(*h)[i].Value = value
			rest := (*h)[i+1:]
			rest.Del(key)
			*h = (*h)[:i+1+len(rest)]
			return
		}
	}
	h.Add(key, value)
}

// Del removes every header named key.
func (h *Headers) Del(key string) {
	*h = slices.DeleteFunc(*h, func(x Header) bool { return x.Key == key })
}

// Clone returns a copy that shares no memory with h.
func (h Headers) Clone() Headers {
	if h == nil {
		return nil
	}
	c := make(Headers, len(h))
	for i := range h {
		c[i] = Header{Key: h[i].Key, Value: bytes.Clone(h[i].Value)}
	}
	return c
}
