package avro

import (
	"strconv"

	"github.com/sordini-go/sordini/broker/registry/internal/jsontree"
)

// validDefault says whether a default in JSON fits a type. A union's default may be that of any branch, as the specification has it since 1.12.
func validDefault(s *schema, v *jsontree.Value, depth int) bool {
	if depth > jsontree.MaxDepth { // an empty object fits a record of defaults, which may hold itself
		return false
	}
	switch s.typ.kind() {
	case Null:
		return v.Kind == jsontree.Null
	case Boolean:
		return v.Kind == jsontree.Bool
	case Int:
		_, err := strconv.ParseInt(v.Text, 10, 32)
		return v.Kind == jsontree.Number && err == nil
	case Long:
		_, err := strconv.ParseInt(v.Text, 10, 64)
		return v.Kind == jsontree.Number && err == nil
	case Float, Double:
		return v.Kind == jsontree.Number
	case String, Bytes, Enum, Fixed:
		return v.Kind == jsontree.String
	case Array:
		if v.Kind != jsontree.Array {
			return false
		}
		for _, it := range v.Items {
			if !validDefault(s.items, it, depth+1) {
				return false
			}
		}
		return true
	case Map:
		if v.Kind != jsontree.Object {
			return false
		}
		for _, m := range v.Members {
			if !validDefault(s.items, m.Value, depth+1) {
				return false
			}
		}
		return true
	case Union:
		for _, b := range s.types {
			if validDefault(b, v, depth+1) {
				return true
			}
		}
		return false
	}
	if v.Kind != jsontree.Object {
		return false
	}
	for _, f := range s.fields {
		d := v.Get(f.name)
		if d == nil {
			d = f.def
		}
		if d == nil || !validDefault(f.typ, d, depth+1) {
			return false
		}
	}
	return true
}
