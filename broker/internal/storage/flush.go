package storage

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"github.com/sordini-go/sordini/broker/internal/files"
)

// Flush makes what a log holds last through a loss of power. It is begun with the lock of the log's owner held, carried out without it, one flush of a
// log at a time, and ended with it.
type Flush struct {
	dir    *Dir
	end    int64
	cuts   int
	sealed []sealed
	active files.File
	named  bool
	epochs []byte // nil: they have not changed
	gone   []int64
	starts bool
	keep   bool
	stale  []files.File
	again  []rewrite // all segments, where something has failed before
	err    error
}

// rewrite is a segment that is written once more.
type rewrite struct {
	base, size int64
	batches    [][]byte
	at         int64 // where the first of the batches stands
}

// BeginFlush takes what a flush is due for; nil where none is. all takes what the operating system would be left to write, too.
func (l *Log) BeginFlush(all bool) *Flush {
	d := l.dir
	if d == nil || !d.due && !(all && d.made) {
		return nil
	}
	f := &Flush{dir: d, end: l.end, cuts: d.cuts, sealed: d.sealed, active: d.file, named: d.named, gone: d.gone, starts: d.starts, stale: d.closing}
	if d.epochs {
		f.epochs = l.epochs.checkpoint()
	}
	if d.failed != nil {
		f.again = l.rewrites()
	}
	d.sealed, d.named, d.epochs, d.gone, d.starts, d.closing, d.due = nil, false, false, nil, false, nil, false
	return f
}

// rewrites is all that the log holds.
func (l *Log) rewrites() (all []rewrite) {
	for _, s := range l.segments {
		r := rewrite{base: s.base, size: s.bytes, at: s.bytes}
		for _, b := range s.batches {
			r.batches = append(r.batches, b)
			r.at -= int64(len(b))
		}
		all = append(all, r)
	}
	return all
}

// Run syncs, and removes the segments that have been let go: where the log starts must have been written down.
func (f *Flush) Run() error {
	for _, s := range f.stale {
		_ = s.Close() // of a file that is no part of the log
	}
	f.err = f.run()
	return f.err
}

func (f *Flush) run() error {
	d := f.dir
	if f.again != nil {
		if err := f.rewrite(); err != nil {
			return err
		}
	}
	if f.epochs != nil {
		if err := files.Write(d.fs, filepath.Join(d.path, epochsFile), f.epochs); err != nil {
			return err
		}
	}
	for _, s := range f.sealed {
		if err := s.file.Sync(); err != nil {
			return fmt.Errorf("segment %d: %w", s.base, err)
		}
		for _, name := range []string{d.name(s.base, indexSuffix), d.name(s.base, timeSuffix), d.name(s.next, snapshotSuffix)} {
			if err := syncFile(d.fs, name); err != nil {
				return err
			}
		}
	}
	if f.active != nil {
		if err := f.active.Sync(); err != nil {
			return err
		}
	}
	if f.named {
		if err := errors.Join(d.fs.SyncDir(d.path), d.fs.SyncDir(files.Parent(d.path))); err != nil {
			return err
		}
	}
	for _, base := range f.gone {
		if f.keep {
			break
		}
		if err := d.removeAll(base, logSuffix+deletedSuffix, indexSuffix, timeSuffix, txnSuffix, snapshotSuffix); err != nil {
			return err
		}
	}
	return nil
}

// syncFile syncs what was written to a file that is not open any more.
func syncFile(fs files.FS, name string) error {
	f, err := fs.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// rewrite writes every segment from memory: after a failed sync nobody knows what of it is on the disk, whatever a later one says.
func (f *Flush) rewrite() error {
	d := f.dir
	if err := d.make(); err != nil {
		return err
	}
	held := make(map[string]bool)
	for _, r := range f.again {
		held[filepath.Base(d.name(r.base, logSuffix))] = true
		w, err := d.fs.Open(d.name(r.base, logSuffix))
		if err != nil {
			return err
		}
		err = r.write(w)
		if closed := w.Close(); err == nil {
			err = closed
		}
		if err != nil {
			return err
		}
	}
	names, err := d.fs.ReadDir(d.path)
	if err != nil {
		return err
	}
	for _, name := range names {
		if base, ok := segmentBase(name, logSuffix); ok && !held[name] {
			if err := d.remove(base); err != nil {
				return err
			}
		}
	}
	f.named = true
	return nil
}

func (r rewrite) write(w interface {
	io.WriterAt
	Truncate(int64) error
	Sync() error
}) error {
	at := r.at
	for _, b := range r.batches {
		if _, err := w.WriteAt(b, at); err != nil {
			return err
		}
		at += int64(len(b))
	}
	if err := w.Truncate(r.size); err != nil {
		return err
	}
	return w.Sync()
}

// Seals says whether segments became complete, so that the point from which a log has to be recovered has moved.
func (f *Flush) Seals() bool { return len(f.sealed) > 0 }

// Drops says whether segments are to go, or the log starts later than before: then it has to be written down where it starts before [Flush.Run].
func (f *Flush) Drops() bool { return len(f.gone) > 0 || f.starts }

// Keep leaves the segments where they are that are to go: where the log starts could not be written down.
func (f *Flush) Keep() { f.keep = true }

// EndFlush takes the result over. It reports whether more of the log is safe than before. After a failure the flush has to be tried again, by whoever
// carries flushes out.
func (l *Log) EndFlush(f *Flush) (more bool) {
	d := f.dir
	for _, s := range f.sealed {
		d.closing = append(d.closing, s.file)
	}
	if f.keep && f.err == nil {
		d.gone, d.starts = append(f.gone, d.gone...), true
		d.dirty()
	}
	switch cut := f.cuts != d.cuts; {
	case f.err != nil:
		d.gone = append(f.gone, d.gone...)
		d.epochs, d.named, d.starts = true, true, true
		d.failed, d.due = f.err, true
		return false
	case f.again != nil && cut: // what was written anew is not what the log holds now
		d.dirty()
		return false
	case f.again != nil:
		if err := d.recovered(l); err != nil {
			d.fail(err)
			return false
		}
	case cut:
		d.dirty()
		return false
	}
	more = f.end > d.synced
	d.synced = max(d.synced, f.end)
	return more
}

// recovered goes on after everything has been written anew.
func (d *Dir) recovered(l *Log) error {
	last := l.segments[len(l.segments)-1]
	if d.file == nil || d.base != last.base {
		if err := d.reopen(last.base, nil); err != nil {
			return err
		}
	}
	d.size, d.failed = last.bytes, nil
	return nil
}

// Synced is the offset up to which everything is as safe as it is to be: in memory alone all of it, with a directory what has been flushed, or all that
// is written where it is the operating system's to decide when.
func (l *Log) Synced() int64 {
	if l.dir == nil || !l.dir.eager {
		return l.end
	}
	return min(l.dir.synced, l.end)
}

// Recovered is the offset below which the segments are complete and synced.
func (l *Log) Recovered() int64 {
	if l.dir == nil {
		return l.end
	}
	return min(l.dir.synced, l.segments[len(l.segments)-1].base)
}

// Failed is why the log cannot be written, nil where it can.
func (l *Log) Failed() error {
	if l.dir == nil {
		return nil
	}
	return l.dir.failed
}

// Close completes the directory, as a broker does that stops in order, and closes its files. The log must have been flushed.
func (l *Log) Close() error {
	d := l.dir
	if d == nil || !d.made {
		return nil
	}
	var err error
	if d.failed == nil && d.file != nil {
		err = errors.Join(d.index(l, l.segments[len(l.segments)-1]), files.Replace(d.fs, d.name(l.end, snapshotSuffix), l.snapshot()))
	}
	return errors.Join(err, d.close())
}
