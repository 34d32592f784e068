package serde

import (
	"reflect"
	"strings"
	"testing"
)

// go vet reports such a struct in source; one that somebody generated it does not see.
func TestJSONRefusesATagThatIsIgnored(t *testing.T) {
	made := reflect.StructOf([]reflect.StructField{
		{Name: "A", Type: reflect.TypeFor[string]()},
		{Name: "b", Type: reflect.TypeFor[string](), PkgPath: "x", Tag: `json:"b"`},
	})
	err := (&jsonLook{seen: map[reflect.Type]bool{}}).at(made, "T")
	if err == nil || !strings.Contains(err.Error(), "T.b has a json tag and is not exported") {
		t.Errorf("error %v", err)
	}
}
