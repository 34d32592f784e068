package storage

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/sordini-go/sordini/broker/internal/files/crashfs"
	"github.com/sordini-go/sordini/broker/internal/records"
)

// diary is what was done to a log and what was promised, by the moments of its file system.
type diary struct {
	disk     *crashfs.FS
	log      *Log
	keys     []string // of the record at each offset
	promises []promise
	starts   []promise // where the log was told to start
}

type promise struct {
	ops    int
	offset int64
}

// at is the largest offset of what was noted until a moment.
func at(all []promise, ops int) (offset int64) {
	for _, p := range all {
		if p.ops <= ops {
			offset = max(offset, p.offset)
		}
	}
	return offset
}

func (d *diary) flush(t *testing.T) {
	t.Helper()
	f := d.log.BeginFlush(false)
	if f == nil {
		return
	}
	if err := f.Run(); err != nil {
		t.Fatalf("flush: %v", err)
	}
	d.log.EndFlush(f)
	d.promises = append(d.promises, promise{d.disk.Ops(), d.log.Synced()})
}

const crashDir = "/data/broker-1/orders-0"

// live does to a log, in random order, all that a broker does. Nothing that was promised is taken back.
func live(t *testing.T, seed uint64, steps int, compact bool, disk *crashfs.FS) *diary {
	t.Helper()
	rnd := rand.New(rand.NewPCG(seed, 1))
	for _, dir := range []string{"/data/broker-1", "/data", "/"} { // which a broker makes before it opens logs
		if err := errors.Join(disk.MkdirAll(dir), disk.SyncDir(dir)); err != nil {
			t.Fatal(err)
		}
	}
	d := &diary{disk: disk}
	l, _, err := Open(NewDir(disk, crashDir, [16]byte{1}, true, func() {}), Known{})
	if err != nil {
		t.Fatal(err)
	}
	d.log = l
	epoch, sequence := int32(0), int32(0)
	for i := range steps {
		switch now := int64(1000 + i); rnd.IntN(12) {
		case 0, 1:
			d.flush(t)
		case 2:
			if epoch++; rnd.IntN(3) == 0 {
				l.BeginEpoch(epoch)
			}
		case 3:
			if !compact && rnd.IntN(3) == 0 {
				to := l.Start() + rnd.Int64N(l.Synced()-l.Start()+1)
				d.starts = append(d.starts, promise{d.disk.Ops(), to})
				l.DropBefore(to)
			}
		case 4:
			if compact {
				if c := l.Clean(time.UnixMilli(now), l.Synced(), Compaction{MaxLag: time.Duration(1 << 62), DeleteRetention: time.Hour, SegmentBytes: 400}); c != nil {
					if err := c.Run(); err != nil {
						t.Fatal(err)
					}
					if _, ok := l.Replace(c); !ok {
						t.Fatal("the compaction was not put into place")
					}
				}
			} else if rnd.IntN(3) == 0 {
				d.starts = append(d.starts, promise{d.disk.Ops(), l.Synced()})
				l.Retain(time.UnixMilli(now), -1, 700, l.Synced())
			}
		default:
			var entries []entry
			for range 1 + rnd.IntN(3) {
				key := fmt.Sprint("k", rnd.IntN(5))
				entries = append(entries, entry{key, fmt.Sprint(len(d.keys))})
				d.keys = append(d.keys, key)
			}
			var how written
			if rnd.IntN(2) == 0 {
				how = written{producer: 7, sequence: sequence}
				sequence += int32(len(entries))
			}
			if _, err := l.Append(keyed(t, now, how, entries...), epoch, now, Limits{SegmentBytes: 300}); err != nil {
				t.Fatal(err)
			}
		}
	}
	d.flush(t)
	return d
}

// judge opens what a crash has left, and says what is missing of what was promised.
func (d *diary) judge(left *crashfs.FS, ops int, compact bool) error {
	promised, start := at(d.promises, ops), at(d.starts, ops)
	l, _, err := Open(NewDir(left, crashDir, [16]byte{1}, true, func() {}), Known{})
	if err != nil {
		return err
	}
	if l.End() < promised {
		return fmt.Errorf("the log ends at offset %d, promised was %d", l.End(), promised)
	}
	newest := make(map[string]int64)
	held := make(map[int64]bool)
	for b := range l.Batches(0) {
		for r, err := range b.Records() {
			if err != nil {
				return err
			}
			if want := fmt.Sprint(r.Offset); string(r.Value) != want || string(r.Key) != d.keys[r.Offset] {
				return fmt.Errorf("offset %d has %s=%s", r.Offset, r.Key, r.Value)
			}
			newest[string(r.Key)], held[r.Offset] = r.Offset, true
		}
	}
	for offset := start; offset < promised; offset++ {
		if key := d.keys[offset]; !held[offset] && (!compact || newest[key] < offset) {
			return fmt.Errorf("offset %d is gone, promised was everything to %d", offset, promised)
		}
	}
	if _, err := l.Append(records.New([]records.Record{{Key: []byte("after")}}, nil, 1), 1000, 1, Limits{}); err != nil {
		return fmt.Errorf("append after the crash: %w", err)
	}
	return nil
}

// crashes looks at what every crash leaves, and returns the first that has cost what was promised.
func (d *diary) crashes(compact bool) error {
	for n := range d.disk.Ops() + 1 {
		for keep := crashfs.Nothing; keep <= crashfs.Some; keep++ {
			if err := d.judge(d.disk.Crash(n, keep, uint64(n)), n, compact); err != nil {
				last := "nothing was done"
				if n > 0 {
					last = d.disk.Op(n - 1)
				}
				return fmt.Errorf("crash %d after %s, keeping %d: %w", n, last, keep, err)
			}
		}
	}
	return nil
}

func TestNoCrashCostsWhatWasPromised(t *testing.T) {
	for seed := range uint64(4) {
		for _, compact := range []bool{false, true} {
			d := live(t, seed, 60, compact, crashfs.New())
			if err := d.crashes(compact); err != nil {
				t.Errorf("seed %d, compacted %v: %v", seed, compact, err)
			}
		}
	}
}

// The judge has to see a loss where there is one: every kind of sync is left out once.
func TestASyncThatIsLeftOutCostsWhatWasPromised(t *testing.T) {
	for name, deaf := range map[string]func(string) bool{
		"of segments":               func(name string) bool { return strings.HasSuffix(name, logSuffix) },
		"of the directory":          func(name string) bool { return name == crashDir },
		"of the directory above it": func(name string) bool { return name == "/data/broker-1" },
	} {
		found := false
		for seed := uint64(0); seed < 6 && !found; seed++ {
			disk := crashfs.New()
			disk.Deafen(deaf)
			found = live(t, seed, 60, false, disk).crashes(false) != nil
		}
		if !found {
			t.Errorf("syncs %s are left out, and nobody has seen it", name)
		}
	}
	disk := crashfs.New()
	disk.Deafen(func(name string) bool { return strings.HasSuffix(name, cleanedSuffix) })
	found := false
	for seed := uint64(0); seed < 6 && !found; seed++ {
		found = live(t, seed, 60, true, disk).crashes(true) != nil
		disk = crashfs.New()
		disk.Deafen(func(name string) bool { return strings.HasSuffix(name, cleanedSuffix) })
	}
	if !found {
		t.Error("syncs of compacted segments are left out, and nobody has seen it")
	}
}
