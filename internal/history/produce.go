package history

import (
	"cmp"
	"slices"
	"sort"
)

// sent is a send that names no offset.
type sent struct {
	id       uint64
	key      uint64
	producer uint32
	order    uint32
	seq      uint32
}

// stray is a record that was found where no receipt says it is.
type stray struct {
	id     uint64
	l      *logPart
	offset int64
	seq    uint32
	output bool
	sent   uint32 // event that accepted the same id elsewhere
}

func (s stray) String() string { return place(s.l.topic.name, s.l.partition, s.offset) }

// copyOf is a dead letter or an inbox record that was found.
type copyOf struct {
	l         *logPart // of the source
	offset    int64
	via       *logPart
	at        int64
	hash, key uint64
	seq       uint32
}

func (c *Checker) accepted(e *Event) {
	c.report.Accepted++
	l := c.log(e.Topic, e.Partition)
	page, i := l.note(e.Offset, c.key(e.Key))
	if page.flags[i]&logAccepted != 0 {
		c.violate(G10, []uint32{page.accepted[i], c.seq}, "%s: two sends were acknowledged with one offset", place(e.Topic, e.Partition, e.Offset))
	}
	page.flags[i] |= logAccepted
	page.accepted[i] = c.seq
	page.id[i] = l.topic.id(c, e.ID)
	if e.Undecodable {
		page.flags[i] |= logUndecodable
	}
	page.setHash(i, e.Hash)
	page.setOrder(i, sendOrder{uint32(e.Order), c.producer(e.Member)})
}

func (c *Checker) sent(e *Event) sent {
	return sent{id: c.topic(e.Topic).id(c, e.ID), key: c.key(e.Key), producer: c.producer(e.Member), order: uint32(e.Order), seq: c.seq}
}

func (c *Checker) unknownSend(e *Event) {
	c.report.Unknown++
	c.unknown = append(c.unknown, c.sent(e))
}

func (c *Checker) refusedSend(e *Event) {
	c.report.Refused++
	c.refused = append(c.refused, c.sent(e))
}

func (c *Checker) found(e *Event) {
	c.report.Found++
	l := c.log(e.Topic, e.Partition)
	if e.Via != nil {
		via := c.log(e.Via.Topic, e.Via.Partition)
		page, i := via.records.at(e.Via.Offset)
		page.flags[i] |= logFound
		c.copies = append(c.copies, copyOf{l, e.Offset, via, e.Via.Offset, e.Hash, c.key(e.Key), c.seq})
		return
	}
	page, i := l.note(e.Offset, c.key(e.Key))
	if page.flags[i]&logFound != 0 {
		return // read twice
	}
	page.flags[i] |= logFound
	if e.Undecodable {
		page.flags[i] |= logUndecodable
	}
	id := l.topic.id(c, e.ID)
	if page.flags[i]&logAccepted == 0 {
		c.strays = append(c.strays, stray{id: id, l: l, offset: e.Offset, seq: c.seq})
	} else {
		c.sameRecord(page, i, stray{id: id, l: l, offset: e.Offset, seq: c.seq})
		if h := page.hash(i); h != 0 && e.Hash != 0 && h != e.Hash {
			c.violate(G10, []uint32{page.accepted[i], c.seq}, "%s: the value that was found is not the one that was sent", place(e.Topic, e.Partition, e.Offset))
		}
	}
	page.setHash(i, e.Hash)
}

// sameRecord compares what was found with the receipt for that place.
func (c *Checker) sameRecord(page *logPage, i int, s stray) {
	if page.id[i] != s.id && page.id[i] != noHash && s.id != noHash {
		c.violate(G10, []uint32{page.accepted[i], s.seq}, "%s: another record is where the receipt says this one is", s)
	}
}

// settleStrays drops those that were accepted after they were found, and sorts the rest by id.
func (c *Checker) settleStrays() {
	c.strays = slices.DeleteFunc(c.strays, func(s stray) bool {
		page, i := s.l.records.get(s.offset)
		if page.flags[i]&logAccepted == 0 {
			return false
		}
		c.sameRecord(page, i, s)
		return true
	})
	slices.SortFunc(c.strays, func(a, b stray) int { return cmp.Or(cmp.Compare(a.id, b.id), cmp.Compare(a.seq, b.seq)) })
}

// produced judges what was found against what was sent: G10.
func (c *Checker) produced() {
	inOrder := func(a, b sent) int { return cmp.Or(cmp.Compare(a.id, b.id), cmp.Compare(a.seq, b.seq)) }
	slices.SortFunc(c.unknown, inOrder)
	slices.SortFunc(c.refused, inOrder)
	if len(c.strays) > 0 {
		c.eachLog(func(l *logPart) { c.acceptedElsewhere(l) })
	}
	for i := 0; i < len(c.strays); {
		j := i
		for j < len(c.strays) && c.strays[j].id == c.strays[i].id {
			j++
		}
		c.copiesOfOne(c.strays[i:j])
		i = j
	}
	c.eachLog(func(l *logPart) {
		c.missing(l)
		c.sendOrder(l)
	})
}

// acceptedElsewhere notes which strays have the id of an accepted record.
func (c *Checker) acceptedElsewhere(l *logPart) {
	for _, page := range l.records.byNumber {
		for i, f := range page.flags {
			if f&logAccepted == 0 || page.id[i] == noHash {
				continue
			}
			same := c.strayOf(page.id[i])
			for k := range same {
				same[k].sent = page.accepted[i]
			}
		}
	}
}

// copiesOfOne judges the strays of one id: each must come from a send whose outcome is unknown.
func (c *Checker) copiesOfOne(strays []stray) {
	s := strays[0]
	if s.id == noHash || s.output {
		return
	}
	unknown, refused := sends(c.unknown, s.id), sends(c.refused, s.id)
	seqs := []uint32{s.sent}
	for _, u := range slices.Concat(unknown, refused) {
		seqs = append(seqs, u.seq)
	}
	for _, s := range strays {
		seqs = append(seqs, s.seq)
	}
	switch n := len(strays); {
	case s.sent == 0 && len(unknown) == 0 && len(refused) > 0:
		c.violate(G10, seqs, "%s: the send was refused, and the record is there", s)
	case s.sent != 0 && n > len(unknown), len(unknown) > 0 && n > len(unknown):
		c.violate(G10, seqs, "%s: the record is there more often than it was sent", strays[n-1])
	case s.sent == 0 && len(unknown) == 0 && n > 1:
		c.violate(G10, seqs, "%s: the record is there %d times", strays[n-1], n)
	case s.sent == 0 && len(unknown) == 1 && n == 1: // this is where it went
		page, i := s.l.records.at(s.offset)
		page.setOrder(i, sendOrder{unknown[0].order, unknown[0].producer})
	}
}

func sends(all []sent, id uint64) []sent {
	from := sort.Search(len(all), func(i int) bool { return all[i].id >= id })
	to := from
	for to < len(all) && all[to].id == id {
		to++
	}
	return all[from:to]
}

// missing judges accepted records that an independent reader did not find.
func (c *Checker) missing(l *logPart) {
	if len(l.scanned) == 0 {
		return
	}
	for no, page := range l.records.byNumber {
		for i, f := range page.flags {
			if o := no*pageSize + int64(i); f&logAccepted != 0 && l.isGone(o, f) {
				c.violate(G10, []uint32{page.accepted[i]}, "%s: the send was acknowledged, and the record is not there", place(l.topic.name, l.partition, o))
			}
		}
	}
}

// isGone says that the log does not hold a record any more, and nobody took it.
func (l *logPart) isGone(offset int64, flags uint8) bool {
	return flags&logFound == 0 && ranges(l.scanned).has(offset) && !ranges(l.truncated).has(offset)
}

// sendOrder judges whether offsets follow the order of the sends, for each producer and key.
func (c *Checker) sendOrder(l *logPart) {
	type lane struct {
		key      uint64
		producer uint32
	}
	type last struct{ order, seq uint32 }
	var by map[lane]last
	for _, no := range l.records.numbers() {
		page := l.records.byNumber[no]
		if page.sent == nil {
			continue
		}
		for i, s := range page.sent {
			if s.order == 0 || page.key[i] <= nullHash {
				continue
			}
			if by == nil {
				by = map[lane]last{}
			}
			k := lane{page.key[i], s.producer}
			if was := by[k]; s.order < was.order {
				c.violate(G10, []uint32{was.seq, page.accepted[i]}, "%s: lies behind record %d of its key and producer, and was sent before it as %d",
					place(l.topic.name, l.partition, no*pageSize+int64(i)), was.order, s.order)
				continue
			}
			by[k] = last{s.order, page.accepted[i]}
		}
	}
}

func (c *Checker) eachLog(f func(*logPart)) {
	for _, t := range c.topics {
		for _, l := range t.parts {
			f(l)
		}
	}
}
