package broker_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/sordini-go/sordini/broker"
)

// row is a line of a table of docs/broker.md: what its first cell names, and the tests that its last one names.
type row struct{ names, tests []string }

// tableOf returns the rows of the table whose head begins with a word, in docs/broker.md.
func tableOf(t *testing.T, page, head string) (rows []row) {
	t.Helper()
	_, table, found := strings.Cut(page, "\n| "+head+" |")
	if !found {
		t.Fatalf("docs/broker.md has no table of %s", head)
	}
	table, _, _ = strings.Cut(table, "\n\n")
	code := regexp.MustCompile("`([A-Za-z0-9]+)`")
	words := func(cell string) (found []string) {
		for _, m := range code.FindAllStringSubmatch(cell, -1) {
			found = append(found, m[1])
		}
		return found
	}
	for _, line := range strings.Split(table, "\n")[2:] {
		cells := strings.Split(strings.Trim(line, "| "), " | ")
		rows = append(rows, row{words(cells[0]), words(cells[len(cells)-1])})
	}
	return rows
}

// testsThatUse returns, by function of this package's tests, the names that it uses; and the methods that exist in the tests alone.
func testsThatUse(t *testing.T) (uses map[string]map[string]bool, methods []string) {
	t.Helper()
	files, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	uses = map[string]map[string]bool{}
	for _, file := range files {
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			if fn.Recv != nil {
				methods = append(methods, fn.Name.Name)
				continue
			}
			names := map[string]bool{}
			ast.Inspect(fn, func(n ast.Node) bool {
				if id, ok := n.(*ast.Ident); ok {
					names[id.Name] = true
				}
				return true
			})
			uses[fn.Name.Name] = names
		}
	}
	return uses, methods
}

// TestPageNamesEveryFaultAndVerbAndATestOfEach compares docs/broker.md with the code: every field of a Fault, every method of a Cluster, and for each fault and
// verb a test that uses it.
func TestPageNamesEveryFaultAndVerbAndATestOfEach(t *testing.T) {
	text, err := os.ReadFile("../docs/broker.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
	uses, ours := testsThatUse(t)
	shown := func(rows []row) (names []string) {
		for _, r := range rows {
			names = append(names, r.names...)
			if len(r.tests) == 0 {
				t.Errorf("docs/broker.md names no test of %v", r.names)
			}
			for _, name := range r.names {
				if !slices.ContainsFunc(r.tests, func(test string) bool { return uses[test][name] }) {
					t.Errorf("docs/broker.md has %s shown by %v, which does not use it", name, r.tests)
				}
			}
		}
		return names
	}

	var fields []string
	for f := range reflect.TypeFor[broker.Fault]().Fields() {
		fields = append(fields, f.Name)
	}
	same(t, "fields of a Fault", shown(tableOf(t, page, "field")), fields)

	var methods []string
	for m := range reflect.TypeFor[*broker.Cluster]().Methods() {
		if !slices.Contains(ours, m.Name) {
			methods = append(methods, m.Name)
		}
	}
	named := shown(tableOf(t, page, "method"))
	for _, r := range tableOf(t, page, "about") {
		named = append(named, r.tests...) // the last cell has the methods
	}
	same(t, "methods of a Cluster", named, methods)
}

// same compares what the page names with what there is.
func same(t *testing.T, what string, named, there []string) {
	t.Helper()
	for _, name := range there {
		if !slices.Contains(named, name) {
			t.Errorf("docs/broker.md does not name %s among the %s", name, what)
		}
	}
	for _, name := range named {
		if !slices.Contains(there, name) {
			t.Errorf("docs/broker.md names %s, which is none of the %s", name, what)
		}
	}
}
