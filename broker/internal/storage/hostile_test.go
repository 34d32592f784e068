package storage

import (
	"bytes"
	"encoding/binary"
	"errors"
	"path/filepath"
	"slices"
	"testing"

	"github.com/sordini-go/sordini/broker/internal/files/crashfs"
	"github.com/sordini-go/sordini/broker/internal/records"
)

// put writes a file.
func put(t testing.TB, disk *crashfs.FS, name string, contents []byte) {
	t.Helper()
	if err := disk.MkdirAll(filepath.Dir(name)); err != nil {
		t.Fatal(err)
	}
	f, err := disk.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.Truncate(0)); err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt(contents, 0); err != nil {
		t.Fatal(err)
	}
}

// placed are batches as they stand in a segment that begins at 0.
func placed(batches ...records.Batch) (all []byte) {
	next := int64(0)
	for _, b := range batches {
		b = slices.Clone(b)
		b.SetBaseOffset(next)
		b.SetLeaderEpoch(0)
		next = b.LastOffset() + 1
		all = append(all, b...)
	}
	return all
}

const firstSegment = crashDir + "/00000000000000000000.log"

// Whatever a segment holds, opening it neither fails nor makes up records: what is not whole is cut off, and what is left can be appended to.
func FuzzSegmentOfAStranger(f *testing.F) {
	whole := placed(batch(2, 1), sequenced(7, 0, 0, 3, 1), batch(1, 5))
	f.Add(whole, []byte(nil))
	f.Add(whole[:len(whole)-5], []byte{0, 1, 0, 0})
	f.Add(append(slices.Clone(whole), make([]byte, 500)...), []byte("0\n1\n5 0\n"))
	f.Add(bytes.Repeat(whole, 2), []byte("x"))
	huge := slices.Clone(whole)
	binary.BigEndian.PutUint32(huge[57:], 0x7fffffff)
	f.Add(huge, []byte("0\n1\n-1 -1\n"))
	f.Fuzz(func(t *testing.T, segment, epochs []byte) {
		disk := crashfs.New()
		put(t, disk, firstSegment, segment)
		put(t, disk, crashDir+"/00000000000000000000.snapshot", epochs)
		put(t, disk, crashDir+"/"+epochsFile, epochs)
		l, _, err := Open(NewDir(disk, crashDir, [16]byte{}, true, func() {}), Known{})
		if err != nil {
			t.Fatal(err)
		}
		left, err := disk.ReadFile(firstSegment)
		if err != nil {
			t.Fatal(err)
		}
		var held []byte
		for b := range l.Batches(0) {
			held = append(held, b...)
		}
		if !bytes.HasPrefix(segment, held) || !bytes.Equal(left, held) {
			t.Fatalf("the log holds %d bytes, the file %d, there were %d", len(held), len(left), len(segment))
		}
		if _, err := l.Append(batch(1, 1), 1<<30, 1, Limits{}); err != nil && !errors.Is(err, ErrStorage) {
			t.Fatal(err)
		}
	})
}

// FuzzSnapshot reads what anybody may have written.
func FuzzSnapshot(f *testing.F) {
	l := NewLog()
	if _, err := l.Append(sequenced(7, 3, 5, 2, 1), 0, 1, Limits{}); err != nil {
		f.Fatal(err)
	}
	f.Add(l.snapshot())
	f.Add([]byte{0, 1, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, in []byte) {
		if known, ok := readSnapshot(in); ok && len(known)*snapshotEntry > len(in) {
			t.Fatalf("%d producers in %d bytes", len(known), len(in))
		}
	})
}

func TestALogIsReadAgainAsItWas(t *testing.T) {
	disk := crashfs.New()
	open := func() *Log {
		t.Helper()
		l, _, err := Open(NewDir(disk, crashDir, [16]byte{1}, true, func() {}), Known{})
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	l := open()
	lim := Limits{SegmentBytes: 300}
	add := func(b records.Batch) {
		t.Helper()
		if _, err := l.AppendVerified(b, Unverified, 3, 1, lim); err != nil {
			t.Fatal(err)
		}
	}
	for i := range int32(6) {
		add(sequenced(7, 0, i*2, 2, 1))
		add(transactional(8, 0, i, 1))
		mark(t, l, Marker{Producer: 8, Epoch: 0, Commit: i%2 == 0})
	}
	add(transactional(9, 0, 0, 1)) // stays open
	l.DropBefore(4)
	if f := l.BeginFlush(true); f != nil {
		if err := f.Run(); err != nil {
			t.Fatal(err)
		}
		l.EndFlush(f)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	again, _, err := Open(NewDir(disk, crashDir, [16]byte{1}, true, func() {}), Known{Start: 4, Clean: true})
	if err != nil {
		t.Fatal(err)
	}
	if again.Start() != l.Start() || again.End() != l.End() || again.LatestEpoch() != l.LatestEpoch() || again.Bytes() != l.Bytes() {
		t.Errorf("from %d to %d, epoch %d, %d bytes; was from %d to %d, epoch %d, %d bytes", again.Start(), again.End(), again.LatestEpoch(), again.Bytes(),
			l.Start(), l.End(), l.LatestEpoch(), l.Bytes())
	}
	if a, b := again.AppendAborted(nil, 0, again.End()), l.AppendAborted(nil, 0, l.End()); !slices.Equal(a, b) {
		t.Errorf("aborted are %v, were %v", a, b)
	}
	if a, b := again.Stable(again.End()), l.Stable(l.End()); a != b {
		t.Errorf("stable to %d, was to %d", a, b)
	}
	for i, p := range again.Producers() {
		was := l.Producers()[i]
		if p.LastTime = was.LastTime; p != was {
			t.Errorf("producer %+v, was %+v", p, was)
		}
	}
	if a, err := again.Append(sequenced(7, 0, 10, 2, 1), 3, 1, lim); err != nil || !a.Duplicate {
		t.Errorf("the last batch of a producer, again: %+v, %v", a, err)
	}
}

func TestWhatHadBeenSyncedIsNotCutOff(t *testing.T) {
	disk := crashfs.New()
	segment := placed(batch(2, 1), batch(2, 1), batch(2, 1))
	segment[len(segment)-1] ^= 1
	for recovered, refused := range map[int64]bool{4: false, 5: true, 6: true} {
		put(t, disk, firstSegment, segment)
		l, found, err := Open(NewDir(disk, crashDir, [16]byte{}, true, func() {}), Known{Recovered: recovered})
		switch {
		case refused && !errors.Is(err, ErrCorrupt):
			t.Errorf("synced to offset %d: %v", recovered, err)
		case !refused && (err != nil || l.End() != 4 || found.Cut == 0):
			t.Errorf("synced to offset %d: %+v, %v", recovered, found, err)
		}
	}
}
