package protobuf

import "strings"

// optionStatement reads the rest of an option statement.
func (p *parser) optionStatement() *option {
	o := p.option()
	p.expect(";")
	return o
}

// options reads options in brackets, where there are any.
func (p *parser) options() []*option {
	if !p.take("[") {
		return nil
	}
	var os []*option
	for {
		os = append(os, p.option())
		if !p.take(",") {
			break
		}
	}
	p.expect("]")
	return os
}

func (p *parser) option() *option {
	o := new(option)
	if p.take("(") {
		o.custom = true
		o.name = p.name()
		p.expect(")")
		for p.take(".") {
			o.within = append(o.within, p.optionPart())
		}
	} else {
		parts := []string{p.ident()}
		for p.take(".") {
			parts = append(parts, p.optionPart())
		}
		o.name = strings.Join(parts, ".")
	}
	p.expect("=")
	o.value = p.value()
	return o
}

// optionPart is one part of an option's name after the first.
func (p *parser) optionPart() string {
	if p.take("(") {
		s := "(" + p.name() + ")"
		p.expect(")")
		return s
	}
	return p.ident()
}

func (p *parser) value() value {
	switch {
	case p.is("{"):
		return p.messageValue("{", "}")
	case p.is("<"):
		return p.messageValue("<", ">")
	case p.is("["):
		return p.listValue()
	case p.tok.kind == tokenString:
		return value{kind: valueString, text: p.str()}
	case p.tok.kind == tokenIdent:
		return value{kind: valueIdent, text: p.advance().text}
	}
	sign := ""
	if p.take("-") {
		sign = "-"
	} else {
		p.take("+")
	}
	switch p.tok.kind {
	case tokenNumber, tokenIdent: // -inf
		kind := valueNumber
		if p.tok.kind == tokenIdent {
			kind = valueIdent
		}
		return value{kind: kind, text: sign + p.advance().text}
	}
	p.fail("expected a value, found %s", p.tok)
	return value{}
}

func (p *parser) listValue() value {
	p.enter()
	defer func() { p.depth-- }()
	v := value{kind: valueList}
	p.expect("[")
	if p.take("]") {
		return v
	}
	for {
		v.items = append(v.items, p.value())
		if !p.take(",") {
			break
		}
	}
	p.expect("]")
	return v
}

// messageValue reads a value in the text format.
func (p *parser) messageValue(open, end string) value {
	p.enter()
	defer func() { p.depth-- }()
	v := value{kind: valueMessage}
	p.expect(open)
	for !p.take(end) {
		var m member
		if p.take("[") {
			m.name = "[" + p.name()
			for p.take("/") {
				m.name += "/" + p.name()
			}
			m.name += "]"
			p.expect("]")
		} else {
			m.name = p.ident()
		}
		if !p.take(":") && !p.is("{") && !p.is("<") {
			p.fail("expected a colon, found %s", p.tok)
		}
		m.value = p.value()
		if !p.take(",") {
			p.take(";")
		}
		v.members = append(v.members, m)
	}
	return v
}
