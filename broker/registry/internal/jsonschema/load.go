package jsonschema

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/sordini-go/sordini/broker/registry/internal/jsontree"
)

// Reference is a schema that another refers to by name.
type Reference struct {
	Name string
	Text string
}

// Schema is a schema with all that it refers to. It is not changed any more, so it is safe for concurrent use.
type Schema struct {
	tree *jsontree.Value
	root *node
}

// Parse reads a schema. Every $ref must lead into it, into a reference or to the meta-schema of a draft; nothing is fetched.
func Parse(text string, references []Reference) (*Schema, error) {
	tree, err := jsontree.Parse(text)
	if err != nil {
		return nil, err
	}
	if tree.Kind != jsontree.Object && tree.Kind != jsontree.Bool {
		return nil, errors.New("invalid JSON schema: expected an object or boolean at the root")
	}
	l := &loader{documents: make(map[string]*document), loaded: make(map[*jsontree.Value]*node)}
	root, err := l.add(defaultBase, tree)
	if err != nil {
		return nil, err
	}
	for _, r := range references {
		t, err := jsontree.Parse(r.Text)
		if err != nil {
			return nil, fmt.Errorf("reference %s: %w", r.Name, err)
		}
		// A name may be meant relative to the id of the schema that refers to it, or to nothing.
		for _, base := range []*url.URL{root.base, {}} {
			u, err := base.Parse(r.Name)
			if err != nil {
				return nil, fmt.Errorf("reference %s: %w", r.Name, err)
			}
			if _, err := l.add(u.String(), t); err != nil {
				return nil, fmt.Errorf("reference %s: %w", r.Name, err)
			}
		}
	}
	s := &Schema{tree: tree}
	if s.root, err = l.load(tree, root); err != nil {
		return nil, err
	}
	return s, l.resolve()
}

// Canonical is the schema without white space, members in their order.
func (s *Schema) Canonical() string { return s.tree.String() }

// Normalized is the canonical form with members sorted.
func (s *Schema) Normalized() string { return s.tree.Sorted().String() }

// ReservedField is the first property whose name begins with $$, "" where there is none.
func (s *Schema) ReservedField() string {
	for _, p := range s.root.properties {
		if strings.HasPrefix(p.name, "$$") {
			return p.name
		}
	}
	return ""
}

// defaultBase stands for a schema that says no id.
const defaultBase = "mem://input"

// document is a schema that references can lead into.
type document struct {
	tree   *jsontree.Value
	base   *url.URL
	modern bool // 2019-09 or later: what stands beside a $ref counts
	draft4 bool
	ids    map[string]*jsontree.Value // by their full URL, and anchors
}

// maxNodes bounds the size of a schema together with its references.
const maxNodes = 50_000

type loader struct {
	documents map[string]*document
	loaded    map[*jsontree.Value]*node
	pending   []pendingRef
	nodes     int
}

type pendingRef struct {
	node *node
	ref  string
	from *document
	base *url.URL
}

var errTooLarge = fmt.Errorf("schema has more than %d parts", maxNodes)

// add takes a document under a URL, and what it contains under its ids.
func (l *loader) add(location string, tree *jsontree.Value) (*document, error) {
	base, err := url.Parse(location)
	if err != nil {
		return nil, fmt.Errorf("location %q: %w", location, err)
	}
	base.Fragment = ""
	d := &document{tree: tree, ids: make(map[string]*jsontree.Value)}
	dialect := tree.Get("$schema").Str()
	d.modern = strings.Contains(dialect, "2019-09") || strings.Contains(dialect, "2020-12") || strings.Contains(dialect, "/next/")
	d.draft4 = strings.Contains(dialect, "draft-04")
	if d.base, err = base.Parse(strings.TrimSuffix(d.idOf(tree), "#")); err != nil {
		return nil, fmt.Errorf("id: %w", err)
	}
	l.documents[base.String()] = d
	l.documents[d.base.String()] = d
	d.collect(tree, d.base)
	return d, nil
}

// idOf is the id that a schema gives itself.
func (d *document) idOf(v *jsontree.Value) string {
	if d.draft4 {
		return v.Get("id").Str()
	}
	return v.Get("$id").Str()
}

// collect notes the ids and anchors within a document.
func (d *document) collect(v *jsontree.Value, base *url.URL) {
	if v.Kind == jsontree.Object {
		if id := d.idOf(v); id != "" {
			if u, err := base.Parse(id); err == nil {
				d.ids[strings.TrimSuffix(u.String(), "#")] = v
				base = u
			}
		}
		for _, a := range []string{"$anchor", "$dynamicAnchor"} {
			if anchor := v.Get(a).Str(); anchor != "" {
				u := *base
				u.Fragment = anchor
				d.ids[u.String()] = v
			}
		}
	}
	for _, it := range v.Items {
		d.collect(it, base)
	}
	for _, m := range v.Members {
		if m.Name != "enum" && m.Name != "const" {
			d.collect(m.Value, base)
		}
	}
}

// load makes the node of a schema.
func (l *loader) load(v *jsontree.Value, d *document) (*node, error) {
	if n := l.loaded[v]; n != nil {
		return n, nil
	}
	if l.nodes++; l.nodes > maxNodes {
		return nil, errTooLarge
	}
	n := new(node)
	l.loaded[v] = n
	switch v.Kind {
	case jsontree.Bool:
		n.kind = kindFalse
		if v.Text == "true" {
			n.kind = kindTrue
		}
		return n, nil
	case jsontree.Object:
		return n, l.object(n, v, d)
	}
	return nil, fmt.Errorf("expected a schema, found %s", shorten(v))
}

func shorten(v *jsontree.Value) string {
	s := v.String()
	if len(s) > 80 {
		s = s[:80] + "…"
	}
	return s
}

// resolve finds what references lead to. Loading that may find more references.
func (l *loader) resolve() error {
	for len(l.pending) > 0 {
		p := l.pending[0]
		l.pending = l.pending[1:]
		target, d, err := l.find(p)
		if err != nil {
			return err
		}
		if p.node.target, err = l.load(target, d); err != nil {
			return err
		}
	}
	return nil
}

// anything is what a meta-schema counts as.
var anything = &jsontree.Value{Kind: jsontree.Bool, Text: "true"}

func (l *loader) find(p pendingRef) (*jsontree.Value, *document, error) {
	bad := func(reason string) error { return fmt.Errorf("unresolved $ref %q: %s", p.ref, reason) }
	u, err := p.base.Parse(p.ref)
	if err != nil {
		return nil, nil, bad("it is not a URI")
	}
	full := strings.TrimSuffix(u.String(), "#")
	if strings.HasPrefix(strings.TrimPrefix(strings.TrimPrefix(full, "https"), "http"), "://json-schema.org/") {
		return anything, p.from, nil
	}
	for _, d := range l.candidates(p.from) {
		if v := d.ids[full]; v != nil {
			return v, d, nil
		}
	}
	fragment := u.Fragment
	u.Fragment, u.RawFragment = "", ""
	d, tree := l.documents[u.String()], (*jsontree.Value)(nil)
	if name, _, _ := strings.Cut(p.ref, "#"); d == nil && name != "" { // under the name that it was given with the schema
		d = l.documents[name]
	}
	switch {
	case d != nil:
		tree = d.tree
	case p.from.ids[u.String()] != nil: // a schema within the document that has an id
		d, tree = p.from, p.from.ids[u.String()]
	case u.Scheme == "http" || u.Scheme == "https":
		return nil, nil, bad("remote references are not fetched")
	default:
		return nil, nil, bad("there is no such schema")
	}
	v := pointer(tree, fragment)
	if v == nil {
		return nil, nil, bad("there is nothing at that place")
	}
	return v, d, nil
}

// candidates are the documents, the one that refers first.
func (l *loader) candidates(first *document) []*document {
	ds := []*document{first}
	for _, d := range l.documents {
		if d != first {
			ds = append(ds, d)
		}
	}
	return ds
}

// pointer follows a JSON pointer. Definitions are found under both names that drafts have given them.
func pointer(v *jsontree.Value, p string) *jsontree.Value {
	if p == "" {
		return v
	}
	if !strings.HasPrefix(p, "/") {
		return nil
	}
	for i, s := range strings.Split(p[1:], "/") {
		s = strings.NewReplacer("~1", "/", "~0", "~").Replace(s)
		var next *jsontree.Value
		switch v.Kind {
		case jsontree.Object:
			next = v.Get(s)
			if next == nil && i == 0 && s == "$defs" {
				next = v.Get("definitions")
			}
		case jsontree.Array:
			next = item(v, s)
		}
		if next == nil {
			return nil
		}
		v = next
	}
	return v
}

func item(v *jsontree.Value, s string) *jsontree.Value {
	n := 0
	for _, c := range s {
		if c < '0' || c > '9' || n > len(v.Items) {
			return nil
		}
		n = n*10 + int(c-'0')
	}
	if s == "" || n >= len(v.Items) {
		return nil
	}
	return v.Items[n]
}
