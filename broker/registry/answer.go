package registry

// schemaAnswer is how a version is answered.
type schemaAnswer struct {
	Subject    string      `json:"subject,omitempty"`
	Version    int         `json:"version,omitempty"`
	ID         *int        `json:"id,omitempty"`
	GUID       string      `json:"guid,omitempty"`
	SchemaType string      `json:"schemaType,omitempty"`
	References []reference `json:"references,omitempty"`
	Metadata   *metadata   `json:"metadata,omitempty"`
	RuleSet    *ruleSet    `json:"ruleSet,omitempty"`
	Schema     string      `json:"schema"`
	MaxID      *int        `json:"maxId,omitempty"`
	TS         int64       `json:"ts,omitempty"`
	Deleted    bool        `json:"deleted,omitempty"`
}

func (v *version) answer() *schemaAnswer {
	return &schemaAnswer{
		Subject: v.subject, Version: v.number, ID: &v.id, GUID: v.guid.String(), SchemaType: v.typ, References: v.references,
		Metadata: v.metadata, RuleSet: v.ruleSet, Schema: v.schema, TS: v.ts, Deleted: v.deleted,
	}
}

// text is answered as it is, not as JSON.
type text string

// noContent is answered with nothing.
type noContent struct{}

// inForm writes the schema of an answer in the form that the request asks for.
func (r *Registry) inForm(q *request, v *version, a *schemaAnswer) error {
	form := q.query.Get("format")
	if form == "" {
		return nil
	}
	p, err := r.parseStored(v)
	if err != nil {
		return err
	}
	a.Schema = p.formatted(form)
	return nil
}

// qualify writes the references of a version that is in a context with that context, where the request asks for it.
func qualify(q *request, v *version, a *schemaAnswer) {
	parent := parseName(v.subject)
	if q.query.Get("referenceFormat") != "qualified" || parent.context == defaultContext {
		return
	}
	a.References = nil
	for _, r := range v.references {
		r.Subject = parseName(r.Subject).under(parent).String()
		a.References = append(a.References, r)
	}
}
