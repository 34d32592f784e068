package consumer

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"
)

// SetConcurrency changes how many handlers may run at the same time on this member; see Concurrency. More start at once; where there are too many, each
// finishes what it runs first, so no attempt is cut short for it, and SetConcurrency does not wait for that. It may be called before, while and after the group
// runs. It returns an error that wraps ErrConfig for a number outside of 1 to 10,000, or above what MaxInFlight lets in.
func (g *Group) SetConcurrency(n int) error {
	if n < 1 || n > maxConcurrency {
		return refuse("group %q: SetConcurrency(%d): give 1 to %d", g.name, n, maxConcurrency)
	}
	if n > g.cfg.maxRecords {
		return refuse("group %q: SetConcurrency(%d) is above MaxInFlight(%d records); handlers would wait for records that may not be fetched", g.name, n, g.cfg.maxRecords)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.cfg.concurrency = n
	if g.engine != nil {
		g.engine.pool.resize(n)
		g.engine.budget.ways.Store(int64(n))
	}
	return nil
}

// Pause stops handling within a scope until Resume is called with the same one. It does not wait: attempts that run go on to their end, and no other starts.
// Pauses are independent of each other: what lies in two of them is handled again when both were resumed. They are this member's, hold for partitions that it
// is assigned later, and are forgotten with the Group: where every member has to pause, tell every member.
//
// A paused partition is not fetched either. What was fetched before waits in flight, within the bound of MaxInFlight that it shares with the rest of the group;
// so do the records of a paused key, and those that keep coming: pause a key for minutes rather than for days. Commits stop at the first record that waits.
// Health reports each pause, and unless HealthyWhilePaused was chosen the group is not well while there is one.
//
// Pause returns an error that wraps ErrConfig for a topic that the group has no handler for (register it first), and for a key of a topic that is handled in
// the order of its partitions, where a key that waits holds up the others: pause the partition.
func (g *Group) Pause(s Scope) error {
	if err := g.checkScope("pause", s); err != nil {
		return err
	}
	g.pauses.add(s)
	g.follow(s)
	return nil
}

// Resume takes back the Pause of the same scope. Resuming what is not paused changes nothing. Its errors are those of Pause.
func (g *Group) Resume(s Scope) error {
	if err := g.checkScope("resume", s); err != nil {
		return err
	}
	g.pauses.remove(s)
	g.follow(s)
	return nil
}

// Paused returns the pauses that hold, oldest first.
func (g *Group) Paused() []Scope {
	var scopes []Scope
	for _, p := range g.pauses.all() {
		scopes = append(scopes, p.scope)
	}
	return scopes
}

// HealthyWhilePaused makes a pause a notice in Health rather than a reason for the group to be unwell: for groups that are paused as a matter of course, and
// whose pauses somebody else watches.
func HealthyWhilePaused() Option { return groupOption(func(c *config) { c.healthyPaused = true }) }

// RedactKeys sets how keys are shown in Health, Status and logs, for keys that are personal data: a function that shortens or hashes them, for instance. It
// must be safe for concurrent use. By default they are quoted.
func RedactKeys(show func(key []byte) string) Option {
	return groupOption(func(c *config) {
		if show == nil {
			c.errs = append(c.errs, refuse("RedactKeys(nil): leave the option out to show keys, or return \"\" from it to show none"))
		}
		c.showKey = show
	})
}

// showKey is how a key appears in what the group says.
func (g *Group) showKey(key []byte) string {
	if g.cfg.showKey != nil {
		return g.cfg.showKey(key)
	}
	return strconv.Quote(string(key))
}

func (g *Group) checkScope(what string, s Scope) error {
	if s.kind == scopeGroup {
		return nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, h := range g.handlers {
		if h.spec.Name != s.topic {
			continue
		}
		if s.kind == scopeKey && h.cfg.ordering == ByPartition {
			return refuse("group %q: %s a key of topic %q: it is handled in the order of its partitions, and a key that waits would hold up the others; use InPartition", g.name, what, s.topic)
		}
		return nil
	}
	return refuse("group %q: %s topic %q: no handler is registered for it", g.name, what, s.topic)
}

// follow makes the partitions of a scope heed the pauses.
func (g *Group) follow(s Scope) {
	g.mu.Lock()
	e := g.engine
	g.mu.Unlock()
	if e == nil {
		return
	}
	for _, p := range e.partitions() {
		if s.kind == scopeGroup || s.topic == p.topic.name {
			e.follow(p)
		}
	}
}

// follow makes a partition heed the group's pauses.
func (e *engine) follow(p *partition) {
	p.mu.Lock()
	whole, keys := e.g.pauses.of(p.topic.name, p.id)
	p.hold = p.hold &^ holdPause
	if whole {
		p.hold |= holdPause
	}
	p.pausedKeys = keys
	p.unset()
	p.dispatch()
	p.mu.Unlock()
	e.steer(tp{p.topic.name, p.id})
}

// steer lets the client fetch a partition or not, as the group's pauses and what the partition holds say. It is called without locks.
func (e *engine) steer(at tp) {
	e.steering.Lock()
	defer e.steering.Unlock()
	e.mu.Lock()
	p := e.parts[at]
	e.mu.Unlock()
	stop := false
	if p != nil {
		p.mu.Lock()
		stop = !p.closed && (p.paused || p.hold&holdPause != 0)
		p.mu.Unlock()
	}
	one := map[string][]int32{at.topic: {at.partition}}
	if stop {
		e.cl.PauseFetchPartitions(one)
	} else {
		e.cl.ResumeFetchPartitions(one)
	}
}

// hold is why nothing of a partition is dispatched although it is owned.
type hold uint8

const (
	holdCompanions hold = 1 << iota // its companions have no partition for it yet
	holdPause                       // somebody paused it
	holdSeek                        // its position is being moved
	holdInbox                       // what waits in its inbox is not known yet
	holdStart                       // that it starts is not committed yet
	holdFence                       // its fence is not committed yet
)

// setAside keeps a lane whose key is paused until the pauses change. p.mu is held.
func (p *partition) setAside(l *lane) bool {
	if len(p.pausedKeys) == 0 {
		return false
	}
	r := l.head.rec
	if _, paused := p.pausedKeys[string(r.Key)]; !paused || r.Key == nil {
		return false
	}
	l.state = laneAside
	l.head.rec = detach(r)
	p.aside.push(l)
	return true
}

// unset makes the lanes of paused keys ready: those that still are will be set aside again. p.mu is held.
func (p *partition) unset() {
	lanes := p.aside
	p.aside = laneQueue{}
	for l := lanes.pop(); l != nil; l = lanes.pop() {
		p.makeReady(l)
	}
}

// heldByPause says whether the pauses explain that the partition's mark does not move. p.mu is held.
func (p *partition) heldByPause() bool {
	if p.hold&holdPause != 0 {
		return true
	}
	oldest, ok := p.win.Oldest()
	for l := p.aside.head; ok && l != nil; l = l.next {
		if l.head.rec.Offset == oldest {
			return true
		}
	}
	return false
}

// pauses are what Pause was called for and Resume was not. The zero value is ready to use.
type pauses struct {
	mu    sync.Mutex
	since map[Scope]time.Time
}

// pause is one of them.
type pause struct {
	scope Scope
	since time.Time
}

func (p *pauses) add(s Scope) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.since == nil {
		p.since = map[Scope]time.Time{}
	}
	if _, ok := p.since[s]; !ok {
		p.since[s] = time.Now()
	}
}

func (p *pauses) remove(s Scope) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.since, s)
}

// all returns the pauses, oldest first.
func (p *pauses) all() []pause {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := make([]pause, 0, len(p.since))
	for s, t := range p.since {
		all = append(all, pause{s, t})
	}
	slices.SortFunc(all, func(a, b pause) int {
		return cmp.Or(a.since.Compare(b.since), cmp.Compare(a.scope.kind, b.scope.kind), cmp.Compare(a.scope.topic, b.scope.topic),
			cmp.Compare(a.scope.partition, b.scope.partition), cmp.Compare(a.scope.key, b.scope.key))
	})
	return all
}

// of says whether a partition is paused as a whole, and which of its topic's keys are. It may be called with the partition's mutex held.
func (p *pauses) of(topic string, partition int32) (whole bool, keys map[string]struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for s := range p.since {
		switch {
		case s.kind == scopeKey && s.topic == topic:
			if keys == nil {
				keys = map[string]struct{}{}
			}
			keys[s.key] = struct{}{}
		case s.kind == scopeGroup, s.kind == scopeTopic && s.topic == topic, s.kind == scopePartition && s.topic == topic && s.partition == partition:
			whole = true
		}
	}
	return whole, keys
}

// pauseReasons reports the pauses.
func (g *Group) pauseReasons() (rs []Reason) {
	for _, p := range g.pauses.all() {
		r := Reason{
			Code: "paused", Topic: p.scope.topic, Partition: p.scope.partition, Since: p.since, Notice: g.cfg.healthyPaused,
			Summary: fmt.Sprintf("%s is paused; Resume lets it go on", p.scope.describe(g.showKey)),
		}
		rs = append(rs, r)
	}
	return rs
}
