package jsonschema

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"
)

// TestChangesAreJudgedAsConfluentDoes holds the rules of Confluent's registry for JSON schemas: what its documentation ("JSON Schema compatibility rules")
// and io.confluent.kafka.schemaregistry.json.diff say of each change.
func TestChangesAreJudgedAsConfluentDoes(t *testing.T) {
	forEachChange(t, "json.jsonl", func(t *testing.T, writer, reader, want string) { judge(t, writer, reader, want, false) })
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

func TestTheLenientPolicyAllowsWhatOpenObjectsCannotBreakInPractice(t *testing.T) {
	judge(t, obj(`"a":{}`, ``), obj(`"a":{},"b":{"type":"string"}`, ``), "", true)
	judge(t, obj(`"a":{},"b":{"type":"string"}`, closed), obj(`"a":{}`, closed), "", true)
	judge(t, obj(`"a":{}`, ``), obj(`"a":{}`, closed), "", true)
	judge(t, obj(`"a":{"type":"string"}`, ``), obj(`"a":{"type":"integer"}`, ``), "TYPE_CHANGED #/properties/a", true)
}

const closed = `,"additionalProperties":false`

func obj(properties, more string) string {
	return `{"type":"object","properties":{` + properties + `}` + more + `}`
}

func linked(v string) string {
	return `{"type":"object","properties":{"v":{"type":"` + v + `"},"next":{"$ref":"#"}},"additionalProperties":false}`
}

func judge(t *testing.T, writer, reader, want string, lenientPolicy bool) {
	t.Helper()
	var got []string
	for _, p := range parse(t, reader).Read(parse(t, writer), lenientPolicy) {
		got = append(got, p.Type+" "+p.Path)
		if e := p.Explain("new", "old"); strings.Contains(e, "%!") || strings.HasPrefix(e, " at") {
			t.Errorf("explanation of %s: %s", p.Type, e)
		}
	}
	if have := strings.Join(got, ", "); have != want {
		t.Errorf("%s to %s:\n got %q\nwant %q", writer, reader, have, want)
	}
}

func parse(t *testing.T, text string, refs ...Reference) *Schema {
	t.Helper()
	s, err := Parse(text, refs)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return s
}
