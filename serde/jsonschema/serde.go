package jsonschema

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"reflect"

	"github.com/google/jsonschema-go/jsonschema"
	validator "github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/twmb/franz-go/pkg/sr"

	"github.com/sordini-go/sordini/serde"
	"github.com/sordini-go/sordini/serde/registry"
)

// Option changes a serde of this package.
type Option func(*config)

type config struct {
	text     string
	draft7   bool
	refs     []reference
	registry []registry.Option
}

// reference is another schema that a schema uses.
type reference struct {
	name, subject string
	version       int
	text          string
}

// Text gives the schema in place of the one that is made of the Go type.
func Text(schema string) Option { return func(c *config) { c.text = schema } }

// Draft7 makes a schema of draft 7, for readers that know no newer one.
func Draft7() Option { return func(c *config) { c.draft7 = true } }

// Reference lets a schema that is given by [Text] use another one, by a $ref to its name, which is registered under a subject of its own in some version.
func Reference(name, subject string, version int, schema string) Option {
	return func(c *config) { c.refs = append(c.refs, reference{name, subject, version, schema}) }
}

// Registry passes options to the registry's client: subject names, framing, registering.
func Registry(opts ...registry.Option) Option {
	return func(c *config) { c.registry = append(c.registry, opts...) }
}

// Serde is JSON with a schema for values of T.
func Serde[T any](opts ...Option) serde.Serde[T] {
	s := &typed[T]{}
	for _, o := range opts {
		o(&s.config)
	}
	return s
}

type typed[T any] struct{ config config }

const (
	schema2020 = "https://json-schema.org/draft/2020-12/schema"
	schema7    = "http://json-schema.org/draft-07/schema#"
)

// schema returns the schema that the serde writes with, and its title, which names it.
func (s *typed[T]) schema() (own sr.Schema, title string, err error) {
	c := &s.config
	own = sr.Schema{Type: sr.TypeJSON, Schema: c.text}
	if c.text == "" {
		if len(c.refs) > 0 {
			return own, "", errors.New("jsonschema.Reference needs jsonschema.Text: a schema that is made of a Go type is whole")
		}
		t := reflect.TypeFor[T]()
		made, err := jsonschema.For[T](nil)
		if err != nil {
			return own, "", fmt.Errorf("make a JSON schema of %v: %w", t, err)
		}
		if made.Schema = schema2020; c.draft7 {
			made.Schema = schema7
		}
		made.Title = t.Name()
		raw, err := json.Marshal(made)
		if err != nil {
			return own, "", fmt.Errorf("make a JSON schema of %v: %w", t, err)
		}
		own.Schema = string(raw)
		return own, made.Title, nil
	}
	if c.draft7 {
		return own, "", errors.New("jsonschema.Draft7 has no effect on a schema given by jsonschema.Text; say $schema in it")
	}
	for _, r := range c.refs {
		own.References = append(own.References, sr.SchemaReference{Name: r.name, Subject: r.subject, Version: r.version})
	}
	var named struct {
		Title string `json:"title"`
	}
	_ = json.Unmarshal([]byte(c.text), &named) // compiling says what is wrong with it
	return own, named.Title, nil
}

// Describe implements [registry.Described].
func (s *typed[T]) Describe(b serde.Binding) (registry.Description, error) {
	own, title, err := s.schema()
	if err != nil {
		return registry.Description{}, err
	}
	return s.describe(b, own, title)
}

func (s *typed[T]) describe(b serde.Binding, own sr.Schema, title string) (registry.Description, error) {
	o := registry.Collect(s.config.registry)
	var imports []registry.Description
	for _, r := range s.config.refs {
		imports = append(imports, registry.Description{Subject: r.subject, Schema: sr.Schema{Type: sr.TypeJSON, Schema: r.text}})
	}
	return o.Describe(b, title, own, imports)
}

// Bind implements [serde.Serde].
func (s *typed[T]) Bind(b serde.Binding) (serde.Codec[T], error) {
	own, title, err := s.schema()
	if err != nil {
		return nil, err
	}
	d, err := s.describe(b, own, title)
	if err != nil {
		return nil, err
	}
	var imports []registry.Import
	for _, r := range s.config.refs {
		imports = append(imports, registry.Import{Name: r.name, Text: r.text})
	}
	if _, err := compile(&registry.Schema{SubjectSchema: sr.SubjectSchema{Schema: d.Schema}, Imports: imports}); err != nil {
		return nil, fmt.Errorf("jsonschema.Text: %w", err)
	}
	c := new(codec[T])
	if c.inner, err = serde.JSON[T]().Bind(b); err != nil {
		return nil, err
	}
	o := registry.Collect(s.config.registry)
	c.w, err = registry.NewWriter(b, d, o, func(s *registry.Schema) (*validator.Schema, []byte, error) {
		v, err := compile(s)
		return v, nil, err
	})
	if err != nil {
		return nil, err
	}
	if c.r, err = registry.NewReader(b, title, sr.TypeJSON, o, compile); err != nil {
		return nil, err
	}
	return c, nil
}

// base is where schemas are in the eyes of the validator, so that a $ref to a name finds the reference of that name.
const base = "registry:///"

// nowhere loads nothing.
type nowhere struct{}

func (nowhere) Load(url string) (any, error) {
	return nil, fmt.Errorf("%s is not a reference of the schema", url)
}

// compile makes a validator of the registry's schema.
func compile(s *registry.Schema) (*validator.Schema, error) {
	c := validator.NewCompiler()
	c.UseLoader(nowhere{})
	c.AssertFormat()
	add := func(name, text string) (string, error) {
		doc, err := validator.UnmarshalJSON(bytes.NewReader([]byte(text)))
		if err != nil {
			return "", fmt.Errorf("schema %s: %w", name, err)
		}
		if u, err := url.Parse(name); err != nil || !u.IsAbs() {
			name = base + url.PathEscape(name)
		}
		return name, c.AddResource(name, doc)
	}
	for _, im := range s.Imports {
		if _, err := add(im.Name, im.Text); err != nil {
			return nil, err
		}
	}
	own, err := add("", s.Schema.Schema)
	if err != nil {
		return nil, err
	}
	return c.Compile(own)
}

// codec is the serde, bound.
type codec[T any] struct {
	inner serde.Codec[T]
	w     *registry.Writer[*validator.Schema]
	r     *registry.Reader[*validator.Schema]
}

// Append implements [serde.Codec].
func (c *codec[T]) Append(ctx context.Context, dst []byte, v T, h *serde.Headers) ([]byte, error) {
	s, out, err := c.w.Begin(ctx, dst, h)
	if err != nil {
		return dst, err
	}
	begin := len(out)
	if out, err = c.inner.Append(ctx, out, v, h); err != nil {
		return dst, err
	}
	if err := validate(s, out[begin:]); err != nil {
		return dst, err
	}
	return out, nil
}

// Decode implements [serde.Codec].
func (c *codec[T]) Decode(ctx context.Context, src []byte, h serde.Headers) (v T, err error) {
	s, payload, _, err := c.r.Begin(ctx, src, h)
	if err != nil {
		return v, err
	}
	if err := validate(s, payload); err != nil {
		return v, err
	}
	return c.inner.Decode(ctx, payload, h)
}

// InvalidError says that a document does not have the form that its schema asks for.
type InvalidError struct{ Err error }

func (e *InvalidError) Error() string { return e.Err.Error() }

// Unwrap returns what the validator says.
func (e *InvalidError) Unwrap() error { return e.Err }

func validate(s *validator.Schema, src []byte) error {
	d := json.NewDecoder(bytes.NewReader(src))
	d.UseNumber()
	var doc any
	if err := d.Decode(&doc); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return &InvalidError{err}
	}
	if err := s.Validate(doc); err != nil {
		return &InvalidError{err}
	}
	return nil
}
