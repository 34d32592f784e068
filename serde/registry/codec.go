package registry

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/sr"

	"github.com/sordini-go/sordini/serde"
)

// Writer gives what one codec encodes the id of its schema. S is what the codec makes of a schema to encode with. It is safe for concurrent use.
type Writer[S any] struct {
	client  *Client
	role    serde.Role
	what    Description
	options Options
	compile func(*Schema) (S, []byte, error)

	ready atomic.Pointer[written[S]]
	once  memo[struct{}, *written[S]]
}

// written is a schema that has its id.
type written[S any] struct {
	compiled S
	frame    []byte // before a value, or the value of the header
}

// NewWriter returns a writer of the schema that d describes. compile is called once, with the schema as it is registered; what it returns besides S follows
// the id in every record: Protobuf's message indexes. It fails when there is no registry.
func NewWriter[S any](b serde.Binding, d Description, o Options, compile func(*Schema) (S, []byte, error)) (*Writer[S], error) {
	client, err := For(b.Registry)
	if err != nil {
		return nil, err
	}
	return &Writer[S]{client: client, role: b.Role, what: d, options: o, compile: compile}, nil
}

// Begin appends the frame of a record, or sets its header. The first call asks the registry.
func (w *Writer[S]) Begin(ctx context.Context, dst []byte, h *serde.Headers) (S, []byte, error) {
	ready := w.ready.Load()
	if ready == nil {
		var err error
		if ready, err = w.prepare(ctx); err != nil {
			var none S
			return none, dst, err
		}
	}
	if w.options.framing == InHeader {
		h.Set(HeaderName(w.role), ready.frame)
		return ready.compiled, dst, nil
	}
	return ready.compiled, append(dst, ready.frame...), nil
}

func (w *Writer[S]) prepare(ctx context.Context) (*written[S], error) {
	ready, err := w.once.ask(ctx, struct{}{}, func(ctx context.Context) (*written[S], error) {
		s, err := w.registered(ctx)
		if err != nil {
			return nil, err
		}
		compiled, tail, err := w.compile(s)
		if err != nil {
			return nil, &MismatchError{ID{Number: s.ID}, err}
		}
		out := &written[S]{compiled: compiled}
		if w.options.framing == Prefix {
			out.frame = append(AppendPrefix(nil, s.ID), tail...)
			return out, nil
		}
		guid, err := ParseGUID(s.GUID)
		if err != nil {
			return nil, fmt.Errorf("schema id %d has no GUID for the header %s, since the registry is too old for it; use registry.Prefix: %w",
				s.ID, HeaderName(w.role), err)
		}
		out.frame = append(AppendGUID(nil, guid), tail...)
		return out, nil
	})
	if err == nil {
		w.ready.Store(ready)
	}
	return ready, err
}

// registered returns the schema that is written with.
func (w *Writer[S]) registered(ctx context.Context) (*Schema, error) {
	switch o := w.options; {
	case o.register:
		return w.client.each(ctx, w.what, w.client.Register)
	case o.latest:
		return w.client.Latest(ctx, w.what.Subject)
	default:
		return w.client.each(ctx, w.what, w.client.Lookup)
	}
}

// Reader finds the schema that a record was written with. S is what the codec makes of it to decode with. It is safe for concurrent use.
type Reader[S any] struct {
	client  *Client
	role    serde.Role
	subject string
	check   bool
	kind    sr.SchemaType
	compile func(*Schema) (S, error)

	compiled memo[ID, *read[S]]
	latest   atomic.Pointer[read[S]] // the last one asked for: the next record was most often written with it too
}

// read is what was made of a schema.
type read[S any] struct {
	id       ID
	compiled S
}

// NewReader returns a reader of schemas of one format. compile is called once for each schema; what it fails with makes the records of that schema
// poison. It fails when there is no registry.
func NewReader[S any](b serde.Binding, record string, kind sr.SchemaType, o Options, compile func(*Schema) (S, error)) (*Reader[S], error) {
	client, err := For(b.Registry)
	if err != nil {
		return nil, err
	}
	subject, err := o.Subject(b, record)
	if err != nil {
		return nil, err
	}
	return &Reader[S]{client: client, role: b.Role, subject: subject, check: o.checkSubject, kind: kind, compile: compile}, nil
}

// Begin takes the frame off a record. It returns what was made of its schema, the value, and what follows the id in its header; see [Parse].
func (r *Reader[S]) Begin(ctx context.Context, src []byte, h serde.Headers) (compiled S, payload, rest []byte, err error) {
	id, payload, rest, err := Parse(r.role, src, h)
	if err != nil {
		return compiled, nil, nil, err
	}
	known := r.latest.Load()
	if known == nil || known.id != id {
		known, err = r.compiled.ask(ctx, id, func(ctx context.Context) (*read[S], error) { return r.prepare(ctx, id) })
		if err != nil {
			return compiled, payload, rest, err
		}
		r.latest.Store(known)
	}
	return known.compiled, payload, rest, nil
}

func (r *Reader[S]) prepare(ctx context.Context, id ID) (*read[S], error) {
	s, err := r.client.Schema(ctx, id, contextOf(r.subject))
	if err != nil {
		return nil, err
	}
	if s.Type != r.kind {
		return nil, &MismatchError{id, fmt.Errorf("it is of type %v, and this topic is read as %v", s.Type, r.kind)}
	}
	if r.check {
		if err := r.checkSubject(ctx, id); err != nil {
			return nil, err
		}
	}
	compiled, err := r.compile(s)
	if err != nil {
		return nil, &MismatchError{id, err}
	}
	return &read[S]{id, compiled}, nil
}

// checkSubject says whether a schema is registered under the subject.
func (r *Reader[S]) checkSubject(ctx context.Context, id ID) error {
	if id.GUID != (GUID{}) || len(r.client.servers) == 0 {
		return nil // a GUID has versions in no one subject
	}
	subjects, err := do(ctx, r.client, id.String(), func(ctx context.Context, cl *sr.Client) ([]string, error) { return cl.SubjectsByID(ctx, id.Number) })
	if err != nil {
		return err
	}
	if !slices.Contains(subjects, r.subject) {
		return &MismatchError{id, fmt.Errorf("it is registered under %q, and not under %q", subjects, r.subject)}
	}
	return nil
}
