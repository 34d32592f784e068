package jsontree

import (
	"slices"
	"strings"
)

// Kind says what a value is.
type Kind byte

const (
	Null Kind = iota
	Bool
	Number
	String
	Array
	Object
)

// Value is one JSON value. Values that were parsed are not changed any more.
type Value struct {
	Kind Kind
	// Text is the string, the number as it was written, or "true" or "false".
	Text string
	// Items are an array's.
	Items []*Value
	// Members are an object's, in order, each name once.
	Members []Member
}

// Member is a member of an object.
type Member struct {
	Name  string
	Value *Value
}

// Get returns an object's member, nil where there is none.
func (v *Value) Get(name string) *Value {
	if v == nil {
		return nil
	}
	for i := range v.Members {
		if v.Members[i].Name == name {
			return v.Members[i].Value
		}
	}
	return nil
}

// Is says whether there is a value and of which kind.
func (v *Value) Is(k Kind) bool { return v != nil && v.Kind == k }

// Str returns the text of a string, "" of everything else.
func (v *Value) Str() string {
	if v.Is(String) {
		return v.Text
	}
	return ""
}

// NewString makes a string.
func NewString(s string) *Value { return &Value{Kind: String, Text: s} }

// Sorted returns v with the members of every object in the order of their names.
func (v *Value) Sorted() *Value {
	switch v.Kind {
	case Array:
		w := &Value{Kind: Array, Items: make([]*Value, len(v.Items))}
		for i, it := range v.Items {
			w.Items[i] = it.Sorted()
		}
		return w
	case Object:
		w := &Value{Kind: Object, Members: slices.Clone(v.Members)}
		slices.SortFunc(w.Members, func(a, b Member) int { return strings.Compare(a.Name, b.Name) })
		for i := range w.Members {
			w.Members[i].Value = w.Members[i].Value.Sorted()
		}
		return w
	}
	return v
}

// Equal says whether two values are the same; the order of members does not matter, the text of numbers does.
func Equal(a, b *Value) bool {
	if a == nil || b == nil {
		return a == b
	}
	if a.Kind != b.Kind || a.Text != b.Text || len(a.Items) != len(b.Items) || len(a.Members) != len(b.Members) {
		return false
	}
	for i := range a.Items {
		if !Equal(a.Items[i], b.Items[i]) {
			return false
		}
	}
	for _, m := range a.Members {
		if w := b.Get(m.Name); w == nil || !Equal(m.Value, w) {
			return false
		}
	}
	return true
}
