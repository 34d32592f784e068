package settings

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"sort"
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
	// Class is the name of a Java class.
	Class Kind = 8
	// Password is text that is never shown.
	Password Kind = 9
)

// UnknownError says that there is no such setting. Its text is Kafka's.
type UnknownError struct {
	Of   string // "topic", "broker" or "group"
	Name string
}

func (e *UnknownError) Error() string { return "Unknown " + e.Of + " config name: " + e.Name }

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
	case Class:
		return "CLASS"
	case Password:
		return "PASSWORD"
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
	Scope    Scope    // of a broker's setting that can be altered: for which brokers
	Inert    bool     // listed as Kafka lists it, and without effect here

	min, max   int64 // bounds of a number; both 0: none
	orMinusOne bool  // -1 may be given too, though it is below min
	oneOf      []string
	anyCase    bool // oneOf does not tell upper from lower case
	replicas   bool // a list of partition:broker, or "*"
}

// Scope says for which brokers a setting can be altered while they run.
type Scope int8

// Kafka's scopes (KIP-226).
const (
	AllBrokers  Scope = iota // for one broker, or for all of them at once
	OneBroker                // for one broker only
	OneListener              // for one broker only, under a listener's prefix
)

// Sensitive says that the value is a secret, which is never shown.
func (d *Def) Sensitive() bool { return d.Kind == Password }

// Check says whether value may be given to the setting.
func (d *Def) Check(value string) error {
	if wrong, reason := d.check(value); reason != "" {
		return &ValueError{d.Name, wrong, reason}
	}
	return nil
}

// check returns what is wrong with a value, and which part of it.
func (d *Def) check(value string) (wrong, reason string) {
	if d.Kind != List {
		reason = d.checkOne(value)
		if f, err := strconv.ParseFloat(strings.TrimSpace(value), 64); d.Kind == Double && err == nil && f == math.Trunc(f) && math.Abs(f) < 1e7 {
			value = strconv.FormatFloat(f, 'f', 1, 64) // Java quotes the number it read: 2 as 2.0
		}
		return value, reason
	}
	list := SplitList(value)
	if d.replicas {
		return "[" + strings.Join(list, ", ") + "]", d.checkReplicas(list)
	}
	for _, v := range list {
		if d.oneOf != nil && !slices.Contains(d.oneOf, v) {
			return v, "String must be one of: " + strings.Join(d.oneOf, ", ")
		}
	}
	return "", ""
}

func (d *Def) checkOne(value string) (reason string) {
	switch d.Kind {
	case Boolean:
		if v := strings.TrimSpace(value); !strings.EqualFold(v, "true") && !strings.EqualFold(v, "false") {
			return "Expected value to be either true or false"
		}
	case Int, Short, Long:
		n, err := strconv.ParseInt(strings.TrimSpace(value), 10, d.Kind.bits())
		switch {
		case err != nil:
			return "Not a number of type " + d.Kind.String()
		case d.orMinusOne && n != -1 && (n < d.min || n > d.max):
			return fmt.Sprintf("Value must be between %d and %d or equal to -1", d.min, d.max)
		case d.orMinusOne:
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
		case (d.min != 0 || d.max != 0) && f < float64(d.min):
			return fmt.Sprintf("Value must be at least %d", d.min)
		case d.max != 0 && f > float64(d.max):
			return fmt.Sprintf("Value must be no more than %d", d.max)
		}
	case String:
		is := func(v string) bool { return v == value || d.anyCase && strings.EqualFold(v, value) }
		if d.oneOf != nil && !slices.ContainsFunc(d.oneOf, is) {
			if d.anyCase {
				return "String must be one of (case insensitive): " + strings.Join(d.oneOf, ", ")
			}
			return "String must be one of: " + strings.Join(d.oneOf, ", ")
		}
	}
	return ""
}

var replicaPair = regexp.MustCompile(`^[0-9]+:[0-9]+$`)

// checkReplicas wants partition:broker pairs, or "*" for all replicas.
func (d *Def) checkReplicas(list []string) string {
	ok := func(v string) bool { return replicaPair.MatchString(v) }
	if len(list) == 0 || len(list) == 1 && list[0] == "*" || len(list) == len(slices.DeleteFunc(slices.Clone(list), func(v string) bool { return !ok(v) })) {
		return ""
	}
	return d.Name + " must be the literal '*' or a list of replicas in the following format: [partitionId]:[brokerId],[partitionId]:[brokerId],..."
}

// Canonical writes a value that was checked as Kafka does after it has read it.
func (d *Def) Canonical(value string) string {
	switch d.Kind {
	case Int, Short, Long:
		if n, err := strconv.ParseInt(strings.TrimSpace(value), 10, 64); err == nil {
			return strconv.FormatInt(n, 10)
		}
	case Double:
		if f, err := strconv.ParseFloat(strings.TrimSpace(value), 64); err == nil {
			return formatDouble(f)
		}
	case List:
		return strings.Join(SplitList(value), ",")
	case Boolean:
		return strings.ToLower(strings.TrimSpace(value))
	case Class:
		return strings.TrimSpace(value)
	}
	return value
}

// formatDouble writes a number as Java does.
func formatDouble(f float64) string {
	if a := math.Abs(f); a != 0 && (a < 1e-3 || a >= 1e7) {
		s := strconv.FormatFloat(f, 'E', -1, 64)
		mantissa, exponent, _ := strings.Cut(s, "E")
		if !strings.Contains(mantissa, ".") {
			mantissa += ".0"
		}
		n, _ := strconv.Atoi(exponent)
		return mantissa + "E" + strconv.Itoa(n)
	}
	s := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
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
	i, ok := sort.Find(len(defs), func(i int) int { return strings.Compare(name, defs[i].Name) }) // a Def is large to be copied
	if !ok {
		return nil, false
	}
	return &defs[i], true
}

func sorted(defs []Def) []Def {
	slices.SortFunc(defs, func(a, b Def) int { return strings.Compare(a.Name, b.Name) })
	return defs
}
