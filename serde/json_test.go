package serde_test

import (
	"encoding/json"
	"errors"
	"math"
	"math/big"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/sordini-go/sordini/internal/secret"
	"github.com/sordini-go/sordini/serde"
)

type line struct {
	SKU string `json:"sku"`
	N   int    `json:"n,omitempty"`
}

type order struct {
	ID    string         `json:"id"`
	At    time.Time      `json:"at"`
	Lines []line         `json:"lines"`
	Notes map[string]any `json:"notes,omitempty"`
	Next  *order         `json:"next,omitempty"`
	Addr  netip.Addr     `json:"addr"`
	Sum   *big.Int       `json:"sum"`
	Raw   json.RawMessage
	Inner
	cache int //nolint:unused // a struct may have a field of its own beside others
}

// Inner is embedded.
type Inner struct{ Depth int }

func bind[T any](t *testing.T, s serde.Serde[T]) serde.Codec[T] {
	t.Helper()
	c, err := s.Bind(serde.Binding{Topic: "orders"})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func encode[T any](t *testing.T, c serde.Codec[T], v T) []byte {
	t.Helper()
	var h serde.Headers
	b, err := c.Append(t.Context(), []byte("before:"), v, &h)
	if err != nil {
		t.Fatal(err)
	}
	rest, ok := strings.CutPrefix(string(b), "before:")
	if !ok {
		t.Fatalf("what was in dst is gone: %q", b)
	}
	return []byte(rest)
}

func TestJSONRoundTrip(t *testing.T) {
	c := bind(t, serde.JSON[order]())
	sum, _ := new(big.Int).SetString("123456789012345678901234567890", 10)
	want := order{
		ID: "<17> & Käse", At: time.Date(2026, 11, 23, 1, 2, 3, 4, time.UTC), Lines: []line{{"a", 1}, {"b", 0}}, Next: &order{ID: "18", Raw: json.RawMessage("null")},
		Notes: map[string]any{"n": json.Number("9007199254740993"), "x": []any{"y", nil, true}}, Addr: netip.MustParseAddr("::1"), Sum: sum,
		Raw: json.RawMessage(`{"a":1}`), Inner: Inner{3},
	}
	src := encode(t, c, want)
	if !strings.Contains(string(src), "<17> & Käse") {
		t.Errorf("encoded as %s: text that is fine is escaped", src)
	}
	got, err := c.Decode(t.Context(), src, nil)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("decoded\n%+v, want\n%+v", got, want)
	}
}

type (
	methods interface{ Do() }
	inner   struct{ A int }
	hidden  struct{ id string } //nolint:unused // that is the mistake
	twice   struct {
		X string
		B string `json:"X"`
	}
	oneWay   struct{ A string }
	readOnly struct{ A string }
	textKey  struct{ A string }
	tree     struct{ Left, Right *tree }
	tagless  struct {
		A string
		C chan int `json:"-"`
	}
)

func (oneWay) MarshalJSON() ([]byte, error)  { return nil, nil }
func (*readOnly) UnmarshalJSON([]byte) error { return nil }
func (textKey) MarshalText() ([]byte, error) { return []byte("k"), nil }
func (*textKey) UnmarshalText([]byte) error  { return nil }
func refused[T any]() error                  { _, err := serde.JSON[T]().Bind(serde.Binding{}); return err }

func TestJSONRefusesTypesThatDoNotComeBack(t *testing.T) {
	for want, err := range map[string]error{
		"JSON has no chan int":                  refused[chan int](),
		"JSON has no func()":                    refused[struct{ F func() }](),
		"JSON has no complex128":                refused[[]complex128](),
		"not decoded":                           refused[struct{ M []methods }](),
		"error can be encoded":                  refused[map[string]error](),
		"key must be text":                      refused[map[float64]string](),
		"no field of serde_test.hidden":         refused[*hidden](),
		`both "x" in JSON`:                      refused[twice](),
		"can be encoded and not decoded; embed": refused[struct{ *inner }](),
		"no UnmarshalJSON":                      refused[oneWay](),
		"no MarshalJSON":                        refused[struct{ R readOnly }](),
		"MarshalText and no UnmarshalText":      refused[struct{ Password secret.Secret }](),
		"order.F: JSON has no": refused[struct {
			order struct{}
			Order struct{ F func() }
		}](),
	} {
		if err == nil || !strings.Contains(strings.ToLower(err.Error()), strings.ToLower(want)) {
			t.Errorf("error %v, want one that says %s", err, want)
		}
	}
	for name, err := range map[string]error{
		"recursion": refused[tree](), "any": refused[any](), "bytes": refused[[]byte](), "text keys": refused[map[textKey]int](), "int keys": refused[map[int8]int](),
		"empty struct": refused[struct{}](), "embedded": refused[struct{ inner }](), "left out": refused[tagless](), "time": refused[time.Time](), "duration": refused[time.Duration](), "raw": refused[json.RawMessage](),
	} {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestJSONRefusesValuesThatItWouldChange(t *testing.T) {
	floats, texts, nested := bind(t, serde.JSON[float64]()), bind(t, serde.JSON[string]()), bind(t, serde.JSON[order]())
	dst := []byte("kept")
	for name, encode := range map[string]func() ([]byte, error){
		"NaN":      func() ([]byte, error) { return floats.Append(t.Context(), dst, math.NaN(), nil) },
		"infinity": func() ([]byte, error) { return floats.Append(t.Context(), dst, math.Inf(1), nil) },
		"no UTF-8": func() ([]byte, error) { return texts.Append(t.Context(), dst, "a\xffb", nil) },
		"in a list": func() ([]byte, error) {
			return nested.Append(t.Context(), dst, order{Raw: json.RawMessage("1"), Lines: []line{{}, {SKU: "\xff"}}}, nil)
		},
		"in an any": func() ([]byte, error) {
			return nested.Append(t.Context(), dst, order{Raw: json.RawMessage("1"), Notes: map[string]any{"n": []any{"\xff"}}}, nil)
		},
		"as a key": func() ([]byte, error) {
			return nested.Append(t.Context(), dst, order{Raw: json.RawMessage("1"), Notes: map[string]any{"\xff": 1}}, nil)
		},
	} {
		if b, err := encode(); err == nil || string(b) != "kept" {
			t.Errorf("%s: encoded as %q, %v", name, b, err)
		}
	}
	for _, fine := range []string{"\ufffd", `\ufffd`, `\\ufffd`} {
		src := encode(t, texts, fine)
		if got, err := texts.Decode(t.Context(), src, nil); err != nil || got != fine {
			t.Errorf("%q comes back as %q, %v", fine, got, err)
		}
	}
}

func TestJSONRefusesBytesThatAreNotAValue(t *testing.T) {
	plain, anys := bind(t, serde.JSON[line]()), bind(t, serde.JSON[map[string]any]())
	for _, src := range []string{"", " ", "{", "nul", `{"sku":1}`, `{"sku":"a"} x`, `{"sku":"a"}{}`, "{\"sku\":\"\xff\"}", "null", " null\n", "[]", "NaN"} {
		if v, err := plain.Decode(t.Context(), []byte(src), nil); err == nil || v != (line{}) {
			t.Errorf("%q decodes to %v, %v", src, v, err)
		}
	}
	for _, src := range []string{"", "{", `{} x`, `{}{}`, "{\"a\":\"\xff\"}"} {
		if v, err := anys.Decode(t.Context(), []byte(src), nil); err == nil || v != nil {
			t.Errorf("%q decodes to %v, %v", src, v, err)
		}
	}
	var retryable *serde.RetryableError
	if _, err := plain.Decode(t.Context(), []byte("{"), nil); errors.As(err, &retryable) {
		t.Error("bytes that will never decode are not retryable")
	}
}

func TestJSONAcceptsWhatItMay(t *testing.T) {
	c := bind(t, serde.JSON[line]())
	for src, want := range map[string]line{
		` {"sku":"a","n":2} ` + "\n": {"a", 2}, `{"sku":"a","new":{"deep":[1]}}`: {"a", 0}, `{"sku":"a","sku":"b"}`: {"b", 0}, `{}`: {},
	} {
		if got, err := c.Decode(t.Context(), []byte(src), nil); err != nil || got != want {
			t.Errorf("%s decodes to %v, %v", src, got, err)
		}
	}
	if got, err := bind(t, serde.JSON[*line]()).Decode(t.Context(), []byte("null"), nil); err != nil || got != nil {
		t.Errorf("null is a value of a pointer, and decodes to %v, %v", got, err)
	}
}

func TestJSONDoesNotKeepWhatItDecodes(t *testing.T) {
	c := bind(t, serde.JSON[order]())
	src := []byte(`{"id":"abc","Raw":{"x":"abc"}}`)
	got, err := c.Decode(t.Context(), src, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range src {
		src[i] = 'x' // the fetch buffer is used again
	}
	if got.ID != "abc" || string(got.Raw) != `{"x":"abc"}` {
		t.Errorf("the value changed with the buffer: %+v", got)
	}
}

func TestJSONEncodesWithoutCopies(t *testing.T) {
	c := bind(t, serde.JSON[line]())
	dst, ctx := make([]byte, 0, 256), t.Context()
	n := testing.AllocsPerRun(200, func() { _, _ = c.Append(ctx, dst, line{"a", 1}, nil) })
	if limit := 1 + 3*raced; n > float64(limit) { // the race detector makes a sync.Pool forget
		t.Errorf("%v allocations, want the value's alone", n)
	}
}

func FuzzJSONDecode(f *testing.F) {
	for _, s := range []string{`{"id":"1","at":"2026-01-02T03:04:05Z","notes":{"a":[1,2.5e300,null]}}`, `{}`, `null`, `[`, "{\"id\":\"\xff\"}", `{"next":{"next":{}}}`, `{"sum":1e9}`} {
		f.Add([]byte(s))
	}
	c, err := serde.JSON[order]().Bind(serde.Binding{})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		v, err := c.Decode(t.Context(), src, nil)
		if err != nil {
			return
		}
		once, err := c.Append(t.Context(), nil, v, nil)
		if err != nil {
			return // a time that Go reads and does not write
		}
		again, err := c.Decode(t.Context(), once, nil)
		if err != nil {
			t.Fatalf("%s does not decode: %v", once, err)
		}
		twice, err := c.Append(t.Context(), nil, again, nil)
		if err != nil || string(once) != string(twice) {
			t.Fatalf("%s becomes %s, %v", once, twice, err)
		}
	})
}

func BenchmarkJSONAppend(b *testing.B) {
	b.ReportAllocs()
	c, _ := serde.JSON[line]().Bind(serde.Binding{})
	dst, ctx := make([]byte, 0, 256), b.Context()
	for b.Loop() {
		_, _ = c.Append(ctx, dst, line{"a-long-stock-keeping-unit", 12}, nil)
	}
}
