package main

import (
	"fmt"
	"io"
	"sort"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// tally is what was asked of one API key.
type tally struct {
	requests, equal, expected, unexpected int
	versions                              map[int16]bool
}

// counted sums up every request of both sides' transcripts by API key.
func counted(kafka []transcript, all []difference, list []expectation) map[int16]*tally {
	type at struct {
		scenario, what string
		key, version   int16
	}
	worst := map[at]int{}
	for _, d := range all {
		level := 2
		for _, e := range list {
			if e.matches(d) {
				level = 1
				break
			}
		}
		p := at{d.Scenario, d.What, d.Key, d.Version}
		worst[p] = max(worst[p], level)
	}
	tallies := map[int16]*tally{}
	for _, t := range kafka {
		for _, e := range t.Entries {
			c := tallies[e.Key]
			if c == nil {
				c = &tally{versions: map[int16]bool{}}
				tallies[e.Key] = c
			}
			c.requests++
			if !e.Raw {
				c.versions[e.Version] = true
			}
			switch worst[at{t.Scenario, e.What, e.Key, e.Version}] {
			case 0:
				c.equal++
			case 1:
				c.expected++
			default:
				c.unexpected++
			}
		}
	}
	return tallies
}

// incomplete says what a run of all scenarios is to have and has not: each expected difference, no more of them than may be, and every API version.
func incomplete(v verdict, list []expectation, tallies map[int16]*tally) (problems []string) {
	for i, e := range list {
		if len(v.expected[i]) == 0 {
			problems = append(problems, "an expected difference has vanished: "+e.Why)
		}
	}
	if len(list) > maxExpectations {
		problems = append(problems, fmt.Sprintf("%d expected differences, at most %d", len(list), maxExpectations))
	}
	for _, m := range neverAsked(tallies) {
		problems = append(problems, "never asked for: "+m)
	}
	return problems
}

// neverAsked lists the API versions of Apache Kafka's that no scenario asks for.
func neverAsked(tallies map[int16]*tally) (missing []string) {
	for _, key := range servedKeys() {
		var versions []string
		for v := served[key].min; v <= served[key].max; v++ {
			if t := tallies[key.Int16()]; t == nil || !t.versions[v] {
				versions = append(versions, fmt.Sprint(v))
			}
		}
		if len(versions) > 0 {
			missing = append(missing, fmt.Sprintf("%s %s", kmsg.NameForKey(key.Int16()), strings.Join(versions, " ")))
		}
	}
	return missing
}

// report prints every API key that was asked or that Apache Kafka lists.
func report(w io.Writer, tallies map[int16]*tally, ours map[kmsg.Key]span) {
	keys := map[int16]bool{}
	for k := range tallies {
		keys[k] = true
	}
	for k := range served {
		keys[k.Int16()] = true
	}
	var sorted []int16
	for k := range keys {
		sorted = append(sorted, k)
	}
	sort.Slice(sorted, func(i, j int) bool { return sorted[i] < sorted[j] })
	fmt.Fprintf(w, "%4s %-30s %-8s %-12s %8s %6s %9s %10s\n", "key", "API", "Kafka", "reference", "requests", "equal", "expected", "unexpected")
	var sum tally
	for _, k := range sorted {
		t := tallies[k]
		if t == nil {
			t = &tally{}
		}
		sum.requests += t.requests
		sum.equal += t.equal
		sum.expected += t.expected
		sum.unexpected += t.unexpected
		kafka, mine := "-", "not served"
		if s, ok := served[kmsg.Key(k)]; ok {
			kafka = fmt.Sprintf("%d-%d", s.min, s.max)
		}
		if s, ok := ours[kmsg.Key(k)]; ok {
			mine = fmt.Sprintf("%d-%d", s.min, s.max)
		}
		fmt.Fprintf(w, "%4d %-30s %-8s %-12s %8d %6d %9d %10d\n", k, kmsg.NameForKey(k), kafka, mine, t.requests, t.equal, t.expected, t.unexpected)
	}
	fmt.Fprintf(w, "%4s %-30s %-8s %-12s %8d %6d %9d %10d\n", "", "all", "", "", sum.requests, sum.equal, sum.expected, sum.unexpected)
}
