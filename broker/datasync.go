package broker

import (
	"path/filepath"
	"sync"
	"time"

	"github.com/sordini-go/sordini/broker/internal/files"
	"github.com/sordini-go/sordini/broker/internal/storage"
)

// One goroutine makes things last. It takes all that has changed, syncs it, and says so; what changes meanwhile it takes the next time: that is how many
// promises share a sync. The order in it is what makes a promise true after any crash: where logs start is written down before segments go, and what the
// controllers have decided is on the disk before a record is said to be.

// retryFlush is how long a disk that has refused something is left alone.
const retryFlush = 100 * time.Millisecond

// flushSoon asks for a flush of a log.
func (s *store) flushSoon(h held) {
	s.mu.Lock()
	s.dirty = append(s.dirty, h)
	s.mu.Unlock()
	s.poke()
}

// promise counts a change that answers wait for.
func (s *store) promise() {
	s.written.Add(1)
	s.poke()
}

// dropped counts that a log starts later than before.
func (s *store) dropped() {
	if s != nil {
		s.promise()
	}
}

func (s *store) poke() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// run flushes until done is closed.
func (s *store) run(done <-chan struct{}) {
	defer close(s.done)
	var again <-chan time.Time
	for {
		select {
		case <-done:
			return
		case <-s.wake:
		case <-again:
		}
		again = nil
		if !s.pass(done) {
			t := time.NewTimer(retryFlush)
			defer t.Stop()
			again = t.C
		}
	}
}

// flushing is a log in a pass.
type flushing struct {
	held
	flush *storage.Flush
	log   *storage.Log
	err   error
}

// pass makes everything last that has changed until now. It reports whether it could.
func (s *store) pass(done <-chan struct{}) bool {
	s.passing.Lock()
	defer s.passing.Unlock()
	written := s.written.Load()
	ok := s.writeOwnAgain()
	s.mu.Lock()
	dirty := s.dirty
	s.dirty = nil
	s.mu.Unlock()
	all := s.begin(dirty)
	if err := s.noteStarts(all); err != nil {
		for i := range all {
			all[i].flush.Keep()
		}
		ok = s.fails(err)
	}
	runAll(all)
	for s.syncMeta() != nil { // what was written to the logs may depend on it, and is not told before
		if !pause(done) {
			return false
		}
	}
	for i := range all {
		if !s.end(&all[i]) {
			ok = false
		}
	}
	s.notePoints(all)
	if !ok {
		return false
	}
	s.mu.Lock()
	s.failing = nil
	s.safe.Store(written)
	close(s.changed)
	s.changed = make(chan struct{})
	s.mu.Unlock()
	return true
}

// pause waits for a disk to have room again. It reports false when there is no time for that any more.
func pause(done <-chan struct{}) bool {
	t := time.NewTimer(retryFlush)
	defer t.Stop()
	select {
	case <-done:
		return false
	case <-t.C:
		return true
	}
}

// fails notes why something could not be made last, and tells those who wait. It reports false.
func (s *store) fails(err error) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failing == nil {
		s.cluster.log.Error("disk refuses what is written, nothing is promised until it does not", "directory", s.dir, "error", err)
	}
	s.failing = err
	close(s.changed)
	s.changed = make(chan struct{})
	return false
}

// begin takes what is to be flushed.
func (s *store) begin(dirty []held) []flushing {
	all := make([]flushing, 0, len(dirty))
	for _, h := range dirty {
		h.p.mu.Lock()
		if l := h.logLocked(); l != nil {
			if f := l.BeginFlush(false); f != nil {
				all = append(all, flushing{held: h, flush: f, log: l})
			}
		}
		h.p.mu.Unlock()
	}
	return all
}

// logLocked is the log that is in the directory, nil where the partition has been deleted or moved away.
func (h *held) logLocked() *storage.Log {
	if h.p.deleted {
		return nil
	}
	for _, r := range h.p.copies {
		if r.log.Dir() == h.dir {
			return r.log
		}
	}
	return nil
}

// runAll flushes: one log in this goroutine, several at once, because a disk syncs many files in not much more time than one.
func runAll(all []flushing) {
	if len(all) == 1 {
		all[0].err = all[0].flush.Run()
		return
	}
	const atOnce = 16
	var wg sync.WaitGroup
	for worker := range min(atOnce, len(all)) {
		wg.Go(func() {
			for i := worker; i < len(all); i += atOnce {
				all[i].err = all[i].flush.Run()
			}
		})
	}
	wg.Wait()
}

// end tells the partition how much of its log is safe. It reports false where the flush has failed.
func (s *store) end(f *flushing) bool {
	f.p.mu.Lock()
	more := f.log.EndFlush(f.flush)
	gone := f.logLocked() == nil
	if more && !gone {
		f.p.syncedLocked()
	}
	f.p.mu.Unlock()
	if f.err == nil || gone {
		return true
	}
	s.mu.Lock()
	s.dirty = append(s.dirty, f.held)
	s.mu.Unlock()
	return s.fails(f.err)
}

// syncMeta makes the controllers' log last, and then removes what it says is deleted.
func (s *store) syncMeta() error {
	s.metaMu.Lock()
	err := s.meta.Pending()
	end := s.meta.End()
	remove := s.remove
	s.metaMu.Unlock()
	if err == nil && end != s.metaSafe {
		if err = s.meta.Sync(); err == nil {
			s.metaSafe = end
		}
	}
	if err != nil {
		s.fails(err)
		return err
	}
	for _, dir := range remove {
		if err := s.fs.RemoveAll(dir); err != nil {
			s.cluster.log.Error("directory of a deleted partition not removed", "directory", dir, "error", err)
		}
	}
	s.metaMu.Lock()
	s.remove = s.remove[len(remove):]
	s.metaMu.Unlock()
	return nil
}

// noteStarts writes down where logs start, for the brokers with a log that has moved its own.
func (s *store) noteStarts(all []flushing) error {
	var of []int32
	for i := range all {
		if all[i].flush.Drops() {
			of = append(of, s.brokerOf(&all[i].held))
		}
	}
	return s.notePoint(logStarts, of, func(r *replica) int64 { return r.log.Start() })
}

// notePoints writes down from where logs have to be recovered, for the brokers with a log that has completed a segment. It only saves work: an error is
// none.
func (s *store) notePoints(all []flushing) {
	var of []int32
	for i := range all {
		if all[i].err == nil && all[i].flush.Seals() {
			of = append(of, s.brokerOf(&all[i].held))
		}
	}
	if err := s.notePoint(recoveryPoints, of, func(r *replica) int64 { return r.log.Recovered() }); err != nil {
		s.cluster.log.Warn("recovery points not written", "error", err)
	}
}

func (s *store) brokerOf(h *held) int32 {
	h.p.mu.Lock()
	defer h.p.mu.Unlock()
	for _, r := range h.p.copies {
		if r.log.Dir() == h.dir {
			return r.id
		}
	}
	return noLeader
}

// notePoint writes a checkpoint of some brokers.
func (s *store) notePoint(kind int, brokers []int32, point func(*replica) int64) error {
	if len(brokers) == 0 {
		return nil
	}
	points := make(map[int32]storage.Checkpoint)
	for _, id := range brokers {
		points[id] = make(storage.Checkpoint)
	}
	for _, p := range s.cluster.everyPartition() {
		p.mu.Lock()
		for _, r := range p.copies {
			if at := points[r.id]; at != nil && r.log.Made() {
				at[storage.TopicPartition{Topic: p.topic.name, Partition: p.index}] = point(r)
			}
		}
		p.mu.Unlock()
	}
	for id, at := range points {
		if id == noLeader {
			continue
		}
		dir := s.brokerDir(id)
		if err := files.Replace(s.fs, filepath.Join(dir, checkpointFiles[kind]), at.Bytes()); err != nil {
			return err
		}
		if err := s.fs.SyncDir(dir); err != nil {
			return err
		}
	}
	return nil
}

// settle waits until everything that has been written so far, and that answers depend on, is on the disk. It reports false where that fails, or the
// client has gone: then nothing may be answered.
func (s *store) settle(gone <-chan struct{}) bool {
	if s == nil {
		return true
	}
	written := s.written.Load()
	for asked := false; s.safe.Load() < written; asked = true { // what has failed before is tried once more
		s.mu.Lock()
		changed, failing := s.changed, s.failing
		s.mu.Unlock()
		switch {
		case s.safe.Load() >= written:
			return true
		case failing != nil && asked:
			return false
		}
		select {
		case <-changed:
		case <-gone:
			return false
		case <-s.done:
			return false
		}
	}
	return true
}

// syncedLocked is called when more of a log is safe than before.
func (p *partition) syncedLocked() {
	if p.leader == noLeader || p.deleted || !p.cluster.node(p.leader).isRunning() {
		return
	}
	p.settleLocked()
	p.notifyLocked()
}
