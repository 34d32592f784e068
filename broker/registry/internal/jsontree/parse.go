package jsontree

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// MaxDepth is how deep arrays and objects may be nested.
const MaxDepth = 200

// ErrDepth says that a text is nested deeper than [MaxDepth].
var ErrDepth = errors.New("JSON is nested too deeply")

// Parse reads one JSON value; nothing but white space may follow it. Of members with the same name the last one counts, at the place of the first.
func Parse(text string) (*Value, error) {
	p := parser{dec: json.NewDecoder(strings.NewReader(text))}
	p.dec.UseNumber()
	v, err := p.value(0)
	if err != nil {
		return nil, p.wrap(err)
	}
	if _, err := p.dec.Token(); err != io.EOF {
		return nil, fmt.Errorf("JSON: text after the value at offset %d", p.dec.InputOffset())
	}
	return v, nil
}

type parser struct{ dec *json.Decoder }

func (p *parser) wrap(err error) error {
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("JSON at offset %d: %w", p.dec.InputOffset(), err)
}

func (p *parser) value(depth int) (*Value, error) {
	t, err := p.dec.Token()
	if err != nil {
		return nil, err
	}
	switch t := t.(type) {
	case string:
		return &Value{Kind: String, Text: t}, nil
	case json.Number:
		return &Value{Kind: Number, Text: t.String()}, nil
	case bool:
		if t {
			return &Value{Kind: Bool, Text: "true"}, nil
		}
		return &Value{Kind: Bool, Text: "false"}, nil
	case nil:
		return &Value{Kind: Null}, nil
	case json.Delim:
		if depth == MaxDepth {
			return nil, ErrDepth
		}
		if t == '[' {
			return p.array(depth + 1)
		}
		return p.object(depth + 1)
	}
	return nil, fmt.Errorf("unexpected token %v", t)
}

func (p *parser) array(depth int) (*Value, error) {
	v := &Value{Kind: Array}
	for p.dec.More() {
		it, err := p.value(depth)
		if err != nil {
			return nil, err
		}
		v.Items = append(v.Items, it)
	}
	_, err := p.dec.Token()
	return v, err
}

func (p *parser) object(depth int) (*Value, error) {
	v := &Value{Kind: Object}
	var at map[string]int // only for objects that are large
	for p.dec.More() {
		t, err := p.dec.Token()
		if err != nil {
			return nil, err
		}
		name, ok := t.(string)
		if !ok {
			return nil, fmt.Errorf("the name of a member is %v", t)
		}
		m, err := p.value(depth)
		if err != nil {
			return nil, err
		}
		if at == nil && len(v.Members) == 16 {
			at = make(map[string]int)
			for i, m := range v.Members {
				at[m.Name] = i
			}
		}
		i, seen := -1, false
		if at != nil {
			i, seen = at[name]
		} else {
			for i = range v.Members {
				if seen = v.Members[i].Name == name; seen {
					break
				}
			}
		}
		if seen {
			v.Members[i].Value = m
			continue
		}
		if at != nil {
			at[name] = len(v.Members)
		}
		v.Members = append(v.Members, Member{name, m})
	}
	_, err := p.dec.Token()
	return v, err
}
