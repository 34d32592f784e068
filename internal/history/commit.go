package history

import "slices"

// commitStart is a commit that was asked for and is not acknowledged.
type commitStart struct {
	member   int32
	call     int64
	position int64
	seq      uint32
	owned    bool
	lostBy   uint32 // event that ended the ownership, when not owned
}

// suspect is a stretch of offsets that a commit covered and that had not ended when it was asked for. Whether there are records in it is known at the
// end only: there may be none (control records, compaction), or they may have been truncated.
type suspect struct {
	from, to     int64
	asked, acked uint32
	guarantee    Guarantee
	staged       *tx // the transaction that its outcome was in, and whose end nobody may have recorded
}

func (p *groupPart) startOfCommit(c *Checker, e *Event) commitStart {
	m := p.g.member(e.Member)
	s := commitStart{member: m, call: e.Call, position: e.Offset, seq: c.seq}
	var o *owner
	if s.owned, o = p.owns(m); o != nil {
		s.lostBy = o.until
	}
	return s
}

func (p *groupPart) commitStart(c *Checker, e *Event) {
	s := p.startOfCommit(c, e)
	if e.Tx != "" {
		t := p.g.transaction(c, e.Tx)
		t.offsets = append(t.offsets, txOffset{p: p, start: s, ranges: normal(e.Ranges)})
		return
	}
	p.starts = append(p.starts, s)
}

// committed finds the start of an acknowledged commit and applies it. A member's commits are acknowledged in the order they were asked for, if at all:
// its older ones are forgotten.
func (p *groupPart) committed(c *Checker, e *Event) {
	if e.Tx != "" {
		return // holds when the transaction commits
	}
	m, at := p.g.member(e.Member), -1
	for i := range p.starts {
		s := &p.starts[i]
		if s.member == m && s.call == e.Call && s.position == e.Offset {
			at = i
		}
	}
	var s commitStart
	if at < 0 {
		c.malformed(e, "a commit is acknowledged that was not asked for")
		s = p.startOfCommit(c, e)
	} else {
		s = p.starts[at]
		n := 0
		p.starts = slices.DeleteFunc(p.starts, func(o commitStart) bool {
			n++
			return o.member == m && n-1 <= at
		})
	}
	p.cover(c, s, normal(e.Ranges), nil)
}

// cover takes an acknowledged commit: what it covers for the first time must have ended before it was asked for.
func (p *groupPart) cover(c *Checker, s commitStart, completed ranges, t *tx) {
	if !s.owned {
		c.violate(G5, []uint32{s.lostBy, s.seq, c.seq}, "%s: %s commits %d and does not own the partition", p, p.g.names[s.member], s.position)
	}
	judge := func(from, to int64) { p.judge(c, s, t, from, to) }
	if p.reached < s.position {
		judge(p.reached, s.position)
		p.reached = s.position
	}
	completed.minus(p.covered, func(from, to int64) {
		if from = max(from, p.reached); from < to {
			judge(from, to)
		}
	})
	p.position, p.covered = s.position, completed
}

// judge looks at offsets that a commit covers, some of them perhaps for the first time.
func (p *groupPart) judge(c *Checker, s commitStart, t *tx, from, to int64) {
	p.records.each(from, to, func(page *groupPage, from, to int64) {
		if page == nil {
			p.suspect(c, s, from, to, G2, nil)
			return
		}
		for o := from; o < to; o++ {
			i := o % pageSize
			f := page.flags[i]
			if f&copyCovered != 0 {
				continue
			}
			page.flags[i] |= copyCovered
			staged := p.pending[o]
			if f&copyEnded != 0 && page.end[i] < s.seq && (staged == nil || staged == t || f&copyFirm != 0) {
				continue
			}
			switch {
			case f&recordCut != 0:
				p.suspect(c, s, o, o+1, G6, nil)
			case staged != nil || f&copyVoid != 0:
				p.suspect(c, s, o, o+1, G11, staged)
			case f&copyFenced != 0:
				p.suspect(c, s, o, o+1, G5, nil)
			default:
				p.suspect(c, s, o, o+1, G2, nil)
			}
		}
	})
}

func (p *groupPart) suspect(c *Checker, s commitStart, from, to int64, g Guarantee, staged *tx) {
	if !s.owned {
		return // the commit is the violation, and was reported
	}
	if n := len(p.suspects); n > 0 {
		if last := &p.suspects[n-1]; last.to == from && last.asked == s.seq && last.guarantee == g && last.staged == staged {
			last.to = to
			return
		}
	}
	p.suspects = append(p.suspects, suspect{from, to, s.seq, c.seq, g, staged})
}

// isCovered says whether the group's commits cover an offset now.
func (p *groupPart) isCovered(offset int64) bool {
	return offset < p.position || p.covered.has(offset)
}
