package protobuf

import (
	"strings"
	"testing"
)

const head = "syntax = \"proto3\";\npackage p;\n"

// TestChangesAreJudgedAsConfluentDoes holds the rules of Confluent's registry for Protobuf: what its documentation ("Schema Evolution and Compatibility",
// table of Protobuf changes) and io.confluent.kafka.schemaregistry.protobuf.diff say of each change.
func TestChangesAreJudgedAsConfluentDoes(t *testing.T) {
	for _, c := range []struct {
		change, writer, reader string
		want                   string // problems, "" for compatible
	}{
		{"nothing", "message M { int32 a = 1; }", "message M { int32 a = 1; }", ""},
		{"a field is added", "message M {}", "message M { int32 a = 1; }", ""},
		{"a field is removed", "message M { int32 a = 1; }", "message M {}", ""},
		{"a field is renamed", "message M { int32 a = 1; }", "message M { int32 b = 1; }", ""},
		{"a message is added", "message M {}", "message M {} message N {}", ""},
		{"a message is removed", "message M {} message N {}", "message M {}", "MESSAGE_REMOVED #/N"},
		{"a nested message is removed", "message M { message N {} }", "message M {}", "MESSAGE_REMOVED #/M/N"},
		{"messages change places", "message M {} message N {}", "message N {} message M {}", ""},
		{"an enum is added", "message M {}", "message M {} enum E { A = 0; }", ""},
		{"an enum is removed", "message M {} enum E { A = 0; }", "message M {}", ""},
		{"values of an enum come, go and change", "enum E { A = 0; B = 1; C = 2; }", "enum E { A = 0; X = 1; D = 3; }", ""},

		{"int32 to int64", "message M { int32 a = 1; }", "message M { int64 a = 1; }", ""},
		{"int32 to bool", "message M { int32 a = 1; }", "message M { bool a = 1; }", ""},
		{"int32 to an enum", "message M { int32 a = 1; } enum E { A = 0; }", "message M { E a = 1; } enum E { A = 0; }", ""},
		{"int32 to sint32", "message M { int32 a = 1; }", "message M { sint32 a = 1; }", "FIELD_SCALAR_KIND_CHANGED #/M/1"},
		{"sint32 to sint64", "message M { sint32 a = 1; }", "message M { sint64 a = 1; }", ""},
		{"string to bytes", "message M { string a = 1; }", "message M { bytes a = 1; }", ""},
		{"string to int32", "message M { string a = 1; }", "message M { int32 a = 1; }", "FIELD_SCALAR_KIND_CHANGED #/M/1"},
		{"fixed32 to sfixed32", "message M { fixed32 a = 1; }", "message M { sfixed32 a = 1; }", ""},
		{"fixed32 to fixed64", "message M { fixed32 a = 1; }", "message M { fixed64 a = 1; }", "FIELD_SCALAR_KIND_CHANGED #/M/1"},
		{"float to double", "message M { float a = 1; }", "message M { double a = 1; }", "FIELD_SCALAR_KIND_CHANGED #/M/1"},
		{"a scalar to a message", "message M { int32 a = 1; } message N {}", "message M { N a = 1; } message N {}", "FIELD_KIND_CHANGED #/M/1"},
		{"a message to another", "message M { N a = 1; } message N {} message O {}", "message M { O a = 1; } message N {} message O {}", "FIELD_NAMED_TYPE_CHANGED #/M/1"},
		{"a type by its short and its full name", "message M { N a = 1; } message N {}", "message M { .p.N a = 1; } message N {}", ""},
		{"a map to a message", "message M { map<string, int32> a = 1; } message N {}", "message M { N a = 1; } message N {}", "FIELD_KIND_CHANGED #/M/1"},
		{"a map's value", "message M { map<string, int32> a = 1; }", "message M { map<string, string> a = 1; }", "FIELD_SCALAR_KIND_CHANGED #/M/1"},
		{"a map's key", "message M { map<string, int32> a = 1; }", "message M { map<int32, int32> a = 1; }", "FIELD_SCALAR_KIND_CHANGED #/M/1"},
		{"a map and the message that stands for it", "message M { map<string, int32> a = 1; }",
			"message M { repeated AEntry a = 1; message AEntry { option map_entry = true; string key = 1; int32 value = 2; } }", ""},
		{"a well-known type", `import "google/protobuf/timestamp.proto"; message M { google.protobuf.Timestamp a = 1; }`,
			`import "google/protobuf/duration.proto"; message M { google.protobuf.Duration a = 1; }`, "FIELD_NAMED_TYPE_CHANGED #/M/1"},

		{"a number becomes repeated", "message M { optional int32 a = 1; }", "message M { repeated int32 a = 1; }", "FIELD_NUMERIC_LABEL_CHANGED #/M/1"},
		{"a string becomes repeated", "message M { optional string a = 1; }", "message M { repeated string a = 1; }", ""},
		{"a number that had no label becomes repeated", "message M { int32 a = 1; }", "message M { repeated int32 a = 1; }", ""},
		{"a message becomes repeated", "message M { optional N a = 1; } message N {}", "message M { repeated N a = 1; } message N {}", ""},

		{"a oneof is added with new fields", "message M {}", "message M { oneof o { int32 a = 1; string b = 2; } }", ""},
		{"a oneof is removed with its fields", "message M { oneof o { int32 a = 1; } }", "message M {}", ""},
		{"a oneof is removed with some of its fields", "message M { oneof o { int32 a = 1; int32 b = 2; } }", "message M { int32 a = 1; }", "ONEOF_FIELD_REMOVED #/M/o/2"},
		{"a field is added to a oneof", "message M { oneof o { int32 a = 1; } }", "message M { oneof o { int32 a = 1; int32 b = 2; } }", ""},
		{"a field is removed from a oneof", "message M { oneof o { int32 a = 1; int32 b = 2; } }", "message M { oneof o { int32 a = 1; } }", "ONEOF_FIELD_REMOVED #/M/o/2"},
		{"a field moves out of a oneof", "message M { oneof o { int32 a = 1; int32 b = 2; } }", "message M { oneof o { int32 a = 1; } int32 b = 2; }", ""},
		{"a field moves into a new oneof", "message M { int32 a = 1; }", "message M { oneof o { int32 a = 1; } }", ""},
		{"two fields move into a new oneof", "message M { int32 a = 1; int32 b = 2; }", "message M { oneof o { int32 a = 1; int32 b = 2; } }", "MULTIPLE_FIELDS_MOVED_TO_ONEOF #/M/o"},
		{"a field moves into a oneof that was there", "message M { oneof o { int32 a = 1; } int32 b = 2; }", "message M { oneof o { int32 a = 1; int32 b = 2; } }",
			"FIELD_MOVED_TO_EXISTING_ONEOF #/M/o"},
		{"a type within a oneof", "message M { oneof o { int32 a = 1; } }", "message M { oneof o { string a = 1; } }", "FIELD_SCALAR_KIND_CHANGED #/M/o/1"},
		{"two oneofs become one", "message M { oneof o { int32 a = 1; } oneof q { int32 b = 2; } }", "message M { oneof o { int32 a = 1; int32 b = 2; } }",
			"FIELD_MOVED_TO_EXISTING_ONEOF #/M/o"},
	} {
		t.Run(c.change, func(t *testing.T) { judge(t, head+c.writer, head+c.reader, c.want) })
	}
	t.Run("another package", func(t *testing.T) {
		judge(t, "package a; message M {}", "package b; message M {}", "PACKAGE_CHANGED #/")
	})
	t.Run("a required field is added", func(t *testing.T) {
		judge(t, "message M {}", "message M { required int32 a = 1; }", "REQUIRED_FIELD_ADDED #/M/1")
	})
	t.Run("a required field is removed", func(t *testing.T) {
		judge(t, "message M { required int32 a = 1; }", "message M {}", "REQUIRED_FIELD_REMOVED #/M/1")
	})
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
