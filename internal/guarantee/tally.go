package guarantee

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/sordini-go/sordini/internal/history"
)

// place names a source record.
type place struct {
	topic     string
	partition int32
	offset    int64
}

// tally is what has happened so far, for scenarios that wait for something: a summary of the history, kept as it is recorded.
type tally struct {
	mu       sync.Mutex
	changed  chan struct{} // closed at the next event when somebody waits
	waiting  bool
	accepted map[place]string // record to ID
	ends     map[place]int64  // by topic and partition (offset 0): one past the last accepted record
	groups   map[string]*groupTally
	lives    map[string]*history.Event // the end of each member's run
	draining map[string]bool           // members whose drain has started
}

// groupTally is what one group did.
type groupTally struct {
	missing   map[string]int            // by topic: accepted records that have not ended
	ended     map[place]history.Outcome // the last outcome of each record
	ends      map[place]int             // how many outcomes it had
	attempts  map[place]int             // how many attempts were started
	cancelled map[place]history.Cause
	running   int
	most      int               // the most that ran at the same time
	committed map[place]int64   // by topic and partition (offset 0): acknowledged
	ranges    map[place]int64   // the same: offsets in the acknowledged completion map
	owners    map[place]string  // by topic and partition
	fences    map[place][]int64 // by topic and partition: of each ownership
	revoking  int               // revocations that were started
	lost      map[string]int    // partitions that each member lost
	missed    int64             // records that were gone before they were handled
	assigned  map[string]int    // ownerships by member, as of now
}

func newTally() *tally {
	return &tally{changed: make(chan struct{}), accepted: map[place]string{}, ends: map[place]int64{}, groups: map[string]*groupTally{}, lives: map[string]*history.Event{}, draining: map[string]bool{}}
}

func (t *tally) group(name string) *groupTally {
	g := t.groups[name]
	if g == nil {
		g = &groupTally{
			missing: map[string]int{},
			ended:   map[place]history.Outcome{}, ends: map[place]int{}, attempts: map[place]int{}, cancelled: map[place]history.Cause{},
			committed: map[place]int64{}, ranges: map[place]int64{}, owners: map[place]string{}, fences: map[place][]int64{}, assigned: map[string]int{}, lost: map[string]int{},
		}
		for p := range t.accepted {
			g.missing[p.topic]++
		}
		t.groups[name] = g
	}
	return g
}

// Record takes an event; the log calls it in order.
func (t *tally) Record(e history.Event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	record := place{e.Topic, e.Partition, e.Offset}
	partition := place{e.Topic, e.Partition, 0}
	switch e.Kind {
	case history.Accepted:
		t.accepted[record] = e.ID
		t.ends[partition] = max(t.ends[partition], e.Offset+1)
		for _, g := range t.groups {
			if o, ok := g.ended[record]; !ok || o == history.Handed {
				g.missing[e.Topic]++
			}
		}
	case history.Assigned:
		g := t.group(e.Group)
		g.owners[partition] = e.Member
		g.fences[partition] = append(g.fences[partition], e.Fence)
		g.assigned[e.Member]++
	case history.Revoking:
		t.group(e.Group).revoking++
	case history.Revoked, history.Lost:
		g := t.group(e.Group)
		if e.Kind == history.Lost {
			g.lost[e.Member]++
		}
		if g.owners[partition] == e.Member {
			delete(g.owners, partition)
		}
		g.assigned[e.Member]--
	case history.AttemptStart:
		g := t.group(e.Group)
		g.attempts[record]++
		g.running++
		g.most = max(g.most, g.running)
	case history.AttemptCancel:
		t.group(e.Group).cancelled[record] = e.Cause
	case history.AttemptEnd:
		t.group(e.Group).running--
	case history.Ended:
		g := t.group(e.Group)
		if _, ok := t.accepted[record]; ok {
			was, ended := g.ended[record]
			if !ended || was == history.Handed {
				g.missing[e.Topic]--
			}
			if e.Outcome == history.Handed {
				g.missing[e.Topic]++
			}
		}
		g.ended[record] = e.Outcome
		g.ends[record]++
	case history.Commit:
		g := t.group(e.Group)
		g.committed[partition] = e.Offset
		g.ranges[partition] = 0
		for _, r := range e.Ranges {
			g.ranges[partition] += r.To - r.From
		}
	case history.Missed:
		for _, r := range e.Ranges {
			t.group(e.Group).missed += r.To - r.From
		}
	case history.DrainStart:
		t.draining[e.Member] = true
	case history.RunEnd:
		t.lives[e.Member] = &e
		g := t.group(e.Group)
		for p, owner := range g.owners {
			if owner == e.Member {
				delete(g.owners, p)
			}
		}
		delete(g.assigned, e.Member)
	}
	if t.waiting {
		t.waiting = false
		close(t.changed)
		t.changed = make(chan struct{})
	}
}

// next returns a channel that is closed at the next event, if cond does not hold yet.
func (t *tally) next(cond func() bool) (<-chan struct{}, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if cond() {
		return nil, true
	}
	t.waiting = true
	return t.changed, false
}

// allEnded says that every record that was accepted on the topics has ended for the group, other than by being handed to the inbox. t.mu is held.
func (t *tally) allEnded(group string, topics ...string) bool {
	g := t.group(group)
	for _, name := range topics {
		if g.missing[name] > 0 {
			return false
		}
	}
	return true
}

// allCommitted says that the group has committed all that was accepted on the topics. t.mu is held.
func (t *tally) allCommitted(group string, topics ...string) bool {
	g := t.group(group)
	for at, end := range t.ends {
		if slices.Contains(topics, at.topic) && g.committed[at] < end {
			return false
		}
	}
	return true
}

// count returns how many records have that outcome. t.mu is held.
func (g *groupTally) count(o history.Outcome) (n int) {
	for _, got := range g.ended {
		if got == o {
			n++
		}
	}
	return n
}

// String is for the failure of a wait.
func (t *tally) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var b strings.Builder
	fmt.Fprintf(&b, "%d accepted", len(t.accepted))
	for _, name := range slices.Sorted(maps.Keys(t.groups)) {
		g := t.groups[name]
		fmt.Fprintf(&b, "; group %s: %d ended (%d handled, %d dead, %d skipped), %d running, owners %v, committed %v", name, len(g.ended),
			g.count(history.Handled), g.count(history.Dead), g.count(history.Skipped), g.running, g.owners, g.committed)
	}
	return b.String()
}
