package protobuf

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// maxDepth is how deep messages and values of options may be nested.
const maxDepth = 32

// maxTag is the largest number of a field.
const maxTag = 1<<29 - 1

// syntaxError unwinds the parser; see parseText.
type syntaxError struct{ err error }

// parseText reads a .proto text. It checks the grammar, not what names refer to.
func parseText(src string) (f *File, err error) {
	p := &parser{lex: lexer{src: src}}
	defer func() {
		if r := recover(); r != nil {
			e, ok := r.(syntaxError)
			if !ok {
				panic(r)
			}
			f, err = nil, e.err
		}
	}()
	p.advance()
	return p.file(), nil
}

type parser struct {
	lex   lexer
	tok   token
	depth int
}

func (p *parser) fail(format string, args ...any) {
	panic(syntaxError{fmt.Errorf("line %d: %s", p.tok.line, fmt.Sprintf(format, args...))})
}

func (p *parser) advance() token {
	was := p.tok
	t, err := p.lex.next()
	if err != nil {
		panic(syntaxError{err})
	}
	p.tok = t
	return was
}

func (t token) String() string {
	if t.kind == tokenEOF {
		return "the end"
	}
	return strconv.Quote(t.text)
}

func (p *parser) is(punct string) bool { return p.tok.kind == tokenPunct && p.tok.text == punct }

func (p *parser) isWord(word string) bool { return p.tok.kind == tokenIdent && p.tok.text == word }

// take passes over a punctuation mark if it is there.
func (p *parser) take(punct string) bool {
	if p.is(punct) {
		p.advance()
		return true
	}
	return false
}

func (p *parser) expect(punct string) {
	if !p.take(punct) {
		p.fail("expected %q, found %s", punct, p.tok)
	}
}

func (p *parser) ident() string {
	if p.tok.kind != tokenIdent {
		p.fail("expected a name, found %s", p.tok)
	}
	return p.advance().text
}

// name reads a name with dots.
func (p *parser) name() string {
	var b strings.Builder
	if p.take(".") {
		b.WriteByte('.')
	}
	b.WriteString(p.ident())
	for p.take(".") {
		b.WriteByte('.')
		b.WriteString(p.ident())
	}
	return b.String()
}

// str reads strings that stand beside each other as one.
func (p *parser) str() string {
	if p.tok.kind != tokenString {
		p.fail("expected a string, found %s", p.tok)
	}
	var b strings.Builder
	for p.tok.kind == tokenString {
		b.WriteString(p.advance().text)
	}
	return b.String()
}

func (p *parser) integer(low, high int64) int64 {
	sign := ""
	if p.take("-") {
		sign = "-"
	}
	if p.tok.kind != tokenNumber {
		p.fail("expected a number, found %s", p.tok)
	}
	n, err := strconv.ParseInt(sign+p.tok.text, 0, 64)
	if err != nil || n < low || n > high {
		p.fail("the number %s%s is not between %d and %d", sign, p.tok.text, low, high)
	}
	p.advance()
	return n
}

// enter counts nesting.
func (p *parser) enter() {
	if p.depth++; p.depth > maxDepth {
		p.fail("nested more than %d deep", maxDepth)
	}
}

func (p *parser) file() *File {
	f := new(File)
	for first := true; p.tok.kind != tokenEOF; first = false {
		if p.take(";") {
			continue
		}
		switch word := p.ident(); word {
		case "syntax", "edition":
			if !first {
				p.fail("%s must stand first", word)
			}
			p.expect("=")
			s := p.str()
			switch {
			case word == "edition":
				f.edition = s
			case s == "proto2" || s == "proto3":
				f.syntax = s
			default:
				p.fail("unknown syntax %q", s)
			}
			p.expect(";")
		case "package":
			f.pkg = p.name()
			p.expect(";")
		case "import":
			p.importFile(f)
		case "option":
			f.options = append(f.options, p.optionStatement())
		case "message":
			f.messages = append(f.messages, p.message())
		case "enum":
			f.enums = append(f.enums, p.enum())
		case "extend":
			f.extends = append(f.extends, p.extend())
		case "service":
			f.services = append(f.services, p.service())
		default:
			p.fail("unexpected %q", word)
		}
	}
	return f
}

func (p *parser) importFile(f *File) {
	to := &f.imports
	switch {
	case p.isWord("public"):
		p.advance()
		to = &f.publicImports
	case p.isWord("weak"):
		p.advance()
		to = &f.weakImports
	}
	*to = append(*to, p.str())
	p.expect(";")
}

func (p *parser) message() *message {
	m := &message{name: p.ident()}
	p.messageBody(m)
	return m
}

func (p *parser) messageBody(m *message) {
	p.enter()
	defer func() { p.depth-- }()
	p.expect("{")
	for !p.take("}") {
		if p.take(";") {
			continue
		}
		p.messageElement(m)
	}
}

func (p *parser) messageElement(m *message) {
	// The words that begin a statement cannot begin the name of a field's type, as for protoc.
	if p.tok.kind == tokenIdent {
		switch p.tok.text {
		case "message", "enum", "extend", "oneof", "option", "reserved", "extensions":
			p.statement(m, p.advance().text)
			return
		case labelOptional, labelRequired, labelRepeated:
			label := p.advance().text
			if p.isWord("group") {
				p.advance()
				m.groups = append(m.groups, p.group(label))
				return
			}
			p.fieldOf(m, label, p.name())
			return
		case "group":
			p.advance()
			m.groups = append(m.groups, p.group(""))
			return
		}
	}
	p.fieldOf(m, "", p.name())
}

func (p *parser) statement(m *message, word string) {
	switch word {
	case "message":
		m.messages = append(m.messages, p.message())
	case "enum":
		m.enums = append(m.enums, p.enum())
	case "extend":
		m.extends = append(m.extends, p.extend())
	case "oneof":
		m.oneofs = append(m.oneofs, p.oneof())
	case "option":
		m.options = append(m.options, p.optionStatement())
	case "reserved":
		m.reserved = append(m.reserved, p.ranges(1, maxTag))
	case "extensions":
		m.extensions = append(m.extensions, p.ranges(1, maxTag))
	}
}

func (p *parser) fieldOf(m *message, label, typ string) {
	m.fields = append(m.fields, p.field(label, typ))
}

// field reads the rest of a field after its type's name.
func (p *parser) field(label, typ string) *field {
	f := &field{label: label, typ: typ}
	if typ == "map" && p.take("<") {
		f.typ = typeMap
		f.key = p.name()
		p.expect(",")
		f.val = p.name()
		p.expect(">")
		switch {
		case label != "":
			p.fail("a map cannot be %s", label)
		case !scalars[f.key] || f.key == "double" || f.key == "float" || f.key == "bytes":
			p.fail("the key of a map cannot be %s", f.key)
		}
	}
	f.name = p.ident()
	p.expect("=")
	f.tag = p.integer(1, maxTag)
	f.options = p.options()
	p.expect(";")
	return f
}

func (p *parser) group(label string) *group {
	g := &group{label: label, name: p.ident()}
	p.expect("=")
	g.tag = p.integer(1, maxTag)
	g.options = p.options()
	g.body = &message{name: g.name}
	p.messageBody(g.body)
	return g
}

func (p *parser) oneof() *oneof {
	o := &oneof{name: p.ident()}
	p.expect("{")
	for !p.take("}") {
		switch {
		case p.take(";"):
		case p.isWord("option"):
			p.advance()
			o.options = append(o.options, p.optionStatement())
		case p.isWord("group"):
			p.advance()
			o.groups = append(o.groups, p.group(""))
		case p.isWord(labelOptional) || p.isWord(labelRequired) || p.isWord(labelRepeated):
			p.fail("a field of a oneof has no label")
		default:
			f := p.field("", p.name())
			if f.typ == typeMap {
				p.fail("a oneof cannot hold a map")
			}
			o.fields = append(o.fields, f)
		}
	}
	return o
}

func (p *parser) extend() *extend {
	e := &extend{name: p.name()}
	p.expect("{")
	for !p.take("}") {
		if p.take(";") {
			continue
		}
		label := ""
		if p.isWord(labelOptional) || p.isWord(labelRequired) || p.isWord(labelRepeated) {
			label = p.advance().text
		}
		if p.isWord("group") {
			p.advance()
			e.groups = append(e.groups, p.group(label))
			continue
		}
		e.fields = append(e.fields, p.field(label, p.name()))
	}
	return e
}

// ranges reads the rest of a reserved or extensions statement. The numbers of enums may be negative.
func (p *parser) ranges(low, high int64) *ranges {
	r := new(ranges)
	for {
		switch p.tok.kind {
		case tokenString:
			name := p.str()
			if name == "" {
				p.fail("a reserved name is empty")
			}
			r.values = append(r.values, rangeValue{name: name})
		case tokenIdent:
			r.values = append(r.values, rangeValue{name: p.ident()})
		default:
			v := rangeValue{start: p.integer(low, high), single: true}
			v.end = v.start
			if p.isWord("to") {
				p.advance()
				v.single = false
				if p.isWord("max") {
					p.advance()
					v.end = high
				} else {
					v.end = p.integer(v.start, high)
				}
			}
			r.values = append(r.values, v)
		}
		if !p.take(",") {
			break
		}
	}
	r.options = p.options()
	p.expect(";")
	return r
}

func (p *parser) enum() *enum {
	e := &enum{name: p.ident()}
	p.expect("{")
	for !p.take("}") {
		switch {
		case p.take(";"):
			continue
		case p.isWord("option"), p.isWord("reserved"):
			word := p.advance().text
			if p.is("=") { // a value of that name
				e.values = append(e.values, p.enumValue(word))
			} else if word == "option" {
				e.options = append(e.options, p.optionStatement())
			} else {
				e.reserved = append(e.reserved, p.ranges(math.MinInt32, math.MaxInt32))
			}
		default:
			e.values = append(e.values, p.enumValue(p.ident()))
		}
	}
	return e
}

func (p *parser) enumValue(name string) *enumValue {
	v := &enumValue{name: name}
	p.expect("=")
	v.number = p.integer(math.MinInt32, math.MaxInt32)
	v.options = p.options()
	p.expect(";")
	return v
}

func (p *parser) service() *service {
	s := &service{name: p.ident()}
	p.expect("{")
	for !p.take("}") {
		switch {
		case p.take(";"):
		case p.isWord("option"):
			p.advance()
			s.options = append(s.options, p.optionStatement())
		case p.isWord("rpc"):
			p.advance()
			s.methods = append(s.methods, p.method())
		default:
			p.fail("unexpected %s in a service", p.tok)
		}
	}
	return s
}

func (p *parser) method() *method {
	m := &method{name: p.ident()}
	m.input, m.inStream = p.methodType()
	if !p.isWord("returns") {
		p.fail("expected returns, found %s", p.tok)
	}
	p.advance()
	m.output, m.outStream = p.methodType()
	if p.take("{") {
		for !p.take("}") {
			if p.take(";") {
				continue
			}
			if !p.isWord("option") {
				p.fail("unexpected %s in a method", p.tok)
			}
			p.advance()
			m.options = append(m.options, p.optionStatement())
		}
		p.take(";")
		return m
	}
	p.expect(";")
	return m
}

func (p *parser) methodType() (typ string, stream bool) {
	p.expect("(")
	if p.isWord("stream") {
		p.advance()
		if p.take(")") { // a type that is called so
			return "stream", false
		}
		stream = true
	}
	typ = p.name()
	p.expect(")")
	return typ, stream
}
