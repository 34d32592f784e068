package avro_test

import (
	"runtime"
	"testing"

	"github.com/sordini-go/sordini/broker/brokertest"
	"github.com/sordini-go/sordini/serde"
	"github.com/sordini-go/sordini/serde/avro"
	"github.com/sordini-go/sordini/serde/registry"
)

// FuzzDecode feeds bytes to a struct, to a generic record that is resolved, and to a recursive one. Nothing may panic, and what is allocated is bounded by
// what was read.
func FuzzDecode(f *testing.F) {
	r := brokertest.New(f).SDK().Registry
	own := avro.Serde[order](avro.Registry(registry.AutoRegister()))
	c, err := own.Bind(serde.Binding{Topic: "orders", Registry: r})
	if err != nil {
		f.Fatal(err)
	}
	raw, err := c.Append(f.Context(), nil, anOrder(), new(serde.Headers))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw[5:])
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f})
	f.Add([]byte{2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2})
	type codec struct {
		id     int
		decode func(*testing.T, []byte)
	}
	schema := func(text string) codec {
		s := avro.Generic(avro.Text(text), avro.Registry(registry.AutoRegister(), registry.SubjectBy(registry.Fixed(text))))
		registered, err := registry.Register(f.Context(), r, "orders", serde.Value, s)
		if err != nil {
			f.Fatal(err)
		}
		c, err := s.Bind(serde.Binding{Topic: "orders", Registry: r})
		if err != nil {
			f.Fatal(err)
		}
		return codec{registered.ID, func(t *testing.T, b []byte) { _, _ = c.Decode(t.Context(), b, nil) }}
	}
	codecs := []codec{
		{int(raw[4]), func(t *testing.T, b []byte) { _, _ = c.Decode(t.Context(), b, nil) }},
		schema(`{"type":"array","items":"null"}`),
		schema(`{"type":"record","name":"L","fields":[{"name":"next","type":["null","L"]}]}`),
		schema(`{"type":"map","values":{"type":"map","values":{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}}}`),
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 1<<16 {
			return
		}
		for _, c := range codecs {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			c.decode(t, append(registry.AppendPrefix(nil, c.id), b...))
			runtime.ReadMemStats(&after)
			if grown, most := after.TotalAlloc-before.TotalAlloc, uint64(16<<20+4096*len(b)); grown > most {
				t.Errorf("%d bytes allocate %d, more than %d", len(b), grown, most)
			}
		}
	})
}
