package avro

import (
	"fmt"
	"slices"
	"sync"

	"github.com/twmb/avro"
)

// partial decodes where a writer's schema does not resolve as a whole, but some of its values do: the specification judges the branch of a union and the
// symbol of an enum by the value that was written, so that ["null","long"] is read as a long until a null comes. Each value is decoded as it was written,
// and written again with a schema that has only the branches and symbols that it uses; that one resolves, or the value does not.
type partial struct {
	writer, reader *avro.Schema
	root           avro.SchemaNode
	named          map[string]*avro.SchemaNode

	mu       sync.Mutex // guards resolved
	resolved map[string]*avro.Schema
}

// maxNarrowed bounds how many narrowed schemas are remembered.
const maxNarrowed = 1000

// newPartial returns nil where the writer's schema leaves nothing to the value.
func newPartial(writer, reader *avro.Schema) *partial {
	p := &partial{writer: writer, reader: reader, root: *writer.Root(), named: make(map[string]*avro.SchemaNode), resolved: make(map[string]*avro.Schema)}
	depends := false
	var visit func(*avro.SchemaNode)
	visit = func(n *avro.SchemaNode) {
		depends = depends || n.Type == "enum" || len(n.Branches) > 0
		if n.Name != "" {
			p.named[fullName(n)] = n
		}
		for _, c := range children(n) {
			visit(c)
		}
	}
	visit(&p.root)
	if !depends {
		return nil
	}
	return p
}

func children(n *avro.SchemaNode) (out []*avro.SchemaNode) {
	for i := range n.Fields {
		out = append(out, &n.Fields[i].Type)
	}
	for i := range n.Branches {
		out = append(out, &n.Branches[i])
	}
	for _, c := range []*avro.SchemaNode{n.Items, n.Values} {
		if c != nil {
			out = append(out, c)
		}
	}
	return out
}

// fullName is the name by which a union's value is tagged.
func fullName(n *avro.SchemaNode) string {
	switch {
	case n.Name == "":
		return n.Type
	case n.Namespace != "":
		return n.Namespace + "." + n.Name
	}
	return n.Name
}

// use notes which branches of a union and which symbols of an enum a value has, by node.
type use map[*avro.SchemaNode]map[string]bool

func (u use) add(n *avro.SchemaNode, name string) {
	if u[n] == nil {
		u[n] = make(map[string]bool)
	}
	u[n][name] = true
}

// walk goes through a value along its schema.
func (p *partial) walk(u use, n *avro.SchemaNode, v any) {
	if def := p.named[n.Type]; def != nil {
		n = def
	}
	switch v := v.(type) {
	case nil:
		if len(n.Branches) > 0 {
			u.add(n, "null")
		}
	case string:
		if n.Type == "enum" {
			u.add(n, v)
		}
	case []any:
		for _, e := range v {
			p.walk(u, n.Items, e)
		}
	case map[string]any:
		switch {
		case len(n.Branches) > 0:
			for name, e := range v {
				u.add(n, name)
				for i := range n.Branches {
					if fullName(&n.Branches[i]) == name {
						p.walk(u, &n.Branches[i], e)
					}
				}
			}
		case n.Values != nil:
			for _, e := range v {
				p.walk(u, n.Values, e)
			}
		default:
			for i := range n.Fields {
				p.walk(u, &n.Fields[i].Type, v[n.Fields[i].Name])
			}
		}
	}
}

// narrowed copies a node without what is not used.
func (u use) narrowed(n *avro.SchemaNode) avro.SchemaNode {
	c := *n
	used := u[n]
	if n.Type == "enum" {
		c.Symbols = keep(n.Symbols, func(s string) bool { return used[s] })
		c.HasEnumDefault, c.EnumDefault = false, ""
	}
	if len(n.Branches) > 0 {
		c.Branches = nil
		for _, b := range keep(refs(n.Branches), func(b *avro.SchemaNode) bool { return used[fullName(b)] }) {
			c.Branches = append(c.Branches, u.narrowed(b))
		}
	}
	c.Fields = slices.Clone(n.Fields)
	for i := range c.Fields {
		c.Fields[i].Type = u.narrowed(&n.Fields[i].Type)
		c.Fields[i].HasDefault, c.Fields[i].Default = false, nil
	}
	if n.Items != nil {
		items := u.narrowed(n.Items)
		c.Items = &items
	}
	if n.Values != nil {
		values := u.narrowed(n.Values)
		c.Values = &values
	}
	return c
}

func refs(ns []avro.SchemaNode) (out []*avro.SchemaNode) {
	for i := range ns {
		out = append(out, &ns[i])
	}
	return out
}

// keep returns what is used, and the last where nothing is: no value will ask for it.
func keep[E any](all []E, used func(E) bool) (out []E) {
	for _, e := range all {
		if used(e) {
			out = append(out, e)
		}
	}
	if out == nil {
		out = all[len(all)-1:]
	}
	return out
}

// narrow returns a record as if it had been written with a schema that has only what it uses, and that schema, resolved.
func (p *partial) narrow(src []byte) (*avro.Schema, []byte, error) {
	var v any
	left, err := p.writer.Decode(src, &v, avro.TaggedUnions())
	if err != nil {
		return nil, nil, err
	}
	if len(left) > 0 {
		return nil, nil, fmt.Errorf("%d bytes follow the record", len(left))
	}
	u := make(use)
	p.walk(u, &p.root, v)
	node := u.narrowed(&p.root)
	schema, err := node.Schema()
	if err != nil {
		return nil, nil, err
	}
	resolved, err := p.resolve(schema)
	if err != nil {
		return nil, nil, err
	}
	out, err := schema.AppendEncode(nil, v)
	return resolved, out, err
}

func (p *partial) resolve(narrowed *avro.Schema) (*avro.Schema, error) {
	key := narrowed.String()
	p.mu.Lock()
	defer p.mu.Unlock()
	if s := p.resolved[key]; s != nil {
		return s, nil
	}
	s, err := avro.Resolve(narrowed, p.reader)
	if err == nil && len(p.resolved) < maxNarrowed {
		p.resolved[key] = s
	}
	return s, err
}
