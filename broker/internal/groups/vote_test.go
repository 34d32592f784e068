package groups

import (
	"slices"
	"strings"
	"testing"
)

// The orders were printed by a java.util.HashMap.
func TestJavaOrderIsThatOfAHashMap(t *testing.T) {
	for _, want := range []string{
		"sticky range roundrobin cooperative-sticky",
		"a b c d e f g h i j k l m",
		"protocol-6 protocol-5 protocol-8 protocol-7 protocol-9 protocol-14 protocol-10 protocol-2 protocol-1 protocol-11 protocol-12 protocol-4 protocol-13 protocol-3",
		"v10 😀 v2 Ωμέγα sessioned",
	} {
		names := strings.Fields(want)
		slices.Sort(names)
		if have := strings.Join(javaOrder(names), " "); have != want {
			t.Errorf("\nhave %s\nwant %s", have, want)
		}
	}
}

func TestIllegalStepsPanic(t *testing.T) {
	for from, legal := range next {
		for _, to := range []State{Empty, PreparingRebalance, CompletingRebalance, Stable, Dead} {
			func() {
				defer func() {
					if p := recover(); (p == nil) != slices.Contains(legal, to) {
						t.Errorf("%s to %s: %v", from, to, p)
					}
				}()
				checkStep("g", from, to)
			}()
		}
	}
}
