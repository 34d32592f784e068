package guarantee_test

import (
	"testing"

	"github.com/sordini-go/sordini/internal/guarantee"
)

// TestEveryScenarioRunsOnBothClusters: a scenario that one of them can not run shows the guarantee for the other only, and says why.
func TestEveryScenarioRunsOnBothClusters(t *testing.T) {
	names := map[string]bool{}
	for _, s := range guarantee.Scenarios("", guarantee.Reference|guarantee.Kafka) {
		if s.Targets != guarantee.Reference|guarantee.Kafka && (s.Targets != guarantee.Reference || s.Why == "") {
			t.Errorf("%s/%s runs on %s only", s.Guarantee, s.Name, s.Targets)
		}
		if names[s.Name] {
			t.Errorf("there are two scenarios %s", s.Name)
		}
		names[s.Name] = true
	}
	for _, g := range guarantee.Guarantees {
		if len(guarantee.Scenarios(g, guarantee.Reference)) == 0 {
			t.Errorf("%s has no scenario", g)
		}
	}
}
