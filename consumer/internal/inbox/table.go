package inbox

import "math/bits"

// table finds entries by a hash, with open addressing: four bytes a slot, at most three quarters of them used. It holds the ids alone; who asks compares.
type table struct {
	slots []ID
	used  int
	hash  func(ID) uint64
}

// find returns the first id with this hash that is right, 0 for none.
func (t *table) find(hash uint64, right func(ID) bool) ID {
	if len(t.slots) == 0 {
		return 0
	}
	for i := t.home(hash); ; i = t.after(i) {
		id := t.slots[i]
		if id == 0 || right(id) {
			return id
		}
	}
}

func (t *table) home(hash uint64) int {
	return int(mix(hash) >> (64 - bits.TrailingZeros(uint(len(t.slots)))))
}

func (t *table) after(i int) int { return (i + 1) & (len(t.slots) - 1) }

// mix spreads hashes that are offsets.
func mix(h uint64) uint64 { return (h ^ h>>32) * 0x9e3779b97f4a7c15 }

func (t *table) add(id ID) {
	if 4*(t.used+1) > 3*len(t.slots) {
		old := t.slots
		t.slots = make([]ID, max(16, 2*len(old)))
		for _, id := range old {
			if id != 0 {
				t.place(id)
			}
		}
	}
	t.place(id)
	t.used++
}

func (t *table) place(id ID) {
	i := t.home(t.hash(id))
	for t.slots[i] != 0 {
		i = t.after(i)
	}
	t.slots[i] = id
}

// swap puts another id of the same hash in the place of one.
func (t *table) swap(old, id ID) {
	for i := t.home(t.hash(old)); t.slots[i] != 0; i = t.after(i) {
		if t.slots[i] == old {
			t.slots[i] = id
			return
		}
	}
}

// remove takes an id out and closes the gap.
func (t *table) remove(id ID) {
	if len(t.slots) == 0 {
		return
	}
	i := t.home(t.hash(id))
	for t.slots[i] != id {
		if t.slots[i] == 0 {
			return
		}
		i = t.after(i)
	}
	t.used--
	for j := i; ; {
		t.slots[i] = 0
		for {
			if j = t.after(j); t.slots[j] == 0 {
				return
			}
			// What is at j may move to i unless its home lies behind i.
			if home := t.home(t.hash(t.slots[j])); (j-home)&(len(t.slots)-1) >= (j-i)&(len(t.slots)-1) {
				break
			}
		}
		t.slots[i] = t.slots[j]
		i = j
	}
}
