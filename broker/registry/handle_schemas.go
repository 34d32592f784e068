package registry

func (r *Registry) getSchemas(q *request) (any, error) {
	f := active
	if q.flag("deleted") {
		f = withDeleted
	}
	ruleType := q.query.Get("ruleType")
	return r.read(func() (any, error) {
		var all []*schemaAnswer
		for _, name := range r.state.underPrefix(q.query.Get("subjectPrefix")) {
			vs := r.state.versions(name, f)
			if q.flag("latestOnly") && len(vs) > 0 {
				vs = vs[len(vs)-1:]
			}
			for _, v := range vs {
				if ruleType == "" || v.ruleSet.hasType(ruleType) {
					all = append(all, v.answer())
				}
			}
		}
		return page(q, all, maxSchemas)
	})
}

func (s *ruleSet) hasType(typ string) bool {
	if s == nil {
		return false
	}
	for _, rules := range [][]rule{s.MigrationRules, s.DomainRules, s.EncodingRules} {
		for _, r := range rules {
			if r.Type == typ {
				return true
			}
		}
	}
	return false
}

func (r *Registry) getTypes(*request) (any, error) { return types, nil }

// schemaByID finds the version that the id of the path and the subject of the query mean.
func (r *Registry) schemaByID(q *request) (*version, error) {
	id, err := q.id()
	if err != nil {
		return nil, err
	}
	v := r.state.byID(id, q.query.Get("subject"))
	if v == nil {
		return nil, errSchemaIDNotFound(id)
	}
	return v, nil
}

func (r *Registry) getSchemaByID(q *request) (any, error) {
	return r.read(func() (any, error) {
		v, err := r.schemaByID(q)
		if err != nil {
			return nil, err
		}
		a := v.answer()
		a.ID = nil
		if !q.query.Has("subject") {
			a.Subject, a.Version = "", 0
		}
		if q.flag("fetchMaxId") {
			n := r.state.maxID[parseName(v.subject).context]
			a.MaxID = &n
		}
		qualify(q, v, a)
		return a, r.inForm(q, v, a)
	})
}

func (r *Registry) getSchemaTextByID(q *request) (any, error) {
	return r.read(func() (any, error) {
		v, err := r.schemaByID(q)
		if err != nil {
			return nil, err
		}
		a := v.answer()
		err = r.inForm(q, v, a)
		return text(a.Schema), err
	})
}

// subjectVersion is one place where an id is found.
type subjectVersion struct {
	Subject string `json:"subject"`
	Version int    `json:"version"`
}

// placesOf returns where the id of the path is found.
func (r *Registry) placesOf(q *request) ([]subjectVersion, error) {
	v, err := r.schemaByID(q)
	if err != nil {
		if _, numberErr := q.id(); numberErr != nil {
			return nil, numberErr
		}
		return nil, errSchemaNotFound()
	}
	var places []subjectVersion
	for _, h := range r.state.holding(contextID{parseName(v.subject).context, v.id}, q.flag("deleted")) {
		places = append(places, subjectVersion{h.subject, h.number})
	}
	return places, nil
}

func (r *Registry) getIDVersions(q *request) (any, error) {
	return r.read(func() (any, error) {
		places, err := r.placesOf(q)
		if err != nil {
			return nil, err
		}
		return page(q, places, 0)
	})
}

func (r *Registry) getIDSubjects(q *request) (any, error) {
	return r.read(func() (any, error) {
		places, err := r.placesOf(q)
		if err != nil {
			return nil, err
		}
		var names []string
		for _, p := range places {
			names = append(names, p.Subject)
		}
		return page(q, names, 0)
	})
}

// contextAnswer is an id in its context.
type contextAnswer struct {
	Context string `json:"context"`
	ID      int    `json:"id"`
}

// idsOf returns the ids that a GUID has, in the order of the contexts.
func (r *Registry) idsOf(guid string) []contextAnswer {
	ids := []contextAnswer{}
	d, ok := parseGUID(guid)
	if !ok {
		return ids
	}
	for _, c := range append([]string{defaultContext}, r.state.contextNames()...) {
		if id, ok := r.state.byDigest(c, d); ok {
			ids = append(ids, contextAnswer{c, id})
		}
	}
	return ids
}

func (r *Registry) getSchemaByGUID(q *request) (any, error) {
	guid := q.params["guid"]
	return r.read(func() (any, error) {
		ids := r.idsOf(guid)
		if len(ids) == 0 {
			return nil, errSchemaIDNotFound(guid)
		}
		v := r.state.byIDIn(ids[0].ID, qualified{context: ids[0].Context})
		a := v.answer()
		a.ID, a.Subject, a.Version = nil, "", 0
		return a, r.inForm(q, v, a)
	})
}

func (r *Registry) getIDsByGUID(q *request) (any, error) {
	return r.read(func() (any, error) { return r.idsOf(q.params["guid"]), nil })
}
