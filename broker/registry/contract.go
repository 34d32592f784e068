package registry

import (
	"encoding/binary"
	"encoding/json"
	"hash"
	"maps"
	"slices"
)

// reference is one schema's mention of another.
type reference struct {
	Name    string `json:"name"`
	Subject string `json:"subject"`
	Version *int   `json:"version"`
}

func (r reference) hash(h hash.Hash) {
	h.Write([]byte(r.Name))
	h.Write([]byte(r.Subject))
	if r.Version != nil {
		h.Write(binary.BigEndian.AppendUint32(nil, uint32(*r.Version)))
	}
}

// metadata is what a data contract says about a schema.
type metadata struct {
	Tags       map[string][]string `json:"tags,omitempty"`
	Properties map[string]string   `json:"properties,omitempty"`
	Sensitive  []string            `json:"sensitive,omitempty"`
}

// confluentVersion is the property in which a registry notes which version a schema is, when that was asked for.
const confluentVersion = "confluent:version"

// UnmarshalJSON sorts what Confluent's registry holds in sorted sets.
func (m *metadata) UnmarshalJSON(b []byte) error {
	type plain metadata
	if err := json.Unmarshal(b, (*plain)(m)); err != nil {
		return err
	}
	for name, tags := range m.Tags {
		m.Tags[name] = sortedSet(tags)
	}
	m.Sensitive = sortedSet(m.Sensitive)
	return nil
}

func sortedSet(ss []string) []string {
	slices.Sort(ss)
	return slices.Compact(ss)
}

// with returns m with a property set.
func (m *metadata) with(name, value string) *metadata {
	n := metadata{Properties: map[string]string{name: value}}
	if m != nil {
		n = *m
		n.Properties = maps.Clone(m.Properties)
		if n.Properties == nil {
			n.Properties = make(map[string]string)
		}
		n.Properties[name] = value
	}
	return &n
}

// withoutVersion returns m without the property that notes the version.
func (m *metadata) withoutVersion() *metadata {
	if m == nil {
		return nil
	}
	n := *m
	n.Properties = maps.Clone(m.Properties)
	delete(n.Properties, confluentVersion)
	return &n
}

func (m *metadata) property(name string) (string, bool) {
	if m == nil {
		return "", false
	}
	v, ok := m.Properties[name]
	return v, ok
}

func (m *metadata) hash(h hash.Hash) {
	for _, name := range slices.Sorted(maps.Keys(m.Tags)) {
		h.Write([]byte(name))
		for _, t := range m.Tags[name] {
			h.Write([]byte(t))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(m.Properties)) {
		h.Write([]byte(name))
		h.Write([]byte(m.Properties[name]))
	}
	for _, s := range m.Sensitive {
		h.Write([]byte(s))
	}
}

// ruleSet are the rules of a data contract. The registry holds them; clients carry them out.
type ruleSet struct {
	MigrationRules []rule `json:"migrationRules,omitempty"`
	DomainRules    []rule `json:"domainRules,omitempty"`
	EncodingRules  []rule `json:"encodingRules,omitempty"`
	EnableAt       string `json:"enableAt,omitempty"`
}

type rule struct {
	Name      string            `json:"name,omitempty"`
	Doc       string            `json:"doc,omitempty"`
	Kind      string            `json:"kind,omitempty"`
	Mode      string            `json:"mode,omitempty"`
	Type      string            `json:"type,omitempty"`
	Tags      []string          `json:"tags,omitempty"`
	Params    map[string]string `json:"params,omitempty"`
	Expr      string            `json:"expr,omitempty"`
	OnSuccess string            `json:"onSuccess,omitempty"`
	OnFailure string            `json:"onFailure,omitempty"`
	Disabled  bool              `json:"disabled"`
}

// UnmarshalJSON applies the defaults.
func (r *rule) UnmarshalJSON(b []byte) error {
	type plain rule
	if err := json.Unmarshal(b, (*plain)(r)); err != nil {
		return err
	}
	if r.Kind == "" {
		r.Kind = "TRANSFORM"
	}
	if r.Mode == "" {
		r.Mode = "WRITEREAD"
	}
	r.Tags = sortedSet(r.Tags)
	return nil
}

func (s *ruleSet) hash(h hash.Hash) {
	for _, r := range slices.Concat(s.MigrationRules, s.DomainRules, s.EncodingRules) {
		r.hash(h)
	}
	h.Write([]byte(s.EnableAt))
}

func (r *rule) hash(h hash.Hash) {
	for _, s := range []string{r.Name, r.Doc, r.Kind, r.Mode, r.Type} {
		h.Write([]byte(s))
	}
	for _, t := range r.Tags {
		h.Write([]byte(t))
	}
	for _, name := range slices.Sorted(maps.Keys(r.Params)) {
		h.Write([]byte(name))
		h.Write([]byte(r.Params[name]))
	}
	for _, s := range []string{r.Expr, r.OnSuccess, r.OnFailure} {
		h.Write([]byte(s))
	}
	if r.Disabled {
		h.Write([]byte{1})
	}
}
