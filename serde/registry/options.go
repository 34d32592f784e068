package registry

import (
	"github.com/twmb/franz-go/pkg/sr"

	"github.com/sordini-go/sordini/serde"
)

// Option changes how a serde uses the registry.
type Option func(*Options)

// Options are what a serde of this family is made with. The zero value is Confluent's default, but for registering: a service does not.
type Options struct {
	subject      SubjectName
	framing      Framing
	register     bool
	latest       bool
	normalize    bool
	checkSubject bool
}

// Collect applies options in order.
func Collect(opts []Option) (o Options) {
	o.subject = TopicName
	for _, opt := range opts {
		opt(&o)
	}
	return o
}

// Subject returns the subject for what a serde is bound to.
func (o *Options) Subject(b serde.Binding, record string) (string, error) {
	return o.subject(b.Topic, b.Role, record)
}

// SubjectBy names subjects by another strategy than [TopicName].
func SubjectBy(s SubjectName) Option { return func(o *Options) { o.subject = s } }

// Frame says where written records carry the id of their schema. Default: [Prefix].
func Frame(f Framing) Option { return func(o *Options) { o.framing = f } }

// AutoRegister registers the codec's schema before the first record is encoded. It is meant for development and for tests: in production a schema that
// nobody looked at becomes a promise to every reader. Default: off, and an unregistered schema fails with [ErrNotRegistered].
func AutoRegister() Option { return func(o *Options) { o.register = true } }

// UseLatest writes with the schema that was the subject's latest when the codec encoded for the first time, in place of its own.
func UseLatest() Option { return func(o *Options) { o.latest = true } }

// Normalize lets the registry compare and store schemas in normal form.
func Normalize() Option { return func(o *Options) { o.normalize = true } }

// CheckSubject makes a record poison whose schema is not registered under the subject that the serde would write to. It costs a request for each schema.
// Default: off, because a topic may have been written under another strategy; a schema that does not fit is found out anyway.
func CheckSubject() Option { return func(o *Options) { o.checkSubject = true } }

// Describe is what [Described] returns for a schema that is written so.
func (o *Options) Describe(b serde.Binding, record string, s sr.Schema, imports []Description) (Description, error) {
	subject, err := o.Subject(b, record)
	if err != nil {
		return Description{}, err
	}
	return Description{Subject: subject, Normalize: o.normalize, Schema: s, Imports: imports}, nil
}
