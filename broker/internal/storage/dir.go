package storage

import (
	"encoding/base64"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/sordini-go/sordini/broker/internal/files"
	"github.com/sordini-go/sordini/broker/internal/records"
)

// ErrStorage says that something could not be written to the disk. What had been written before is as it was.
var ErrStorage = errors.New("the log cannot be written")

// Dir is the directory in which a log is kept, in Kafka's format: segments named after their first offset, with their indexes, and beside them the
// leader epochs, the producers' state where each segment begins, and the topic's id. The log holds in memory what is in its directory; it reads it once,
// when it is opened. A directory is made when there is something to write.
//
// What is appended is written at once and lasts through the end of the process. Through a loss of power lasts what a [Flush] has been through, and
// [Log.Synced] says how far that is.
type Dir struct {
	fs      files.FS
	path    string
	topic   [16]byte
	eager   bool   // a flush is due with every append, and what is not flushed is not safe; else with every segment
	unclean func() // is called when a flush is due where none was

	made    bool       // the directory exists
	file    files.File // of the active segment; nil where nothing was written yet
	base    int64      // of the active segment
	size    int64      // of what is written of it
	synced  int64      // the offset up to which all is safe
	due     bool       // a flush is due
	cuts    int        // how often the end of the log has been cut
	failed  error      // why a flush, or what cannot be taken back, has failed: everything is written again before anything else is
	sealed  []sealed   // segments that are complete and not safe yet
	closing []files.File
	gone    []int64 // the bases of segments that have been let go
	starts  bool    // where the log starts has changed
	named   bool    // names in the directory have changed
	epochs  bool    // the leader epochs have
}

// sealed is a segment that gets no more batches.
type sealed struct {
	base int64
	file files.File
	next int64 // where the one after it begins, with a snapshot of the producers
}

// NewDir returns the directory of a log. With eager set every append asks for a flush, else only a new segment does. unclean is called, with the lock of
// the log's owner held, when a flush is due for the first time since the last.
func NewDir(fs files.FS, path string, topic [16]byte, eager bool, unclean func()) *Dir {
	return &Dir{fs: fs, path: path, topic: topic, eager: eager, unclean: unclean}
}

// Path is where the directory is.
func (d *Dir) Path() string { return d.path }

// Names of the files of a segment, and beside them.
const (
	logSuffix      = ".log"
	indexSuffix    = ".index"
	timeSuffix     = ".timeindex"
	txnSuffix      = ".txnindex"
	snapshotSuffix = ".snapshot"
	cleanedSuffix  = ".cleaned" // behind that of a log: what compaction is writing
	swapSuffix     = ".swap"    // what compaction has written, and takes the place of what is there
	deletedSuffix  = ".deleted" // what has been let go
	epochsFile     = "leader-epoch-checkpoint"
	metadataFile   = "partition.metadata"
)

func (d *Dir) name(base int64, suffix string) string {
	return filepath.Join(d.path, fmt.Sprintf("%020d%s", base, suffix))
}

// dirty says that a flush is due.
func (d *Dir) dirty() {
	if !d.due {
		d.due = true
		d.unclean()
	}
}

// make makes the directory, with the topic's id.
func (d *Dir) make() error {
	if d.made {
		return nil
	}
	if err := d.fs.MkdirAll(d.path); err != nil {
		return err
	}
	if d.topic != [16]byte{} {
		id := fmt.Sprintf("version: 0\ntopic_id: %s", base64.RawURLEncoding.EncodeToString(d.topic[:]))
		if err := files.Write(d.fs, filepath.Join(d.path, metadataFile), []byte(id)); err != nil {
			return err
		}
	}
	d.made, d.named = true, true
	return nil
}

// open makes the file of the active segment.
func (d *Dir) open(base int64) error {
	if err := d.make(); err != nil {
		return err
	}
	f, err := d.fs.Open(d.name(base, logSuffix))
	if err != nil {
		return err
	}
	d.file, d.base, d.size, d.named = f, base, 0, true
	return nil
}

// failure wraps what went wrong.
func (d *Dir) failure(err error) error { return fmt.Errorf("%w: %w", ErrStorage, err) }

// write appends a batch to the active segment, which begins at base. After a failure the file is as it was.
func (d *Dir) write(base int64, b records.Batch) error {
	if d.failed != nil {
		return d.failure(d.failed)
	}
	if d.file == nil {
		if err := d.open(base); err != nil {
			return d.failure(err)
		}
	}
	if _, err := d.file.WriteAt(b, d.size); err != nil {
		if cut := d.file.Truncate(d.size); cut != nil {
			d.fail(cut)
		}
		return d.failure(err)
	}
	if d.eager && len(b) >= beginSize {
		d.file.Begin(d.size, int64(len(b)))
	}
	d.size += int64(len(b))
	if d.eager {
		d.dirty()
	}
	return nil
}

// beginSize is how large a batch is whose way to the disk begins before its flush does.
const beginSize = 32 << 10

// fail notes what cannot be taken back: the log is not written any more until all of it has been written anew.
func (d *Dir) fail(err error) {
	d.failed = err
	d.dirty()
}

// roll completes the active segment of the log and begins one at base.
func (d *Dir) roll(l *Log, base int64) error {
	if d.failed != nil {
		return d.failure(d.failed)
	}
	if d.file == nil { // nothing has been written since the log was opened or emptied
		return nil
	}
	old := l.segments[len(l.segments)-1]
	if err := d.index(l, old); err != nil {
		return d.failure(err)
	}
	if err := files.Write(d.fs, d.name(base, snapshotSuffix), l.snapshot()); err != nil {
		return d.failure(err)
	}
	last := sealed{base: d.base, file: d.file, next: base}
	if err := d.open(base); err != nil {
		return d.failure(err)
	}
	d.sealed = append(d.sealed, last)
	d.dirty()
	return nil
}

// truncate cuts the directory to what the log holds now: the segments that were kept, of which the last is the active one again.
func (d *Dir) truncate(l *Log, removed []int64) {
	if !d.made {
		return
	}
	d.synced = min(d.synced, l.end)
	d.cuts++
	last := l.segments[len(l.segments)-1]
	if err := d.reopen(last.base, removed); err != nil {
		d.fail(err)
		return
	}
	if err := d.file.Truncate(last.bytes); err != nil {
		d.fail(err)
		return
	}
	d.size = last.bytes
	d.epochs = true
	d.dirty()
}

// reopen makes the segment at base the active one and removes those that followed it.
func (d *Dir) reopen(base int64, removed []int64) error {
	for _, r := range removed {
		d.drop(r)
		if err := d.remove(r); err != nil {
			return err
		}
		d.named = true
	}
	if err := d.removeAll(base, indexSuffix, timeSuffix, txnSuffix); err != nil {
		return err
	}
	if d.file != nil && d.base == base {
		return nil
	}
	if d.file != nil {
		d.closing = append(d.closing, d.file)
	}
	d.drop(base)
	d.file = nil
	return d.open(base)
}

// drop forgets that a sealed segment is to be synced.
func (d *Dir) drop(base int64) {
	d.sealed = slices.DeleteFunc(d.sealed, func(s sealed) bool {
		if s.base == base {
			d.closing = append(d.closing, s.file)
		}
		return s.base == base
	})
}

// reset empties the directory; the log begins at base.
func (d *Dir) reset(l *Log, removed []int64) {
	if !d.made {
		return
	}
	base := l.start
	d.synced = min(d.synced, base)
	d.cuts++
	if slices.Contains(removed, base) { // begin it anew, rather than going on with what is there
		removed = slices.DeleteFunc(removed, func(r int64) bool { return r == base })
	}
	if err := d.reopen(base, removed); err != nil {
		d.fail(err)
		return
	}
	if err := d.file.Truncate(0); err != nil {
		d.fail(err)
		return
	}
	d.size, d.epochs = 0, true
	d.dirty()
}

// remove removes the files of a segment.
func (d *Dir) remove(base int64) error {
	return d.removeAll(base, logSuffix, indexSuffix, timeSuffix, txnSuffix, snapshotSuffix)
}

func (d *Dir) removeAll(base int64, suffixes ...string) error {
	for _, suffix := range suffixes {
		if err := d.fs.Remove(d.name(base, suffix)); err != nil {
			return err
		}
	}
	return nil
}

// letGo takes segments out of the log. Their files go with the next flush, after it was written down where the log starts: until then they could come
// back without those that stood between them.
func (d *Dir) letGo(bases []int64) {
	if !d.made {
		return
	}
	d.starts = true
	defer d.dirty()
	for _, base := range bases {
		d.drop(base)
		name := d.name(base, logSuffix)
		if err := d.fs.Rename(name, name+deletedSuffix); err != nil {
			d.fail(err)
		}
	}
	if len(bases) > 0 {
		d.gone, d.named = append(d.gone, bases...), true
	}
}

// close closes the files. Nothing may be written any more.
func (d *Dir) close() error {
	var errs []error
	if d.file != nil {
		d.closing = append(d.closing, d.file)
		d.file = nil
	}
	for _, s := range d.sealed {
		d.closing = append(d.closing, s.file)
	}
	d.sealed = nil
	for _, f := range d.closing {
		errs = append(errs, f.Close())
	}
	d.closing = nil
	return errors.Join(errs...)
}

// NewLogIn returns an empty log that is to be kept in a directory which does not exist.
func NewLogIn(d *Dir) *Log {
	l := NewLog()
	l.dir = d
	return l
}

// Made says whether the log has a directory.
func (l *Log) Made() bool { return l.dir != nil && l.dir.made }

// Dir is where the log is kept, nil for memory alone.
func (l *Log) Dir() *Dir { return l.dir }
