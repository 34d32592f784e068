package protobuf

import (
	"encoding/base64"
	"fmt"
	"strings"
	"sync"
)

// Reference is a schema that another imports.
type Reference struct {
	Name string // as it is imported
	Text string
}

// Options say how strictly to parse.
type Options struct {
	// Strict refuses what a compiler would: numbers and names that are used twice, enums without values. A registry is strict with new schemas and
	// lenient with those that it holds.
	Strict bool
}

// Schema is a schema with all that it refers to. It is not changed any more, so it is safe for concurrent use.
type Schema struct {
	file  *File
	types *resolver

	once      sync.Once
	canonical string
}

// Parse reads a schema: a .proto text, or a FileDescriptorProto in base64. All types must be declared in it, in a reference or in the files that come
// with every compiler.
func Parse(text string, references []Reference, opts Options) (*Schema, error) {
	f, err := parseAny(text)
	if err != nil {
		return nil, err
	}
	s := &Schema{file: f, types: newResolver()}
	for _, t := range wellKnown {
		s.types.symbols[t.full] = t
	}
	for _, r := range references {
		ref, err := parseAny(r.Text)
		if err != nil {
			return nil, fmt.Errorf("reference %s: %w", r.Name, err)
		}
		s.types.add(ref, r.Name)
	}
	s.types.add(f, "")
	if opts.Strict {
		if err := f.validate(); err != nil {
			return nil, err
		}
	}
	return s, s.types.check(f)
}

func parseAny(text string) (*File, error) {
	f, err := parseText(text)
	if err == nil {
		return f, nil
	}
	raw, notBase64 := base64.StdEncoding.DecodeString(strings.TrimSpace(text))
	if notBase64 != nil || len(raw) == 0 {
		return nil, err
	}
	f, notDescriptor := decodeFile(raw)
	if notDescriptor != nil {
		return nil, err
	}
	// What a descriptor says is only as good as the text that is made of it: a name in it may be anything.
	return parseText((&printer{}).file(f))
}

// Canonical is the text under which the schema is stored; see [printer].
func (s *Schema) Canonical() string {
	s.once.Do(func() { s.canonical = (&printer{}).file(s.file) })
	return s.canonical
}

// Normalized is the canonical form with all names written in full and everything sorted that has no order.
func (s *Schema) Normalized() string { return (&printer{normalize: s.types}).file(s.file) }

// WithoutExtensions is the canonical form without extensions and custom options, but for Confluent's own.
func (s *Schema) WithoutExtensions() string { return (&printer{plain: true}).file(s.file) }
