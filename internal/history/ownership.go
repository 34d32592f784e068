package history

import "time"

// group is what is known of a consumer group.
type group struct {
	Group
	name    string
	members map[string]int32
	names   []string // by number of the member
	parts   map[*logPart]*groupPart
	drains  map[int32]drain // by member
	txs     map[string]*tx
	counts  Counts
}

type drain struct {
	seq uint32
	at  time.Time
}

func (g *group) member(name string) int32 {
	n, ok := g.members[name]
	if !ok {
		n = int32(len(g.names))
		g.members[name] = n
		g.names = append(g.names, name)
	}
	return n
}

func (g *group) part(l *logPart) *groupPart {
	p := g.parts[l]
	if p == nil {
		p = &groupPart{g: g, log: l, current: -1, running: map[runKey]*attempt{}}
		g.parts[l] = p
	}
	return p
}

// groupPart is one partition as one group handles it.
type groupPart struct {
	g       *group
	log     *logPart
	records pages[groupPage]

	owners  []owner
	current int // index of the latest ownership, -1 before the first

	running map[runKey]*attempt
	lanes   lanes
	zombies map[uint64]int     // attempts of earlier ownerships that still run, by lane
	waiting map[uint64][]int64 // records handed to the inbox that have not ended, by lane: they hold their key's order

	source   *groupPart // of an inbox: the partition whose owner commits it
	starts   []commitStart
	position int64  // the committed offset
	covered  ranges // and what is completed beyond it
	reached  int64  // the highest committed offset ever
	suspects []suspect
	pending  map[int64]*tx // records whose outcome holds if this transaction commits

	missed  []Range
	excused int64 // records below are not owed: the group started behind them, or was sent behind them
}

// owner is one ownership of a partition. The states are: owned → revoking → over by revocation; owned or revoking → over by loss or the end of the
// run; owned or revoking → superseded (another member was assigned, so the broker declared this one dead) → over when the member learns of it.
type owner struct {
	member int32 // -1: the history names no owners
	fence  int64
	state  ownerState
	over   bool // its member's run ended
	clean  bool // and Run returned nil
	since  uint32
	began  uint32 // when it called a handler first, 0 before: from there on its fence matters
	until  uint32 // when it was over or superseded
}

type ownerState uint8

const (
	owned ownerState = iota
	revoking
	superseded
	revoked
	lost
	stopped
)

// active says that what the owner does counts.
func (s ownerState) active() bool { return s <= revoking }

func (s ownerState) String() string {
	return [...]string{"owns", "is revoking", "was superseded in", "was revoked", "lost", "stopped with"}[s]
}

const anyone = -1

// find is the member's ownership with that fence (0 is its latest), or -1. In a history that names no owners everybody owns everything.
func (p *groupPart) find(c *Checker, member int32, fence int64) int {
	if len(p.owners) == 0 {
		p.owners = append(p.owners, owner{member: anyone, since: c.seq})
		p.current = 0
	}
	for i := len(p.owners) - 1; i >= 0; i-- {
		o := &p.owners[i]
		if o.member == member && (fence == 0 || o.fence == fence) {
			return i
		}
	}
	if p.owners[0].member == anyone && len(p.owners) == 1 {
		return 0
	}
	return -1
}

// begin notes that an ownership calls its first handler. Its fence must be above those of the ownerships before it that did so, and below those after it: a
// member that was declared dead and does not know it may be the later one to begin (G3).
func (p *groupPart) begin(c *Checker, own int) {
	o := &p.owners[own]
	if o.began != 0 || o.member == anyone {
		return
	}
	o.began = c.seq
	for i := range p.owners {
		before, after := &p.owners[i], o
		if i > own {
			before, after = o, before
		}
		if i != own && before.began != 0 && after.began != 0 && after.fence <= before.fence {
			c.violate(G3, []uint32{min(before.began, after.began), c.seq}, "%s: fence %d of the ownership of %s does not grow over %d, that of %s before it",
				p, after.fence, p.g.names[after.member], before.fence, p.g.names[before.member])
			return
		}
	}
}

// assignedTo says whether the history tells of owners.
func (p *groupPart) assignedTo() bool {
	return len(p.owners) > 0 && p.owners[len(p.owners)-1].member != anyone
}

// owns says whether a member owns the partition now; of an inbox, the partition it belongs to.
func (p *groupPart) owns(member int32) (bool, *owner) {
	if p.source != nil {
		p = p.source
	}
	for i := len(p.owners) - 1; i >= 0; i-- {
		if o := &p.owners[i]; o.member == member || o.member == anyone && len(p.owners) == 1 {
			return o.state.active(), o
		}
	}
	return len(p.owners) == 0, nil
}

func (p *groupPart) String() string {
	return p.g.name + " " + p.log.String()
}

func (p *groupPart) record(offset int64) string {
	return p.g.name + " " + place(p.log.topic.name, p.log.partition, offset)
}

func (p *groupPart) assigned(c *Checker, e *Event) {
	m := p.g.member(e.Member)
	if p.current >= 0 {
		switch o := &p.owners[p.current]; {
		case o.member == anyone:
			c.violate(G5, []uint32{o.since, c.seq}, "%s: a handler was called before the partition was assigned to anybody", p)
			o.state, o.until = stopped, c.seq
		case !o.state.active():
		case o.member == m:
			o.state, o.until = lost, c.seq
		default:
			o.state, o.until = superseded, c.seq
		}
	}
	if p.current < 0 && p.g.StartLatest {
		p.excused = max(p.excused, e.Offset)
	}
	if e.Err != "" {
		p.covered = nil // what the commit's metadata held was ignored, and reported
	}
	p.owners = append(p.owners, owner{member: m, fence: e.Fence, since: c.seq})
	p.current = len(p.owners) - 1
	p.lanes.clear()
	p.zombies = map[uint64]int{}
	for _, a := range p.running {
		if a.lane != noLane {
			p.zombies[a.lane]++
		}
	}
}

// latest is the member's last ownership if it is not over, or -1.
func (p *groupPart) latest(member int32) int {
	for i := len(p.owners) - 1; i >= 0; i-- {
		if p.owners[i].member == member {
			if p.owners[i].state <= superseded {
				return i
			}
			return -1
		}
	}
	return -1
}

func (p *groupPart) revoking(c *Checker, e *Event) {
	i := p.latest(p.g.member(e.Member))
	if i < 0 {
		c.malformed(e, e.Member+" does not own "+p.log.String())
		return
	}
	if o := &p.owners[i]; o.state == owned {
		o.state = revoking
	}
}

// gone ends an ownership: by a revocation that returned, or a loss.
func (p *groupPart) gone(c *Checker, e *Event) {
	i := p.latest(p.g.member(e.Member))
	if i < 0 {
		c.malformed(e, e.Member+" does not own "+p.log.String())
		return
	}
	o := &p.owners[i]
	o.state, o.until = lost, c.seq
	if e.Kind != Revoked {
		return
	}
	o.state = revoked
	for k, a := range p.running {
		if int(k.owner) == i {
			a.revoked = c.seq
		}
	}
}

// runEnd ends every ownership of a member.
func (g *group) runEnd(c *Checker, e *Event) {
	m := g.member(e.Member)
	for _, p := range g.parts {
		for i := range p.owners {
			o := &p.owners[i]
			if o.member != m || o.over {
				continue
			}
			// A partition that was revoked before the draining began may have lost its last commit.
			o.over, o.clean = true, e.Outcome == Clean && (o.state <= superseded || o.until > g.drains[m].seq)
			if o.state <= superseded {
				o.state, o.until = stopped, c.seq
			}
		}
		if e.Outcome == Unclean {
			continue // a handler that goes on is named in Run's error
		}
		for k, a := range p.running {
			if p.owners[k.owner].member != m {
				continue
			}
			if e.Outcome == Clean {
				c.violate(G6, []uint32{a.start, c.seq}, "%s: Run returned nil while the handler ran", p.record(k.offset))
			}
			p.drop(k, a)
		}
	}
	delete(g.drains, m)
}

// seek moves the group's position on purpose: what lies behind it is handled again, what lies before it is not owed.
func (p *groupPart) seek(e *Event) {
	p.position, p.covered = e.Offset, nil
	p.excused = max(p.excused, e.Offset)
	p.lanes.clear()
	for _, page := range p.records.byNumber {
		for i := range page.flags {
			page.flags[i] &^= copyCurrent
		}
	}
}

func (l *logPart) String() string {
	s := place(l.topic.name, l.partition, 0)
	return s[:len(s)-2]
}
