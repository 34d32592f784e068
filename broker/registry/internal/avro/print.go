package avro

import (
	"slices"
	"strings"

	"github.com/sordini-go/sordini/broker/registry/internal/jsontree"
)

// Canonical writes the schema as the Java implementation prints it: attributes in a fixed order, everything that means nothing left out, what the
// references define by name. Two texts with the same canonical form are one schema to the registry.
func (s *Schema) Canonical() string { return s.print(s.references, false) }

// Resolved is the canonical form with the references written out.
func (s *Schema) Resolved() string { return s.print(nil, false) }

// Normalized is the canonical form with aliases and properties sorted.
func (s *Schema) Normalized() string { return s.print(s.references, true) }

// Equivalent says whether two schemas are the same but for the order of what has none, and for what they refer to and what they write out.
func (s *Schema) Equivalent(o *Schema) bool { return s.print(nil, true) == o.print(nil, true) }

func (s *Schema) print(known map[string]bool, normalize bool) string {
	p := printer{known: make(map[string]bool), normalize: normalize}
	for n := range known {
		p.known[n] = true
	}
	p.schema(s.root, "")
	return string(p.dst)
}

// describe writes one schema for an error message.
func (s *schema) describe() string {
	p := printer{known: make(map[string]bool)}
	p.schema(s, "")
	if len(p.dst) > 200 {
		return string(p.dst[:200]) + "…"
	}
	return string(p.dst)
}

type printer struct {
	dst       []byte
	known     map[string]bool
	normalize bool
}

func (p *printer) raw(s string)            { p.dst = append(p.dst, s...) }
func (p *printer) str(s string)            { p.dst = jsontree.AppendString(p.dst, s) }
func (p *printer) value(v *jsontree.Value) { p.dst = p.ordered(v).Append(p.dst) }

func (p *printer) ordered(v *jsontree.Value) *jsontree.Value {
	if p.normalize {
		return v.Sorted()
	}
	return v
}

// schema writes a node; space is the namespace that a name inherits there.
func (p *printer) schema(s *schema, space string) {
	switch {
	case s.typ == Union:
		p.raw("[")
		for i, b := range s.types {
			if i > 0 {
				p.raw(",")
			}
			p.schema(b, space)
		}
		p.raw("]")
		return
	case s.typ.primitive() && len(s.props) == 0:
		p.str(string(s.typ))
		return
	case s.typ.named() && p.known[s.name.full()]:
		p.str(s.name.within(space))
		return
	}
	p.raw(`{"type":`)
	p.str(string(s.typ))
	switch s.typ {
	case Array:
		p.raw(`,"items":`)
		p.schema(s.items, space)
	case Map:
		p.raw(`,"values":`)
		p.schema(s.items, space)
	}
	if s.typ.named() {
		p.definition(s, space)
	}
	p.props(s.props, true)
	if len(s.aliases) > 0 {
		names := make([]string, len(s.aliases))
		aliases := s.aliases
		if p.normalize {
			aliases = slices.Clone(aliases)
			slices.SortFunc(aliases, func(a, b name) int { return strings.Compare(a.full(), b.full()) })
		}
		for i, a := range aliases {
			names[i] = a.within(s.name.space)
		}
		p.strings("aliases", names)
	}
	p.raw("}")
}

// definition writes what a named schema has beside its type.
func (p *printer) definition(s *schema, space string) {
	p.known[s.name.full()] = true
	p.raw(`,"name":`)
	p.str(s.name.base)
	if s.name.space != space {
		p.raw(`,"namespace":`)
		p.str(s.name.space)
	}
	if s.doc != nil && (*s.doc != "" || !p.normalize) {
		p.raw(`,"doc":`)
		p.str(*s.doc)
	}
	switch s.typ {
	case Enum:
		p.strings("symbols", s.symbols)
		if s.def != nil {
			p.raw(`,"default":`)
			p.str(*s.def)
		}
	case Fixed:
		p.raw(`,"size":` + s.size)
	default:
		p.raw(`,"fields":[`)
		for i, f := range s.fields {
			if i > 0 {
				p.raw(",")
			}
			p.field(f, s.name.space)
		}
		p.raw("]")
	}
}

func (p *printer) field(f *field, space string) {
	p.raw(`{"name":`)
	p.str(f.name)
	p.raw(`,"type":`)
	p.schema(f.typ, space)
	if f.doc != nil {
		p.raw(`,"doc":`)
		p.str(*f.doc)
	}
	if f.def != nil {
		p.raw(`,"default":`)
		p.value(f.def)
	}
	if f.order != "" {
		p.raw(`,"order":`)
		p.str(f.order)
	}
	if len(f.aliases) > 0 {
		aliases := f.aliases
		if p.normalize {
			aliases = slices.Sorted(slices.Values(aliases))
		}
		p.strings("aliases", aliases)
	}
	p.props(f.props, false)
	p.raw("}")
}

// first are the properties of a logical type, which stand before the others in the normalised form.
var first = []string{"logicalType", "precision", "scale"}

func (p *printer) props(props []jsontree.Member, logical bool) {
	if p.normalize && len(props) > 1 {
		rank := func(name string) int {
			if i := slices.Index(first, name); i >= 0 && logical {
				return i
			}
			return len(first)
		}
		props = slices.Clone(props)
		slices.SortFunc(props, func(a, b jsontree.Member) int {
			if r := rank(a.Name) - rank(b.Name); r != 0 {
				return r
			}
			return strings.Compare(a.Name, b.Name)
		})
	}
	for _, m := range props {
		p.raw(",")
		p.str(m.Name)
		p.raw(":")
		p.value(m.Value)
	}
}

func (p *printer) strings(name string, ss []string) {
	p.raw(`,"` + name + `":[`)
	for i, s := range ss {
		if i > 0 {
			p.raw(",")
		}
		p.str(s)
	}
	p.raw("]")
}
