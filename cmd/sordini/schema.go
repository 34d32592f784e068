package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/twmb/franz-go/pkg/sr"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/serde"
	"github.com/sordini-go/sordini/serde/registry"
)

//nolint:dupword // a table of commands and what they do
const schemaUsage = `usage: sordini schema <command> [flags]

  check      ask whether a schema may be registered; status 1 where it may not
  register   register a schema
  ls         list subjects
  show       print a schema
  diff       compare two versions of a subject
  save       write schemas to a file for work without a registry

sordini schema <command> -h shows a command's flags
`

// runSchema runs "sordini schema".
func runSchema(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	if len(args) == 0 {
		fmt.Fprint(stderr, schemaUsage)
		return errUsage
	}
	run := map[string]func(context.Context, *schemaFlags, []string, io.Writer) error{
		"check": checkSchema, "register": registerSchema, "ls": listSchemas, "show": showSchema, "diff": diffSchemas, "save": saveSchemas,
	}[args[0]]
	switch {
	case run != nil:
		return run(ctx, newSchemaFlags("sordini schema "+args[0], stderr), args[1:], stdout)
	case args[0] == "-h" || args[0] == "-help" || args[0] == "--help" || args[0] == "help":
		fmt.Fprint(stdout, schemaUsage)
		return flag.ErrHelp
	}
	fmt.Fprintf(stderr, "unknown command %q\n\n%s", args[0], schemaUsage)
	return errUsage
}

// envRegistry is where the registry is when no flag says it.
const envRegistry = "SCHEMA_REGISTRY_URL"

// schemaFlags are the flags that say which registry, which subject and which schema.
type schemaFlags struct {
	*flag.FlagSet
	url, subject, file, kind string
	normalize                bool
	references               []sr.SchemaReference
}

func newSchemaFlags(name string, stderr io.Writer) *schemaFlags {
	f := &schemaFlags{FlagSet: flag.NewFlagSet(name, flag.ContinueOnError)}
	f.SetOutput(stderr)
	f.StringVar(&f.url, "registry", "", "`URL` of the schema registry, with user and password where it wants them; several are separated by commas (default $"+envRegistry+")")
	return f
}

func (f *schemaFlags) takeSubject() {
	f.StringVar(&f.subject, "subject", "", "the `subject`, such as orders-value")
}

func (f *schemaFlags) takeSchema() {
	f.takeSubject()
	f.StringVar(&f.file, "file", "", "the `file` with the schema; - for stdin")
	f.StringVar(&f.kind, "type", "", "AVRO, PROTOBUF or JSON; by default after the file's name: .avsc, .proto, .json")
	f.BoolVar(&f.normalize, "normalize", false, "let the registry compare and store the schema in normal form")
	f.Func("reference", "a schema that this one refers to, `name=subject:version`; may be repeated", func(s string) error {
		name, target, ok := strings.Cut(s, "=")
		at := strings.LastIndexByte(target, ':')
		if !ok || at < 0 {
			return fmt.Errorf("%q is not name=subject:version", s)
		}
		version, err := strconv.Atoi(target[at+1:])
		if err != nil || version < 1 {
			return fmt.Errorf("%q is not name=subject:version", s)
		}
		f.references = append(f.references, sr.SchemaReference{Name: name, Subject: target[:at], Version: version})
		return nil
	})
}

// settings says how the registry is reached.
func (f *schemaFlags) settings() (r serde.Registry, err error) {
	text := f.url
	if text == "" {
		text = os.Getenv(envRegistry)
	}
	if text == "" {
		return r, fmt.Errorf("which schema registry? Give -registry URL or set %s", envRegistry)
	}
	for s := range strings.SplitSeq(text, ",") {
		u, err := url.Parse(strings.TrimSpace(s))
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return r, errors.New("-registry is not a URL like https://registry:8081") // its text may hold a password
		}
		if u.User != nil {
			password, _ := u.User.Password()
			r.Username, r.Password = u.User.Username(), sordini.NewSecret(password)
			u.User = nil
		}
		r.URLs = append(r.URLs, u.String())
	}
	return r, nil
}

func (f *schemaFlags) client() (*registry.Client, error) {
	r, err := f.settings()
	if err != nil {
		return nil, err
	}
	return registry.For(r)
}

// require refuses a command line without one of the flags.
func (f *schemaFlags) require(args []string, names ...string) error {
	if err := parse(f.FlagSet, args); err != nil {
		return err
	}
	for _, n := range names {
		if f.Lookup(n).Value.String() == "" {
			fmt.Fprintf(f.Output(), "-%s is missing\n", n)
			f.Usage()
			return errUsage
		}
	}
	return nil
}

// schema reads the schema that the flags name.
func (f *schemaFlags) schema() (s sr.Schema, err error) {
	var text []byte
	if f.file == "-" {
		text, err = io.ReadAll(os.Stdin)
	} else {
		text, err = os.ReadFile(f.file)
	}
	if err != nil {
		return s, err
	}
	kind := strings.ToUpper(f.kind)
	if kind == "" {
		kind = map[string]string{".avsc": "AVRO", ".proto": "PROTOBUF", ".json": "JSON"}[filepath.Ext(f.file)]
	}
	s = sr.Schema{Schema: string(text), References: f.references}
	switch kind {
	case "AVRO":
		s.Type = sr.TypeAvro
	case "PROTOBUF":
		s.Type = sr.TypeProtobuf
	case "JSON":
		s.Type = sr.TypeJSON
	default:
		return s, fmt.Errorf("what is %s? Give -type AVRO, PROTOBUF or JSON", f.file)
	}
	return s, nil
}

// candidate reads a command line that names a subject and a schema for it.
func (f *schemaFlags) candidate(args []string) (*registry.Client, sr.Schema, error) {
	f.takeSchema()
	if err := f.require(args, "subject", "file"); err != nil {
		return nil, sr.Schema{}, err
	}
	s, err := f.schema()
	if err != nil {
		return nil, s, err
	}
	c, err := f.client()
	return c, s, err
}

func checkSchema(ctx context.Context, f *schemaFlags, args []string, stdout io.Writer) error {
	c, s, err := f.candidate(args)
	if err != nil {
		return err
	}
	if err := c.Check(ctx, f.subject, s, f.normalize); err != nil {
		return err
	}
	_, err = fmt.Fprintf(stdout, "%s may be registered under %s\n", f.file, f.subject)
	return err
}

func registerSchema(ctx context.Context, f *schemaFlags, args []string, stdout io.Writer) error {
	c, s, err := f.candidate(args)
	if err != nil {
		return err
	}
	registered, err := c.Register(ctx, f.subject, s, f.normalize)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(stdout, "%s is version %d of %s, schema id %d\n", f.file, registered.Version, f.subject, registered.ID)
	return err
}

func listSchemas(ctx context.Context, f *schemaFlags, args []string, stdout io.Writer) error {
	if err := f.require(args); err != nil {
		return err
	}
	c, err := f.client()
	if err != nil {
		return err
	}
	subjects, err := c.Subjects(ctx)
	if err != nil {
		return err
	}
	t := tabwriter.NewWriter(stdout, 0, 8, 2, ' ', 0)
	fmt.Fprintln(t, "SUBJECT\tVERSIONS\tTYPE\tID\tREFERENCES")
	for _, subject := range subjects {
		versions, err := c.Versions(ctx, subject)
		if err != nil {
			return err
		}
		s, err := c.Version(ctx, subject, 0)
		if err != nil {
			return err
		}
		var refs []string
		for _, r := range s.References {
			refs = append(refs, fmt.Sprintf("%s:%d", oneLine(r.Subject), r.Version))
		}
		fmt.Fprintf(t, "%s\t%s\t%v\t%d\t%s\n", oneLine(subject), strings.Trim(fmt.Sprint(versions), "[]"), s.Type, s.ID, strings.Join(refs, " "))
	}
	return t.Flush()
}

func showSchema(ctx context.Context, f *schemaFlags, args []string, stdout io.Writer) error {
	f.takeSubject()
	version := f.Int("version", 0, "the `version`; the latest by default")
	id := f.Int("id", 0, "the schema's `id`, in place of a subject")
	if err := f.require(args); err != nil {
		return err
	}
	if (f.subject == "") == (*id == 0) {
		fmt.Fprintln(f.Output(), "give either -subject or -id")
		return errUsage
	}
	c, err := f.client()
	if err != nil {
		return err
	}
	var s *registry.Schema
	if *id != 0 {
		s, err = c.Schema(ctx, registry.ID{Number: *id}, "")
	} else {
		s, err = c.Version(ctx, f.subject, *version)
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(stdout, strings.TrimRight(pretty(s.Schema.Schema), "\n"))
	return err
}

func diffSchemas(ctx context.Context, f *schemaFlags, args []string, stdout io.Writer) error {
	f.takeSubject()
	from := f.Int("from", 0, "the older `version`; the one before -to by default")
	to := f.Int("to", 0, "the newer `version`; the latest by default")
	if err := f.require(args, "subject"); err != nil {
		return err
	}
	c, err := f.client()
	if err != nil {
		return err
	}
	b, err := c.Version(ctx, f.subject, *to)
	if err != nil {
		return err
	}
	if *from == 0 {
		versions, err := c.Versions(ctx, f.subject)
		if err != nil {
			return err
		}
		for _, v := range versions {
			if v < b.Version {
				*from = v
			}
		}
		if *from == 0 {
			return fmt.Errorf("%s has no version before %d", f.subject, b.Version)
		}
	}
	a, err := c.Version(ctx, f.subject, *from)
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "--- %s version %d\n+++ %s version %d\n", f.subject, a.Version, f.subject, b.Version)
	for _, line := range difference(strings.Split(pretty(a.Schema.Schema), "\n"), strings.Split(pretty(b.Schema.Schema), "\n")) {
		if _, err := fmt.Fprintln(stdout, line); err != nil {
			return err
		}
	}
	return nil
}

func saveSchemas(ctx context.Context, f *schemaFlags, args []string, stdout io.Writer) error {
	var subjects []string
	f.Func("subject", "save this `subject` and what it refers to; may be repeated; all by default", func(s string) error {
		subjects = append(subjects, s)
		return nil
	})
	if err := f.require(args); err != nil {
		return err
	}
	r, err := f.settings()
	if err != nil {
		return err
	}
	return registry.Save(ctx, r, stdout, subjects...)
}

// pretty indents a schema where it is JSON.
func pretty(schema string) string {
	var b bytes.Buffer
	if json.Indent(&b, []byte(schema), "", "  ") != nil {
		return schema
	}
	return b.String()
}

// difference shows two texts line by line: what only the first has after a minus, what only the second has after a plus.
func difference(a, b []string) (out []string) {
	common := make([][]int, len(a)+1) // lengths of the longest common ends
	for i := range common {
		common[i] = make([]int, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if common[i][j] = max(common[i+1][j], common[i][j+1]); a[i] == b[j] {
				common[i][j] = common[i+1][j+1] + 1
			}
		}
	}
	i, j := 0, 0
	for i < len(a) || j < len(b) {
		switch {
		case i < len(a) && j < len(b) && a[i] == b[j]:
			out = append(out, "  "+a[i])
			i, j = i+1, j+1
		case j == len(b) || i < len(a) && common[i+1][j] >= common[i][j+1]:
			out = append(out, "- "+a[i])
			i++
		default:
			out = append(out, "+ "+b[j])
			j++
		}
	}
	return out
}
