package consumer

import (
	"cmp"
	"slices"
	"time"

	"github.com/sordini-go/sordini/consumer/internal/commitmeta"
)

// What is known of records that failed outlives the ownership: how often, since when, and when they are due again stand in the commit's metadata. The next
// owner goes on counting where the last one stopped, and a dead letter tells the whole story.

// list notes that the head of a lane failed. p.mu is held.
func (p *partition) list(l *lane) {
	if l.failing {
		return
	}
	l.failing, l.before, l.after = true, nil, p.failing
	if p.failing != nil {
		p.failing.before = l
	}
	p.failing = l
}

// unlist undoes list. p.mu is held.
func (p *partition) unlist(l *lane) {
	if !l.failing {
		return
	}
	if l.before != nil {
		l.before.after = l.after
	} else {
		p.failing = l.after
	}
	if l.after != nil {
		l.after.before = l.before
	}
	l.failing, l.before, l.after = false, nil, nil
}

// attempts is what a commit at mark says of records that failed. p.mu is held.
func (p *partition) attempts(mark int64) []commitmeta.Attempt {
	if p.failing == nil && p.past == nil {
		return nil
	}
	var all []commitmeta.Attempt
	for l := p.failing; l != nil; l = l.after {
		if l.attempts > 0 && l.head.wait == nil && l.head.rec.Offset >= mark {
			all = append(all, commitmeta.Attempt{Offset: l.head.rec.Offset, Attempts: l.attempts, FirstFailed: l.firstFailed, Due: l.again})
		}
	}
	for offset, a := range p.past {
		if offset < mark {
			delete(p.past, offset) // it is over, or gone
			continue
		}
		all = append(all, a)
	}
	slices.SortFunc(all, byOffset)
	return all
}

func byOffset(a, b commitmeta.Attempt) int { return cmp.Compare(a.Offset, b.Offset) }

// past is what the last owner wrote, for recall.
func past(attempts []commitmeta.Attempt) map[int64]commitmeta.Attempt {
	if len(attempts) == 0 {
		return nil
	}
	m := make(map[int64]commitmeta.Attempt, len(attempts))
	for _, a := range attempts {
		m[a.Offset] = a
	}
	return m
}

// recall gives the head of a lane what earlier ownerships know of it, and reports whether it has to wait because it is not due yet. p.mu is held.
func (p *partition) recall(l *lane, now time.Time) (waits bool) {
	a, ok := p.past[l.head.rec.Offset]
	if !ok || l.head.wait != nil {
		return false
	}
	if delete(p.past, a.Offset); len(p.past) == 0 {
		p.past = nil
	}
	l.attempts, l.firstFailed = a.Attempts, a.FirstFailed
	p.list(l)
	if !a.Due.After(now) {
		return false
	}
	l.again, l.state = a.Due, laneWaiting
	l.head.rec = detach(l.head.rec)
	p.e.due.add(l, a.Due)
	return true
}

// fitting is the attempts that fit the capacity, in bytes, beside the map: those of the records that were tried most, of the oldest where they are alike.
func fitting(meta commitmeta.Metadata, capacity int) []commitmeta.Attempt {
	if len(meta.Attempts) == 0 {
		return nil
	}
	all := meta.Attempts
	meta.Attempts = nil
	room := capacity - meta.Bytes()
	bare := commitmeta.Metadata{Base: meta.Base}
	head := bare.Bytes()
	fit := func(attempts []commitmeta.Attempt) bool {
		with := bare
		with.Attempts = attempts
		return with.Bytes()-head <= room
	}
	if fit(all) {
		return all
	}
	byWeight := slices.Clone(all)
	slices.SortFunc(byWeight, func(a, b commitmeta.Attempt) int {
		return cmp.Or(cmp.Compare(b.Attempts, a.Attempts), cmp.Compare(a.Offset, b.Offset))
	})
	pick := func(n int) []commitmeta.Attempt {
		some := slices.Clone(byWeight[:n])
		slices.SortFunc(some, byOffset)
		return some
	}
	least, most := 0, min(len(all), max(room, 0)) // an attempt takes a byte and more
	for least < most {
		if n := (least + most + 1) / 2; fit(pick(n)) {
			least = n
		} else {
			most = n - 1
		}
	}
	return pick(least)
}
