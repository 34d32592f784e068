package sordini

import (
	"errors"
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
)

// Diagnosis explains an error whose cause is known. The codes, each of which stays what it is from release to release, are the Code constants.
type Diagnosis struct {
	Code        string // stable, e.g. "unknown-topic"
	Summary     string // what happened
	LikelyCause string
	Fix         string // what to do, with the command where there is one
}

// Diagnosed is implemented by errors that carry a diagnosis.
type Diagnosed interface {
	error
	Diagnosis() Diagnosis
}

// Diagnose returns the diagnosis of err or of the first error in its tree that has one.
func Diagnose(err error) (Diagnosis, bool) {
	var d Diagnosed
	if errors.As(err, &d) {
		return d.Diagnosis(), true
	}
	return Diagnosis{}, false
}

// About is what is known of the operation that failed, to be named in its diagnosis. Every field may be left out.
type About struct {
	Operation string   // "produce", "fetch", "commit", "create topic"
	Topic     string   // what it was done to
	Names     []string // the topics that exist, to find the nearest name among
	Group     string
	Principal string // Cluster.Principal
	Address   string // of the broker, host:port
	Limit     int    // bytes that are allowed
	Size      int    // bytes that there were
}

// Explain wraps err with the diagnosis of its cause, or returns it as it is where the cause is not known or explained already. errors.Is and errors.As find
// in the result what they find in err. A nil err gives nil.
func Explain(err error, about About) error {
	if err == nil {
		return nil
	}
	if d, ok := Diagnose(err); ok {
		if !strings.Contains(err.Error(), d.Code) { // franz-go wrapped it without its text
			return &diagnosed{err: err, diagnosis: d}
		}
		return err
	}
	for i := range catalogue {
		if entry := &catalogue[i]; entry.matches(err) {
			if about.Topic == "" && errors.Is(err, kerr.TopicAuthorizationFailed) {
				about.Topic = anyTopic // what its group did was allowed
			}
			return &diagnosed{err: err, diagnosis: entry.diagnosis(about)}
		}
	}
	return err
}

// ExplainAs is Explain for a cause that the caller knows: it wraps err with the diagnosis of code, one of the Code constants.
func ExplainAs(err error, code string, about About) error {
	if err == nil {
		return nil
	}
	for i := range catalogue {
		if entry := &catalogue[i]; entry.code == code {
			return &diagnosed{err: err, diagnosis: entry.diagnosis(about)}
		}
	}
	return err
}

// diagnosed is an error with its diagnosis.
type diagnosed struct {
	err       error
	diagnosis Diagnosis
}

func (d *diagnosed) Error() string {
	return fmt.Sprintf("%v (%s: %s; %s)", d.err, d.diagnosis.Code, d.diagnosis.Summary, d.diagnosis.Fix)
}

func (d *diagnosed) Unwrap() error { return d.err }

func (d *diagnosed) Diagnosis() Diagnosis { return d.diagnosis }

// entry is one line of the catalogue.
type entry struct {
	code  string
	is    []error               // errors.Is of any
	match func(error) bool      // or this
	text  func(About) [3]string // summary, likely cause, fix
}

func (e *entry) matches(err error) bool {
	for _, target := range e.is {
		if errors.Is(err, target) {
			return true
		}
	}
	return e.match != nil && e.match(err)
}

func (e *entry) diagnosis(a About) Diagnosis {
	t := e.text(a)
	return Diagnosis{Code: e.code, Summary: t[0], LikelyCause: t[1], Fix: t[2]}
}

// says reports whether err's text contains a part: for errors that have neither type nor value.
func says(parts ...string) func(error) bool {
	return func(err error) bool {
		text := err.Error()
		for _, p := range parts {
			if strings.Contains(text, p) {
				return true
			}
		}
		return false
	}
}

// of names a thing, or says "the topic" where its name is not known.
func of(kind, name string) string {
	if name == "" {
		return "the " + kind
	}
	return fmt.Sprintf("%s %q", kind, name)
}
