package consumer

import (
	"bytes"
	"math"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sordini-go/sordini/serde"
)

// room says whether the record at offset may be admitted: whether the completion map would fit the commit's metadata whatever ends first. The map says which of
// the offsets since the mark are over; its size depends on how many are not and over what span they lie. Admission is what bounds both, so that the map is never
// cut: where one record is stuck, the others flow on as long as few are in flight beside it. p.mu is held.
func (p *partition) room(offset int64) bool {
	mark, _ := p.win.Mark()
	span := offset + 1 - mark
	if span <= minSafeSpan {
		return true
	}
	bits := mapBits(p.e.metadata.capacity())
	if span <= bits { // even as a bitmap
		return true
	}
	inFlight := p.win.InFlight()
	if inFlight == 0 {
		return true
	}
	// What the last owner's map names further on takes room as well.
	ahead := max(0, p.win.Holes()-inFlight-1)
	bits = max(bits/4, bits-int64(ahead)*runBits)
	return worstMap(inFlight+1, span) <= bits
}

const (
	minSafeSpan = 256 // fits the least limit that the runner goes by, or nearly
	runBits     = 24  // what a run of an old map is taken to need
	metaHead    = 96  // what the metadata holds beside the map, in bytes
)

// mapBits is how many bits a capacity of metadata, in bytes, leaves for the completion map.
func mapBits(capacity int) int64 {
	return int64(max(0, capacity-metaHead)) * 8
}

// worstMap is how many bits the map over span offsets takes at most when n of them were in flight and any of those have ended. It is what a code near the entropy
// of n holes at random takes, and two bits a hole more.
func worstMap(n int, span int64) int64 {
	return int64(float64(n) * (math.Log2(float64(span)/float64(n)) + 4))
}

// full says whether a partition is not to be fetched for a while: there is no room for what is kept behind, or nothing of it has ended for stalled while it holds more than its
// share of bounds that are half used up. One that is merely busy is fetched on: pausing costs what the client has buffered of it. p.mu is held.
func (p *partition) full(now time.Time) bool {
	owned := max(1, p.e.owns.Load())
	if p.hold&holdInbox != 0 { // for a moment, as a rule
		return now.Sub(p.lastEnd) >= stalled
	}
	if n := len(p.backlog); p.cramped() && (int64(n) > p.e.budget.maxRecords/4/owned || now.Sub(p.lastEnd) >= behind) {
		return true
	}
	if owned < 2 || now.Sub(p.lastEnd) < stalled {
		return false
	}
	b := p.e.budget
	return b.records.Load() > b.maxRecords/2 && int64(p.records) > b.maxRecords/2/owned ||
		b.bytes.Load() > b.maxBytes/2 && p.size > b.maxBytes/2/owned
}

// behind is how long nothing of a partition must have ended for it to be fetched no more while something of it is kept behind.
const behind = 100 * time.Millisecond

// stalled is how long nothing of a partition must have ended for it to be fetched no more while others are.
const stalled = time.Second

// drained says whether a partition that was full may be fetched again. p.mu is held.
func (p *partition) drained() bool {
	b := p.e.budget
	owned := max(1, p.e.owns.Load())
	return !p.cramped() && int64(p.records) <= b.maxRecords/4/owned && p.size <= b.maxBytes/4/owned
}

// idle is how long a record may hold its fetch buffer while it waits. What waits longer gets memory of its own: a single record would otherwise keep the batch
// that it came in.
const idle = time.Second

// idles says whether the lane has not moved for so long that what queues behind its head had better not hold a fetch buffer. p.mu is held.
func (l *lane) idles(now time.Time) bool {
	switch l.state {
	case laneWaiting, laneParked, laneHeld, laneAside, laneGated:
		return true
	case laneRunning:
		return now.Sub(l.run.started) > idle
	}
	return false
}

// detach returns a copy of a record that shares no memory with the batch it came in.
func detach(r *kgo.Record) *kgo.Record {
	c := *r
	c.Key, c.Value = bytes.Clone(r.Key), bytes.Clone(r.Value)
	c.Headers = serde.Headers(r.Headers).Clone()
	for i := range c.Headers {
		c.Headers[i].Key = string([]byte(c.Headers[i].Key))
	}
	return &c
}
