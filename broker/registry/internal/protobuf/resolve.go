package protobuf

import (
	"fmt"
	"strings"
)

// symbol is a type that a name can mean.
type symbol struct {
	full    string
	pkg     string
	from    string // the name of the reference that it comes from, "" for the schema itself
	message *message
	enum    *enum // both nil for a message that is known without a schema
	isEnum  bool
}

// resolver finds types and extensions by name.
type resolver struct {
	symbols    map[string]*symbol
	extensions map[string]*field
}

func newResolver() *resolver {
	return &resolver{symbols: make(map[string]*symbol), extensions: make(map[string]*field)}
}

// add takes what a file declares.
func (r *resolver) add(f *File, from string) {
	for _, e := range f.extends {
		r.addExtensions(e, f.pkg)
		for _, g := range e.groups {
			r.addTypes([]*message{g.body}, nil, f.pkg, f.pkg, from)
		}
	}
	r.addTypes(f.messages, f.enums, f.pkg, f.pkg, from)
}

func (r *resolver) addExtensions(e *extend, scope string) {
	for _, f := range e.fields {
		r.extensions[join(scope, f.name)] = f
	}
}

func (r *resolver) addTypes(ms []*message, es []*enum, scope, pkg, from string) {
	for _, e := range es {
		full := join(scope, e.name)
		r.symbols[full] = &symbol{full: full, pkg: pkg, from: from, enum: e, isEnum: true}
	}
	for _, m := range ms {
		full := join(scope, m.name)
		r.symbols[full] = &symbol{full: full, pkg: pkg, from: from, message: m}
		for _, e := range m.extends {
			r.addExtensions(e, full)
		}
		r.addTypes(m.messages, m.enums, full, pkg, from)
		for _, g := range m.allGroups() {
			r.addTypes([]*message{g.body}, nil, full, pkg, from)
		}
	}
}

// allGroups are a message's groups, also those in its oneofs and extensions.
func (m *message) allGroups() []*group {
	gs := m.groups
	for _, o := range m.oneofs {
		gs = append(gs[:len(gs):len(gs)], o.groups...)
	}
	for _, e := range m.extends {
		gs = append(gs[:len(gs):len(gs)], e.groups...)
	}
	return gs
}

// lookup finds a name from within a scope: the innermost that has it.
func lookup[T any](names map[string]T, name, scope string) (found T, full string, ok bool) {
	if absolute, is := strings.CutPrefix(name, "."); is {
		found, ok = names[absolute]
		return found, absolute, ok
	}
	for {
		full = join(scope, name)
		if found, ok = names[full]; ok || scope == "" {
			return found, full, ok
		}
		scope = scope[:max(strings.LastIndexByte(scope, '.'), 0)]
	}
}

// symbol finds a type, nil where there is none.
func (r *resolver) symbol(name, scope string) *symbol {
	s, _, _ := lookup(r.symbols, name, scope)
	return s
}

// full is a type's full name with a dot in front. A name that is not found stays as it is.
func (r *resolver) full(name, scope string) string {
	if s := r.symbol(name, scope); s != nil {
		return "." + s.full
	}
	return name
}

// extension is the full name of an extension, "" where there is none.
func (r *resolver) extension(name, scope string) string {
	if _, full, ok := lookup(r.extensions, name, scope); ok {
		return full
	}
	return ""
}

// mapEntry returns the message that stands for a map's entries, if the type is one.
func (r *resolver) mapEntry(name, scope string) *message {
	if s := r.symbol(name, scope); s != nil && s.message != nil && isTrue(s.message.options, "map_entry") && len(s.message.fields) == 2 {
		return s.message
	}
	return nil
}

// check finds types that are not there.
func (r *resolver) check(f *File) error {
	if err := r.checkTypes(f.messages, f.pkg); err != nil {
		return err
	}
	for _, e := range f.extends {
		if err := r.checkExtend(e, f.pkg); err != nil {
			return err
		}
	}
	for _, s := range f.services {
		for _, m := range s.methods {
			for _, t := range []string{m.input, m.output} {
				if err := r.checkType(t, f.pkg, s.name+"."+m.name); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (r *resolver) checkType(name, scope, where string) error {
	if scalars[name] || r.symbol(name, scope) != nil {
		return nil
	}
	return fmt.Errorf("could not resolve type %s of %s", name, where)
}

func (r *resolver) checkTypes(ms []*message, scope string) error {
	for _, m := range ms {
		full := join(scope, m.name)
		if err := r.checkMessage(m, full); err != nil {
			return err
		}
	}
	return nil
}

func (r *resolver) checkMessage(m *message, full string) error {
	for _, f := range m.allFields() {
		t := f.typ
		if t == typeMap {
			t = f.val
		}
		if err := r.checkType(t, full, full+"."+f.name); err != nil {
			return err
		}
	}
	for _, g := range m.allGroups() {
		if err := r.checkMessage(g.body, join(full, g.name)); err != nil {
			return err
		}
	}
	for _, e := range m.extends {
		if err := r.checkExtend(e, full); err != nil {
			return err
		}
	}
	return r.checkTypes(m.messages, full)
}

func (r *resolver) checkExtend(e *extend, scope string) error {
	if err := r.checkType(e.name, scope, "an extension"); err != nil {
		return err
	}
	for _, f := range e.fields {
		if err := r.checkType(f.typ, scope, f.name); err != nil {
			return err
		}
	}
	return nil
}

// allFields are a message's fields, also those in its oneofs.
func (m *message) allFields() []*field {
	fs := m.fields
	for _, o := range m.oneofs {
		fs = append(fs[:len(fs):len(fs)], o.fields...)
	}
	return fs
}
