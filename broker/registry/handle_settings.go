package registry

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
)

// scope is the name that settings are kept under: "" for everything.
func (q *request) scope() string {
	name := q.params["subject"]
	if parseName(name).isDefaultContext() {
		return ""
	}
	return normalizeName(name)
}

func (r *Registry) getConfig(q *request) (any, error) {
	name := q.scope()
	return r.read(func() (any, error) {
		if q.flag("defaultToGlobal") {
			return r.configInScope(name), nil
		}
		s := r.config(name)
		if s == nil {
			return nil, errorf(codeCompatibilityNotSet, "Subject '%s' does not have subject-level compatibility configured", name)
		}
		return s, nil
	})
}

func (r *Registry) putConfig(q *request) (any, error) {
	var body settingsRequest
	if err := q.decode(&body); err != nil {
		return nil, err
	}
	level, err := body.level()
	if err != nil {
		return nil, errorf(http.StatusBadRequest, "%s: %v", requestLevel, err)
	}
	if level != "" {
		level = strings.ToUpper(level)
		body[requestLevel] = json.RawMessage(`"` + level + `"`)
		if !validLevel(level) {
			return nil, errorf(codeInvalidCompatibility, "Invalid compatibility level. Valid values are %s", joinAnd(levels))
		}
	}
	name := q.scope()
	if !validSubject(q.params["subject"], true) {
		return nil, errInvalidSubject(q.params["subject"])
	}
	return r.write(func() (any, []Record, error) {
		if r.readOnly(name) {
			return nil, nil, errReadOnly(name)
		}
		s, err := body.apply(r.state.configs[name])
		if err != nil {
			return nil, nil, errorf(http.StatusBadRequest, "the settings are not what is expected: %v", err)
		}
		return s.echo(), []Record{configRecord(name, s)}, nil
	})
}

func (r *Registry) deleteConfig(q *request) (any, error) {
	name := q.scope()
	return r.write(func() (any, []Record, error) {
		s := r.config(name)
		if s == nil {
			return nil, nil, errSubjectNotFound(name)
		}
		if r.readOnly(name) {
			return nil, nil, errReadOnly(name)
		}
		return s, []Record{configRecord(name, nil)}, nil
	})
}

// modeAnswer is a mode in a request or an answer.
type modeAnswer struct {
	Mode *string `json:"mode,omitempty"`
}

func (r *Registry) getMode(q *request) (any, error) {
	name := q.scope()
	return r.read(func() (any, error) {
		mode := r.mode(name)
		if q.flag("defaultToGlobal") {
			mode = r.modeInScope(name)
		}
		if mode == "" {
			return nil, errorf(codeModeNotSet, "Subject '%s' does not have subject-level mode configured", name)
		}
		return modeAnswer{&mode}, nil
	})
}

func (r *Registry) putMode(q *request) (any, error) {
	if !validSubject(q.params["subject"], true) {
		return nil, errInvalidSubject(q.params["subject"])
	}
	var body modeAnswer
	if err := q.decode(&body); err != nil {
		return nil, err
	}
	name, mode := q.scope(), ""
	if body.Mode != nil {
		if mode = strings.ToUpper(*body.Mode); !slices.Contains(modes, mode) {
			return nil, errorf(codeInvalidMode, "Invalid mode. Valid values are READWRITE, READONLY, IMPORT and FORWARD.")
		}
	}
	if mode == modeForward && parseName(name).context != globalContext {
		return nil, errorf(codeInvalidMode, "Forward mode only supported on global level")
	}
	return r.write(func() (any, []Record, error) {
		records, err := r.setMode(name, mode, q.flag("force"))
		return body, records, err
	})
}

func (r *Registry) deleteMode(q *request) (any, error) {
	name := q.scope()
	return r.write(func() (any, []Record, error) {
		mode := r.mode(name)
		recursive := q.flag("recursive") && parseName(name).subject == ""
		if mode == "" && !recursive {
			return nil, nil, errSubjectNotFound(name)
		}
		records := []Record{modeRecord(name, "")}
		if recursive {
			for other := range r.state.modes {
				if other != name && parseName(other).context == parseName(name).context {
					records = append(records, modeRecord(other, ""))
				}
			}
		}
		if mode == "" {
			return modeAnswer{}, records, nil
		}
		return modeAnswer{&mode}, records, nil
	})
}

// joinAnd lists words as a sentence does.
func joinAnd(words []string) string {
	n := len(words) - 1
	return strings.Join(words[:n], ", ") + " and " + words[n]
}
