package registry

import (
	"fmt"
	"strings"
	"testing"
)

// versions are three versions of a schema, and the levels under which the third may be registered.
type versions struct {
	name    string
	typ     string
	schemas [3]string
	takes   string // levels, separated by blanks
	departs string // why Apicurio takes it at none of them but NONE; empty where it agrees
}

const always = "NONE"

func histories() []versions {
	avro := func(fields string) string { return `{"type":"record","name":"r","fields":[` + fields + `]}` }
	object := func(typ string) string {
		return `{"type":"object","properties":{"a":{"type":"` + typ + `"}},"additionalProperties":false}`
	}
	message := func(typ string) string { return "syntax = \"proto3\";\nmessage M {\n  " + typ + " a = 1;\n}\n" }
	return []versions{
		{"widened, was another type", "AVRO", [3]string{avro(`{"name":"a","type":"string"}`), avro(`{"name":"a","type":"int"}`), avro(`{"name":"a","type":"long"}`)}, always + " BACKWARD", ""},
		{"narrowed, was another type", "AVRO", [3]string{avro(`{"name":"a","type":"string"}`), avro(`{"name":"a","type":"long"}`), avro(`{"name":"a","type":"int"}`)}, always + " FORWARD", ""},
		{"a default lost", "AVRO", [3]string{avro(`{"name":"a","type":"int"}`), avro(`{"name":"a","type":"int"},{"name":"b","type":"int","default":1}`), avro(`{"name":"a","type":"int"},{"name":"b","type":"int"}`)},
			always + " BACKWARD FORWARD FORWARD_TRANSITIVE FULL", ""},
		{"a field gone whose default came late", "AVRO", [3]string{avro(`{"name":"a","type":"int"},{"name":"b","type":"int"}`), avro(`{"name":"a","type":"int"},{"name":"b","type":"int","default":1}`), avro(`{"name":"a","type":"int"}`)},
			always + " BACKWARD BACKWARD_TRANSITIVE FORWARD FULL", ""},
		{"a field with a default more each time", "AVRO", [3]string{avro(`{"name":"a","type":"int"}`), avro(`{"name":"a","type":"int"},{"name":"b","type":"int","default":1}`),
			avro(`{"name":"a","type":"int"},{"name":"b","type":"int","default":1},{"name":"c","type":"int","default":1}`)}, "all", ""},
		{"another type", "AVRO", [3]string{avro(`{"name":"a","type":"int"}`), avro(`{"name":"a","type":"int"}`), avro(`{"name":"a","type":"string"}`)}, always, ""},

		{"widened, was another type", "JSON", [3]string{object("string"), object("integer"), object("number")}, always + " BACKWARD", ""},
		{"narrowed, was another type", "JSON", [3]string{object("string"), object("number"), object("integer")}, always + " FORWARD", ""},
		{"another type", "JSON", [3]string{object("integer"), object("integer"), object("string")}, always, ""},

		{"another varint, was a string", "PROTOBUF", [3]string{message("string"), message("int32"), message("int64")}, always + " BACKWARD FORWARD FULL", types},
		{"another varint each time", "PROTOBUF", [3]string{message("int32"), message("uint32"), message("int64")}, "all", types},
		{"another type", "PROTOBUF", [3]string{message("int32"), message("int32"), message("string")}, always, ""},
	}
}

var sevenLevels = []string{"NONE", "BACKWARD", "BACKWARD_TRANSITIVE", "FORWARD", "FORWARD_TRANSITIVE", "FULL", "FULL_TRANSITIVE"}

// TestAllSevenLevelsAreThoseOfARealRegistry registers a third version at each level, on both registries.
func TestAllSevenLevelsAreThoseOfARealRegistry(t *testing.T) {
	url := ours(t)
	for i, h := range histories() {
		for _, level := range sevenLevels {
			t.Run(h.typ+"/"+h.name+"/"+level, func(t *testing.T) {
				subject := fmt.Sprintf("level-%d-%s", i, level)
				want := h.takes == "all" || strings.Contains(" "+h.takes+" ", " "+level+" ")
				mine, its := registered(t, url, subject, level, h), registered(t, real.URL(), subject, level, h)
				if mine != fmt.Sprint(want) {
					t.Errorf("ours says %s, want %v", mine, want)
				}
				departs := h.departs != "" && want && level != always
				switch {
				case departs && mine == its:
					t.Errorf("it is expected to depart (%s), and does not", h.departs)
				case !departs && mine != its:
					t.Errorf("ours says %s, Apicurio says %s", mine, its)
				}
			})
		}
	}
}

// registered says whether the third version is taken at the level.
func registered(t *testing.T, url, subject, level string, h versions) string {
	t.Helper()
	for i, s := range h.schemas {
		at := "NONE"
		if i == 2 {
			at = level
		}
		if a := ask(t, url, "PUT /config/"+subject, map[string]string{"compatibility": at}); a.status != 200 {
			return fmt.Sprintf("config %d", a.status)
		}
		a := ask(t, url, "POST /subjects/"+subject+"/versions", map[string]string{"schemaType": h.typ, "schema": s})
		switch {
		case i == 2 && (a.status == 200 || a.status == 409):
			return fmt.Sprint(a.status == 200)
		case a.status != 200:
			return fmt.Sprintf("register version %d: %d", i+1, a.status)
		}
	}
	panic("unreachable")
}
