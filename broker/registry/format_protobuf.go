package registry

import (
	"fmt"

	"github.com/sordini-go/sordini/broker/registry/internal/protobuf"
)

// protobufSchema is [parsed] for Protobuf.
type protobufSchema struct{ *protobuf.Schema }

func parseProtobuf(text string, references []resolved, strict bool) (parsed, error) {
	refs := make([]protobuf.Reference, len(references))
	for i, r := range references {
		refs[i] = protobuf.Reference{Name: r.name, Text: r.schema}
	}
	s, err := protobuf.Parse(text, refs, protobuf.Options{Strict: strict})
	if err != nil {
		return nil, err
	}
	return protobufSchema{s}, nil
}

func (s protobufSchema) canonical() string  { return s.Canonical() }
func (s protobufSchema) normalized() string { return s.Normalized() }

// descriptorName is the name of the file in a schema that is answered as a descriptor.
const descriptorName = "default"

func (s protobufSchema) formatted(form string) string {
	switch form {
	case "serialized":
		return s.Serialized(descriptorName)
	case "ignore_extensions":
		return s.WithoutExtensions()
	}
	return s.Canonical()
}

func (s protobufSchema) equivalent(o parsed) bool { return s.Canonical() == o.canonical() }

func (s protobufSchema) check(bool) error { return nil }

func (s protobufSchema) read(writer parsed, _ bool) []problem {
	var out []problem
	for _, p := range s.Read(writer.(protobufSchema).Schema) {
		out = append(out, func(reader, writer string) string {
			return fmt.Sprintf("{errorType:\"%s\", description:\"%s\"}", p.Type, p.Explain(reader, writer))
		})
	}
	return out
}
