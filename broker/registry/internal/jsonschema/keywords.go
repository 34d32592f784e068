package jsonschema

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"

	"github.com/sordini-go/sordini/broker/registry/internal/jsontree"
)

// Keywords that make a schema one of a kind, whether it says a type or not.
var (
	stringKeywords = []string{"minLength", "maxLength", "pattern", "format"}
	numberKeywords = []string{"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}
	objectKeywords = []string{
		"properties", "required", "minProperties", "maxProperties", "dependencies", "patternProperties", "additionalProperties", "propertyNames",
		"dependentRequired", "dependentSchemas", "unevaluatedProperties",
	}
	arrayKeywords = []string{
		"items", "additionalItems", "minItems", "maxItems", "uniqueItems", "contains", "prefixItems", "minContains", "maxContains", "unevaluatedItems",
	}
)

var typeKinds = map[string]kind{
	"string": kindString, "number": kindNumber, "integer": kindNumber, "boolean": kindBoolean, "null": kindNull, "object": kindObject, "array": kindArray,
}

var kindKeywords = map[kind][]string{kindString: stringKeywords, kindNumber: numberKeywords, kindObject: objectKeywords, kindArray: arrayKeywords}

// object makes the node of a schema that is an object: of one kind, or of several at once.
func (l *loader) object(n *node, v *jsontree.Value, d *document) error {
	base := d.base
	if id := d.idOf(v); id != "" {
		if u, err := base.Parse(id); err == nil {
			base = u
		}
	}
	o := &objectLoader{loader: l, v: v, d: d, base: base}
	if ref := v.Get("$ref"); ref != nil {
		if ref.Kind != jsontree.String {
			return fmt.Errorf("$ref: expected a string, found %s", shorten(ref))
		}
		if !d.modern {
			n.kind = kindRef
			n.describe(v)
			l.refer(n, ref.Text, d, base)
			return l.definitions(v, d)
		}
		r := &node{kind: kindRef}
		l.refer(r, ref.Text, d, base)
		o.parts = append(o.parts, r)
	}
	if err := o.extract(); err != nil {
		return err
	}
	switch len(o.parts) {
	case 0:
		n.kind = kindEmpty
	case 1:
		*n = *o.parts[0]
		if n.kind == kindRef { // it is resolved later
			l.pending[len(l.pending)-1].node = n
		}
	default:
		*n = node{kind: kindCombined, criterion: allOf, parts: o.parts}
	}
	n.describe(v)
	return l.definitions(v, d)
}

// describe takes what a schema of any kind may have.
func (n *node) describe(v *jsontree.Value) {
	n.src, n.def = v, v.Get("default")
	n.connect = v.Get("connect.type").Str()
}

func (l *loader) refer(n *node, ref string, d *document, base *url.URL) {
	l.pending = append(l.pending, pendingRef{n, ref, d, base})
}

// definitions loads what nothing may refer to, so that it is checked.
func (l *loader) definitions(v *jsontree.Value, d *document) error {
	for _, k := range []string{"definitions", "$defs"} {
		defs := v.Get(k)
		if defs == nil {
			continue
		}
		if defs.Kind != jsontree.Object {
			return fmt.Errorf("%s: expected an object, found %s", k, shorten(defs))
		}
		for _, m := range defs.Members {
			if m.Value.Kind != jsontree.Object && m.Value.Kind != jsontree.Bool {
				continue // it is nobody's schema yet
			}
			if _, err := l.load(m.Value, d); err != nil {
				return fmt.Errorf("%s/%s: %w", k, m.Name, err)
			}
		}
	}
	return nil
}

// objectLoader takes a schema apart.
type objectLoader struct {
	*loader
	v     *jsontree.Value
	d     *document
	base  *url.URL
	parts []*node
}

func (o *objectLoader) extract() error {
	if enum := o.v.Get("enum"); enum != nil {
		if enum.Kind != jsontree.Array {
			return fmt.Errorf("enum: expected an array, found %s", shorten(enum))
		}
		o.parts = append(o.parts, &node{kind: kindEnum, values: enum.Items})
	}
	for _, c := range []criterion{allOf, anyOf, oneOf} {
		if err := o.combined(c); err != nil {
			return err
		}
	}
	if not := o.v.Get("not"); not != nil {
		n, err := o.load(not, o.d)
		if err != nil {
			return fmt.Errorf("not: %w", err)
		}
		o.parts = append(o.parts, &node{kind: kindNot, not: n})
	}
	if c := o.v.Get("const"); c != nil && !o.d.draft4 {
		o.parts = append(o.parts, &node{kind: kindConst, values: []*jsontree.Value{c}})
	}
	if err := o.conditional(); err != nil {
		return err
	}
	done, err := o.types()
	if err != nil {
		return err
	}
	for _, k := range []kind{kindArray, kindObject, kindNumber, kindString} {
		if !done[k] && slices.ContainsFunc(kindKeywords[k], func(w string) bool { return o.v.Get(w) != nil }) {
			n, err := o.typed(k)
			if err != nil {
				return err
			}
			o.parts = append(o.parts, n)
		}
	}
	return nil
}

func (o *objectLoader) combined(c criterion) error {
	list := o.v.Get(string(c))
	if list == nil {
		return nil
	}
	if list.Kind != jsontree.Array {
		return fmt.Errorf("%s: expected an array, found %s", c, shorten(list))
	}
	n := &node{kind: kindCombined, criterion: c}
	for i, it := range list.Items {
		part, err := o.load(it, o.d)
		if err != nil {
			return fmt.Errorf("%s/%d: %w", c, i, err)
		}
		n.parts = append(n.parts, part)
	}
	o.parts = append(o.parts, n)
	return nil
}

func (o *objectLoader) conditional() error {
	found := false
	for _, k := range []string{"if", "then", "else"} {
		if s := o.v.Get(k); s != nil {
			found = true
			if _, err := o.load(s, o.d); err != nil {
				return fmt.Errorf("%s: %w", k, err)
			}
		}
	}
	if found {
		o.parts = append(o.parts, &node{kind: kindConditional})
	}
	return nil
}

// types makes the nodes of the types that the schema says, and returns whose keywords have been used.
func (o *objectLoader) types() (map[kind]bool, error) {
	t := o.v.Get("type")
	done := make(map[kind]bool)
	one := func(t *jsontree.Value) (*node, error) {
		k, ok := typeKinds[t.Text]
		if t.Kind != jsontree.String || !ok {
			return nil, fmt.Errorf("type: unknown type %s", shorten(t))
		}
		done[k] = true
		n, err := o.typed(k)
		if err == nil {
			n.integer = t.Text == "integer"
		}
		return n, err
	}
	switch {
	case t == nil:
	case t.Kind == jsontree.Array:
		any := &node{kind: kindCombined, criterion: anyOf}
		for _, it := range t.Items {
			n, err := one(it)
			if err != nil {
				return nil, err
			}
			any.parts = append(any.parts, n)
		}
		o.parts = append(o.parts, any)
	default:
		n, err := one(t)
		if err != nil {
			return nil, err
		}
		o.parts = append(o.parts, n)
	}
	return done, nil
}

// limitKeywords are the bounds of each kind.
var limitKeywords = map[kind][]string{
	kindString: {"minLength", "maxLength"},
	kindNumber: {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"},
	kindObject: {"minProperties", "maxProperties"},
	kindArray:  {"minItems", "maxItems", "minContains", "maxContains"},
}

func (o *objectLoader) typed(k kind) (*node, error) {
	n := &node{kind: k, limits: make(map[string]*number)}
	for _, w := range limitKeywords[k] {
		v := o.v.Get(w)
		switch {
		case v == nil, v.Kind == jsontree.Bool && (w == "exclusiveMinimum" || w == "exclusiveMaximum"): // as draft 4 had it
		case v.Kind != jsontree.Number:
			return nil, fmt.Errorf("%s: expected a number, found %s", w, shorten(v))
		default:
			n.limits[w] = parseNumber(v.Text)
		}
	}
	switch k {
	case kindString:
		return n, o.str(n)
	case kindObject:
		return n, o.objectKind(n)
	case kindArray:
		return n, o.array(n)
	}
	return n, nil
}

func (o *objectLoader) str(n *node) error {
	p := o.v.Get("pattern")
	if p == nil {
		return nil
	}
	if p.Kind != jsontree.String {
		return fmt.Errorf("pattern: expected a string, found %s", shorten(p))
	}
	n.pattern = &p.Text
	return nil
}

// schemas reads an object of schemas.
func (o *objectLoader) schemas(keyword string) ([]property, error) {
	v := o.v.Get(keyword)
	if v == nil {
		return nil, nil
	}
	if v.Kind != jsontree.Object {
		return nil, fmt.Errorf("%s: expected an object, found %s", keyword, shorten(v))
	}
	var ps []property
	for _, m := range v.Members {
		s, err := o.load(m.Value, o.d)
		if err != nil {
			return nil, fmt.Errorf("%s/%s: %w", keyword, m.Name, err)
		}
		ps = append(ps, property{name: m.Name, schema: s})
	}
	return ps, nil
}

// one reads a keyword whose value is a schema.
func (o *objectLoader) one(keyword string) (*node, error) {
	v := o.v.Get(keyword)
	if v == nil {
		return nil, nil
	}
	n, err := o.load(v, o.d)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", keyword, err)
	}
	return n, nil
}

// content reads what else may be there.
func (o *objectLoader) content(keyword string) (content, error) {
	n, err := o.one(keyword)
	switch {
	case err != nil || n == nil || n.kind == kindTrue:
		return content{}, err
	case n.kind == kindFalse:
		return content{forbidden: true}, nil
	}
	return content{schema: n}, nil
}

func (o *objectLoader) objectKind(n *node) (err error) {
	if n.properties, err = o.schemas("properties"); err != nil {
		return err
	}
	n.byName = make(map[string]*node, len(n.properties))
	for _, p := range n.properties {
		n.byName[p.name] = p.schema
	}
	if n.patterns, err = o.schemas("patternProperties"); err != nil {
		return err
	}
	for i := range n.patterns {
		n.patterns[i].re, _ = regexp.Compile(n.patterns[i].name)
	}
	if n.additional, err = o.content("additionalProperties"); err != nil {
		return err
	}
	if n.unevaluated, err = o.one("unevaluatedProperties"); err != nil {
		return err
	}
	if _, err = o.one("propertyNames"); err != nil {
		return err
	}
	n.required = make(map[string]bool)
	if r := o.v.Get("required"); r != nil && (r.Kind != jsontree.Bool || !o.d.draft4) {
		names, err := stringsIn("required", r)
		if err != nil {
			return err
		}
		for _, name := range names {
			n.required[name] = true
		}
	}
	return o.dependencies(n)
}

func stringsIn(keyword string, v *jsontree.Value) ([]string, error) {
	if v.Kind != jsontree.Array {
		return nil, fmt.Errorf("%s: expected an array, found %s", keyword, shorten(v))
	}
	var ss []string
	for _, it := range v.Items {
		if it.Kind != jsontree.String {
			return nil, fmt.Errorf("%s: expected a string, found %s", keyword, shorten(it))
		}
		ss = append(ss, it.Text)
	}
	return ss, nil
}

func (o *objectLoader) dependencies(n *node) error {
	n.dependencies, n.schemaDeps = make(map[string][]string), make(map[string]*node)
	for _, keyword := range []string{"dependencies", "dependentRequired", "dependentSchemas"} {
		v := o.v.Get(keyword)
		if v == nil {
			continue
		}
		if v.Kind != jsontree.Object {
			return fmt.Errorf("%s: expected an object, found %s", keyword, shorten(v))
		}
		for _, m := range v.Members {
			var err error
			if m.Value.Kind == jsontree.Array {
				n.dependencies[m.Name], err = stringsIn(keyword, m.Value)
			} else {
				n.schemaDeps[m.Name], err = o.load(m.Value, o.d)
			}
			if err != nil {
				return fmt.Errorf("%s/%s: %w", keyword, m.Name, err)
			}
		}
	}
	return nil
}

func (o *objectLoader) array(n *node) (err error) {
	items, prefix := o.v.Get("items"), o.v.Get("prefixItems")
	more := "additionalItems"
	switch {
	case prefix != nil:
		if n.tuple, err = o.tuple("prefixItems", prefix); err != nil {
			return err
		}
		more = "items" // has become what additionalItems was
	case items.Is(jsontree.Array):
		if n.tuple, err = o.tuple("items", items); err != nil {
			return err
		}
	case items != nil:
		if n.items, err = o.one("items"); err != nil {
			return err
		}
	}
	if n.additional, err = o.content(more); err != nil {
		return err
	}
	if n.unevaluated, err = o.one("unevaluatedItems"); err != nil {
		return err
	}
	if u := o.v.Get("uniqueItems"); u != nil {
		if u.Kind != jsontree.Bool {
			return fmt.Errorf("uniqueItems: expected a boolean, found %s", shorten(u))
		}
		n.unique = u.Text == "true"
	}
	_, err = o.one("contains")
	return err
}

func (o *objectLoader) tuple(keyword string, v *jsontree.Value) ([]*node, error) {
	if v.Kind != jsontree.Array {
		return nil, fmt.Errorf("%s: expected an array, found %s", keyword, shorten(v))
	}
	var ns []*node
	for i, it := range v.Items {
		n, err := o.load(it, o.d)
		if err != nil {
			return nil, fmt.Errorf("%s/%d: %w", keyword, i, err)
		}
		ns = append(ns, n)
	}
	return ns, nil
}
