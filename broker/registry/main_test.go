package registry

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newRegistry(t *testing.T, cfg Config) *Registry {
	t.Helper()
	r, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// call sends one request, "METHOD /path", and returns the status and the body.
func call(t *testing.T, h http.Handler, request, body string) (int, string) {
	t.Helper()
	method, path, ok := strings.Cut(request, " ")
	if !ok {
		t.Fatalf("%q is not METHOD /path", request)
	}
	req := httptest.NewRequest(method, path, strings.NewReader(body))
	if body != "" {
		req.Header.Set("Content-Type", "application/vnd.schemaregistry.v1+json")
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, req)
	return w.Code, w.Body.String()
}

// schemaBody is the body that registers a schema.
func schemaBody(typ, schema string, refs ...reference) string {
	return string(encode(map[string]any{"schemaType": typ, "schema": schema, "references": refs}))
}
