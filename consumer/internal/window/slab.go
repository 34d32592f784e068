package window

const (
	chunkBits = 8
	chunkLen  = 1 << chunkBits

	// bounds is the index of the entry that is before the oldest and behind the newest; it is never freed.
	bounds = 0
	none   = -1
)

// entry is one record in flight, linked to its neighbours in the order of offsets.
type entry struct {
	offset     int64
	id         uint64 // of the Slot; 0 while the entry is free
	epoch      int32
	prev, next int32 // next links the free entries of a chunk, too
	// ended says that between the record before this one and this one some have ended. It is false for the oldest: those are below the mark. In
	// the entry at bounds it speaks of what is behind the newest.
	ended bool
	// pending says that the record ends with a transaction that is being committed.
	pending bool
}

// slab keeps entries at indexes that do not move, in chunks that are given back once nothing in them is in flight. At most one empty chunk is kept,
// so that a window that swings around a boundary does not allocate.
type slab struct {
	chunks []*chunk
	gone   []int32 // indexes of chunks that were given back
	open   int32   // the first chunk with a free entry, or none
	empty  int     // chunks with no entry in use
}

type chunk struct {
	entries    [chunkLen]entry
	free       int32 // index of the first free entry, or none
	used       int
	prev, next int32 // neighbours among the open chunks
}

func (s *slab) at(i int32) *entry { return &s.chunks[i>>chunkBits].entries[i&(chunkLen-1)] }

// take returns a free entry, and where it is.
func (s *slab) take() (int32, *entry) {
	if s.open == none {
		s.grow()
	}
	c := s.chunks[s.open]
	i := c.free
	e := s.at(i)
	c.free = e.next
	if c.used == 0 {
		s.empty--
	}
	c.used++
	if c.free == none {
		s.close(c)
	}
	return i, e
}

// release frees the entry at i.
func (s *slab) release(i int32, e *entry) {
	n := i >> chunkBits
	c := s.chunks[n]
	e.id = 0
	if c.free == none {
		s.reopen(n, c)
	}
	e.next, c.free = c.free, i
	if c.used--; c.used > 0 {
		return
	}
	if s.empty == 1 {
		s.unlink(n, c)
		s.chunks[n] = nil
		s.gone = append(s.gone, n)
		return
	}
	s.empty++
}

// grow opens a new chunk.
func (s *slab) grow() {
	var n int32
	if last := len(s.gone) - 1; last >= 0 {
		n, s.gone = s.gone[last], s.gone[:last]
	} else {
		n = int32(len(s.chunks))
		s.chunks = append(s.chunks, nil)
	}
	c := new(chunk)
	for i := range c.entries {
		c.entries[i].next = n<<chunkBits + int32(i) + 1
	}
	c.entries[chunkLen-1].next = none
	c.free = n << chunkBits
	s.chunks[n] = c
	s.empty++
	s.reopen(n, c)
}

// reopen puts chunk n before the other open ones.
func (s *slab) reopen(n int32, c *chunk) {
	c.prev, c.next = none, s.open
	if s.open != none {
		s.chunks[s.open].prev = n
	}
	s.open = n
}

// close takes the first open chunk, which is full, from the open ones.
func (s *slab) close(c *chunk) {
	s.open = c.next
	if s.open != none {
		s.chunks[s.open].prev = none
	}
}

// unlink takes chunk n from the open ones.
func (s *slab) unlink(n int32, c *chunk) {
	if s.open == n {
		s.close(c)
		return
	}
	s.chunks[c.prev].next = c.next
	if c.next != none {
		s.chunks[c.next].prev = c.prev
	}
}
