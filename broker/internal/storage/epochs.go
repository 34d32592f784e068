package storage

import "sort"

// NoEpoch and NoOffset are what Kafka answers where an epoch or its end is not known.
const (
	NoEpoch  = -1
	NoOffset = -1
)

// epochs remembers at which offset each leader epoch began, oldest first (KIP-101).
type epochs []epochStart

type epochStart struct {
	epoch int32
	start int64
}

// assign notes that epoch begins at offset. An epoch that is already known, or older than the newest, changes nothing: it reports false.
func (e *epochs) assign(epoch int32, offset int64) bool {
	if n := len(*e); n > 0 {
		last := &(*e)[n-1]
		if last.epoch >= epoch {
			return false
		}
		if last.start == offset { // the older epoch wrote nothing
			*last = epochStart{epoch, offset}
			return true
		}
	}
	*e = append(*e, epochStart{epoch, offset})
	return true
}

// at returns the epoch that wrote offset.
func (e epochs) at(offset int64) int32 {
	i := sort.Search(len(e), func(i int) bool { return e[i].start > offset })
	if i == 0 {
		return NoEpoch
	}
	return e[i-1].epoch
}

// latest returns the newest epoch.
func (e epochs) latest() int32 {
	if len(e) == 0 {
		return NoEpoch
	}
	return e[len(e)-1].epoch
}

// end returns the largest epoch that is not above the one asked for, and the offset at which it ended; logEnd ends the newest.
func (e epochs) end(epoch int32, logEnd int64) (int32, int64) {
	switch {
	case epoch == NoEpoch || len(e) == 0:
		return NoEpoch, NoOffset
	case epoch == e.latest():
		return epoch, logEnd
	}
	i := sort.Search(len(e), func(i int) bool { return e[i].epoch > epoch })
	switch i {
	case len(e):
		return NoEpoch, NoOffset // newer than any
	case 0:
		return epoch, e[0].start // older than any
	}
	return e[i-1].epoch, e[i].start
}

// trimStart forgets what lies wholly before offset, keeping the epoch that offset belongs to.
func (e *epochs) trimStart(offset int64) {
	i := sort.Search(len(*e), func(i int) bool { return (*e)[i].start > offset })
	if i == 0 {
		return
	}
	*e = (*e)[i-1:]
	(*e)[0].start = max((*e)[0].start, offset)
}

// trimEnd forgets the epochs that begin at offset or beyond it.
func (e *epochs) trimEnd(offset int64) {
	*e = (*e)[:sort.Search(len(*e), func(i int) bool { return (*e)[i].start >= offset })]
}
