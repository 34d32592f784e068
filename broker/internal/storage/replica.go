package storage

import (
	"sort"

	"github.com/sordini-go/sordini/broker/internal/records"
)

// AppendReplica takes a batch that the leader has appended to its own log, with the offset and the epoch that it has there. The batch is shared: it is
// not written. Its offset must not lie before the log's end; there is a gap where the leader has compacted. It fails with [ErrStorage].
func (l *Log) AppendReplica(b records.Batch, now int64, lim Limits) error {
	return l.keep(b, now, lim)
}

// keep puts a batch at the end of the active segment, and learns from it. After a failure the log is as it was.
func (l *Log) keep(b records.Batch, now int64, lim Limits) error {
	s, err := l.active(b, lim)
	if err == nil && l.dir != nil {
		err = l.dir.write(s.base, b)
	}
	if err != nil {
		return err
	}
	l.assign(b.LeaderEpoch(), b.BaseOffset())
	l.learn(b, now)
	s.add(b)
	s.modified = now
	l.end = b.LastOffset() + 1
	return nil
}

// Truncate drops the batches that hold offset or lie beyond it, and what they brought: epochs, and the producers' state, which is what it was before
// they were appended. The log ends at offset afterwards; an offset before the log's start empties it and makes it start there, as a follower does
// whose leader's log begins later or ends earlier. At or beyond the end only epochs go that begin there and in which nothing was written.
func (l *Log) Truncate(offset int64) {
	if offset >= l.end {
		l.epochs.trimEnd(offset)
		return
	}
	if offset < l.start {
		l.Reset(offset)
		return
	}
	n := max(sort.Search(len(l.segments), func(i int) bool { return l.segments[i].base >= offset }), 1)
	removed := bases(l.segments[n:])
	clear(l.segments[n:])
	l.segments = l.segments[:n]
	l.segments[n-1].truncate(offset)
	l.end = offset
	l.cleaned = min(l.cleaned, offset)
	l.cuts++
	l.epochs.trimEnd(offset)
	l.relearn()
	if l.dir != nil {
		l.dir.truncate(l, removed)
	}
}

func bases(segments []*segment) (all []int64) {
	for _, s := range segments {
		all = append(all, s.base)
	}
	return all
}

// Reset empties the log and lets it begin at offset: a follower does so that is so far behind that the leader does not have what comes next.
func (l *Log) Reset(offset int64) {
	removed := bases(l.segments)
	*l = Log{segments: []*segment{newSegment(offset)}, start: offset, end: offset, dir: l.dir,
		producers: make(map[int64]*producer), before: make(map[int64]*producer), cuts: l.cuts + 1}
	if l.dir != nil {
		l.dir.reset(l, removed)
	}
}

// truncate drops the segment's batches that hold offset or lie beyond it.
func (s *segment) truncate(offset int64) {
	n := sort.Search(len(s.batches), func(i int) bool { return s.batches[i].LastOffset() >= offset })
	clear(s.batches[n:])
	s.batches = s.batches[:n]
	s.bytes, s.maxTime, s.gone = 0, -1, nowhere
	for _, b := range s.batches {
		s.bytes += int64(len(b))
		s.maxTime = max(s.maxTime, b.MaxTimestamp())
	}
}
