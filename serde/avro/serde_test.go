package avro_test

import (
	"errors"
	"math/big"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	goavro "github.com/linkedin/goavro/v2"
	"go.uber.org/goleak"

	"github.com/sordini-go/sordini/broker/brokertest"
	"github.com/sordini-go/sordini/serde"
	"github.com/sordini-go/sordini/serde/avro"
	"github.com/sordini-go/sordini/serde/registry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type item struct {
	SKU   string   `avro:"sku"`
	Count int32    `avro:"count"`
	Price *big.Rat `avro:"price,decimal(12,2)"`
}

type order struct {
	ID       string            `avro:"id"`
	Customer [16]byte          `avro:"customer,uuid"`
	At       time.Time         `avro:"at,timestamp-micros"`
	Day      time.Time         `avro:"day,date"`
	Took     time.Duration     `avro:"took,time-micros"`
	Note     *string           `avro:"note"`
	Items    []item            `avro:"items"`
	Labels   map[string]string `avro:"labels"`
	Weight   float64           `avro:"weight"`
	Raw      []byte            `avro:"raw"`
}

func anOrder() order {
	note := "leave it at the door"
	return order{
		ID: "17", Customer: [16]byte{1, 2, 3}, At: time.UnixMicro(1_700_000_000_123_456).UTC(), Day: time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC),
		Took: 90 * time.Second, Note: &note, Items: []item{{"a", 2, big.NewRat(1999, 100)}, {"b", 1, big.NewRat(-5, 1)}},
		Labels: map[string]string{"channel": "web"}, Weight: 1.5, Raw: []byte{0, 255},
	}
}

// bind binds a serde to topic orders of a registry.
func bind[T any](t *testing.T, s serde.Serde[T], r serde.Registry) serde.Codec[T] {
	t.Helper()
	c, err := s.Bind(serde.Binding{Topic: "orders", Registry: r})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestEveryFieldComesBack(t *testing.T) {
	r := brokertest.New(t).SDK().Registry
	c := bind(t, avro.Serde[order](avro.Namespace("shop"), avro.Registry(registry.AutoRegister())), r)
	raw, err := c.Append(t.Context(), []byte("before"), anOrder(), new(serde.Headers))
	if err != nil {
		t.Fatal(err)
	}
	if string(raw[:6]) != "before" || raw[6] != 0 {
		t.Fatalf("encoded as % x", raw)
	}
	got, err := c.Decode(t.Context(), raw[6:], nil)
	if err != nil {
		t.Fatal(err)
	}
	if want := anOrder(); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
}

// TestGoavroAgrees lets the other library read what this one wrote, and the other way round.
func TestGoavroAgrees(t *testing.T) {
	r := brokertest.New(t).SDK().Registry
	c := bind(t, avro.Serde[order](avro.Namespace("shop"), avro.Registry(registry.AutoRegister())), r)
	raw, err := c.Append(t.Context(), nil, anOrder(), new(serde.Headers))
	if err != nil {
		t.Fatal(err)
	}
	s, err := registry.Register(t.Context(), r, "orders", serde.Value, avro.Serde[order](avro.Namespace("shop")))
	if err != nil {
		t.Fatal(err)
	}
	second, err := goavro.NewCodec(s.Schema.Schema)
	if err != nil {
		t.Fatal(err)
	}
	native, left, err := second.NativeFromBinary(raw[5:])
	if err != nil || len(left) > 0 {
		t.Fatalf("%v, %d bytes left", err, len(left))
	}
	again, err := second.BinaryFromNative(registry.AppendPrefix(nil, s.ID), native)
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.Decode(t.Context(), again, nil)
	if want := anOrder(); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v: got %+v\nwant %+v", err, got, want)
	}
}

func TestGenericReadsWhatItDoesNotKnow(t *testing.T) {
	r := brokertest.New(t).SDK().Registry
	raw, err := bind(t, avro.Serde[order](avro.Registry(registry.AutoRegister())), r).Append(t.Context(), nil, anOrder(), new(serde.Headers))
	if err != nil {
		t.Fatal(err)
	}
	generic := bind(t, avro.Generic(), r)
	got, err := generic.Decode(t.Context(), raw, nil)
	if err != nil {
		t.Fatal(err)
	}
	m := got.(map[string]any)
	if m["id"] != "17" || !reflect.DeepEqual(m["note"], map[string]any{"string": "leave it at the door"}) {
		t.Errorf("got %v", m)
	}
	if _, err := generic.Append(t.Context(), nil, m, new(serde.Headers)); err == nil {
		t.Error("a generic serde without a schema encodes")
	}
	text := avro.Generic(avro.Text(`{"type":"record","name":"P","fields":[{"name":"id","type":["null","string"]}]}`), avro.Registry(registry.AutoRegister(), registry.SubjectBy(registry.RecordName)))
	c := bind(t, text, r)
	if raw, err = c.Append(t.Context(), nil, map[string]any{"id": map[string]any{"string": "x"}}, new(serde.Headers)); err != nil {
		t.Fatal(err)
	}
	if back, err := c.Decode(t.Context(), raw, nil); err != nil || !reflect.DeepEqual(back, any(map[string]any{"id": map[string]any{"string": "x"}})) {
		t.Errorf("%v: %v", back, err)
	}
}

func TestAServiceDoesNotRegisterUnlessItIsTold(t *testing.T) {
	r := brokertest.New(t).SDK().Registry
	own := avro.Serde[order]()
	_, err := bind(t, own, r).Append(t.Context(), nil, anOrder(), new(serde.Headers))
	if !errors.Is(err, registry.ErrNotRegistered) {
		t.Fatalf("got %v", err)
	}
	if _, err := registry.Register(t.Context(), r, "orders", serde.Value, own); err != nil {
		t.Fatal(err)
	}
	if _, err := bind(t, own, r).Append(t.Context(), nil, anOrder(), new(serde.Headers)); !errors.Is(err, registry.ErrNotRegistered) {
		t.Fatalf("asked again at once: %v", err)
	}
}

func TestASchemaThatIsRegisteredLaterIsFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := brokertest.New(t).SDK().Registry
		own := avro.Serde[order]()
		c := bind(t, own, r)
		if _, err := c.Append(t.Context(), nil, anOrder(), new(serde.Headers)); !errors.Is(err, registry.ErrNotRegistered) {
			t.Fatalf("got %v", err)
		}
		if _, err := registry.Register(t.Context(), r, "orders", serde.Value, own); err != nil {
			t.Fatal(err)
		}
		time.Sleep(registry.UnknownFor)
		if _, err := c.Append(t.Context(), nil, anOrder(), new(serde.Headers)); err != nil {
			t.Fatalf("not found after %v: %v", registry.UnknownFor, err)
		}
	})
}

func TestWhatCannotWorkIsRefusedWhenItIsBound(t *testing.T) {
	r := serde.Registry{URLs: []string{"http://127.0.0.1:1"}}
	for name, test := range map[string]struct {
		bind func(serde.Binding) error
		r    serde.Registry
	}{
		"no registry":          {binder(avro.Serde[order]()), serde.Registry{}},
		"not a struct":         {binder(avro.Serde[int]()), r},
		"a channel":            {binder(avro.Serde[struct{ C chan int }]()), r},
		"a field is missing":   {binder(avro.Serde[item](avro.Text(`{"type":"record","name":"X","fields":[{"name":"nobody","type":"int"}]}`))), r},
		"no schema":            {binder(avro.Serde[order](avro.Text(`{`))), r},
		"two names":            {binder(avro.Serde[order](avro.Text(`"string"`), avro.Name("X"))), r},
		"a reference, no text": {binder(avro.Serde[order](avro.Reference("a", "a", 1, `"int"`))), r},
		"no record name":       {binder(avro.Serde[string](avro.Text(`"string"`), avro.Registry(registry.SubjectBy(registry.RecordName)))), r},
	} {
		if err := test.bind(serde.Binding{Topic: "orders", Registry: test.r}); err == nil {
			t.Errorf("%s: bound", name)
		}
	}
}

func binder[T any](s serde.Serde[T]) func(serde.Binding) error {
	return func(b serde.Binding) error { _, err := s.Bind(b); return err }
}
