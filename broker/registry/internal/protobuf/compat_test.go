package protobuf

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"
)

const head = "syntax = \"proto3\";\npackage p;\n"

// TestChangesAreJudgedAsConfluentDoes holds the rules of Confluent's registry for Protobuf: what its documentation ("Schema Evolution and Compatibility",
// table of Protobuf changes) and io.confluent.kafka.schemaregistry.protobuf.diff say of each change.
func TestChangesAreJudgedAsConfluentDoes(t *testing.T) {
	forEachChange(t, "protobuf.jsonl", func(t *testing.T, writer, reader, want string) { judge(t, writer, reader, want) })
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

func TestReferencedMessagesAreComparedByWhatTheyHold(t *testing.T) {
	main := head + `import "n.proto"; message M { N a = 1; }`
	ref := func(fields string) Reference { return Reference{"n.proto", head + "message N {" + fields + "}"} }
	judge(t, main, main, "", ref("int32 x = 1;"), ref("int32 x = 1; int32 y = 2;"))
	judge(t, main, main, "FIELD_SCALAR_KIND_CHANGED #/N/1, FIELD_NAMED_TYPE_CHANGED #/M/1", ref("int32 x = 1;"), ref("string x = 1;"))
	// The message has moved from the schema into a file of its own.
	local := head + "message M { N a = 1; } message N { int32 x = 1; }"
	judge(t, local, main, "MESSAGE_REMOVED #/N", Reference{"n.proto", head}, ref("int32 x = 1;"))
	// Messages that hold each other do not run in a circle.
	ring := ref("N n = 1; int32 x = 2;")
	judge(t, main, main, "", ring, ring)
}

func judge(t *testing.T, writer, reader, want string, refs ...Reference) {
	t.Helper()
	old, updated := refs, refs
	if len(refs) == 2 {
		old, updated = refs[:1], refs[1:]
	}
	var got []string
	for _, p := range parse(t, reader, updated...).Read(parse(t, writer, old...)) {
		got = append(got, p.Type+" "+p.Path)
		if e := p.Explain("new", "old"); strings.Contains(e, "%!") {
			t.Errorf("explanation %s", e)
		}
	}
	if have := strings.Join(got, ", "); have != want {
		t.Errorf("got %q, want %q", have, want)
	}
}

func parse(t *testing.T, text string, refs ...Reference) *Schema {
	t.Helper()
	s, err := Parse(text, refs, Options{Strict: true})
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return s
}
