package registry

import (
	"fmt"
	"slices"
	"strings"
)

// compare says why a new schema does not fit earlier ones, oldest first, under the settings that apply. Nothing means that it does.
func (r *Registry) compare(cfg *settings, d *definition, p parsed, previous []*version) ([]string, error) {
	if g := cfg.CompatibilityGroup; g != "" { // only those of the same group are looked at, and none is a group too
		own, has := d.metadata.property(g)
		previous = slices.DeleteFunc(slices.Clone(previous), func(v *version) bool {
			other, ok := v.metadata.property(g)
			return ok != has || other != own
		})
	}
	level := cfg.CompatibilityLevel
	if level == levelNone {
		return nil, nil
	}
	transitive := strings.HasSuffix(level, "_TRANSITIVE")
	level = strings.TrimSuffix(level, "_TRANSITIVE")
	var messages []string
	for i, v := range slices.Backward(previous) {
		if !transitive && i != len(previous)-1 || len(messages) > 0 {
			break
		}
		old, err := r.parseStored(v)
		if err != nil {
			return nil, err
		}
		messages = comparePair(level, d.typ, p, v, old, cfg.CompatibilityPolicy == "LENIENT")
	}
	if len(messages) > 0 {
		messages = append(messages, fmt.Sprintf("{validateFields: '%t', compatibility: '%s'}", on(cfg.ValidateFields), cfg.CompatibilityLevel))
	}
	return messages, nil
}

// maxQuoted is how much of an old schema a message quotes, in bytes.
const maxQuoted = 10 << 10

func comparePair(level, typ string, p parsed, v *version, old parsed, lenient bool) (messages []string) {
	if typ != v.typ {
		return []string{"Incompatible because of different schema type"}
	}
	if level == levelForward || level == levelFull {
		for _, problem := range old.read(p, lenient) {
			messages = append(messages, problem("old", "new"))
		}
	}
	failed := len(messages) > 0 && level == levelForward
	if level == levelBackward || level == levelFull {
		for _, problem := range p.read(old, lenient) {
			messages = append(messages, problem("new", "old"))
			failed = true
		}
	}
	if failed {
		quoted := v.schema
		if len(quoted) > maxQuoted {
			quoted = "<truncated> '" + quoted[:maxQuoted] + "...'"
		} else {
			quoted = "'" + quoted + "'"
		}
		messages = append(messages, fmt.Sprintf("{oldSchemaVersion: %d}", v.number), "{oldSchema: "+quoted+"}")
	}
	return messages
}
