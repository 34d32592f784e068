package registry

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// evolution is a subject's history and a candidate. A reader of the candidate can read each version or not, and a reader of each version the candidate.
type evolution struct {
	typ               string
	versions          []string
	candidate         string
	backward, forward []bool // by version
}

// The histories are made so that the transitive levels judge otherwise than those that look at the newest version only.
var evolutions = []evolution{
	{
		typ: typeAvro, candidate: avroRecord("a", "int"),
		versions: []string{avroRecord("a", "string"), avroRecord("a", "int", "b", "int")},
		backward: []bool{false, true}, forward: []bool{false, false},
	},
	{
		typ: typeAvro, candidate: avroRecord("a", "int", "b", "int"),
		versions: []string{avroRecord("a", "int"), avroRecord("a", "int", "b", "int", "c", "int")},
		backward: []bool{false, true}, forward: []bool{true, false},
	},
	{
		typ: typeAvro, candidate: avroRecord("a", "int"),
		versions: []string{avroRecord("a", "int")},
		backward: []bool{true}, forward: []bool{true},
	},
	{
		typ: typeProtobuf, candidate: `message M { int32 a = 1; }`,
		versions: []string{`message M { string a = 1; }`, `message M { int64 a = 1; } message N {}`, `message M { bool a = 1; }`},
		backward: []bool{false, false, true}, forward: []bool{false, true, true},
	},
	{
		typ: typeJSON, candidate: `{"type":"number"}`,
		versions: []string{`{"type":["number","string"]}`, `{"type":"integer"}`},
		backward: []bool{false, true}, forward: []bool{true, false},
	},
	{
		typ: typeJSON, candidate: `{"type":"integer"}`,
		versions: []string{`{"type":"integer"}`, `{"type":"number"}`},
		backward: []bool{true, false}, forward: []bool{true, true},
	},
}

func avroRecord(fields ...string) string {
	var fs []string
	for i := 0; i < len(fields); i += 2 {
		fs = append(fs, fmt.Sprintf(`{"name":%q,"type":%q}`, fields[i], fields[i+1]))
	}
	return `{"type":"record","name":"R","fields":[` + strings.Join(fs, ",") + `]}`
}

func all(bs []bool) bool {
	for _, b := range bs {
		if !b {
			return false
		}
	}
	return true
}

func TestEveryLevelIsEvaluatedForEveryFormat(t *testing.T) {
	for i, e := range evolutions {
		last := len(e.versions) - 1
		want := map[string]bool{
			levelNone:               true,
			levelBackward:           e.backward[last],
			levelBackwardTransitive: all(e.backward),
			levelForward:            e.forward[last],
			levelForwardTransitive:  all(e.forward),
			levelFull:               e.backward[last] && e.forward[last],
			levelFullTransitive:     all(e.backward) && all(e.forward),
		}
		for _, level := range levels {
			t.Run(fmt.Sprintf("%s %d %s", e.typ, i, level), func(t *testing.T) {
				r := newRegistry(t, Config{Compatibility: levelNone})
				for _, v := range e.versions {
					mustCall(t, r, "POST /subjects/s/versions", schemaBody(e.typ, v))
				}
				mustCall(t, r, "PUT /config/s", `{"compatibility":"`+level+`"}`)
				verdict := mustCall(t, r, "POST /compatibility/subjects/s/versions", schemaBody(e.typ, e.candidate))
				if got := verdict == `{"is_compatible":true}`; got != want[level] {
					t.Errorf("%s, want %t", verdict, want[level])
				}
				// "Already there" is compatible with everything.
				if known, _ := call(t, r, "POST /subjects/s", schemaBody(e.typ, e.candidate)); known == http.StatusOK {
					return
				}
				status, body := call(t, r, "POST /subjects/s/versions", schemaBody(e.typ, e.candidate))
				if status != http.StatusConflict && status != http.StatusOK || (status == http.StatusOK) != want[level] {
					t.Errorf("registering is answered with %d %s, want success %t", status, body, want[level])
				}
			})
		}
	}
}

func mustCall(t *testing.T, h http.Handler, request, body string) string {
	t.Helper()
	status, answer := call(t, h, request, body)
	if status != http.StatusOK {
		t.Fatalf("%s %s: %d %s", request, body, status, answer)
	}
	return answer
}
