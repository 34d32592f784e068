package history

// runKey names a running attempt: of a record, by an ownership.
type runKey struct {
	offset int64
	owner  int32
}

type attempt struct {
	inbox     *groupPart // where its copy was read, and at what offset; nil: at the source
	at        int64
	lane      uint64
	start     uint32
	cancelled uint32 // event that cancelled it
	cause     Cause  // and why
	revoked   uint32 // event of the revocation that returned while it ran
}

// copy is where the copy of the record lies that an event speaks of: in the inbox, or at its source.
func (p *groupPart) copy(c *Checker, e *Event) (*groupPart, int64) {
	if e.Via == nil {
		return p, e.Offset
	}
	q := c.inbox(p, e.Via)
	q.log.note(e.Via.Offset, noHash)
	return q, e.Via.Offset
}

// inbox is the partition of the group's inbox at a place; its offsets are committed by the owner of p.
func (c *Checker) inbox(p *groupPart, at *Place) *groupPart {
	q := p.g.part(c.log(at.Topic, at.Partition))
	if q != p {
		q.source = p
	}
	return q
}

func (p *groupPart) attemptStart(c *Checker, e *Event) {
	p.log.note(e.Offset, c.key(e.Key))
	rec, i := p.records.at(e.Offset)
	q, at := p.copy(c, e)
	cpy, j := q.records.at(at)

	own, counts := p.mayStart(c, e)
	if own < 0 {
		return
	}
	if counts {
		p.mayDeliver(c, e, q, at, own)
	}
	if counts && rec.flags[i]&recordCut != 0 {
		cpy.flags[j] &^= recordCut
		if e.Attempt > int(rec.attempt[i]) && rec.attempt[i] < 255 {
			c.violate(G6, []uint32{rec.started[i], c.seq}, "%s: attempt %d was cut by draining and was counted: the next one is %d",
				p.record(e.Offset), rec.attempt[i], e.Attempt)
		}
		rec.flags[i] &^= recordCut
	}

	lane := p.lane(e.Offset)
	if counts && !p.ordered(c, e, lane, own) {
		lane = noLane
	}
	k := runKey{e.Offset, int32(own)}
	if old := p.running[k]; old != nil {
		if lane == noLane {
			c.violate(G3, []uint32{old.start, c.seq}, "%s: two attempts of one record run at a time", p.record(e.Offset))
		}
		p.drop(k, old)
	}
	a := &attempt{lane: lane, start: c.seq}
	if q != p {
		a.inbox, a.at = q, at
	}
	p.running[k] = a
	if lane != noLane {
		if z := p.zombies[lane]; z > 0 || !counts {
			p.overlapped(lane, z, counts)
		}
		if own == p.current {
			l := p.lanes.at(lane, p.position)
			l.running++
			l.start, l.call = c.seq, e.Call
		} else {
			p.zombies[lane]++
		}
	}
	if !counts {
		return
	}
	rec.attempt[i] = uint8(max(0, min(255, e.Attempt)))
	rec.flags[i] &^= resultMask
	rec.started[i], cpy.started[j] = c.seq, c.seq
	if cpy.owner[j] != int32(own) {
		cpy.flags[j] &^= copyCurrent
	}
	cpy.owner[j] = int32(own)
}

// mayStart judges whether the member may call a handler of this partition at all (G5, and the fence of G3). It returns the ownership that the attempt
// belongs to, and whether it counts: a member that was declared dead and does not know it may go on, and what it does ends nothing.
func (p *groupPart) mayStart(c *Checker, e *Event) (own int, counts bool) {
	m := p.g.member(e.Member)
	own = p.find(c, m, e.Fence)
	if own < 0 {
		if own = p.find(c, m, 0); own < 0 {
			c.violate(G5, []uint32{c.seq}, "%s: %s starts an attempt of a partition that was never assigned to it", p.record(e.Offset), e.Member)
			return -1, false
		}
		o := &p.owners[own]
		c.violate(G3, []uint32{o.since, c.seq}, "%s: the attempt's fence is %d, that of its ownership %d", p.record(e.Offset), e.Fence, o.fence)
	}
	p.begin(c, own)
	o := &p.owners[own]
	if o.state > superseded {
		c.violate(G5, []uint32{o.until, c.seq}, "%s: %s starts an attempt of a partition that it %s", p.record(e.Offset), e.Member, o.state)
		return own, false
	}
	return own, o.state.active()
}

// mayDeliver judges whether this copy of the record may be delivered (again): G7.
func (p *groupPart) mayDeliver(c *Checker, e *Event, q *groupPart, at int64, own int) {
	cpy, j := q.records.at(at)
	f := cpy.flags[j]
	ended := cpy.end[j]
	switch {
	case q.isCovered(at) && f&copyEnded != 0:
		c.violate(G7, []uint32{ended, c.seq}, "%s: handled again although an acknowledged commit covers it", q.record(at))
	case f&copyCurrent != 0 && cpy.owner[j] == int32(own):
		c.violate(G7, []uint32{ended, c.seq}, "%s: handled again by the ownership that ended it", q.record(at))
	case f&copyCurrent != 0 && int(cpy.owner[j]) < len(p.owners) && p.owners[cpy.owner[j]].clean:
		c.violate(G7, []uint32{ended, c.seq}, "%s: handled again after a clean stop", q.record(at))
	case cpy.started[j] != 0 && cpy.owner[j] != int32(own) || f&copyEnded != 0 && cpy.started[j] == 0:
		p.g.counts.Redelivered++
	}
}

// ordered judges an attempt's place among those of its lane within one ownership: G3. It says whether the attempt is the lane's business.
func (p *groupPart) ordered(c *Checker, e *Event, key uint64, own int) bool {
	if key == noLane || own != p.current {
		return key != noLane
	}
	l := p.lanes.at(key, p.position)
	together := e.Call != 0 && e.Call == l.call
	if l.running > 0 && !together {
		c.violate(G3, []uint32{l.start, c.seq}, "%s: handlers of one key overlap", p.record(e.Offset))
	}
	if e.Redriven {
		return true
	}
	again := false // a retry of what is open, or of what waits in the inbox
	for _, o := range l.open {
		again = again || o == e.Offset
		if o < e.Offset && !together {
			c.violate(G3, []uint32{p.startOf(o), c.seq}, "%s: starts before record %d of its key has ended", p.record(e.Offset), o)
			break
		}
	}
	for _, o := range p.waiting[key] {
		again = again || o == e.Offset
		if o < e.Offset {
			c.violate(G3, []uint32{p.startOf(o), c.seq}, "%s: starts while record %d of its key waits in the inbox", p.record(e.Offset), o)
			break
		}
	}
	if e.Offset < l.highest && !again {
		c.violate(G3, []uint32{p.startOf(l.highest), c.seq}, "%s: starts after record %d of its key", p.record(e.Offset), l.highest)
	}
	l.highest = max(l.highest, e.Offset)
	l.open = insert(l.open, e.Offset)
	return true
}

// overlapped counts an attempt that runs beside one of another ownership.
func (p *groupPart) overlapped(lane uint64, zombies int, counts bool) {
	if counts {
		p.g.counts.Overlaps++
		return
	}
	if l := p.lanes.byKey[lane]; l != nil && l.running > 0 || zombies > 0 {
		p.g.counts.Overlaps++
	}
}

// startOf is the last start of a record.
func (p *groupPart) startOf(offset int64) uint32 {
	if rec, i := p.records.get(offset); rec != nil {
		return rec.started[i]
	}
	return 0
}

func (p *groupPart) attemptOf(c *Checker, e *Event) (runKey, *attempt) {
	own := p.find(c, p.g.member(e.Member), e.Fence)
	if own < 0 {
		own = p.find(c, p.g.member(e.Member), 0)
	}
	k := runKey{e.Offset, int32(own)}
	a := p.running[k]
	if a == nil && e.Fence == 0 { // the member may have got the partition back while an attempt of its earlier ownership ran
		for i := own - 1; i >= 0 && a == nil; i-- {
			if p.owners[i].member == p.owners[own].member {
				k.owner = int32(i)
				a = p.running[k]
			}
		}
	}
	return k, a
}

func (p *groupPart) attemptCancel(c *Checker, e *Event) {
	_, a := p.attemptOf(c, e)
	if a == nil {
		return // it has returned: cancelling is harmless
	}
	if a.cause == 0 { // a context keeps its first cause
		a.cancelled, a.cause = c.seq, e.Cause
		if e.Cause == CauseDraining {
			p.mayDrain(c, e, a)
		}
	}
}

func (p *groupPart) attemptEnd(c *Checker, e *Event) {
	k, a := p.attemptOf(c, e)
	if a == nil {
		c.malformed(e, "an attempt ends that does not run")
		return
	}
	p.drop(k, a)
	if a.cause == 0 {
		if e.Cause == CauseDraining {
			p.mayDrain(c, e, a)
		}
	}
	p.mayRunOn(c, e.Offset, a, e.Cause)
	cause := e.Cause
	if cause == 0 {
		cause = a.cause
	}
	rec, i := p.records.at(e.Offset)
	if rec.started[i] != a.start {
		return // a later ownership has started it, or another copy of it
	}
	rec.flags[i] &^= resultMask
	switch {
	case a.revoked != 0: // fenced: it says nothing
	case e.Outcome == Succeeded:
		rec.flags[i] |= resultOK
	case cause == CauseDraining:
		rec.flags[i] |= resultFailed | recordCut
		if a.inbox != nil {
			cpy, j := a.inbox.records.at(a.at)
			cpy.flags[j] |= recordCut
		}
	default:
		rec.flags[i] |= resultFailed
	}
}

// mayRunOn judges an attempt that ran when a revocation returned: its context must have been cancelled by then (G5). A context keeps its first cause,
// so draining or the handler's timeout will do if it was recorded in time; where nobody recorded the cancelling, the cause must be the revocation.
func (p *groupPart) mayRunOn(c *Checker, offset int64, a *attempt, end Cause) {
	if a.revoked == 0 || a.cause != 0 && a.cancelled < a.revoked || a.cause == 0 && end == CauseRevoked {
		return
	}
	c.violate(G5, []uint32{a.start, a.revoked, a.cancelled, c.seq}, "%s: the handler ran when the revocation returned, and was not cancelled", p.record(offset))
}

// mayDrain judges an attempt that draining cuts: G6.
func (p *groupPart) mayDrain(c *Checker, e *Event, a *attempt) {
	d, ok := p.g.drains[p.g.member(e.Member)]
	switch wait := c.opts.DrainTimeout; {
	case !ok:
		c.violate(G6, []uint32{a.start, c.seq}, "%s: the attempt is cut by draining, and %s does not drain", p.record(e.Offset), e.Member)
	case wait > 0 && e.At.Sub(d.at) < wait:
		c.violate(G6, []uint32{d.seq, a.start, c.seq}, "%s: the attempt is cut %v after draining began, not after %v", p.record(e.Offset), e.At.Sub(d.at), wait)
	}
}

// drop forgets a running attempt.
func (p *groupPart) drop(k runKey, a *attempt) {
	delete(p.running, k)
	if a.lane == noLane {
		return
	}
	if int(k.owner) != p.current {
		if p.zombies[a.lane]--; p.zombies[a.lane] <= 0 {
			delete(p.zombies, a.lane)
		}
		return
	}
	if l := p.lanes.byKey[a.lane]; l != nil && l.running > 0 {
		l.running--
	}
}
