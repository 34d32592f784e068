package registry

import (
	"slices"
	"strconv"
	"strings"
)

// candidate is a schema that somebody wants to register or find.
type candidate struct {
	definition
	version int // 0: any
	id      int // -1: any
}

// understand parses a candidate and gives it its canonical text, or the normalised one. It returns nil for an empty text.
func (r *Registry) understand(subject string, c *candidate, isNew, normalize bool, cfg *settings) (parsed, error) {
	if strings.TrimSpace(c.schema) == "" {
		return nil, nil
	}
	p, err := r.parse(subject, &c.definition, isNew)
	if err != nil {
		return nil, err
	}
	if !r.importing(subject) {
		if err := p.check(on(cfg.ValidateFields)); err != nil {
			return nil, errorf(codeInvalidSchema, "Invalid schema of type %s, details: %v", c.typ, err)
		}
		if normalize {
			c.schema = p.normalized()
			c.references = sortedReferences(c.references)
			return r.parse(subject, &c.definition, isNew)
		}
	}
	c.schema = p.canonical()
	return p, nil
}

func sortedReferences(refs []reference) []reference {
	refs = slices.Clone(refs)
	slices.SortFunc(refs, func(a, b reference) int {
		if c := strings.Compare(a.Name, b.Name); c != 0 {
			return c
		}
		if c := strings.Compare(a.Subject, b.Subject); c != 0 {
			return c
		}
		return *a.Version - *b.Version
	})
	return slices.CompactFunc(refs, sameReference)
}

func sameReference(a, b reference) bool {
	return a.Name == b.Name && a.Subject == b.Subject && (a.Version == nil) == (b.Version == nil) && (a.Version == nil || *a.Version == *b.Version)
}

// canFind says whether a candidate means a version that is held: the same references, or none where what they refer to is written out; and the same
// data contract, apart from the version number that a registry itself notes there.
func (r *Registry) canFind(c *candidate, p parsed, v *version) bool {
	if c.typ != v.typ {
		return false
	}
	if !slices.EqualFunc(c.references, v.references, sameReference) && (len(c.references) > 0 || len(v.references) == 0) {
		return false
	}
	mine, own := c.metadata.property(confluentVersion)
	_, other := v.metadata.property(confluentVersion)
	a, b := c.definition, v.definition
	switch {
	case own && !other && mine != strconv.Itoa(v.number):
		return false
	case own != other:
		a.metadata, b.metadata = bare(a.metadata), bare(b.metadata)
	}
	if !a.sameContract(&b) {
		return false
	}
	old, err := r.parseStored(v)
	return err == nil && p.equivalent(old)
}

// bare returns a contract without the version's number, empty instead of nil.
func bare(m *metadata) *metadata {
	if m == nil {
		return new(metadata)
	}
	return m.withoutVersion()
}

// find looks a candidate up in a subject. It returns nil where it is not.
func (r *Registry) find(cfg *settings, subject string, c candidate, normalize, deleted, latestOnly bool) (*version, error) {
	p, err := r.understand(subject, &c, false, normalize, cfg)
	if err != nil || p == nil {
		return nil, err
	}
	if latestOnly {
		if v := r.state.version(subject, latest, active); v != nil && r.canFind(&c, p, v) {
			return v, nil
		}
		return nil, nil
	}
	guid := c.digest()
	context := parseName(subject).context
	if id, ok := r.state.byDigest(context, guid); ok {
		if n, ok := r.state.ids[contextID{context, id}][subject]; ok {
			if v := r.state.version(subject, n, withDeleted); v != nil && (deleted || !v.deleted) {
				return &version{definition: c.definition, subject: subject, number: n, id: id, guid: guid}, nil
			}
		}
	}
	f := active
	if deleted {
		f = withDeleted
	}
	for _, v := range slices.Backward(r.state.versions(subject, f)) {
		if r.canFind(&c, p, v) {
			return v, nil
		}
	}
	return nil, nil
}

// lookUp is what a client's lookup asks for: like find, and once more with the data contract that registering would take over.
func (r *Registry) lookUp(subject string, c candidate, normalize, deleted bool) (*version, error) {
	cfg := r.configInScope(subject)
	v, err := r.find(cfg, subject, c, normalize, deleted, false)
	if v != nil || err != nil {
		return v, err
	}
	prev := r.state.version(subject, latest, active)
	if prev == nil || !c.inherit(prev, 0) {
		return nil, nil
	}
	return r.find(cfg, subject, c, normalize, deleted, false)
}

// inherit takes over the data contract of the version before where the candidate brings none. number is the one that the candidate will get, 0 where
// that does not matter. It says whether there is a contract.
func (c *candidate) inherit(prev *version, number int) bool {
	if prev != nil {
		if c.metadata == nil {
			c.metadata = prev.metadata
		}
		if c.ruleSet == nil {
			c.ruleSet = prev.ruleSet
		}
	}
	if _, noted := c.metadata.property(confluentVersion); number > 0 && (c.version != 0 || noted) {
		c.metadata = c.metadata.with(confluentVersion, strconv.Itoa(number))
	}
	return c.metadata != nil || c.ruleSet != nil
}

// register registers a candidate, or finds that it is there already.
func (r *Registry) register(subject string, c candidate, normalize, force bool) (*version, []Record, error) {
	cfg := r.configInScope(subject)
	v, err := r.findRegistered(cfg, subject, c, normalize)
	if v != nil || err != nil {
		return v, nil, err
	}
	if err := r.mayRegister(subject, c.id); err != nil {
		return nil, nil, err
	}
	all := r.state.versions(subject, withDeleted)
	live := r.state.versions(subject, active)
	next := 1
	if len(all) > 0 {
		next = all[len(all)-1].number + 1
	}
	importing := r.importing(subject)
	if !importing {
		var prev *version
		if len(live) > 0 {
			prev = live[len(live)-1]
		}
		if strings.TrimSpace(c.schema) == "" {
			if prev == nil {
				return nil, nil, errorf(codeInvalidSchema, "Empty schema")
			}
			c.typ, c.schema, c.references = prev.typ, prev.schema, prev.references
		}
		c.inherit(prev, next)
	}
	strict := c.id < 0 && (cfg.ValidateNewSchemas == nil || *cfg.ValidateNewSchemas)
	p, err := r.understand(subject, &c, strict, normalize, cfg)
	if err != nil {
		return nil, nil, err
	}
	if p == nil {
		return nil, nil, errorf(codeInvalidSchema, "Empty schema")
	}
	guid := c.digest()
	context := parseName(subject).context
	id := c.id
	if known, ok := r.state.byDigest(context, guid); ok && (id < 0 || id == known) {
		n, in := r.state.ids[contextID{context, known}][subject]
		if v := r.state.version(subject, n, active); c.version == 0 && in && v != nil {
			return &version{definition: c.definition, subject: subject, number: n, id: known, guid: guid}, nil, nil
		}
		id = known
	}
	if c.version == 0 {
		for _, v := range slices.Backward(live) {
			if (id < 0 || id == v.id) && r.canFind(&c, p, v) {
				return &version{definition: c.definition, subject: subject, number: v.number, id: v.id, guid: guid}, nil, nil
			}
		}
	}
	if !importing && !force {
		messages, err := r.compare(cfg, &c.definition, p, live)
		if err != nil {
			return nil, nil, err
		}
		if len(messages) > 0 {
			return nil, nil, errorf(codeIncompatible, "Schema being registered is incompatible with an earlier schema for subject %q, details: [%s]",
				subject, strings.Join(messages, ", "))
		}
	}
	return r.add(subject, c, guid, id, next, importing)
}

// findRegistered answers what need not be registered again. It comes before the mode is looked at: a registry that may only be read answers it too.
func (r *Registry) findRegistered(cfg *settings, subject string, c candidate, normalize bool) (*version, error) {
	v, err := r.find(cfg, subject, c, normalize, false, c.version == latest)
	if v == nil || err != nil {
		return nil, err
	}
	switch {
	case c.version == 0 || c.version == latest:
		if c.id < 0 || c.id == v.id {
			return v, nil
		}
	case c.id == v.id:
		if v.number == c.version {
			return v, nil
		}
		if older := r.state.version(subject, c.version, active); older != nil && older.id == v.id && older.guid == v.guid {
			return older, nil
		}
	}
	return nil, nil
}

func (r *Registry) mayRegister(subject string, id int) error {
	if r.readOnly(subject) {
		return errReadOnly(subject)
	}
	context := parseName(subject).contextPrefix()
	switch importing := r.importing(subject); {
	case id >= 0 && !importing:
		return errorf(codeOperationNotPermitted, "Subject %s in context %s is not in import mode", subject, context)
	case id < 0 && importing:
		return errorf(codeOperationNotPermitted, "Subject %s in context %s is not in read-write mode", subject, context)
	}
	return nil
}

// add makes the records for a new version.
func (r *Registry) add(subject string, c candidate, guid digest, id, next int, importing bool) (*version, []Record, error) {
	context := parseName(subject).context
	v := &version{definition: c.definition, subject: subject, number: c.version, id: id, guid: guid}
	if v.number <= 0 {
		v.number = next
	} else if v.number != next && !importing {
		return nil, nil, errorf(codeInvalidSchema, "Version is not one more than previous version")
	}
	if id >= 0 {
		if holding := r.state.holding(contextID{context, id}, true); len(holding) > 0 && holding[0].guid != guid {
			return nil, nil, errorf(codeOperationNotPermitted, "Overwrite new schema with id %d in context %s is not permitted.",
				id, parseName(subject).contextPrefix())
		}
	} else {
		v.id = r.state.maxID[context] + 1
	}
	var records []Record
	if context != defaultContext && !r.state.contexts[context] {
		records = append(records, contextRecord(context, true))
	}
	for _, old := range r.state.versions(subject, onlyDeleted) { // the same schema comes back under a new number
		if old.id == v.id && old.number < v.number && len(r.state.referrers(old.key(), true)) == 0 {
			records = append(records, tombstone(old.key()))
		}
	}
	return v, append(records, versionRecord(v)), nil
}
