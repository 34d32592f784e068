package inbox

import "iter"

// ID names an entry while it is in the index; 0 names none.
type ID uint32

// state is where an entry is. The legal moves:
//
//	handing ─► waits (acknowledged, or seen in the log)
//	waits ─► due (it is the first of its key, or holds none, and was read) ─► taken ─► due (put back), handing (to be tried again later), gone
//	ended: only to recognise a second copy of a redriven record
type state uint8

const (
	free    state = iota
	handing       // on its way to the inbox: its offset there is not known, or is that of the copy that it replaces
	waits         // behind another of its key, or not read yet
	due           // in the heap
	taken         // with the runner
	ended
)

// entry is one record that waits.
type entry struct {
	offset int64  // in the inbox; -1 where it is not there yet
	source int64  // its source offset
	due    int64  // milliseconds since 1970
	key    uint64 // what it holds; 0 for nothing
	next   ID     // the next one of its key, by source offset; in the free list the next free one
	place  uint32 // in the heap plus one, 0 when it is not in it
	scope  uint32
	check  uint32
	state  state
	free   bool // it holds nothing
}

// slab holds the entries in chunks, so that growing copies none.
type slab struct {
	chunks [][]entry
	unused ID // first of the free list
	n      int
}

const chunk = 1 << 10

func (s *slab) at(id ID) *entry { return &s.chunks[id/chunk][id%chunk] }

func (s *slab) take() ID {
	if s.unused == 0 {
		c := make([]entry, chunk)
		first := ID(len(s.chunks) * chunk)
		s.chunks = append(s.chunks, c)
		for i := ID(chunk - 1); ; i-- {
			if first+i != 0 { // 0 names none
				c[i].next = s.unused
				s.unused = first + i
			}
			if i == 0 {
				break
			}
		}
	}
	id := s.unused
	e := s.at(id)
	s.unused = e.next
	*e = entry{offset: -1}
	s.n++
	return id
}

func (s *slab) release(id ID) {
	*s.at(id) = entry{next: s.unused}
	s.unused = id
	s.n--
	if s.n == 0 {
		s.chunks, s.unused = nil, 0
	}
}

// all yields the entries that are in use.
func (s *slab) all() iter.Seq[ID] {
	return func(yield func(ID) bool) {
		for c := range s.chunks {
			for i := range s.chunks[c] {
				if s.chunks[c][i].state != free && !yield(ID(c*chunk+i)) {
					return
				}
			}
		}
	}
}
