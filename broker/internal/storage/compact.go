package storage

import (
	"math"
	"slices"
	"sort"
	"time"

	"github.com/sordini-go/sordini/broker/internal/records"
)

// Compaction is what a topic's settings say of its compaction.
type Compaction struct {
	Dirty           float64       // min.cleanable.dirty.ratio: how much of the log has to be dirty
	MinLag, MaxLag  time.Duration // how long a record stays as it is at least, and at most
	DeleteRetention time.Duration // how long a tombstone stays after it was seen first
	SegmentBytes    int64         // segments are joined until they are that large
}

// Cleaning is one compaction of a log. It is taken from the log with [Log.Clean], carried out with [Cleaning.Run], which needs no lock because it
// touches neither the log nor its batches, and put in place with [Log.Replace].
type Cleaning struct {
	dir  *Dir  // nil: in memory alone
	end  int64 // nothing from here on is cleaned
	cuts int

	now       int64
	retention int64
	bytes     int64 // of a segment
	dirty     int64 // where the dirty part begins
	sources   []segment
	aborted   []Aborted
	last      map[int64]lastWritten

	offsets map[string]int64 // by key: the newest record of the dirty part
	txns    cleanedTxns
	results []*segment
}

// lastWritten is what a producer has written last: what compaction must not remove altogether, because it holds the sequence number.
type lastWritten struct {
	offset int64 // of its last record; NoOffset where a marker came after the records
	epoch  int16
}

// span is which part of a log can be cleaned.
type span struct {
	dirty, end  int64
	first, last int   // the segments from the first dirty one up to, not including, the first that must stay
	bytes       int64 // of those
	clean       int64 // bytes before them
	waits       int64 // when more can be cleaned because of its age, milliseconds; math.MaxInt64 for never
	overdue     bool  // max.compaction.lag.ms asks for it
}

// cleanable looks how much of the log may be cleaned: not the active segment, nothing from the last stable offset on, nothing that is too young.
func (l *Log) cleanable(now time.Time, stable int64, c Compaction) (s span) {
	s = span{dirty: l.cleaned, waits: math.MaxInt64}
	if s.dirty < l.start || s.dirty > l.end {
		s.dirty = l.start
	}
	active := len(l.segments) - 1
	s.first = max(sort.Search(active, func(i int) bool { return l.segments[i].base > s.dirty })-1, 0)
	earliest := int64(math.MaxInt64)
	s.last = s.first
	stopped := false
	for i := s.first; i < active; i++ {
		seg := l.segments[i]
		if seg.first > 0 {
			earliest = min(earliest, seg.first)
		}
		switch {
		case stopped:
		case l.segments[i+1].base > stable:
			stopped = true
		case c.MinLag > 0 && seg.largest() > now.Add(-c.MinLag).UnixMilli():
			s.waits = after(seg.largest(), c.MinLag)
			stopped = true
		default:
			s.bytes += seg.bytes
			s.last = i + 1
		}
	}
	if s.end = l.segments[s.last].base; s.end <= s.dirty {
		s.bytes = 0
	}
	for _, seg := range l.segments[:s.first] {
		s.clean += seg.bytes
	}
	if earliest != math.MaxInt64 && c.MaxLag < math.MaxInt64 {
		if due := after(earliest, c.MaxLag); due <= now.UnixMilli() {
			s.overdue = true
		} else {
			s.waits = min(s.waits, due)
		}
	}
	return s
}

// after is the first moment that is more than d past ms.
func after(ms int64, d time.Duration) int64 {
	if ms >= math.MaxInt64-1-d.Milliseconds() {
		return math.MaxInt64
	}
	return ms + d.Milliseconds() + 1
}

// due says whether Kafka would clean now.
func (s span) due(c Compaction) bool {
	return s.bytes > 0 && (s.overdue || float64(s.bytes)/float64(s.bytes+s.clean) > c.Dirty)
}

// CleanAt returns when the log should be looked at again, in milliseconds: now where it may be cleaned, later where some of it is too young, and false
// where that depends on what is written.
func (l *Log) CleanAt(now time.Time, stable int64, c Compaction) (ms int64, ok bool) {
	if len(l.segments) < 2 || l.broken {
		return 0, false
	}
	s := l.cleanable(now, stable, c)
	if s.due(c) {
		return now.UnixMilli(), true
	}
	return s.waits, s.waits != math.MaxInt64
}

// Clean begins a compaction. It returns nil where there is nothing to do: too little is dirty, or what is dirty must not be touched yet.
func (l *Log) Clean(now time.Time, stable int64, c Compaction) *Cleaning {
	if len(l.segments) < 2 || l.broken {
		return nil
	}
	s := l.cleanable(now, stable, c)
	if !s.due(c) {
		return nil
	}
	clean := &Cleaning{dir: l.dir, end: s.end, cuts: l.cuts, dirty: s.dirty, now: now.UnixMilli(), retention: c.DeleteRetention.Milliseconds(), bytes: c.SegmentBytes,
		aborted: l.AppendAborted(nil, 0, s.end), last: make(map[int64]lastWritten, len(l.producers))}
	for _, seg := range l.segments[:s.last] {
		copied := *seg
		copied.batches = slices.Clone(seg.batches) // the log lets go of single batches
		clean.sources = append(clean.sources, copied)
	}
	for id, p := range l.producers {
		w := lastWritten{offset: NoOffset, epoch: p.epoch}
		if p.n > 0 {
			a := p.newest()
			w.offset = a.base + int64((a.lastSeq-a.firstSeq)&math.MaxInt32)
		}
		clean.last[id] = w
	}
	return clean
}

// Run compacts. An error means that a batch cannot be read or, where it is [ErrStorage], that the result could not be written: there will be another time.
func (c *Cleaning) Run() error {
	if err := c.index(); err != nil {
		return err
	}
	c.txns = newCleanedTxns(c.aborted)
	for i := 0; i < len(c.sources); {
		n, size := i+1, c.sources[i].bytes
		for n < len(c.sources) && size+c.sources[n].bytes <= c.bytes && c.offsetsFit(i, n) {
			size += c.sources[n].bytes
			n++
		}
		if err := c.join(c.sources[i:n]); err != nil {
			return err
		}
		i = n
	}
	if c.dir != nil {
		return c.dir.writeCleaned(c.results)
	}
	return nil
}

// offsetsFit says whether the segments from i to n are close enough for one: Kafka's segments count offsets from their base in 32 bits.
func (c *Cleaning) offsetsFit(i, n int) bool {
	end := c.end
	if n+1 < len(c.sources) {
		end = c.sources[n+1].base
	}
	return end-1-c.sources[i].base <= math.MaxInt32
}

// index finds the newest record of each key in the dirty part.
func (c *Cleaning) index() error {
	c.offsets = make(map[string]int64)
	first := 0
	for first+1 < len(c.sources) && c.sources[first+1].base <= c.dirty {
		first++
	}
	txns := newCleanedTxns(slices.DeleteFunc(slices.Clone(c.aborted), func(a Aborted) bool { return a.Last < c.sources[first].base }))
	for i := range c.sources[first:] {
		for _, b := range c.sources[first+i].batches {
			if discard := txns.read(b); discard || b.Control() || b.LastOffset() < c.dirty {
				continue
			}
			for r, err := range b.Records() {
				if err != nil {
					return err
				}
				if r.Key != nil && r.Offset >= c.dirty {
					c.offsets[string(r.Key)] = r.Offset
				}
			}
		}
	}
	return nil
}

// join makes one segment of several.
func (c *Cleaning) join(group []segment) error {
	out := newSegment(group[0].base)
	out.modified, out.jitter = group[len(group)-1].modified, group[0].jitter
	for i := range group {
		for _, b := range group[i].batches {
			kept, err := c.clean(b)
			if err != nil {
				return err
			}
			if kept != nil {
				out.add(kept)
			}
		}
	}
	out.batches = slices.Clip(out.batches)
	c.results = append(c.results, out)
	return nil
}

// clean returns what stays of a batch: the batch itself, a smaller one, one without records, or nil.
func (c *Cleaning) clean(b records.Batch) (records.Batch, error) {
	discard := c.txns.read(b)
	horizon, seen := b.DeleteHorizon()
	gone := discard
	if b.Control() {
		gone = discard && seen && horizon <= c.now
	}
	needed := c.isLastOfProducer(b) || b.LastOffset()+1 == c.end
	if gone && !needed {
		return nil, nil
	}
	var kept []records.Record
	tombstones := false
	if !gone {
		for r, err := range b.Records() {
			if err != nil {
				return nil, err
			}
			if b.Control() || c.stays(b, r) {
				kept = append(kept, r)
				tombstones = tombstones || r.Value == nil
			}
		}
	}
	switch {
	case len(kept) == 0 && !needed, len(kept) == 0 && b.Count() == 0:
		if needed {
			return b, nil
		}
		return nil, nil
	case len(kept) == 0:
		return b.Empty(), nil
	}
	mark := !seen && (tombstones || discard && b.Control())
	switch {
	case len(kept) == int(b.Count()) && !mark:
		return b, nil
	case mark:
		horizon = c.now + c.retention
	case !seen:
		horizon = records.NoHorizon
	}
	return b.With(kept, horizon), nil
}

// isLastOfProducer says whether the batch holds the last thing that its producer wrote.
func (c *Cleaning) isLastOfProducer(b records.Batch) bool {
	if b.ProducerID() == records.NoProducer {
		return false
	}
	w, ok := c.last[b.ProducerID()]
	switch {
	case !ok:
		return false
	case w.offset != NoOffset:
		return b.LastOffset() == w.offset
	}
	return b.Control() && b.ProducerEpoch() == w.epoch
}

// stays says whether a record is the newest of its key, and no tombstone whose time has come.
func (c *Cleaning) stays(b records.Batch, r records.Record) bool {
	if r.Key == nil {
		return false
	}
	if newest, ok := c.offsets[string(r.Key)]; ok && r.Offset < newest {
		return false
	}
	if r.Value != nil {
		return true
	}
	horizon, seen := b.DeleteHorizon()
	return !seen || c.now < horizon
}

// Replace puts a finished compaction into its place. It does nothing and reports false where the log has been cut at either end meanwhile. What has
// been read before stays valid: its batches are still those that were read.
func (l *Log) Replace(c *Cleaning) (freed int64, ok bool) {
	if l.cuts != c.cuts {
		return 0, false
	}
	before := l.Bytes()
	if l.dir != nil && !l.dir.swap(c) {
		return 0, false
	}
	l.segments = append(c.results, l.segments[len(c.sources):]...)
	l.cleaned = c.end
	l.txns.aborted = slices.DeleteFunc(l.txns.aborted, func(a Aborted) bool { return a.Last < c.end && !c.txns.kept[a.Last] })
	if l.dir != nil {
		l.dir.reindex(l, c.results)
	}
	return before - l.Bytes(), true
}

// Broken says that the log holds what cannot be read, so that it is not cleaned any more.
func (l *Log) Broken() { l.broken = true }
