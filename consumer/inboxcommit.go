package consumer

import (
	"slices"

	"github.com/sordini-go/sordini/consumer/internal/commitmeta"
)

// What an inbox has to say goes into the same request as its source partition, and is read in the same moment: a record that was handed off is over at its
// source before, or when, its copy is.

// inboxSnapshots reads what the partition's inboxes have to say. p.mu is held.
func (p *partition) inboxSnapshots() (snaps []*snapshot) {
	for _, x := range p.logs {
		if x.ix == nil {
			continue
		}
		s := &snapshot{p: p, log: x, version: p.version, epoch: -1}
		meta := commitmeta.Metadata{TopicID: x.id, LeaderEpoch: -1}
		meta.Base, meta.Completed = x.ix.Ahead()
		s.offset = meta.Base
		s.note = p.crash.note(x, s.offset)
		meta.Noted = s.note
		if s.encode(meta); meta.Bytes() > p.e.metadata.capacity()/2 {
			x.tight = true
			p.e.loadSoon()
		}
		snaps = append(snaps, s)
	}
	return snaps
}

// place is what a snapshot is of.
func (s *snapshot) place() tp {
	if s.log != nil {
		return tp{s.log.topic, s.log.partition}
	}
	return tp{s.p.topic.name, s.p.id}
}

func (s *snapshot) topicID() [16]byte {
	if s.log != nil {
		return s.log.id
	}
	return s.p.topic.id
}

// pend says that a task ends, or leaves the place where it was read, with a transaction, or with on false that the transaction was not committed. p.mu is held.
func (p *partition) pend(t *task, on bool) {
	if w := t.wait; w == nil {
		p.win.Pend(t.slot, on)
	} else if !w.over {
		w.log.ix.Pend(w.id, on)
	}
}

// pends reports whether anything ends with a transaction. p.mu is held.
func (p *partition) pends() bool {
	return p.win.Pending() > 0 || slices.ContainsFunc(p.logs, func(x *inboxLog) bool { return x.ix != nil && x.ix.Pending() > 0 })
}

// over ends a task where it was read. p.mu is held.
func (p *partition) over(t *task) {
	if w := t.wait; w == nil {
		p.win.Complete(t.slot)
	} else if !w.over {
		w.over = true
		w.log.ix.End(w.id)
		p.e.loadSoon()
	}
}

// readAt is where a task was read.
func (p *partition) readAt(t *task) tp {
	if w := t.wait; w != nil {
		return tp{w.log.topic, w.log.partition}
	}
	return tp{p.topic.name, p.id}
}
