package registry

import (
	"context"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/sr"
)

// Schema is a schema as the registry has it. It is shared and must not be changed.
type Schema struct {
	sr.SubjectSchema // Subject and Version are set only where the schema was asked for by its subject

	// Imports are the schemas that it refers to, and those that they refer to, each before whoever refers to it.
	Imports []Import
}

// Import is a schema under the name by which another refers to it.
type Import struct{ Name, Text string }

// Limits on what one schema refers to, so that a registry that answers in circles is told from a large schema.
const (
	maxImports     = 1000
	maxImportDepth = 64
)

// imports collects what a schema refers to.
type imports struct {
	fetch func(ctx context.Context, subject string, version int) (sr.SubjectSchema, error)
	seen  map[string]bool
	list  []Import
}

func (im *imports) add(ctx context.Context, refs []sr.SchemaReference, depth int) error {
	if depth > maxImportDepth {
		return fmt.Errorf("references are nested more than %d deep", maxImportDepth)
	}
	for _, ref := range refs {
		if im.seen[ref.Name] {
			continue
		}
		im.seen[ref.Name] = true
		if len(im.seen) > maxImports {
			return fmt.Errorf("more than %d references", maxImports)
		}
		s, err := im.fetch(ctx, ref.Subject, ref.Version)
		if err != nil {
			return fmt.Errorf("reference %q: %w", ref.Name, err)
		}
		if err := im.add(ctx, s.References, depth+1); err != nil {
			return err
		}
		im.list = append(im.list, Import{Name: ref.Name, Text: s.Schema.Schema})
	}
	return nil
}

// resolve returns the schema with what it refers to.
func (c *Client) resolve(ctx context.Context, s sr.SubjectSchema) (*Schema, error) {
	out := &Schema{SubjectSchema: s}
	if len(s.References) == 0 {
		return out, nil
	}
	im := imports{fetch: c.version, seen: make(map[string]bool)}
	if err := im.add(ctx, s.References, 0); err != nil {
		return nil, err
	}
	out.Imports = slices.Clip(im.list)
	return out, nil
}
