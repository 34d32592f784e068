package avro

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"

	"github.com/twmb/avro"
	"github.com/twmb/franz-go/pkg/sr"

	"github.com/sordini-go/sordini/serde"
	"github.com/sordini-go/sordini/serde/registry"
)

// Option changes a serde of this package.
type Option func(*config)

type config struct {
	text      string
	name      string
	namespace string
	refs      []reference
	generic   bool
	registry  []registry.Option
}

// Text gives the schema in place of the one that is made of the Go type. Fields of a struct are found by their avro tag, or else by their name.
func Text(schema string) Option { return func(c *config) { c.text = schema } }

// Name names the record of a schema that is made of a Go type. Default: the type's name.
func Name(name string) Option { return func(c *config) { c.name = name } }

// Namespace is the namespace of a schema that is made of a Go type. Default: none.
func Namespace(ns string) Option { return func(c *config) { c.namespace = ns } }

// reference is another schema that a schema uses.
type reference struct {
	name, subject string
	version       int
	text          string
}

// Reference lets a schema that is given by [Text] use the named type of another one, which is registered under a subject of its own in some version.
// It may use types of references that were given before it.
func Reference(name, subject string, version int, schema string) Option {
	return func(c *config) { c.refs = append(c.refs, reference{name, subject, version, schema}) }
}

// used returns those of the references that a schema mentions, by full name or by the part after the namespace.
func used(text string, refs []reference) (out []sr.SchemaReference) {
	for _, r := range refs {
		if strings.Contains(text, `"`+r.name+`"`) || strings.Contains(text, `"`+r.name[strings.LastIndexByte(r.name, '.')+1:]+`"`) {
			out = append(out, sr.SchemaReference{Name: r.name, Subject: r.subject, Version: r.version})
		}
	}
	return out
}

// Registry passes options to the registry's client: subject names, framing, registering.
func Registry(opts ...registry.Option) Option {
	return func(c *config) { c.registry = append(c.registry, opts...) }
}

// Serde is Avro for values of T: a struct, or with [Text] any type that fits the schema.
func Serde[T any](opts ...Option) serde.Serde[T] {
	s := &typed[T]{}
	for _, o := range opts {
		o(&s.config)
	}
	return s
}

// Generic is Avro without a Go type: a record is a map[string]any, an array a []any, and a value of a union that is not null a map of one entry from the
// name of its type, as in goavro. Logical types are Go's: time.Time, time.Duration, *big.Rat. With [Text] the schema is what is written with and read as;
// without it records are read as they were written, and nothing can be encoded.
func Generic(opts ...Option) serde.Serde[any] {
	s := &typed[any]{}
	s.config.generic = true
	for _, o := range opts {
		o(&s.config)
	}
	return s
}

// typed is the serde of T.
type typed[T any] struct{ config config }

// schema parses the schema that the serde writes, nil where it has none.
func (s *typed[T]) schema() (*avro.Schema, sr.Schema, error) {
	c := &s.config
	own := sr.Schema{Type: sr.TypeAvro, Schema: c.text}
	switch {
	case c.text != "":
		if c.name != "" || c.namespace != "" {
			return nil, own, errors.New("avro.Name and avro.Namespace have no effect on a schema given by avro.Text; leave them out")
		}
		var cache avro.SchemaCache
		for _, r := range c.refs {
			if _, err := cache.Parse(r.text); err != nil {
				return nil, own, fmt.Errorf("avro.Reference %s: %w", r.name, err)
			}
		}
		own.References = used(c.text, c.refs)
		parsed, err := cache.Parse(c.text)
		if err != nil {
			return nil, own, fmt.Errorf("avro.Text: %w", err)
		}
		return parsed, own, fits[T](parsed)
	case len(c.refs) > 0:
		return nil, own, errors.New("avro.Reference needs avro.Text: a schema that is made of a Go type is whole")
	case c.generic:
		return nil, own, nil
	}
	var opts []avro.SchemaOpt
	if c.name != "" {
		opts = append(opts, avro.WithName(c.name))
	}
	if c.namespace != "" {
		opts = append(opts, avro.WithNamespace(c.namespace))
	}
	parsed, err := infer[T](opts)
	if err != nil {
		return nil, own, err
	}
	own.Schema = parsed.String()
	return parsed, own, nil
}

// infer makes the schema of a Go type.
func infer[T any](opts []avro.SchemaOpt) (*avro.Schema, error) {
	t := reflect.TypeFor[T]()
	if t.Kind() != reflect.Struct {
		return nil, fmt.Errorf("no Avro schema can be made of %v: use a struct, give the schema by avro.Text, or use avro.Generic", t)
	}
	s, err := avro.SchemaFor[T](opts...)
	if err != nil {
		return nil, fmt.Errorf("make an Avro schema of %v: %w", t, err)
	}
	return s, nil
}

// fits says whether a struct has every field that a schema needs.
func fits[T any](s *avro.Schema) error {
	if reflect.TypeFor[T]().Kind() != reflect.Struct {
		return nil
	}
	var zero T
	_, err := s.Encode(&zero)
	var semantic *avro.SemanticError
	if errors.As(err, &semantic) && semantic.AvroType == "record" {
		return fmt.Errorf("%v does not fit its schema: %w", reflect.TypeFor[T](), err)
	}
	return nil // a value that is no zero may fit
}

// recordName is the full name of the schema's record, "" of anything else.
func recordName(s *avro.Schema) string {
	if s == nil {
		return ""
	}
	root := s.Root()
	if root.Namespace != "" && root.Name != "" {
		return root.Namespace + "." + root.Name
	}
	return root.Name
}

// Describe implements [registry.Described].
func (s *typed[T]) Describe(b serde.Binding) (registry.Description, error) {
	parsed, own, err := s.schema()
	switch {
	case err != nil:
		return registry.Description{}, err
	case parsed == nil:
		return registry.Description{}, errNoSchema
	}
	return s.describe(b, recordName(parsed), own)
}

func (s *typed[T]) describe(b serde.Binding, name string, own sr.Schema) (registry.Description, error) {
	o := registry.Collect(s.config.registry)
	var imports []registry.Description
	for i, r := range s.config.refs {
		imports = append(imports, registry.Description{
			Subject: r.subject, Schema: sr.Schema{Type: sr.TypeAvro, Schema: r.text, References: used(r.text, s.config.refs[:i])},
		})
	}
	return o.Describe(b, name, own, imports)
}

var errNoSchema = errors.New("avro.Generic has no schema to write with: give one by avro.Text")

// Bind implements [serde.Serde].
func (s *typed[T]) Bind(b serde.Binding) (serde.Codec[T], error) {
	parsed, own, err := s.schema()
	if err != nil {
		return nil, err
	}
	c := &codec[T]{own: parsed}
	if s.config.generic {
		c.opts = []avro.Opt{avro.TaggedUnions()}
	}
	o := registry.Collect(s.config.registry)
	name := recordName(parsed)
	if parsed == nil {
		// Nothing is written, so no subject is needed either.
		o = registry.Collect(nil)
	} else {
		d, err := s.describe(b, name, own)
		if err != nil {
			return nil, err
		}
		if c.w, err = registry.NewWriter(b, d, o, whole); err != nil {
			return nil, err
		}
	}
	c.r, err = registry.NewReader(b, name, sr.TypeAvro, o, c.reader)
	if err != nil {
		return nil, err
	}
	return c, nil
}

// codec is the serde, bound.
type codec[T any] struct {
	own  *avro.Schema // nil: records are read as they were written
	opts []avro.Opt
	w    *registry.Writer[*avro.Schema] // nil: nothing can be encoded
	r    *registry.Reader[decoder]

	values sync.Pool // of *T to encode from: twmb/avro wants an address, and that of an argument would be a new copy on the heap each time
}

// compile parses a schema of the registry.
func compile(s *registry.Schema) (*avro.Schema, error) {
	var cache avro.SchemaCache
	for _, im := range s.Imports {
		if _, err := cache.Parse(im.Text); err != nil {
			return nil, fmt.Errorf("reference %q: %w", im.Name, err)
		}
	}
	return cache.Parse(s.Schema.Schema)
}

// whole is compile for what is written: nothing follows the id.
func whole(s *registry.Schema) (*avro.Schema, []byte, error) {
	parsed, err := compile(s)
	return parsed, nil, err
}

// decoder reads what was written with one schema.
type decoder struct {
	schema  *avro.Schema // resolved
	partial *partial     // instead of schema, where only some values resolve
}

// reader resolves what records were written with against what they are read as.
func (c *codec[T]) reader(s *registry.Schema) (decoder, error) {
	writer, err := compile(s)
	if err != nil || c.own == nil {
		return decoder{schema: writer}, err
	}
	resolved, err := avro.Resolve(writer, c.own)
	var incompatible *avro.CompatibilityError
	if errors.As(err, &incompatible) {
		if p := newPartial(writer, c.own); p != nil {
			return decoder{partial: p}, nil
		}
	}
	return decoder{schema: resolved}, err
}

// Append implements [serde.Codec].
func (c *codec[T]) Append(ctx context.Context, dst []byte, v T, h *serde.Headers) ([]byte, error) {
	if c.w == nil {
		return dst, errNoSchema
	}
	s, out, err := c.w.Begin(ctx, dst, h)
	if err != nil {
		return dst, err
	}
	p, _ := c.values.Get().(*T)
	if p == nil {
		p = new(T)
	}
	*p = v
	out, err = s.AppendEncode(out, p)
	var zero T
	*p = zero // holds on to nothing of the caller's
	c.values.Put(p)
	if err != nil {
		return dst, err
	}
	return out, nil
}

// Decode implements [serde.Codec].
func (c *codec[T]) Decode(ctx context.Context, src []byte, h serde.Headers) (v T, err error) {
	d, payload, _, err := c.r.Begin(ctx, src, h)
	if err != nil {
		return v, err
	}
	s := d.schema
	if d.partial != nil {
		if s, payload, err = d.partial.narrow(payload); err != nil {
			return v, err
		}
	}
	left, err := s.Decode(payload, &v, c.opts...)
	if err == nil && len(left) > 0 {
		err = fmt.Errorf("%d bytes follow the record", len(left))
	}
	if err != nil {
		var zero T
		return zero, err
	}
	return v, nil
}
