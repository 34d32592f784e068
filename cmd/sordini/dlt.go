package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/sordini-go/sordini/dlt"
)

// runDLT runs "sordini dlt".
func runDLT(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	const usage = "usage: sordini dlt ls [flags]\n\n  ls   list dead letters by cause\n\nsordini dlt ls -h shows its flags\n"
	if len(args) == 0 {
		fmt.Fprint(stderr, usage)
		return errUsage
	}
	switch args[0] {
	case "ls":
		return listDeadLetters(ctx, args[1:], stdout, stderr)
	case "-h", "-help", "--help", "help":
		fmt.Fprint(stdout, usage)
		return flag.ErrHelp
	}
	fmt.Fprintf(stderr, "unknown command %q\n\n%s", args[0], usage)
	return errUsage
}

// listDeadLetters prints the dead letters that are there now, by cause.
func listDeadLetters(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	var q dlt.Query
	flags := flag.NewFlagSet("sordini dlt ls", flag.ContinueOnError)
	flags.SetOutput(stderr)
	connect := newClusterFlags(flags)
	flags.StringVar(&q.Group, "group", "", "the `group` whose dead letters are listed; all groups' by default")
	flags.StringVar(&q.Topic, "topic", "", "the source `topic` that they come from; all by default")
	flags.Func("dead-letter-topic", "also read this `topic`, of Spring or Kafka Connect for instance; may be repeated", func(s string) error {
		q.Topics = append(q.Topics, s)
		return nil
	})
	asJSON := flags.Bool("json", false, "print one JSON array")
	if err := parse(flags, args); err != nil {
		return err
	}
	cluster, err := connect.cluster()
	if err != nil {
		return err
	}
	causes, err := dlt.Causes(ctx, cluster, q)
	if err != nil {
		return err
	}
	if *asJSON {
		return printCausesJSON(stdout, causes)
	}
	return printCauses(stdout, causes)
}

// causeJSON is one cause as -json prints it. Its names are part of the command's interface.
type causeJSON struct {
	Group       string      `json:"group"`
	Topic       string      `json:"topic"`
	Class       string      `json:"class"`
	Fingerprint string      `json:"fingerprint"`
	Count       int         `json:"count"`
	Duplicates  int         `json:"duplicates"`
	Truncated   int         `json:"truncated"`
	Oldest      time.Time   `json:"oldest"`
	Newest      time.Time   `json:"newest"`
	Example     exampleJSON `json:"example"`
}

type exampleJSON struct {
	ID        string `json:"id"`
	Key       string `json:"key,omitempty"`
	Error     string `json:"error"`
	Attempts  int    `json:"attempts"`
	Partition int32  `json:"partition"`
	Offset    int64  `json:"offset"`
}

func printCausesJSON(w io.Writer, causes []dlt.Cause) error {
	out := make([]causeJSON, 0, len(causes))
	for _, c := range causes {
		x := c.Example
		out = append(out, causeJSON{
			Group: c.Group, Topic: c.Topic, Class: string(c.Class), Fingerprint: c.Fingerprint,
			Count: c.Count, Duplicates: c.Duplicates, Truncated: c.Truncated, Oldest: c.Oldest, Newest: c.Newest,
			Example: exampleJSON{ID: x.Identity(), Key: string(x.Record.Key), Error: x.Error, Attempts: x.Attempts, Partition: x.Partition, Offset: x.Offset},
		})
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(out)
}

func printCauses(w io.Writer, causes []dlt.Cause) error {
	if len(causes) == 0 {
		_, err := fmt.Fprintln(w, "no dead letters")
		return err
	}
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(t, "COUNT\tGROUP\tTOPIC\tCLASS\tFINGERPRINT\tOLDEST\tNEWEST\tEXAMPLE")
	total := 0
	for _, c := range causes {
		total += c.Count
		fmt.Fprintf(t, "%d\t%s\t%s\t%s\t%s\t%s\t%s\t%s: %s\n", c.Count, oneLine(c.Group), oneLine(c.Topic), oneLine(string(c.Class)), oneLine(c.Fingerprint),
			c.Oldest.UTC().Format(time.DateTime), c.Newest.UTC().Format(time.DateTime), place(c.Example), oneLine(c.Example.Error))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\n%d dead letters, %d causes\n", total, len(causes))
	return err
}

// place is where the example came from.
func place(l dlt.Letter) string {
	return oneLine(l.Topic) + "[" + strconv.Itoa(int(l.Partition)) + "]@" + strconv.FormatInt(l.Offset, 10)
}

// maxText is how much of a text is shown.
const maxText = 120

// oneLine makes a text from a record fit to be shown: whoever wrote the record must not move the cursor of whoever looks at it.
func oneLine(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t' || r == '\r':
			return ' '
		case !strconv.IsPrint(r):
			return '\uFFFD'
		}
		return r
	}, s)
	if r := []rune(s); len(r) > maxText {
		return string(r[:maxText-1]) + "…"
	}
	return s
}
