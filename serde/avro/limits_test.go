package avro_test

import (
	"bytes"
	"runtime"
	"strings"
	"testing"

	"github.com/sordini-go/sordini/broker/brokertest"
	"github.com/sordini-go/sordini/serde"
	"github.com/sordini-go/sordini/serde/avro"
	"github.com/sordini-go/sordini/serde/registry"
)

// TestHostileBytesAreRefused: a few bytes that claim much, or megabytes that nest, cost neither memory nor the process.
func TestHostileBytesAreRefused(t *testing.T) {
	c := brokertest.New(t)
	cl := quiet(c)
	const (
		chain = `{"type":"record","name":"node","fields":[{"name":"next","type":["null","node"],"default":null}]}`
		lists = `{"type":"record","name":"nothings","fields":[{"name":"items","type":{"type":"array","items":"null"}}]}`
		words = `{"type":"record","name":"words","fields":[{"name":"s","type":"string"}]}`
		maps  = `{"type":"record","name":"maps","fields":[{"name":"m","type":{"type":"map","values":"long"}}]}`
	)
	many := []byte{0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f} // some too many
	for name, x := range map[string]struct {
		schema string
		body   []byte
	}{
		"ten million levels":             {chain, bytes.Repeat([]byte{2}, 10_000_000)},
		"an array of too many nulls":     {lists, many},
		"an array of a thousand million": {lists, []byte{0x80, 0xa8, 0xd6, 0xb9, 0x07, 0}},
		"a block whose size is negative": {lists, append([]byte{1}, many...)},
		"a string of too many bytes":     {words, many},
		"a string of negative length":    {words, []byte{1}},
		"a map of too many entries":      {maps, many},
		"a varint of eleven bytes":       {words, bytes.Repeat([]byte{0xff}, 11)},
	} {
		t.Run(name, func(t *testing.T) {
			s := avro.Generic(avro.Text(x.schema))
			topic := strings.ReplaceAll(name, " ", "-")
			id, err := registry.Register(t.Context(), cl.Registry, topic, serde.Value, s)
			if err != nil {
				t.Fatal(err)
			}
			codec, err := s.Bind(serde.Binding{Topic: topic, Role: serde.Value, Registry: cl.Registry})
			if err != nil {
				t.Fatal(err)
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			got, err := codec.Decode(t.Context(), append(registry.AppendPrefix(nil, id.ID), x.body...), nil)
			runtime.ReadMemStats(&after)
			if err == nil {
				t.Errorf("decoded %.100v", got)
			}
			if n := after.TotalAlloc - before.TotalAlloc; n > 64<<20 {
				t.Errorf("%d MiB were allocated", n>>20)
			}
		})
	}
}
