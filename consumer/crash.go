package consumer

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/sordini-go/sordini/consumer/internal/commitmeta"
)

// A record that kills its process would do so for ever: nothing is left that could count it as an attempt. So what is about to happen is counted in advance, in
// the commit's metadata, and taken back by whoever lives to do so. A start counts before its first record is handled; progress (the mark moved) or handing the
// partition over takes it back, so that no restart, rebalance or deploy counts. After crashLoop starts that nobody took back the partition's records run one at
// a time, and the one that is about to run is noted in the same way. Whose note was not taken back twice dies without being tried again.

const (
	crashLoop     = 3               // starts that ended in a crash before records run one at a time
	aloneFor      = 1000            // attempts that run alone before it is taken for over: more than what ran at once, since what ended last was not committed
	crashesOfOne  = 2               // crashes while a record ran alone that convict it
	startPatience = 5 * time.Second // how long a first start waits for its commit
)

// crashWatch is what one ownership knows of crashes. The partition's mutex guards it.
type crashWatch struct {
	from     int64     // the mark when the ownership began
	until    int64     // the log's end then: the culprit is before it
	since    time.Time // when the ownership began
	earlier  int       // starts with the mark where it was that nobody took back
	counted  bool      // commits count this one
	over     bool      // it was handed over: commits take it back
	courtesy bool      // nothing but that is to be committed

	alone   bool            // records run one at a time
	suspect commitmeta.Note // the record that ran when the process died; an inbox has a suspect of its own
	permit  *lane           // whose head may run, once its note is acknowledged
	at      readPlace       // where that head was read
	noted   bool            // it is acknowledged
	lived   int             // attempts that ran alone and returned
}

// readPlace is where a record was read: in the source, where log is nil, or in an inbox. It is noted in the commit of that place.
type readPlace struct {
	log    *inboxLog
	offset int64
}

// place is where the task was read.
func (t *task) place() readPlace {
	if w := t.wait; w != nil {
		return readPlace{w.log, w.offset}
	}
	return readPlace{nil, t.rec.Offset}
}

// suspectOf is who is under suspicion of the records that are read there.
func (c *crashWatch) suspectOf(log *inboxLog) *commitmeta.Note {
	if log != nil {
		return &log.suspect
	}
	return &c.suspect
}

// suspected takes over what the last ownership noted of a place.
func suspected(noted commitmeta.Note, from int64, done commitmeta.Completed) (suspect commitmeta.Note) {
	if noted.OK && noted.Offset >= from && !done.Contains(noted.Offset) {
		suspect = noted
		suspect.Crashes++
	}
	return suspect
}

// watchCrashes begins an ownership with what the last one left. end is the log's.
func (p *partition) watchCrashes(meta commitmeta.Metadata, from, end int64) {
	c := &p.crash
	c.from, c.until, c.since, c.earlier = from, end, time.Now(), meta.Starts
	p.hold |= holdStart
	c.alone, c.suspect = c.earlier >= crashLoop, suspected(meta.Noted, from, meta.Completed)
	if c.alone {
		p.e.log.Warn("the last starts ended in crashes: the partition's records are handled one at a time until the culprit is found", "partition", tp{p.topic.name, p.id}.String(), "starts", c.earlier)
	}
}

// countStart counts this start, now that there is something to handle. p.mu is held.
func (p *partition) countStart() {
	if !p.crash.counted {
		p.crash.counted = true
		p.changed()
		p.e.commitNow()
	}
}

// starts is what a commit at mark says. p.mu is held.
func (p *partition) starts(mark int64) (starts int, note commitmeta.Note) {
	c := &p.crash
	progress := mark > c.from && !c.alone && !p.inboxStands(time.Now())
	switch {
	case progress && !c.over:
		starts = 1
	case c.counted && !c.over:
		starts = c.earlier + 1
	case !progress:
		starts = c.earlier
	}
	return starts, c.note(nil, mark)
}

// note is what a commit at mark says of the records that are read there. p.mu is held.
func (c *crashWatch) note(log *inboxLog, mark int64) commitmeta.Note {
	note := *c.suspectOf(log)
	if l := c.permit; l != nil && c.at.log == log && !c.over && (!c.convicted(l) || !note.OK) {
		if !note.OK || note.Offset != c.at.offset {
			note = commitmeta.Note{}
		}
		note = commitmeta.Note{Offset: c.at.offset, OK: true, Crashes: note.Crashes}
	} else if note.OK {
		note.Crashes-- // it does not run: who reads this counts one
	}
	if note.Offset < mark {
		note = commitmeta.Note{}
	}
	return note
}

// started hears that a commit was acknowledged. p.mu is held.
func (p *partition) started(s *snapshot) {
	c := &p.crash
	if s.counted {
		p.hold &^= holdStart
	}
	// A suspect is in commits that were made before it had the permit, too, with a crash less: who reads those does not count what happens now.
	if c.permit != nil && s.note.OK && (readPlace{s.log, s.note.Offset}) == c.at && s.note == c.note(s.log, s.note.Offset) {
		c.noted = true
	}
	p.dispatch()
}

// notStarted hears that a commit failed. A start that nothing is held against does not wait for ever. p.mu is held.
func (p *partition) notStarted() {
	c := &p.crash
	if c.counted && c.earlier == 0 && time.Since(c.since) > startPatience {
		p.hold &^= holdStart
		p.dispatch()
	}
	if c.counted && p.hold&(holdStart|holdFence) != 0 || c.permit != nil && !c.noted {
		time.AfterFunc(100*time.Millisecond, p.e.commitNow)
	}
}

// handOver takes back what is counted in advance: the process lives. p.mu is not held.
func (p *partition) handOver() {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := &p.crash
	if c.over || !c.counted {
		return
	}
	c.over, c.courtesy = true, p.version == p.acked
	p.version++
}

// convicted says whether the head of a lane has killed the process often enough. p.mu is held.
func (c *crashWatch) convicted(l *lane) bool {
	if !c.suspect.OK && l.head.wait == nil {
		return false // on the way of each record
	}
	at := l.head.place()
	suspect := c.suspectOf(at.log)
	return suspect.OK && suspect.Crashes >= crashesOfOne && suspect.Offset == at.offset
}

// mayChoose says whether another record may run in a partition whose records run alone. p.mu is held.
func (p *partition) mayChoose() bool {
	return len(p.running) == 0 && (p.crash.permit == nil || p.crash.noted)
}

// runsAlone says whether the head of a lane may run now; where not, the lane is first in the queue, and its note on its way. p.mu is held.
func (p *partition) runsAlone(l *lane) bool {
	c := &p.crash
	if c.convicted(l) {
		return true
	}
	if x := c.permit; x == l && c.at != l.head.place() || x != nil && x != l && x.state != laneReady {
		p.retract() // what had it was truncated, or waits for something else
	}
	if c.permit == l {
		return c.noted
	}
	p.ready.unpop(l)
	l.state = laneReady
	if c.permit == nil && p.e.solo.take(p) {
		c.permit, c.at, c.noted = l, l.head.place(), false
		p.changed()
		p.e.commitNow()
	}
	return false
}

// retract takes the permit back. p.mu is held.
func (p *partition) retract() {
	p.crash.permit, p.crash.noted = nil, false
	p.e.solo.give(p)
}

// ranAlone hears that an attempt returned in a partition whose records run alone. p.mu is held.
func (p *partition) ranAlone(a *attempt) {
	c := &p.crash
	if c.lived++; c.permit == a.l {
		p.retract()
		p.changed() // the note is taken back
	}
	at := readPlace{nil, a.src.Offset}
	if a.wait != nil {
		at = readPlace{a.wait.log, a.wait.offset}
	}
	if suspect := c.suspectOf(at.log); suspect.OK && at.offset == suspect.Offset && a.doomed == nil {
		*suspect = commitmeta.Note{}
	}
	own := 0
	if a.wait != nil {
		own = 1
	}
	if p.underSuspicion() || c.lived < aloneFor+p.e.g.cfg.concurrency && (p.mark.Load() < c.until || p.bodies > own || p.inboxDue(time.Now())) {
		return
	}
	c.alone, c.earlier, c.from = false, 0, -1
	p.changed()
	p.e.log.Info("no record killed the process any more: records are handled side by side again", "partition", tp{p.topic.name, p.id}.String())
}

// underSuspicion says whether a suspect has not ended. p.mu is held.
func (p *partition) underSuspicion() bool {
	c := &p.crash
	return c.suspect.OK && p.mark.Load() <= c.suspect.Offset ||
		slices.ContainsFunc(p.logs, func(x *inboxLog) bool { return x.suspect.OK && x.ix != nil && x.ix.Mark() <= x.suspect.Offset })
}

// inboxDue says whether something that waits in an inbox may run. p.mu is held.
func (p *partition) inboxDue(now time.Time) bool {
	return slices.ContainsFunc(p.logs, func(x *inboxLog) bool {
		if x.ix == nil {
			return false
		}
		at, ok := x.ix.NextDue()
		return x.loading || ok && at <= now.UnixMilli()
	})
}

// inboxStands says whether something of an inbox runs, or may, and its offset has not moved: the source may move on for ever beside a record there that kills
// the process. p.mu is held.
func (p *partition) inboxStands(now time.Time) bool {
	return (p.bodies > 0 || p.inboxDue(now)) && !slices.ContainsFunc(p.logs, func(x *inboxLog) bool { return x.ix != nil && x.ix.Mark() > x.from })
}

// errCrash is what a convicted record dies of.
var errCrash = errors.New("the process died each time the record was handled")

// doom is why an attempt is not made, nil where it is. p.mu is held.
func (p *partition) doom(l *lane) error {
	if !p.crash.convicted(l) {
		return nil
	}
	return fmt.Errorf("%w, %d times while nothing else of its partition ran", errCrash, p.crash.suspectOf(l.head.place().log).Crashes)
}

// solo lets one record at a time of all partitions whose records run alone: a note names a culprit only where nothing else is under suspicion.
type solo struct {
	mu    sync.Mutex
	owner *partition
	queue []*partition
}

func (s *solo) take(p *partition) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.owner != nil && s.owner != p {
		if !slices.Contains(s.queue, p) {
			s.queue = append(s.queue, p)
		}
		return false
	}
	s.owner = p
	return true
}

// give lets the partitions that wait try again. Partitions' mutexes may be held.
func (s *solo) give(p *partition) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queue = slices.DeleteFunc(s.queue, func(o *partition) bool { return o == p })
	if s.owner != p {
		return
	}
	s.owner = nil
	for _, o := range s.queue {
		o.e.pool.offer(o)
	}
	s.queue = nil
}

// commitNow has what is to be said committed at once.
func (e *engine) commitNow() {
	e.commitSoon()
	select {
	case e.urgent <- struct{}{}:
	default:
	}
}
