package registry

// deleteVersion deletes a version softly, or for good once it has been deleted softly.
func (r *Registry) deleteVersion(subject string, number int, permanent bool) (any, []Record, error) {
	if !permanent && r.state.version(subject, number, withDeleted) != nil && r.state.version(subject, number, active) == nil {
		return nil, nil, errorf(codeVersionSoftDeleted, "Subject '%s' Version %d was soft deleted.Set permanent=true to delete permanently", subject, number)
	}
	v := r.state.version(subject, number, withDeleted)
	if v == nil {
		if !r.state.has(subject, true) {
			return nil, nil, errSubjectNotFound(subject)
		}
		return nil, nil, errVersionNotFound(number)
	}
	if r.readOnly(subject) {
		return nil, nil, errReadOnly(subject)
	}
	if len(r.state.referrers(v.key(), permanent)) > 0 {
		return nil, nil, errReferenceExists(subject, v.number)
	}
	if !permanent {
		gone := *v
		gone.deleted = true
		return v.number, []Record{versionRecord(&gone)}, nil
	}
	if !v.deleted {
		return nil, nil, errorf(codeVersionNotSoftDeleted, "Subject '%s' Version %d was not deleted first before being permanently deleted", subject, v.number)
	}
	records := []Record{tombstone(v.key())}
	if len(r.state.versions(subject, withDeleted)) == 1 {
		records = append(records, r.forgetSettings(subject)...)
	}
	return v.number, records, nil
}

// deleteSubject deletes all versions of a subject softly, or for good once all have been deleted softly.
func (r *Registry) deleteSubject(subject string, permanent bool) (any, []Record, error) {
	if !r.state.has(subject, true) {
		return nil, nil, errSubjectNotFound(subject)
	}
	if !permanent && !r.state.has(subject, false) {
		return nil, nil, errorf(codeSubjectSoftDeleted, "Subject '%s' was soft deleted.Set permanent=true to delete permanently", subject)
	}
	if r.readOnly(subject) {
		return nil, nil, errReadOnly(subject)
	}
	f := active
	if permanent {
		f = withDeleted
	}
	vs := r.state.versions(subject, f)
	numbers := make([]int, len(vs))
	var records []Record
	for i, v := range vs {
		if r.referredFromOutside(v, permanent) {
			return nil, nil, errReferenceExists(subject, v.number)
		}
		if permanent && !v.deleted {
			return nil, nil, errorf(codeSubjectNotSoftDeleted, "Subject '%s' was not deleted first before being permanently deleted", subject)
		}
		numbers[i] = v.number
		records = append(records, tombstone(v.key()))
	}
	switch {
	case permanent:
		return numbers, append(records, r.forgetSettings(subject)...), nil
	case len(vs) == 0: // a context, which has no versions of its own
		return numbers, nil, nil
	}
	return numbers, []Record{deleteSubjectRecord(subject, vs[len(vs)-1].number)}, nil
}

// referredFromOutside says whether another subject refers to a version.
func (r *Registry) referredFromOutside(v *version, deleted bool) bool {
	for _, cid := range r.state.referrers(v.key(), true) {
		for _, by := range r.state.holding(cid, deleted) {
			if by.subject != v.subject {
				return true
			}
		}
	}
	return false
}

// forgetSettings makes the records that take away what was set for a subject that is gone.
func (r *Registry) forgetSettings(subject string) (records []Record) {
	if r.state.modes[subject] != "" {
		records = append(records, modeRecord(subject, ""))
	}
	if r.state.configs[subject] != nil {
		records = append(records, configRecord(subject, nil))
	}
	return records
}

// deleteContext forgets a context that holds nothing.
func (r *Registry) deleteContext(name string) ([]Record, error) {
	if r.state.has(name, true) {
		return nil, errorf(codeContextNotEmpty, "The specified context '%s' is not empty.", name)
	}
	c := parseName(name).context
	if !r.state.contexts[c] {
		return nil, nil
	}
	return []Record{contextRecord(c, false)}, nil
}

// setMode makes the records for a mode. Importing begins with nothing, unless it is forced.
func (r *Registry) setMode(name, mode string, force bool) ([]Record, error) {
	var records []Record
	if mode == modeImport && r.modeInScope(name) != modeImport && !force {
		if r.state.has(name, false) {
			return nil, errorf(codeOperationNotPermitted, "Cannot import since found existing subjects")
		}
		q := parseName(name)
		for _, subject := range r.state.underPrefix(anyContext) {
			if !q.matches(subject) {
				continue
			}
			for _, v := range r.state.versions(subject, withDeleted) {
				if len(r.state.referrers(v.key(), true)) > 0 {
					return nil, errReferenceExists(subject, v.number)
				}
				records = append(records, tombstone(v.key()))
			}
		}
		records = append(records, clearSubjectRecord(name))
	}
	return append(records, modeRecord(name, mode)), nil
}
