package serde_test

import (
	"bytes"
	"errors"
	"math"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/sordini-go/sordini/serde"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestIntegersAreWrittenAsJavaWritesThem(t *testing.T) {
	longs, ints := bind(t, serde.Int64()), bind(t, serde.Int32())
	for v, want := range map[int64]string{
		0: "\x00\x00\x00\x00\x00\x00\x00\x00", 1: "\x00\x00\x00\x00\x00\x00\x00\x01", -1: "\xff\xff\xff\xff\xff\xff\xff\xff",
		math.MaxInt64: "\x7f\xff\xff\xff\xff\xff\xff\xff", math.MinInt64: "\x80\x00\x00\x00\x00\x00\x00\x00", 258: "\x00\x00\x00\x00\x00\x00\x01\x02",
	} {
		src := encode(t, longs, v)
		if got, err := longs.Decode(t.Context(), src, nil); string(src) != want || got != v || err != nil {
			t.Errorf("%d is written as %x and read as %d, %v; want %x", v, src, got, err, want)
		}
	}
	for v, want := range map[int32]string{0: "\x00\x00\x00\x00", -2: "\xff\xff\xff\xfe", math.MaxInt32: "\x7f\xff\xff\xff", math.MinInt32: "\x80\x00\x00\x00"} {
		src := encode(t, ints, v)
		if got, err := ints.Decode(t.Context(), src, nil); string(src) != want || got != v || err != nil {
			t.Errorf("%d is written as %x and read as %d, %v; want %x", v, src, got, err, want)
		}
	}
	for n := range 12 {
		if _, err := longs.Decode(t.Context(), make([]byte, n), nil); (err == nil) != (n == 8) {
			t.Errorf("%d bytes as 64 bits: %v", n, err)
		}
		if _, err := ints.Decode(t.Context(), make([]byte, n), nil); (err == nil) != (n == 4) {
			t.Errorf("%d bytes as 32 bits: %v", n, err)
		}
	}
}

func TestTextIsUTF8(t *testing.T) {
	c := bind(t, serde.String())
	for _, v := range []string{"", "a", "Käse 🧀", "\x00"} {
		if got, err := c.Decode(t.Context(), encode(t, c, v), nil); err != nil || got != v {
			t.Errorf("%q comes back as %q, %v", v, got, err)
		}
	}
	if b, err := c.Append(t.Context(), []byte("kept"), "secret\xff", nil); err == nil || string(b) != "kept" || strings.Contains(err.Error(), "secret") {
		t.Errorf("encoded as %q, %v", b, err)
	}
	if v, err := c.Decode(t.Context(), []byte("a\xff"), nil); err == nil || v != "" {
		t.Errorf("decoded as %q, %v", v, err)
	}
}

func TestBytesAreCopied(t *testing.T) {
	c := bind(t, serde.Bytes())
	src := []byte("abc")
	got, err := c.Decode(t.Context(), src, nil)
	if err != nil {
		t.Fatal(err)
	}
	src[0] = 'x'
	if string(got) != "abc" {
		t.Errorf("the value is %q: it changed with the fetch buffer", got)
	}
	if got, err := c.Decode(t.Context(), []byte{}, nil); got == nil || err != nil {
		t.Errorf("an empty value decodes to %v, %v, want one that is not nil", got, err)
	}
	if out := encode(t, c, []byte("\x00\xff")); !bytes.Equal(out, []byte("\x00\xff")) {
		t.Errorf("encoded as %x", out)
	}
}

func TestBytesInPlaceAreTheRecordsOwn(t *testing.T) {
	c := bind(t, serde.BytesInPlace())
	fetched := []byte("abcdef")
	got, err := c.Decode(t.Context(), fetched[:3], nil)
	if err != nil || string(got) != "abc" || &got[0] != &fetched[0] {
		t.Errorf("decoded as %q, %v, in memory of its own", got, err)
	}
	if _ = append(got, 'x'); string(fetched) != "abcdef" {
		t.Errorf("appending to the value wrote over what follows: %q", fetched)
	}
	if got, err := c.Decode(t.Context(), []byte{}, nil); got == nil || err != nil {
		t.Errorf("an empty value decodes to %v, %v, want one that is not nil", got, err)
	}
	if out := encode(t, c, []byte("\x00\xff")); !bytes.Equal(out, []byte("\x00\xff")) {
		t.Errorf("encoded as %x", out)
	}
}

func TestUUIDIsText(t *testing.T) {
	c := bind(t, serde.UUID())
	v := [16]byte{0x01, 0x7f, 0x22, 0xe2, 0x79, 0xb0, 0x7c, 0xc3, 0x98, 0xc4, 0xdc, 0x0c, 0x0c, 0x07, 0x39, 0x8f}
	src := encode(t, c, v)
	if got, err := c.Decode(t.Context(), src, nil); string(src) != "017f22e2-79b0-7cc3-98c4-dc0c0c07398f" || got != v || err != nil {
		t.Errorf("written as %s and read as %x, %v", src, got, err)
	}
	if got, err := c.Decode(t.Context(), []byte("no uuid"), nil); err == nil || got != [16]byte{} {
		t.Errorf("decoded as %x, %v", got, err)
	}
}

func FuzzUUIDDecode(f *testing.F) {
	f.Add([]byte("017f22e2-79b0-7cc3-98c4-dc0c0c07398f"))
	f.Add([]byte(""))
	c, err := serde.UUID().Bind(serde.Binding{})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		v, err := c.Decode(t.Context(), src, nil)
		if err != nil {
			return
		}
		if out := encode(t, c, v); !strings.EqualFold(string(out), string(src)) {
			t.Fatalf("%q comes back as %q", src, out)
		}
	})
}

func TestRetryableErrorKeepsItsCause(t *testing.T) {
	cause := errors.New("registry away")
	err := error(&serde.RetryableError{Err: cause})
	if !errors.Is(err, cause) || err.Error() != cause.Error() {
		t.Errorf("%v", err)
	}
}

func TestHeadersKeepOrderAndDuplicates(t *testing.T) {
	var h serde.Headers
	h.Add("a", []byte("1"))
	h.Add("b", []byte("2"))
	h.Add("a", []byte("3"))
	if got := h.Text("a"); got != "3" {
		t.Errorf("Get gives %q, want the last one", got)
	}
	if vs := h.Values("a"); len(vs) != 2 || string(vs[0]) != "1" || string(vs[1]) != "3" {
		t.Errorf("Values gives %q", vs)
	}
	c := h.Clone()
	h.Set("a", []byte("4"))
	if len(h) != 2 || h[0].Key != "a" || string(h[0].Value) != "4" || h[1].Key != "b" {
		t.Errorf("after Set: %v", h)
	}
	h.Set("c", nil)
	if v, ok := h.Get("c"); !ok || v != nil || len(h) != 3 {
		t.Errorf("after Set of a new one: %v", h)
	}
	h.Del("a")
	if _, ok := h.Get("a"); ok || len(h) != 2 {
		t.Errorf("after Del: %v", h)
	}
	c[0].Value[0] = 'x'
	if len(c) != 3 || c.Text("b") != "2" || serde.Headers(nil).Clone() != nil {
		t.Errorf("the copy is %v", c)
	}
}
