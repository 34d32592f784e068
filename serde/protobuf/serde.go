package protobuf

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"

	"github.com/twmb/franz-go/pkg/sr"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/sordini-go/sordini/serde"
	"github.com/sordini-go/sordini/serde/registry"
)

// maxDepth bounds how deep messages may be nested in each other, as Java's parser does.
const maxDepth = 100

// Serde is Protobuf for messages of the generated type T, such as *pb.Order.
func Serde[T proto.Message](opts ...registry.Option) serde.Serde[T] {
	return typed[T]{registry.Collect(opts)}
}

type typed[T proto.Message] struct{ options registry.Options }

// descriptor returns the descriptor of T.
func (s typed[T]) descriptor() (protoreflect.MessageDescriptor, error) {
	var zero T
	if t := reflect.TypeFor[T](); t.Kind() != reflect.Pointer || t == reflect.TypeFor[*dynamicpb.Message]() {
		return nil, fmt.Errorf("protobuf.Serde[%v]: want a generated message such as *pb.Order; use protobuf.Dynamic for any message", t)
	}
	return zero.ProtoReflect().Descriptor(), nil
}

func description(b serde.Binding, m protoreflect.MessageDescriptor, o registry.Options) (registry.Description, error) {
	d, err := o.Describe(b, string(m.FullName()), sr.Schema{}, nil)
	if err != nil {
		return d, err
	}
	return describe(d.Subject, m.ParentFile(), d.Normalize)
}

// Describe implements [registry.Described].
func (s typed[T]) Describe(b serde.Binding) (registry.Description, error) {
	m, err := s.descriptor()
	if err != nil {
		return registry.Description{}, err
	}
	return description(b, m, s.options)
}

// Bind implements [serde.Serde].
func (s typed[T]) Bind(b serde.Binding) (_ serde.Codec[T], err error) {
	m, err := s.descriptor()
	if err != nil {
		return nil, err
	}
	c := &codec[T]{name: m.FullName()}
	if c.w, err = newWriter(b, m, s.options); err != nil {
		return nil, err
	}
	c.r, err = registry.NewReader(b, string(c.name), sr.TypeProtobuf, s.options, compile)
	if err != nil {
		return nil, err
	}
	return c, nil
}

// writer frames messages; there is nothing to compile.
type writer = registry.Writer[struct{}]

func newWriter(b serde.Binding, m protoreflect.MessageDescriptor, o registry.Options) (*writer, error) {
	d, err := description(b, m, o)
	if err != nil {
		return nil, err
	}
	return registry.NewWriter(b, d, o, func(s *registry.Schema) (struct{}, []byte, error) {
		// What was looked up by its descriptor has the message where the descriptor has it. The subject's latest version may have it elsewhere.
		f, err := compile(s)
		if err != nil {
			return struct{}{}, nil, err
		}
		index := find(f.Messages(), m.FullName())
		if index == nil {
			return struct{}{}, nil, fmt.Errorf("it has no message %s", m.FullName())
		}
		return struct{}{}, index, nil
	})
}

// find returns the path to a message, nil where it is not.
func find(ms protoreflect.MessageDescriptors, name protoreflect.FullName) []byte {
	for i := range ms.Len() {
		m := ms.Get(i)
		if m.FullName() == name {
			return indexOf(m)
		}
		if index := find(m.Messages(), name); index != nil {
			return index
		}
	}
	return nil
}

// codec is the serde, bound.
type codec[T proto.Message] struct {
	name protoreflect.FullName
	w    *writer
	r    *registry.Reader[protoreflect.FileDescriptor]
}

var errNil = errors.New("the message is nil: a null value is a tombstone, and only Delete writes one")

// Append implements [serde.Codec].
func (c *codec[T]) Append(ctx context.Context, dst []byte, v T, h *serde.Headers) ([]byte, error) {
	if !v.ProtoReflect().IsValid() {
		return dst, errNil
	}
	return appendMessage(ctx, dst, v, h, c.w, proto.MarshalOptions{Deterministic: true})
}

func appendMessage(ctx context.Context, dst []byte, v proto.Message, h *serde.Headers, w *writer, o proto.MarshalOptions) ([]byte, error) {
	_, out, err := w.Begin(ctx, dst, h)
	if err != nil {
		return dst, err
	}
	if out, err = o.MarshalAppend(out, v); err != nil {
		return dst, err
	}
	return out, nil
}

// Decode implements [serde.Codec].
func (c *codec[T]) Decode(ctx context.Context, src []byte, h serde.Headers) (v T, err error) {
	m, payload, err := begin(ctx, c.r, src, h)
	if err != nil {
		return v, err
	}
	if m.FullName() != c.name {
		return v, fmt.Errorf("the record is a %s, and this topic is read as %s", m.FullName(), c.name)
	}
	out := v.ProtoReflect().Type().New().Interface()
	if err := unmarshal(payload, out); err != nil {
		return v, err
	}
	return out.(T), nil
}

// begin takes off the frame and finds the message that the record was written as.
func begin(ctx context.Context, r *registry.Reader[protoreflect.FileDescriptor], src []byte, h serde.Headers) (protoreflect.MessageDescriptor, []byte, error) {
	f, payload, rest, err := r.Begin(ctx, src, h)
	if err != nil {
		return nil, nil, err
	}
	if rest != nil { // the path is in the header, too
		m, _, err := messageAt(f, rest)
		return m, payload, err
	}
	return messageAt(f, payload)
}

func unmarshal(src []byte, m proto.Message) error {
	return proto.UnmarshalOptions{RecursionLimit: maxDepth}.Unmarshal(src, m)
}

// Dynamic is Protobuf for messages of any type. A message is decoded as the generated type that the process has for its name, and otherwise as a
// [*dynamicpb.Message] of the schema that it was written with. It is encoded with the file of its own descriptor.
func Dynamic(opts ...registry.Option) serde.Serde[proto.Message] {
	return dynamic{registry.Collect(opts)}
}

type dynamic struct{ options registry.Options }

// Bind implements [serde.Serde].
func (s dynamic) Bind(b serde.Binding) (serde.Codec[proto.Message], error) {
	c := &dynamicCodec{binding: b, options: s.options}
	r, err := registry.NewReader(b, "any", sr.TypeProtobuf, s.options, compile)
	if err != nil {
		return nil, err
	}
	c.r = r
	return c, nil
}

type dynamicCodec struct {
	binding serde.Binding
	options registry.Options
	r       *registry.Reader[protoreflect.FileDescriptor]

	mu      sync.Mutex // guards writers
	writers map[protoreflect.MessageDescriptor]*writer
}

// maxWriters bounds how many types of messages one codec remembers.
const maxWriters = 1000

func (c *dynamicCodec) writer(m protoreflect.MessageDescriptor) (*writer, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if w := c.writers[m]; w != nil {
		return w, nil
	}
	w, err := newWriter(c.binding, m, c.options)
	if err != nil {
		return nil, err
	}
	if c.writers == nil || len(c.writers) >= maxWriters {
		c.writers = make(map[protoreflect.MessageDescriptor]*writer)
	}
	c.writers[m] = w
	return w, nil
}

// Append implements [serde.Codec].
func (c *dynamicCodec) Append(ctx context.Context, dst []byte, v proto.Message, h *serde.Headers) ([]byte, error) {
	if v == nil || !v.ProtoReflect().IsValid() {
		return dst, errNil
	}
	w, err := c.writer(v.ProtoReflect().Descriptor())
	if err != nil {
		return dst, err
	}
	// A dynamic message keeps its fields in a map. Without this their order, and so a key's partition, would differ from one time to the next.
	return appendMessage(ctx, dst, v, h, w, proto.MarshalOptions{Deterministic: true})
}

// Decode implements [serde.Codec].
func (c *dynamicCodec) Decode(ctx context.Context, src []byte, h serde.Headers) (proto.Message, error) {
	m, payload, err := begin(ctx, c.r, src, h)
	if err != nil {
		return nil, err
	}
	var out proto.Message
	if t, err := protoregistry.GlobalTypes.FindMessageByName(m.FullName()); err == nil {
		out = t.New().Interface()
	} else {
		out = dynamicpb.NewMessage(m)
	}
	if err := unmarshal(payload, out); err != nil {
		return nil, err
	}
	return out, nil
}
