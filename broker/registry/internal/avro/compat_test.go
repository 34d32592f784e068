package avro

import (
	"fmt"
	"strings"
	"testing"
)

// rec makes a record R of fields.
func rec(fields ...string) string {
	return `{"type":"record","name":"R","fields":[` + strings.Join(fields, ",") + `]}`
}

func fld(name, typ string, more ...string) string {
	return `{"name":"` + name + `","type":` + typ + strings.Join(more, "") + `}`
}

const (
	enumAB  = `{"type":"enum","name":"E","symbols":["A","B"]}`
	enumABC = `{"type":"enum","name":"E","symbols":["A","B","C"]}`
	fixed4  = `{"type":"fixed","name":"F","size":4}`
	list    = `{"type":"record","name":"L","fields":[{"name":"next","type":["null","L"]},{"name":"v","type":"int"}]}`
)

// TestResolutionIsTheSpecifications holds the rules of "Schema Resolution" in the Avro 1.12 specification, and where that leaves something open those of
// the Java implementation's SchemaCompatibility.
func TestResolutionIsTheSpecifications(t *testing.T) {
	for _, c := range []struct {
		rule, writer, reader string
		want                 string // problems, "" for compatible
	}{
		{"the same primitive", `"int"`, `"int"`, ""},
		{"int is promoted to long", `"int"`, `"long"`, ""},
		{"int is promoted to float", `"int"`, `"float"`, ""},
		{"int is promoted to double", `"int"`, `"double"`, ""},
		{"long is promoted to float", `"long"`, `"float"`, ""},
		{"long is promoted to double", `"long"`, `"double"`, ""},
		{"float is promoted to double", `"float"`, `"double"`, ""},
		{"string is promoted to bytes", `"string"`, `"bytes"`, ""},
		{"bytes are promoted to string", `"bytes"`, `"string"`, ""},
		{"long is not promoted to int", `"long"`, `"int"`, "TYPE_MISMATCH /"},
		{"double is not promoted to float", `"double"`, `"float"`, "TYPE_MISMATCH /"},
		{"float is not promoted to long", `"float"`, `"long"`, "TYPE_MISMATCH /"},
		{"string is not a number", `"string"`, `"int"`, "TYPE_MISMATCH /"},
		{"boolean is not a number", `"boolean"`, `"int"`, "TYPE_MISMATCH /"},
		{"null is only null", `"null"`, `"string"`, "TYPE_MISMATCH /"},
		{"logical types do not matter", `{"type":"int","logicalType":"date"}`, `"int"`, ""},

		{"arrays by their items", `{"type":"array","items":"int"}`, `{"type":"array","items":"long"}`, ""},
		{"items that do not fit", `{"type":"array","items":"long"}`, `{"type":"array","items":"int"}`, "TYPE_MISMATCH /items"},
		{"maps by their values", `{"type":"map","values":"int"}`, `{"type":"map","values":"double"}`, ""},
		{"values that do not fit", `{"type":"map","values":"string"}`, `{"type":"map","values":"int"}`, "TYPE_MISMATCH /values"},
		{"an array is no map", `{"type":"array","items":"int"}`, `{"type":"map","values":"int"}`, "TYPE_MISMATCH /"},

		{"enums with the same symbols", enumAB, enumAB, ""},
		{"a reader with more symbols", enumAB, enumABC, ""},
		{"a reader with fewer symbols", enumABC, enumAB, "MISSING_ENUM_SYMBOLS /symbols"},
		{"a reader with fewer symbols and a default", enumABC, `{"type":"enum","name":"E","symbols":["A","B"],"default":"A"}`, ""},
		{"enums by name", enumAB, `{"type":"enum","name":"G","symbols":["A","B"]}`, "NAME_MISMATCH /name"},
		{"enums by alias", enumAB, `{"type":"enum","name":"G","aliases":["E"],"symbols":["A","B"]}`, ""},

		{"fixed of one size", fixed4, fixed4, ""},
		{"fixed of another size", fixed4, `{"type":"fixed","name":"F","size":8}`, "FIXED_SIZE_MISMATCH /size"},
		{"fixed by name", fixed4, `{"type":"fixed","name":"G","size":4}`, "NAME_MISMATCH /name"},

		{"fields by name, not by order", rec(fld("a", `"int"`), fld("b", `"string"`)), rec(fld("b", `"string"`), fld("a", `"long"`)), ""},
		{"a writer's field that the reader lacks", rec(fld("a", `"int"`), fld("b", `"int"`)), rec(fld("a", `"int"`)), ""},
		{"a reader's field with a default", rec(), rec(fld("a", `"int"`, `,"default":1`)), ""},
		{"a reader's field whose default is null", rec(), rec(fld("a", `["null","int"]`, `,"default":null`)), ""},
		{"a reader's field without a default", rec(), rec(fld("a", `"int"`)), "READER_FIELD_MISSING_DEFAULT_VALUE /fields/0"},
		{"an optional field without a default", rec(), rec(fld("a", `["null","int"]`)), "READER_FIELD_MISSING_DEFAULT_VALUE /fields/0"},
		{"a field by its alias", rec(fld("old", `"int"`)), rec(fld("new", `"int"`, `,"aliases":["old"]`)), ""},
		{"a field's type", rec(fld("a", `"string"`)), rec(fld("a", `"int"`)), "TYPE_MISMATCH /fields/0/type"},
		{"records by name", rec(), `{"type":"record","name":"S","fields":[]}`, "NAME_MISMATCH /name"},
		{"records by name without the namespace", rec(), `{"type":"record","name":"a.R","fields":[]}`, ""},
		{"records by alias", `{"type":"record","name":"a.R","fields":[]}`, `{"type":"record","name":"S","aliases":["a.R"],"fields":[]}`, ""},
		{"two problems at once", rec(fld("a", `"string"`)), rec(fld("a", `"int"`), fld("b", `"int"`)), "TYPE_MISMATCH /fields/0/type, READER_FIELD_MISSING_DEFAULT_VALUE /fields/1"},
		{"records that hold themselves", list, list, ""},
		{"a change within a record that holds itself", list, strings.Replace(list, `"int"`, `"long"`, 1), ""},
		{"a break within a record that holds itself", list, strings.Replace(list, `"int"`, `"string"`, 1), "TYPE_MISMATCH /fields/1/type"},

		{"a union takes what one of its branches takes", `"int"`, `["null","long"]`, ""},
		{"a union without a fitting branch", `"string"`, `["null","int"]`, "MISSING_UNION_BRANCH /"},
		{"every branch that was written has to be taken", `["null","int"]`, `"int"`, "TYPE_MISMATCH /"},
		{"a union of one branch", `["int"]`, `"long"`, ""},
		{"a union in another order", `["null","int"]`, `["long","null"]`, ""},
		{"a union that has grown", `["null","int"]`, `["null","int","string"]`, ""},
		{"a union that has shrunk", `["null","int","string"]`, `["null","int"]`, "MISSING_UNION_BRANCH /2"},
		{"records in unions", `["null",` + rec(fld("a", `"int"`)) + `]`, `["null",` + rec() + `]`, ""},
	} {
		t.Run(c.rule, func(t *testing.T) {
			w, r := parse(t, c.writer), parse(t, c.reader)
			var got []string
			for _, p := range r.Read(w) {
				got = append(got, p.Type+" "+p.Path)
			}
			if have := strings.Join(got, ", "); have != c.want {
				t.Errorf("got %q, want %q", have, c.want)
			}
		})
	}
}

func parse(t *testing.T, text string, refs ...string) *Schema {
	t.Helper()
	s, err := Parse(text, refs, Options{Strict: true})
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return s
}

func TestComparingHostileSchemasEnds(t *testing.T) {
	var branches []string
	for i := range 3000 {
		branches = append(branches, fmt.Sprintf(`{"type":"record","name":"R%d","fields":[]}`, i))
	}
	wide := parse(t, "["+strings.Join(branches, ",")+"]")
	if ps := wide.Read(wide); len(ps) == 0 {
		t.Error("9 million pairs have been compared")
	}
	// Each record holds the next one twice, so that there are 2^30 ways to the last.
	nest := func(leaf string) string {
		s := leaf
		for i := range 30 {
			s = fmt.Sprintf(`{"type":"record","name":"N%d","fields":[{"name":"a","type":%s},{"name":"b","type":%s}]}`, i, s, second(s, i))
		}
		return s
	}
	if ps := parse(t, nest(`"string"`)).Read(parse(t, nest(`"int"`))); len(ps) == 0 || len(ps) > maxProblems {
		t.Errorf("%d problems", len(ps))
	}
}

// second names the record that has been declared.
func second(s string, i int) string {
	if i == 0 {
		return s
	}
	return fmt.Sprintf(`"N%d"`, i-1)
}
