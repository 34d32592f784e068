package main

import (
	"fmt"
	"path"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// difference is one field in which the sides differ, or an entry that one of them has not.
type difference struct {
	Scenario, What string
	Key            int16 // -1: of the scenario as a whole
	Version        int16
	Path           string
	Kafka, Ours    string
}

// summary prints differences, those that differ by their version alone as one.
func summary(all []difference, most int) (lines []string) {
	versions := map[difference][]string{}
	var order []difference
	for _, d := range all {
		v := d.Version
		d.Version = 0
		if versions[d] == nil {
			order = append(order, d)
		}
		versions[d] = append(versions[d], fmt.Sprint(v))
	}
	for i, d := range order {
		if i == most {
			return append(lines, fmt.Sprintf("and %d more differences", len(order)-most))
		}
		lines = append(lines, fmt.Sprintf("%s / %s: %s v%s %s: Kafka %s, reference broker %s",
			d.Scenario, d.What, kmsg.NameForKey(d.Key), strings.Join(versions[d], ","), d.Path, d.Kafka, d.Ours))
	}
	return lines
}

// absent stands for a value that a side does not have.
const absent = "(absent)"

// compare returns in what two transcripts of one scenario differ, entry by entry.
func compare(kafka, ours transcript) (all []difference) {
	for i := range max(len(kafka.Entries), len(ours.Entries)) {
		var k, o entry
		if i < len(kafka.Entries) {
			k = kafka.Entries[i]
		}
		if i < len(ours.Entries) {
			o = ours.Entries[i]
		}
		if k.What != o.What || k.Key != o.Key || k.Version != o.Version {
			return append(all, difference{
				Scenario: kafka.Scenario, Key: -1, What: "the scenario went on differently", Path: fmt.Sprintf("entry %d", i),
				Kafka: k.What + " " + kafka.Failed, Ours: o.What + " " + ours.Failed,
			})
		}
		for _, d := range compareFields(k.Fields, o.Fields) {
			d.Scenario, d.What, d.Key, d.Version = kafka.Scenario, k.What, k.Key, k.Version
			all = append(all, d)
		}
	}
	if kafka.Failed != ours.Failed {
		all = append(all, difference{Scenario: kafka.Scenario, Key: -1, What: "the scenario ended early", Kafka: kafka.Failed, Ours: ours.Failed})
	}
	return all
}

// compareFields compares two lists of fields by their paths, in the order of the first.
func compareFields(kafka, ours []field) (all []difference) {
	have := map[string]string{}
	for _, f := range ours {
		have[f.Path] = f.Value
	}
	seen := map[string]bool{}
	for _, f := range kafka {
		seen[f.Path] = true
		o, ok := have[f.Path]
		if !ok {
			o = absent
		}
		if o != f.Value {
			all = append(all, difference{Path: f.Path, Kafka: f.Value, Ours: o})
		}
	}
	for _, f := range ours {
		if !seen[f.Path] {
			all = append(all, difference{Path: f.Path, Kafka: absent, Ours: f.Value})
		}
	}
	return merged(all)
}

// merged reports an element that one side does not have once, and not for each of its fields.
func merged(all []difference) (out []difference) {
	type missing struct {
		element     string
		kafka, ours bool
	}
	had, mixed := map[missing]bool{}, map[missing]bool{}
	for _, d := range all { // elements of which a side has some fields
		for i := range d.Path {
			if strings.HasPrefix(d.Path[i:], "].") {
				for _, m := range []missing{{d.Path[:i+1], true, false}, {d.Path[:i+1], false, true}} {
					mixed[m] = mixed[m] || m.kafka != (d.Kafka == absent) || m.ours != (d.Ours == absent)
				}
			}
		}
	}
	for _, d := range all {
		i := strings.LastIndex(d.Path, "].")
		if i < 0 || d.Kafka != absent && d.Ours != absent {
			out = append(out, d)
			continue
		}
		m := missing{d.Path[:i+1], d.Kafka == absent, d.Ours == absent}
		whole := !mixed[m]
		if !whole {
			out = append(out, d)
			continue
		}
		if j := strings.Index(m.element, "]."); j >= 0 { // the outermost element that is missing
			outer := missing{d.Path[:j+1], m.kafka, m.ours}
			if had[outer] {
				continue
			}
		}
		if !had[m] {
			had[m] = true
			d.Path = m.element
			if d.Kafka != absent {
				d.Kafka = "(present)"
			} else {
				d.Ours = "(present)"
			}
			out = append(out, d)
		}
	}
	return out
}

// expectation is a difference that is known and has a reason. The empty fields match everything; the texts are patterns of path.Match, whose * takes
// everything but slashes.
type expectation struct {
	Why            string
	Match          func(difference) bool
	API            string
	Scenario, What string
	Path           string
	Kafka, Ours    string
}

func (e expectation) matches(d difference) bool {
	if e.Match != nil && !e.Match(d) {
		return false
	}
	for _, p := range [][2]string{{e.API, kmsg.NameForKey(d.Key)}, {e.Scenario, d.Scenario}, {e.What, d.What}, {e.Path, d.Path}, {e.Kafka, d.Kafka}, {e.Ours, d.Ours}} {
		if p[0] == "" {
			continue
		}
		if ok, err := path.Match(p[0], p[1]); err != nil || !ok {
			return false
		}
	}
	return true
}

// verdict is what became of all differences.
type verdict struct {
	unexpected []difference
	expected   [][]difference // by expectation
}

// judge sorts differences into those that are expected and those that are not.
func judge(all []difference, list []expectation) verdict {
	v := verdict{expected: make([][]difference, len(list))}
next:
	for _, d := range all {
		for i, e := range list {
			if e.matches(d) {
				v.expected[i] = append(v.expected[i], d)
				continue next
			}
		}
		v.unexpected = append(v.unexpected, d)
	}
	return v
}

// all is how many differences there are.
func (v verdict) all() int {
	n := len(v.unexpected)
	for _, list := range v.expected {
		n += len(list)
	}
	return n
}
