package registry

import (
	"strings"
	"unicode"
)

// A subject's name carries its context in front, ":.context:subject"; a name without one is of the default context, whose own name is ".".
const (
	defaultContext = "."
	globalContext  = ".__GLOBAL"
	anyContext     = ":*:"
)

// qualified is a subject's name taken apart. With an empty subject it names a context.
type qualified struct{ context, subject string }

func parseName(s string) qualified {
	switch {
	case strings.HasPrefix(s, ":."):
		context, subject, _ := strings.Cut(s[1:], ":")
		return qualified{context, subject}
	case strings.HasPrefix(s, anyContext):
		return qualified{"*", s[len(anyContext):]}
	}
	return qualified{defaultContext, s}
}

// normalizeName returns the name as it is kept: the default context is not written.
func normalizeName(s string) string { return parseName(s).String() }

func (q qualified) contextPrefix() string {
	if q.context == defaultContext {
		return ""
	}
	return ":" + q.context + ":"
}

func (q qualified) String() string { return q.contextPrefix() + q.subject }

// isDefaultContext says whether the name stands for everything that has no settings of its own.
func (q qualified) isDefaultContext() bool { return q.context == defaultContext && q.subject == "" }

// under returns the name as one that stands in a subject of parent means it: without a context of its own it is in the parent's.
func (q qualified) under(parent qualified) qualified {
	if q.context == defaultContext {
		q.context = parent.context
	}
	return q
}

// normalizeContext makes the prefix of a context's name in any of the ways in which it is written.
func normalizeContext(c string) (string, bool) {
	c = strings.TrimSuffix(strings.TrimPrefix(c, ":"), ":")
	if strings.Contains(c, ":") {
		return "", false
	}
	if !strings.HasPrefix(c, ".") {
		c = "." + c
	}
	return qualified{context: c}.contextPrefix(), true
}

// validSubject applies the rules for a name that something is stored under. Settings may also be stored under the global context.
func validSubject(s string, settings bool) bool {
	if strings.ContainsFunc(s, unicode.IsControl) {
		return false
	}
	q := parseName(s)
	return q.subject != "__GLOBAL" && q.subject != "__EMPTY" && (settings || q.context != globalContext)
}

// matches says whether a stored subject is the one asked for, or lies in the context asked for.
func (q qualified) matches(stored string) bool {
	if q.String() == stored {
		return true
	}
	return q.subject == "" && (q.context == globalContext || q.context == parseName(stored).context)
}
