package guarantee_test

import (
	"slices"
	"testing"

	"github.com/sordini-go/sordini/internal/guarantee"
)

// TestEveryScenarioRunsOnBothClusters: one that runs on the reference broker alone has a verb that Apache Kafka can not serve,
// or says why.
func TestEveryScenarioRunsOnBothClusters(t *testing.T) {
	names := map[string]bool{}
	for _, s := range guarantee.Scenarios("", guarantee.Reference|guarantee.Kafka) {
		want := guarantee.Reference | guarantee.Kafka
		if s.Why != "" || slices.ContainsFunc(s.Verbs, func(v guarantee.Verb) bool { return guarantee.Unserved[v] != "" }) {
			want = guarantee.Reference
		}
		if s.Targets != want {
			t.Errorf("%s/%s runs on %s, want %s", s.Guarantee, s.Name, s.Targets, want)
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

// TestEveryVerbHasAScenario: on every cluster that serves it.
func TestEveryVerbHasAScenario(t *testing.T) {
	for _, v := range guarantee.Verbs {
		for _, kind := range []guarantee.Kind{guarantee.Reference, guarantee.Kafka} {
			has := slices.ContainsFunc(guarantee.Scenarios("", kind), func(s guarantee.Scenario) bool { return slices.Contains(s.Verbs, v) })
			if want := kind == guarantee.Reference || guarantee.Unserved[v] == ""; has != want {
				t.Errorf("a scenario of %s that can %s: %v, want %v", kind, v, has, want)
			}
		}
	}
}
