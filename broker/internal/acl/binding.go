package acl

import (
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Wildcard stands for any resource name in a literal pattern, and for any host.
const Wildcard = "*"

// AnyUser is the principal that stands for every user.
const AnyUser = "User:*"

// Pattern says which resources a binding is about: the one with that name, or all whose names begin with it.
type Pattern struct {
	Type kmsg.ACLResourceType
	Name string
	Kind kmsg.ACLResourcePatternType // literal or prefixed
}

// Entry says who may, or may not, do what from where.
type Entry struct {
	Principal  string
	Host       string
	Operation  kmsg.ACLOperation
	Permission kmsg.ACLPermissionType
}

// Binding is one access control list entry of one pattern.
type Binding struct {
	Pattern
	Entry
}

// Filter selects bindings. Null names and "any" values match everything.
type Filter struct {
	Type      kmsg.ACLResourceType
	Name      *string
	Kind      kmsg.ACLResourcePatternType
	Principal *string
	Host      *string

	Operation  kmsg.ACLOperation
	Permission kmsg.ACLPermissionType
}

// Unknown says that the filter's pattern, or its entry, has a value that does not exist.
func (f Filter) Unknown() (pattern, entry bool) {
	pattern = f.Type <= kmsg.ACLResourceTypeUnknown || f.Type > lastType || f.Kind <= kmsg.ACLResourcePatternTypeUnknown || f.Kind > kmsg.ACLResourcePatternTypePrefixed
	entry = f.Operation <= kmsg.ACLOperationUnknown || f.Operation > lastOperation || f.Permission <= kmsg.ACLPermissionTypeUnknown || f.Permission > kmsg.ACLPermissionTypeAllow
	return pattern, entry
}

// The last values that exist.
const (
	lastType      = kmsg.ACLResourceTypeUser
	lastOperation = TwoPhaseCommit
)

// TwoPhaseCommit is an operation that the codec does not name (KIP-939).
const TwoPhaseCommit kmsg.ACLOperation = 15

// Matches says whether the filter selects a binding. MATCH finds every pattern that the filter's name falls under (KIP-290).
func (f Filter) Matches(b Binding) bool {
	switch {
	case f.Type != kmsg.ACLResourceTypeAny && f.Type != b.Type,
		f.Operation != kmsg.ACLOperationAny && f.Operation != b.Operation,
		f.Permission != kmsg.ACLPermissionTypeAny && f.Permission != b.Permission,
		f.Principal != nil && *f.Principal != b.Principal,
		f.Host != nil && *f.Host != b.Host:
		return false
	}
	switch f.Kind {
	case kmsg.ACLResourcePatternTypeAny:
		return f.Name == nil || *f.Name == b.Name
	case kmsg.ACLResourcePatternTypeMatch:
		return f.Name == nil || b.covers(*f.Name)
	}
	return f.Kind == b.Kind && (f.Name == nil || *f.Name == b.Name)
}

// covers says whether a resource falls under the pattern.
func (p Pattern) covers(name string) bool {
	if p.Kind == kmsg.ACLResourcePatternTypePrefixed {
		return strings.HasPrefix(name, p.Name)
	}
	return p.Name == name || p.Name == Wildcard
}

// applies says whether the entry is about an operation of a principal from a host. What an operation implies it implies only where it is allowed.
func (e Entry) applies(principal, host string, op kmsg.ACLOperation) bool {
	if e.Principal != principal && e.Principal != AnyUser || e.Host != host && e.Host != Wildcard {
		return false
	}
	if e.Operation == op || e.Operation == kmsg.ACLOperationAll {
		return true
	}
	if e.Permission != kmsg.ACLPermissionTypeAllow {
		return false
	}
	switch op {
	case kmsg.ACLOperationDescribe:
		return e.Operation == kmsg.ACLOperationRead || e.Operation == kmsg.ACLOperationWrite ||
			e.Operation == kmsg.ACLOperationDelete || e.Operation == kmsg.ACLOperationAlter
	case kmsg.ACLOperationDescribeConfigs:
		return e.Operation == kmsg.ACLOperationAlterConfigs
	}
	return false
}
