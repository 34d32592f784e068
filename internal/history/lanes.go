package history

import "slices"

// noLane is that of a record without an order: its key is null, or the group handles unordered.
const noLane = 0

// lane is where an ownership stands with one key: memory for keys in flight, not for keys seen.
type lane struct {
	highest int64   // offset that was started last in order
	open    []int64 // offsets that were started and have not ended, ascending; more than one only in a batch
	running int     // attempts that run
	start   uint32  // event of the last start
	call    int64   // and its call
}

// lanes of one ownership of a partition.
type lanes struct {
	byKey map[uint64]*lane
	sweep int // how many may be there before those that say nothing any more are dropped
	free  []*lane
}

func (ls *lanes) clear() { *ls = lanes{} }

// at is the lane of a key. What lies behind the committed position cannot be started again unseen, so idle lanes that say no more than that are
// dropped now and then.
func (ls *lanes) at(key uint64, position int64) *lane {
	if l := ls.byKey[key]; l != nil {
		return l
	}
	if ls.byKey == nil {
		ls.byKey, ls.sweep = map[uint64]*lane{}, 1024
	}
	if len(ls.byKey) >= ls.sweep {
		for k, l := range ls.byKey {
			if l.running == 0 && len(l.open) == 0 && l.highest < position {
				delete(ls.byKey, k)
				ls.free = append(ls.free, l)
			}
		}
		ls.sweep = max(1024, 2*len(ls.byKey))
	}
	var l *lane
	if n := len(ls.free); n > 0 {
		l = ls.free[n-1]
		ls.free = ls.free[:n-1]
		*l = lane{open: l.open[:0]}
	} else {
		l = new(lane)
	}
	l.highest = -1
	ls.byKey[key] = l
	return l
}

// lane of a record: its key, or the partition, or none.
func (p *groupPart) lane(offset int64) uint64 {
	switch p.g.Order {
	case Unordered:
		return noLane
	case PartitionOrder:
		return nullHash + 1
	}
	page, i := p.log.records.get(offset)
	if page == nil || page.key[i] <= nullHash {
		return noLane
	}
	return page.key[i]
}

// insert adds to an ascending list what it does not hold.
func insert(list []int64, v int64) []int64 {
	i, ok := slices.BinarySearch(list, v)
	if ok {
		return list
	}
	return slices.Insert(list, i, v)
}

func remove(list []int64, v int64) []int64 {
	if i, ok := slices.BinarySearch(list, v); ok {
		return slices.Delete(list, i, i+1)
	}
	return list
}
