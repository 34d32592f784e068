package guarantee

import (
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/sordini-go/sordini/internal/history"
)

// Chaos is a run of random records, members and faults. The seed decides what is done and in which order; when things meet, the scheduler does.
type Chaos struct {
	Seed    uint64
	Records int
	Faults  int

	// Kills is how many of the faults, at least, are the kill of a broker.
	Kills int

	// Calm is how long the run waits after a fault, at most. A member is cut off for up to 20 times that, a broker paused for up to 10 times. 2 s when 0:
	// longer than a session, which lasts 30 s.
	Calm time.Duration

	// Round is how many records share a round, at most; 250,000 when 0. Each round has topics, groups and a history of its own, so that a long run needs
	// no more memory than a round, and every round begins as a service does that nobody has run before.
	Round int

	// Work names the kinds of work that share the run; all when it is empty.
	Work []string

	// History, if set, opens what a round's history is written to, as lines of JSON.
	History func(round int) (io.WriteCloser, error)
}

// Result is what a run has shown.
type Result struct {
	Records      int                         `json:"records"` // that were to be sent
	Faults       int                         `json:"faults"`
	Seed         uint64                      `json:"seed"`
	Accepted     int64                       `json:"accepted"`
	Unknown      int64                       `json:"unknown"` // sends whose outcome the caller was told is not known
	Refused      int64                       `json:"refused"` // sends that failed for certain
	Handled      int64                       `json:"handled"`
	Duplicates   int64                       `json:"duplicates"`
	DeadLettered int64                       `json:"dead_lettered"`
	Skipped      int64                       `json:"skipped"`
	Redelivered  int64                       `json:"redelivered"`
	Violations   map[history.Guarantee]int64 `json:"violations"`
	FaultsByKind map[string]int              `json:"faults_by_kind"`
	Work         map[string]int64            `json:"work"` // records that were handled, by kind of work
	Seconds      float64                     `json:"seconds"`
}

func (r *Result) add(report history.Report) {
	r.Accepted += report.Accepted
	r.Unknown += report.Unknown
	r.Refused += report.Refused
	for _, g := range report.Groups {
		r.Handled += g.Handled
		r.Duplicates += g.Duplicates
		r.DeadLettered += g.Dead
		r.Skipped += g.Skipped
		r.Redelivered += g.Redelivered
	}
	for g, n := range report.Totals {
		r.Violations[g] += n
	}
}

// String is the result for people.
func (r *Result) String() string {
	s := fmt.Sprintf("%d accepted, %d unknown, %d refused; %d handled, %d duplicates, %d redelivered, %d dead-lettered, %d skipped; violations %v; work %v; faults:",
		r.Accepted, r.Unknown, r.Refused, r.Handled, r.Duplicates, r.Redelivered, r.DeadLettered, r.Skipped, r.Violations, r.Work)
	for _, name := range slices.Sorted(maps.Keys(r.FaultsByKind)) {
		s += fmt.Sprintf(" %s %d,", name, r.FaultsByKind[name])
	}
	return s[:len(s)-1]
}

// Run runs it on the target, which nobody else may use at the same time, and fails t when the history shows a guarantee broken. What result has been come to
// is in it also when t ends the run.
func (c Chaos) Run(t T, target *Target, result *Result) {
	t.Helper()
	if c.Calm == 0 {
		c.Calm = 2 * time.Second
	}
	if c.Round == 0 {
		c.Round = 250_000
	}
	for _, name := range c.Work {
		if !slices.ContainsFunc(kinds, func(k kind) bool { return k.name == name }) {
			t.Fatalf("chaos: there is no work %q", name)
		}
	}
	began := time.Now()
	*result = Result{
		Records: c.Records, Faults: c.Faults, Seed: c.Seed, Violations: map[history.Guarantee]int64{}, FaultsByKind: map[string]int{}, Work: map[string]int64{},
	}
	defer func() { result.Seconds = time.Since(began).Seconds() }()
	t.Logf("chaos: seed %d, %d records, %d faults", c.Seed, c.Records, c.Faults)
	rounds := max(1, (c.Records+c.Round-1)/c.Round)
	share := func(total, n int) int { return total*(n+1)/rounds - total*n/rounds }
	for n := range rounds {
		r := c
		r.Records, r.Faults, r.Kills = share(c.Records, n), share(c.Faults, n), share(c.Kills, n)
		r.round(t, target, n, result)
		if t.Failed() || t.Context().Err() != nil {
			return
		}
		t.Logf("chaos: round %d of %d after %s: %s", n+1, rounds, time.Since(began).Round(time.Second), result)
	}
}

// round is a run of its own.
func (c Chaos) round(t T, target *Target, n int, result *Result) {
	sc := newScene(t, target)
	if c.History != nil {
		w, err := c.History(n)
		if err != nil {
			t.Fatalf("chaos: open the history of round %d: %v", n, err)
		}
		defer w.Close()
		sc.log.Writer = w
	}
	x := &chaos{
		scene: sc, Chaos: c, number: n, rng: rand.New(rand.NewPCG(c.Seed, uint64(n))), counts: result.FaultsByKind, died: make(chan *member, 1024),
		work: result.Work,
	}
	x.report = result.add
	defer sc.close()
	x.run()
	sc.judge()
	sc.forget()
}
