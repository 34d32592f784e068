package jsonschema_test

import (
	"errors"
	"math"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/sordini-go/sordini/broker/brokertest"
	"github.com/sordini-go/sordini/serde"
	"github.com/sordini-go/sordini/serde/jsonschema"
	"github.com/sordini-go/sordini/serde/registry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type item struct {
	SKU   string `json:"sku"`
	Count int    `json:"count"`
}

type order struct {
	ID     string            `json:"id" jsonschema:"the order's number"`
	At     time.Time         `json:"at"`
	Items  []item            `json:"items"`
	Labels map[string]string `json:"labels,omitempty"`
	Note   *string           `json:"note,omitempty"`
	Number int64             `json:"number"`
}

func anOrder() order {
	return order{ID: "17", At: time.Date(2026, 11, 23, 1, 2, 3, 4, time.UTC), Items: []item{{"a", 2}}, Labels: map[string]string{"k": "v"}, Number: math.MaxInt64}
}

func bind[T any](t testing.TB, s serde.Serde[T], r serde.Registry) serde.Codec[T] {
	t.Helper()
	c, err := s.Bind(serde.Binding{Topic: "orders", Registry: r})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

var auto = jsonschema.Registry(registry.AutoRegister())

func TestWhatIsWrittenComesBackInBothDrafts(t *testing.T) {
	for name, opts := range map[string][]jsonschema.Option{"2020-12": {auto}, "draft-07": {auto, jsonschema.Draft7()}} {
		r := brokertest.New(t).SDK().Registry
		s := jsonschema.Serde[order](opts...)
		c := bind(t, s, r)
		raw, err := c.Append(t.Context(), []byte("before"), anOrder(), new(serde.Headers))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !strings.HasPrefix(string(raw), "before\x00\x00\x00\x00\x01{\"id\":\"17\"") {
			t.Errorf("%s: encoded as %q", name, raw)
		}
		if got, err := c.Decode(t.Context(), raw[6:], nil); err != nil || !reflect.DeepEqual(got, anOrder()) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
		registered, err := registry.Register(t.Context(), r, "orders", serde.Value, s)
		if err != nil || !strings.Contains(registered.Schema.Schema, name) || !strings.Contains(registered.Schema.Schema, `"title":"order"`) {
			t.Errorf("%s: registered as %+v, %v", name, registered, err)
		}
	}
}

func TestWhatIsNotValidIsNeitherWrittenNorRead(t *testing.T) {
	r := brokertest.New(t).SDK().Registry
	const text = `{"$schema":"http://json-schema.org/draft-07/schema#","title":"P","type":"object","properties":{"id":{"type":"string","minLength":2},"at":{"type":"string","format":"date-time"}},"required":["id"],"additionalProperties":false}`
	type p struct {
		ID    string `json:"id,omitempty"`
		At    string `json:"at,omitempty"`
		Extra int    `json:"extra,omitempty"`
	}
	s := jsonschema.Serde[p](jsonschema.Text(text), auto)
	c := bind(t, s, r)
	good, err := c.Append(t.Context(), nil, p{ID: "17"}, new(serde.Headers))
	if err != nil {
		t.Fatal(err)
	}
	var invalid *jsonschema.InvalidError
	for name, v := range map[string]p{"too short": {ID: "1"}, "missing": {}, "another property": {ID: "17", Extra: 1}, "no date": {ID: "17", At: "yesterday"}} {
		if out, err := c.Append(t.Context(), []byte("x"), v, new(serde.Headers)); !errors.As(err, &invalid) || string(out) != "x" {
			t.Errorf("%s: written as %q, %v", name, out, err)
		}
	}
	for _, doc := range []string{`{"id":"1"}`, `{}`, `{"id":"17","x":1}`, `{"id":17}`, `{"id":"17"`, ``, `[]`} {
		_, err := c.Decode(t.Context(), append(good[:5:5], doc...), nil)
		var again *serde.RetryableError
		if !errors.As(err, &invalid) || errors.As(err, &again) {
			t.Errorf("%s: read, %v", doc, err)
		}
	}
}

func TestReferencesAreFoundByTheirNamesAndNothingElseIsLoaded(t *testing.T) {
	r := brokertest.New(t).SDK().Registry
	const money = `{"type":"object","properties":{"cents":{"type":"integer"}},"required":["cents"]}`
	s := jsonschema.Serde[map[string]any](jsonschema.Reference("money.json", "money", 1, money), jsonschema.Text(`{"type":"object","properties":{"total":{"$ref":"money.json"}}}`))
	if _, err := registry.Register(t.Context(), r, "orders", serde.Value, s); err != nil {
		t.Fatal(err)
	}
	c := bind(t, s, r)
	raw, err := c.Append(t.Context(), nil, map[string]any{"total": map[string]any{"cents": 5}}, new(serde.Headers))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Decode(t.Context(), raw, nil); err != nil {
		t.Error(err)
	}
	if _, err := c.Append(t.Context(), nil, map[string]any{"total": map[string]any{}}, new(serde.Headers)); err == nil {
		t.Error("what the reference forbids is written")
	}
	for _, ref := range []string{"other.json", "file:///etc/passwd", "http://127.0.0.1:1/x"} {
		_, err := jsonschema.Serde[map[string]any](jsonschema.Text(`{"$ref":"` + ref + `"}`)).Bind(serde.Binding{Topic: "x", Registry: r})
		if err == nil || !strings.Contains(err.Error(), "is not a reference") {
			t.Errorf("%s: %v", ref, err)
		}
	}
}

func TestWhatCannotWorkIsRefusedWhenItIsBound(t *testing.T) {
	r := serde.Registry{URLs: []string{"http://127.0.0.1:1"}}
	for name, bind := range map[string]func(serde.Binding) error{
		"a channel":            binder(jsonschema.Serde[struct{ C chan int }]()),
		"no schema":            binder(jsonschema.Serde[order](jsonschema.Text(`{`))),
		"no such type":         binder(jsonschema.Serde[order](jsonschema.Text(`{"type":"nothing"}`))),
		"a draft and a text":   binder(jsonschema.Serde[order](jsonschema.Text(`{}`), jsonschema.Draft7())),
		"a reference, no text": binder(jsonschema.Serde[order](jsonschema.Reference("a", "a", 1, `{}`))),
		"no title":             binder(jsonschema.Serde[order](jsonschema.Text(`{}`), jsonschema.Registry(registry.SubjectBy(registry.RecordName)))),
	} {
		if err := bind(serde.Binding{Topic: "orders", Registry: r}); err == nil {
			t.Errorf("%s: bound", name)
		}
	}
	if err := binder(jsonschema.Serde[order]())(serde.Binding{Topic: "orders"}); !errors.Is(err, registry.ErrNoRegistry) {
		t.Error(err)
	}
}

func binder[T any](s serde.Serde[T]) func(serde.Binding) error {
	return func(b serde.Binding) error { _, err := s.Bind(b); return err }
}

func FuzzDecode(f *testing.F) {
	r := brokertest.New(f).SDK().Registry
	c := bind(f, jsonschema.Serde[order](auto), r)
	raw, err := c.Append(f.Context(), nil, anOrder(), new(serde.Headers))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw[5:])
	f.Add([]byte(strings.Repeat(`{"items":[`, 200)))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 1<<16 {
			return
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, _ = c.Decode(t.Context(), append(raw[:5:5], b...), nil)
		runtime.ReadMemStats(&after)
		if grown, most := after.TotalAlloc-before.TotalAlloc, uint64(1<<20+1024*len(b)); grown > most {
			t.Errorf("%d bytes allocate %d, more than %d", len(b), grown, most)
		}
	})
}
