package consumer

import (
	"cmp"
	"slices"
	"time"
)

// Status is what a member does at one moment: everything a person asks who finds it slow. It marshals to JSON; the names are stable.
type Status struct {
	Group    string `json:"group"`
	Member   string `json:"member,omitempty"` // the broker's id for it, "" before it joined
	Joined   bool   `json:"joined"`           // it is a member of its group and has its assignment, which may be empty
	Health   Health `json:"health"`
	Counts   Counts `json:"counts"`
	InFlight int    `json:"in_flight"`       // records that were fetched and are not over
	Bytes    int64  `json:"in_flight_bytes"` // of their keys, values and headers

	Concurrency int `json:"concurrency"`
	Running     int `json:"running"` // handlers

	Paused     []string          `json:"paused,omitempty"` // what Pause was called for
	Partitions []PartitionStatus `json:"partitions,omitempty"`
	Stuck      []StuckKey        `json:"stuck,omitempty"` // at most 20, those that wait longest first
	StuckAll   int               `json:"stuck_all"`       // how many there are
}

// PartitionStatus is one partition that the member owns.
type PartitionStatus struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Fence     int64  `json:"fence"`
	Mark      int64  `json:"mark"`      // the first offset that is not over
	Committed int64  `json:"committed"` // what the brokers acknowledged last, -1 for nothing
	End       int64  `json:"end"`       // the last stable offset that is known
	Lag       int64  `json:"lag"`       // from Mark to End
	InFlight  int    `json:"in_flight"`
	Running   int    `json:"running"`
	Paused    bool   `json:"paused"`  // as a whole, by Pause
	Fetched   bool   `json:"fetched"` // the client may fetch it: it is neither paused nor full

	OldestSince time.Time `json:"oldest_since,omitzero"` // since when the mark stands still while something is in flight
}

// StuckKey is a key (or a record without one) whose first record in flight has failed, run or waited to be dead-lettered for a minute or longer.
type StuckKey struct {
	Topic     string    `json:"topic"`
	Partition int32     `json:"partition"`
	Offset    int64     `json:"offset"`
	Key       string    `json:"key"` // as RedactKeys shows it, "" for a null key
	Since     time.Time `json:"since"`
	Attempts  int       `json:"attempts"` // that failed
	Behind    int       `json:"behind"`   // how many records of the key wait behind it
	State     string    `json:"state"`    // running, ready, waiting (for its next attempt), paused, gated (a rate limit, or a circuit that is open), dead-letter, stopping
	Cause     string    `json:"cause,omitempty"`
}

const (
	stuckAfter = time.Minute
	stuckShown = 20
	causeShown = 500 // bytes
)

// Status returns what the member does. It takes a moment for each record in flight and does not ask a broker.
func (g *Group) Status() Status {
	s := Status{Group: g.name, Health: g.Health(), Counts: g.Counts()}
	for _, p := range g.pauses.all() {
		s.Paused = append(s.Paused, p.scope.describe(g.showKey))
	}
	g.mu.Lock()
	e, state := g.engine, g.state
	s.Concurrency = g.cfg.concurrency
	g.mu.Unlock()
	if e == nil || state == stateStopped {
		return s
	}
	if e.hasJoined() {
		m := e.membership()
		s.Member, s.Joined = m.id, m.generation >= 0 && m.id != ""
	}
	s.InFlight, s.Bytes = int(e.budget.records.Load()), e.budget.bytes.Load()
	now := time.Now()
	for _, p := range e.partitions() {
		ps, stuck := p.status(now)
		s.Running += ps.Running
		s.Partitions = append(s.Partitions, ps)
		s.Stuck = append(s.Stuck, stuck...)
	}
	slices.SortFunc(s.Partitions, func(a, b PartitionStatus) int {
		return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
	})
	slices.SortFunc(s.Stuck, func(a, b StuckKey) int {
		return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition), cmp.Compare(a.Offset, b.Offset))
	})
	s.StuckAll = len(s.Stuck)
	s.Stuck = s.Stuck[:min(stuckShown, len(s.Stuck))]
	return s
}

// hasJoined says whether there is a client to ask.
func (e *engine) hasJoined() bool {
	select {
	case <-e.joined:
		return e.cl != nil
	default:
		return false
	}
}

func (p *partition) status(now time.Time) (s PartitionStatus, stuck []StuckKey) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s = PartitionStatus{
		Topic: p.topic.name, Partition: p.id, Fence: p.fence, Mark: p.mark.Load(), Committed: p.commits.offset, End: p.end.Load(), Lag: p.lag(),
		InFlight: p.records, Running: len(p.running), Paused: p.hold&holdPause != 0, Fetched: !p.paused && p.hold&holdPause == 0,
	}
	if _, ok := p.win.Oldest(); ok {
		s.OldestSince = p.markMoved
	}
	seen := map[*lane]bool{}
	look := func(l *lane) {
		if seen[l] {
			return
		}
		if since := l.stands(); !since.IsZero() && now.Sub(since) >= stuckAfter {
			seen[l] = true
			stuck = append(stuck, p.stuckKey(l, since))
		}
	}
	p.eachLane(look)
	for _, a := range p.running {
		for x := range a.each() {
			look(x.l)
		}
	}
	return s, stuck
}

// stands is since when the head of a lane has failed, run or been on its way to be dead-lettered, zero where it does neither. The partition's mutex is held.
func (l *lane) stands() (since time.Time) {
	for _, t := range []time.Time{l.firstFailed, l.since} {
		if !t.IsZero() && (since.IsZero() || t.Before(since)) {
			since = t
		}
	}
	if l.run != nil && (since.IsZero() || l.run.started.Before(since)) {
		since = l.run.started
	}
	if l.head == nil {
		return time.Time{}
	}
	return since
}

func (p *partition) stuckKey(l *lane, since time.Time) StuckKey {
	r := l.head.rec
	k := StuckKey{
		Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, Since: since, Attempts: l.attempts, Behind: max(0, l.n-1), State: l.state.String(),
	}
	if r.Key != nil {
		k.Key = p.e.g.showKey(r.Key)
	}
	cause := l.cause
	if l.letter != nil && l.letter.err != nil {
		cause = l.letter.err
	}
	if cause != nil {
		k.Cause = p.e.g.showCause(cause)
	}
	return k
}

func (s laneState) String() string {
	switch s {
	case laneReady, laneGathering:
		return "ready"
	case laneRunning:
		return "running"
	case laneParked:
		return "dead-letter"
	case laneHeld:
		return "stopping"
	case laneAside:
		return "paused"
	case laneGated:
		return "gated"
	}
	return "waiting"
}

// showCause is how an error of a record appears in Status: cleaned as in its dead letter, and cut.
func (g *Group) showCause(err error) (s string) {
	defer func() {
		if recover() != nil {
			s = "withheld: dlt.Format.Redact panicked"
		}
	}()
	s = err.Error()
	if g.cfg.format.Redact != nil {
		s = g.cfg.format.Redact(s)
	}
	if len(s) > causeShown {
		s = s[:causeShown] + " …"
	}
	return s
}
