package consumer

import "time"

// gather is where the lanes of a partition wait whose next records a batch handler takes together. The partition's mutex guards it.
type gather struct {
	h     *handler
	lanes laneQueue
	n     int // records that a batch could take of them
	bytes int64
	bell  *lane // no lane: in the due queue it rings when the first has lingered long enough
	rung  bool
}

// gathering is a lane's part in a gather.
type gathering struct {
	in    *gather // nil where the lane waits for its own batch
	n     int     // records that a batch could take
	bytes int64
	since time.Time
}

// ripe says whether a batch is to be made.
func (g *gather) ripe() bool {
	c := &g.h.cfg.batch
	return !g.lanes.empty() && (g.rung || c.linger == 0 || g.n >= c.size || g.bytes >= c.bytes)
}

// ripe returns a gather that a batch is to be made of, nil when there is none. p.mu is held.
func (p *partition) ripe() *gather {
	for _, g := range p.gathers {
		if g.ripe() {
			return g
		}
	}
	return nil
}

// idle says that there is nothing to run. p.mu is held.
func (p *partition) idle() bool { return p.ready.empty() && p.ripe() == nil }

// batches says whether the head of a lane may be handled together with others: one that failed, or was in a call that failed as a whole, is handled by itself,
// and so is one that comes from an inbox, or that may kill the process. p.mu is held.
func (p *partition) batches(l *lane) bool {
	t := l.head
	if p.crash.alone || t.handler == nil || t.handler.batch == nil || t.alone || t.wait != nil || l.attempts > 0 || l.away > 0 {
		return false
	}
	_, failed := p.past[t.rec.Offset]
	return !failed
}

// gather lets a lane wait for its batch. It reports false where the lane needs not wait. p.mu is held.
func (p *partition) gather(l *lane) bool {
	h := l.head.handler
	c := &h.cfg.batch
	n, bytes := p.row(l, c.size, c.bytes)
	l.gathering = gathering{n: n, bytes: bytes}
	if c.linger > 0 {
		l.gathering.since = time.Now()
	}
	if c.by == Key {
		if c.linger == 0 || l.head.rec.Key == nil || n >= c.size || bytes >= c.bytes {
			return false
		}
		l.state = laneGathering
		p.e.due.add(l, l.gathering.since.Add(c.linger))
		return true
	}
	g := p.gatherOf(h)
	l.state, l.gathering.in = laneGathering, g
	g.lanes.push(l)
	g.n += n
	g.bytes += bytes
	if g.lanes.head == l && c.linger > 0 {
		p.e.due.add(g.bell, l.gathering.since.Add(c.linger))
	}
	return true
}

// gatherOf returns the partition's gather for a handler. p.mu is held.
func (p *partition) gatherOf(h *handler) *gather {
	for _, g := range p.gathers {
		if g.h == h {
			return g
		}
	}
	g := &gather{h: h}
	g.bell = &lane{p: p, gathering: gathering{in: g}}
	p.gathers = append(p.gathers, g)
	return g
}

// gatherMore counts a record that was queued in a lane which waits for its batch. p.mu is held.
func (p *partition) gatherMore(l *lane, t *task, now time.Time) {
	x, c := &l.gathering, &l.head.handler.cfg.batch
	if x.n != l.n-1 || x.n >= c.size || x.bytes >= c.bytes || !p.together(l, t) {
		return
	}
	x.n++
	x.bytes += int64(t.size)
	if g := x.in; g != nil {
		g.n++
		g.bytes += int64(t.size)
	} else if x.n >= c.size || x.bytes >= c.bytes {
		p.e.due.hasten(l, now)
	}
}

// together says whether a record may be in one batch with the head of its lane. p.mu is held.
func (p *partition) together(l *lane, t *task) bool {
	if t.handler != l.head.handler || t.alone || t.over || t.wait != nil || !p.win.Has(t.slot) {
		return false
	}
	if _, failed := p.past[t.rec.Offset]; failed {
		return false
	}
	return p.inbox == nil || l.hash == 0 || p.inbox.ix == nil || !p.inbox.ix.Behind(l.hash, t.rec.Offset)
}

// row is how many records from the head of a lane one batch takes at most, and their bytes. p.mu is held.
func (p *partition) row(l *lane, most int, bytes int64) (n int, size int64) {
	for t := l.head; t != nil && n < most; t = t.next {
		if n > 0 && (size+int64(t.size) > bytes || !p.together(l, t)) {
			break
		}
		n++
		size += int64(t.size)
	}
	return n, size
}

// ring tells that a gather may have lingered long enough.
func (p *partition) ring(g *gather) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return
	}
	if p.arm(g, time.Now()); g.rung {
		p.dispatch()
	}
}

// arm sets a gather's bell for its first lane, or rings it. p.mu is held.
func (p *partition) arm(g *gather, now time.Time) {
	g.rung = false
	linger := g.h.cfg.batch.linger
	if g.lanes.empty() || linger == 0 {
		return
	}
	if due := g.lanes.head.gathering.since.Add(linger); due.After(now) {
		p.e.due.add(g.bell, due)
		return
	}
	g.rung = true
}

// pick is a lane's share of a batch: records from its head.
type pick struct {
	l *lane
	n int
}

// takeBatch makes a batch of what waits in a gather, nil when nothing of that may run after all. p.mu is held.
func (p *partition) takeBatch(g *gather, now time.Time) *attempt {
	c := g.h.cfg.batch
	picks, n, bytes := p.picks[:0], 0, int64(0)
	for l := g.lanes.head; l != nil && n < c.size && (n == 0 || bytes < c.bytes); l = g.lanes.head {
		if n > 0 && bytes+int64(l.head.size) > c.bytes {
			break
		}
		g.lanes.pop()
		g.n -= l.gathering.n
		g.bytes -= l.gathering.bytes
		l.gathering = gathering{}
		if !p.passable(l, now) {
			continue
		}
		if l.head.handler != g.h || !p.batches(l) {
			p.makeReady(l)
			continue
		}
		if g.h.circuit != nil && g.h.circuit.opened.Load() {
			c.size = n + 1 // one is tried
		}
		picks = append(picks, p.pick(l, c.size-n, c.bytes-bytes, now))
		for t, i := l.head, picks[len(picks)-1].n; i > 0; t, i = t.next, i-1 {
			n++
			bytes += int64(t.size)
		}
		l.state = laneRunning // no other lane of its key may join
	}
	p.picks = picks
	p.arm(g, now)
	if n == 0 {
		return nil
	}
	return p.newBatch(g.h, picks, n, now)
}

// pick takes records from a lane that may run, as many as the handler's limits let it. The head has paid. p.mu is held.
func (p *partition) pick(l *lane, most int, bytes int64, now time.Time) pick {
	h := l.head.handler
	x, size := pick{l, 1}, int64(l.head.size)
	for t := l.head.next; t != nil && x.n < most && size+int64(t.size) <= bytes && p.together(l, t) && h.afford(t, now); t = t.next {
		x.n++
		size += int64(t.size)
	}
	return x
}

// batchOf makes the batch of a lane that runs by itself. p.mu is held.
func (p *partition) batchOf(l *lane, now time.Time) *attempt {
	h := l.head.handler
	x := pick{l, 1}
	if c := &h.cfg.batch; c.by == Key && p.batches(l) && (h.circuit == nil || !h.circuit.opened.Load()) {
		x = p.pick(l, c.size, c.bytes, now)
	}
	p.picks = append(p.picks[:0], x)
	return p.newBatch(h, p.picks, x.n, now)
}

// newBatch prepares an attempt of several records. p.mu is held.
func (p *partition) newBatch(h *handler, picks []pick, n int, now time.Time) *attempt {
	a := h.batch.prepare(n)
	a.p, a.h, a.started, a.base, a.deadline = p, h, now, p.e.base, now.Add(h.cfg.timeout)
	i := 0
	for _, k := range picks {
		k.l.state, k.l.run = laneRunning, a
		t := k.l.head
		for j := range k.n {
			x := a.parts[i]
			x.p, x.l, x.h, x.src, x.wait, x.task, x.started, x.number, x.lead = p, k.l, h, t.rec, t.wait, t, now, 1, a
			if j == 0 {
				x.number, x.span = k.l.attempts+1, k.l.span
			}
			t = t.next
			i++
		}
	}
	a.src, a.l = a.parts[0].src, a.parts[0].l
	return a
}
