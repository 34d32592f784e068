package protobuf

import (
	"encoding/base64"
	"slices"
	"strings"
)

// Serialized is the schema as a FileDescriptorProto in base64. Custom options are not in it.
func (s *Schema) Serialized(name string) string {
	e := encoder{types: s.types, proto3: s.file.syntax == "proto3"}
	return base64.StdEncoding.EncodeToString(e.file(s.file, name))
}

type encoder struct {
	types  *resolver
	proto3 bool
}

func (e *encoder) file(f *File, name string) []byte {
	var w wireWriter
	w.str(1, name)
	w.strIf(2, f.pkg)
	dependencies := slices.Concat(f.imports, f.publicImports, f.weakImports)
	for _, d := range dependencies {
		w.str(3, d)
	}
	for _, m := range f.messages {
		w.bytes(4, e.message(m, f.pkg))
	}
	for _, n := range f.enums {
		w.bytes(5, e.enum(n))
	}
	for _, s := range f.services {
		w.bytes(6, e.service(s, f.pkg))
	}
	e.extensions(&w, 7, f.extends, f.pkg)
	encodeOptions(&w, 8, f.options, fileOptions)
	for i := range f.publicImports {
		w.varint(10, int64(len(f.imports)+i))
	}
	for i := range f.weakImports {
		w.varint(11, int64(len(f.imports)+len(f.publicImports)+i))
	}
	switch {
	case f.edition != "":
		w.str(12, "editions")
		for n, name := range editions {
			if name == f.edition {
				w.varint(14, int64(n))
			}
		}
	default:
		w.strIf(12, f.syntax)
	}
	return w
}

func (e *encoder) message(m *message, scope string) []byte {
	full := join(scope, m.name)
	var w wireWriter
	w.str(1, m.name)
	synthetic := len(m.oneofs) // the oneofs of optional fields stand after the others
	var optionals []string
	for _, f := range m.fields {
		oneof := -1
		if e.proto3 && f.label == labelOptional {
			oneof = synthetic + len(optionals)
			optionals = append(optionals, "_"+f.name)
		}
		w.bytes(2, e.field(f, full, "", oneof, oneof >= 0))
	}
	for i, o := range m.oneofs {
		for _, f := range o.fields {
			w.bytes(2, e.field(f, full, "", i, false))
		}
		for _, g := range o.groups {
			w.bytes(2, e.group(g, full, "", i))
		}
	}
	for _, g := range m.groups {
		w.bytes(2, e.group(g, full, "", -1))
	}
	for _, n := range m.messages {
		w.bytes(3, e.message(n, full))
	}
	for _, f := range m.fields {
		if f.typ == typeMap {
			w.bytes(3, e.mapEntry(f, full))
		}
	}
	for _, g := range m.allGroups() {
		w.bytes(3, e.message(g.body, full))
	}
	for _, n := range m.enums {
		w.bytes(4, e.enum(n))
	}
	for _, r := range m.extensions {
		for _, v := range r.values {
			var inner wireWriter
			inner.varint(1, v.start)
			inner.varint(2, v.end+1)
			w.bytes(5, inner)
		}
	}
	e.extensions(&w, 6, m.extends, full)
	encodeOptions(&w, 7, m.options, messageOptions)
	for _, o := range m.oneofs {
		var inner wireWriter
		inner.str(1, o.name)
		w.bytes(8, inner)
	}
	for _, name := range optionals {
		var inner wireWriter
		inner.str(1, name)
		w.bytes(8, inner)
	}
	encodeReserved(&w, m.reserved, 9, 10, 1)
	return w
}

// encodeReserved writes reserved numbers and names. The end of a range lies beyond it by beyond.
func encodeReserved(w *wireWriter, rs []*ranges, numbers, names int, beyond int64) {
	for _, r := range rs {
		for _, v := range r.values {
			if v.name != "" {
				w.str(names, v.name)
				continue
			}
			var inner wireWriter
			inner.varint(1, v.start)
			inner.varint(2, v.end+beyond)
			w.bytes(numbers, inner)
		}
	}
}

var labelNumbers = map[string]int64{"": 1, labelOptional: 1, labelRequired: 2, labelRepeated: 3}

func (e *encoder) field(f *field, scope, extendee string, oneof int, optional bool) []byte {
	var w wireWriter
	w.str(1, f.name)
	w.strIf(2, extendee)
	w.varint(3, f.tag)
	if f.typ == typeMap {
		w.varint(4, labelNumbers[labelRepeated])
		w.varint(5, typeMessage)
		w.str(6, "."+join(scope, entryName(f.name)))
	} else {
		w.varint(4, labelNumbers[f.label])
		e.typ(&w, f.typ, scope)
	}
	if d := find(f.options, "default"); d != nil {
		w.str(7, d.value.text)
	}
	encodeOptions(&w, 8, f.options, fieldOptions)
	if oneof >= 0 {
		w.varint(9, int64(oneof))
	}
	if j := find(f.options, "json_name"); j != nil {
		w.str(10, j.value.text)
	}
	w.flag(17, optional)
	return w
}

func (e *encoder) typ(w *wireWriter, typ, scope string) {
	if i := slices.Index(typeNames, typ); i > 0 {
		w.varint(5, int64(i))
		return
	}
	s := e.types.symbol(typ, scope)
	switch {
	case s == nil:
		w.str(6, typ)
		return
	case s.isEnum:
		w.varint(5, typeEnum)
	default:
		w.varint(5, typeMessage)
	}
	w.str(6, "."+s.full)
}

func (e *encoder) group(g *group, scope, extendee string, oneof int) []byte {
	var w wireWriter
	w.str(1, strings.ToLower(g.name))
	w.strIf(2, extendee)
	w.varint(3, g.tag)
	w.varint(4, labelNumbers[g.label])
	w.varint(5, typeGroup)
	w.str(6, "."+join(scope, g.name))
	encodeOptions(&w, 8, g.options, fieldOptions)
	if oneof >= 0 {
		w.varint(9, int64(oneof))
	}
	return w
}

// entryName is what compilers call the message that stands for a map's entries.
func entryName(field string) string {
	var b strings.Builder
	upper := true
	for i := range len(field) {
		switch c := field[i]; {
		case c == '_':
			upper = true
			continue
		case upper && c >= 'a' && c <= 'z':
			b.WriteByte(c - 'a' + 'A')
		default:
			b.WriteByte(c)
		}
		upper = false
	}
	return b.String() + "Entry"
}

func (e *encoder) mapEntry(f *field, scope string) []byte {
	name := entryName(f.name)
	var w wireWriter
	w.str(1, name)
	w.bytes(2, e.field(&field{label: labelOptional, typ: f.key, name: "key", tag: 1}, join(scope, name), "", -1, false))
	w.bytes(2, e.field(&field{label: labelOptional, typ: f.val, name: "value", tag: 2}, join(scope, name), "", -1, false))
	var options wireWriter
	options.varint(7, 1)
	w.bytes(7, options)
	return w
}

func (e *encoder) extensions(w *wireWriter, number int, es []*extend, scope string) {
	for _, x := range es {
		extendee := e.types.full(x.name, scope)
		for _, f := range x.fields {
			w.bytes(number, e.field(f, scope, extendee, -1, false))
		}
		for _, g := range x.groups {
			w.bytes(number, e.group(g, scope, extendee, -1))
		}
	}
}

func (e *encoder) enum(n *enum) []byte {
	var w wireWriter
	w.str(1, n.name)
	for _, v := range n.values {
		var inner wireWriter
		inner.str(1, v.name)
		inner.varint(2, v.number)
		encodeOptions(&inner, 3, v.options, enumValueOptions)
		w.bytes(2, inner)
	}
	encodeOptions(&w, 3, n.options, enumOptions)
	encodeReserved(&w, n.reserved, 4, 5, 0)
	return w
}

func (e *encoder) service(s *service, scope string) []byte {
	var w wireWriter
	w.str(1, s.name)
	for _, m := range s.methods {
		var inner wireWriter
		inner.str(1, m.name)
		inner.str(2, e.types.full(m.input, scope))
		inner.str(3, e.types.full(m.output, scope))
		encodeOptions(&inner, 4, m.options, methodOptions)
		inner.flag(5, m.inStream)
		inner.flag(6, m.outStream)
		w.bytes(2, inner)
	}
	encodeOptions(&w, 3, s.options, serviceOptions)
	return w
}
