package protobuf

import "fmt"

// typeNames are the scalar types by their numbers in descriptors.
var typeNames = []string{
	1: "double", 2: "float", 3: "int64", 4: "uint64", 5: "int32", 6: "fixed64", 7: "fixed32", 8: "bool", 9: "string", 12: "bytes", 13: "uint32",
	15: "sfixed32", 16: "sfixed64", 17: "sint32", 18: "sint64",
}

// Numbers of the types that have names.
const (
	typeGroup   = 10
	typeMessage = 11
	typeEnum    = 14
)

var editions = map[uint64]string{1000: "2023", 1001: "2024"}

// decodeFile reads a FileDescriptorProto.
func decodeFile(b []byte) (*File, error) {
	f := new(File)
	var dependencies []string
	public, weak := make(map[uint64]bool), make(map[uint64]bool)
	var messages, enums, services, extensions, options [][]byte
	err := readWire(b, func(w wireField) error {
		switch w.number {
		case 2:
			f.pkg = w.str()
		case 3:
			dependencies = append(dependencies, w.str())
		case 4:
			messages = append(messages, w.bytes)
		case 5:
			enums = append(enums, w.bytes)
		case 6:
			services = append(services, w.bytes)
		case 7:
			extensions = append(extensions, w.bytes)
		case 8:
			options = append(options, w.bytes)
		case 10:
			public[w.varint] = true
		case 11:
			weak[w.varint] = true
		case 12:
			f.syntax = w.str()
		case 14:
			f.edition = editions[w.varint]
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	switch f.syntax {
	case "", "proto2", "proto3":
	case "editions":
		f.syntax = ""
	default:
		return nil, fmt.Errorf("descriptor of unknown syntax %q", f.syntax)
	}
	if len(messages)+len(enums)+len(services)+len(extensions) == 0 {
		return nil, errWire // other bytes read as a descriptor without anything, too
	}
	for i, d := range dependencies {
		switch {
		case public[uint64(i)]:
			f.publicImports = append(f.publicImports, d)
		case weak[uint64(i)]:
			f.weakImports = append(f.weakImports, d)
		default:
			f.imports = append(f.imports, d)
		}
	}
	d := decoder{proto3: f.syntax == "proto3"}
	for _, b := range options {
		f.options = d.options(b, fileOptions)
	}
	for _, b := range messages {
		f.messages = append(f.messages, d.message(b, 0))
	}
	for _, b := range enums {
		f.enums = append(f.enums, d.enum(b))
	}
	for _, b := range services {
		f.services = append(f.services, d.service(b))
	}
	f.extends = d.extensions(extensions)
	return f, d.err
}

// decoder keeps the first error.
type decoder struct {
	proto3 bool
	err    error
}

func (d *decoder) read(b []byte, each func(wireField)) {
	err := readWire(b, func(f wireField) error {
		each(f)
		return nil
	})
	d.fail(err)
}

func (d *decoder) fail(err error) {
	if d.err == nil {
		d.err = err
	}
}

func (d *decoder) options(b []byte, known []optionField) []*option {
	os, err := decodeOptions(b, known)
	d.fail(err)
	return os
}

// name checks that a name is one, since it is printed as it is.
func (d *decoder) name(s string, dots bool) string {
	for i := range len(s) {
		if c := s[i]; !letter(c) && !digit(c) && (c != '.' || !dots) {
			d.fail(fmt.Errorf("descriptor with the name %q", s))
		}
	}
	if s == "" {
		d.fail(fmt.Errorf("descriptor with an empty name"))
	}
	return s
}

func (d *decoder) message(b []byte, depth int) *message {
	m := new(message)
	if depth > maxDepth {
		d.fail(fmt.Errorf("descriptor is nested more than %d deep", maxDepth))
		return m
	}
	var extensions [][]byte
	type member struct {
		field *field
		oneof int64 // -1: none
	}
	var members []member
	d.read(b, func(w wireField) {
		switch w.number {
		case 1:
			m.name = w.str()
		case 2:
			f, oneof, _ := d.field(w.bytes)
			members = append(members, member{f, oneof})
		case 3:
			m.messages = append(m.messages, d.message(w.bytes, depth+1))
		case 4:
			m.enums = append(m.enums, d.enum(w.bytes))
		case 5:
			m.extensions = append(m.extensions, d.rangeOf(w.bytes, 1))
		case 6:
			extensions = append(extensions, w.bytes)
		case 7:
			m.options = d.options(w.bytes, messageOptions)
		case 8:
			o := new(oneof)
			d.read(w.bytes, func(w wireField) {
				if w.number == 1 {
					o.name = d.name(w.str(), false)
				}
			})
			m.oneofs = append(m.oneofs, o)
		case 9:
			m.reserved = append(m.reserved, d.rangeOf(w.bytes, 1))
		case 10:
			m.reserved = append(m.reserved, &ranges{values: []rangeValue{{name: d.name(w.str(), false)}}})
		}
	})
	d.name(m.name, false)
	for _, mem := range members {
		if mem.oneof >= 0 && mem.oneof < int64(len(m.oneofs)) {
			o := m.oneofs[mem.oneof]
			mem.field.label = ""
			o.fields = append(o.fields, mem.field)
		} else {
			m.fields = append(m.fields, mem.field)
		}
	}
	oneofs := m.oneofs // without those that only say that a field is optional
	m.oneofs = nil
	for _, o := range oneofs {
		if len(o.fields) > 0 {
			m.oneofs = append(m.oneofs, o)
		}
	}
	m.extends = d.extensions(extensions)
	return m
}

// rangeOf reads a range whose end lies beyond it by beyond.
func (d *decoder) rangeOf(b []byte, beyond int64) *ranges {
	var v rangeValue
	d.read(b, func(w wireField) {
		switch w.number {
		case 1:
			v.start = w.signed()
		case 2:
			v.end = w.signed() - beyond
		}
	})
	v.single = v.start == v.end
	return &ranges{values: []rangeValue{v}}
}

// field reads a field, the index of its oneof or -1, and what it extends.
func (d *decoder) field(b []byte) (f *field, oneof int64, extendee string) {
	f, oneof = new(field), -1
	var label, typ uint64
	var typeName, defaultValue, jsonName *string
	optional := false
	d.read(b, func(w wireField) {
		s := w.str()
		switch w.number {
		case 1:
			f.name = s
		case 2:
			extendee = d.name(s, true)
		case 3:
			f.tag = w.signed()
		case 4:
			label = w.varint
		case 5:
			typ = w.varint
		case 6:
			typeName = &s
		case 7:
			defaultValue = &s
		case 8:
			f.options = d.options(w.bytes, fieldOptions)
		case 9:
			oneof = w.signed()
		case 10:
			jsonName = &s
		case 17:
			optional = w.varint != 0
		}
	})
	d.name(f.name, false)
	if f.tag < 1 || f.tag > maxTag {
		d.fail(fmt.Errorf("descriptor with the field number %d", f.tag))
	}
	switch {
	case typ < uint64(len(typeNames)) && typeNames[typ] != "":
		f.typ = typeNames[typ]
	case typeName != nil && (typ == typeMessage || typ == typeEnum || typ == typeGroup || typ == 0):
		f.typ = d.name(*typeName, true)
	default:
		d.fail(fmt.Errorf("descriptor with the type %d", typ))
	}
	switch {
	case optional:
		f.label, oneof = labelOptional, -1
	case label == 3:
		f.label = labelRepeated
	case d.proto3:
	case label == 2:
		f.label = labelRequired
	default:
		f.label = labelOptional
	}
	if defaultValue != nil && !d.proto3 {
		v := value{kind: valueIdent, text: *defaultValue}
		if f.typ == "string" || f.typ == "bytes" {
			v.kind = valueString
		}
		f.options = append(f.options, &option{name: "default", value: v})
	}
	if jsonName != nil {
		f.options = append(f.options, &option{name: "json_name", value: value{kind: valueString, text: *jsonName}})
	}
	return f, oneof, extendee
}

// extensions reads extensions, those of one message together where they follow each other.
func (d *decoder) extensions(bs [][]byte) (es []*extend) {
	for _, b := range bs {
		f, _, extendee := d.field(b)
		if len(es) == 0 || es[len(es)-1].name != extendee {
			es = append(es, &extend{name: d.name(extendee, true)})
		}
		last := es[len(es)-1]
		last.fields = append(last.fields, f)
	}
	return es
}

func (d *decoder) enum(b []byte) *enum {
	e := new(enum)
	d.read(b, func(w wireField) {
		switch w.number {
		case 1:
			e.name = w.str()
		case 2:
			v := new(enumValue)
			d.read(w.bytes, func(w wireField) {
				switch w.number {
				case 1:
					v.name = d.name(w.str(), false)
				case 2:
					v.number = w.signed()
				case 3:
					v.options = d.options(w.bytes, enumValueOptions)
				}
			})
			e.values = append(e.values, v)
		case 3:
			e.options = d.options(w.bytes, enumOptions)
		case 4:
			e.reserved = append(e.reserved, d.rangeOf(w.bytes, 0))
		case 5:
			e.reserved = append(e.reserved, &ranges{values: []rangeValue{{name: d.name(w.str(), false)}}})
		}
	})
	d.name(e.name, false)
	return e
}

func (d *decoder) service(b []byte) *service {
	s := new(service)
	d.read(b, func(w wireField) {
		switch w.number {
		case 1:
			s.name = w.str()
		case 2:
			m := new(method)
			d.read(w.bytes, func(w wireField) {
				switch w.number {
				case 1:
					m.name = d.name(w.str(), false)
				case 2:
					m.input = d.name(w.str(), true)
				case 3:
					m.output = d.name(w.str(), true)
				case 4:
					m.options = d.options(w.bytes, methodOptions)
				case 5:
					m.inStream = w.varint != 0
				case 6:
					m.outStream = w.varint != 0
				}
			})
			s.methods = append(s.methods, m)
		case 3:
			s.options = d.options(w.bytes, serviceOptions)
		}
	})
	d.name(s.name, false)
	return s
}
