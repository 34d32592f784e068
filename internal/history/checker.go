package history

import (
	"fmt"
	"hash/maphash"
	"math"
	"slices"
	"sync"
)

// Check judges a whole history. Events without a Seq are numbered by their place. It does not change them.
func Check(events []Event, opts Options) Report {
	c := NewChecker(opts)
	for i := range events {
		c.add(&events[i])
	}
	r := c.Report()
	for i := range r.Violations {
		v := &r.Violations[i]
		for _, seq := range v.Seqs {
			if j, ok := find(events, seq); ok {
				v.Events = append(v.Events, events[j])
				v.Events[len(v.Events)-1].Seq = seq
			}
		}
	}
	return r
}

func find(events []Event, seq int64) (int, bool) {
	if i := int(seq - 1); i >= 0 && i < len(events) && (events[i].Seq == seq || events[i].Seq == 0) {
		return i, true
	}
	return slices.BinarySearchFunc(events, seq, func(e Event, s int64) int { return int(max(-1, min(1, e.Seq-s))) })
}

// A Checker judges a history as it happens, in one pass, and keeps of a record only numbers: give it to [Log] as Sink. It is a Recorder, safe for
// concurrent use.
type Checker struct {
	opts Options
	seed maphash.Seed

	mu        sync.Mutex
	seq       uint32 // of the event that is being judged
	report    Report
	done      bool
	topics    map[string]*topic
	lastTopic *topic
	groups    map[string]*group
	lastGroup *group
	producers map[string]uint32

	unknown []sent   // sends whose outcome is not known
	refused []sent   // sends that promised that nothing was written
	strays  []stray  // records found where nothing was accepted
	copies  []copyOf // dead letters and inbox records that were found
	outputs []txOut  // records that handlers put into transactions
	txs     []*tx    // by txOut.tx
	deaths  []death  // dead letters: what is acknowledged, and where
}

// NewChecker makes a Checker. Give it the events in their order; ask for its Report once, at the end.
func NewChecker(opts Options) *Checker {
	if opts.Limit == 0 {
		opts.Limit = 100
	}
	c := &Checker{
		opts: opts, seed: maphash.MakeSeed(),
		topics: map[string]*topic{}, groups: map[string]*group{}, producers: map[string]uint32{},
		report: Report{Groups: map[string]Counts{}, Totals: map[Guarantee]int64{}},
	}
	for _, g := range opts.Groups {
		c.group(g.Name)
	}
	return c
}

// Record judges events. Those without a Seq are numbered as they come. What comes after Report is ignored.
func (c *Checker) Record(events ...Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range events {
		c.add(&events[i])
	}
}

// Report judges what only the whole history shows (losses, the order of first successes, duplicates, dead letters byte for byte, transactions) and
// returns the report. The history is over then: a second call returns the same.
func (c *Checker) Report() Report {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.done {
		c.done = true
		c.verdict()
	}
	return c.report
}

func (c *Checker) add(e *Event) {
	if c.done {
		return
	}
	c.report.Events++
	switch {
	case e.Seq == 0:
		c.seq++
	case e.Seq <= int64(c.seq):
		c.seq++
		c.malformed(e, "events are not in the order of their numbers")
	case e.Seq > math.MaxUint32:
		c.seq++
		c.malformed(e, "more events than a checker can number")
	default:
		c.seq = uint32(e.Seq)
	}
	if e.Offset < 0 || e.Via != nil && e.Via.Offset < 0 {
		switch e.Kind {
		case Accepted, AttemptStart, AttemptCancel, AttemptEnd, Ended, DeadLettered, Redrive, CommitStart, Commit, Seek, Output, Found:
			c.malformed(e, "the offset is negative")
			return
		}
	}
	switch e.Kind {
	case Accepted:
		c.accepted(e)
	case Unknown:
		c.unknownSend(e)
	case Refused:
		c.refusedSend(e)
	case Assigned:
		c.part(e).assigned(c, e)
	case Revoking:
		c.part(e).revoking(c, e)
	case Revoked, Lost:
		c.part(e).gone(c, e)
	case AttemptStart:
		c.part(e).attemptStart(c, e)
	case AttemptCancel:
		c.part(e).attemptCancel(c, e)
	case AttemptEnd:
		c.part(e).attemptEnd(c, e)
	case Ended:
		c.part(e).ended(c, e)
	case DeadLettered:
		c.part(e).deadLettered(c, e)
	case Redrive:
		c.part(e).redriven(c, e)
	case CommitStart:
		c.part(e).commitStart(c, e)
	case Commit:
		c.part(e).committed(c, e)
	case DrainStart:
		g := c.group(e.Group)
		g.drains[g.member(e.Member)] = drain{c.seq, e.At}
	case RunEnd:
		c.group(e.Group).runEnd(c, e)
	case Truncated:
		l := c.log(e.Topic, e.Partition)
		l.truncated = append(l.truncated, e.Ranges...)
	case Missed:
		p := c.part(e)
		p.missed = append(p.missed, e.Ranges...)
	case Seek:
		c.part(e).seek(e)
	case TxBegin, TxCommit, TxAbort:
		c.group(e.Group).tx(c, e)
	case Output:
		c.output(e)
	case Found:
		c.found(e)
	case Scanned:
		l := c.log(e.Topic, e.Partition)
		l.scanned = append(l.scanned, e.Ranges...)
		l.topic.scanned = true
	default:
		c.malformed(e, "the kind is not known")
	}
}

// violate reports a violation; seqs that are 0 are left out.
func (c *Checker) violate(g Guarantee, seqs []uint32, format string, args ...any) {
	c.report.Totals[g]++
	if c.report.Totals[g] > int64(c.opts.Limit) {
		return
	}
	v := Violation{Guarantee: g, Text: fmt.Sprintf(format, args...)}
	for _, s := range seqs {
		if s != 0 && !slices.Contains(v.Seqs, int64(s)) {
			v.Seqs = append(v.Seqs, int64(s))
		}
	}
	slices.Sort(v.Seqs)
	c.report.Violations = append(c.report.Violations, v)
}

func (c *Checker) malformed(e *Event, what string) {
	c.violate(Malformed, []uint32{c.seq}, "%s (%s)", what, e.Kind)
}

// topic, and the partitions of it, as producers and independent readers know them.
type topic struct {
	name    string
	salt    uint64 // an ID is an identity within its topic
	scanned bool
	parts   map[int32]*logPart
}

func (c *Checker) topic(name string) *topic {
	if t := c.lastTopic; t != nil && t.name == name {
		return t
	}
	t := c.topics[name]
	if t == nil {
		t = &topic{name: name, salt: maphash.String(c.seed, name), parts: map[int32]*logPart{}}
		c.topics[name] = t
	}
	c.lastTopic = t
	return t
}

func (c *Checker) log(name string, partition int32) *logPart {
	t := c.topic(name)
	l := t.parts[partition]
	if l == nil {
		l = &logPart{topic: t, partition: partition}
		t.parts[partition] = l
	}
	return l
}

func (c *Checker) group(name string) *group {
	if g := c.lastGroup; g != nil && g.name == name {
		return g
	}
	g := c.groups[name]
	if g == nil {
		g = &group{
			name: name, Group: Group{Name: name}, members: map[string]int32{}, parts: map[*logPart]*groupPart{},
			drains: map[int32]drain{}, txs: map[string]*tx{},
		}
		for _, o := range c.opts.Groups {
			if o.Name == name {
				g.Group = o
			}
		}
		c.groups[name] = g
	}
	c.lastGroup = g
	return g
}

func (c *Checker) part(e *Event) *groupPart {
	return c.group(e.Group).part(c.log(e.Topic, e.Partition))
}

func (c *Checker) producer(name string) uint32 {
	n, ok := c.producers[name]
	if !ok {
		n = uint32(len(c.producers) + 1)
		c.producers[name] = n
	}
	return n
}

// Hashes of keys and ids stand for them: 64 bits, so that among ten million ids two share one in less than one of 100,000 histories.
const (
	noHash   = 0 // not known
	nullHash = 1 // the null key
)

func (c *Checker) key(key []byte) uint64 {
	if key == nil {
		return nullHash
	}
	return max(nullHash+1, maphash.Bytes(c.seed, key))
}

func (t *topic) id(c *Checker, id string) uint64 {
	if id == "" {
		return noHash
	}
	return max(1, maphash.String(c.seed, id)^t.salt)
}
