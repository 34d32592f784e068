package registry

import (
	"fmt"

	"github.com/sordini-go/sordini/broker/registry/internal/avro"
)

// avroSchema is [parsed] for Avro.
type avroSchema struct{ *avro.Schema }

func parseAvro(text string, references []resolved, strict bool) (parsed, error) {
	texts := make([]string, len(references))
	for i, r := range references {
		texts[i] = r.schema
	}
	s, err := avro.Parse(text, texts, avro.Options{Strict: strict})
	if err != nil {
		return nil, err
	}
	return avroSchema{s}, nil
}

func (s avroSchema) canonical() string  { return s.Canonical() }
func (s avroSchema) normalized() string { return s.Normalized() }

func (s avroSchema) formatted(form string) string {
	if form == "resolved" {
		return s.Resolved()
	}
	return s.Canonical()
}

func (s avroSchema) equivalent(o parsed) bool { return s.Equivalent(o.(avroSchema).Schema) }

func (s avroSchema) check(fields bool) error {
	if f := s.ReservedField(); fields && f != "" {
		return fmt.Errorf("field %s: names of fields cannot start with $$", f)
	}
	return nil
}

func (s avroSchema) read(writer parsed, _ bool) []problem {
	var out []problem
	for _, p := range s.Read(writer.(avroSchema).Schema) {
		out = append(out, func(reader, writer string) string {
			return fmt.Sprintf("{errorType:'%s', description:'%s', additionalInfo:'%s'}", p.Type, p.Explain(reader, writer), p.Detail)
		})
	}
	return out
}
