package jsonschema

import (
	"slices"
	"strings"

	"github.com/sordini-go/sordini/broker/registry/internal/jsontree"
)

// Read returns the changes from writer to s that break a reader of s, or under the lenient policy those that break it even so.
func (s *Schema) Read(writer *Schema, lenientPolicy bool) []Problem {
	c := &comparison{lenient: lenientPolicy, budget: maxPairs}
	var found []finding
	for {
		c.memo, c.running, c.optimistic = make(map[pair]*verdict), make(map[pair]bool), false
		d := &differ{comparison: c}
		d.compare(writer.root, s.root)
		found = d.found
		// A schema that contains itself was taken to be compatible where it was met again. If it proved not to be, that must count there, too.
		known := make(map[pair]*verdict)
		for p, v := range c.memo {
			if !v.fits {
				known[p] = v
			}
		}
		if !c.optimistic || len(known) == len(c.known) || c.budget <= 0 {
			break
		}
		c.known = known
	}
	var out []Problem
	seen := make(map[Problem]bool)
	for _, f := range found {
		p := Problem{f.change.name, "#/" + f.path}
		if !c.allowed(f.change) && !seen[p] {
			seen[p] = true
			out = append(out, p)
		}
	}
	if c.budget <= 0 && len(out) == 0 {
		out = append(out, Problem{tooComplex.name, "#/"})
	}
	return out
}

// Bounds: how much is compared, and how many changes of one pair are noted.
const (
	maxPairs    = 3_000_000
	maxFindings = 100
)

// finding is a change at a place.
type finding struct {
	change change
	path   string // from the pair at which it was found
}

type pair struct{ original, update *node }

// verdict is what is known of a pair.
type verdict struct {
	found []finding
	fits  bool
}

var compatiblePair = &verdict{fits: true}

// comparison is what the comparison of two schemas shares.
type comparison struct {
	lenient    bool
	budget     int
	memo       map[pair]*verdict
	running    map[pair]bool
	known      map[pair]*verdict // pairs that an earlier round found not to be compatible
	optimistic bool              // whether a pair was taken to be compatible while it was being compared
}

func (c *comparison) allowed(ch change) bool {
	return ch.effect == compatible || ch.effect == lenient && c.lenient
}

func (c *comparison) fits(fs []finding) bool {
	return !slices.ContainsFunc(fs, func(f finding) bool { return !c.allowed(f.change) })
}

// differ collects the findings of one pair.
type differ struct {
	*comparison
	path  []string
	found []finding
}

func (d *differ) add(ch change, at ...string) {
	d.addAt(ch, strings.Join(append(slices.Clone(d.path), at...), "/"))
}

func (d *differ) addAt(ch change, path string) {
	if len(d.found) < maxFindings || !d.allowed(ch) && d.fits(d.found) {
		d.found = append(d.found, finding{ch, path})
	}
}

// in runs f with steps more in the path.
func (d *differ) in(f func(), steps ...string) {
	n := len(d.path)
	d.path = append(d.path, steps...)
	f()
	d.path = d.path[:n]
}

// sub runs f apart and returns what it found, and whether that is compatible.
func (d *differ) sub(f func(*differ)) ([]finding, bool) {
	s := &differ{comparison: d.comparison, path: slices.Clone(d.path)}
	f(s)
	return s.found, d.fits(s.found)
}

func (d *differ) take(fs []finding) {
	for _, f := range fs {
		d.addAt(f.change, f.path)
	}
}

// compare finds the changes from one schema to another.
func (d *differ) compare(original, update *node) {
	original, update = original.deref(), update.deref()
	switch {
	case original == nil && update == nil:
		return
	case original == nil:
		d.add(schemaAdded)
		return
	case update == nil:
		d.add(schemaRemoved)
		return
	}
	d.rebase(d.pair(pair{original, update}))
}

// rebase takes the findings of a pair at the place where the pair stands.
func (d *differ) rebase(v *verdict) {
	for _, f := range v.found {
		d.addAt(f.change, strings.Join(append(slices.Clone(d.path), nonEmpty(f.path)...), "/"))
	}
}

func nonEmpty(s string) []string {
	if s == "" {
		return nil
	}
	return []string{s}
}

// pair compares a pair once.
func (c *comparison) pair(p pair) *verdict {
	if c.budget--; c.budget <= 0 {
		return compatiblePair
	}
	if v := c.memo[p]; v != nil {
		return v
	}
	if c.running[p] {
		if v := c.known[p]; v != nil {
			return v
		}
		c.optimistic = true
		return compatiblePair
	}
	c.budget -= 10 // what has to be compared costs more than what is known
	c.running[p] = true
	s := &differ{comparison: c}
	s.kinds(p.original, p.update)
	delete(c.running, p)
	v := &verdict{s.found, c.fits(s.found)}
	c.memo[p] = v
	return v
}

func (d *differ) kinds(original, update *node) {
	if d.widened(original, update) {
		return
	}
	if original.kind != update.kind {
		if original.isFalse() || update.isEmpty() || original.connect == "bytes" && update.connect == "bytes" {
			return
		}
		d.add(typeChanged)
		return
	}
	d.limits(original, update)
	switch original.kind {
	case kindString:
		d.pattern(original, update)
	case kindNumber:
		d.number(original, update)
	case kindEnum:
		d.enum(original, update)
	case kindConst:
		if !jsontree.Equal(original.values[0], update.values[0]) {
			d.add(enumChanged, "const")
		}
	case kindCombined:
		d.combined(original, update)
	case kindNot:
		d.in(func() {
			if _, ok := d.sub(func(s *differ) { s.compare(update.not, original.not) }); ok {
				d.add(notTypeNarrowed)
			} else {
				d.add(notTypeExtended)
			}
		}, "not")
	case kindObject:
		d.object(original, update)
	case kindArray:
		d.array(original, update)
	}
}

// widened handles a schema that has become a combination, or was one: it may be one of the parts of a sum, or all of a product.
func (d *differ) widened(original, update *node) bool {
	fits := func(o, u *node, also ...change) bool {
		fs, ok := d.sub(func(s *differ) { s.compare(o, u) })
		if ok {
			d.take(fs)
			for _, c := range also {
				d.add(c)
			}
		}
		return ok
	}
	switch {
	case original.kind != kindCombined && update.kind == kindCombined:
		if len(update.parts) == 1 {
			return fits(original, update.parts[0])
		}
		if update.criterion != allOf {
			for _, p := range update.parts {
				if fits(original, p, sumTypeExtended) {
					return true
				}
			}
		}
	case original.kind == kindCombined && update.kind != kindCombined:
		if len(original.parts) == 1 {
			return fits(original.parts[0], update)
		}
		if original.criterion == allOf {
			for _, p := range original.parts {
				if fits(p, update, productTypeNarrowed) {
					return true
				}
			}
		}
	}
	return false
}

func (d *differ) limits(original, update *node) {
	for _, w := range limitKeywords[original.kind] {
		b, ok := boundChanges[w]
		if !ok {
			continue
		}
		o, u := original.limits[w], update.limits[w]
		switch {
		case o == nil && u == nil:
		case o == nil:
			d.add(b.added, w)
		case u == nil:
			d.add(b.removed, w)
		case o.compare(u) < 0:
			d.add(b.increased, w)
		case o.compare(u) > 0:
			d.add(b.decreased, w)
		}
	}
}

func (d *differ) pattern(original, update *node) {
	switch o, u := original.pattern, update.pattern; {
	case o == nil && u == nil:
	case o == nil:
		d.add(patternAdded, "pattern")
	case u == nil:
		d.add(patternRemoved, "pattern")
	case *o != *u:
		d.add(patternChanged, "pattern")
	}
}

func (d *differ) number(original, update *node) {
	switch o, u := original.limits["multipleOf"], update.limits["multipleOf"]; {
	case o == nil && u == nil:
	case o == nil:
		d.add(multipleAdded, "multipleOf")
	case u == nil:
		d.add(multipleRemoved, "multipleOf")
	case o.compare(u) == 0:
	case u.multipleOf(o):
		d.add(multipleExpanded, "multipleOf")
	case o.multipleOf(u):
		d.add(multipleReduced, "multipleOf")
	default:
		d.add(multipleChanged, "multipleOf")
	}
	switch {
	case original.integer && !update.integer:
		d.add(typeExtended)
	case !original.integer && update.integer:
		d.add(typeNarrowed)
	}
}

func (d *differ) enum(original, update *node) {
	texts := func(vs []*jsontree.Value) map[string]bool {
		m := make(map[string]bool)
		for _, v := range vs {
			m[v.Sorted().String()] = true
		}
		return m
	}
	o, u := texts(original.values), texts(update.values)
	switch keeps, fits := contains(u, o), contains(o, u); {
	case keeps && fits:
	case keeps:
		d.add(enumExtended, "enum")
	case fits:
		d.add(enumNarrowed, "enum")
	default:
		d.add(enumChanged, "enum")
	}
}

// contains says whether a has all of b.
func contains(a, b map[string]bool) bool {
	for k := range b {
		if !a[k] {
			return false
		}
	}
	return true
}
