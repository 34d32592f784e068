package protobuf

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// printer writes schemas as Confluent's registry stores them: comments dropped, what a file and a message hold in a fixed order of kinds (messages before
// enums, fields before oneofs), each kind after an empty line, one option in a line and more below each other.
type printer struct {
	plain     bool      // without extensions and custom options
	normalize *resolver // to write names in full and sort what has no order; nil to leave both
}

// section collects what follows a brace or stands in a file: a line break, and then the lines, for each kind that there is.
type section struct{ strings.Builder }

func (s *section) add(lines []string, step string) {
	if len(lines) == 0 {
		return
	}
	s.WriteByte('\n')
	for _, l := range lines {
		s.WriteString(indented(l, step))
	}
}

// indented puts step before every line, also before empty ones, as Confluent's registry does.
func indented(s, step string) string {
	if step == "" {
		return s
	}
	var b strings.Builder
	for l := range strings.Lines(s) {
		b.WriteString(step)
		b.WriteString(l)
	}
	if !strings.HasSuffix(s, "\n") {
		b.WriteByte('\n')
	}
	return b.String()
}

const step = "  "

// each makes the lines of one kind.
func each[T any](ts []T, f func(T) string) (lines []string) {
	for _, t := range ts {
		lines = append(lines, f(t))
	}
	return lines
}

func (p *printer) file(f *File) string {
	var s section
	switch {
	case f.edition != "":
		fmt.Fprintf(&s, "edition = %q;\n", f.edition)
	case f.syntax != "" && (p.normalize == nil || f.syntax == "proto3"):
		fmt.Fprintf(&s, "syntax = %q;\n", f.syntax)
	}
	if f.pkg != "" {
		fmt.Fprintf(&s, "package %s;\n", f.pkg)
	}
	imports := p.imports("", f.imports)
	imports = append(imports, p.imports("public ", f.publicImports)...)
	s.add(append(imports, p.imports("weak ", f.weakImports)...), "")
	s.add(p.optionStatements(f.options, f.pkg), "")
	types := each(p.types(f.messages), func(m *message) string { return p.message(m, f.pkg) })
	s.add(append(types, each(f.enums, func(e *enum) string { return p.enum(e, f.pkg) })...), "")
	s.add(p.extends(f.extends, f.pkg), "")
	s.add(each(f.services, func(v *service) string { return p.service(v, f.pkg) }), "")
	return s.String()
}

func (p *printer) imports(kind string, names []string) []string {
	if p.normalize != nil {
		names = slices.Compact(slices.Sorted(slices.Values(names)))
	}
	return each(names, func(n string) string { return fmt.Sprintf("import %s%s;\n", kind, quote(n)) })
}

// types leaves the messages out that only stand for a map's entries, in the normalised form.
func (p *printer) types(ms []*message) []*message {
	if p.normalize == nil {
		return ms
	}
	return slices.DeleteFunc(slices.Clone(ms), func(m *message) bool { return isTrue(m.options, "map_entry") })
}

func join(scope, name string) string {
	if scope == "" {
		return name
	}
	return scope + "." + name
}

func (p *printer) message(m *message, scope string) string {
	return "message " + m.name + " {" + p.messageBody(m, join(scope, m.name)) + "}\n"
}

func (p *printer) messageBody(m *message, scope string) string {
	var s section
	s.add(p.ranges("reserved", m.reserved, scope), step)
	s.add(p.optionStatements(m.options, scope), step)
	s.add(p.fields(m.fields, scope), step)
	s.add(p.oneofs(m.oneofs, scope), step)
	s.add(p.groups(m.groups, scope), step)
	if !p.plain {
		s.add(p.ranges("extensions", m.extensions, scope), step)
	}
	s.add(p.extends(m.extends, scope), step)
	types := each(p.types(m.messages), func(n *message) string { return p.message(n, scope) })
	s.add(append(types, each(m.enums, func(e *enum) string { return p.enum(e, scope) })...), step)
	return s.String()
}

func (p *printer) fields(fs []*field, scope string) []string {
	if p.normalize != nil {
		fs = slices.Clone(fs)
		slices.SortStableFunc(fs, func(a, b *field) int { return int(a.tag - b.tag) })
	}
	return each(fs, func(f *field) string { return p.field(f, scope) })
}

func (p *printer) groups(gs []*group, scope string) []string {
	if p.normalize != nil {
		gs = slices.Clone(gs)
		slices.SortStableFunc(gs, func(a, b *group) int { return int(a.tag - b.tag) })
	}
	return each(gs, func(g *group) string {
		head := ""
		if g.label != "" {
			head = g.label + " "
		}
		return fmt.Sprintf("%sgroup %s = %d%s {%s}\n", head, g.name, g.tag, p.inline(g.options, scope), p.messageBody(g.body, join(scope, g.name)))
	})
}

func (p *printer) oneofs(os []*oneof, scope string) []string {
	if p.normalize != nil {
		os = slices.DeleteFunc(slices.Clone(os), func(o *oneof) bool { return len(o.fields) == 0 && len(o.groups) == 0 })
		slices.SortStableFunc(os, func(a, b *oneof) int { return int(a.first() - b.first()) })
	}
	return each(os, func(o *oneof) string {
		var s section
		s.add(p.optionStatements(o.options, scope), step)
		s.add(p.fields(o.fields, scope), step)
		s.add(p.groups(o.groups, scope), step)
		return "oneof " + o.name + " {" + s.String() + "}\n"
	})
}

// first is the smallest number of a oneof's fields.
func (o *oneof) first() int64 {
	n := int64(maxTag)
	for _, f := range o.fields {
		n = min(n, f.tag)
	}
	for _, g := range o.groups {
		n = min(n, g.tag)
	}
	return n
}

func (p *printer) extends(es []*extend, scope string) []string {
	if p.plain {
		return nil
	}
	if p.normalize != nil { // one for each message that is extended
		var merged []*extend
		for _, e := range es {
			name := p.normalize.full(e.name, scope)
			i := slices.IndexFunc(merged, func(m *extend) bool { return m.name == name })
			if i < 0 {
				merged = append(merged, &extend{name: name})
				i = len(merged) - 1
			}
			merged[i].fields = append(merged[i].fields, e.fields...)
			merged[i].groups = append(merged[i].groups, e.groups...)
		}
		es = merged
	}
	return each(es, func(e *extend) string {
		var s section
		s.add(p.fields(e.fields, scope), step)
		s.add(p.groups(e.groups, scope), step)
		return "extend " + e.name + " {" + s.String() + "}\n"
	})
}

func (p *printer) field(f *field, scope string) string {
	label, typ := f.label, f.typ
	if typ == typeMap {
		typ = p.mapType(f.key, f.val, scope)
	} else if p.normalize != nil && !scalars[typ] {
		if entry := p.normalize.mapEntry(typ, scope); entry != nil {
			label, typ = "", p.mapType(entry.fields[0].typ, entry.fields[1].typ, scope)
		} else {
			typ = p.normalize.full(typ, scope)
		}
	}
	if label != "" {
		label += " "
	}
	return fmt.Sprintf("%s%s %s = %d%s;\n", label, typ, f.name, f.tag, p.inline(special(f.options), scope))
}

func (p *printer) mapType(key, val, scope string) string {
	if p.normalize != nil && !scalars[val] {
		val = p.normalize.full(val, scope)
	}
	return fmt.Sprintf("map<%s, %s>", key, val)
}

// special moves a field's default and its name in JSON, which are no options although they are written like them, behind the options.
func special(os []*option) []*option {
	os = slices.Clone(os)
	rank := func(o *option) int {
		if o.custom {
			return 0
		}
		return slices.Index([]string{"default", "json_name"}, o.name) + 1
	}
	slices.SortStableFunc(os, func(a, b *option) int { return rank(a) - rank(b) })
	return os
}

func (p *printer) enum(e *enum, scope string) string {
	scope = join(scope, e.name)
	var s section
	s.add(p.ranges("reserved", e.reserved, scope), step)
	values := e.values
	if p.normalize != nil {
		values = slices.Clone(values)
		slices.SortStableFunc(values, func(a, b *enumValue) int {
			if a.number != b.number {
				return int(a.number - b.number)
			}
			return strings.Compare(a.name, b.name)
		})
	}
	lines := append(p.optionStatements(e.options, scope), each(values, func(v *enumValue) string {
		return fmt.Sprintf("%s = %d%s;\n", v.name, v.number, p.inline(v.options, scope))
	})...)
	if len(e.reserved) == 0 {
		s.add(lines, step)
	} else {
		for _, l := range lines {
			s.WriteString(indented(l, step))
		}
	}
	return "enum " + e.name + " {" + s.String() + "}\n"
}

func (p *printer) ranges(word string, rs []*ranges, scope string) []string {
	if p.normalize != nil {
		var single []*ranges
		for _, r := range rs {
			for _, v := range r.values {
				v.single = v.single || v.start == v.end
				single = append(single, &ranges{values: []rangeValue{v}, options: r.options})
			}
		}
		slices.SortStableFunc(single, func(a, b *ranges) int {
			x, y := a.values[0], b.values[0]
			switch {
			case (x.name == "") != (y.name == ""):
				if x.name == "" {
					return -1
				}
				return 1
			case x.name != y.name:
				return strings.Compare(x.name, y.name)
			}
			return int(x.start - y.start)
		})
		rs = single
	}
	return each(rs, func(r *ranges) string {
		texts := each(r.values, rangeValue.String)
		return word + " " + strings.Join(texts, ", ") + p.inline(r.options, scope) + ";\n"
	})
}

func (v rangeValue) String() string {
	switch {
	case v.name != "":
		return quote(v.name)
	case v.single:
		return strconv.FormatInt(v.start, 10)
	case v.end >= maxTag:
		return fmt.Sprintf("%d to max", v.start)
	}
	return fmt.Sprintf("%d to %d", v.start, v.end)
}

func (p *printer) service(v *service, scope string) string {
	var s section
	s.add(p.optionStatements(v.options, scope), step)
	s.add(each(v.methods, func(m *method) string { return p.method(m, scope) }), step)
	return "service " + v.name + " {" + s.String() + "}\n"
}

func (p *printer) method(m *method, scope string) string {
	typ := func(name string, stream bool) string {
		if p.normalize != nil {
			name = p.normalize.full(name, scope)
		}
		if stream {
			name = "stream " + name
		}
		return name
	}
	head := fmt.Sprintf("rpc %s (%s) returns (%s)", m.name, typ(m.input, m.inStream), typ(m.output, m.outStream))
	if options := p.optionStatements(m.options, scope); len(options) > 0 {
		head += " {\n"
		for _, o := range options {
			head += indented(o, step)
		}
		head += "}"
	}
	return head + ";\n"
}
