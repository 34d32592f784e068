package consumer

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// Health is what a group knows about itself (guarantee G13).
type Health struct {
	OK      bool     `json:"ok"` // no reason says otherwise, and the group runs
	State   string   `json:"state"`
	Reasons []Reason `json:"reasons,omitempty"` // what is wrong, and notices, by code and place
}

// Reason is one thing that keeps a group from being well, or, with Notice, that somebody should know.
type Reason struct {
	Code      string    `json:"code"`            // stable; see the constants of this package's documentation
	Summary   string    `json:"summary"`         // what is so, with numbers, and what to do about it where that is known
	Topic     string    `json:"topic,omitempty"` // "" where it concerns no topic
	Partition int32     `json:"partition"`
	Offset    int64     `json:"offset"`
	Since     time.Time `json:"since"`
	Notice    bool      `json:"notice"` // worth knowing; the group is well all the same

	last   time.Time
	member membership // of group-session: who the member was
}

// report keeps a reason under a name until resolve takes it back.
func (e *engine) report(name string, r Reason) {
	e.mu.Lock()
	defer e.mu.Unlock()
	r.last = time.Now()
	r.Since = r.last
	if old, ok := e.trouble[name]; ok {
		r.Since = old.Since
	}
	e.trouble[name] = r
}

// resolve takes a reason back.
func (e *engine) resolve(name string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.trouble, name)
}

// troubled says whether there is a reason of a name.
func (e *engine) troubled(name string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	_, ok := e.trouble[name]
	return ok
}

// Health says whether the group is well and, if not, why. It takes a moment for each assigned partition and does not ask a broker; liveness and readiness
// probes may call it.
func (g *Group) Health() Health {
	g.mu.Lock()
	e, state := g.engine, g.state
	g.mu.Unlock()
	h := Health{State: state.String()}
	if e != nil && state != stateStopped {
		h.Reasons = e.reasons(time.Now())
	}
	if state != stateStopped {
		h.Reasons = append(h.Reasons, g.pauseReasons()...)
	}
	slices.SortFunc(h.Reasons, func(a, b Reason) int {
		return cmp.Or(cmp.Compare(a.Code, b.Code), cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition), cmp.Compare(a.Offset, b.Offset))
	})
	h.OK = state == stateRunning || state == stateDraining
	for _, r := range h.Reasons {
		h.OK = h.OK && r.Notice
	}
	return h
}

// How long something may last before it is a reason.
const (
	slowLetter   = 5 * time.Second
	slowCommit   = 10 * time.Second
	slowPause    = time.Minute
	lastingFetch = time.Minute     // since a fetch failed last
	lastingLoss  = 5 * time.Minute // since the member was told last that it is not in its group; longer than an attempt to join
	stuckOffset  = 10 * time.Minute
	shareOfBound = 4 // a key or partition that holds more than this part of MaxInFlight is named
)

// rejoined says whether the member is in its group, and another one than it was. Members of the consumer protocol that never lost their place stay the same:
// what was said of those passes.
func (e *engine) rejoined(was membership) bool {
	now := e.membership()
	return now != was && now.generation > 0
}

func (e *engine) reasons(now time.Time) []Reason {
	e.mu.Lock()
	var rs []Reason
	for name, r := range e.trouble {
		if r.Code == "fetch-failed" && now.Sub(r.last) > lastingFetch { // it has not come back, though nothing was there to fetch either
			delete(e.trouble, name)
			continue
		}
		if r.Code == "group-session" && (e.rejoined(r.member) || now.Sub(r.last) > lastingLoss) {
			delete(e.trouble, name)
			continue
		}
		rs = append(rs, r)
	}
	e.mu.Unlock()
	for _, p := range e.partitions() {
		rs = append(rs, p.reasons(now)...)
	}
	for _, a := range e.late.all() {
		rs = append(rs, Reason{
			Code: "handler-outlived", Topic: a.src.Topic, Partition: a.src.Partition, Offset: a.src.Offset, Since: a.started,
			Summary: fmt.Sprintf("the handler of offset %d goes on although its partition was taken away; another member may handle the record at the same time", a.src.Offset),
		})
	}
	for _, t := range e.topics {
		for _, h := range handlersOf(t) {
			if h.circuit != nil {
				if since, until, waiting, cause := h.circuit.state(); !since.IsZero() {
					rs = append(rs, Reason{
						Code: "circuit-open", Topic: t.name, Since: since,
						Summary: fmt.Sprintf("the circuit of the handler of %q is open: %d of its records wait, the next one is tried at %s; the last failure was: %v", t.name, waiting, until.Format(time.RFC3339), e.g.showCause(cause)),
					})
				}
			}
			if s := h.breaker.State(); s.Open {
				rs = append(rs, Reason{
					Code: "flood-breaker-open", Topic: t.name, Since: s.Since,
					Summary: fmt.Sprintf("the handler of %q fails for every record with the same cause (fingerprint %s): its dependency is taken to be down; %d records wait, nothing is dead-lettered",
						t.name, s.Fingerprint, s.Waiting),
				})
			}
		}
	}
	return rs
}

// reasons says what is wrong with one partition.
func (p *partition) reasons(now time.Time) (rs []Reason) {
	p.mu.Lock()
	defer p.mu.Unlock()
	add := func(code string, offset int64, since time.Time, format string, args ...any) {
		rs = append(rs, Reason{Code: code, Topic: p.topic.name, Partition: p.id, Offset: offset, Since: since, Summary: fmt.Sprintf(format, args...)})
	}
	for _, a := range p.running {
		if a.overdue {
			add("handler-stuck", a.src.Offset, a.deadline, "the handler of offset %d goes on although its context was cancelled after %v; it holds its key", a.src.Offset, a.h.cfg.timeout)
		}
	}
	if c := p.commits; !c.failing.IsZero() && now.Sub(c.failing) > slowCommit {
		what := fmt.Sprintf("nothing was committed since offset %d", c.offset)
		if p.hold&holdFence != 0 {
			what = "nothing is handled before the fence of this ownership is committed, and it is not"
		}
		add("commit-failing", c.offset, c.failing, "%s: %v", what, c.err)
	}
	if p.hold&holdCompanions != 0 {
		add("companions-behind", p.mark.Load(), p.markMoved, "the partition is new and %s or %s has no partition %d yet; it is not handled before", p.topic.deadName, p.topic.inbox, p.id)
	}
	for _, x := range p.logs {
		if x.unreadable >= 0 {
			rs = append(rs, Reason{
				Code: "inbox-unreadable", Topic: x.topic, Partition: x.partition, Offset: x.unreadable,
				Summary: fmt.Sprintf("offset %d of the inbox can not be read, and waits for a release that can: %v", x.unreadable, x.why),
			})
		}
	}
	paused := p.heldByPause()
	if p.paused && !paused && now.Sub(p.lastEnd) > slowPause && now.Sub(p.pausedAt) > slowPause {
		add("partition-paused", p.mark.Load(), p.pausedAt, "fetching is paused: %d records are in flight and the oldest of them holds them up", p.records)
	}
	if offset, ok := p.win.Oldest(); ok && !paused && now.Sub(p.markMoved) > stuckOffset {
		add("offset-stuck", offset, p.markMoved, "offset %d has not ended for %v; nothing is committed past it", offset, now.Sub(p.markMoved).Round(time.Second))
	}
	most, away := (*lane)(nil), (*lane)(nil)
	p.eachLane(func(l *lane) {
		switch {
		case l.away > 0 && l.head != nil && (away == nil || l.head.rec.Offset < away.head.rec.Offset):
			away = l
		case l.letter != nil && l.letter.hand != nil && (l.letter.refused > 0 || now.Sub(l.since) > slowLetter):
			add("inbox-unwritable", l.head.rec.Offset, l.since, "offset %d has to go to the inbox %s, which does not take it (%v); its key waits, and nothing is committed past it", l.head.rec.Offset, l.letter.hand.log.topic, l.letter.err)
		case l.letter != nil && l.letter.refused > 0:
			add("dead-letter-refused", l.head.rec.Offset, l.since, "the dead letter of offset %d is refused: %v; nothing is committed past it", l.head.rec.Offset, l.letter.err)
		case l.letter != nil && now.Sub(l.since) > slowLetter:
			add("dead-letter-slow", l.head.rec.Offset, l.since, "the dead letter of offset %d has not been acknowledged; nothing is committed past it", l.head.rec.Offset)
		case l.stuck:
			add("dead-letters-off", l.head.rec.Offset, l.firstFailed, "offset %d can not be handled and dead letters are off; nothing is committed past it: %s", l.head.rec.Offset, p.e.g.showCause(l.cause))
		}
		if most == nil || l.n > most.n {
			most = l
		}
	})
	if away != nil {
		add("registry-away", away.head.rec.Offset, p.markMoved, "offset %d waits for the schema registry and is tried again: %s", away.head.rec.Offset, p.e.g.showCause(away.cause))
	}
	if most != nil && int64(most.n) > p.e.budget.maxRecords/shareOfBound {
		rs = append(rs, Reason{
			Code: "key-slow", Topic: p.topic.name, Partition: p.id, Offset: most.head.rec.Offset, Notice: true,
			Summary: fmt.Sprintf("%s holds %d of the %d records that may be in flight, and slows the others down", most.describe(), most.n, p.e.budget.maxRecords),
		})
	}
	return rs
}

// eachLane calls f for every lane that waits: lanes of keys, and those without a key that are not merely queued. p.mu is held.
func (p *partition) eachLane(f func(*lane)) {
	p.table.each(f)
	if p.only != nil {
		f(p.only)
	}
	for l := p.failing; l != nil; l = l.after {
		if !l.keyed && l != p.only {
			f(l)
		}
	}
}

func (l *lane) describe() string {
	if l.p.topic.ordering == ByPartition {
		return "the partition's order"
	}
	return "key " + l.p.e.g.showKey(l.head.rec.Key)
}

func handlersOf(t *topicPlan) []*handler {
	var hs []*handler
	if t.all != nil {
		hs = append(hs, t.all)
	}
	for _, h := range t.byType {
		hs = append(hs, h)
	}
	return hs
}

// InFlight is how many records have been fetched and are not over yet, on this member.
func (g *Group) InFlight() int {
	g.mu.Lock()
	e := g.engine
	g.mu.Unlock()
	if e == nil {
		return 0
	}
	return int(e.budget.records.Load())
}
