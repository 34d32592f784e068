package registry

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/sr"

	"github.com/sordini-go/sordini/serde"
)

// file is what Registry.File holds: schemas for which nobody is asked.
type file struct {
	Version int                `json:"version"`
	Schemas []sr.SubjectSchema `json:"schemas"`
}

const fileVersion = 1

func load(name string) (*file, error) {
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("Registry.File: %w", err)
	}
	f, err := parseFile(b)
	if err != nil {
		return nil, fmt.Errorf("Registry.File %s: %w", name, err)
	}
	return f, nil
}

func parseFile(b []byte) (*file, error) {
	f := new(file)
	if err := json.Unmarshal(b, f); err != nil {
		return nil, err
	}
	if f.Version != fileVersion {
		return nil, fmt.Errorf("version %d, want %d; write it with `sordini schema save`", f.Version, fileVersion)
	}
	return f, nil
}

// Save writes every version of the subjects, of all where none is named, and what they refer to, in the form that Registry.File has.
func Save(ctx context.Context, r serde.Registry, w io.Writer, subjects ...string) error {
	c, err := For(r)
	if err != nil {
		return err
	}
	all, err := do(ctx, c, "all schemas", func(ctx context.Context, cl *sr.Client) ([]sr.SubjectSchema, error) {
		return allSchemas(ctx, cl, subjects)
	})
	if err != nil {
		return err
	}
	var out []sr.SubjectSchema
	seen := make(map[string]bool)
	for len(all) > 0 {
		s := all[0]
		all = all[1:]
		key := fmt.Sprintf("%s %d", s.Subject, s.Version)
		if seen[key] {
			continue
		}
		seen[key] = true
		out = append(out, s)
		for _, ref := range s.References {
			referred, err := c.version(ctx, ref.Subject, ref.Version)
			if err != nil {
				return fmt.Errorf("%s refers to %s: %w", s.Subject, ref.Name, err)
			}
			all = append(all, referred)
		}
	}
	slices.SortFunc(out, func(a, b sr.SubjectSchema) int {
		return cmp.Or(cmp.Compare(a.Subject, b.Subject), cmp.Compare(a.Version, b.Version))
	})
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(file{fileVersion, out})
}

// allSchemas returns every version of the subjects, of all where none is given.
func allSchemas(ctx context.Context, cl *sr.Client, subjects []string) (all []sr.SubjectSchema, err error) {
	if len(subjects) == 0 {
		if subjects, err = cl.Subjects(ctx); err != nil {
			return nil, err
		}
	}
	for _, subject := range subjects {
		versions, err := cl.SubjectVersions(ctx, subject)
		if err != nil {
			return nil, err
		}
		for _, v := range versions {
			s, err := cl.SchemaByVersion(ctx, subject, v)
			if err != nil {
				return nil, err
			}
			all = append(all, s)
		}
	}
	return all, nil
}

func (f *file) find(match func(*sr.SubjectSchema) bool) (found *sr.SubjectSchema) {
	if f == nil {
		return nil
	}
	for i := range f.Schemas {
		if s := &f.Schemas[i]; match(s) && (found == nil || s.Version > found.Version) {
			found = s
		}
	}
	return found
}

func (f *file) byID(id ID) *sr.SubjectSchema {
	return f.find(func(s *sr.SubjectSchema) bool {
		if id.GUID != (GUID{}) {
			return s.GUID == id.GUID.String()
		}
		return s.ID == id.Number
	})
}

func (f *file) version(subject string, version int) *sr.SubjectSchema {
	return f.find(func(s *sr.SubjectSchema) bool {
		return s.Subject == subject && (version == latestVersion || s.Version == version)
	})
}

func (f *file) lookup(subject string, schema sr.Schema) *sr.SubjectSchema {
	return f.find(func(s *sr.SubjectSchema) bool {
		return s.Subject == subject && s.Type == schema.Type && sameText(s.Schema.Schema, schema.Schema)
	})
}

// sameText compares two schemas: as JSON values where they are JSON, and otherwise but for white space.
func sameText(a, b string) bool {
	var x, y any
	if errors.Join(json.Unmarshal([]byte(a), &x), json.Unmarshal([]byte(b), &y)) == nil {
		return reflect.DeepEqual(x, y)
	}
	return slices.Equal(strings.Fields(a), strings.Fields(b))
}
