package protobuf

import "fmt"

// validate checks a file by itself: names and numbers that are used twice, numbers that are not allowed, enums that lack what they must have.
func (f *File) validate() error {
	v := validator{proto3: f.syntax == "proto3"}
	v.names = make(map[string]bool)
	for _, m := range f.messages {
		v.message(m, f.pkg)
	}
	for _, e := range f.enums {
		v.enum(e, f.pkg)
	}
	for _, s := range f.services {
		v.declare(join(f.pkg, s.name))
	}
	return v.err
}

type validator struct {
	proto3 bool
	names  map[string]bool
	err    error // the first
}

func (v *validator) fail(format string, args ...any) {
	if v.err == nil {
		v.err = fmt.Errorf(format, args...)
	}
}

func (v *validator) declare(full string) {
	if v.names[full] {
		v.fail("%s is declared twice", full)
	}
	v.names[full] = true
}

func (v *validator) message(m *message, scope string) {
	full := join(scope, m.name)
	v.declare(full)
	tags := make(map[int64]string)
	names := make(map[string]bool)
	number := func(tag int64, name string) {
		if other := tags[tag]; other != "" {
			v.fail("%s: fields %s and %s have the number %d", full, other, name, tag)
		}
		if tag >= 19000 && tag <= 19999 {
			v.fail("%s: field %s: numbers from 19000 to 19999 are reserved for implementations", full, name)
		}
		tags[tag] = name
		if names[name] {
			v.fail("%s: two fields are called %s", full, name)
		}
		names[name] = true
		for _, r := range m.reserved {
			for _, reserved := range r.values {
				if reserved.name == name || reserved.name == "" && reserved.start <= tag && tag <= reserved.end {
					v.fail("%s: field %s = %d uses what is reserved", full, name, tag)
				}
			}
		}
	}
	for _, f := range m.allFields() {
		number(f.tag, f.name)
		if v.proto3 && f.label == labelRequired {
			v.fail("%s: field %s is required, which proto3 does not have", full, f.name)
		}
		if v.proto3 && find(f.options, "default") != nil {
			v.fail("%s: field %s has a default, which proto3 does not have", full, f.name)
		}
	}
	for _, g := range m.allGroups() {
		if v.proto3 {
			v.fail("%s: group %s: proto3 has no groups", full, g.name)
		}
		v.message(g.body, full)
	}
	for _, g := range m.groups {
		number(g.tag, g.name)
	}
	for _, o := range m.oneofs {
		if len(o.fields)+len(o.groups) == 0 {
			v.fail("%s: oneof %s is empty", full, o.name)
		}
		if names[o.name] {
			v.fail("%s: oneof %s is called like a field", full, o.name)
		}
		names[o.name] = true
	}
	for _, n := range m.messages {
		v.message(n, full)
	}
	for _, e := range m.enums {
		v.enum(e, full)
	}
}

func (v *validator) enum(e *enum, scope string) {
	full := join(scope, e.name)
	v.declare(full)
	if len(e.values) == 0 {
		v.fail("enum %s has no values", full)
		return
	}
	if v.proto3 && e.values[0].number != 0 {
		v.fail("enum %s: the first value must be zero in proto3", full)
	}
	numbers := make(map[int64]string)
	for _, val := range e.values {
		v.declare(join(scope, val.name)) // values live in the scope of their enum
		if other := numbers[val.number]; other != "" && !isTrue(e.options, "allow_alias") {
			v.fail("enum %s: %s and %s have the number %d without allow_alias", full, other, val.name, val.number)
		}
		numbers[val.number] = val.name
	}
}
