package registry

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/sr"

	"github.com/sordini-go/sordini/serde"
)

// Described is a serde that knows its schema: those of serde/avro, serde/protobuf and serde/jsonschema.
type Described interface {
	// Describe returns the schema with which a serde that is bound so writes, and where it is registered. It does not ask the registry.
	Describe(serde.Binding) (Description, error)
}

// Description is a schema and where it belongs.
type Description struct {
	Subject   string
	Normalize bool
	Schema    sr.Schema
	// Imports are schemas to which Schema refers, by References. They are registered before it; where a reference has no version, it is to the one that
	// was registered.
	Imports []Description
}

// Register registers the schema with which a serde writes the keys or values of a topic, and what it refers to, and returns it. Registering a schema
// again does nothing. It fails with an [*IncompatibleError] where the registry's compatibility level forbids it, and with the errors of [Client.Schema].
func Register(ctx context.Context, r serde.Registry, topic string, role serde.Role, s any) (*Schema, error) {
	c, d, err := describe(r, topic, role, s)
	if err != nil {
		return nil, err
	}
	return c.each(ctx, d, c.Register)
}

func describe(r serde.Registry, topic string, role serde.Role, s any) (*Client, Description, error) {
	described, ok := s.(Described)
	if !ok {
		return nil, Description{}, fmt.Errorf("%T has no schema: use a serde of serde/avro, serde/protobuf or serde/jsonschema", s)
	}
	d, err := described.Describe(serde.Binding{Topic: topic, Role: role, Registry: r})
	if err != nil {
		return nil, Description{}, fmt.Errorf("schema of %s's %s: %w", topic, role, err)
	}
	c, err := For(r)
	return c, d, err
}

// each registers or looks up what a description imports, and then the schema itself.
func (c *Client) each(ctx context.Context, d Description, do func(context.Context, string, sr.Schema, bool) (*Schema, error)) (*Schema, error) {
	s, err := c.referring(ctx, d, do)
	if err != nil {
		return nil, err
	}
	return do(ctx, d.Subject, s, d.Normalize)
}

// referring returns the schema of a description with the versions of what it refers to.
func (c *Client) referring(ctx context.Context, d Description, do func(context.Context, string, sr.Schema, bool) (*Schema, error)) (sr.Schema, error) {
	s := d.Schema
	s.References = slices.Clone(s.References)
	for _, im := range d.Imports {
		imported, err := c.each(ctx, im, do)
		if err != nil {
			return s, fmt.Errorf("reference to subject %s: %w", im.Subject, err)
		}
		for i := range s.References {
			if ref := &s.References[i]; ref.Subject == im.Subject && ref.Version == 0 {
				ref.Version = imported.Version
			}
		}
	}
	return s, nil
}

// codeConflict is HTTP's, which the registry also uses as its own code.
const codeConflict = 409

func conflicts(err error) bool {
	var answer *sr.ResponseError
	return errors.As(err, &answer) && answer.StatusCode == codeConflict
}

// IncompatibleError says that the registry's compatibility level forbids a schema.
type IncompatibleError struct {
	Subject  string
	Messages []string // the registry's, where it gives any
	Err      error    // its answer to an attempt to register, nil after a check
}

func (e *IncompatibleError) Error() string {
	s := fmt.Sprintf("the schema is not compatible with what subject %s has", e.Subject)
	if len(e.Messages) > 0 {
		s += ": " + strings.Join(e.Messages, "; ")
	} else if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap returns the registry's answer.
func (e *IncompatibleError) Unwrap() error { return e.Err }

// Compatible asks whether the schema with which a serde writes may be registered, and registers nothing. It fails with an [*IncompatibleError] where it may
// not. A subject without versions takes any schema. Use it in a test that runs before a deployment.
func Compatible(ctx context.Context, r serde.Registry, topic string, role serde.Role, s any) error {
	c, d, err := describe(r, topic, role, s)
	if err != nil {
		return err
	}
	return c.compatible(ctx, d)
}

func (c *Client) compatible(ctx context.Context, d Description) error {
	for _, im := range d.Imports {
		if err := c.compatible(ctx, im); err != nil {
			return err
		}
	}
	s, err := c.referring(ctx, d, c.Lookup)
	if errors.Is(err, ErrNotRegistered) {
		// What it refers to is new, too, and so the registry cannot read it yet. Whoever refers to something new is checked once that is registered.
		return nil
	}
	if err != nil {
		return err
	}
	return c.Check(ctx, d.Subject, s, d.Normalize)
}

// Check asks whether a schema may be registered under a subject, as [Compatible] does.
func (c *Client) Check(ctx context.Context, subject string, s sr.Schema, normalize bool) error {
	ps := []sr.Param{sr.Verbose}
	if normalize {
		ps = append(ps, sr.Normalize)
	}
	res, err := do(ctx, c, "whether a schema is compatible with subject "+subject, func(ctx context.Context, cl *sr.Client) (sr.CheckCompatibilityResult, error) {
		return cl.CheckCompatibility(sr.WithParams(ctx, ps...), subject, everyVersion, s)
	})
	var unknown *UnknownError
	switch {
	case errors.As(err, &unknown) && !errors.Is(err, ErrOffline):
		return nil // nothing is registered yet
	case err != nil:
		return err
	case !res.Is:
		return &IncompatibleError{Subject: subject, Messages: res.Messages}
	}
	return nil
}
