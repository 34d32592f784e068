package consumer_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The guide names every reason that Health can give and every metric, and none that does not exist.
func TestOperatingGuideNamesReasonsAndMetrics(t *testing.T) {
	guide, err := os.ReadFile("../docs/operating.md")
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var source strings.Builder
	for _, f := range files {
		if !strings.HasSuffix(f, "_test.go") {
			text, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			source.Write(text)
		}
	}
	named := map[string]bool{}
	for _, m := range regexp.MustCompile("`([a-z.-]+)`").FindAllStringSubmatch(string(guide), -1) {
		named[m[1]] = true
	}
	for _, pattern := range []string{`(?:Code: |add\()"([a-z-]+)"`, `= +"(sordini\.consumer\.[a-z._]+)"`} {
		found := regexp.MustCompile(pattern).FindAllStringSubmatch(source.String(), -1)
		if len(found) < 15 {
			t.Errorf("only %d of %s", len(found), pattern)
		}
		for _, m := range found {
			if !named[m[1]] && !strings.Contains(string(guide), "`"+m[1]+"`") {
				t.Errorf("docs/operating.md does not name %s", m[1])
			}
		}
	}
	for name := range named {
		if strings.HasPrefix(name, "sordini.consumer.") && !strings.Contains(source.String(), `"`+name+`"`) {
			t.Errorf("docs/operating.md names %s, which is no metric", name)
		}
	}
}
