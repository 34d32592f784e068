package storage

import (
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/sordini-go/sordini/broker/internal/files"
	"github.com/sordini-go/sordini/broker/internal/records"
)

// ErrCorrupt says that a log holds what cannot be read although it had been synced: it is not for a broker to decide what to do without it.
var ErrCorrupt = errors.New("corrupt log")

// maxSegment is how large a segment may be, as in Kafka: positions in it are numbers of 32 bits.
const maxSegment = math.MaxInt32

// Known is what is known of a log from elsewhere when it is opened.
type Known struct {
	Start     int64 // where it starts, at least
	Recovered int64 // below it everything has been synced
	Clean     bool  // all of it has been: the last broker ended in order
	Now       int64 // milliseconds
}

// Opened says what was found when a log was opened.
type Opened struct {
	Cut      int64 // how many bytes at the end were not whole batches, and were cut off
	Segments int
}

// Open reads the log that is kept in a directory, an empty one where there is none. What is not whole at its end is cut off: it was being written when the
// process or the machine ended. Before [Known].Recovered that cannot be, and it fails with [ErrCorrupt].
func Open(d *Dir, known Known) (*Log, Opened, error) {
	l := NewLog()
	l.dir = d
	found, err := d.load(l, known)
	if err != nil {
		return nil, found, fmt.Errorf("%s: %w", d.path, err)
	}
	return l, found, nil
}

// segmentBase is the offset in the name of a segment's file.
func segmentBase(name, suffix string) (int64, bool) {
	digits, ok := strings.CutSuffix(name, suffix)
	if !ok || len(digits) != 20 {
		return 0, false
	}
	base, err := strconv.ParseInt(digits, 10, 64)
	return base, err == nil && base >= 0
}

func (d *Dir) load(l *Log, known Known) (found Opened, err error) {
	names, err := d.fs.ReadDir(d.path)
	if err != nil || len(names) == 0 {
		return found, err
	}
	d.made = true
	if names, err = d.tidy(names, known.Start); err != nil {
		return found, err
	}
	var all []int64
	for _, name := range names {
		if base, ok := segmentBase(name, logSuffix); ok {
			all = append(all, base)
		}
	}
	slices.Sort(all)
	if len(all) == 0 {
		l.segments, l.start, l.end = []*segment{newSegment(known.Start)}, known.Start, known.Start
		return found, nil
	}
	l.segments, l.start, l.end = nil, all[0], all[0]
	if in, err := d.fs.ReadFile(d.name(all[0], snapshotSuffix)); err == nil {
		if before, ok := readSnapshot(in); ok {
			l.before = before
			l.begin()
		}
	}
	for i, base := range all {
		cut, err := d.read(l, base, known)
		found.Segments++
		if err != nil {
			return found, err
		}
		if cut > 0 {
			if err := d.repair(l, all[i+1:]); err != nil {
				return found, err
			}
			found.Cut = cut
			break
		}
	}
	last := l.segments[len(l.segments)-1]
	if err := d.removeAll(last.base, indexSuffix, timeSuffix, txnSuffix); err != nil { // they would have to grow with it
		return found, err
	}
	if err := d.open(last.base); err != nil {
		return found, err
	}
	if !known.Clean {
		if err := d.resync(l, known.Recovered); err != nil {
			return found, err
		}
	}
	d.size, d.synced = last.bytes, l.end
	if in, err := d.fs.ReadFile(filepath.Join(d.path, epochsFile)); err == nil {
		for _, e := range readEpochs(in) {
			if e.start <= l.end {
				l.epochs.assign(e.epoch, l.end) // those that have written something stand in the batches
			}
		}
	}
	if known.Start > l.start {
		l.drop(known.Start)
	}
	return found, d.strays(l, names)
}

// resync makes last what was read: that a process has written it, and another has read it, does not mean that it is on the disk.
func (d *Dir) resync(l *Log, recovered int64) error {
	for i, s := range l.segments {
		if l.segmentEnd(i) <= recovered {
			continue
		}
		f, err := d.fs.Open(d.name(s.base, logSuffix))
		if err != nil {
			return err
		}
		if err := errors.Join(f.Sync(), f.Close()); err != nil {
			return err
		}
	}
	return errors.Join(d.fs.SyncDir(d.path), d.fs.SyncDir(files.Parent(d.path)))
}

// begin makes the state of the producers what it was before the first batch.
func (l *Log) begin() {
	for id, p := range l.before {
		old := *p
		l.producers[id] = &old
		if old.txn != NoOffset {
			l.txns.begin(openTxn{first: old.txn, producer: id})
		}
	}
}

// tidy finishes what was going on: what compaction had written, but not all of it, goes, what it had written takes its place, and what was let go goes
// if the log is known to start behind it.
func (d *Dir) tidy(names []string, start int64) ([]string, error) {
	var swapped bool
	for _, name := range names {
		path := filepath.Join(d.path, name)
		var err error
		if base, ok := segmentBase(name, logSuffix+swapSuffix); ok {
			swapped = true
			err = d.finishSwap(base, names)
		} else if base, ok := segmentBase(name, logSuffix+deletedSuffix); ok && base >= start {
			err = d.fs.Rename(path, d.name(base, logSuffix))
			swapped = true
		} else if strings.HasSuffix(name, cleanedSuffix) || strings.HasSuffix(name, deletedSuffix) || strings.HasSuffix(name, ".tmp") {
			err = d.fs.Remove(path)
			swapped = true
		}
		if err != nil {
			return nil, err
		}
	}
	if !swapped {
		return names, nil
	}
	if err := d.fs.SyncDir(d.path); err != nil {
		return nil, err
	}
	return d.fs.ReadDir(d.path)
}

// finishSwap puts a compacted segment into the place of those that it was made of.
func (d *Dir) finishSwap(base int64, names []string) error {
	swap := d.name(base, logSuffix+swapSuffix)
	in, err := d.fs.ReadFile(swap)
	if err != nil {
		return err
	}
	end := base
	for len(in) > 0 {
		b, rest, err := records.Parse(in)
		if err != nil {
			break
		}
		end, in = b.LastOffset()+1, rest
	}
	for _, name := range names {
		if other, ok := segmentBase(name, logSuffix); ok && other > base && other < end {
			if err := d.remove(other); err != nil {
				return err
			}
		}
	}
	if err := d.fs.SyncDir(d.path); err != nil {
		return err
	}
	return d.fs.Rename(swap, d.name(base, logSuffix))
}

// read reads a segment. It returns how many bytes at its end have to be cut off.
func (d *Dir) read(l *Log, base int64, known Known) (cut int64, err error) {
	in, err := d.fs.ReadFile(d.name(base, logSuffix))
	if err != nil {
		return 0, err
	}
	if len(in) > maxSegment {
		return 0, fmt.Errorf("segment %d has %d bytes, at most %d are possible: %w", base, len(in), maxSegment, ErrCorrupt)
	}
	s := newSegment(base)
	s.modified = known.Now
	l.segments = append(l.segments, s)
	rest := in
	why := error(nil)
	if base < l.end {
		why = fmt.Errorf("it begins before offset %d, where the last ends", l.end)
	}
	for why == nil && len(rest) > 0 {
		var b records.Batch
		if b, rest, why = next(rest, s, l.end); why != nil {
			break
		}
		b = slices.Clone(b) // or one batch that stays would keep all that was read
		if b.LeaderEpoch() != NoEpoch {
			l.epochs.assign(b.LeaderEpoch(), b.BaseOffset())
		}
		l.learn(b, b.MaxTimestamp())
		s.add(b)
		l.end = b.LastOffset() + 1
	}
	l.end = max(l.end, base)
	s.batches = slices.Clip(s.batches)
	cut = int64(len(in)) - s.bytes
	if why != nil && l.end < known.Recovered {
		return 0, fmt.Errorf("segment %d at byte %d, offset %d: %w: %w; up to offset %d it had been synced. Move the directory away to go on without it",
			base, s.bytes, l.end, ErrCorrupt, why, known.Recovered)
	}
	return cut, nil
}

// next takes a batch that may stand where the log ends.
func next(in []byte, s *segment, end int64) (records.Batch, []byte, error) {
	b, rest, err := records.Parse(in)
	if err == nil {
		err = b.CheckSum()
	}
	if err != nil {
		return nil, in, err
	}
	switch first, last := b.BaseOffset(), b.LastOffset(); {
	case first < end || first < s.base:
		err = fmt.Errorf("a batch at offset %d, where %d is the least: %w", first, max(end, s.base), records.ErrInvalid)
	case b.LastOffsetDelta() < 0 || last < first || last-s.base > math.MaxInt32 || last == math.MaxInt64:
		err = fmt.Errorf("a batch from offset %d to %d in segment %d: %w", first, last, s.base, records.ErrInvalid)
	case b.Count() < 0 || int64(b.Count()) > int64(b.LastOffsetDelta())+1:
		err = fmt.Errorf("a batch of %d records in %d offsets: %w", b.Count(), int64(b.LastOffsetDelta())+1, records.ErrInvalid)
	case b.LeaderEpoch() < NoEpoch:
		err = fmt.Errorf("a batch of leader epoch %d: %w", b.LeaderEpoch(), records.ErrInvalid)
	case b.Codec() > records.Zstd:
		err = fmt.Errorf("a batch of compression type %d: %w", b.Codec(), records.ErrInvalid)
	}
	if err != nil {
		return nil, in, err
	}
	return b, rest, nil
}

// repair cuts the last segment that was read to what is whole of it, and removes those behind it.
func (d *Dir) repair(l *Log, behind []int64) error {
	last := l.segments[len(l.segments)-1]
	f, err := d.fs.Open(d.name(last.base, logSuffix))
	if err != nil {
		return err
	}
	err = f.Truncate(last.bytes)
	if err == nil {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	for _, base := range behind {
		if err == nil {
			err = d.remove(base)
		}
	}
	if err != nil {
		return err
	}
	return d.fs.SyncDir(d.path)
}

// strays removes the snapshots of the producers that belong to no segment: the one of the last orderly end, and those that were cut off.
func (d *Dir) strays(l *Log, names []string) error {
	for _, name := range names {
		base, ok := segmentBase(name, snapshotSuffix)
		if ok && !slices.ContainsFunc(l.segments, func(s *segment) bool { return s.base == base }) {
			if err := d.fs.Remove(filepath.Join(d.path, name)); err != nil {
				return err
			}
		}
	}
	return nil
}

// TopicID reads whose log a directory holds; false where it does not say.
func TopicID(fs files.FS, path string) (id [16]byte, ok bool) {
	in, err := fs.ReadFile(filepath.Join(path, metadataFile))
	if err != nil {
		return id, false
	}
	for line := range strings.Lines(string(in)) {
		if value, found := strings.CutPrefix(strings.TrimSpace(line), "topic_id:"); found {
			raw, err := base64.RawURLEncoding.DecodeString(strings.TrimSpace(value))
			if err == nil && len(raw) == len(id) {
				return [16]byte(raw), true
			}
		}
	}
	return id, false
}
