package jsonschema

import (
	"regexp"

	"github.com/sordini-go/sordini/broker/registry/internal/jsontree"
)

// kind says what a schema describes.
type kind byte

const (
	kindEmpty kind = iota // {}
	kindTrue
	kindFalse
	kindString
	kindNumber
	kindBoolean
	kindNull
	kindObject
	kindArray
	kindEnum
	kindConst
	kindNot
	kindConditional
	kindCombined
	kindRef
)

// criterion says how the parts of a combined schema count.
type criterion string

const (
	allOf criterion = "allOf"
	anyOf criterion = "anyOf"
	oneOf criterion = "oneOf"
)

// node is one schema in the model. Which fields are used depends on the kind.
type node struct {
	kind    kind
	src     *jsontree.Value // nil for what a schema has been taken apart into
	def     *jsontree.Value
	connect string // connect.type, by which Kafka Connect marks what is not what it looks like

	limits  map[string]*number // bounds of every kind, by keyword
	pattern *string
	integer bool

	properties   []property
	byName       map[string]*node // the same
	required     map[string]bool
	patterns     []property // by regular expression
	additional   content    // properties or items
	unevaluated  *node      // properties or items
	dependencies map[string][]string
	schemaDeps   map[string]*node

	items  *node // for all
	tuple  []*node
	unique bool

	values []*jsontree.Value // of an enum, or the one of a const

	criterion criterion
	parts     []*node
	not       *node

	target *node // of a reference
}

// property is a schema by name.
type property struct {
	name   string
	schema *node
	re     *regexp.Regexp // of a pattern; nil for one that this implementation cannot read
}

// content says what else may be in an object or an array: nothing, something of a schema, or anything.
type content struct {
	forbidden bool
	schema    *node
}

func (n *node) property(name string) *node { return n.byName[name] }

// deref follows references.
func (n *node) deref() *node {
	for range maxRefs {
		if n == nil || n.kind != kindRef {
			return n
		}
		n = n.target
	}
	return &node{kind: kindEmpty} // only references that lead to each other
}

const maxRefs = 100

func (n *node) isEmpty() bool { return n != nil && (n.kind == kindEmpty || n.kind == kindTrue) }
func (n *node) isFalse() bool { return n != nil && n.kind == kindFalse }
