package registry

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
)

var update = flag.Bool("update", false, "write the answers of the contract again")

// TestAnswersAreThoseOfTheContract plays the scripts of testdata/contract: a line "> METHOD /path" with the body below it is a request to a registry that
// begins empty, "<" with a status and a body the answer that it must give, byte for byte. A line with # is a comment.
func TestAnswersAreThoseOfTheContract(t *testing.T) {
	scripts, err := filepath.Glob("testdata/contract/*.txt")
	if err != nil || len(scripts) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, name := range scripts {
		t.Run(filepath.Base(name), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { playScript(t, name) }) // the time in answers is the bubble's
		})
	}
}

func playScript(t *testing.T, name string) {
	content, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	r := newRegistry(t, Config{})
	var out strings.Builder
	var want, request, body string
	answered := false
	play := func() {
		if request == "" {
			return
		}
		status, answer := call(t, r, request, body)
		got := strings.TrimSpace(fmt.Sprintf("%d %s", status, answer))
		fmt.Fprintf(&out, "< %s\n", got)
		if !*update && got != want {
			t.Errorf("%s %s\n got %s\nwant %s", request, body, got, want)
		}
		request, body, want, answered = "", "", "", false
	}
	for line := range strings.Lines(string(content)) {
		line = strings.TrimSuffix(line, "\n")
		switch {
		case strings.HasPrefix(line, "> "):
			play()
			request = line[2:]
			fmt.Fprintln(&out, line)
		case strings.HasPrefix(line, "< "):
			want, answered = line[2:], true
		case line == "" || strings.HasPrefix(line, "#"):
			play()
			fmt.Fprintln(&out, line)
		default:
			if request == "" || answered {
				t.Fatalf("%s: a body without a request: %s", name, line)
			}
			body += line
			fmt.Fprintln(&out, line)
		}
	}
	play()
	if *update {
		if err := os.WriteFile(name, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
