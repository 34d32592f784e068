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
	const usage = "usage: sordini dlt ls|redrive [flags]\n\n  ls        list dead letters by cause\n  redrive   have their group handle dead letters again\n\nsordini dlt ls -h shows the flags of ls\n"
	if len(args) == 0 {
		fmt.Fprint(stderr, usage)
		return errUsage
	}
	switch args[0] {
	case "ls":
		return listDeadLetters(ctx, args[1:], stdout, stderr)
	case "redrive":
		return redrive(ctx, args[1:], stdout, stderr)
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

// redrivenJSON is what -json prints of a redrive. Its names are part of the command's interface.
type redrivenJSON struct {
	Operation  string   `json:"operation"`
	DryRun     bool     `json:"dry_run"`
	Count      int      `json:"count"`
	Duplicates int      `json:"duplicates"`
	Truncated  []string `json:"truncated"`
	Missing    []string `json:"missing"`
}

// redrive copies dead letters to their group's inbox.
func redrive(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	var d dlt.Redriving
	flags := flag.NewFlagSet("sordini dlt redrive", flag.ContinueOnError)
	flags.SetOutput(stderr)
	connect := newClusterFlags(flags)
	flags.StringVar(&d.Group, "group", "", "the `group` that gave up and will handle them again")
	flags.StringVar(&d.Topic, "topic", "", "the source `topic` that they come from; all by default")
	flags.Func("id", "redrive the dead letter with this `identity`, as ls -json shows it; may be repeated", func(s string) error {
		d.IDs = append(d.IDs, s)
		return nil
	})
	flags.BoolVar(&d.All, "all", false, "redrive all of them, those that were redriven before among them")
	fingerprint := flags.String("fingerprint", "", "only those whose cause has this `fingerprint`, as ls shows it")
	flags.StringVar(&d.Operation, "operation", "", "repeat this interrupted `operation`: nothing is handled twice for it")
	flags.BoolVar(&d.DryRun, "dry-run", false, "only count")
	asJSON := flags.Bool("json", false, "print one JSON object")
	if err := parse(flags, args); err != nil {
		return err
	}
	if *fingerprint != "" {
		d.Match = func(l *dlt.Letter) bool { return l.Fingerprint == *fingerprint }
	}
	cluster, err := connect.cluster()
	if err != nil {
		return err
	}
	out, err := dlt.Redrive(ctx, cluster, d)
	if err != nil {
		return err
	}
	if *asJSON {
		return json.NewEncoder(stdout).Encode(redrivenJSON{out.Operation, d.DryRun, out.Count, out.Duplicates, append([]string{}, out.Truncated...), append([]string{}, out.Missing...)})
	}
	done := "were put into the inbox of group " + d.Group
	if d.DryRun {
		done = "would be put into the inbox of group " + d.Group
	}
	fmt.Fprintf(stdout, "%d dead letters %s (operation %s)\n", out.Count, done, out.Operation)
	for _, id := range out.Truncated {
		fmt.Fprintf(stdout, "not redriven, its record is not whole: %s\n", id)
	}
	for _, id := range out.Missing {
		fmt.Fprintf(stdout, "there is no dead letter: %s\n", id)
	}
	return nil
}
