// Package linktest holds a service to what it may link.
package linktest

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// maxModules is how many modules besides Sordini a service that encodes JSON may link.
const maxModules = 12

func list(t *testing.T, format string) []string {
	t.Helper()
	out, err := exec.Command("go", "list", "-deps", "-f", format, "./service").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	lines := strings.Fields(string(out))
	slices.Sort(lines)
	return slices.Compact(lines)
}

func TestAServiceLinksFewModules(t *testing.T) {
	modules := slices.DeleteFunc(list(t, `{{with .Module}}{{.Path}}{{end}}`), func(m string) bool { return m == "github.com/sordini-go/sordini" })
	if len(modules) > maxModules || len(modules) < 3 {
		t.Errorf("%d modules, at most %d are allowed:\n%s", len(modules), maxModules, strings.Join(modules, "\n"))
	}
}

// TestAServiceLinksNothingThatItDoesNotUse: nothing of tests, and with JSON alone nothing of the schema registry.
func TestAServiceLinksNothingThatItDoesNotUse(t *testing.T) {
	for _, p := range list(t, `{{.ImportPath}}`) {
		for _, bad := range []string{"testing", "github.com/sordini-go/sordini/broker", "github.com/sordini-go/sordini/consumer/consumertest",
			"github.com/sordini-go/sordini/serde/registry", "github.com/sordini-go/sordini/serde/avro",
			"github.com/sordini-go/sordini/serde/protobuf", "google.golang.org/protobuf", "github.com/sordini-go/sordini/serde/jsonschema"} {
			if p == bad || strings.HasPrefix(p, bad+"/") {
				t.Errorf("a service links %s", p)
			}
		}
	}
}
