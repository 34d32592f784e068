package registry

import (
	"fmt"

	"github.com/sordini-go/sordini/broker/registry/internal/jsonschema"
)

// jsonSchema is [parsed] for JSON.
type jsonSchema struct{ *jsonschema.Schema }

func parseJSON(text string, references []resolved, _ bool) (parsed, error) {
	refs := make([]jsonschema.Reference, len(references))
	for i, r := range references {
		refs[i] = jsonschema.Reference{Name: r.name, Text: r.schema}
	}
	s, err := jsonschema.Parse(text, refs)
	if err != nil {
		return nil, err
	}
	return jsonSchema{s}, nil
}

func (s jsonSchema) canonical() string       { return s.Canonical() }
func (s jsonSchema) normalized() string      { return s.Normalized() }
func (s jsonSchema) formatted(string) string { return s.Canonical() }

func (s jsonSchema) equivalent(o parsed) bool { return s.Canonical() == o.canonical() }

func (s jsonSchema) check(fields bool) error {
	if f := s.ReservedField(); fields && f != "" {
		return fmt.Errorf("property %s: names of fields cannot start with $$", f)
	}
	return nil
}

func (s jsonSchema) read(writer parsed, lenient bool) []problem {
	var out []problem
	for _, p := range s.Read(writer.(jsonSchema).Schema, lenient) {
		out = append(out, func(reader, writer string) string {
			return fmt.Sprintf("{errorType:\"%s\", description:\"%s\"}", p.Type, p.Explain(reader, writer))
		})
	}
	return out
}
