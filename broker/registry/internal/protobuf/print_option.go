package protobuf

import (
	"slices"
	"strconv"
	"strings"
)

func (p *printer) optionStatements(os []*option, scope string) []string {
	return each(p.options(os, scope), func(o *option) string { return "option " + p.option(o) + ";\n" })
}

// inline writes options in brackets, with the space before them.
func (p *printer) inline(os []*option, scope string) string {
	lines := each(p.options(os, scope), p.option)
	if len(lines) == 0 {
		return ""
	}
	return " " + bracketed(lines)
}

// bracketed writes one item in a line, more below each other.
func bracketed(items []string) string {
	if len(items) == 1 {
		return "[" + items[0] + "]"
	}
	return "[\n" + listed(items) + "]"
}

func listed(items []string) string {
	var b strings.Builder
	for i, it := range items {
		if i < len(items)-1 {
			it += ","
		}
		b.WriteString(indented(it, step))
	}
	return b.String()
}

// options applies what the form asks for: custom options left out, or all of them named in full and sorted.
func (p *printer) options(os []*option, scope string) []*option {
	if p.plain {
		os = slices.DeleteFunc(slices.Clone(os), func(o *option) bool { return o.custom && !strings.HasPrefix(o.name, "confluent.") })
	}
	if p.normalize == nil {
		return os
	}
	var out []*option
	for _, o := range os {
		if full := p.normalize.extension(o.name, scope); o.custom && full != "" {
			o = &option{name: full, custom: true, value: nest(o.within, o.value)}
			if i := slices.IndexFunc(out, func(q *option) bool { return q.custom && q.name == full }); i >= 0 &&
				o.value.kind == valueMessage && out[i].value.kind == valueMessage {
				merged := *out[i]
				merged.value.members = slices.Concat(merged.value.members, o.value.members)
				out[i] = &merged
				continue
			}
		}
		out = append(out, o)
	}
	slices.SortStableFunc(out, func(a, b *option) int { return strings.Compare(a.name, b.name) })
	return out
}

// nest makes one value of a value and the names of the fields that lead to it.
func nest(within []string, v value) value {
	for _, name := range slices.Backward(within) {
		v = value{kind: valueMessage, members: []member{{name, v}}}
	}
	return v
}

func (p *printer) option(o *option) string {
	name := o.name
	if o.custom {
		name = "(" + name + ")"
	}
	for _, w := range o.within {
		name += "." + w
	}
	if o.value.kind == valueList {
		return name + " = " + bracketed(each(o.value.items, p.value))
	}
	return name + " = " + p.value(o.value)
}

func (p *printer) value(v value) string {
	switch v.kind {
	case valueString:
		return quote(v.text)
	case valueNumber:
		if p.normalize != nil {
			if n, err := strconv.ParseInt(v.text, 0, 64); err == nil {
				return strconv.FormatInt(n, 10)
			}
		}
		return v.text
	case valueMessage:
		members := gather(v.members)
		if p.normalize != nil {
			slices.SortStableFunc(members, func(a, b member) int { return strings.Compare(a.name, b.name) })
		}
		return "{\n" + listed(each(members, func(m member) string { return m.name + ": " + p.value(m.value) })) + "}"
	case valueList:
		if p.normalize != nil && len(v.items) == 1 {
			return p.value(v.items[0])
		}
		return "[\n" + listed(each(v.items, p.value)) + "]"
	}
	return v.text
}

// gather makes one list of the values that a name has been given.
func gather(ms []member) []member {
	var out []member
	for _, m := range ms {
		i := slices.IndexFunc(out, func(o member) bool { return o.name == m.name })
		if i < 0 {
			out = append(out, m)
			continue
		}
		list := value{kind: valueList}
		for _, v := range []value{out[i].value, m.value} {
			if v.kind == valueList {
				list.items = append(list.items, v.items...)
			} else {
				list.items = append(list.items, v)
			}
		}
		out[i].value = list
	}
	return out
}

var escapes = map[rune]string{'\a': `\a`, '\b': `\b`, '\f': `\f`, '\n': `\n`, '\r': `\r`, '\t': `\t`, '\v': `\v`, '\\': `\\`, '\'': `\'`, '"': `\"`}

func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i, r := range s {
		if e := escapes[r]; e != "" {
			b.WriteString(e)
		} else if r < 0x20 || r == '\uFFFD' && s[i] != 0xEF { // a byte that is no text
			b.WriteByte('\\')
			b.WriteByte('0' + s[i]>>6)
			b.WriteByte('0' + s[i]>>3&7)
			b.WriteByte('0' + s[i]&7)
		} else {
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
