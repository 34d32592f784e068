package broker

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
)

// String says which requests the fault takes and what it does, as its fields that are not zero.
func (f Fault) String() string {
	var said []string
	v := reflect.ValueOf(f)
	for i := range v.NumField() {
		name, field := v.Type().Field(i).Name, v.Field(i)
		switch {
		case !v.Type().Field(i).IsExported(), field.IsZero():
		case name == "Fail":
			code := "unknown"
			if e := kerr.TypedErrorForCode(f.Fail); e != nil {
				code = e.Message
			}
			said = append(said, "Fail="+code)
		case field.Kind() == reflect.Bool:
			said = append(said, name)
		case field.Kind() == reflect.Func:
			said = append(said, name+"=func")
		case field.Kind() == reflect.Pointer:
			said = append(said, fmt.Sprintf("%s=%+v", name, field.Elem()))
		default:
			said = append(said, fmt.Sprintf("%s=%v", name, field))
		}
	}
	if len(said) == 0 {
		return "fault of every request that does nothing but count"
	}
	return "fault " + strings.Join(said, " ")
}

// Fault returns what was injected.
func (in *Injected) Fault() Fault {
	f := in.fault
	f.Partitions = slices.Clone(f.Partitions)
	return f
}

// Faults returns the faults that are in force, oldest first.
func (c *Cluster) Faults() []*Injected {
	c.faults.mu.Lock()
	defer c.faults.mu.Unlock()
	return slices.Clone(c.faults.list)
}
