package jsonschema

import (
	"maps"
	"slices"
)

func (d *differ) object(original, update *node) {
	d.required(original, update)
	d.in(func() { d.properties(original, update) }, "properties")
	d.in(func() { d.dependencies(original, update) }, "dependencies")
	d.in(func() { d.content(additionalProperties, original.additional, update.additional) }, "additionalProperties")
	d.in(func() { d.unevaluated(unevaluatedProperties, original.unevaluated, update.unevaluated) }, "unevaluatedProperties")
}

func (d *differ) required(original, update *node) {
	for _, p := range original.properties {
		now := update.property(p.name)
		if now == nil || original.required[p.name] == update.required[p.name] {
			continue
		}
		switch {
		case original.required[p.name]:
			d.add(requiredRemoved, "required", p.name)
		case now.def != nil:
			d.add(requiredWithDefaultAdded, "required", p.name)
		default:
			d.add(requiredAdded, "required", p.name)
		}
	}
}

func (d *differ) properties(original, update *node) {
	for _, p := range original.properties {
		d.in(func() {
			if now := update.property(p.name); now != nil {
				d.compare(p.schema, now)
			} else {
				d.propertyRemoved(p, update)
			}
		}, p.name)
	}
	for _, p := range update.properties {
		if original.property(p.name) == nil {
			d.in(func() { d.propertyAdded(p, original, update) }, p.name)
		}
	}
}

// openObject says whether anything may be there beside the properties.
func openObject(n *node) bool {
	return !n.additional.forbidden && n.additional.schema == nil && len(n.patterns) == 0 && (n.unevaluated == nil || n.unevaluated.isEmpty())
}

// partly returns the schema of what may be there under a name beside the properties, nil where nothing or anything may.
func (d *differ) partly(n *node, name string) *node {
	for _, p := range n.patterns {
		if d.budget--; d.budget <= 0 {
			break
		}
		if p.re != nil && p.re.MatchString(name) {
			return p.schema
		}
	}
	return besides(n)
}

// besides is partly without names, as for items.
func besides(n *node) *node {
	switch {
	case n.additional.schema != nil:
		return n.additional.schema
	case !n.additional.forbidden && n.unevaluated != nil && !n.unevaluated.isFalse() && !n.unevaluated.isEmpty():
		return n.unevaluated
	}
	return nil
}

// covered compares a schema with the one that takes its place or whose place it takes.
func (d *differ) covered(original, update *node, yes, no change) {
	fs, ok := d.sub(func(s *differ) { s.compare(original, update) })
	d.take(fs)
	if ok {
		d.add(yes)
	} else {
		d.add(no)
	}
}

func (d *differ) propertyRemoved(p property, update *node) {
	beside := d.partly(update, p.name)
	switch {
	case openObject(update):
		d.add(propertyRemovedFromOpen)
	case beside != nil:
		d.covered(p.schema, beside, propertyRemovedCovered, propertyRemovedNotCovered)
	case p.schema.isFalse():
		d.add(falsePropertyRemoved)
	default:
		d.add(propertyRemovedFromClosed)
	}
}

func (d *differ) propertyAdded(p property, original, update *node) {
	required, hasDefault := update.required[p.name], p.schema.def != nil
	if openObject(original) {
		switch {
		case p.schema.isEmpty():
			d.add(emptyPropertyAdded)
		case required && hasDefault:
			d.add(requiredDefaultToOpen)
		case required:
			d.add(requiredAddedToOpen)
		default:
			d.add(optionalAddedToOpen)
		}
		return
	}
	if beside := d.partly(original, p.name); beside != nil {
		d.covered(beside, p.schema, propertyAddedCovered, propertyAddedNotCovered)
	}
	switch {
	case required && hasDefault:
		d.add(requiredDefaultToUnopen)
	case required:
		d.add(requiredAddedToUnopen)
	default:
		d.add(optionalAddedToUnopen)
	}
}

func (d *differ) dependencies(original, update *node) {
	for _, name := range union(original.dependencies, update.dependencies) {
		o, was := original.dependencies[name]
		u, is := update.dependencies[name]
		switch keeps, fits := contains(set(u), set(o)), contains(set(o), set(u)); {
		case !is:
			d.add(dependencyRemoved, name)
		case !was:
			d.add(dependencyAdded, name)
		case keeps && fits:
		case keeps:
			d.add(dependencyExtended, name)
		case fits:
			d.add(dependencyNarrowed, name)
		default:
			d.add(dependencyChanged, name)
		}
	}
	for _, name := range union(original.schemaDeps, update.schemaDeps) {
		o, u := original.schemaDeps[name], update.schemaDeps[name]
		switch {
		case u == nil:
			d.add(schemaDependencyGone, name)
		case o == nil:
			d.add(schemaDependencyAdded, name)
		default:
			d.in(func() { d.compare(o, u) }, name)
		}
	}
}

func set(ss []string) map[string]bool {
	m := make(map[string]bool)
	for _, s := range ss {
		m[s] = true
	}
	return m
}

func union[V any](a, b map[string]V) []string {
	all := maps.Clone(a)
	if all == nil {
		all = make(map[string]V)
	}
	maps.Copy(all, b)
	return slices.Sorted(maps.Keys(all))
}

// content compares what may be there beside properties or items.
func (d *differ) content(ch contentChanges, original, update content) {
	switch {
	case original.forbidden && update.forbidden:
	case original.forbidden:
		d.add(ch.added)
	case update.forbidden:
		d.add(ch.removed)
	case original.schema == nil && update.schema == nil:
	case original.schema == nil:
		d.add(ch.narrowed)
	case update.schema == nil:
		d.add(ch.extended)
	default:
		d.compare(original.schema, update.schema)
	}
}

// unevaluated compares what may be there where no keyword has looked.
func (d *differ) unevaluated(ch contentChanges, original, update *node) {
	switch {
	case original == nil && update == nil:
	case original == nil && update.isFalse(), original != nil && !original.isFalse() && update.isFalse():
		d.add(ch.removed)
	case original == nil:
		d.add(ch.narrowed)
	case update == nil && original.isFalse(), update != nil && original.isFalse() && !update.isFalse():
		d.add(ch.added)
	case update == nil:
		d.add(ch.extended)
	case original.isEmpty() && !update.isEmpty():
		d.add(ch.narrowed)
	case !original.isEmpty() && update.isEmpty():
		d.add(ch.extended)
	default:
		d.compare(original, update)
	}
}
