package registry

import (
	"maps"
	"slices"
	"strings"
)

// schemaKey names a version.
type schemaKey struct {
	subject string
	version int
}

// contextID is an id in its context.
type contextID struct {
	context string
	id      int
}

// idEntry is where an id is found: in each subject the version that was registered last.
type idEntry map[string]int

// state is what the log says.
type state struct {
	subjects map[string]map[int]*version
	contexts map[string]bool
	configs  map[string]*settings // by subject, "" for all
	modes    map[string]string

	ids          map[contextID]idEntry
	maxID        map[string]int                  // by context
	digests      map[string]map[digest]int       // by context
	referencedBy map[schemaKey]map[contextID]int // how often
}

func newState() *state {
	return &state{
		subjects:     make(map[string]map[int]*version),
		contexts:     make(map[string]bool),
		configs:      make(map[string]*settings),
		modes:        make(map[string]string),
		ids:          make(map[contextID]idEntry),
		maxID:        make(map[string]int),
		digests:      make(map[string]map[digest]int),
		referencedBy: make(map[schemaKey]map[contextID]int),
	}
}

// put takes a version as the log has it.
func (s *state) put(v *version) {
	context := parseName(v.subject).context
	versions := s.subjects[v.subject]
	if versions == nil {
		versions = make(map[int]*version)
		s.subjects[v.subject] = versions
	}
	if old := versions[v.number]; old != nil {
		s.unreference(old)
		if old.id != v.id {
			s.dropID(old)
		}
	}
	versions[v.number] = v
	cid := contextID{context, v.id}
	if s.ids[cid] == nil {
		s.ids[cid] = make(idEntry)
	}
	s.ids[cid][v.subject] = v.number
	if s.digests[context] == nil {
		s.digests[context] = make(map[digest]int)
	}
	s.digests[context][v.guid] = v.id
	s.maxID[context] = max(s.maxID[context], v.id)
	for _, key := range v.refersTo() {
		if s.referencedBy[key] == nil {
			s.referencedBy[key] = make(map[contextID]int)
		}
		s.referencedBy[key][cid]++
	}
}

// refersTo are the versions that a schema refers to.
func (v *version) refersTo() []schemaKey {
	var keys []schemaKey
	parent := parseName(v.subject)
	for _, r := range v.references {
		if r.Version != nil {
			keys = append(keys, schemaKey{parseName(r.Subject).under(parent).String(), *r.Version})
		}
	}
	return keys
}

func (s *state) unreference(v *version) {
	cid := contextID{parseName(v.subject).context, v.id}
	for _, key := range v.refersTo() {
		if by := s.referencedBy[key]; by[cid] > 1 {
			by[cid]--
		} else {
			delete(by, cid)
		}
	}
}

func (s *state) dropID(v *version) {
	cid := contextID{parseName(v.subject).context, v.id}
	if s.ids[cid][v.subject] == v.number {
		delete(s.ids[cid], v.subject)
	}
	if len(s.ids[cid]) == 0 {
		delete(s.ids, cid)
	}
}

// remove takes a version out for good.
func (s *state) remove(key schemaKey) {
	v := s.subjects[key.subject][key.version]
	if v == nil {
		return
	}
	s.unreference(v)
	s.dropID(v)
	delete(s.subjects[key.subject], key.version)
	if len(s.subjects[key.subject]) == 0 {
		delete(s.subjects, key.subject)
	}
}

// softDelete marks the versions of a subject up to one.
func (s *state) softDelete(subject string, upTo int, ts int64) {
	for _, v := range s.subjects[subject] {
		if v.number <= upTo && !v.deleted {
			w := *v
			w.deleted = true
			w.ts = ts
			s.subjects[subject][v.number] = &w
		}
	}
}

// clear takes out what matches and has been deleted.
func (s *state) clear(subject string) {
	q := parseName(subject)
	for name, versions := range s.subjects {
		if !q.matches(name) {
			continue
		}
		for _, v := range versions {
			if v.deleted {
				s.remove(v.key())
			}
		}
	}
}

// filter says which versions are meant.
type filter int

const (
	active filter = iota
	withDeleted
	onlyDeleted
)

func (f filter) takes(deleted bool) bool { return f == withDeleted || deleted == (f == onlyDeleted) }

// versions returns a subject's versions, oldest first.
func (s *state) versions(subject string, f filter) []*version {
	var vs []*version
	for _, v := range s.subjects[subject] {
		if f.takes(v.deleted) {
			vs = append(vs, v)
		}
	}
	slices.SortFunc(vs, func(a, b *version) int { return a.number - b.number })
	return vs
}

// latest stands for the newest version wherever a number is asked for.
const latest = -1

// version returns a version, nil where there is none. The latest is never a deleted one.
func (s *state) version(subject string, number int, f filter) *version {
	if number == latest {
		if vs := s.versions(subject, active); len(vs) > 0 {
			return vs[len(vs)-1]
		}
		return nil
	}
	if v := s.subjects[subject][number]; v != nil && f.takes(v.deleted) {
		return v
	}
	return nil
}

// has says whether there is a subject that the name means.
func (s *state) has(name string, deleted bool) bool {
	q := parseName(name)
	if q.subject != "" {
		return s.live(name, deleted)
	}
	for stored := range s.subjects {
		if q.matches(stored) && s.live(stored, deleted) {
			return true
		}
	}
	return false
}

func (s *state) live(subject string, deleted bool) bool {
	for _, v := range s.subjects[subject] {
		if deleted || !v.deleted {
			return true
		}
	}
	return false
}

// contextNames are the contexts beside the default one, sorted.
func (s *state) contextNames() []string { return slices.Sorted(maps.Keys(s.contexts)) }

// underPrefix returns the subjects whose names begin with a prefix, sorted. The prefix may stand for all contexts.
func (s *state) underPrefix(prefix string) []string {
	q := parseName(prefix)
	var names []string
	for name := range s.subjects {
		n := parseName(name)
		if q.context == "*" {
			if !strings.HasPrefix(n.subject, q.subject) {
				continue
			}
		} else if !strings.HasPrefix(name, normalizePrefix(prefix)) || q.context == defaultContext && n.context != defaultContext {
			continue
		}
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// normalizePrefix is like normalizeName for what may end within the context.
func normalizePrefix(prefix string) string {
	if q := parseName(prefix); q.context == defaultContext {
		return q.subject
	}
	return prefix
}

// byID finds a version that has an id, in the context of a subject. With a subject that is not only a context, it is that subject's version; if the
// subject has no context and the id is not there, the other contexts are looked through for it, and then any subject of the default context will do.
func (s *state) byID(id int, name string) *version {
	q := parseName(name)
	if v := s.byIDIn(id, q); v != nil || q.subject == "" || q.context != defaultContext {
		return v
	}
	for _, c := range s.contextNames() {
		if v := s.byIDIn(id, qualified{c, q.subject}); v != nil {
			return v
		}
	}
	return s.byIDIn(id, qualified{context: defaultContext})
}

func (s *state) byIDIn(id int, q qualified) *version {
	entry := s.ids[contextID{q.context, id}]
	if q.subject != "" {
		if n, ok := entry[q.String()]; ok {
			return s.subjects[q.String()][n]
		}
		return nil
	}
	for _, subject := range slices.Sorted(maps.Keys(entry)) {
		return s.subjects[subject][entry[subject]]
	}
	return nil
}

// byDigest finds the id of a schema in a context.
func (s *state) byDigest(context string, d digest) (int, bool) {
	id, ok := s.digests[context][d]
	if !ok || len(s.ids[contextID{context, id}]) == 0 {
		return 0, false
	}
	return id, true
}

// holding returns the versions that have an id, by subject.
func (s *state) holding(cid contextID, deleted bool) []*version {
	var vs []*version
	entry := s.ids[cid]
	for _, subject := range slices.Sorted(maps.Keys(entry)) {
		if v := s.subjects[subject][entry[subject]]; v != nil && (deleted || !v.deleted) {
			vs = append(vs, v)
		}
	}
	return vs
}

// referrers returns the ids that refer to a version, in order.
func (s *state) referrers(key schemaKey, deleted bool) []contextID {
	var ids []contextID
	for cid := range s.referencedBy[key] {
		if deleted || len(s.holding(cid, false)) > 0 {
			ids = append(ids, cid)
		}
	}
	slices.SortFunc(ids, func(a, b contextID) int {
		if a.context != b.context {
			if a.context < b.context {
				return -1
			}
			return 1
		}
		return a.id - b.id
	})
	return ids
}
