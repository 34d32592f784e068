package registry

import (
	"encoding/json"
	"slices"
)

// Compatibility levels.
const (
	levelNone               = "NONE"
	levelBackward           = "BACKWARD"
	levelBackwardTransitive = "BACKWARD_TRANSITIVE"
	levelForward            = "FORWARD"
	levelForwardTransitive  = "FORWARD_TRANSITIVE"
	levelFull               = "FULL"
	levelFullTransitive     = "FULL_TRANSITIVE"
)

var levels = []string{levelNone, levelBackward, levelBackwardTransitive, levelForward, levelForwardTransitive, levelFull, levelFullTransitive}

func validLevel(s string) bool { return slices.Contains(levels, s) }

// settings are what is configured for a subject, a context or everything.
type settings struct {
	Alias               string    `json:"alias,omitempty"`
	Normalize           *bool     `json:"normalize,omitempty"`
	ValidateFields      *bool     `json:"validateFields,omitempty"`
	ValidateNewSchemas  *bool     `json:"validateNewSchemas,omitempty"`
	ValidateRules       *bool     `json:"validateRules,omitempty"`
	CompatibilityLevel  string    `json:"compatibilityLevel,omitempty"`
	CompatibilityPolicy string    `json:"compatibilityPolicy,omitempty"`
	CompatibilityGroup  string    `json:"compatibilityGroup,omitempty"`
	DefaultMetadata     *metadata `json:"defaultMetadata,omitempty"`
	OverrideMetadata    *metadata `json:"overrideMetadata,omitempty"`
	DefaultRuleSet      *ruleSet  `json:"defaultRuleSet,omitempty"`
	OverrideRuleSet     *ruleSet  `json:"overrideRuleSet,omitempty"`
}

// settingsRequest is how settings are written: the level has another name, and what is null is taken away.
type settingsRequest map[string]json.RawMessage

const requestLevel = "compatibility"

// level returns the level that a request sets.
func (r settingsRequest) level() (level string, err error) {
	if raw, ok := r[requestLevel]; ok {
		err = json.Unmarshal(raw, &level)
	}
	return level, err
}

// apply returns old with what the request says.
func (r settingsRequest) apply(old *settings) (*settings, error) {
	merged := make(map[string]json.RawMessage)
	if old != nil {
		b, err := json.Marshal(old)
		if err != nil {
			return nil, err
		}
		if err := json.Unmarshal(b, &merged); err != nil {
			return nil, err
		}
	}
	for name, raw := range r {
		if name == requestLevel {
			name = "compatibilityLevel"
		}
		merged[name] = raw
	}
	b, err := json.Marshal(merged)
	if err != nil {
		return nil, err
	}
	s := new(settings)
	return s, json.Unmarshal(b, s)
}

// echo is what is answered to a request: the settings with the level under the request's name.
func (s *settings) echo() any {
	type rest settings
	out := struct {
		rest
		Compatibility      string `json:"compatibility,omitempty"`
		CompatibilityLevel string `json:"compatibilityLevel,omitempty"` // hides the one in rest
	}{rest: rest(*s), Compatibility: s.CompatibilityLevel}
	return out
}

// withLevel returns s with a level, if only the default.
func (s *settings) withLevel(level string) *settings {
	if s.CompatibilityLevel != "" {
		return s
	}
	t := *s
	t.CompatibilityLevel = level
	return &t
}

// over returns s with what it leaves open taken from the settings for everything.
func (s *settings) over(all *settings) *settings {
	if all == nil {
		return s
	}
	t := *s
	pick := func(own **bool, other *bool) {
		if *own == nil {
			*own = other
		}
	}
	pick(&t.Normalize, all.Normalize)
	pick(&t.ValidateFields, all.ValidateFields)
	pick(&t.ValidateNewSchemas, all.ValidateNewSchemas)
	pick(&t.ValidateRules, all.ValidateRules)
	if t.CompatibilityPolicy == "" {
		t.CompatibilityPolicy = all.CompatibilityPolicy
	}
	if t.CompatibilityGroup == "" {
		t.CompatibilityGroup = all.CompatibilityGroup
	}
	return &t
}

func on(b *bool) bool { return b != nil && *b }

// config returns the settings of one name, nil where there are none. Those for everything are never nil.
func (r *Registry) config(name string) *settings {
	if s := r.state.configs[name]; s != nil {
		return s.withLevel(r.level)
	}
	if name == "" || parseName(name).context == globalContext {
		return &settings{CompatibilityLevel: r.level}
	}
	return nil
}

// configInScope returns the settings that apply to a subject: its own, else its context's, else those of the global context.
func (r *Registry) configInScope(name string) *settings {
	if s := r.state.configs[name]; s != nil && name != "" {
		return s.withLevel(r.level).over(r.state.configs[""])
	}
	for _, scope := range scopes(name) {
		if s := r.state.configs[scope]; s != nil {
			return s.withLevel(r.level)
		}
	}
	return &settings{CompatibilityLevel: r.level}
}

// scopes are the names whose settings apply to a subject, nearest first.
func scopes(name string) []string {
	return []string{name, parseName(name).contextPrefix(), qualified{context: globalContext}.String()}
}

// Modes.
const (
	modeReadWrite        = "READWRITE"
	modeReadOnly         = "READONLY"
	modeReadOnlyOverride = "READONLY_OVERRIDE"
	modeImport           = "IMPORT"
	modeForward          = "FORWARD"
)

var modes = []string{modeReadWrite, modeReadOnly, modeReadOnlyOverride, modeImport, modeForward}

// mode returns the mode of one name, "" where none is set.
func (r *Registry) mode(name string) string {
	if m := r.state.modes[name]; m != "" {
		return m
	}
	if name == "" || parseName(name).context == globalContext {
		return modeReadWrite
	}
	return ""
}

// modeInScope returns the mode that applies to a subject.
func (r *Registry) modeInScope(name string) string {
	for _, scope := range scopes(name) {
		if m := r.state.modes[scope]; m != "" {
			return m
		}
	}
	return modeReadWrite
}

func (r *Registry) readOnly(name string) bool {
	m := r.modeInScope(name)
	return m == modeReadOnly || m == modeReadOnlyOverride
}

// importing says whether schemas come from elsewhere, with their ids, and are taken as they are.
func (r *Registry) importing(name string) bool {
	m := r.modeInScope(name)
	return m == modeImport || m == modeForward
}
