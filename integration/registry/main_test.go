// Package registry compares the schema registry of the reference broker with a real one, and lets registry clients of other languages loose on it.
package registry

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/sordini-go/sordini/broker"
	"github.com/sordini-go/sordini/integration/realregistry"
)

// real is the registry that the tests share.
var real *realregistry.Registry

func TestMain(m *testing.M) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	var err error
	if real, err = realregistry.Start(ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	if err := real.Close(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = max(code, 1)
	}
	os.Exit(code)
}

// ours starts the registry of the reference broker and returns its URL.
func ours(t *testing.T) string {
	t.Helper()
	c, err := broker.Start(broker.Config{Registry: &broker.Registry{}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c.RegistryURL()
}

// answer is what a registry says.
type answer struct {
	status int
	body   string
}

// code is the API's error code, 0 where there is none.
func (a answer) code() int {
	var e struct {
		Code int `json:"error_code"`
	}
	if a.status < 400 || json.Unmarshal([]byte(a.body), &e) != nil {
		return 0
	}
	return e.Code
}

func ask(t *testing.T, url, request string, body any) answer {
	t.Helper()
	method, path, _ := strings.Cut(request, " ")
	var in io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		in = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(t.Context(), method, url+path, in)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/vnd.schemaregistry.v1+json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{res.StatusCode, strings.TrimSpace(string(b))}
}
