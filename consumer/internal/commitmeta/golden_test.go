package commitmeta

import (
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf16"
)

var addGolden = flag.Bool("add-golden", false, "write the golden files that do not exist yet; none is ever overwritten")

// golden is one file of testdata: what is persisted, in every form, and what it means.
type golden struct {
	Meaning  string // in a sentence
	ReadOnly bool   `json:",omitempty"` // written by another release: this one reads it, but would write it differently
	Bytes    string // hex
	Base64   string
	UTF16    string // code units in hex

	TopicID        string
	Base           int64
	LeaderEpoch    int32
	CompletedEpoch *int32     `json:",omitempty"`
	Completed      [][2]int64 `json:",omitempty"` // from, to (excluded)
	Attempts       []goldenAttempt
	Starts         int    `json:",omitempty"`
	Noted          *int64 `json:",omitempty"`
	Crashes        int    `json:",omitempty"`
	Incarnation    int64  `json:",omitempty"`
	Generation     int32  `json:",omitempty"`
}

type goldenAttempt struct {
	Offset      int64
	Attempts    int
	FirstFailed time.Time
	Due         time.Time `json:",omitzero"`
}

func (g golden) metadata() Metadata {
	m := Metadata{Base: g.Base, LeaderEpoch: g.LeaderEpoch, Starts: g.Starts, Incarnation: g.Incarnation, Generation: g.Generation}
	hex.Decode(m.TopicID[:], []byte(g.TopicID))
	var ranges []Range
	for _, r := range g.Completed {
		ranges = append(ranges, Range{From: r[0], To: r[1]})
	}
	if g.CompletedEpoch != nil {
		m.Completed = NewCompleted(*g.CompletedEpoch, ranges...)
	}
	for _, a := range g.Attempts {
		m.Attempts = append(m.Attempts, Attempt(a))
	}
	if g.Noted != nil {
		m.Noted = Note{Offset: *g.Noted, OK: true, Crashes: g.Crashes}
	}
	return m
}

func meaningOf(m Metadata) golden {
	g := golden{TopicID: hex.EncodeToString(m.TopicID[:]), Base: m.Base, LeaderEpoch: m.LeaderEpoch, Starts: m.Starts, Incarnation: m.Incarnation, Generation: m.Generation}
	if m.Completed.Runs() > 0 {
		epoch := m.Completed.LeaderEpoch()
		g.CompletedEpoch = &epoch
	}
	for r := range m.Completed.All() {
		g.Completed = append(g.Completed, [2]int64{r.From, r.To})
	}
	for _, a := range m.Attempts {
		g.Attempts = append(g.Attempts, goldenAttempt(a))
	}
	if m.Noted.OK {
		g.Noted, g.Crashes = &m.Noted.Offset, m.Noted.Crashes
	}
	return g
}

func units(s string) string {
	var b strings.Builder
	for _, u := range utf16.Encode([]rune(s)) {
		fmt.Fprintf(&b, "%04x", u)
	}
	return b.String()
}

// TestPersistedFormat reads what every release may find in a cluster. It is a persisted format: never change or delete a file of testdata, add new
// ones. A failure here means that groups in production would forget what they completed, or worse, believe what is wrong.
func TestPersistedFormat(t *testing.T) {
	if *addGolden {
		writeGolden(t)
	}
	files, err := filepath.Glob("testdata/v1/*.json")
	if err != nil || len(files) < len(goldenCases()) {
		t.Fatalf("%d golden files, %v: never delete one", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".json"), func(t *testing.T) {
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var g golden
			if err := json.Unmarshal(raw, &g); err != nil {
				t.Fatal(err)
			}
			want := g.metadata()
			for _, enc := range encodings {
				text := g.Base64
				if enc == UTF16 {
					text = fromUnits(t, g.UTF16)
				}
				got, err := Decode(text)
				if err != nil {
					t.Fatalf("%v: %v", enc, err)
				}
				if !reflect.DeepEqual(got, want) {
					t.Errorf("%v reads as\n%+v, it means\n%+v", enc, got, want)
				}
				data, err := bytesOf(text)
				if err != nil || hex.EncodeToString(data) != g.Bytes {
					t.Errorf("%v holds\n%x, not\n%s (%v)", enc, data, g.Bytes, err)
				}
				if g.ReadOnly {
					continue
				}
				if s, err := want.Encode(enc, 4096); err != nil || s != text {
					t.Errorf("%v is written as\n%q (%v), it was\n%q", enc, s, err, text)
				}
			}
		})
	}
}

func fromUnits(t *testing.T, s string) string {
	t.Helper()
	raw, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	var u []uint16
	for i := 0; i+1 < len(raw); i += 2 {
		u = append(u, uint16(raw[i])<<8|uint16(raw[i+1]))
	}
	return string(utf16.Decode(u))
}

type goldenCase struct {
	name, meaning string
	m             Metadata
	extra         []byte // sections of a later release, appended to the bytes
}

func goldenCases() []goldenCase {
	id := [16]byte{0x5e, 0x1f, 0xc0, 0x0a, 0x11, 0x22, 0x43, 0x44, 0x95, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc}
	first := time.Date(2026, 3, 4, 5, 6, 7, 89e6, time.UTC)
	var dense, sparse, crowd []Range
	for i := range int64(64) {
		if i*i%7 < 3 {
			dense = append(dense, Range{From: 1000 + i, To: 1001 + i})
		}
		sparse = append(sparse, Range{From: 1001 + i*(40+i), To: 1000 + (i+1)*(41+i)})
	}
	crowd = append(crowd, Range{From: 1001, To: 1 << 33}, Range{From: 1<<33 + 2, To: 1<<33 + 5}, Range{From: 1<<33 + 6, To: 1<<33 + 8}, Range{From: 1<<33 + 9, To: 1<<33 + 10})
	return []goldenCase{
		{"empty", "nothing beyond the committed offset", Metadata{TopicID: id, Base: 1000, LeaderEpoch: 5}, nil},
		{"zero", "a topic without id, offset 0, no leader epoch", Metadata{LeaderEpoch: -1}, nil},
		{"stuck", "one record is stuck, ten million behind it have ended", Metadata{TopicID: id, Base: 1000, LeaderEpoch: 5,
			Completed: NewCompleted(6, Range{From: 1001, To: 10_001_000})}, nil},
		{"dense", "records that end at random: a bitmap", Metadata{TopicID: id, Base: 1000, LeaderEpoch: 5, Completed: NewCompleted(5, dense...)}, nil},
		{"sparse", "single records are stuck: runs", Metadata{TopicID: id, Base: 1000, LeaderEpoch: 5, Completed: NewCompleted(5, sparse...)}, nil},
		{"crowd", "a record that is stuck, eight billion that ended, a crowd of new ones: an escaped length", Metadata{TopicID: id, Base: 1000, LeaderEpoch: 5,
			Completed: NewCompleted(9, crowd...)}, nil},
		{"unknown-epoch", "a map without leader epoch that starts at the base", Metadata{TopicID: id, Base: 1000, LeaderEpoch: -1,
			Completed: NewCompleted(-1, Range{From: 1000, To: 1002}, Range{From: 1004, To: 1005})}, nil},
		{"attempts", "three records wait to be tried again", Metadata{TopicID: id, Base: 1000, LeaderEpoch: 5, Attempts: []Attempt{
			{Offset: 1000, Attempts: 1, FirstFailed: first},
			{Offset: 1003, Attempts: 300, FirstFailed: first.Add(-time.Hour)},
			{Offset: 1 << 40, Attempts: 5, FirstFailed: first.Add(time.Second)},
		}}, nil},
		{"crash-loop", "the third start at this offset, 1007 is about to be handled alone", Metadata{TopicID: id, Base: 1000, LeaderEpoch: 5,
			Starts: 3, Noted: Note{Offset: 1007, OK: true}}, nil},
		{"everything", "every section of the first release", Metadata{TopicID: id, Base: 1000, LeaderEpoch: 5,
			Completed: NewCompleted(6, Range{From: 1001, To: 1003}, Range{From: 1004, To: 1900}),
			Attempts:  []Attempt{{Offset: 1000, Attempts: 2, FirstFailed: first}}, Starts: 1, Noted: Note{Offset: 998, OK: true},
			Incarnation: first.UnixMilli()}, nil},
		{"due", "two of three records wait for a time of their own", Metadata{TopicID: id, Base: 1000, LeaderEpoch: 5, Attempts: []Attempt{
			{Offset: 1000, Attempts: 1, FirstFailed: first, Due: first.Add(time.Hour)},
			{Offset: 1003, Attempts: 6, FirstFailed: first.Add(-time.Hour)},
			{Offset: 1004, Attempts: 2, FirstFailed: first, Due: first},
		}}, nil},
		{"culprit", "1007 is about to be handled alone, and has ended the process once so", Metadata{TopicID: id, Base: 1000, LeaderEpoch: 5,
			Starts: 5, Noted: Note{Offset: 1007, OK: true, Crashes: 1}}, nil},
		{"generation", "the whole fence: the incarnation, and the group's generation when the partition was assigned", Metadata{TopicID: id, Base: 1000, LeaderEpoch: 5,
			Incarnation: first.UnixMilli(), Generation: 300}, nil},
		{"padded", "a commit that is to show what its broker's limit counts: section 10 has no meaning", Metadata{TopicID: id, Base: 1000, LeaderEpoch: 5, Starts: 2},
			[]byte{10, 3, 0, 0, 0}},
		{"later", "written by a later release: sections 7 and 1000 are skipped", Metadata{TopicID: id, Base: 1000, LeaderEpoch: 5, Starts: 2},
			[]byte{7, 3, 1, 2, 3, 0xe8, 0x07, 0}},
	}
}

func writeGolden(t *testing.T) {
	for _, c := range goldenCases() {
		g := meaningOf(c.m)
		g.Meaning, g.ReadOnly = c.meaning, c.extra != nil
		plan := planMap(c.m.Completed, c.m.Base)
		data := append(c.m.append(nil, plan), c.extra...)
		sum := crc32.Update(crc32.Checksum(data[:1], castagnoli), castagnoli, data[5:])
		data[1], data[2], data[3], data[4] = byte(sum>>24), byte(sum>>16), byte(sum>>8), byte(sum)
		g.Bytes, g.Base64, g.UTF16 = hex.EncodeToString(data), Base64.text(data), units(UTF16.text(data))
		raw, err := json.MarshalIndent(g, "", "\t")
		if err != nil {
			t.Fatal(err)
		}
		f, err := os.OpenFile(filepath.Join("testdata", "v1", c.name+".json"), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
		if os.IsExist(err) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write(append(raw, '\n')); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
