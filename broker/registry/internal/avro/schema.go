package avro

import (
	"strings"

	"github.com/sordini-go/sordini/broker/registry/internal/jsontree"
)

// Type is a schema's type under the specification's name.
type Type string

const (
	Null    Type = "null"
	Boolean Type = "boolean"
	Int     Type = "int"
	Long    Type = "long"
	Float   Type = "float"
	Double  Type = "double"
	Bytes   Type = "bytes"
	String  Type = "string"
	Record  Type = "record"
	Error   Type = "error" // a record that a protocol throws
	Enum    Type = "enum"
	Array   Type = "array"
	Map     Type = "map"
	Fixed   Type = "fixed"
	Union   Type = "union"
)

// String is the name that messages give the type, as Java's enumeration does.
func (t Type) String() string {
	if t == Error {
		t = Record
	}
	return strings.ToUpper(string(t))
}

func (t Type) primitive() bool {
	switch t {
	case Null, Boolean, Int, Long, Float, Double, Bytes, String:
		return true
	}
	return false
}

func (t Type) named() bool { return t.kind() == Record || t == Enum || t == Fixed }

// kind takes an error for the record that it is.
func (t Type) kind() Type {
	if t == Error {
		return Record
	}
	return t
}

// name is the name of a record, an enum or a fixed. The space may be empty.
type name struct{ space, base string }

func newName(s, space string) name {
	if i := strings.LastIndexByte(s, '.'); i >= 0 {
		return name{s[:i], s[i+1:]}
	}
	return name{space, s}
}

func (n name) full() string {
	if n.space == "" {
		return n.base
	}
	return n.space + "." + n.base
}

// within is how the name is written where space is the default: short when that is enough.
func (n name) within(space string) string {
	if n.space == space && !Type(n.base).primitive() {
		return n.base
	}
	return n.full()
}

// schema is a node. Named schemas refer to each other, so the nodes form a graph.
type schema struct {
	typ     Type
	name    name
	doc     *string
	aliases []name
	fields  []*field
	symbols []string
	def     *string // of an enum
	size    string  // of a fixed
	items   *schema // of an array, or the values of a map
	types   []*schema
	props   []jsontree.Member
}

type field struct {
	name    string
	typ     *schema
	doc     *string
	def     *jsontree.Value
	order   string // other than ascending
	aliases []string
	props   []jsontree.Member
}

// Schema is a schema that was parsed. It is not changed any more, so it is safe for concurrent use.
type Schema struct {
	root       *schema
	named      map[string]*schema // also those of the references
	references map[string]bool    // the names that the references define
}

// Name is the full name of the schema, "" where its type has none.
func (s *Schema) Name() string {
	if s.root.typ.named() {
		return s.root.name.full()
	}
	return ""
}

// ReservedField is the first field of a record whose name begins with $$, "" where there is none.
func (s *Schema) ReservedField() string {
	for _, f := range s.root.fields {
		if strings.HasPrefix(f.name, "$$") {
			return f.name
		}
	}
	return ""
}
