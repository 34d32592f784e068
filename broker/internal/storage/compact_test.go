package storage

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sordini-go/sordini/broker/internal/records"
)

// entry is a record as a test writes and reads it; "" stands for a null value.
type entry struct{ key, value string }

// written is how a test's batch comes to be.
type written struct {
	producer int64 // 0: none
	sequence int32
	txn      bool
	codec    records.Codec
}

// keyed builds a batch of these records, all at one time.
func keyed(t testing.TB, ms int64, how written, entries ...entry) records.Batch {
	t.Helper()
	n := int32(len(entries))
	b := kmsg.RecordBatch{Magic: 2, ProducerID: -1, ProducerEpoch: -1, FirstSequence: -1, NumRecords: n, LastOffsetDelta: n - 1, FirstTimestamp: ms, MaxTimestamp: ms}
	if how.producer > 0 {
		b.ProducerID, b.ProducerEpoch, b.FirstSequence = how.producer, 0, how.sequence
	}
	if how.txn {
		b.Attributes |= 0x10
	}
	for i, e := range entries {
		r := kmsg.Record{OffsetDelta: int32(i), Key: []byte(e.key), Headers: []kmsg.Header{{Key: "h", Value: []byte(e.key)}}}
		if e.value != "" {
			r.Value = []byte(e.value)
		}
		r.Length = int32(len(r.AppendTo(nil)) - 1)
		b.Records = r.AppendTo(b.Records)
	}
	b.Length = 49 + int32(len(b.Records))
	out := records.Batch(b.AppendTo(nil))
	out.Seal()
	if how.codec == records.None {
		return out
	}
	out, err := out.Compressed(how.codec, records.DefaultLevel)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// held returns the records that a log holds below limit, by their offsets.
func held(t testing.TB, l *Log, limit int64) map[int64]entry {
	t.Helper()
	out, next := make(map[int64]entry), int64(0)
	for b := range l.from(0) {
		if err := b.CheckSum(); err != nil {
			t.Fatal(err)
		}
		if b.BaseOffset() < next {
			t.Fatalf("a batch at %d comes after offset %d", b.BaseOffset(), next-1)
		}
		next = b.LastOffset() + 1
		if b.Control() {
			continue
		}
		for r, err := range b.Records() {
			if err != nil {
				t.Fatal(err)
			}
			if r.Offset < b.BaseOffset() || r.Offset > b.LastOffset() {
				t.Fatalf("offset %d in a batch from %d to %d", r.Offset, b.BaseOffset(), b.LastOffset())
			}
			if hs := r.Headers(); len(hs) != 1 || string(hs[0].Value) != string(r.Key) {
				t.Fatalf("offset %d has headers %v", r.Offset, hs)
			}
			if r.Offset < limit {
				out[r.Offset] = entry{string(r.Key), string(r.Value)}
			}
		}
	}
	return out
}

func clean(t testing.TB, l *Log, now int64, c Compaction) (end int64, ok bool) {
	t.Helper()
	cleaning := l.Clean(time.UnixMilli(now), l.Stable(l.End()), c)
	if cleaning == nil {
		return 0, false
	}
	if err := cleaning.Run(); err != nil {
		t.Fatal(err)
	}
	if _, ok := l.Replace(cleaning); !ok {
		t.Fatal("nothing has happened meanwhile, and the compaction is not taken")
	}
	return cleaning.end, true
}

// naive is a compactor that is too simple to be wrong: it remembers every record that was ever written.
type naive struct {
	all      map[int64]entry
	aborted  map[int64]bool
	horizons map[int64]int64 // of tombstones that a compaction has seen, by offset
	gone     map[int64]bool
}

func (m *naive) clean(end, now, retention int64) map[int64]entry {
	newest := make(map[string]int64)
	for _, o := range slices.Sorted(maps.Keys(m.all)) {
		if o < end && !m.aborted[o] && !m.gone[o] {
			newest[m.all[o].key] = o
		}
	}
	for o, e := range m.all {
		if o >= end || m.gone[o] {
			continue
		}
		horizon, seen := m.horizons[o]
		switch {
		case m.aborted[o], newest[e.key] != o, e.value == "" && seen && horizon <= now:
			m.gone[o] = true
		case e.value == "" && !seen:
			m.horizons[o] = now + retention
		}
	}
	out := make(map[int64]entry)
	for o, e := range m.all {
		if !m.gone[o] {
			out[o] = e
		}
	}
	return out
}

func TestCompactionKeepsWhatANaiveCompactorKeeps(t *testing.T) {
	const retention = 500
	cleanings := 0
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 2))
		l := NewLog()
		m := &naive{all: map[int64]entry{}, aborted: map[int64]bool{}, horizons: map[int64]int64{}, gone: map[int64]bool{}}
		lim := Limits{SegmentBytes: 200 + r.Int64N(1500)}
		c := Compaction{MaxLag: math.MaxInt64, DeleteRetention: retention * time.Millisecond, SegmentBytes: lim.SegmentBytes * (1 + r.Int64N(4))}
		now := int64(10_000)
		sequences, open := map[int64]int32{}, map[int64][]int64{}
		for range 200 {
			now += r.Int64N(100)
			if r.IntN(8) == 0 {
				end, ok := clean(t, l, now, c)
				if !ok {
					continue
				}
				cleanings++
				want := m.clean(end, now, retention)
				if got := held(t, l, 1<<62); !maps.Equal(got, want) {
					t.Fatalf("seed %d: after compaction up to %d the log holds\n%v, want\n%v", seed, end, got, want)
				}
				continue
			}
			how := written{codec: records.Codec(r.IntN(5))}
			if how.producer = r.Int64N(5); how.producer > 2 { // 3 and 4 write in transactions
				how.txn = true
			}
			if ids := open[how.producer]; how.txn && len(ids) > 0 && r.IntN(2) == 0 {
				commit := r.IntN(2) == 0
				if _, err := l.AppendMarker(Marker{Producer: how.producer, Commit: commit}, 0, now, lim); err != nil {
					t.Fatal(err)
				}
				for _, o := range ids {
					m.aborted[o] = !commit
				}
				delete(open, how.producer)
				continue
			}
			var entries []entry
			for range 1 + r.IntN(5) {
				e := entry{key: fmt.Sprint(r.IntN(12))}
				if r.IntN(4) > 0 {
					e.value = fmt.Sprint("value ", r.IntN(1000))
				}
				entries = append(entries, e)
			}
			how.sequence = sequences[how.producer]
			sequences[how.producer] += int32(len(entries))
			res, err := l.AppendVerified(keyed(t, now, how, entries...), Unverified, 0, now, lim)
			if err != nil {
				t.Fatal(err)
			}
			for i, e := range entries {
				m.all[res.Base+int64(i)] = e
				if how.txn {
					open[how.producer] = append(open[how.producer], res.Base+int64(i))
				}
			}
		}
		// A log that is read again from its batches knows the producers' last sequence numbers.
		again := NewLog()
		for b := range l.from(0) {
			again.AppendReplica(b, now, lim)
		}
		for id, p := range l.producers {
			if id > 0 && p.n > 0 && (again.producers[id] == nil || again.producers[id].newest().lastSeq != p.newest().lastSeq) {
				t.Errorf("seed %d: producer %d is at %d, and %+v when its log is read again", seed, id, p.newest().lastSeq, again.producers[id])
			}
		}
	}
	if cleanings < 500 {
		t.Errorf("only %d compactions", cleanings)
	}
}

// rolled is a log with a segment for each of these batches, and an empty one that is not cleaned.
func rolled(t *testing.T, batches ...records.Batch) *Log {
	t.Helper()
	l := NewLog()
	for i, b := range append(batches, keyed(t, 1, written{}, entry{"last", "x"})) {
		if _, err := l.AppendVerified(b, Unverified, 0, int64(i), Limits{SegmentBytes: 1}); err != nil {
			t.Fatal(err)
		}
	}
	return l
}

var always = Compaction{MaxLag: math.MaxInt64, DeleteRetention: time.Second, SegmentBytes: 1 << 20}

func TestTombstoneStaysForItsRetention(t *testing.T) {
	l := rolled(t, keyed(t, 1, written{}, entry{"a", "1"}, entry{"b", "1"}), keyed(t, 1, written{}, entry{"a", ""}))
	add := func() { // something dirty, so that there is a reason to clean
		for range 2 {
			if _, err := l.Append(keyed(t, 1, written{}, entry{"c", "x"}), 0, 1, Limits{SegmentBytes: 1}); err != nil {
				t.Fatal(err)
			}
		}
	}
	clean(t, l, 10_000, always)
	var horizon int64
	for b := range l.from(2) {
		horizon, _ = b.DeleteHorizon()
		break
	}
	if horizon != 11_000 {
		t.Errorf("the delete horizon is %d", horizon)
	}
	add()
	if clean(t, l, 10_999, always); held(t, l, 3)[2] != (entry{"a", ""}) {
		t.Errorf("before its time: %v", held(t, l, 3))
	}
	add()
	if clean(t, l, 11_000, always); !maps.Equal(held(t, l, 3), map[int64]entry{1: {"b", "1"}}) {
		t.Errorf("after its time: %v", held(t, l, 3))
	}
}

func TestMarkerOutlivesItsRecords(t *testing.T) {
	for _, commit := range []bool{false, true} {
		l := NewLog()
		lim := Limits{SegmentBytes: 1}
		add := func(how written, key string) {
			t.Helper()
			if _, err := l.AppendVerified(keyed(t, 1, how, entry{key, "x"}), Unverified, 0, 1, lim); err != nil {
				t.Fatal(err)
			}
		}
		markers := func() (n int) {
			for b := range l.from(0) {
				if b.Control() && b.Count() > 0 {
					n++
				}
			}
			return n
		}
		add(written{producer: 7, txn: true}, "a")
		if _, err := l.AppendMarker(Marker{Producer: 7, Commit: commit}, 0, 1, lim); err != nil {
			t.Fatal(err)
		}
		add(written{producer: 7, sequence: 1}, "b") // what the producer has written last is not its transaction
		add(written{}, "a")
		for i, want := range []int{1, 1, 0} { // found with its records, found without them, past its horizon
			add(written{}, "a")
			add(written{}, "c")
			clean(t, l, 10_000+int64(i)*2000, always)
			if i == 0 && commit { // the committed record goes in this round, so the marker is found alone in the next
				if n := len(held(t, l, 1)); n != 0 {
					t.Errorf("the record that was overwritten is there")
				}
			}
			if got := markers(); got != want {
				t.Errorf("commit %v, compaction %d: %d markers, want %d", commit, i+1, got, want)
			}
		}
		if aborted := l.AppendAborted(nil, 0, l.End()); len(aborted) != 0 {
			t.Errorf("commit %v: %v is told to readers, and its marker is gone", commit, aborted)
		}
	}
}

func TestLastBatchOfAProducerStaysEmpty(t *testing.T) {
	l := rolled(t, keyed(t, 5, written{producer: 3, sequence: 40, codec: records.Gzip}, entry{"a", "1"}, entry{"b", "1"}),
		keyed(t, 1, written{}, entry{"a", "2"}, entry{"b", "2"}), keyed(t, 1, written{}, entry{"d", "2"}))
	clean(t, l, 10_000, always)
	b := l.segments[0].batches[0]
	if b.Count() != 0 || b.BaseOffset() != 0 || b.LastOffset() != 1 || b.ProducerID() != 3 || b.BaseSequence() != 40 || b.LastSequence() != 41 ||
		b.MaxTimestamp() != 5 || len(b) != records.HeaderSize || b.Codec() != records.None || b.BaseTimestamp() != -1 {
		t.Errorf("batch from %d to %d of %d records: %x", b.BaseOffset(), b.LastOffset(), b.Count(), []byte(b))
	}
}

func TestCompactedPartEndsWithABatch(t *testing.T) {
	// What is removed altogether would leave a log whose compacted part ends before its end: a follower that comes to it would not know how far it is.
	l := NewLog()
	if _, err := l.AppendVerified(keyed(t, 1, written{producer: 7, txn: true}, entry{"a", "1"}), Unverified, 0, 1, Limits{}); err != nil {
		t.Fatal(err)
	}
	if _, err := l.AppendMarker(Marker{Producer: 7}, 0, 1, Limits{SegmentBytes: 1}); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Append(keyed(t, 1, written{producer: 7, sequence: 1}, entry{"b", "1"}), 0, 1, Limits{}); err != nil {
		t.Fatal(err)
	}
	clean(t, l, 10_000, always)
	if got := l.segments[0].batches; len(got) != 1 || got[0].Count() != 0 || got[0].LastOffset() != 0 {
		t.Errorf("the compacted segment holds %d batches", len(got))
	}
}

func TestWhatIsCleanIsNotCleanedAgain(t *testing.T) {
	l := rolled(t, keyed(t, 1, written{}, entry{"a", "1"}), keyed(t, 1, written{}, entry{"a", "2"}))
	clean(t, l, 10_000, always)
	if c := l.Clean(time.UnixMilli(20_000), l.End(), always); c != nil {
		t.Errorf("a clean log is cleaned up to %d", c.end)
	}
	if at, ok := l.CleanAt(time.UnixMilli(20_000), l.End(), always); ok {
		t.Errorf("a clean log is looked at again at %d", at)
	}
}

func TestNothingIsCompactedBeforeItsTime(t *testing.T) {
	// Offsets 0 and 1 are old, 2 is young, 3 is active.
	l := rolled(t, keyed(t, 1000, written{}, entry{"a", "1"}), keyed(t, 1000, written{}, entry{"a", "2"}), keyed(t, 9_500, written{}, entry{"a", "3"}))
	now := time.UnixMilli(10_000)
	for name, test := range map[string]struct {
		c      Compaction
		stable int64
		end    int64 // of what is cleaned; 0: nothing
		at     int64 // when to look again; 0: not at all
	}{
		"everything but the active segment": {Compaction{MaxLag: math.MaxInt64}, 4, 3, 10_000},
		"up to the last stable offset":      {Compaction{MaxLag: math.MaxInt64}, 2, 2, 10_000},
		"a segment is whole or stays":       {Compaction{MaxLag: math.MaxInt64}, 1, 1, 10_000},
		"nothing is stable":                 {Compaction{MaxLag: math.MaxInt64}, 0, 0, 0},
		"what is young stays":               {Compaction{MaxLag: math.MaxInt64, MinLag: time.Second}, 4, 2, 10_000},
		"all is young":                      {Compaction{MaxLag: math.MaxInt64, MinLag: time.Minute}, 4, 0, 61_001},
		"too little is dirty":               {Compaction{MaxLag: math.MaxInt64, Dirty: 1}, 4, 0, 0},
		"too little, but too old":           {Compaction{MaxLag: 5 * time.Second, Dirty: 1}, 4, 3, 10_000},
		"too little, and not yet too old":   {Compaction{MaxLag: 20 * time.Second, Dirty: 1}, 4, 0, 21_001},
	} {
		got := int64(0)
		if c := l.Clean(now, test.stable, test.c); c != nil {
			got = c.end
		}
		if at, ok := l.CleanAt(now, test.stable, test.c); got != test.end || at != test.at && (ok || test.at != 0) {
			t.Errorf("%s: cleaned up to %d, looked at again at %d; want %d, %d", name, got, at, test.end, test.at)
		}
	}
}

func TestCompactionOfALogThatWasCutMeanwhileIsNotTaken(t *testing.T) {
	for name, cut := range map[string]func(l *Log){
		"truncated":      func(l *Log) { l.Truncate(1) },
		"begins later":   func(l *Log) { l.DropBefore(1) },
		"begins anew":    func(l *Log) { l.Reset(9) },
		"emptied by age": func(l *Log) { l.Retain(time.UnixMilli(1_000_000), time.Second, -1, l.End()) },
	} {
		l := rolled(t, keyed(t, 1, written{}, entry{"a", "1"}), keyed(t, 1, written{}, entry{"a", "2"}))
		c := l.Clean(time.UnixMilli(10_000), l.End(), always)
		cut(l)
		if err := c.Run(); err != nil {
			t.Fatal(err)
		}
		want := held(t, l, 1<<62)
		if _, ok := l.Replace(c); ok || !maps.Equal(held(t, l, 1<<62), want) {
			t.Errorf("%s: what was compacted before is taken", name)
		}
	}
}

func TestReaderKeepsWhatCompactionReplaces(t *testing.T) {
	l := rolled(t, keyed(t, 1, written{}, entry{"a", "1"}), keyed(t, 1, written{}, entry{"a", "2"}))
	got, _ := l.Read(nil, 0, l.End(), 1<<20, true)
	clean(t, l, 10_000, always)
	if len(got) != 3 || got[0].CheckSum() != nil || got[0].Count() != 1 {
		t.Errorf("a read of before: %v", got)
	}
	if left, _ := l.Read(nil, 0, l.End(), 1<<20, true); len(left) != 2 || left[0].BaseOffset() != 1 {
		t.Errorf("a read of after begins at %d", left[0].BaseOffset())
	}
	if l.Start() != 0 {
		t.Errorf("the log begins at %d: compaction does not move that", l.Start())
	}
}

func BenchmarkCompact(b *testing.B) {
	l := NewLog()
	for i := range 2000 {
		var entries []entry
		for j := range 50 {
			entries = append(entries, entry{fmt.Sprint((i*50 + j) % 5000), "a value of some thirty bytes or so"})
		}
		if _, err := l.Append(keyed(b, 1, written{}, entries...), 0, 1, Limits{SegmentBytes: 1 << 20}); err != nil {
			b.Fatal(err)
		}
	}
	b.SetBytes(l.Bytes())
	for b.Loop() {
		if err := l.Clean(time.UnixMilli(10_000), l.End(), always).Run(); err != nil {
			b.Fatal(err)
		}
	}
}
