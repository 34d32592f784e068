package registry

import (
	"maps"
	"slices"
)

func listFilter(q *request) filter {
	switch {
	case q.flag("deletedOnly"):
		return onlyDeleted
	case q.flag("deleted"):
		return withDeleted
	}
	return active
}

func (r *Registry) getSubjects(q *request) (any, error) {
	prefix := anyContext
	if q.query.Has("subjectPrefix") {
		prefix = q.query.Get("subjectPrefix")
	}
	f := listFilter(q)
	return r.read(func() (any, error) {
		var names []string
		for _, name := range r.state.underPrefix(prefix) {
			if f.takes(!r.state.live(name, false)) {
				names = append(names, name)
			}
		}
		return page(q, names, 0)
	})
}

// across runs f for a subject, and where that finds nothing and the subject names no context, for the same subject of each other context.
func (r *Registry) across(subject string, f func(subject string) (*version, error)) (*version, error) {
	v, err := f(subject)
	q := parseName(subject)
	if v != nil || err != nil || q.context != defaultContext {
		return v, err
	}
	for _, c := range r.state.contextNames() {
		if v, err := f(qualified{c, q.subject}.String()); v != nil && err == nil {
			return v, nil
		}
	}
	return nil, nil
}

func (r *Registry) lookUpSchema(q *request) (any, error) {
	c, err := q.candidate()
	if err != nil {
		return nil, err
	}
	subject, deleted := q.subject(), q.flag("deleted")
	return r.read(func() (any, error) {
		v, err := r.across(subject, func(s string) (*version, error) {
			return r.lookUp(s, c, q.flag("normalize") || on(r.configInScope(s).Normalize), deleted)
		})
		switch {
		case err != nil:
			return nil, err
		case v == nil && !r.state.has(subject, deleted):
			return nil, errSubjectNotFound(subject)
		case v == nil:
			return nil, errSchemaNotFound()
		}
		a := v.answer()
		return a, r.inForm(q, v, a)
	})
}

func (r *Registry) deleteSubjectHandler(q *request) (any, error) {
	subject, permanent := q.subject(), q.flag("permanent")
	return r.write(func() (any, []Record, error) { return r.deleteSubject(subject, permanent) })
}

// getLatestWithMetadata finds the newest version whose data contract has all of the properties asked for.
func (r *Registry) getLatestWithMetadata(q *request) (any, error) {
	subject, deleted := q.subject(), q.flag("deleted")
	want := make(map[string]string)
	keys, values := q.query["key"], q.query["value"]
	for i := range min(len(keys), len(values)) {
		want[keys[i]] = values[i]
	}
	return r.read(func() (any, error) {
		f := active
		if deleted {
			f = withDeleted
		}
		for _, v := range slices.Backward(r.state.versions(subject, f)) {
			if v.metadata == nil {
				continue
			}
			have := maps.Clone(v.metadata.Properties)
			maps.DeleteFunc(have, func(k, val string) bool { w, ok := want[k]; return !ok || w != val })
			if len(have) == len(want) {
				a := v.answer()
				return a, r.inForm(q, v, a)
			}
		}
		if !r.state.has(subject, deleted) {
			return nil, errSubjectNotFound(subject)
		}
		return nil, errSchemaNotFound()
	})
}
