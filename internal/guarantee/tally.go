package guarantee

import (
	"fmt"
	"maps"
	"math"
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
	accepted int
	logs     map[place][]bool // by topic and partition (offset 0): which offsets were accepted; as long as the last of them says
	groups   map[string]*groupTally
	lives    map[string]*history.Event // the end of each member's run
	draining map[string]bool           // members whose drain has started
}

// groupTally is what one group did.
type groupTally struct {
	missing   map[string]int          // by topic: accepted records that have not ended
	records   map[place][]recordTally // by topic and partition (offset 0), then by offset
	ended     int                     // records that have an outcome
	outcomes  [history.Folded + 1]int // records by their last outcome
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

// recordTally is what one group did with one record.
type recordTally struct {
	outcome  history.Outcome // the last
	ends     uint16          // how many it had
	attempts uint16          // how many were started
}

func newTally() *tally {
	return &tally{changed: make(chan struct{}), logs: map[place][]bool{}, groups: map[string]*groupTally{}, lives: map[string]*history.Event{}, draining: map[string]bool{}}
}

func (t *tally) group(name string) *groupTally {
	g := t.groups[name]
	if g == nil {
		g = &groupTally{
			missing: map[string]int{}, records: map[place][]recordTally{},
			committed: map[place]int64{}, ranges: map[place]int64{}, owners: map[place]string{}, fences: map[place][]int64{}, assigned: map[string]int{}, lost: map[string]int{},
		}
		for p, log := range t.logs {
			for _, accepted := range log {
				if accepted {
					g.missing[p.topic]++
				}
			}
		}
		t.groups[name] = g
	}
	return g
}

// Record takes events; the log calls it in order.
func (t *tally) Record(events ...history.Event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, e := range events {
		t.add(e)
	}
}

// add takes one. t.mu is held.
func (t *tally) add(e history.Event) {
	partition := place{e.Topic, e.Partition, 0}
	switch e.Kind {
	case history.Accepted:
		log := t.logs[partition]
		if n := int(e.Offset) + 1 - len(log); n > 0 {
			log = append(log, make([]bool, n)...)
			t.logs[partition] = log
		}
		if log[e.Offset] {
			break // the checker has something to say about it
		}
		log[e.Offset] = true
		t.accepted++
		for _, g := range t.groups {
			if r := g.record(partition, e.Offset); r.outcome == 0 || r.outcome == history.Handed {
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
		if r := g.record(partition, e.Offset); r.attempts < math.MaxUint16 {
			r.attempts++
		}
		g.running++
		g.most = max(g.most, g.running)
	case history.AttemptEnd:
		t.group(e.Group).running--
	case history.Ended:
		if e.Outcome == history.Folded {
			break // another copy stands for the record
		}
		g := t.group(e.Group)
		r := g.record(partition, e.Offset)
		if e.Outcome == history.Handed && r.outcome != 0 && g.owners[partition] != e.Member {
			break // of a former owner that does not know yet: what the present one did stands
		}
		if log := t.logs[partition]; e.Offset < int64(len(log)) && log[e.Offset] {
			if r.outcome == 0 || r.outcome == history.Handed {
				g.missing[e.Topic]--
			}
			if e.Outcome == history.Handed {
				g.missing[e.Topic]++
			}
		}
		if r.outcome == 0 {
			g.ended++
		} else {
			g.outcomes[r.outcome]--
		}
		g.outcomes[e.Outcome]++
		r.outcome = e.Outcome
		if r.ends < math.MaxUint16 {
			r.ends++
		}
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
	for at, log := range t.logs {
		if slices.Contains(topics, at.topic) && g.committed[at] < int64(len(log)) {
			return false
		}
	}
	return true
}

// record is what the group did with a record; t.mu is held.
func (g *groupTally) record(partition place, offset int64) *recordTally {
	records := g.records[partition]
	if n := int(offset) + 1 - len(records); n > 0 {
		records = append(records, make([]recordTally, n)...)
		g.records[partition] = records
	}
	return &records[offset]
}

// each goes through the records that the group was given. t.mu is held.
func (g *groupTally) each(f func(at place, r recordTally)) {
	for at, records := range g.records {
		for offset, r := range records {
			if r != (recordTally{}) {
				f(place{at.topic, at.partition, int64(offset)}, r)
			}
		}
	}
}

// count returns how many records have that outcome. t.mu is held.
func (g *groupTally) count(o history.Outcome) int { return g.outcomes[o] }

// String is for the failure of a wait.
func (t *tally) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var b strings.Builder
	fmt.Fprintf(&b, "%d accepted", t.accepted)
	for _, name := range slices.Sorted(maps.Keys(t.groups)) {
		g := t.groups[name]
		fmt.Fprintf(&b, "; group %s: %d ended (%d handled, %d dead, %d skipped), %d running, owners %v, committed %v", name, g.ended,
			g.count(history.Handled), g.count(history.Dead), g.count(history.Skipped), g.running, g.owners, g.committed)
	}
	return b.String()
}
