package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sordini-go/sordini/broker/brokertest"
)

// schemaFile writes a schema to a file and returns its name.
func schemaFile(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestSchemasAreCheckedRegisteredListedShownAndCompared(t *testing.T) {
	t.Setenv(envRegistry, brokertest.New(t).RegistryURL())
	sordini := func(want int, args ...string) string {
		t.Helper()
		var out, errs bytes.Buffer
		if code := run(context.Background(), append([]string{"schema"}, args...), &out, &errs); code != want {
			t.Fatalf("%v: status %d, want %d\n%s%s", args, code, want, &out, &errs)
		}
		return out.String() + errs.String()
	}
	money := schemaFile(t, "money.avsc", `{"type":"record","name":"Money","fields":[{"name":"cents","type":"long"}]}`)
	v1 := schemaFile(t, "order.avsc", `{"type":"record","name":"Order","fields":[{"name":"id","type":"string"},{"name":"total","type":"Money"}]}`)
	v2 := schemaFile(t, "order.avsc", `{"type":"record","name":"Order","fields":[{"name":"id","type":"string"},{"name":"total","type":"Money"},{"name":"note","type":"string","default":""}]}`)
	broken := schemaFile(t, "order.avsc", `{"type":"record","name":"Order","fields":[{"name":"id","type":"long"}]}`)

	sordini(0, "register", "-subject", "money", "-file", money)
	ref := []string{"-subject", "orders-value", "-reference", "Money=money:1", "-file"}
	sordini(0, append([]string{"check"}, append(ref, v1)...)...)
	if got := sordini(0, append([]string{"register"}, append(ref, v1)...)...); !strings.Contains(got, "version 1 of orders-value, schema id 2") {
		t.Errorf("register says %q", got)
	}
	if got := sordini(1, "check", "-subject", "orders-value", "-file", broken); !strings.Contains(got, "not compatible") || !strings.Contains(got, "id") {
		t.Errorf("check says %q", got)
	}
	sordini(1, "register", "-subject", "orders-value", "-file", broken)
	sordini(0, append([]string{"register"}, append(ref, v2)...)...)
	if got := sordini(0, "ls"); !strings.Contains(got, "orders-value  1 2       AVRO  3   money:1") {
		t.Errorf("ls says %q", got)
	}
	if got := sordini(0, "show", "-subject", "orders-value", "-version", "1"); !strings.Contains(got, `"name": "id"`) || strings.Contains(got, "note") {
		t.Errorf("show says %q", got)
	}
	if byID := sordini(0, "show", "-id", "3"); byID != sordini(0, "show", "-subject", "orders-value") {
		t.Errorf("by id: %q", byID)
	}
	got := sordini(0, "diff", "-subject", "orders-value")
	if !strings.Contains(got, "+       \"name\": \"note\"") || strings.Contains(got, "-       \"name\": \"id\"") {
		t.Errorf("diff says\n%s", got)
	}
	if got := sordini(0, "save", "-subject", "orders-value"); !strings.Contains(got, `"version": 1`) || !strings.Contains(got, "Money") {
		t.Errorf("save says %q", got)
	}
	for _, wrong := range [][]string{
		{}, {"nothing"}, {"check"}, {"check", "-subject", "x"}, {"show"}, {"show", "-subject", "x", "-id", "1"}, {"diff"}, {"ls", "extra"},
		{"register", "-subject", "x", "-file", v1, "-reference", "Money"}, {"register", "-subject", "x", "-file", v1, "-reference", "Money=money:x"},
	} {
		sordini(2, wrong...)
	}
	for _, failing := range [][]string{
		{"show", "-subject", "nobody"}, {"show", "-id", "99"}, {"diff", "-subject", "money"}, {"register", "-subject", "x", "-file", "nowhere.avsc"},
		{"register", "-subject", "x", "-file", schemaFile(t, "order.txt", "x")}, {"ls", "-registry", "nonsense"},
	} {
		sordini(1, failing...)
	}
	t.Setenv(envRegistry, "")
	if got := sordini(1, "ls"); !strings.Contains(got, envRegistry) {
		t.Errorf("without a registry: %q", got)
	}
}
