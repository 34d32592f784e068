package registry

import (
	"encoding/json"
	"fmt"
	"reflect"
	"testing"
)

// exchange is a request to both registries. Statuses and error codes must agree, and what compare makes of the bodies, unless departs says why not.
type exchange struct {
	request string
	body    any
	compare func(body string) string // nil: only the status and the code
	departs string
}

type obj = map[string]any

func whole(body string) string { return body }

// member takes one member out of an object.
func member(name string) func(string) string {
	return func(body string) string {
		var o map[string]any
		if json.Unmarshal([]byte(body), &o) != nil {
			return body
		}
		return fmt.Sprint(o[name])
	}
}

// schema takes the schema out of an object, as JSON: how it is printed is not the same.
func schema(body string) string {
	var o struct{ Schema string }
	var s any
	if json.Unmarshal([]byte(body), &o) != nil || json.Unmarshal([]byte(o.Schema), &s) != nil {
		return body
	}
	return fmt.Sprint(s)
}

// refused is why ids are not the same any more.
const refused = "a schema that was refused has used up an id"

const (
	recordA  = `{"type":"record","name":"R","fields":[{"name":"a","type":"int"}]}`
	recordAB = `{"type":"record","name":"R","fields":[{"name":"a","type":"int"},{"name":"b","type":"int","default":0}]}`
	recordX  = `{"type":"record","name":"R","fields":[{"name":"a","type":"string"}]}`
)

var exchanges = []exchange{
	{request: "GET /subjects", compare: whole},
	{request: "GET /config", compare: whole},
	{request: "GET /mode", compare: whole},
	{request: "GET /subjects/s/versions"},
	{request: "GET /subjects/s/versions/latest"},
	{request: "GET /schemas/ids/1000000"},
	{request: "DELETE /subjects/s"},
	{request: "POST /subjects/s", body: obj{"schema": recordA}},
	{request: "POST /subjects/s/versions", body: obj{"schema": recordA}, compare: member("id")},
	{request: "POST /subjects/s/versions", body: obj{"schema": recordA}, compare: member("id")},
	{request: "POST /subjects/t/versions", body: obj{"schema": recordA}, compare: member("id")},
	{request: "POST /subjects/s/versions", body: obj{"schema": recordX}},
	{request: "POST /subjects/s/versions", body: obj{"schema": recordAB}, compare: member("id"), departs: refused},
	{request: "GET /subjects", compare: whole},
	{request: "GET /subjects?subjectPrefix=t", compare: whole, departs: "the prefix does not matter"},
	{request: "GET /subjects/s/versions", compare: whole},
	{request: "GET /subjects/s/versions/1", compare: schema},
	{request: "GET /subjects/s/versions/1", compare: member("id")},
	{request: "GET /subjects/s/versions/latest", compare: member("version")},
	{request: "GET /subjects/s/versions/9"},
	{request: "GET /subjects/s/versions/zero", departs: "what is no version is an unknown one"},
	{request: "GET /schemas/ids/1", compare: schema},
	{request: "GET /schemas/ids/1/subjects", compare: whole},
	{request: "GET /schemas/ids/1/versions", compare: whole},
	{request: "GET /schemas/types", compare: whole},
	{request: "POST /subjects/s", body: obj{"schema": recordAB}, compare: member("version")},
	{request: "POST /subjects/s", body: obj{"schema": `"string"`}},
	{request: "POST /subjects/s/versions", body: obj{"schema": `{"type":"record"}`}},
	{request: "POST /compatibility/subjects/s/versions/latest", body: obj{"schema": recordA}, compare: whole},
	{request: "POST /compatibility/subjects/s/versions/latest", body: obj{"schema": recordX}, compare: member("is_compatible")},
	{request: "POST /compatibility/subjects/s/versions/9", body: obj{"schema": recordX}},
	{request: "PUT /config/s", body: obj{"compatibility": "FULL"}, compare: whole, departs: "normalize is answered, too"},
	{request: "GET /config/s", compare: whole},
	{request: "PUT /config/s", body: obj{"compatibility": "SIDEWAYS"}},
	{request: "DELETE /config/s", compare: member("compatibilityLevel")},
	{request: "POST /subjects/item/versions", body: obj{"schema": `{"type":"record","name":"Item","fields":[]}`}, compare: member("id"), departs: refused},
	{request: "POST /subjects/order/versions", departs: refused, compare: member("id"), body: obj{
		"schema": `{"type":"record","name":"Order","fields":[{"name":"i","type":"Item"}]}`, "references": []obj{{"name": "Item", "subject": "item", "version": 1}},
	}},
	{request: "GET /subjects/item/versions/1/referencedby", compare: whole, departs: refused},
	{request: "DELETE /subjects/item"},
	{request: "POST /subjects/p/versions", body: obj{"schemaType": "PROTOBUF", "schema": `syntax = "proto3"; message M { int32 a = 1; }`}, compare: member("id"), departs: refused},
	{request: "POST /subjects/p/versions", body: obj{"schemaType": "PROTOBUF", "schema": `message {`}},
	{request: "POST /subjects/j/versions", body: obj{"schemaType": "JSON", "schema": `{"type":"object"}`}, compare: member("id"), departs: "only schemas that look like one of an object are taken"},
	{request: "DELETE /subjects/s/versions/1", compare: whole},
	{request: "DELETE /subjects/s/versions/1", departs: "the status is 409"},
	{request: "GET /subjects/s/versions", compare: whole},
	{request: "GET /subjects/s/versions?deleted=true", compare: whole},
	{request: "DELETE /subjects/s/versions/2?permanent=true", departs: "the status is 409"},
	{request: "DELETE /subjects/s", compare: whole, departs: "versions that have been deleted are answered again"},
	{request: "DELETE /subjects/s"},
	{request: "DELETE /subjects/s?permanent=true", compare: whole},
	{request: "GET /subjects?deleted=true", compare: whole, departs: "the schema that was not taken is missing"},
	{request: "GET /contexts", compare: whole, departs: "contexts are written with colons"},

	{request: "GET /config/nobody", departs: "the level for everything is answered as the subject's own"},
	{request: "GET /mode/nobody", departs: "the mode for everything is answered as the subject's own"},
	{request: "PUT /mode", body: obj{"mode": "READONLY"}, compare: whole},
	{request: "POST /subjects/late/versions", body: obj{"schema": recordA}, departs: "the mode is taken and not enforced"},
	{request: "PUT /mode", body: obj{"mode": "READWRITE"}, compare: whole},
}

// TestAnswersAreThoseOfARealRegistry stands in the first file, so that the real registry is still empty.
func TestAnswersAreThoseOfARealRegistry(t *testing.T) {
	url := ours(t)
	for i, e := range exchanges {
		a, b := ask(t, url, e.request, e.body), ask(t, real.URL(), e.request, e.body)
		same := a.status == b.status && a.code() == b.code()
		if same && e.compare != nil && a.status == 200 {
			same = reflect.DeepEqual(e.compare(a.body), e.compare(b.body))
		}
		switch {
		case e.departs == "" && !same:
			t.Errorf("%d: %s %v:\nours     %d %s\nApicurio %d %s", i, e.request, e.body, a.status, a.body, b.status, b.body)
		case e.departs != "" && same:
			t.Errorf("%d: %s: it is expected to depart (%s), and does not: %s", i, e.request, e.departs, b.body)
		}
	}
}
