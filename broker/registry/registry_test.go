package registry

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

func TestRegistriesOnOneLogAreOne(t *testing.T) {
	log := new(MemoryLog)
	a, b := newRegistry(t, Config{Log: log}), newRegistry(t, Config{Log: log})
	var wg sync.WaitGroup
	const each = 20
	for i, r := range []*Registry{a, b} {
		wg.Go(func() {
			for n := range each {
				body := schemaBody(typeAvro, fmt.Sprintf(`{"type":"fixed","name":"F%d_%d","size":1}`, i, n))
				if status, answer := call(t, r, fmt.Sprintf("POST /subjects/s%d-%d/versions", i, n), body); status != http.StatusOK {
					t.Errorf("%d %s", status, answer)
				}
			}
		})
	}
	wg.Wait()
	if x, y := mustCall(t, a, "GET /schemas", ""), mustCall(t, b, "GET /schemas", ""); x != y {
		t.Errorf("one knows %s\nthe other %s", x, y)
	}
	for id := 1; id <= 2*each; id++ {
		if subjects := mustCall(t, a, fmt.Sprintf("GET /schemas/ids/%d/subjects", id), ""); strings.Count(subjects, ",") != 0 {
			t.Errorf("id %d has been given twice: %s", id, subjects)
		}
	}
}

func TestWhatIsInTheLogIsReadBack(t *testing.T) {
	log := new(MemoryLog)
	a := newRegistry(t, Config{Log: log})
	for _, c := range [][2]string{
		{"POST /subjects/s/versions", schemaBody(typeAvro, `"string"`)},
		{"POST /subjects/s/versions", schemaBody(typeAvro, `["string","int"]`)},
		{"POST /subjects/gone/versions", schemaBody(typeJSON, `{}`)},
		{"POST /subjects/p/versions", schemaBody(typeProtobuf, `message M {}`)},
		{"POST /subjects/:.c:s/versions", schemaBody(typeAvro, `"int"`)},
		{"PUT /config", `{"compatibility":"FULL"}`},
		{"PUT /config/s", `{"compatibility":"NONE","normalize":true}`},
		{"PUT /config/x", `{"compatibility":"NONE"}`},
		{"DELETE /config/x", ""},
		{"PUT /mode/p", `{"mode":"READONLY"}`},
		{"DELETE /subjects/s/versions/1", ""},
		{"DELETE /subjects/gone", ""},
		{"DELETE /subjects/gone?permanent=true", ""},
	} {
		mustCall(t, a, c[0], c[1])
	}
	b := newRegistry(t, Config{Log: log})
	for _, path := range []string{
		"/schemas?deleted=true&subjectPrefix=:*:", "/subjects?deleted=true", "/config", "/config/s", "/config/x", "/mode/p", "/contexts", "/schemas/ids/1/versions?deleted=true",
	} {
		_, x := call(t, a, "GET "+path, "")
		if _, y := call(t, b, "GET "+path, ""); x != y {
			t.Errorf("%s: %s, read back %s", path, x, y)
		}
	}
}

// TestRecordsOfOthersAreUnderstood reads what older releases of Confluent's registry have written, and passes over what nobody understands.
func TestRecordsOfOthersAreUnderstood(t *testing.T) {
	log := new(MemoryLog)
	var records []Record
	for _, kv := range [][2]string{
		{`{"keytype":"NOOP","magic":0}`, ``},
		{`{"keytype":"SCHEMA","subject":"s","version":1,"magic":1}`, `{"subject":"s","version":1,"id":41,"schema":"\"string\"","deleted":false}`},
		{`{"magic":0,"keytype":"CONFIG"}`, `{"compatibilityLevel":"FORWARD"}`},
		{`{"keytype":"SCHEMA","subject":"bad","version":0}`, `{"id":1}`},
		{`not JSON`, `{}`},
		{`{"keytype":"SCHEMA","subject":"bad","version":1}`, `not JSON`},
		{`{"keytype":"ASSOC"}`, `{}`},
	} {
		rec := Record{Key: []byte(kv[0])}
		if kv[1] != "" {
			rec.Value = []byte(kv[1])
		}
		records = append(records, rec)
	}
	if err := log.Append(0, records); err != nil {
		t.Fatal(err)
	}
	r := newRegistry(t, Config{Log: log})
	if got := mustCall(t, r, "GET /subjects", ""); got != `["s"]` {
		t.Errorf("subjects %s", got)
	}
	if got := mustCall(t, r, "GET /config", ""); got != `{"compatibilityLevel":"FORWARD"}` {
		t.Errorf("config %s", got)
	}
	if got := mustCall(t, r, "POST /subjects/t/versions", schemaBody(typeAvro, `{"type":"string"}`)); !strings.Contains(got, `"id":41`) {
		t.Errorf("the schema has another id: %s", got)
	}
	if got := mustCall(t, r, "POST /subjects/u/versions", schemaBody(typeAvro, `"int"`)); !strings.Contains(got, `"id":42`) {
		t.Errorf("the next id: %s", got)
	}
}

// brokenLog fails.
type brokenLog struct{ MemoryLog }

var errBroken = errors.New("disk on fire")

func (*brokenLog) Append(int64, []Record) error { return errBroken }

func TestALogThatFailsIsAStoreError(t *testing.T) {
	r := newRegistry(t, Config{Log: new(brokenLog)})
	status, body := call(t, r, "POST /subjects/s/versions", schemaBody(typeAvro, `"string"`))
	if status != http.StatusInternalServerError || !strings.Contains(body, `"error_code":50001`) {
		t.Errorf("%d %s", status, body)
	}
	if got := mustCall(t, r, "GET /subjects", ""); got != "[]" {
		t.Errorf("what was not written is there: %s", got)
	}
}

func TestARecreatedLogBeginsAgain(t *testing.T) {
	log := new(MemoryLog)
	r := newRegistry(t, Config{Log: log})
	mustCall(t, r, "POST /subjects/s/versions", schemaBody(typeAvro, `"string"`))
	log.mu.Lock()
	log.records = nil
	log.mu.Unlock()
	if got := mustCall(t, r, "GET /subjects", ""); got != "[]" {
		t.Errorf("subjects %s", got)
	}
}

func TestUsersMustAuthenticate(t *testing.T) {
	r := newRegistry(t, Config{Users: map[string]Password{"alice": "secret"}})
	for _, c := range []struct {
		user, password string
		want           int
	}{{"", "", 401}, {"alice", "wrong", 401}, {"bob", "secret", 401}, {"bob", "", 401}, {"alice", "secret", 200}} {
		req := httptest.NewRequest(http.MethodGet, "/subjects", nil)
		if c.user != "" {
			req.SetBasicAuth(c.user, c.password)
		}
		w := httptest.NewRecorder()
		r.ServeHTTP(w, req)
		if w.Code != c.want {
			t.Errorf("%s:%s: %d", c.user, c.password, w.Code)
		}
		if c.want == 401 && (w.Header().Get("WWW-Authenticate") == "" || w.Body.String() != `{"error_code":401,"message":"HTTP 401 Unauthorized"}`) {
			t.Errorf("answer %v %s", w.Header(), w.Body)
		}
	}
}

func TestPasswordsDoNotShow(t *testing.T) {
	cfg := Config{Users: map[string]Password{"alice": "hunter2"}}
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		if s := fmt.Sprintf(format, cfg); strings.Contains(s, "hunter2") {
			t.Errorf("%s: %s", format, s)
		}
	}
}

func TestMediaTypesAreNegotiated(t *testing.T) {
	r := newRegistry(t, Config{})
	for _, c := range []struct {
		accept, contentType, answered string
		want                          int
	}{
		{"", "", "application/vnd.schemaregistry.v1+json", 200},
		{"*/*", "application/json; charset=utf-8", "application/vnd.schemaregistry.v1+json", 200},
		{"application/json", "application/octet-stream", "application/json", 200},
		{"application/vnd.schemaregistry.v1+json, application/json", "application/vnd.schemaregistry+json", "application/vnd.schemaregistry.v1+json", 200},
		{"text/html", "", "application/vnd.schemaregistry.v1+json", 406},
		{"", "text/plain", "application/vnd.schemaregistry.v1+json", 415},
	} {
		req := httptest.NewRequest(http.MethodPost, "/subjects/s/versions", strings.NewReader(schemaBody(typeAvro, `"string"`)))
		req.Header.Set("Accept", c.accept)
		req.Header.Set("Content-Type", c.contentType)
		w := httptest.NewRecorder()
		r.ServeHTTP(w, req)
		if w.Code != c.want || w.Header().Get("Content-Type") != c.answered {
			t.Errorf("%+v: %d %v %s", c, w.Code, w.Header(), w.Body)
		}
	}
}

func TestHostileRequestsAreBounded(t *testing.T) {
	r := newRegistry(t, Config{MaxBody: 1 << 20})
	for _, c := range []struct {
		request, body string
		want          int
	}{
		{"POST /subjects/s/versions", schemaBody(typeAvro, `"`+strings.Repeat("x", 2<<20)+`"`), 413},
		{"POST /subjects/s/versions", schemaBody(typeAvro, strings.Repeat(`[`, 100_000)), 422},
		{"POST /subjects/s/versions", strings.Repeat(`{"a":`, 100_000), 400},
		{"POST /subjects/s/versions", schemaBody(typeAvro, `"string"`, manyReferences(2000)...), 422},
		{"POST /subjects/s/versions", `{"schema":"\"string\"","version":-7,"id":-9}`, 200},
		{"GET /subjects?offset=-1", "", 500},
		{"GET /subjects?limit=99999999999", "", 404},
		{"GET /" + strings.Repeat("a/", 10_000), "", 404},
		{"GET /schemas/ids/-1", "", 404},
	} {
		if status, body := call(t, r, c.request, c.body); status != c.want {
			t.Errorf("%.60s %.60s: %d %.200s, want %d", c.request, c.body, status, body, c.want)
		}
	}
}

func manyReferences(n int) (refs []reference) {
	one := 1
	for i := range n {
		refs = append(refs, reference{Name: fmt.Sprint(i), Subject: "s", Version: &one})
	}
	return refs
}

// TestReferencesThatRunInACircleEnd imports what could not be registered: two schemas that refer to each other.
func TestReferencesThatRunInACircleEnd(t *testing.T) {
	r := newRegistry(t, Config{})
	mustCall(t, r, "PUT /mode", `{"mode":"IMPORT"}`)
	log := new(MemoryLog)
	var records []Record
	for i, s := range []string{"a", "b"} {
		other := map[string]string{"a": "b", "b": "a"}[s]
		v := fmt.Sprintf(`{"subject":%q,"version":1,"id":%d,"schema":"\"string\"","references":[{"name":"n%s","subject":%q,"version":1}]}`, s, i+1, other, other)
		records = append(records, Record{Key: recordKey{KeyType: keySchema, Subject: &s, Version: 1}.marshal(), Value: []byte(v)})
	}
	if err := log.Append(0, records); err != nil {
		t.Fatal(err)
	}
	circle := newRegistry(t, Config{Log: log})
	call(t, circle, "POST /subjects/a", schemaBody(typeAvro, `"int"`))
	if status, body := call(t, circle, "DELETE /subjects/a", ""); status != 422 {
		t.Errorf("%d %s", status, body)
	}
	mustCall(t, circle, "GET /subjects/a/versions/1/referencedby", "")
}

func TestWrongConfigurationsAreRefused(t *testing.T) {
	for _, cfg := range []Config{{Compatibility: "SIDEWAYS"}, {MaxBody: -1}} {
		if _, err := New(cfg); err == nil {
			t.Errorf("%+v is taken", cfg)
		}
	}
}

func TestAClosedRegistryAnswersNothing(t *testing.T) {
	r := newRegistry(t, Config{})
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if status, body := call(t, r, "GET /subjects", ""); status != http.StatusServiceUnavailable {
		t.Errorf("%d %s", status, body)
	}
}
