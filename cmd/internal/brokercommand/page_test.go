package brokercommand

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the table of flags in docs/broker.md")

const page = "../../../docs/broker.md"

// table is the flags as docs/broker.md has them.
func table() string {
	flags := flag.NewFlagSet("", flag.ContinueOnError)
	new(options).add(flags)
	var b strings.Builder
	b.WriteString("| flag | what it says | default |\n|---|---|---|\n")
	flags.VisitAll(func(f *flag.Flag) {
		value, usage := flag.UnquoteUsage(f)
		name := "--" + f.Name
		if len(f.Name) == 1 {
			name = "-" + f.Name
		}
		if value != "" && value != "value" {
			name += " " + value
		}
		fallback := f.DefValue
		if fallback == "false" {
			fallback = ""
		}
		if fallback != "" {
			fallback = "`" + fallback + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", name, strings.ReplaceAll(usage, "|", `\|`), fallback)
	})
	return b.String()
}

// TestPageHasEveryFlag compares docs/broker.md with the flags.
func TestPageHasEveryFlag(t *testing.T) {
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	const end = "\n<!-- /flags -->"
	before, rest, begins := strings.Cut(string(text), "<!-- flags:")
	head, rest, opens := strings.Cut(rest, "-->\n")
	was, after, ends := strings.Cut(rest, end)
	if !begins || !opens || !ends {
		t.Fatal("docs/broker.md does not mark its table of flags")
	}
	want := "\n" + table()
	if was == want {
		return
	}
	if *update {
		if err := os.WriteFile(page, []byte(before+"<!-- flags:"+head+"-->\n"+want+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Errorf("docs/broker.md has other flags than the command; run go test ./cmd/internal/brokercommand -run Page -update. It is to have:\n%s", want)
}
