package acl

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Authorizer holds bindings and decides by them. It is safe for concurrent use; decisions take no lock.
type Authorizer struct {
	supers   map[string]bool
	fallback bool // what is allowed where no binding is about the resource

	mu    sync.Mutex // serializes changes
	state atomic.Pointer[state]
}

// New returns an authorizer without bindings. Super users may do anything. Where no binding at all is about a resource, others may do nothing,
// unless allowUnlisted (allow.everyone.if.no.acl.found).
func New(superUsers []string, allowUnlisted bool) *Authorizer {
	a := &Authorizer{supers: make(map[string]bool), fallback: allowUnlisted}
	for _, u := range superUsers {
		a.supers[u] = true
	}
	a.state.Store(newState(nil))
	return a
}

// state is the bindings at one moment, indexed. It is not changed any more.
type state struct {
	bindings map[Binding]struct{}
	types    map[kmsg.ACLResourceType]*index
}

// index finds the entries about resources of one type. A name's prefixed patterns are found by cutting it at the lengths that there are.
type index struct {
	literal, prefixed map[string][]Entry
	lengths           []int // of the prefixes, each once
}

func newState(bindings map[Binding]struct{}) *state {
	s := &state{bindings: bindings, types: make(map[kmsg.ACLResourceType]*index)}
	for b := range bindings {
		i := s.types[b.Type]
		if i == nil {
			i = &index{literal: make(map[string][]Entry), prefixed: make(map[string][]Entry)}
			s.types[b.Type] = i
		}
		if b.Kind == kmsg.ACLResourcePatternTypeLiteral {
			i.literal[b.Name] = append(i.literal[b.Name], b.Entry)
			continue
		}
		i.prefixed[b.Name] = append(i.prefixed[b.Name], b.Entry)
		if !slices.Contains(i.lengths, len(b.Name)) {
			i.lengths = append(i.lengths, len(b.Name))
		}
	}
	return s
}

// Allows decides whether a principal ("User:alice") may do something with a resource from a host ("127.0.0.1").
func (a *Authorizer) Allows(principal, host string, op kmsg.ACLOperation, kind kmsg.ACLResourceType, name string) bool {
	if a.supers[principal] {
		return true
	}
	i := a.state.Load().types[kind]
	if i == nil {
		return a.fallback
	}
	found, allowed := false, false
	denied := func(entries []Entry) bool {
		found = found || len(entries) > 0
		for k := range entries {
			e := &entries[k]
			if !e.applies(principal, host, op) {
				continue
			}
			if e.Permission != kmsg.ACLPermissionTypeAllow {
				return true
			}
			allowed = true
		}
		return false
	}
	if denied(i.literal[name]) || name != Wildcard && denied(i.literal[Wildcard]) {
		return false
	}
	for _, n := range i.lengths {
		if n <= len(name) && denied(i.prefixed[name[:n]]) {
			return false
		}
	}
	return allowed || !found && a.fallback
}

// AllowsAny decides whether a principal may do something with at least one resource of a type, as Kafka does for idempotent producers: implied
// operations do not count, and an allowed pattern counts unless a denied one takes all of it.
func (a *Authorizer) AllowsAny(principal, host string, op kmsg.ACLOperation, kind kmsg.ACLResourceType) bool {
	if a.Allows(principal, host, op, kind, "hardcode") { // Kafka's own way to look for super users and the like
		return true
	}
	i := a.state.Load().types[kind]
	if i == nil {
		return false
	}
	about := func(entries []Entry, permission kmsg.ACLPermissionType) bool {
		return slices.ContainsFunc(entries, func(e Entry) bool {
			return e.Permission == permission && (e.Operation == op || e.Operation == kmsg.ACLOperationAll) && e.applies(principal, host, op)
		})
	}
	if about(i.literal[Wildcard], kmsg.ACLPermissionTypeDeny) {
		return false
	}
	dominated := func(name string) bool {
		return slices.ContainsFunc(i.lengths, func(n int) bool {
			return n <= len(name) && about(i.prefixed[name[:n]], kmsg.ACLPermissionTypeDeny)
		})
	}
	for name, entries := range i.literal {
		if !about(entries, kmsg.ACLPermissionTypeAllow) {
			continue
		}
		if name == Wildcard || !about(entries, kmsg.ACLPermissionTypeDeny) && !dominated(name) {
			return true
		}
	}
	for name, entries := range i.prefixed {
		if about(entries, kmsg.ACLPermissionTypeAllow) && !dominated(name) {
			return true
		}
	}
	return false
}

// Add adds bindings; those that are there already stay as they are.
func (a *Authorizer) Add(bindings ...Binding) {
	a.mu.Lock()
	defer a.mu.Unlock()
	next := maps.Clone(a.state.Load().bindings)
	if next == nil {
		next = make(map[Binding]struct{})
	}
	for _, b := range bindings {
		next[b] = struct{}{}
	}
	a.state.Store(newState(next))
}

// Delete removes what the filters select, all at once, and returns for each filter what it selected.
func (a *Authorizer) Delete(filters ...Filter) [][]Binding {
	a.mu.Lock()
	defer a.mu.Unlock()
	old := a.state.Load()
	next := maps.Clone(old.bindings)
	deleted := make([][]Binding, len(filters))
	for i, f := range filters {
		deleted[i] = old.list(f)
		for _, b := range deleted[i] {
			delete(next, b)
		}
	}
	a.state.Store(newState(next))
	return deleted
}

// List returns the bindings that a filter selects, in an order that stays the same.
func (a *Authorizer) List(f Filter) []Binding { return a.state.Load().list(f) }

func (s *state) list(f Filter) (found []Binding) {
	for b := range s.bindings {
		if f.Matches(b) {
			found = append(found, b)
		}
	}
	slices.SortFunc(found, func(x, y Binding) int {
		return cmp.Or(cmp.Compare(x.Type, y.Type), cmp.Compare(x.Name, y.Name), cmp.Compare(x.Kind, y.Kind), cmp.Compare(x.Principal, y.Principal),
			cmp.Compare(x.Host, y.Host), cmp.Compare(x.Operation, y.Operation), cmp.Compare(x.Permission, y.Permission))
	})
	return found
}
