package billing_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The page shows code of files that are compiled and run: above each block stands which.
func TestPageOnTestingShowsCodeThatRuns(t *testing.T) {
	const root = "../.."
	page, err := os.ReadFile(filepath.Join(root, "docs/testing.md"))
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)<!-- (\\S+\\.go) -->\n```go\n(.*?)```").FindAllStringSubmatch(string(page), -1)
	if all := strings.Count(string(page), "```go\n"); all != len(blocks) || all < 5 {
		t.Errorf("%d of %d blocks say where they are from", len(blocks), all)
	}
	for _, b := range blocks {
		file, err := os.ReadFile(filepath.Join(root, b[1]))
		if err != nil {
			t.Errorf("docs/testing.md: %v", err)
		} else if !strings.Contains(string(file), b[2]) {
			t.Errorf("docs/testing.md shows what is not in %s:\n%s", b[1], b[2])
		}
	}
	for _, link := range regexp.MustCompile(`\]\((\.\./[^)#]+|[a-z-]+\.md)`).FindAllStringSubmatch(string(page), -1) {
		if _, err := os.Stat(filepath.Join(root, "docs", link[1])); err != nil {
			t.Errorf("docs/testing.md links to what is not there: %v", err)
		}
	}
}
