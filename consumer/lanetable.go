package consumer

import (
	"bytes"
	"hash/maphash"
)

// laneTable finds lanes by key. It hashes keys itself and reads a lane's key from its first record, so that a lane costs no copy of its key and keeps no
// fetch buffer alive beyond its records. It is not a map because a lane comes and goes with each record where handlers are quick: lanes are chained through
// themselves, and the table has a slot for each, or twice or up to eight times as many.
type laneTable struct {
	seed  maphash.Seed
	slots []*lane // a power of two
	n     int
}

const leastSlots = 64 // 512 bytes a partition

func newLaneTable() laneTable {
	return laneTable{seed: maphash.MakeSeed(), slots: make([]*lane, leastSlots)}
}

func (t *laneTable) slot(hash uint64) **lane { return &t.slots[hash&uint64(len(t.slots)-1)] }

// find returns the lane of key, nil when there is none, and the key's hash.
func (t *laneTable) find(key []byte) (*lane, uint64) {
	h := maphash.Bytes(t.seed, key)
	for l := *t.slot(h); l != nil; l = l.chain {
		if l.hash == h && bytes.Equal(l.first().rec.Key, key) {
			return l, h
		}
	}
	return nil, h
}

func (t *laneTable) add(l *lane, hash uint64) {
	if t.n == len(t.slots) {
		t.resize(2 * t.n)
	}
	t.n++
	l.keyed, l.hash = true, hash
	t.chain(l)
}

func (t *laneTable) chain(l *lane) {
	slot := t.slot(l.hash)
	l.chain = *slot
	*slot = l
}

// remove takes out a lane; it does not need its records any more.
func (t *laneTable) remove(l *lane) {
	at := t.slot(l.hash)
	for *at != nil && *at != l {
		at = &(*at).chain
	}
	if *at == nil { // the table was cleared
		return
	}
	*at = l.chain
	l.keyed, l.chain = false, nil
	if t.n--; t.n < len(t.slots)/8 && len(t.slots) > leastSlots {
		t.resize(len(t.slots) / 2)
	}
}

func (t *laneTable) resize(slots int) {
	old := t.slots
	t.slots = make([]*lane, slots)
	for _, l := range old {
		for l != nil {
			next := l.chain
			t.chain(l)
			l = next
		}
	}
}

// clear forgets all lanes.
func (t *laneTable) clear() { t.slots, t.n = make([]*lane, leastSlots), 0 }

// each calls do for every lane.
func (t *laneTable) each(do func(*lane)) {
	for _, l := range t.slots {
		for ; l != nil; l = l.chain {
			do(l)
		}
	}
}
