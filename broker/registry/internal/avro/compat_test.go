package avro

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
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
	enumAB = `{"type":"enum","name":"E","symbols":["A","B"]}`
	list   = `{"type":"record","name":"L","fields":[{"name":"next","type":["null","L"]},{"name":"v","type":"int"}]}`
)

// TestResolutionIsTheSpecifications holds the rules of "Schema Resolution" in the Avro 1.12 specification, and where that leaves something open those of
// the Java implementation's SchemaCompatibility.
func TestResolutionIsTheSpecifications(t *testing.T) {
	forEachChange(t, "avro.jsonl", func(t *testing.T, writer, reader, want string) {
		var got []string
		for _, p := range parse(t, reader).Read(parse(t, writer)) {
			got = append(got, p.Type+" "+p.Path)
			if e := p.Explain("new", "old"); strings.Contains(e, "%!") {
				t.Errorf("explanation %s", e)
			}
		}
		if have := strings.Join(got, ", "); have != want {
			t.Errorf("got %q, want %q", have, want)
		}
	})
}

// forEachChange reads the table that the integration tests put to a real registry as well.
func forEachChange(t *testing.T, name string, judge func(t *testing.T, writer, reader, want string)) {
	t.Helper()
	b, err := os.ReadFile("../../testdata/changes/" + name)
	if err != nil {
		t.Fatal(err)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	for d.More() {
		var c struct{ Change, Want, Writer, Reader string }
		if err := d.Decode(&c); err != nil {
			t.Fatal(err)
		}
		t.Run(c.Change, func(t *testing.T) { judge(t, c.Writer, c.Reader, c.Want) })
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
