package history

import (
	"cmp"
	"iter"
	"slices"
	"sort"
)

// tx is one transaction of a group.
type tx struct {
	g       *group
	name    string
	number  uint32
	unknown bool // nobody recorded how it ended
	state   txState
	end     uint32
	offsets []txOffset
	ended   []txEnded
	sources []txSource
	deaths  []death
}

type txState uint8

const (
	txOpen txState = iota // or its end is not known
	txCommitted
	txAborted
)

// txOffset is what a transaction commits of one partition.
type txOffset struct {
	p      *groupPart
	start  commitStart
	ranges ranges
}

// txEnded is an outcome that holds if the transaction commits, and what was before.
type txEnded struct {
	p, q       *groupPart // of the record and of its copy
	offset, at int64
	flags      uint16 // of the record
	handled    uint32
	first      bool // the copy had not ended before
	waited     bool // the record held its key from the inbox
	outcome    Outcome
	again      bool       // it was counted as a duplicate
	inbox      *groupPart // where it was handed to, nil for nowhere
	handed     int64
}

// txSource is a record on whose behalf something is in the transaction.
type txSource struct {
	q   *groupPart
	at  int64
	seq uint32
}

// txOut is an output.
type txOut struct {
	id  uint64
	tx  uint32 // index in Checker.txs
	seq uint32
	to  *topic
}

func (g *group) transaction(c *Checker, name string) *tx {
	t := g.txs[name]
	if t == nil {
		t = &tx{g: g, name: name, number: uint32(len(c.txs))}
		g.txs[name] = t
		c.txs = append(c.txs, t)
	}
	return t
}

func (g *group) tx(c *Checker, e *Event) {
	if e.Tx == "" {
		c.malformed(e, "a transaction has no name")
		return
	}
	t := g.transaction(c, e.Tx)
	switch {
	case t.state != txOpen:
		c.malformed(e, "the transaction "+e.Tx+" has ended before")
	case e.Kind == TxCommit:
		g.commit(c, t)
	case e.Kind == TxAbort:
		t.abort(c)
	}
}

// output adds an output to a transaction.
func (c *Checker) output(e *Event) {
	if e.Tx == "" || e.To == nil || e.ID == "" {
		c.malformed(e, "an output needs a transaction, a topic and an id")
		return
	}
	p := c.part(e)
	q, at := p.copy(c, e)
	t := p.g.transaction(c, e.Tx)
	to := c.topic(e.To.Topic)
	t.sources = append(t.sources, txSource{q, at, c.seq})
	c.outputs = append(c.outputs, txOut{id: to.id(c, e.ID), tx: t.number, seq: c.seq, to: to})
}

// commit applies the offsets of a transaction. They must cover every record whose outputs it carries.
func (g *group) commit(c *Checker, t *tx) {
	t.state = txCommitted
	if !t.unknown {
		t.end = c.seq
	}
	for _, o := range t.offsets {
		o.p.cover(c, o.start, o.ranges, t)
	}
	c.deaths = append(c.deaths, t.deaths...)
	for _, e := range t.ended {
		cpy, j := e.q.records.at(e.at)
		cpy.flags[j] |= copyFirm
		if e.inbox != nil {
			e.inbox.log.note(e.handed, noHash) // had the transaction been aborted, nothing would be there
		}
	}
	for _, s := range t.sources {
		covered := slices.ContainsFunc(t.offsets, func(o txOffset) bool {
			return o.p == s.q && (s.at < o.start.position || o.ranges.has(s.at))
		})
		if !covered {
			c.violate(G11, []uint32{s.seq, c.seq}, "%s: transaction %s commits its output without its offset", s.q.record(s.at), t.name)
		}
	}
	t.settle()
}

// abort takes the outcomes back.
func (t *tx) abort(c *Checker) {
	t.state = txAborted
	if !t.unknown {
		t.end = c.seq
	}
	for i := len(t.ended) - 1; i >= 0; i-- {
		t.ended[i].undo(t)
	}
	for _, o := range t.offsets {
		o.p.lanes.clear()
	}
	for _, d := range t.deaths {
		rec, i := d.p.records.at(d.offset)
		rec.flags[i] &^= recordAcked // it needs another dead letter
	}
	t.settle()
}

func (t *tx) settle() {
	for _, e := range t.ended {
		if e.q.pending[e.at] == t {
			delete(e.q.pending, e.at)
		}
	}
	t.offsets, t.ended, t.sources, t.deaths = nil, nil, nil, nil
}

// pend remembers what an outcome changes, before it does.
func (p *groupPart) pend(c *Checker, e *Event, q *groupPart, at int64) {
	t := p.g.transaction(c, e.Tx)
	if t.state != txOpen {
		c.malformed(e, "the transaction "+e.Tx+" has ended before")
		return
	}
	rec, i := p.records.at(e.Offset)
	cpy, j := q.records.at(at)
	if q.pending == nil {
		q.pending = map[int64]*tx{}
	}
	q.pending[at] = t
	var inbox *groupPart
	var handed int64
	if e.Outcome == Handed {
		inbox, handed = c.inbox(p, e.To), e.To.Offset
	}
	t.ended = append(t.ended, txEnded{
		inbox: inbox, handed: handed,
		p: p, q: q, offset: e.Offset, at: at, flags: rec.flags[i], handled: rec.handled[i], first: cpy.flags[j]&copyEnded == 0,
		waited: slices.Contains(p.waiting[p.lane(e.Offset)], e.Offset), outcome: e.Outcome,
		again: e.Outcome != Handed && rec.flags[i]&finalMask != 0 && !e.Redriven,
	})
}

// firm notes an outcome that is in no transaction: what another member has staged of the same copy, in a transaction that has not ended, changes nothing any more.
func (p *groupPart) firm(cpy *groupPage, j int, at int64) {
	if t := p.pending[at]; t != nil {
		delete(p.pending, at)
		if slices.ContainsFunc(t.ended, func(e txEnded) bool { return e.q == p && e.at == at && e.first }) && cpy.flags[j]&copyFirm == 0 {
			cpy.flags[j] &^= copyEnded
			cpy.end[j] = 0
		}
	}
	cpy.flags[j] |= copyFirm
}

func (e txEnded) undo(t *tx) {
	if e.q.pending[e.at] != t {
		return // a later transaction has it
	}
	rec, i := e.p.records.at(e.offset)
	cpy, j := e.q.records.at(e.at)
	e.p.stand(rec, i, e.flags&finalMask)
	rec.flags[i] = rec.flags[i]&^recordLeft | e.flags&recordLeft
	rec.handled[i] = e.handled
	cpy.flags[j] = cpy.flags[j]&^copyCurrent | copyVoid
	if e.first && cpy.flags[j]&copyFirm == 0 {
		cpy.flags[j] &^= copyEnded
		cpy.end[j] = 0
	}
	switch {
	case e.outcome == Handed:
		e.p.g.counts.Handed--
		if !e.waited {
			e.p.unwait(e.offset)
		}
	case e.waited:
		e.p.wait(e.offset)
	}
	if e.again {
		e.p.g.counts.Duplicates--
	}
	e.p.lanes.clear()
}

// resolve settles the transactions whose end nobody recorded: they committed if an output of theirs is there and no other transaction accounts for it,
// or if they have none. Of two that hold the same output the later one committed: had the earlier one, its records would not have come again.
func (c *Checker) resolve() {
	slices.SortFunc(c.outputs, func(a, b txOut) int { return cmp.Or(cmp.Compare(a.id, b.id), cmp.Compare(a.seq, b.seq)) })
	left := map[uint64]int{} // copies that no committed transaction accounts for
	open := map[*tx][]txOut{}
	for same := range byID(c.outputs) {
		unaccounted := len(c.strayOf(same[0].id))
		unknown := false
		for _, o := range same {
			switch t := c.txs[o.tx]; t.state {
			case txCommitted:
				unaccounted--
			case txOpen:
				open[t] = append(open[t], o)
				unknown = true
			}
		}
		if unknown {
			left[same[0].id] = unaccounted
		}
	}
	for _, t := range slices.Backward(c.txs) {
		if t.state != txOpen {
			continue
		}
		t.unknown = true
		there, absent := false, false
		for _, o := range open[t] {
			there = there || left[o.id] > 0
			absent = absent || o.to.scanned
		}
		switch {
		case there:
			for _, o := range open[t] {
				left[o.id]--
			}
			t.g.commit(c, t)
		case absent:
			t.abort(c)
		default:
			t.settle() // nothing shows how it ended: what it says is taken as said
		}
	}
}

// byID yields the outputs of one id together; they are sorted by it.
func byID(outputs []txOut) iter.Seq[[]txOut] {
	return func(yield func([]txOut) bool) {
		for i := 0; i < len(outputs); {
			j := i + 1
			for j < len(outputs) && outputs[j].id == outputs[i].id {
				j++
			}
			if !yield(outputs[i:j]) {
				return
			}
			i = j
		}
	}
}

// strayOf are the records found with that id where nothing was accepted.
func (c *Checker) strayOf(id uint64) []stray {
	from := sort.Search(len(c.strays), func(i int) bool { return c.strays[i].id >= id })
	to := from
	for to < len(c.strays) && c.strays[to].id == id {
		to++
	}
	return c.strays[from:to]
}

// exactlyOnce compares outputs with what a read_committed reader found: G11.
func (c *Checker) exactlyOnce() {
	for same := range byID(c.outputs) {
		var committed, unknown int
		seqs := []uint32{}
		for _, o := range same {
			t := c.txs[o.tx]
			seqs = append(seqs, o.seq, t.end)
			switch t.state {
			case txCommitted:
				committed++
			case txOpen:
				unknown++
			}
		}
		out := same[0]
		strays := c.strayOf(out.id)
		for k := range strays {
			strays[k].output = true
			seqs = append(seqs, strays[k].seq)
		}
		switch found := len(strays); {
		case committed+unknown == 0 && found > 0:
			c.violate(G11, seqs, "%s: an output of an aborted transaction is visible", strays[0])
		case committed > 1:
			c.violate(G11, seqs, "topic %s: one output is committed by %d transactions", out.to.name, committed)
		case found > 1:
			c.violate(G11, seqs, "%s: one output is visible %d times", strays[0], found)
		case found < committed && out.to.scanned:
			c.violate(G11, seqs, "topic %s: an output of a committed transaction is not there", out.to.name)
		}
	}
}
