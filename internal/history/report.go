package history

import (
	"fmt"
	"maps"
	"slices"
	"sort"
	"strings"
)

// Guarantee is the number of a guarantee in the design, "G1" to "G11".
type Guarantee string

// The guarantees that a history is judged by, and Malformed for a history that contradicts itself (an end without a start, a commit that nobody asked
// for): then it is the recording that is wrong, and nothing was shown.
const (
	G1        Guarantee = "G1"
	G2        Guarantee = "G2"
	G3        Guarantee = "G3"
	G4        Guarantee = "G4"
	G5        Guarantee = "G5"
	G6        Guarantee = "G6"
	G7        Guarantee = "G7"
	G9        Guarantee = "G9"
	G10       Guarantee = "G10"
	G11       Guarantee = "G11"
	Malformed Guarantee = "history"
)

// A Violation is one guarantee broken once.
type Violation struct {
	Guarantee Guarantee
	// Text says what is wrong with what.
	Text string
	// Seqs are the events that prove it, in order.
	Seqs []int64
	// Events are those events, where the history was at hand ([Check]); a [Checker] keeps none.
	Events []Event
}

// String is the violation in one line: what is wrong, and the events that prove it.
func (v Violation) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s", v.Guarantee, v.Text)
	sep := ": "
	if len(v.Events) > 0 {
		for i := range v.Events {
			b.WriteString(sep + v.Events[i].String())
			sep = " | "
		}
		return b.String()
	}
	for _, s := range v.Seqs {
		fmt.Fprintf(&b, "%s#%d", sep, s)
		sep = " "
	}
	return b.String()
}

// Counts are a group's numbers. Handled, Dead, Skipped and Pending count records, each once, in the state of its last outcome; the others count events.
type Counts struct {
	Handled int64 `json:"handled"`
	Dead    int64 `json:"dead"`
	Skipped int64 `json:"skipped"`
	// Pending are accepted records without an end (only with Options.Open; without it they are violations of G1 as well).
	Pending int64 `json:"pending"`
	// Taken are accepted records that retention or truncation took before they ended.
	Taken int64 `json:"taken"`
	// Handed counts hand-overs to the inbox.
	Handed int64 `json:"handed"`
	// Duplicates counts ends of records that had ended before, other than by a redrive.
	Duplicates int64 `json:"duplicates"`
	// Redelivered counts deliveries of a record that an earlier ownership had started or ended, as G7 allows.
	Redelivered int64 `json:"redelivered"`
	// Overlaps counts attempts that ran beside one of the same key of an earlier ownership, as G3 allows.
	Overlaps int64 `json:"overlaps"`
	// Fenced counts outcomes of members that no longer owned the partition: they end nothing.
	Fenced int64 `json:"fenced"`
}

// Report is what a history shows.
type Report struct {
	Events   int64             `json:"events"`
	Accepted int64             `json:"accepted"`
	Unknown  int64             `json:"unknown"`
	Refused  int64             `json:"refused"`
	Found    int64             `json:"found"`
	Groups   map[string]Counts `json:"groups"`
	// Totals count the violations by guarantee; only guarantees with violations are in it.
	Totals map[Guarantee]int64 `json:"violations"`
	// Violations in the order they were found, at most Options.Limit of each guarantee.
	Violations []Violation `json:"-"`
}

// OK says that no violation was found.
func (r Report) OK() bool { return len(r.Totals) == 0 }

// Err is nil for a history without violations, else an error whose text is the report.
func (r Report) Err() error {
	if r.OK() {
		return nil
	}
	return fmt.Errorf("the history breaks the guarantees:\n%s", r)
}

// String is the report for people: counts, then violations line by line.
func (r Report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d events: %d accepted, %d unknown, %d refused, %d found\n", r.Events, r.Accepted, r.Unknown, r.Refused, r.Found)
	for _, g := range slices.Sorted(maps.Keys(r.Groups)) {
		c := r.Groups[g]
		fmt.Fprintf(&b, "group %s: %d handled, %d dead, %d skipped, %d pending, %d taken; %d duplicates, %d redelivered, %d overlaps, %d handed, %d fenced\n",
			g, c.Handled, c.Dead, c.Skipped, c.Pending, c.Taken, c.Duplicates, c.Redelivered, c.Overlaps, c.Handed, c.Fenced)
	}
	kept := map[Guarantee]int64{}
	for _, v := range r.Violations {
		kept[v.Guarantee]++
		b.WriteString(v.String() + "\n")
	}
	guarantees := slices.Collect(maps.Keys(r.Totals))
	sort.Slice(guarantees, func(i, j int) bool {
		a, b := guarantees[i], guarantees[j]
		return len(a) < len(b) || len(a) == len(b) && a < b
	})
	for _, g := range guarantees {
		if n := r.Totals[g] - kept[g]; n > 0 {
			fmt.Fprintf(&b, "%s and %d more\n", g, n)
		}
	}
	return b.String()
}
