package registry

// compatAnswer is the verdict of a check.
type compatAnswer struct {
	IsCompatible bool      `json:"is_compatible"`
	Messages     *[]string `json:"messages,omitempty"`
}

// checkVersion checks a schema against one version, whatever the level says of earlier ones. Where the latest is asked for and there is none, everything
// is compatible.
func (r *Registry) checkVersion(q *request) (any, error) {
	number, err := parseVersion(q.params["version"])
	if err != nil {
		return nil, err
	}
	subject := q.subject()
	return r.checkAgainst(q, func() ([]*version, error) {
		if v := r.state.version(subject, number, active); v != nil {
			return []*version{v}, nil
		}
		if number != latest {
			return nil, errVersionNotFound(number)
		}
		return nil, nil
	})
}

// checkSubject checks a schema as registering it would.
func (r *Registry) checkSubject(q *request) (any, error) {
	subject := q.subject()
	return r.checkAgainst(q, func() ([]*version, error) { return r.state.versions(subject, active), nil })
}

func (r *Registry) checkAgainst(q *request, previous func() ([]*version, error)) (any, error) {
	c, err := q.candidate()
	if err != nil {
		return nil, err
	}
	verbose := q.flag("verbose")
	return r.read(func() (any, error) {
		vs, err := previous()
		if err != nil {
			return nil, err
		}
		messages, err := r.checkCandidate(q, c, vs)
		if err != nil {
			if e, ok := err.(*apiError); !ok || e.code != codeInvalidSchema || !verbose {
				return nil, err
			} else {
				messages = []string{e.message}
			}
		}
		answer := compatAnswer{IsCompatible: len(messages) == 0}
		if verbose {
			if messages == nil {
				messages = []string{}
			}
			answer.Messages = &messages
		}
		return answer, nil
	})
}

func (r *Registry) checkCandidate(q *request, c candidate, previous []*version) ([]string, error) {
	subject := q.subject()
	cfg := r.configInScope(subject)
	strict := c.id < 0 && (cfg.ValidateNewSchemas == nil || *cfg.ValidateNewSchemas)
	p, err := r.understand(subject, &c, strict, q.flag("normalize") || on(cfg.Normalize), cfg)
	if err != nil {
		return nil, err
	}
	if p == nil {
		return nil, errorf(codeInvalidSchema, "Empty schema")
	}
	return r.compare(cfg, &c.definition, p, previous)
}
