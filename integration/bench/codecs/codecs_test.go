package codecs

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"github.com/bytedance/sonic"
	goccy "github.com/goccy/go-json"
	hamba "github.com/hamba/avro/v2"
	"github.com/linkedin/goavro/v2"
	validator "github.com/santhosh-tekuri/jsonschema/v6"
	segmentio "github.com/segmentio/encoding/json"
	twmb "github.com/twmb/avro"

	"github.com/sordini-go/sordini/broker/brokertest"
	"github.com/sordini-go/sordini/serde"
	"github.com/sordini-go/sordini/serde/avro"
	"github.com/sordini-go/sordini/serde/jsonschema"
	"github.com/sordini-go/sordini/serde/registry"
)

type item struct {
	SKU   string `avro:"sku" json:"sku"`
	Count int32  `avro:"count" json:"count"`
	Cents int64  `avro:"cents" json:"cents"`
}

type order struct {
	ID       string            `avro:"id" json:"id"`
	Customer string            `avro:"customer" json:"customer"`
	At       time.Time         `avro:"at,timestamp-micros" json:"at"`
	Currency string            `avro:"currency" json:"currency"`
	Cents    int64             `avro:"cents" json:"cents"`
	Note     *string           `avro:"note" json:"note"`
	Items    []item            `avro:"items" json:"items"`
	Labels   map[string]string `avro:"labels" json:"labels"`
	Weight   float64           `avro:"weight" json:"weight"`
	Paid     bool              `avro:"paid" json:"paid"`
}

// schema is what hamba/avro and goavro are given, and what the serde and twmb/avro make of the type.
const schema = `{"type":"record","name":"order","fields":[{"name":"id","type":"string"},{"name":"customer","type":"string"},
	{"name":"at","type":{"type":"long","logicalType":"timestamp-micros"}},{"name":"currency","type":"string"},{"name":"cents","type":"long"},
	{"name":"note","type":["null","string"]},{"name":"items","type":{"type":"array","items":{"type":"record","name":"item","fields":[
	{"name":"sku","type":"string"},{"name":"count","type":"int"},{"name":"cents","type":"long"}]}}},
	{"name":"labels","type":{"type":"map","values":"string"}},{"name":"weight","type":"double"},{"name":"paid","type":"boolean"}]}`

func anOrder() order {
	note := "leave it at the door"
	return order{
		ID: "order-17", Customer: "0190a5d8-0000-7000-8000-000000000001", At: time.UnixMicro(1_700_000_000_123_456).UTC(), Currency: "EUR", Cents: 4693, Note: &note,
		Items: []item{{"a-1", 2, 1999}, {"b-2", 1, 500}, {"c-3", 3, 65}}, Labels: map[string]string{"channel": "web"}, Weight: 1.5, Paid: true,
	}
}

// way is one way to encode and decode an order.
type way struct {
	name   string
	encode func(dst []byte, v *order) ([]byte, error)
	decode func(src []byte) (any, error)
}

// text is a way over the two functions that every JSON library has.
func text(name string, marshal func(any) ([]byte, error), unmarshal func([]byte, any) error) way {
	return way{name, func(_ []byte, v *order) ([]byte, error) { return marshal(v) }, func(src []byte) (any, error) {
		var v order
		err := unmarshal(src, &v)
		return v, err
	}}
}

func ours(b *testing.B, s serde.Serde[order], r serde.Registry) way {
	c, err := s.Bind(serde.Binding{Topic: "orders", Registry: r})
	if err != nil {
		b.Fatal(err)
	}
	h, ctx := new(serde.Headers), b.Context()
	return way{"sordini", func(dst []byte, v *order) ([]byte, error) { return c.Append(ctx, dst, *v, h) }, func(src []byte) (any, error) {
		v, err := c.Decode(ctx, src, nil)
		return v, err
	}}
}

func run(b *testing.B, ways ...way) {
	v := anOrder()
	for _, w := range ways {
		raw, err := w.encode(nil, &v)
		if err != nil {
			b.Fatal(w.name, err)
		}
		got, err := w.decode(raw)
		if err != nil {
			b.Fatal(w.name, err)
		}
		if o, typed := got.(order); typed && !reflect.DeepEqual(o, v) {
			b.Fatalf("%s reads %+v, want %+v", w.name, o, v)
		}
		buf := make([]byte, 0, 4096)
		b.Run("encode/"+w.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := w.encode(buf, &v); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("decode/"+w.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := w.decode(raw); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkAvro(b *testing.B) {
	raw, err := twmb.SchemaFor[order]()
	if err != nil {
		b.Fatal(err)
	}
	archived := hamba.MustParse(schema)
	maps, err := goavro.NewCodec(schema)
	if err != nil {
		b.Fatal(err)
	}
	v := anOrder()
	native := map[string]any{
		"id": v.ID, "customer": v.Customer, "at": v.At, "currency": v.Currency, "cents": v.Cents, "note": goavro.Union("string", *v.Note),
		"labels": map[string]any{"channel": "web"}, "weight": v.Weight, "paid": v.Paid,
	}
	var items []any
	for _, i := range v.Items {
		items = append(items, map[string]any{"sku": i.SKU, "count": i.Count, "cents": i.Cents})
	}
	native["items"] = items
	run(b, ours(b, avro.Serde[order](avro.Registry(registry.AutoRegister())), brokertest.New(b).SDK().Registry),
		way{"raw", func(dst []byte, v *order) ([]byte, error) { return raw.AppendEncode(dst, v) }, func(src []byte) (any, error) {
			var v order
			_, err := raw.Decode(src, &v)
			return v, err
		}},
		way{"hamba", func(_ []byte, v *order) ([]byte, error) { return hamba.Marshal(archived, v) }, func(src []byte) (any, error) {
			var v order
			err := hamba.Unmarshal(archived, src, &v)
			return v, err
		}},
		way{"goavro", func(dst []byte, _ *order) ([]byte, error) { return maps.BinaryFromNative(dst, native) }, func(src []byte) (any, error) {
			v, _, err := maps.NativeFromBinary(src)
			return v, err
		}})
}

func BenchmarkJSON(b *testing.B) {
	run(b, ours(b, serde.JSON[order](), serde.Registry{}), text("raw", json.Marshal, json.Unmarshal),
		text("goccy", goccy.Marshal, goccy.Unmarshal), text("segmentio", segmentio.Marshal, segmentio.Unmarshal),
		text("sonic", sonic.ConfigStd.Marshal, sonic.ConfigStd.Unmarshal))
}

// BenchmarkJSONSchema has as raw what one writes without a serde: encoding/json, and the validator on what it wrote or is to read.
func BenchmarkJSONSchema(b *testing.B) {
	r := brokertest.New(b).SDK().Registry
	s := jsonschema.Serde[order](jsonschema.Registry(registry.AutoRegister()))
	registered, err := registry.Register(b.Context(), r, "orders", serde.Value, s)
	if err != nil {
		b.Fatal(err)
	}
	doc, err := validator.UnmarshalJSON(bytes.NewReader([]byte(registered.Schema.Schema)))
	if err != nil {
		b.Fatal(err)
	}
	compiler := validator.NewCompiler()
	compiler.AssertFormat()
	if err := compiler.AddResource("order.json", doc); err != nil {
		b.Fatal(err)
	}
	compiled, err := compiler.Compile("order.json")
	if err != nil {
		b.Fatal(err)
	}
	validate := func(src []byte) error {
		doc, err := validator.UnmarshalJSON(bytes.NewReader(src))
		if err != nil {
			return err
		}
		return compiled.Validate(doc)
	}
	run(b, ours(b, s, r), text("raw", func(v any) ([]byte, error) {
		raw, err := json.Marshal(v)
		if err != nil {
			return nil, err
		}
		return raw, validate(raw)
	}, func(src []byte, v any) error {
		if err := validate(src); err != nil {
			return err
		}
		return json.Unmarshal(src, v)
	}))
}
