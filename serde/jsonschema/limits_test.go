package jsonschema_test

import (
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/sordini-go/sordini/broker/brokertest"
	"github.com/sordini-go/sordini/serde"
	"github.com/sordini-go/sordini/serde/jsonschema"
	"github.com/sordini-go/sordini/serde/registry"
)

type tree struct {
	Value any    `json:"value"`
	Sub   []tree `json:"sub"`
}

// TestHostileDocumentsAreRefused: what nests deep, or names a number of a thousand million digits, costs neither memory nor time.
func TestHostileDocumentsAreRefused(t *testing.T) {
	const schema = `{"$schema":"https://json-schema.org/draft/2020-12/schema","type":"object","properties":{
		"value":{"type":["integer","null"],"maximum":1000000,"multipleOf":3},"sub":{"type":"array","items":{"$ref":"#"}}}}`
	cl := brokertest.New(t).SDK()
	s := jsonschema.Serde[tree](jsonschema.Text(schema))
	id, err := registry.Register(t.Context(), cl.Registry, "trees", serde.Value, s)
	if err != nil {
		t.Fatal(err)
	}
	c, err := s.Bind(serde.Binding{Topic: "trees", Registry: cl.Registry})
	if err != nil {
		t.Fatal(err)
	}
	decode := func(doc string) error {
		_, err := c.Decode(t.Context(), append(registry.AppendPrefix(nil, id.ID), doc...), nil)
		return err
	}
	if err := decode(`{"value":3,"sub":[{"value":null,"sub":[]}]}`); err != nil {
		t.Fatal(err)
	}
	for name, doc := range map[string]string{
		"a million levels":              strings.Repeat(`{"sub":[`, 1_000_000),
		"a million levels, closed":      strings.Repeat(`{"sub":[`, 1_000_000) + strings.Repeat(`]}`, 1_000_000),
		"a million arrays":              strings.Repeat(`[`, 1_000_000),
		"a number too long to write":    `{"value":1e999999999}`,
		"one too small":                 `{"value":1e-999999999}`,
		"one that is a whole after all": `{"value":3.0e999999999}`,
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			began := time.Now()
			err := decode(doc)
			runtime.ReadMemStats(&after)
			var again *serde.RetryableError
			if err == nil || errors.As(err, &again) {
				t.Errorf("%v", err)
			}
			if n := after.TotalAlloc - before.TotalAlloc; n > uint64(64<<20+64*len(doc)) {
				t.Errorf("%d MiB were allocated in %v", n>>20, time.Since(began))
			}
		})
	}
}
