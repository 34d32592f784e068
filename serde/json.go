package serde

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"sync"
	"unicode/utf8"
)

// JSON is encoding/json, strict about what it would lose in silence:
//
//   - Bind refuses a type that does not come back as it went: channels, funcs, complex numbers, interfaces with methods, map keys without text, structs of
//     unexported fields only, two fields of one name, a MarshalJSON or MarshalText without its counterpart.
//   - Encoding refuses NaN, infinities and strings that are not UTF-8, which encoding/json would change.
//   - Decoding refuses bytes after the value, bytes that are not UTF-8, and null where T has no null.
//
// Fields that T does not have are ignored, so that a producer may add one before its consumers know it. Of two members of one name the last counts, as in
// JavaScript, Python and Jackson. A number in an any is a json.Number, so that no digit is lost. '<', '>' and '&' are written as they are.
func JSON[T any]() Serde[T] { return jsonSerde[T]{} }

type jsonSerde[T any] struct{}

func (jsonSerde[T]) Bind(Binding) (Codec[T], error) {
	t := reflect.TypeFor[T]()
	look := jsonLook{seen: map[reflect.Type]bool{}}
	if err := look.at(t, t.String()); err != nil {
		return nil, fmt.Errorf("JSON of %s: %w", t, err)
	}
	return jsonCodec[T]{numbers: look.anys, null: hasNull(t)}, nil
}

type jsonCodec[T any] struct {
	numbers bool // T holds an any, whose numbers are kept digit by digit
	null    bool // null is a value of T
}

// jsonBuffer is an encoder with its buffer, used again and again.
type jsonBuffer struct {
	bytes.Buffer
	enc *json.Encoder
}

var jsonBuffers = sync.Pool{New: func() any {
	b := new(jsonBuffer)
	b.enc = json.NewEncoder(&b.Buffer)
	b.enc.SetEscapeHTML(false)
	return b
}}

// maxPooled is the largest buffer that is kept for the next record.
const maxPooled = 64 << 10

func (c jsonCodec[T]) Append(_ context.Context, dst []byte, v T, _ *Headers) ([]byte, error) {
	b := jsonBuffers.Get().(*jsonBuffer)
	defer func() {
		if b.Cap() <= maxPooled {
			b.Reset()
			jsonBuffers.Put(b)
		}
	}()
	if err := b.enc.Encode(&v); err != nil {
		return dst, fmt.Errorf("encode JSON: %w", err)
	}
	out := b.Bytes()
	out = out[:len(out)-1] // Encode ends it with a line end
	if bytes.Contains(out, []byte(`\ufffd`)) {
		if err := findInvalid(reflect.ValueOf(&v).Elem(), "value"); err != nil {
			return dst, fmt.Errorf("encode JSON: %w", err)
		}
	}
	return append(dst, out...), nil
}

var errNotUTF8 = errors.New("not valid UTF-8")

func (c jsonCodec[T]) Decode(_ context.Context, src []byte, _ Headers) (T, error) {
	var v T
	if !utf8.Valid(src) {
		return v, fmt.Errorf("decode JSON: %d bytes that are %w", len(src), errNotUTF8)
	}
	if !c.null && bytes.Equal(bytes.Trim(src, " \t\r\n"), []byte("null")) {
		return v, fmt.Errorf("decode JSON: null is no %T", v)
	}
	if err := c.unmarshal(src, &v); err != nil {
		var zero T
		return zero, fmt.Errorf("decode JSON: %w", err)
	}
	return v, nil
}

func (c jsonCodec[T]) unmarshal(src []byte, v *T) error {
	if !c.numbers {
		return json.Unmarshal(src, v)
	}
	dec := json.NewDecoder(bytes.NewReader(src))
	dec.UseNumber()
	if err := dec.Decode(v); err != nil {
		return err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("bytes after the value at offset %d", dec.InputOffset())
	}
	return nil
}
