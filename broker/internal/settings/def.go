package settings

import (
	"errors"
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

// Errors, to be matched with errors.Is.
var (
	// ErrUnknown says that there is no such setting.
	ErrUnknown = errors.New("unknown configuration")
	// ErrValue says that a value is not of the setting's kind or outside its bounds.
	ErrValue = errors.New("invalid value")
)

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
	err := d.check(value)
	if err != nil {
		return fmt.Errorf("%w %q for configuration %s: %w", ErrValue, value, d.Name, err)
	}
	return nil
}

func (d *Def) check(value string) error {
	switch d.Kind {
	case Boolean:
		if value != "true" && value != "false" {
			return errors.New("must be true or false")
		}
	case Int, Short, Long:
		bits := map[Kind]int{Int: 32, Short: 16, Long: 64}[d.Kind]
		n, err := strconv.ParseInt(strings.TrimSpace(value), 10, bits)
		if err != nil {
			return fmt.Errorf("not a number of %d bits", bits)
		}
		if (d.min != 0 || d.max != 0) && n < d.min {
			return fmt.Errorf("must be at least %d", d.min)
		}
		if d.max != 0 && n > d.max {
			return fmt.Errorf("must be at most %d", d.max)
		}
	case Double:
		f, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
		if err != nil || math.IsNaN(f) || f < float64(d.min) || f > float64(d.max) {
			return fmt.Errorf("must be a number from %d to %d", d.min, d.max)
		}
	case List:
		for _, v := range SplitList(value) {
			if d.oneOf != nil && !slices.Contains(d.oneOf, v) {
				return fmt.Errorf("%q is not one of %s", v, strings.Join(d.oneOf, ", "))
			}
		}
	case String:
		if d.oneOf != nil && !slices.Contains(d.oneOf, value) {
			return fmt.Errorf("must be one of %s", strings.Join(d.oneOf, ", "))
		}
	}
	return nil
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
