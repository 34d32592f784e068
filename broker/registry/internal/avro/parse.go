package avro

import (
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/sordini-go/sordini/broker/registry/internal/jsontree"
)

// maxNodes bounds the size of a schema together with its references.
const maxNodes = 100_000

// Options say how strictly to parse.
type Options struct {
	// Strict refuses names that the specification does not allow, and defaults that do not fit their field. A registry is strict with new schemas
	// and lenient with those that it holds.
	Strict bool
}

// Parse reads a schema. References are the texts of the schemas that it may name, each after those that it refers to itself.
func Parse(text string, references []string, opts Options) (*Schema, error) {
	p := parser{opts: opts, named: make(map[string]*schema)}
	for _, r := range references {
		v, err := jsontree.Parse(r)
		if err != nil {
			return nil, fmt.Errorf("reference: %w", err)
		}
		if _, err := p.schema(v, ""); err != nil {
			return nil, fmt.Errorf("reference: %w", err)
		}
	}
	s := &Schema{references: make(map[string]bool, len(p.named))}
	for n := range p.named {
		s.references[n] = true
	}
	v, err := jsontree.Parse(text)
	if err != nil {
		return nil, err
	}
	s.root, err = p.schema(v, "")
	s.named = p.named
	return s, err
}

type parser struct {
	opts  Options
	named map[string]*schema
	nodes int
}

func (p *parser) schema(v *jsontree.Value, space string) (*schema, error) {
	if p.nodes++; p.nodes > maxNodes {
		return nil, errors.New("schema has too many nodes")
	}
	switch v.Kind {
	case jsontree.String:
		return p.byName(v.Text, space)
	case jsontree.Array:
		return p.union(v, space)
	case jsontree.Object:
		return p.object(v, space)
	}
	return nil, fmt.Errorf("schema not yet supported: %s", v)
}

func (p *parser) byName(s, space string) (*schema, error) {
	if t := Type(s); t.primitive() {
		return &schema{typ: t}, nil
	}
	n := newName(s, space)
	if found := p.named[n.full()]; found != nil {
		return found, nil
	}
	// A name without a namespace may mean the null namespace.
	if found := p.named[s]; found != nil {
		return found, nil
	}
	return nil, fmt.Errorf("undefined name: %q", n.full())
}

func (p *parser) union(v *jsontree.Value, space string) (*schema, error) {
	s := &schema{typ: Union}
	seen := make(map[string]bool)
	for _, it := range v.Items {
		b, err := p.schema(it, space)
		if err != nil {
			return nil, err
		}
		key := string(b.typ)
		if b.typ.named() {
			key = "." + b.name.full()
		}
		switch {
		case b.typ == Union:
			return nil, fmt.Errorf("nested union: %s", v)
		case seen[key]:
			return nil, fmt.Errorf("duplicate in union: %s", it)
		}
		seen[key] = true
		s.types = append(s.types, b)
	}
	return s, nil
}

// reserved are the attributes of a schema that are not properties.
var reserved = []string{"doc", "fields", "items", "name", "namespace", "size", "symbols", "values", "type", "aliases"}

func (p *parser) object(v *jsontree.Value, space string) (*schema, error) {
	t := v.Get("type")
	if !t.Is(jsontree.String) {
		return nil, fmt.Errorf("no type: %s", v)
	}
	s := &schema{typ: Type(t.Text)}
	var err error
	switch {
	case s.typ.primitive():
	case s.typ.named():
		err = p.define(s, v, space)
	case s.typ == Array:
		err = p.inner(s, v, "items", space)
	case s.typ == Map:
		err = p.inner(s, v, "values", space)
	default: // {"type": "some.Name"}
		return p.byName(t.Text, space)
	}
	if err != nil {
		return nil, err
	}
	for _, m := range v.Members {
		if !slices.Contains(reserved, m.Name) && (s.typ != Enum || m.Name != "default") {
			s.props = append(s.props, m)
		}
	}
	return s, nil
}

func (p *parser) inner(s *schema, v *jsontree.Value, attribute, space string) (err error) {
	it := v.Get(attribute)
	if it == nil {
		return fmt.Errorf("%s without %s: %s", s.typ, attribute, v)
	}
	s.items, err = p.schema(it, space)
	return err
}

// define reads a record, an enum or a fixed.
func (p *parser) define(s *schema, v *jsontree.Value, space string) error {
	base := v.Get("name")
	if !base.Is(jsontree.String) || base.Text == "" {
		return fmt.Errorf("no name in schema: %s", v)
	}
	if ns := v.Get("namespace"); ns.Is(jsontree.String) {
		space = ns.Text
	}
	s.name = newName(base.Text, space)
	if err := p.checkName(s.name.base); err != nil {
		return err
	}
	if d := v.Get("doc"); d.Is(jsontree.String) {
		s.doc = &d.Text
	}
	aliases, err := stringsOf(v, "aliases")
	if err != nil {
		return err
	}
	for _, a := range aliases {
		if n := newName(a, s.name.space); !slices.Contains(s.aliases, n) {
			s.aliases = append(s.aliases, n)
		}
	}
	full := s.name.full()
	if Type(full).primitive() {
		return fmt.Errorf("schemas may not be named after primitives: %s", full)
	}
	if p.named[full] != nil {
		return fmt.Errorf("can't redefine: %s", full)
	}
	p.named[full] = s
	switch s.typ {
	case Enum:
		return p.enum(s, v)
	case Fixed:
		n := v.Get("size")
		if !n.Is(jsontree.Number) {
			return fmt.Errorf("invalid or no size: %s", v)
		}
		if size, err := strconv.ParseInt(n.Text, 10, 32); err != nil || size < 0 {
			return fmt.Errorf("invalid size of fixed %s: %s", full, n.Text)
		}
		s.size = n.Text
		return nil
	}
	return p.fields(s, v)
}

func (p *parser) enum(s *schema, v *jsontree.Value) error {
	symbols := v.Get("symbols")
	if !symbols.Is(jsontree.Array) {
		return fmt.Errorf("enum has no symbols: %s", v)
	}
	seen := make(map[string]bool)
	for _, it := range symbols.Items {
		if it.Kind != jsontree.String {
			return fmt.Errorf("enum %s: a symbol must be a string, not %s", s.name.full(), it)
		}
		if err := p.checkName(it.Text); err != nil {
			return err
		}
		if seen[it.Text] {
			return fmt.Errorf("duplicate enum symbol: %s", it.Text)
		}
		seen[it.Text] = true
		s.symbols = append(s.symbols, it.Text)
	}
	if d := v.Get("default"); d != nil {
		text := d.Text
		s.def = &text
		if !seen[text] {
			return fmt.Errorf("the enum default %s is not in the enum symbol set of %s", d, s.name.full())
		}
	}
	return nil
}

// fieldReserved are the attributes of a field that are not properties.
var fieldReserved = []string{"default", "doc", "name", "order", "type", "aliases"}

func (p *parser) fields(s *schema, v *jsontree.Value) error {
	fields := v.Get("fields")
	if !fields.Is(jsontree.Array) {
		return fmt.Errorf("record has no fields: %s", v)
	}
	seen := make(map[string]bool)
	for _, it := range fields.Items {
		f, err := p.field(s, it)
		if err != nil {
			return err
		}
		if seen[f.name] {
			return fmt.Errorf("duplicate field %s in record %s", f.name, s.name.full())
		}
		seen[f.name] = true
		s.fields = append(s.fields, f)
	}
	return nil
}

func (p *parser) field(s *schema, v *jsontree.Value) (*field, error) {
	n := v.Get("name")
	if !n.Is(jsontree.String) {
		return nil, fmt.Errorf("no field name: %s", v)
	}
	if err := p.checkName(n.Text); err != nil {
		return nil, err
	}
	f := &field{name: n.Text}
	t := v.Get("type")
	if t == nil {
		return nil, fmt.Errorf("no field type: %s", v)
	}
	if t.Kind == jsontree.String && !Type(t.Text).primitive() && p.named[newName(t.Text, s.name.space).full()] == nil && p.named[t.Text] == nil {
		return nil, fmt.Errorf("%q is not a defined name: the type of the %q field must be a defined name or a {\"type\": ...} expression", t.Text, n.Text)
	}
	var err error
	if f.typ, err = p.schema(t, s.name.space); err != nil {
		return nil, err
	}
	if d := v.Get("doc"); d.Is(jsontree.String) {
		f.doc = &d.Text
	}
	if o := v.Get("order"); o != nil {
		switch o.Str() {
		case "ascending":
		case "descending", "ignore":
			f.order = o.Text
		default:
			return nil, fmt.Errorf("field %s: order %s is not ascending, descending or ignore", f.name, o)
		}
	}
	if f.aliases, err = stringsOf(v, "aliases"); err != nil {
		return nil, err
	}
	f.aliases = distinct(f.aliases)
	if f.def = v.Get("default"); f.def != nil && p.opts.Strict && !validDefault(f.typ, f.def, 0) {
		return nil, fmt.Errorf("invalid default for field %s: %s not a %s", f.name, f.def, f.typ.describe())
	}
	for _, m := range v.Members {
		if !slices.Contains(fieldReserved, m.Name) {
			f.props = append(f.props, m)
		}
	}
	return f, nil
}

func (p *parser) checkName(s string) error {
	if !p.opts.Strict {
		return nil
	}
	if s == "" {
		return errors.New("empty name")
	}
	for i, r := range s {
		switch {
		case r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r == '_' || i > 0 && r >= '0' && r <= '9':
		case i == 0:
			return fmt.Errorf("illegal initial character: %s", s)
		default:
			return fmt.Errorf("illegal character in: %s", s)
		}
	}
	return nil
}

func stringsOf(v *jsontree.Value, attribute string) ([]string, error) {
	a := v.Get(attribute)
	if a == nil || a.Kind == jsontree.Null {
		return nil, nil
	}
	if a.Kind != jsontree.Array {
		return nil, fmt.Errorf("%s not an array: %s", attribute, v)
	}
	var ss []string
	for _, it := range a.Items {
		if it.Kind != jsontree.String {
			return nil, fmt.Errorf("%s: not a string: %s", attribute, it)
		}
		ss = append(ss, it.Text)
	}
	return ss, nil
}

func distinct(ss []string) (out []string) {
	for _, s := range ss {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}
