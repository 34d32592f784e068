package registry

func (r *Registry) getVersions(q *request) (any, error) {
	subject := q.subject()
	f := listFilter(q)
	return r.read(func() (any, error) {
		if !r.state.has(subject, f != active) {
			return nil, errSubjectNotFound(subject)
		}
		negative := q.flag("deletedAsNegative")
		if negative {
			f = withDeleted
		}
		var numbers []int
		for _, v := range r.state.versions(subject, f) {
			n := v.number
			if negative && v.deleted {
				n = -n
			}
			numbers = append(numbers, n)
		}
		return page(q, numbers, 0)
	})
}

func (r *Registry) postVersion(q *request) (any, error) {
	c, err := q.candidate()
	if err != nil {
		return nil, err
	}
	if !validSubject(q.params["subject"], false) {
		return nil, errInvalidSubject(q.params["subject"])
	}
	subject := q.subject()
	return r.write(func() (any, []Record, error) {
		normalize := q.flag("normalize") || on(r.configInScope(subject).Normalize)
		v, records, err := r.register(subject, c, normalize, q.flag("force"))
		if err != nil {
			return nil, nil, err
		}
		a := v.answer()
		a.Subject = ""
		if form := q.query.Get("format"); form != "" {
			p, err := r.parseStored(v)
			if err != nil {
				return nil, nil, err
			}
			a.Schema = p.formatted(form)
		}
		return a, records, nil
	})
}

// findVersion finds the version of the path.
func (r *Registry) findVersion(q *request, deleted bool) (*version, error) {
	subject := q.subject()
	number, err := parseVersion(q.params["version"])
	if err != nil {
		return nil, err
	}
	f := active
	if deleted {
		f = withDeleted
	}
	v, err := r.across(subject, func(s string) (*version, error) { return r.state.version(s, number, f), nil })
	switch {
	case err != nil:
		return nil, err
	case v == nil && !r.state.has(subject, deleted):
		return nil, errSubjectNotFound(subject)
	case v == nil:
		return nil, errVersionNotFound(number)
	}
	return v, nil
}

func (r *Registry) answerVersion(q *request) (*schemaAnswer, error) {
	v, err := r.findVersion(q, q.flag("deleted"))
	if err != nil {
		return nil, err
	}
	a := v.answer()
	qualify(q, v, a)
	return a, r.inForm(q, v, a)
}

func (r *Registry) getVersion(q *request) (any, error) {
	return r.read(func() (any, error) { return r.answerVersion(q) })
}

func (r *Registry) getVersionSchema(q *request) (any, error) {
	return r.read(func() (any, error) {
		a, err := r.answerVersion(q)
		if err != nil {
			return nil, err
		}
		return text(a.Schema), nil
	})
}

// maxSchemas is how many schemas one answer lists.
const maxSchemas = 1000

func (r *Registry) getReferencedBy(q *request) (any, error) {
	return r.read(func() (any, error) {
		v, err := r.findVersion(q, true)
		if err != nil {
			return nil, err
		}
		var ids []int
		for _, cid := range r.state.referrers(v.key(), q.flag("deleted")) {
			ids = append(ids, cid.id)
		}
		return page(q, ids, maxSchemas)
	})
}

func (r *Registry) deleteVersionHandler(q *request) (any, error) {
	number, err := parseVersion(q.params["version"])
	if err != nil {
		return nil, err
	}
	return r.write(func() (any, []Record, error) { return r.deleteVersion(q.subject(), number, q.flag("permanent")) })
}
