package storage

import (
	"errors"
	"slices"
)

// How compacted segments take their place, as in Kafka: they are written beside the others (.cleaned) and synced, then all are renamed (.swap), from when
// on they count, then what they were made of is removed, then they get their names. Whoever opens the directory finishes what was going on.

// writeCleaned writes the segments that a compaction has made. It needs no lock.
func (d *Dir) writeCleaned(results []*segment) error {
	for _, s := range results {
		f, err := d.fs.Open(d.name(s.base, logSuffix+cleanedSuffix))
		if err != nil {
			return d.failure(err)
		}
		r := rewrite{base: s.base, size: s.bytes}
		for _, b := range s.batches {
			r.batches = append(r.batches, b)
		}
		if err := errors.Join(r.write(f), f.Close()); err != nil {
			return d.failure(err)
		}
	}
	return nil
}

// swap puts the segments of a compaction into their place. It reports false, with everything as it was, where it cannot begin.
func (d *Dir) swap(c *Cleaning) bool {
	if d.failed != nil {
		return false
	}
	for i, s := range c.results {
		name := d.name(s.base, logSuffix)
		if err := d.fs.Rename(name+cleanedSuffix, name+swapSuffix); err != nil {
			for _, done := range c.results[:i] { // an old segment in the place of a new one is what was there
				if d.fs.Remove(d.name(done.base, logSuffix+swapSuffix)) != nil {
					d.fail(err)
				}
			}
			return false
		}
	}
	if err := d.finish(c); err != nil {
		d.fail(err) // all is written anew from memory
	}
	d.named = true
	d.dirty()
	return true
}

func (d *Dir) finish(c *Cleaning) error {
	if err := d.fs.SyncDir(d.path); err != nil {
		return err
	}
	for i := range c.sources {
		base := c.sources[i].base
		d.drop(base)
		if !slices.ContainsFunc(c.results, func(s *segment) bool { return s.base == base }) {
			if err := d.remove(base); err != nil {
				return err
			}
		}
	}
	if len(c.results) < len(c.sources) { // a name that comes first must not meet those that were to go
		if err := d.fs.SyncDir(d.path); err != nil {
			return err
		}
	}
	for _, s := range c.results {
		name := d.name(s.base, logSuffix)
		if err := d.fs.Rename(name+swapSuffix, name); err != nil {
			return err
		}
	}
	return nil
}

// reindex writes the indexes of segments that have been compacted.
func (d *Dir) reindex(l *Log, results []*segment) {
	for _, s := range results {
		if err := errors.Join(d.removeAll(s.base, txnSuffix), d.index(l, s)); err != nil {
			_ = d.removeAll(s.base, indexSuffix, timeSuffix, txnSuffix) // without them whoever wants them makes them
		}
	}
}
