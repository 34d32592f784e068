package history

import (
	"fmt"
	"slices"
)

// verdict judges what only the whole history shows.
func (c *Checker) verdict() {
	c.eachLog(func(l *logPart) { l.truncated, l.scanned = normal(l.truncated), normal(l.scanned) })
	c.settleStrays()
	c.resolve()
	c.exactlyOnce()
	c.produced()
	c.deadLetters()
	for _, g := range c.groups {
		for _, p := range g.parts {
			p.missed = normal(p.missed)
			c.premature(p)
			c.firstSuccesses(p)
			c.owners(p)
			c.redrives(p)
		}
		c.eachLog(func(l *logPart) { c.losses(g, l) })
		c.report.Groups[g.name] = g.counts
	}
	slices.SortStableFunc(c.report.Violations, func(a, b Violation) int {
		if len(a.Seqs) == 0 || len(b.Seqs) == 0 {
			return len(b.Seqs) - len(a.Seqs)
		}
		return int(a.Seqs[len(a.Seqs)-1] - b.Seqs[len(b.Seqs)-1])
	})
}

// premature tells which offsets that a commit covered too early hold records: G2, or what explains it better.
func (c *Checker) premature(p *groupPart) {
	for _, s := range p.suspects {
		if s.staged != nil && s.staged.unknown && s.staged.state != txAborted {
			continue // it had committed before, and nobody was told
		}
		from := max(s.from, p.excused)
		p.log.records.each(from, s.to, func(known *logPage, from, to int64) {
			if known == nil {
				return
			}
			for o := from; o < to; o++ {
				i := o % pageSize
				if known.flags[i]&logKnown == 0 || ranges(p.log.truncated).has(o) {
					continue
				}
				page, _ := p.records.at(o)
				if page.flags[i]&copyTold != 0 {
					continue
				}
				page.flags[i] |= copyTold
				why := map[Guarantee]string{
					G2:  "committed before it ended",
					G5:  "committed, and only a member that no longer owned the partition ended it",
					G6:  "committed, and its attempt was cut by draining",
					G11: "committed, and its transaction was not",
				}[s.guarantee]
				c.violate(s.guarantee, []uint32{page.started[i], s.asked, s.acked, page.end[i]}, "%s: %s", p.record(o), why)
			}
		})
	}
}

// firstSuccesses judges their order within each key over the whole history: G3.
func (c *Checker) firstSuccesses(p *groupPart) {
	type first struct {
		seq    uint32
		offset int64
	}
	last := map[uint64]first{}
	for _, no := range p.records.numbers() {
		page := p.records.byNumber[no]
		for i, seq := range page.handled {
			o := no*pageSize + int64(i)
			key := uint64(noLane)
			if seq != 0 && page.flags[i]&recordLeft == 0 {
				key = p.lane(o)
			}
			if key == noLane {
				continue
			}
			if was := last[key]; seq < was.seq {
				c.violate(G3, []uint32{seq, was.seq}, "%s: handled before record %d of its key", p.record(was.offset), o)
				continue
			}
			last[key] = first{seq, o}
		}
	}
}

// owners judges what is left over of ownerships: G5.
func (c *Checker) owners(p *groupPart) {
	if c.opts.Open {
		return
	}
	for _, o := range p.owners {
		if o.state == superseded {
			c.violate(G5, []uint32{o.since, o.until}, "%s: %s owns it to the end, beside its successor", p, p.g.names[o.member])
		}
	}
	for k, a := range p.running {
		p.mayRunOn(c, k.offset, a, 0)
	}
}

// redrives judges what was put into the inbox by a redrive: it owes an end like any accepted record (G1).
func (c *Checker) redrives(p *groupPart) {
	if c.opts.Open || p.source == nil {
		return
	}
	for no, page := range p.records.byNumber {
		for i, f := range page.flags {
			o := no*pageSize + int64(i)
			if f&copyOwed != 0 && f&copyEnded == 0 && !ranges(p.log.truncated).has(o) {
				c.violate(G1, []uint32{page.started[i]}, "%s: was redriven and never ended", p.record(o))
			}
		}
	}
}

// losses looks for the end of every accepted record that the group owes one to: G1. It looks at undecodable ones for G9 too.
func (c *Checker) losses(g *group, l *logPart) {
	p := g.parts[l]
	if !g.owes(l.topic.name, p) {
		return
	}
	if p == nil {
		p = g.part(l)
	}
	for no, known := range l.records.byNumber {
		page := p.records.byNumber[no]
		for i, f := range known.flags {
			o := no*pageSize + int64(i)
			var mine uint16
			if page != nil {
				mine = page.flags[i]
			}
			if f&logUndecodable != 0 && mine&finalMask == finalHandled {
				c.violate(G9, []uint32{known.accepted[i], page.handled[i]}, "%s: handled, and its value does not decode", p.record(o))
			}
			if f&logAccepted == 0 || mine&finalMask != 0 || o < p.excused || l.isGone(o, f) {
				continue
			}
			if ranges(l.truncated).has(o) {
				g.counts.Taken++
				if (p.reached > o || mine&copyCovered != 0) && !ranges(p.missed).has(o) {
					c.violate(G1, []uint32{known.accepted[i]}, "%s: taken before it was handled, and the group went past it without a word", p.record(o))
				}
				continue
			}
			g.counts.Pending++
			if c.opts.Open {
				continue
			}
			seqs := []uint32{known.accepted[i]}
			how := "nothing was done about it"
			switch {
			case page == nil:
			case mine&copyEnded != 0:
				seqs, how = append(seqs, page.end[i]), "it was handed to the inbox and never left it"
			case mine&copyVoid != 0:
				seqs, how = append(seqs, page.started[i]), "the transaction that ended it was aborted"
			case page.started[i] != 0:
				seqs, how = append(seqs, page.started[i]), "its last attempt did not end it"
			}
			c.violate(G1, seqs, "%s: accepted and never ended: %s", p.record(o), how)
		}
	}
}

// owes says whether the group owes an end to the records of a topic.
func (g *group) owes(topic string, p *groupPart) bool {
	if len(g.Topics) > 0 {
		return slices.Contains(g.Topics, topic)
	}
	if p != nil && p.assignedTo() {
		return true
	}
	for l, q := range g.parts {
		if l.topic.name == topic && q.assignedTo() {
			return true
		}
	}
	return false
}

// deadLetters compares dead letters with their records (G9), and looks for those that were acknowledged (G2).
func (c *Checker) deadLetters() {
	for _, cp := range c.copies {
		page, i := cp.l.records.get(cp.offset)
		if page == nil {
			continue
		}
		if h := page.hash(i); h != 0 && cp.hash != 0 && h != cp.hash {
			c.violate(G9, []uint32{page.accepted[i], cp.seq}, "%s: its copy at %s has another value", place(cp.l.topic.name, cp.l.partition, cp.offset),
				place(cp.via.topic.name, cp.via.partition, cp.at))
		}
		if k := page.key[i]; k != noHash && k != cp.key {
			c.violate(G9, []uint32{page.accepted[i], cp.seq}, "%s: its copy at %s has another key", place(cp.l.topic.name, cp.l.partition, cp.offset),
				place(cp.via.topic.name, cp.via.partition, cp.at))
		}
	}
	for _, d := range c.deaths {
		switch {
		case d.decode:
			if f := d.p.log.flags(d.offset); c.opts.MarksPoison && f&(logAccepted|logFound) != 0 && f&logUndecodable == 0 {
				c.violate(G9, []uint32{d.seq}, "%s: dead with class decode, and its value decodes", d.p.record(d.offset))
			}
		case d.to.isGone(d.at, d.to.flags(d.at)):
			c.violate(G2, []uint32{d.seq}, "%s: its dead letter was acknowledged and is not at %s", d.p.record(d.offset),
				fmt.Sprintf("%s@%d", d.to, d.at))
		}
	}
}
