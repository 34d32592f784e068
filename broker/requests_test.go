package broker

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// docs/broker.md says of every request that it is answered, and of no other.
func TestEveryRequestIsInTheDocumentation(t *testing.T) {
	page, err := os.ReadFile("../docs/broker.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(page), "<!-- requests:")
	section, _, found := strings.Cut(section, "<!-- /requests -->")
	if !found {
		t.Fatal("docs/broker.md has no list of requests")
	}
	_, section, _ = strings.Cut(section, "-->")
	section, off, _ := strings.Cut(section, "These are answered")
	named := regexp.MustCompile(`[A-Z][A-Za-z]+`).FindAllString(section, -1)
	for key, a := range apis {
		if a.handle == nil {
			continue
		}
		name := kmsg.NameForKey(int16(key))
		if !slices.Contains(named, name) && !strings.Contains(off, name) {
			t.Errorf("%s is answered, and docs/broker.md does not say so", name)
		}
		named = slices.DeleteFunc(named, func(n string) bool { return n == name })
	}
	if len(named) > 0 {
		t.Errorf("docs/broker.md names %v, which are not answered", named)
	}
}
