package history

// ended judges and keeps a record's outcome. What a member says that no longer owns the partition is fenced: it ends nothing.
func (p *groupPart) ended(c *Checker, e *Event) {
	p.log.note(e.Offset, noHash)
	rec, i := p.records.at(e.Offset)
	q, at := p.copy(c, e)
	cpy, j := q.records.at(at)
	if e.Outcome == Handed {
		if e.To == nil || e.To.Offset < 0 {
			c.malformed(e, "a record is handed to nowhere")
			return
		}
		if in := c.inbox(p, e.To); e.Tx == "" {
			in.log.note(e.To.Offset, noHash)
		}
	}

	own := p.find(c, p.g.member(e.Member), e.Fence)
	if own < 0 || !p.owners[own].state.active() {
		cpy.flags[j] |= copyFenced
		p.g.counts.Fenced++
		return
	}
	if e.Outcome == Folded {
		cpy.close(j, c.seq, own)
		if l := p.lanes.byKey[p.lane(e.Offset)]; l != nil && q == p {
			l.open = remove(l.open, e.Offset)
		}
		return
	}
	switch result, mine := rec.flags[i]&resultMask, cpy.started[j] != 0 && cpy.started[j] == rec.started[i] && cpy.owner[j] == int32(own); {
	case rec.flags[i]&recordCut != 0:
		c.violate(G6, []uint32{rec.started[i], c.seq}, "%s: its attempt was cut by draining, and it ended all the same (%s)", p.record(e.Offset), e.Outcome)
		rec.flags[i] &^= recordCut
	case e.Outcome == Handled && mine && result == resultFailed:
		c.violate(G1, []uint32{rec.started[i], c.seq}, "%s: ended as handled, and its last attempt failed", p.record(e.Offset))
	case e.Outcome == Handled && mine && result == 0 && cpy.flags[j]&copyCurrent == 0:
		c.violate(G1, []uint32{rec.started[i], c.seq}, "%s: ended as handled while its attempt runs", p.record(e.Offset))
	}
	if e.Outcome == Dead && rec.flags[i]&recordAcked == 0 {
		c.violate(G2, []uint32{rec.started[i], c.seq}, "%s: ended as dead before its dead letter was acknowledged", p.record(e.Offset))
	}
	if e.Outcome == Dead && e.Class == "decode" {
		c.deaths = append(c.deaths, death{p: p, offset: e.Offset, seq: c.seq, decode: true})
	}

	if e.Tx != "" {
		p.pend(c, e, q, at)
	} else {
		q.firm(cpy, j, at)
	}
	cpy.close(j, c.seq, own)
	p.final(c, rec, i, e)
	p.leave(e)
}

// close ends a copy.
func (page *groupPage) close(i int, seq uint32, own int) {
	if page.flags[i]&copyEnded == 0 {
		page.flags[i] |= copyEnded
		page.end[i] = seq
	}
	page.flags[i] |= copyCurrent
	page.owner[i] = int32(own)
}

// final keeps how the record stands for the group.
func (p *groupPart) final(c *Checker, rec *groupPage, i int, e *Event) {
	n := &p.g.counts
	var to uint16
	switch e.Outcome {
	case Handled:
		to = finalHandled
	case Dead:
		to = finalDead
	case Skipped:
		to = finalSkipped
	case Handed:
		n.Handed++
		return
	}
	if rec.flags[i]&finalMask != 0 && !e.Redriven {
		n.Duplicates++
	}
	p.stand(rec, i, to)
	switch {
	case e.Redriven:
	case e.Outcome != Handled && rec.handled[i] == 0:
		rec.flags[i] |= recordLeft
	case e.Outcome == Handled && rec.handled[i] == 0:
		rec.handled[i] = c.seq
	}
}

// stand changes how the record stands, and counts it.
func (p *groupPart) stand(rec *groupPage, i int, to uint16) {
	count := func(state uint16, by int64) {
		switch state {
		case finalHandled:
			p.g.counts.Handled += by
		case finalDead:
			p.g.counts.Dead += by
		case finalSkipped:
			p.g.counts.Skipped += by
		}
	}
	count(rec.flags[i]&finalMask, -1)
	count(to, +1)
	rec.flags[i] = rec.flags[i]&^finalMask | to
}

// leave takes the record out of its lane, or lets it hold the lane from the inbox.
func (p *groupPart) leave(e *Event) {
	key := p.lane(e.Offset)
	if key == noLane {
		return
	}
	if l := p.lanes.byKey[key]; l != nil {
		l.open = remove(l.open, e.Offset)
	}
	switch {
	case e.Redriven: // it does not hold back what is live
	case e.Outcome == Handed:
		p.wait(e.Offset)
	default:
		p.unwait(e.Offset)
	}
}

// wait lets a record hold its key's order from the inbox; unwait ends that.
func (p *groupPart) wait(offset int64) {
	if key := p.lane(offset); key != noLane {
		if p.waiting == nil {
			p.waiting = map[uint64][]int64{}
		}
		p.waiting[key] = insert(p.waiting[key], offset)
	}
}

func (p *groupPart) unwait(offset int64) {
	key := p.lane(offset)
	if len(p.waiting[key]) == 0 {
		return
	}
	if p.waiting[key] = remove(p.waiting[key], offset); len(p.waiting[key]) == 0 {
		delete(p.waiting, key)
	}
}

// death is a dead letter: acknowledged (at a place), or of a record that did not decode.
type death struct {
	p      *groupPart
	offset int64
	seq    uint32
	to     *logPart // nil: the place is not known
	at     int64
	decode bool
}

func (p *groupPart) deadLettered(c *Checker, e *Event) {
	p.log.note(e.Offset, noHash)
	rec, i := p.records.at(e.Offset)
	if rec.flags[i]&recordCut != 0 {
		c.violate(G6, []uint32{rec.started[i], c.seq}, "%s: its attempt was cut by draining, and it was dead-lettered", p.record(e.Offset))
		rec.flags[i] &^= recordCut
	}
	rec.flags[i] |= recordAcked
	if e.To == nil || e.To.Offset < 0 {
		return
	}
	d := death{p: p, offset: e.Offset, seq: c.seq, to: c.log(e.To.Topic, e.To.Partition), at: e.To.Offset}
	if e.Tx == "" {
		c.deaths = append(c.deaths, d)
		return
	}
	t := p.g.transaction(c, e.Tx)
	if t.state != txOpen {
		c.malformed(e, "the transaction "+e.Tx+" has ended before")
		return
	}
	t.deaths = append(t.deaths, d) // it is there once the transaction is committed
}

// redriven puts a dead letter into the inbox, which owes it an end from here on.
func (p *groupPart) redriven(c *Checker, e *Event) {
	if e.To == nil || e.To.Offset < 0 {
		c.malformed(e, "a dead letter is redriven to nowhere")
		return
	}
	q := c.inbox(p, e.To)
	q.log.note(e.To.Offset, noHash)
	cpy, j := q.records.at(e.To.Offset)
	if rec, i := p.records.get(e.Offset); rec != nil && cpy.started[j] == 0 { // whoever tells of the redrive may learn of it later than the group
		rec.flags[i] &^= recordAcked // it needs a dead letter again if it dies again
	}
	cpy.flags[j] |= copyOwed
	if cpy.started[j] == 0 {
		cpy.started[j] = c.seq
	}
}
