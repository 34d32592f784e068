package avro_test

import (
	"testing"

	goavro "github.com/linkedin/goavro/v2"
	twmb "github.com/twmb/avro"

	"github.com/sordini-go/sordini/broker/brokertest"
	"github.com/sordini-go/sordini/serde"
	"github.com/sordini-go/sordini/serde/avro"
	"github.com/sordini-go/sordini/serde/registry"
)

// BenchmarkCodec compares the serde with the raw codec, which gets the 5 bytes of the frame for nothing, and with goavro on maps.
func BenchmarkCodec(b *testing.B) {
	r := brokertest.New(b).SDK().Registry
	c, err := avro.Serde[order](avro.Registry(registry.AutoRegister())).Bind(serde.Binding{Topic: "orders", Registry: r})
	if err != nil {
		b.Fatal(err)
	}
	v, h := anOrder(), new(serde.Headers)
	raw, err := c.Append(b.Context(), nil, v, h)
	if err != nil {
		b.Fatal(err)
	}
	schema, err := twmb.SchemaFor[order]()
	if err != nil {
		b.Fatal(err)
	}
	native, err := goavro.NewCodec(schema.String())
	if err != nil {
		b.Fatal(err)
	}
	ctx, buf := b.Context(), make([]byte, 0, 1024)
	b.Run("encode/sordini", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := c.Append(ctx, buf[:0], v, h); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("encode/raw", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := schema.AppendEncode(buf[:0], &v); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("decode/sordini", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := c.Decode(ctx, raw, nil); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("decode/raw", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var v order
			if _, err := schema.Decode(raw[5:], &v); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("decode/goavro", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, _, err := native.NativeFromBinary(raw[5:]); err != nil {
				b.Fatal(err)
			}
		}
	})
	m, _, _ := native.NativeFromBinary(raw[5:])
	b.Run("encode/goavro", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := native.BinaryFromNative(buf[:0], m); err != nil {
				b.Fatal(err)
			}
		}
	})
}
