package history

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// A mutation breaks a good history in one place. It returns nil where the history has no such place.
type mutation struct {
	name string
	// caught are the guarantees one of which must be reported. Empty: the result is allowed, and why says so.
	caught []Guarantee
	why    string
	tx     bool // of histories with transactions
	apply  func(m *mutator) []Event
}

type mutator struct {
	r      *rand.Rand
	events []Event
}

// pick is the index of a random event that fits, or -1.
func (m *mutator) pick(fits func(i int, e *Event) bool) int {
	for i, at := range m.r.Perm(len(m.events)) {
		if i > 4000 {
			break
		}
		if fits(at, &m.events[at]) {
			return at
		}
	}
	return -1
}

// next is the index of the next event after i that fits, or -1.
func (m *mutator) next(i int, fits func(e *Event) bool) int {
	for j := i + 1; j < len(m.events); j++ {
		if fits(&m.events[j]) {
			return j
		}
	}
	return -1
}

func (m *mutator) drop(at ...int) []Event {
	var out []Event
	for i, e := range m.events {
		if !slices.Contains(at, i) {
			out = append(out, e)
		}
	}
	return out
}

// move takes the event at i out and puts it before the event at j.
func (m *mutator) move(i, j int) []Event {
	e := m.events[i]
	out := slices.Clone(m.events)
	if i < j {
		out = slices.Insert(out, j, e)
		return slices.Delete(out, i, i+1)
	}
	out = slices.Delete(out, i, i+1)
	return slices.Insert(out, j, e)
}

func (m *mutator) change(i int, f func(e *Event)) []Event {
	out := slices.Clone(m.events)
	f(&out[i])
	return out
}

func sameRecord(a, b *Event) bool {
	return a.Topic == b.Topic && a.Partition == b.Partition && a.Offset == b.Offset
}

func samePart(a, b *Event) bool { return a.Topic == b.Topic && a.Partition == b.Partition }

func sameRun(a, b *Event) bool { return sameRecord(a, b) && a.Member == b.Member && a.Fence == b.Fence }

// ownerAt says whether an event comes from the partition's latest owner before i, by its member.
func (m *mutator) ownerAt(i int, e *Event) bool {
	for j := i; j >= 0; j-- {
		if o := &m.events[j]; o.Kind == Assigned && samePart(o, e) {
			return o.Member == e.Member && (e.Fence == 0 || o.Fence == e.Fence)
		} else if (o.Kind == Revoked || o.Kind == Lost) && samePart(o, e) && o.Member == e.Member || o.Kind == RunEnd && o.Member == e.Member {
			return false
		}
	}
	return false
}

// begins says whether a handler was called in the ownership that begins with e.
func (m *mutator) begins(e *Event) bool {
	return m.count(func(x *Event) bool {
		return x.Kind == AttemptStart && samePart(x, e) && x.Member == e.Member && x.Fence == e.Fence
	}) > 0
}

func (m *mutator) count(fits func(e *Event) bool) int {
	n := 0
	for i := range m.events {
		if fits(&m.events[i]) {
			n++
		}
	}
	return n
}

// wasAccepted says that the record was accepted and not taken.
func (m *mutator) wasAccepted(e *Event) bool {
	taken := m.count(func(x *Event) bool {
		return x.Kind == Truncated && samePart(x, e) && slices.ContainsFunc(x.Ranges, func(r Range) bool { return r.From <= e.Offset && e.Offset < r.To })
	}) > 0
	return !taken && m.count(func(x *Event) bool { return x.Kind == Accepted && sameRecord(x, e) }) == 1
}

// plainRecord says that everything the group did with the record is one attempt after another by one owner, at its source, without an inbox.
func (m *mutator) plainRecord(e *Event) bool {
	return m.wasAccepted(e) && m.count(func(x *Event) bool { return x.Kind == Ended && sameRecord(x, e) }) == 1 &&
		m.count(func(x *Event) bool {
			return x.Group != "" && sameRecord(x, e) && (x.Via != nil && x.Kind != Found || (x.Kind == AttemptStart || x.Kind == AttemptEnd) && (x.Member != e.Member || x.Fence != e.Fence))
		}) == 0
}

var mutations = []mutation{
	{name: "the only outcome is forgotten", caught: []Guarantee{G1}, apply: func(m *mutator) []Event {
		i := m.pick(func(_ int, e *Event) bool {
			return e.Kind == Ended && e.Outcome <= Skipped && m.wasAccepted(e) &&
				m.count(func(x *Event) bool { return x.Kind == Ended && sameRecord(x, e) }) == 1
		})
		if i < 0 {
			return nil
		}
		return m.drop(i)
	}},
	{name: "a record is never delivered", caught: []Guarantee{G1}, apply: func(m *mutator) []Event {
		i := m.pick(func(_ int, e *Event) bool { return e.Kind == Accepted && m.wasAccepted(e) })
		if i < 0 {
			return nil
		}
		var gone []int
		for j := range m.events {
			if x := &m.events[j]; x.Group != "" && sameRecord(x, &m.events[i]) && x.Kind >= AttemptStart && x.Kind <= Redrive {
				gone = append(gone, j)
			}
		}
		return m.drop(gone...)
	}},
	{name: "a commit is asked for before a record it covers has ended", caught: []Guarantee{G2, G6}, apply: func(m *mutator) []Event {
		to := -1
		i := m.pick(func(i int, e *Event) bool { // a commit that covers, first, a record that ended before by the same owner
			if e.Kind != CommitStart || e.Topic != "orders" {
				return false
			}
			if m.next(i, func(x *Event) bool {
				return x.Kind == Commit && x.Call == e.Call && samePart(x, e) && x.Member == e.Member
			}) < 0 {
				return false
			}
			for j := i - 1; j >= 0; j-- {
				x := &m.events[j]
				if x.Group != "" && x.Member == e.Member && samePart(x, e) && x.Kind == Ended && x.Outcome == Handled && x.Via == nil && x.Offset < e.Offset && m.plainRecord(x) &&
					m.ownerAt(j, x) && m.count(func(y *Event) bool {
					return y.Kind == CommitStart && y.Seq < e.Seq && samePart(y, x) && (y.Offset > x.Offset || slices.Contains(y.Ranges, Range{x.Offset, x.Offset + 1}))
				}) == 0 {
					to = j
					return true
				}
			}
			return false
		})
		if i < 0 {
			return nil
		}
		return m.move(i, to)
	}},
	{name: "the completion map names a record that has not ended", caught: []Guarantee{G2, G6, G7}, apply: func(m *mutator) []Event {
		var victim int64
		i := m.pick(func(i int, e *Event) bool {
			if e.Kind != Commit || e.Topic != "orders" {
				return false
			}
			j := m.next(i, func(x *Event) bool {
				return x.Kind == AttemptStart && x.Via == nil && samePart(x, e) && x.Offset > e.Offset
			})
			if j < 0 {
				return false
			}
			x := &m.events[j]
			victim = x.Offset
			return m.plainRecord(x) && m.next(i, func(y *Event) bool { return y.Kind == Ended && sameRecord(y, x) }) > 0
		})
		if i < 0 {
			return nil
		}
		return m.change(i, func(e *Event) { e.Ranges = append(slices.Clone(e.Ranges), Range{victim, victim + 1}) })
	}},
	{name: "a commit is one record too far", caught: []Guarantee{G2, G6}, apply: func(m *mutator) []Event {
		i := m.pick(func(i int, e *Event) bool {
			if e.Kind != Commit || e.Topic != "orders" || slices.Contains(e.Ranges, Range{e.Offset, e.Offset + 1}) {
				return false
			}
			first := m.next(-1, func(x *Event) bool { return x.Kind == Ended && samePart(x, e) && x.Offset == e.Offset })
			return first > i && m.plainRecord(&m.events[first])
		})
		if i < 0 {
			return nil
		}
		out := m.change(i, func(e *Event) { e.Offset++ })
		for j := i; j >= 0; j-- {
			if x := &out[j]; x.Kind == CommitStart && x.Call == out[i].Call && samePart(x, &out[i]) && x.Member == out[i].Member {
				x.Offset++
				break
			}
		}
		return out
	}},
	{name: "a dead letter is not acknowledged", caught: []Guarantee{G2}, apply: func(m *mutator) []Event {
		i := m.pick(func(i int, e *Event) bool {
			if e.Kind != DeadLettered || m.count(func(x *Event) bool { return x.Kind == DeadLettered && sameRecord(x, e) }) > 1 {
				return false
			}
			j := m.next(i, func(x *Event) bool { return x.Kind == Ended && x.Outcome == Dead && sameRecord(x, e) })
			return j > 0 && m.ownerAt(j, &m.events[j])
		})
		if i < 0 {
			return nil
		}
		return m.drop(i)
	}},
	{name: "an acknowledged dead letter is not there", caught: []Guarantee{G2}, apply: func(m *mutator) []Event {
		i := m.pick(func(_ int, e *Event) bool { return e.Kind == Found && e.Via != nil })
		if i < 0 {
			return nil
		}
		return m.drop(i)
	}},
	{name: "two records of a key are swapped", caught: []Guarantee{G3}, apply: func(m *mutator) []Event {
		j := -1
		i := m.pick(func(i int, e *Event) bool {
			if e.Kind != AttemptStart || e.Attempt != 1 || e.Key == nil || e.Via != nil || !m.plainRecord(e) || !m.ownerAt(i, e) {
				return false
			}
			j = m.next(i, func(x *Event) bool {
				return x.Kind == AttemptStart && samePart(x, e) && string(x.Key) == string(e.Key) && x.Offset > e.Offset && x.Via == nil && x.Member == e.Member && x.Fence == e.Fence
			})
			return j > 0 && m.plainRecord(&m.events[j]) && m.ownerAt(j, &m.events[j])
		})
		if i < 0 {
			return nil
		}
		a, b := m.events[i], m.events[j]
		out := slices.Clone(m.events)
		for k := range out {
			switch x := &out[k]; {
			case x.Group == "" || x.Kind < AttemptStart || x.Kind > DeadLettered:
			case sameRecord(x, &a):
				x.Offset = b.Offset
			case sameRecord(x, &b):
				x.Offset = a.Offset
			}
		}
		return out
	}},
	{name: "an attempt goes on beside the next of its key", caught: []Guarantee{G3}, apply: func(m *mutator) []Event {
		j := -1
		i := m.pick(func(i int, e *Event) bool {
			if e.Kind != AttemptEnd || e.Cause != 0 || e.Outcome != Succeeded || e.Via != nil || !m.ownerAt(i, e) || !m.plainRecord(e) {
				return false
			}
			key := keyOf(m.events, e)
			j = m.next(i, func(x *Event) bool {
				return x.Kind == AttemptStart && samePart(x, e) && key != nil && string(x.Key) == string(key) && x.Member == e.Member && x.Fence == e.Fence
			})
			return j > 0 && m.ownerAt(j, &m.events[j])
		})
		if i < 0 {
			return nil
		}
		return m.move(i, j+1)
	}},
	{name: "a fence does not grow", caught: []Guarantee{G3}, apply: func(m *mutator) []Event {
		var last int64
		i := m.pick(func(i int, e *Event) bool {
			if e.Kind != Assigned {
				return false
			}
			for j := i - 1; j >= 0; j-- {
				if x := &m.events[j]; x.Kind == Assigned && samePart(x, e) {
					last = x.Fence
					return x.Member != e.Member && m.begins(x) && m.begins(e)
				}
			}
			return false
		})
		if i < 0 {
			return nil
		}
		own := m.events[i]
		out := slices.Clone(m.events)
		for k := i; k < len(out); k++ {
			if x := &out[k]; samePart(x, &own) && x.Member == own.Member && x.Fence == own.Fence {
				x.Fence = last
			}
		}
		return out
	}},
	{name: "an attempt starts after the revocation", caught: []Guarantee{G5}, apply: func(m *mutator) []Event {
		j := -1
		i := m.pick(func(i int, e *Event) bool {
			if e.Kind != AttemptStart || !m.ownerAt(i, e) {
				return false
			}
			j = m.next(i, func(x *Event) bool { return x.Kind == Revoked && samePart(x, e) && x.Member == e.Member })
			return j > 0 && m.ownerAt(j-1, e)
		})
		if i < 0 {
			return nil
		}
		out := slices.Clone(m.events)
		return slices.Insert(out, j+1, out[i])
	}},
	{name: "a handler that the revocation did not cancel", caught: []Guarantee{G5}, apply: func(m *mutator) []Event {
		i := m.pick(func(i int, e *Event) bool {
			if e.Kind != AttemptEnd || e.Cause != CauseRevoked {
				return false
			}
			outlived := false
			for j := i - 1; j >= 0; j-- {
				switch x := &m.events[j]; {
				case x.Kind == AttemptCancel && sameRun(x, e):
					return false
				case x.Kind == Revoked && samePart(x, e) && x.Member == e.Member:
					outlived = true
				case x.Kind == AttemptStart && sameRun(x, e):
					return outlived
				}
			}
			return false
		})
		if i < 0 {
			return nil
		}
		return m.change(i, func(e *Event) { e.Cause = 0 })
	}},
	{name: "a commit after the revocation", caught: []Guarantee{G5}, apply: func(m *mutator) []Event {
		i := m.pick(func(i int, e *Event) bool { return e.Kind == Revoked && m.ownerAt(i-1, e) })
		if i < 0 {
			return nil
		}
		c := m.events[i]
		c.Offset = 0
		c.Kind = CommitStart
		out := slices.Insert(slices.Clone(m.events), i+1, c)
		c.Kind = Commit
		return slices.Insert(out, i+2, c)
	}},
	{name: "an attempt that draining cut is counted", caught: []Guarantee{G6}, apply: func(m *mutator) []Event {
		j := -1
		i := m.pick(func(i int, e *Event) bool {
			if e.Kind != AttemptEnd || e.Cause != CauseDraining || e.Outcome == Succeeded || !m.ownerAt(i, e) {
				return false
			}
			j = m.next(i, func(x *Event) bool { return x.Kind == AttemptStart && sameRecord(x, e) })
			return j > 0 && m.ownerAt(j, &m.events[j])
		})
		if i < 0 {
			return nil
		}
		return m.change(j, func(e *Event) { e.Attempt = m.events[i].Attempt + 1 })
	}},
	{name: "an attempt that draining cut ends its record", caught: []Guarantee{G6}, apply: func(m *mutator) []Event {
		i := m.pick(func(i int, e *Event) bool {
			return e.Kind == AttemptEnd && e.Cause == CauseDraining && e.Outcome != Succeeded && m.ownerAt(i, e)
		})
		if i < 0 {
			return nil
		}
		e := m.events[i]
		e.Kind, e.Outcome, e.Cause, e.Err = Ended, Skipped, 0, ""
		return slices.Insert(slices.Clone(m.events), i+1, e)
	}},
	{name: "a committed record is handled again", caught: []Guarantee{G7}, apply: func(m *mutator) []Event {
		var again Event
		i := m.pick(func(i int, e *Event) bool {
			if e.Kind != Commit || e.Topic != "orders" || !m.ownerAt(i, e) {
				return false
			}
			for j := i - 1; j >= 0; j-- {
				x := &m.events[j]
				if x.Kind == AttemptStart && samePart(x, e) && x.Via == nil && x.Key == nil && x.Offset < e.Offset && x.Member == e.Member && m.ownerAt(i, x) && m.plainRecord(x) {
					again = *x
					return true
				}
			}
			return false
		})
		if i < 0 {
			return nil
		}
		return slices.Insert(slices.Clone(m.events), i+1, again)
	}},
	{name: "a clean stop without its last commit", caught: []Guarantee{G7}, apply: func(m *mutator) []Event {
		i := m.pick(func(_ int, e *Event) bool {
			if e.Kind != RunEnd || e.Outcome != Killed {
				return false
			}
			// A record that it ended, that no commit covered, and that its successor starts again.
			for j := range m.events {
				x := &m.events[j]
				if x.Kind != Ended || x.Member != e.Member || x.Seq > e.Seq || x.Via != nil || !m.ownerAt(j, x) || !m.ownerAt(int(e.Seq)-2, x) {
					continue
				}
				if x.Outcome == Handled && m.next(int(e.Seq), func(y *Event) bool { return y.Kind == AttemptStart && sameRecord(y, x) && y.Via == nil }) > 0 {
					return true
				}
			}
			return false
		})
		if i < 0 {
			return nil
		}
		return m.change(i, func(e *Event) { e.Outcome = Clean })
	}},
	{name: "a dead letter with other bytes", caught: []Guarantee{G9}, apply: func(m *mutator) []Event {
		i := m.pick(func(_ int, e *Event) bool { return e.Kind == Found && e.Via != nil && m.wasAccepted(e) })
		if i < 0 {
			return nil
		}
		return m.change(i, func(e *Event) { e.Hash ^= 6 })
	}},
	{name: "an accepted record is not there", caught: []Guarantee{G10}, apply: func(m *mutator) []Event {
		i := m.pick(func(_ int, e *Event) bool { return e.Kind == Found && e.Via == nil && m.wasAccepted(e) })
		if i < 0 {
			return nil
		}
		return m.drop(i)
	}},
	{name: "a record is there twice", caught: []Guarantee{G10}, apply: func(m *mutator) []Event {
		i := m.pick(func(_ int, e *Event) bool { return e.Kind == Found && e.Via == nil && m.wasAccepted(e) })
		if i < 0 {
			return nil
		}
		e := m.events[i]
		e.Offset += 1 << 40
		return slices.Insert(slices.Clone(m.events), i+1, e)
	}},
	{name: "a refused record is there", caught: []Guarantee{G10}, apply: func(m *mutator) []Event {
		i := m.pick(func(_ int, e *Event) bool { return e.Kind == Accepted && m.wasAccepted(e) })
		if i < 0 {
			return nil
		}
		return m.change(i, func(e *Event) { e.Kind, e.Offset = Refused, 0 })
	}},
	{name: "two sends of a key are swapped", caught: []Guarantee{G10}, apply: func(m *mutator) []Event {
		j := -1
		i := m.pick(func(i int, e *Event) bool {
			if e.Kind != Accepted || e.Key == nil {
				return false
			}
			j = m.next(i, func(x *Event) bool {
				return x.Kind == Accepted && samePart(x, e) && string(x.Key) == string(e.Key) && x.Member == e.Member
			})
			return j > 0
		})
		if i < 0 {
			return nil
		}
		out := slices.Clone(m.events)
		out[i].Order, out[j].Order = out[j].Order, out[i].Order
		return out
	}},
	{name: "taken, and nobody noticed", caught: []Guarantee{G1}, apply: func(m *mutator) []Event {
		i := m.pick(func(_ int, e *Event) bool {
			if e.Kind != Missed {
				return false
			}
			return m.count(func(x *Event) bool {
				return x.Kind == Accepted && samePart(x, e) && e.Ranges[0].From <= x.Offset && x.Offset < e.Ranges[0].To &&
					m.count(func(y *Event) bool { return y.Kind == Ended && sameRecord(y, x) }) == 0
			}) > 0
		})
		if i < 0 {
			return nil
		}
		var all []int // every owner notices it again until the commit is past it
		for j := range m.events {
			if x := &m.events[j]; x.Kind == Missed && samePart(x, &m.events[i]) {
				all = append(all, j)
			}
		}
		return m.drop(all...)
	}},

	{name: "a commit says it was aborted", tx: true, caught: []Guarantee{G11, G1, G7}, apply: func(m *mutator) []Event {
		i := m.pick(func(_ int, e *Event) bool { // no transaction whose end is not known held the same records: that one may have committed them
			return e.Kind == TxCommit && m.count(func(x *Event) bool {
				return x.Kind == Ended && x.Tx == e.Tx && m.count(func(y *Event) bool {
					return y.Kind == Ended && sameRecord(x, y) && m.count(func(z *Event) bool { return (z.Kind == TxCommit || z.Kind == TxAbort) && z.Tx == y.Tx }) == 0
				}) > 0
			}) == 0
		})
		if i < 0 {
			return nil
		}
		return m.change(i, func(e *Event) { e.Kind = TxAbort })
	}},
	{name: "an abort says it was committed", tx: true, caught: []Guarantee{G11, G7}, apply: func(m *mutator) []Event {
		i := m.pick(func(_ int, e *Event) bool { return e.Kind == TxAbort })
		if i < 0 {
			return nil
		}
		return m.change(i, func(e *Event) { e.Kind = TxCommit })
	}},
	{name: "an output is not visible", tx: true, caught: []Guarantee{G11}, apply: func(m *mutator) []Event {
		i := m.pick(func(_ int, e *Event) bool { // of a transaction whose commit was acknowledged
			if e.Kind != Found {
				return false
			}
			return m.count(func(x *Event) bool {
				return x.Kind == Output && x.ID == e.ID && m.count(func(y *Event) bool { return y.Kind == TxCommit && y.Tx == x.Tx }) > 0
			}) > 0
		})
		if i < 0 {
			return nil
		}
		return m.drop(i)
	}},
	{name: "an output is visible twice", tx: true, caught: []Guarantee{G11}, apply: func(m *mutator) []Event {
		i := m.pick(func(_ int, e *Event) bool { return e.Kind == Found })
		if i < 0 {
			return nil
		}
		e := m.events[i]
		e.Offset += 1 << 30
		return slices.Insert(slices.Clone(m.events), i+1, e)
	}},
	{name: "an aborted output is visible", tx: true, caught: []Guarantee{G11}, apply: func(m *mutator) []Event {
		i := m.pick(func(_ int, e *Event) bool {
			return e.Kind == Output && m.count(func(x *Event) bool { // no transaction with it has an end that is not known
				return x.Kind == Output && x.ID == e.ID && m.count(func(y *Event) bool { return y.Kind == TxAbort && y.Tx == x.Tx }) == 0
			}) == 0
		})
		if i < 0 {
			return nil
		}
		return append(slices.Clone(m.events), Event{Kind: Found, Topic: "shipped", Offset: 1 << 40, ID: m.events[i].ID})
	}},
	{name: "outputs without their offsets", tx: true, caught: []Guarantee{G11}, apply: func(m *mutator) []Event {
		i := m.pick(func(_ int, e *Event) bool {
			return e.Kind == CommitStart && m.count(func(y *Event) bool { return y.Kind == TxCommit && y.Tx == e.Tx }) > 0 &&
				m.count(func(y *Event) bool { return y.Kind == Output && y.Tx == e.Tx }) > 0
		})
		if i < 0 {
			return nil
		}
		return m.drop(i)
	}},

	{name: "a commit is forgotten", why: "a later one covers the same, and nobody relies on this one", apply: func(m *mutator) []Event {
		i := m.pick(func(_ int, e *Event) bool { return e.Kind == Commit })
		if i < 0 {
			return nil
		}
		return m.drop(i)
	}},
	{name: "the producer is told late", why: "a record may be handled before its Send returns", apply: func(m *mutator) []Event {
		i := m.pick(func(_ int, e *Event) bool { return e.Kind == Accepted })
		return m.move(i, len(m.events))
	}},
	{name: "a send was not recorded", why: "a record that is there once may come from anybody", apply: func(m *mutator) []Event {
		i := m.pick(func(_ int, e *Event) bool { return e.Kind == Accepted && !e.Undecodable })
		return m.drop(i)
	}},
	{name: "the start of a revocation is not recorded", why: "only its return matters", apply: func(m *mutator) []Event {
		i := m.pick(func(_ int, e *Event) bool { return e.Kind == Revoking })
		if i < 0 {
			return nil
		}
		return m.drop(i)
	}},
	{name: "an acknowledgement is recorded twice as asked", why: "a commit may be repeated", apply: func(m *mutator) []Event {
		i := m.pick(func(i int, e *Event) bool { return e.Kind == Commit && m.ownerAt(i, e) && e.Topic == "orders" })
		if i < 0 {
			return nil
		}
		e := m.events[i]
		e.Call += 1 << 40
		out := slices.Insert(slices.Clone(m.events), i+1, e, e)
		out[i+1].Kind = CommitStart
		return out
	}},
	{name: "a fenced outcome", why: "what a former owner says ends nothing", apply: func(m *mutator) []Event {
		i := m.pick(func(_ int, e *Event) bool { return e.Kind == Ended && e.Outcome == Handled })
		j := m.next(i, func(e *Event) bool {
			return e.Kind == Lost && samePart(e, &m.events[i]) && e.Member == m.events[i].Member
		})
		if i < 0 || j < 0 {
			return nil
		}
		return slices.Insert(slices.Clone(m.events), j+1, m.events[i])
	}},
	{name: "events of two partitions change places", why: "they have nothing to do with each other", apply: func(m *mutator) []Event {
		i := m.pick(func(i int, e *Event) bool {
			if i+1 == len(m.events) || e.Kind > Commit {
				return false
			}
			x := &m.events[i+1]
			return x.Kind <= Commit && e.Partition != x.Partition
		})
		if i < 0 {
			return nil
		}
		out := slices.Clone(m.events)
		out[i], out[i+1] = out[i+1], out[i]
		return out
	}},
}

// keyOf is the key of the record, from its first attempt.
func keyOf(events []Event, e *Event) []byte {
	for i := range events {
		if x := &events[i]; x.Kind == AttemptStart && sameRecord(x, e) {
			return x.Key
		}
	}
	return nil
}

func TestEveryMutationOfAGoodHistoryIsCaughtOrAllowed(t *testing.T) {
	seeds, least := uint64(40), 3
	if testing.Short() || raceEnabled {
		seeds, least = 12, 0
	}
	tried := map[string]int{}
	for seed := range seeds {
		plain, tx := newWorld(seed).run(60), txWorld(seed, 25)
		if err := Check(tx, worldOptions()).Err(); err != nil {
			t.Fatalf("transactions, seed %d: %v", seed, err)
		}
		for _, m := range mutations {
			good := plain
			if m.tx {
				good = tx
			}
			bad := m.apply(&mutator{r: rand.New(rand.NewPCG(seed, 3)), events: good})
			if bad == nil {
				continue
			}
			for i := range bad {
				bad[i].Seq = int64(i + 1)
			}
			tried[m.name]++
			r := Check(bad, worldOptions())
			if len(m.caught) == 0 {
				if !r.OK() {
					t.Errorf("seed %d: %s: allowed, for %s, and reported as\n%s", seed, m.name, m.why, r)
				}
				continue
			}
			if !slices.ContainsFunc(m.caught, func(g Guarantee) bool { return r.Totals[g] > 0 }) {
				t.Errorf("seed %d: %s: reported as %q, want one of %v\n%s", seed, m.name, broken(r), m.caught, r)
			}
		}
	}
	for _, m := range mutations {
		if tried[m.name] < least {
			t.Errorf("%s: tried %d times: the worlds are too tame", m.name, tried[m.name])
		}
	}
	t.Logf("%v", tried)
}
