package settings

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Kind is the type of a setting's value, numbered as DescribeConfigs has it.
type Kind int8

// Kafka's kinds of settings.
const (
	Boolean Kind = 1
	String  Kind = 2
	Int     Kind = 3
	Short   Kind = 4
	Long    Kind = 5
	Double  Kind = 6
	List    Kind = 7
)

// UnknownError says that there is no such setting. Its text is Kafka's.
type UnknownError struct {
	Name  string
	Topic bool // of a topic; otherwise of a broker
}

func (e *UnknownError) Error() string {
	if e.Topic {
		return "Unknown topic config name: " + e.Name
	}
	return "Unknown broker config name: " + e.Name
}

// ValueError says that a value is not of the setting's kind or outside its bounds. Its text is Kafka's.
type ValueError struct{ Name, Value, Reason string }

func (e *ValueError) Error() string {
	return fmt.Sprintf("Invalid value %s for configuration %s: %s", e.Value, e.Name, e.Reason)
}

func (k Kind) bits() int {
	switch k {
	case Short:
		return 16
	case Int:
		return 32
	}
	return 64
}

// String returns Kafka's name of the kind.
func (k Kind) String() string {
	switch k {
	case Boolean:
		return "BOOLEAN"
	case String:
		return "STRING"
	case Int:
		return "INT"
	case Short:
		return "SHORT"
	case Long:
		return "LONG"
	case Double:
		return "DOUBLE"
	case List:
		return "LIST"
	}
	return "UNKNOWN"
}

// Def defines one setting.
type Def struct {
	Name     string
	Kind     Kind
	Default  string
	Unset    bool     // the default is null
	Synonyms []string // of a topic's setting: the broker's settings that it falls back to, first wins
	ReadOnly bool     // of a broker's setting: cannot be altered while the broker runs

	min, max int64 // bounds of a number; both 0: none
	oneOf    []string
}

// Check says whether value may be given to the setting.
func (d *Def) Check(value string) error {
	if reason := d.check(value); reason != "" {
		if d.Kind == List {
			value = strings.Join(SplitList(value), ",")
		}
		return &ValueError{d.Name, value, reason}
	}
	return nil
}

// check returns what is wrong with a value.
func (d *Def) check(value string) (reason string) {
	switch d.Kind {
	case Boolean:
		if value != "true" && value != "false" {
			return "Expected value to be either true or false"
		}
	case Int, Short, Long:
		n, err := strconv.ParseInt(strings.TrimSpace(value), 10, d.Kind.bits())
		switch {
		case err != nil:
			return "Not a number of type " + d.Kind.String()
		case (d.min != 0 || d.max != 0) && n < d.min:
			return fmt.Sprintf("Value must be at least %d", d.min)
		case d.max != 0 && n > d.max:
			return fmt.Sprintf("Value must be no more than %d", d.max)
		}
	case Double:
		f, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
		switch {
		case err != nil || math.IsNaN(f):
			return "Not a number of type DOUBLE"
		case f < float64(d.min):
			return fmt.Sprintf("Value must be at least %d", d.min)
		case f > float64(d.max):
			return fmt.Sprintf("Value must be no more than %d", d.max)
		}
	case List:
		for _, v := range SplitList(value) {
			if d.oneOf != nil && !slices.Contains(d.oneOf, v) {
				return "String must be one of: " + strings.Join(d.oneOf, ", ")
			}
		}
	case String:
		if d.oneOf != nil && !slices.Contains(d.oneOf, value) {
			return "String must be one of: " + strings.Join(d.oneOf, ", ")
		}
	}
	return ""
}

// SplitList splits the value of a list.
func SplitList(value string) []string {
	var out []string
	for _, v := range strings.Split(value, ",") {
		if v = strings.TrimSpace(v); v != "" {
			out = append(out, v)
		}
	}
	return out
}

// Lookup finds a definition by name.
func Lookup(defs []Def, name string) (*Def, bool) {
	i, ok := slices.BinarySearchFunc(defs, name, func(d Def, name string) int { return strings.Compare(d.Name, name) })
	if !ok {
		return nil, false
	}
	return &defs[i], true
}

func sorted(defs []Def) []Def {
	slices.SortFunc(defs, func(a, b Def) int { return strings.Compare(a.Name, b.Name) })
	return defs
}
