package protobuf

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Problem is a change that breaks readers.
type Problem struct {
	// Type is the kind of change under the name that Confluent's registry gives it, such as "FIELD_SCALAR_KIND_CHANGED".
	Type string
	// Path leads through the schema by names of messages and numbers of fields, such as "#/Order/3".
	Path string
}

const (
	packageChanged    = "PACKAGE_CHANGED"
	messageRemoved    = "MESSAGE_REMOVED"
	kindChanged       = "FIELD_KIND_CHANGED"
	scalarChanged     = "FIELD_SCALAR_KIND_CHANGED"
	namedChanged      = "FIELD_NAMED_TYPE_CHANGED"
	labelChanged      = "FIELD_NUMERIC_LABEL_CHANGED"
	requiredAdded     = "REQUIRED_FIELD_ADDED"
	requiredRemoved   = "REQUIRED_FIELD_REMOVED"
	oneofFieldRemoved = "ONEOF_FIELD_REMOVED"
	movedToOneof      = "MULTIPLE_FIELDS_MOVED_TO_ONEOF"
	movedToKnownOneof = "FIELD_MOVED_TO_EXISTING_ONEOF"
)

var explanations = map[string]string{
	packageChanged:    "The package of the %[1]s schema is not that of the %[2]s schema",
	messageRemoved:    "The %[1]s schema lacks a message that the %[2]s schema has",
	kindChanged:       "A field of the %[1]s schema is of another kind (scalar, message, map) than in the %[2]s schema",
	scalarChanged:     "The scalar type of a field in the %[1]s schema cannot take that in the %[2]s schema",
	namedChanged:      "The message type of a field in the %[1]s schema is not that in the %[2]s schema",
	labelChanged:      "The label of a numeric field in the %[1]s schema is not that in the %[2]s schema",
	requiredAdded:     "The %[1]s schema has a required field that the %[2]s schema lacks",
	requiredRemoved:   "The %[1]s schema lacks a required field of the %[2]s schema",
	oneofFieldRemoved: "A oneof of the %[1]s schema lacks a field that it has in the %[2]s schema",
	movedToOneof:      "A oneof of the %[1]s schema has several fields that stand outside of it in the %[2]s schema",
	movedToKnownOneof: "A oneof of the %[1]s schema has a field that stands outside of it in the %[2]s schema",
}

// Explain says in a sentence what the problem is; reader and writer are what to call the two schemas.
func (p Problem) Explain(reader, writer string) string {
	return fmt.Sprintf(explanations[p.Type], reader, writer) + " at '" + p.Path + "'"
}

// maxProblems bounds what is said of two schemas.
const maxProblems = 100

// Read returns the changes from writer to s that break a reader of s. What may be added, removed and renamed without breaking anything is not a problem:
// fields, enums and their values, messages that are new, oneofs as a whole.
func (s *Schema) Read(writer *Schema) []Problem {
	d := &differ{old: writer.types, new: s.types, compared: make(map[[2]*message]bool)}
	if writer.file.pkg != s.file.pkg {
		d.add(packageChanged)
	}
	d.types(writer.file.messages, s.file.messages, writer.file.pkg, s.file.pkg)
	return d.problems
}

// differ compares two schemas.
type differ struct {
	old, new *resolver
	path     []string
	problems []Problem
	compared map[[2]*message]bool // pairs of messages from references: whether they fit, true while they are being compared
}

func (d *differ) add(typ string) {
	if len(d.problems) < maxProblems {
		d.problems = append(d.problems, Problem{typ, "#/" + strings.Join(d.path, "/")})
	}
}

// in runs f with a step more in the path.
func (d *differ) in(step string, f func()) {
	d.path = append(d.path, step)
	f()
	d.path = d.path[:len(d.path)-1]
}

// types compares the messages of a file or a message. Where they stand does not matter: what is written names them by their place in the schema that it
// was written with.
func (d *differ) types(old, updated []*message, oldScope, newScope string) {
	byName := make(map[string]*message, len(updated))
	for _, m := range updated {
		byName[m.name] = m
	}
	for _, m := range old {
		d.in(m.name, func() {
			if n := byName[m.name]; n != nil {
				d.message(m, n, join(oldScope, m.name), join(newScope, m.name))
			} else if !isTrue(m.options, "map_entry") {
				d.add(messageRemoved)
			}
		})
	}
}

// place is where a field stands.
type place struct {
	field *field
	oneof string // "" for none
}

func places(m *message) map[int64]place {
	out := make(map[int64]place)
	for _, f := range m.fields {
		out[f.tag] = place{field: f}
	}
	for _, o := range m.oneofs {
		for _, f := range o.fields {
			out[f.tag] = place{f, o.name}
		}
	}
	return out
}

func (d *differ) message(old, updated *message, oldScope, newScope string) {
	before, after := places(old), places(updated)
	for _, o := range updated.oneofs {
		d.in(o.name, func() { d.exclusive(o, before) })
	}
	gone := vanished(old, updated, after)
	tags := maps.Clone(before)
	maps.Copy(tags, after)
	for _, tag := range slices.Sorted(maps.Keys(tags)) {
		was, isOld := before[tag]
		is, isNew := after[tag]
		number := strconv.FormatInt(tag, 10)
		switch {
		case !isNew && was.oneof != "":
			if !gone[was.oneof] {
				d.in(was.oneof, func() { d.in(number, func() { d.add(oneofFieldRemoved) }) })
			}
		case !isNew:
			if was.field.label == labelRequired {
				d.in(number, func() { d.add(requiredRemoved) })
			}
		case !isOld:
			if is.oneof == "" && is.field.label == labelRequired {
				d.in(number, func() { d.add(requiredAdded) })
			}
		case is.oneof != "":
			d.in(is.oneof, func() { d.in(number, func() { d.field(was.field, is.field, oldScope, newScope) }) })
		default:
			d.in(number, func() { d.field(was.field, is.field, oldScope, newScope) })
		}
	}
	d.types(old.messages, updated.messages, oldScope, newScope)
}

// exclusive finds fields that could be set together and cannot any more. Those of one old oneof could not before either, and new ones are in no old record.
func (d *differ) exclusive(o *oneof, before map[int64]place) {
	origins := make(map[string]bool)
	outside := 0
	for _, f := range o.fields {
		was, ok := before[f.tag]
		switch {
		case !ok:
		case was.oneof != "":
			origins["oneof "+was.oneof] = true
		default:
			origins[strconv.FormatInt(f.tag, 10)] = true
			outside++
		}
	}
	switch {
	case len(origins) < 2:
	case outside > 1:
		d.add(movedToOneof)
	default:
		d.add(movedToKnownOneof)
	}
}

// vanished are the old oneofs of which neither the name nor any field is left, which may go.
func vanished(old, updated *message, after map[int64]place) map[string]bool {
	gone := make(map[string]bool)
	for _, o := range old.oneofs {
		gone[o.name] = !slices.ContainsFunc(updated.oneofs, func(n *oneof) bool { return n.name == o.name }) &&
			!slices.ContainsFunc(o.fields, func(f *field) bool { _, stays := after[f.tag]; return stays })
	}
	return gone
}

// fieldType is a field's type with what its name means.
type fieldType struct {
	name     string
	key, val string // of a map
	symbol   *symbol
}

func typeOf(r *resolver, f *field, scope string) fieldType {
	if f.typ == typeMap {
		return fieldType{name: typeMap, key: f.key, val: f.val}
	}
	if entry := r.mapEntry(f.typ, scope); entry != nil {
		return fieldType{name: typeMap, key: entry.fields[0].typ, val: entry.fields[1].typ}
	}
	return named(r, f.typ, scope)
}

func named(r *resolver, name, scope string) fieldType {
	t := fieldType{name: name}
	if !scalars[name] {
		t.symbol = r.symbol(name, scope)
	}
	return t
}

// scalarKinds are the groups of scalars whose encodings can be read as each other. An enum is read as a general number.
var scalarKinds = map[string]string{
	"int32": "number", "int64": "number", "uint32": "number", "uint64": "number", "bool": "number", "sint32": "signed", "sint64": "signed",
	"string": "bytes", "bytes": "bytes", "fixed32": "fixed32", "sfixed32": "fixed32", "fixed64": "fixed64", "sfixed64": "fixed64",
	"float": "float", "double": "double",
}

// scalarKind is the group of a scalar or an enum, "" for everything else.
func (t fieldType) scalarKind() string {
	if t.symbol != nil && t.symbol.isEnum {
		return "number"
	}
	return scalarKinds[t.name]
}

func (t fieldType) isMap() bool { return t.name == typeMap }

func (d *differ) field(old, updated *field, oldScope, newScope string) {
	was, is := typeOf(d.old, old, oldScope), typeOf(d.new, updated, newScope)
	if d.typ(was, is, oldScope, newScope) && old.label != "" && updated.label != "" && old.label != updated.label {
		if k := was.scalarKind(); k != "" && k != "bytes" {
			d.add(labelChanged)
		}
	}
}

// typ compares two types. It returns true for two scalars of one group.
func (d *differ) typ(was, is fieldType, oldScope, newScope string) bool {
	a, b := was.scalarKind(), is.scalarKind()
	switch {
	case (a != "") != (b != "") || was.isMap() != is.isMap():
		d.add(kindChanged)
	case a != b:
		d.add(scalarChanged)
	case a != "":
		return true
	case was.isMap():
		d.typ(named(d.old, was.key, oldScope), named(d.new, is.key, newScope), oldScope, newScope)
		d.typ(named(d.old, was.val, oldScope), named(d.new, is.val, newScope), oldScope, newScope)
	default:
		d.messages(was, is)
	}
	return false
}

// local is a message's name within its package.
func (s *symbol) local() string {
	if s.pkg == "" {
		return s.full
	}
	return strings.TrimPrefix(s.full, s.pkg+".")
}

// messages compares two message types by name, and by what they hold where they come from other files: those of the schemas themselves are compared in
// their own place.
func (d *differ) messages(was, is fieldType) {
	switch {
	case was.symbol == nil || is.symbol == nil:
		if was.name != is.name {
			d.add(namedChanged)
		}
		return
	case was.symbol.local() != is.symbol.local():
		d.add(namedChanged)
		return
	case was.symbol.message == nil || is.symbol.message == nil || was.symbol.from == "" && is.symbol.from == "":
		return
	}
	pair := [2]*message{was.symbol.message, is.symbol.message}
	fits, known := d.compared[pair]
	if !known {
		d.compared[pair] = true
		before := len(d.problems)
		path := d.path
		d.path = strings.Split(is.symbol.local(), ".")
		d.message(pair[0], pair[1], was.symbol.full, is.symbol.full)
		d.path = path
		fits = len(d.problems) == before
		d.compared[pair] = fits
	}
	if !fits {
		d.add(namedChanged)
	}
}
