package avro

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Problem is a reason why a reader cannot read what a writer wrote.
type Problem struct {
	// Type is the kind of problem under the Java implementation's name, such as "MISSING_UNION_BRANCH".
	Type string
	// Path leads through the reader, such as "/fields/0/type".
	Path string
	// Detail is what the type and the path do not say.
	Detail string
}

// maxProblems bounds what is said of one pair: a pair that is reached by many ways counts for each, and ways multiply.
const maxProblems = 100

const (
	nameMismatch   = "NAME_MISMATCH"
	sizeMismatch   = "FIXED_SIZE_MISMATCH"
	missingSymbols = "MISSING_ENUM_SYMBOLS"
	missingDefault = "READER_FIELD_MISSING_DEFAULT_VALUE"
	typeMismatch   = "TYPE_MISMATCH"
	missingBranch  = "MISSING_UNION_BRANCH"
	tooComplex     = "TOO_COMPLEX"
)

// Read returns why a reader that has schema s cannot read what was written with writer, nothing where it can.
func (s *Schema) Read(writer *Schema) []Problem {
	c := checker{memo: make(map[pair]*verdict), budget: maxPairs}
	return c.check(s.root, writer.root, nil)
}

type pair struct{ reader, writer *schema }

// verdict is what is known of a pair; while it is being found out, the pair counts as compatible, or recursion would not end.
type verdict struct{ problems []Problem }

type checker struct {
	memo   map[pair]*verdict
	budget int
}

// maxPairs is how many pairs are compared: two unions of n types each have n² of them.
const maxPairs = 300_000

func (c *checker) check(r, w *schema, path []string) []Problem {
	if c.budget--; c.budget < 0 {
		return []Problem{{tooComplex, at(path), "too many types to be compared"}}
	}
	key := pair{r, w}
	if v := c.memo[key]; v != nil {
		return v.problems
	}
	v := new(verdict)
	c.memo[key] = v
	v.problems = c.compare(r, w, path)
	if len(v.problems) > maxProblems {
		v.problems = v.problems[:maxProblems]
	}
	return v.problems
}

func at(path []string) string { return "/" + strings.Join(path, "/") }

// into extends a path; a path is shared by what lies below it, so it is never appended to in place.
func into(path []string, steps ...string) []string { return append(slices.Clip(path), steps...) }

func (c *checker) compare(r, w *schema, path []string) []Problem {
	if r.typ.kind() != w.typ.kind() {
		return c.promote(r, w, path)
	}
	switch r.typ.kind() {
	case Array:
		return c.check(r.items, w.items, into(path, "items"))
	case Map:
		return c.check(r.items, w.items, into(path, "values"))
	case Fixed:
		ps := sameName(r, w, path)
		if r.size != w.size {
			ps = append(ps, Problem{sizeMismatch, at(into(path, "size")), fmt.Sprintf("expected: %s, found: %s", w.size, r.size)})
		}
		return ps
	case Enum:
		return append(sameName(r, w, path), symbols(r, w, path)...)
	case Record:
		return append(sameName(r, w, path), c.record(r, w, path)...)
	case Union:
		var ps []Problem
		for i, b := range w.types {
			branch := into(path, strconv.Itoa(i))
			if len(c.check(r, b, branch)) > 0 {
				ps = append(ps, Problem{missingBranch, at(branch), "reader union lacking writer type: " + b.typ.String()})
			}
		}
		return ps
	}
	return nil
}

// promotions are the types that a reader of another type can take, from the specification's schema resolution.
var promotions = map[Type][]Type{
	Long:   {Int},
	Float:  {Int, Long},
	Double: {Int, Long, Float},
	Bytes:  {String},
	String: {Bytes},
}

// promote compares two different types.
func (c *checker) promote(r, w *schema, path []string) []Problem {
	if w.typ == Union { // the reader has to take every branch
		var ps []Problem
		for _, b := range w.types {
			ps = append(ps, c.check(r, b, path)...)
		}
		return ps
	}
	if r.typ == Union {
		for _, b := range r.types {
			if len(c.check(b, w, path)) == 0 {
				return nil
			}
		}
		return []Problem{{missingBranch, at(path), "reader union lacking writer type: " + w.typ.String()}}
	}
	if slices.Contains(promotions[r.typ], w.typ) {
		return nil
	}
	return []Problem{{typeMismatch, at(path), fmt.Sprintf("reader type: %s not compatible with writer type: %s", r.typ, w.typ)}}
}

// sameName compares names without their namespaces, or by the reader's aliases.
func sameName(r, w *schema, path []string) []Problem {
	if r.name.base == w.name.base || slices.Contains(r.aliases, w.name) {
		return nil
	}
	return []Problem{{nameMismatch, at(into(path, "name")), "expected: " + w.name.full()}}
}

func symbols(r, w *schema, path []string) []Problem {
	var missing []string
	for _, s := range w.symbols {
		if !slices.Contains(r.symbols, s) {
			missing = append(missing, s)
		}
	}
	if len(missing) == 0 || r.def != nil {
		return nil
	}
	slices.Sort(missing)
	return []Problem{{missingSymbols, at(into(path, "symbols")), "[" + strings.Join(missing, ", ") + "]"}}
}

func (c *checker) record(r, w *schema, path []string) (ps []Problem) {
	byName := make(map[string]*field, len(w.fields))
	for _, f := range w.fields {
		byName[f.name] = f
	}
	for i, f := range r.fields {
		here := into(path, "fields", strconv.Itoa(i))
		if written := writerField(byName, f); written != nil {
			ps = append(ps, c.check(f.typ, written.typ, into(here, "type"))...)
			continue
		}
		if f.def == nil && (f.typ.typ != Enum || f.typ.def == nil) {
			ps = append(ps, Problem{missingDefault, at(here), f.name})
		}
	}
	return ps
}

// writerField is what the writer calls a reader's field: by its name or one of its aliases.
func writerField(byName map[string]*field, f *field) *field {
	if w := byName[f.name]; w != nil {
		return w
	}
	for _, a := range f.aliases {
		if w := byName[a]; w != nil {
			return w
		}
	}
	return nil
}

// Explain says in a sentence what the problem is; reader and writer are what to call the two schemas.
func (p Problem) Explain(reader, writer string) string {
	switch p.Type {
	case nameMismatch:
		return fmt.Sprintf("The name of the schema has changed at '%s'", p.Path)
	case sizeMismatch:
		return fmt.Sprintf("The size of the fixed at '%s' in the %s schema is not that in the %s schema", p.Path, reader, writer)
	case missingSymbols:
		return fmt.Sprintf("The enum at '%s' in the %s schema lacks symbols %s of the %s schema and has no default", p.Path, reader, p.Detail, writer)
	case missingDefault:
		return fmt.Sprintf("The field '%s' at '%s' in the %s schema has no default value and is missing in the %s schema", p.Detail, p.Path, reader, writer)
	case missingBranch:
		return fmt.Sprintf("The union at '%s' in the %s schema lacks a type of the %s schema", p.Path, reader, writer)
	}
	return fmt.Sprintf("The type at '%s' in the %s schema cannot take that in the %s schema", p.Path, reader, writer)
}
