package metalog

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sordini-go/sordini/broker/internal/files"
	"github.com/sordini-go/sordini/broker/internal/records"
)

// Dir is the name of the log's directory in that of a broker.
const Dir = "__cluster_metadata-0"

// fileName is that of the one segment that the log has: it is written anew, and smaller, when it is opened.
const fileName = "00000000000000000000.log"

// batchSize is how many records go into a batch at most, and maxBatch how many bytes, about: Kafka's controllers refuse more than 8 MiB.
const (
	batchSize = 1000
	maxBatch  = 1 << 20
)

// Log is the log of the controllers. It has no lock.
type Log struct {
	fs   files.FS
	dir  string
	file files.File
	size int64 // of what is written
	next int64 // the offset of the next record

	pending []byte // could not be written yet
}

// Read returns the records of a log; none where there is none. What is not whole at the end is left out. A log that a controller of Kafka's has gone on
// with, and begun a snapshot of, is refused.
func Read(fs files.FS, broker string) (all []Record, err error) {
	dir := filepath.Join(broker, Dir)
	names, err := fs.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if strings.HasSuffix(name, ".checkpoint") || strings.HasSuffix(name, ".log") && name != fileName {
			return nil, fmt.Errorf("%s: %s is of Apache Kafka, which has gone on with this directory: start it with Kafka", dir, name)
		}
	}
	if !slices.Contains(names, fileName) {
		return nil, nil
	}
	in, err := fs.ReadFile(filepath.Join(dir, fileName))
	if err != nil {
		return nil, err
	}
	for end := int64(0); len(in) > 0; {
		b, rest, err := records.Parse(in)
		if err != nil || b.CheckSum() != nil || b.BaseOffset() != end {
			break // it was being written
		}
		in, end = rest, b.LastOffset()+1
		if b.Control() {
			continue
		}
		for r, err := range b.Records() {
			if err != nil {
				return nil, fmt.Errorf("%s: %w", dir, err)
			}
			change, err := Decode(r.Value)
			if err != nil {
				return nil, fmt.Errorf("%s: offset %d: %w", dir, r.Offset, err)
			}
			if change != nil {
				all = append(all, change)
			}
		}
	}
	return all, nil
}

// Create makes a log that holds these records, in the place of the one that is there, and syncs it.
func Create(fs files.FS, broker string, all []Record, now int64) (*Log, error) {
	l := &Log{fs: fs, dir: filepath.Join(broker, Dir)}
	err := fs.MkdirAll(l.dir)
	if err != nil {
		return nil, err
	}
	name := filepath.Join(l.dir, fileName)
	out := l.encode(all, now)
	if err := files.Replace(fs, name, out); err != nil {
		return nil, err
	}
	if err := errors.Join(fs.SyncDir(l.dir), fs.SyncDir(broker)); err != nil {
		return nil, err
	}
	l.file, err = fs.Open(name)
	l.size = int64(len(out))
	return l, err
}

// epoch is that of the controller's leadership, which the batches say.
const epoch = 1

func (l *Log) encode(all []Record, now int64) (out []byte) {
	for len(all) > 0 {
		var values []records.Record
		bytes := 0
		for len(all) > 0 && len(values) < batchSize && bytes < maxBatch {
			v := Encode(nil, all[0])
			values, bytes, all = append(values, records.Record{Value: v}), bytes+len(v), all[1:]
		}
		b := records.New(values, nil, now)
		b.SetBaseOffset(l.next)
		b.SetLeaderEpoch(epoch)
		l.next = b.LastOffset() + 1
		out = append(out, b...)
	}
	return out
}

// Append writes records. After an error nothing of them is there, unless keep: then they are written before anything else is, as soon as that can be.
func (l *Log) Append(all []Record, now int64, keep bool) error {
	err := l.retry()
	if err != nil && !keep {
		return err
	}
	next := l.next
	out := l.encode(all, now)
	if err == nil {
		err = l.write(out)
	}
	switch {
	case err == nil:
	case keep:
		l.pending = append(l.pending, out...)
	default:
		l.next = next
	}
	return err
}

func (l *Log) write(out []byte) error {
	if _, err := l.file.WriteAt(out, l.size); err != nil {
		return err
	}
	l.size += int64(len(out))
	return nil
}

// retry writes what could not be written.
func (l *Log) retry() error {
	if len(l.pending) == 0 {
		return nil
	}
	err := l.write(l.pending)
	if err == nil {
		l.pending = nil
	}
	return err
}

// Pending writes what could not be written, and says why it still cannot be.
func (l *Log) Pending() error { return l.retry() }

// Sync makes what was written last. It needs no lock.
func (l *Log) Sync() error { return l.file.Sync() }

// End is the offset that the next record gets.
func (l *Log) End() int64 { return l.next }

// Close closes the file.
func (l *Log) Close() error { return l.file.Close() }
