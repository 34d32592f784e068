package avro_test

import (
	"encoding/json"
	"fmt"
	"math/big"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	twmb "github.com/twmb/avro"
	"github.com/twmb/franz-go/pkg/sr"

	"github.com/sordini-go/sordini/broker/brokertest"
	"github.com/sordini-go/sordini/serde"
	"github.com/sordini-go/sordini/serde/avro"
	"github.com/sordini-go/sordini/serde/registry"
)

// resolution is one rule of "Schema Resolution" in the Avro 1.12 specification.
type resolution struct {
	rule           string
	writer, reader string
	write          any
	want           any // nil: the two do not resolve
}

// record makes a record schema of fields.
func record(fields ...string) string {
	return `{"type":"record","name":"R","fields":[` + strings.Join(fields, ",") + `]}`
}

func field(name, schema string, more ...string) string {
	return fmt.Sprintf(`{"name":%q,"type":%s%s}`, name, schema, strings.Join(more, ""))
}

func enum(more string, symbols ...string) string {
	list, _ := json.Marshal(symbols)
	return fmt.Sprintf(`{"type":"enum","name":"E","symbols":%s%s}`, list, more)
}

func m(kv ...any) map[string]any {
	out := make(map[string]any)
	for i := 0; i < len(kv); i += 2 {
		out[kv[i].(string)] = kv[i+1]
	}
	return out
}

var at = time.UnixMilli(1_700_000_000_123).UTC()

var resolutions = []resolution{
	{"the same primitive", `"string"`, `"string"`, "x", "x"},
	{"int to long", `"int"`, `"long"`, int32(7), int64(7)},
	{"int to float", `"int"`, `"float"`, int32(7), float32(7)},
	{"int to double", `"int"`, `"double"`, int32(7), float64(7)},
	{"long to float", `"long"`, `"float"`, int64(7), float32(7)},
	{"long to double", `"long"`, `"double"`, int64(7), float64(7)},
	{"float to double", `"float"`, `"double"`, float32(1.5), float64(1.5)},
	{"string to bytes", `"string"`, `"bytes"`, "x", []byte("x")},
	{"bytes to string", `"bytes"`, `"string"`, []byte("x"), "x"},
	{"long to int is not promotion", `"long"`, `"int"`, int64(7), nil},
	{"double to float is not promotion", `"double"`, `"float"`, float64(7), nil},
	{"float to long is not promotion", `"float"`, `"long"`, float32(7), nil},
	{"boolean to int is not promotion", `"boolean"`, `"int"`, true, nil},
	{"string to int is not promotion", `"string"`, `"int"`, "7", nil},
	{"null to string is not promotion", `"null"`, `"string"`, nil, nil},

	{"fields in another order", record(field("a", `"int"`), field("b", `"string"`)), record(field("b", `"string"`), field("a", `"int"`)), m("a", int32(1), "b", "x"), m("a", int32(1), "b", "x")},
	{"a field of the writer alone is ignored", record(field("a", `"int"`), field("b", `{"type":"array","items":"string"}`)), record(field("a", `"int"`)), m("a", int32(1), "b", []any{"x"}), m("a", int32(1))},
	{"a field of the reader alone has its default", record(field("a", `"int"`)), record(field("a", `"int"`), field("b", `"string"`, `,"default":"d"`)), m("a", int32(1)), m("a", int32(1), "b", "d")},
	{"a field of the reader alone without default", record(field("a", `"int"`)), record(field("a", `"int"`), field("b", `"string"`)), m("a", int32(1)), nil},
	{"a default of a record", record(), record(field("b", `{"type":"record","name":"B","fields":[{"name":"x","type":"int"}]}`, `,"default":{"x":3}`)), m(), m("b", m("x", int32(3)))},
	{"a default of every type", record(), record(field("null", `"null"`, `,"default":null`), field("boolean", `"boolean"`, `,"default":true`), field("int", `"int"`, `,"default":-1`),
		field("long", `"long"`, `,"default":5000000000`), field("float", `"float"`, `,"default":1.5`), field("double", `"double"`, `,"default":-2.5`),
		field("bytes", `"bytes"`, `,"default":"\u00ff\u0000"`), field("string", `"string"`, `,"default":"é"`), field("array", `{"type":"array","items":"int"}`, `,"default":[1,2]`),
		field("map", `{"type":"map","values":"long"}`, `,"default":{"k":3}`), field("enum", enum("", "A", "B"), `,"default":"B"`),
		field("fixed", `{"type":"fixed","name":"F","size":2}`, `,"default":"\u0001\u00fe"`), field("union", `["string","null"]`, `,"default":"s"`)), m(),
		m("null", nil, "boolean", true, "int", int32(-1), "long", int64(5000000000), "float", float32(1.5), "double", -2.5, "bytes", []byte{255, 0}, "string", "é",
			"array", []any{int32(1), int32(2)}, "map", m("k", int64(3)), "enum", "B", "fixed", []byte{1, 254}, "union", m("string", "s"))},
	{"a default of a union is of its first branch", record(), record(field("b", `["null","string"]`, `,"default":null`)), m(), m("b", nil)},
	{"a field by its alias", record(field("old", `"int"`)), record(field("new", `"long"`, `,"aliases":["old"]`)), m("old", int32(1)), m("new", int64(1))},
	{"a record by its alias", `{"type":"record","name":"Old","fields":[{"name":"a","type":"int"}]}`, `{"type":"record","name":"New","aliases":["Old"],"fields":[{"name":"a","type":"int"}]}`, m("a", int32(1)), m("a", int32(1))},
	{"a record of another name", record(field("a", `{"type":"record","name":"X","fields":[]}`)), record(field("a", `{"type":"record","name":"Y","fields":[]}`)), m("a", m()), nil},
	{"a field is promoted", record(field("a", `"int"`)), record(field("a", `"double"`)), m("a", int32(1)), m("a", float64(1))},
	{"a recursive record", `{"type":"record","name":"L","fields":[{"name":"next","type":["null","L"]}]}`, `{"type":"record","name":"L","fields":[{"name":"next","type":["null","L"]},{"name":"n","type":"int","default":1}]}`,
		m("next", m("L", m("next", nil))), m("next", m("L", m("next", nil, "n", int32(1))), "n", int32(1))},

	{"a symbol that both have", enum("", "A", "B"), enum("", "B", "C"), "B", "B"},
	{"a symbol of the writer alone becomes the reader's default", enum("", "A", "B"), enum(`,"default":"C"`, "B", "C"), "A", "C"},
	{"an enum by its unqualified name", `{"type":"enum","name":"a.E","symbols":["A"]}`, `{"type":"enum","name":"b.E","symbols":["A"]}`, "A", "A"},
	{"an enum of another name", `{"type":"enum","name":"E","symbols":["A"]}`, `{"type":"enum","name":"F","symbols":["A"]}`, "A", nil},

	{"an enum by its alias", `{"type":"enum","name":"Old","symbols":["A"]}`, `{"type":"enum","name":"New","aliases":["Old"],"symbols":["A"]}`, "A", "A"},
	{"an alias with a namespace", `{"type":"enum","name":"a.Old","symbols":["A"]}`, `{"type":"enum","name":"b.New","aliases":["a.Old"],"symbols":["A"]}`, "A", "A"},
	{"a fixed by its alias", `{"type":"fixed","name":"Old","size":1}`, `{"type":"fixed","name":"New","aliases":["Old"],"size":1}`, []byte{7}, []byte{7}},
	{"a record in a union by its alias", `["null",{"type":"record","name":"Old","fields":[]}]`, `["null",{"type":"record","name":"New","aliases":["Old"],"fields":[]}]`, m("Old", m()), m("New", m())},
	{"a field inside items is added", `{"type":"array","items":` + record(field("a", `"int"`)) + `}`, `{"type":"array","items":` + record(field("b", `"int"`, `,"default":9`), field("a", `"long"`)) + `}`,
		[]any{m("a", int32(1))}, []any{m("b", int32(9), "a", int64(1))}},
	{"a dropped field that holds a record is skipped", record(field("gone", `{"type":"record","name":"G","fields":[{"name":"x","type":{"type":"map","values":"bytes"}}]}`), field("a", `"int"`)),
		record(field("a", `"int"`)), m("gone", m("x", m("k", []byte("v"))), "a", int32(1)), m("a", int32(1))},
	{"items are resolved", `{"type":"array","items":"int"}`, `{"type":"array","items":"long"}`, []any{int32(1), int32(2)}, []any{int64(1), int64(2)}},
	{"items that do not resolve", `{"type":"array","items":"string"}`, `{"type":"array","items":"long"}`, []any{"x"}, nil},
	{"values are resolved", `{"type":"map","values":"int"}`, `{"type":"map","values":"long"}`, m("k", int32(1)), m("k", int64(1))},
	{"an array is no map", `{"type":"array","items":"int"}`, `{"type":"map","values":"int"}`, []any{}, nil},
	{"fixed of one size", `{"type":"fixed","name":"F","size":2}`, `{"type":"fixed","name":"F","size":2}`, []byte{1, 2}, []byte{1, 2}},
	{"fixed of another size", `{"type":"fixed","name":"F","size":2}`, `{"type":"fixed","name":"F","size":3}`, []byte{1, 2}, nil},
	{"fixed of another name", `{"type":"fixed","name":"F","size":2}`, `{"type":"fixed","name":"G","size":2}`, []byte{1, 2}, nil},

	{"both unions", `["null","int"]`, `["string","null","long"]`, m("int", int32(1)), m("long", int64(1))},
	{"the reader's union, first that matches", `"int"`, `["string","long","double"]`, int32(1), m("long", int64(1))},
	{"the reader's union matches nothing", `"boolean"`, `["string","long"]`, true, nil},
	{"the writer's union, its branch matches", `["null","int"]`, `"long"`, m("int", int32(1)), int64(1)},
	{"a union of records by name", `[{"type":"record","name":"A","fields":[]},{"type":"record","name":"B","fields":[]}]`, `[{"type":"record","name":"B","fields":[]},{"type":"record","name":"A","fields":[]}]`, m("A", m()), m("A", m())},

	{"a decimal of the same precision and scale", `{"type":"bytes","logicalType":"decimal","precision":6,"scale":2}`, `{"type":"bytes","logicalType":"decimal","precision":6,"scale":2}`, big.NewRat(5, 4), big.NewRat(5, 4)},
	{"a decimal of another scale", `{"type":"bytes","logicalType":"decimal","precision":6,"scale":2}`, `{"type":"bytes","logicalType":"decimal","precision":6,"scale":3}`, big.NewRat(5, 4), nil},
	{"a timestamp read as a long", `{"type":"long","logicalType":"timestamp-millis"}`, `"long"`, at, at.UnixMilli()},
	{"a long read as a timestamp", `"long"`, `{"type":"long","logicalType":"timestamp-millis"}`, at.UnixMilli(), at},
	{"a local timestamp", `{"type":"long","logicalType":"local-timestamp-micros"}`, `{"type":"long","logicalType":"local-timestamp-micros"}`, at, at},
	{"a date", `{"type":"int","logicalType":"date"}`, `{"type":"int","logicalType":"date"}`, time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC), time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)},
	{"a time of day", `{"type":"int","logicalType":"time-millis"}`, `{"type":"int","logicalType":"time-millis"}`, time.Hour, time.Hour},
	{"a duration", `{"type":"fixed","name":"D","size":12,"logicalType":"duration"}`, `{"type":"fixed","name":"D","size":12,"logicalType":"duration"}`, twmb.Duration{Months: 1, Days: 2, Milliseconds: 3}, twmb.Duration{Months: 1, Days: 2, Milliseconds: 3}},
	{"a UUID", `{"type":"string","logicalType":"uuid"}`, `"string"`, "0190a5d8-0000-7000-8000-000000000001", "0190a5d8-0000-7000-8000-000000000001"},
}

// TestResolutionIsTheSpecifications writes with one schema and reads with the other.
func TestResolutionIsTheSpecifications(t *testing.T) {
	r := brokertest.New(t).SDK().Registry
	for i, test := range resolutions {
		subject := registry.Fixed(fmt.Sprintf("writer-%d", i))
		w := bind(t, avro.Generic(avro.Text(test.writer), avro.Registry(registry.AutoRegister(), registry.SubjectBy(subject))), r)
		raw, err := w.Append(t.Context(), nil, test.write, new(serde.Headers))
		if err != nil {
			t.Errorf("%s: write: %v", test.rule, err)
			continue
		}
		got, err := bind(t, avro.Generic(avro.Text(test.reader)), r).Decode(t.Context(), raw, nil)
		switch {
		case test.want == nil && err == nil:
			t.Errorf("%s: read as %v, want an error", test.rule, got)
		case test.want != nil && err != nil:
			t.Errorf("%s: %v", test.rule, err)
		case test.want != nil && !same(got, test.want):
			t.Errorf("%s: read as %#v, want %#v", test.rule, got, test.want)
		}
	}
}

// TestNoPrimitiveIsPromotedButThoseOfTheSpecification has every pair.
func TestNoPrimitiveIsPromotedButThoseOfTheSpecification(t *testing.T) {
	promoted := map[string]string{"int": "long float double", "long": "float double", "float": "double", "string": "bytes", "bytes": "string"}
	values := map[string]any{"null": nil, "boolean": true, "int": int32(7), "long": int64(7), "float": float32(7), "double": 7.0, "bytes": []byte("7"), "string": "7"}
	r := brokertest.New(t).SDK().Registry
	for from, v := range values {
		w := bind(t, avro.Generic(avro.Text(strconv.Quote(from)), avro.Registry(registry.AutoRegister(), registry.SubjectBy(registry.Fixed(from)))), r)
		raw, err := w.Append(t.Context(), nil, v, new(serde.Headers))
		if err != nil {
			t.Fatal(err)
		}
		for to, like := range values {
			got, err := bind(t, avro.Generic(avro.Text(strconv.Quote(to))), r).Decode(t.Context(), raw, nil)
			if want := from == to || slices.Contains(strings.Fields(promoted[from]), to); (err == nil) != want || want && reflect.TypeOf(got) != reflect.TypeOf(like) {
				t.Errorf("%s read as %s: %T %v, %v", from, to, got, got, err)
			}
		}
	}
}

// TestResolutionFailsForTheValueWhereItDependsOnTheValue has the rules that the specification leaves to the moment of reading.
func TestResolutionFailsForTheValueWhereItDependsOnTheValue(t *testing.T) {
	r := brokertest.New(t).SDK().Registry
	for rule, test := range map[string]struct{ writer, reader, good, bad any }{
		"the writer's union, a branch does not match": {`["null","int"]`, `"long"`, m("int", int32(1)), nil},
		"a symbol that the reader has not":            {enum("", "A", "B"), enum("", "B"), "B", "A"},
	} {
		w := bind(t, avro.Generic(avro.Text(test.writer.(string)), avro.Registry(registry.AutoRegister(), registry.SubjectBy(registry.Fixed(rule)))), r)
		read := bind(t, avro.Generic(avro.Text(test.reader.(string))), r)
		for _, v := range []any{test.good, test.bad} {
			raw, err := w.Append(t.Context(), nil, v, new(serde.Headers))
			if err != nil {
				t.Fatalf("%s: %v", rule, err)
			}
			if _, err := read.Decode(t.Context(), raw, nil); (err == nil) != reflect.DeepEqual(v, test.good) {
				t.Errorf("%s: %v: %v", rule, v, err)
			}
		}
	}
}

// same compares values, decimals by their worth.
func same(a, b any) bool {
	x, ok1 := a.(*big.Rat)
	y, ok2 := b.(*big.Rat)
	if ok1 && ok2 {
		return x.Cmp(y) == 0
	}
	return reflect.DeepEqual(a, b)
}

func TestReferencesAreRegisteredAndResolved(t *testing.T) {
	r := brokertest.New(t).SDK().Registry
	const money = `{"type":"record","name":"shop.Money","fields":[{"name":"cents","type":"long"}]}`
	const line = `{"type":"record","name":"shop.Line","fields":[{"name":"price","type":"shop.Money"}]}`
	type moneyT struct {
		Cents int64 `avro:"cents"`
	}
	type lineT struct {
		Price moneyT `avro:"price"`
	}
	type bill struct {
		Lines []lineT `avro:"lines"`
	}
	s := avro.Serde[bill](avro.Reference("shop.Money", "money", 1, money), avro.Reference("shop.Line", "line", 1, line),
		avro.Text(`{"type":"record","name":"shop.Bill","fields":[{"name":"lines","type":{"type":"array","items":"shop.Line"}}]}`))
	registered, err := registry.Register(t.Context(), r, "bills", serde.Value, s)
	if err != nil {
		t.Fatal(err)
	}
	if len(registered.Imports) != 2 || registered.Imports[0].Name != "shop.Money" {
		t.Errorf("imports %+v", registered.Imports)
	}
	c, err := s.Bind(serde.Binding{Topic: "bills", Registry: r})
	if err != nil {
		t.Fatal(err)
	}
	want := bill{[]lineT{{moneyT{7}}}}
	raw, err := c.Append(t.Context(), nil, want, new(serde.Headers))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := c.Decode(t.Context(), raw, nil); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v: %v", got, err)
	}
	for _, sub := range []string{"money", "line"} {
		if refs := registered.References; len(refs) != 1 || refs[0] != (sr.SchemaReference{Name: "shop.Line", Subject: "line", Version: 1}) {
			t.Errorf("%s: references %+v", sub, refs)
		}
	}
}

func TestNestedValuesResolveOneByOne(t *testing.T) {
	r := brokertest.New(t).SDK().Registry
	writer := record(field("list", `{"type":"array","items":["null","int","string"]}`), field("kind", enum("", "A", "B")), field("at", `{"type":"long","logicalType":"timestamp-millis"}`),
		field("next", `["null","R"]`))
	reader := record(field("list", `{"type":"array","items":["string","long"]}`), field("kind", enum("", "A")), field("at", `{"type":"long","logicalType":"timestamp-millis"}`),
		field("next", `["null","R"]`))
	w := bind(t, avro.Generic(avro.Text(writer), avro.Registry(registry.AutoRegister())), r)
	read := bind(t, avro.Generic(avro.Text(reader)), r)
	leaf := func(kind string, list ...any) map[string]any {
		return m("list", list, "kind", kind, "at", at, "next", nil)
	}
	nested := leaf("A", m("string", "x"), m("int", int32(1)))
	nested["next"] = m("R", leaf("A"))
	want := leaf("A", m("string", "x"), m("long", int64(1)))
	want["next"] = m("R", leaf("A"))
	want["next"].(map[string]any)["R"].(map[string]any)["list"] = []any{}
	bad := leaf("A")
	bad["next"] = m("R", leaf("B"))
	for name, test := range map[string]struct{ v, want any }{
		"all resolve":            {nested, want},
		"a null among the items": {leaf("A", nil), nil},
		"a symbol deep inside":   {bad, nil},
	} {
		raw, err := w.Append(t.Context(), nil, test.v, new(serde.Headers))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		got, err := read.Decode(t.Context(), raw, nil)
		if (err == nil) != (test.want != nil) || err == nil && !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}
