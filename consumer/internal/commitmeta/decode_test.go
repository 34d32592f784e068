package commitmeta

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"math"
	"math/rand/v2"
	"reflect"
	"runtime"
	"strings"
	"testing"
)

func TestForeignMetadataIsRecognised(t *testing.T) {
	std := base64.StdEncoding.EncodeToString
	for _, c := range []struct{ name, found, says string }{
		{"none", "", "empty"},
		{"member id of franz-go", "kgo-0d6ff5b4-5e8c-4f25-a5f0-5e2b57f6e7f0", `"kgo-0d6ff5b4-5e8c-4f25-a5f0-5e2b" and 8 bytes more`},
		{"text of a person", "reset by ops", `"reset by ops"`},
		{"Kafka Streams 1", std([]byte{1, 0, 0, 1, 0x8f, 0, 0, 0, 0}), "Kafka Streams (version 1)"},
		{"Kafka Streams 2", std([]byte{2, 0, 0, 1, 0x8f, 0, 0, 0, 0, 0, 0, 0, 0}), "Kafka Streams (version 2)"},
		{"parallel-consumer bit set", std([]byte{'o', 0, 0, 0, 9, 0xfe, 1}), `parallel-consumer (bit set, magic 'o')`},
		{"parallel-consumer run length", std([]byte{'n', 0, 1, 0, 5}), `parallel-consumer (run length, magic 'n')`},
		{"parallel-consumer compressed", std([]byte{'p', 0x28, 0xb5, 0x2f, 0xfd}), `parallel-consumer (run length, magic 'p')`},
		{"marker of nobody", "~v", `"~v"`},
		{"not UTF-8", "\xff\xfe" + strings.Repeat("\xc3\xa9", 40), "and 50 bytes more"},
	} {
		m, err := Decode(c.found)
		if !errors.Is(err, ErrForeign) || errors.Is(err, ErrEmpty) != (c.found == "") || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want it to say %s", c.name, err, c.says)
		}
		if !reflect.DeepEqual(m, Metadata{}) {
			t.Errorf("%s: %+v", c.name, m)
		}
	}
}

// everything is a metadata with every section, whose map takes the given code.
func everything(tag uint64) Metadata {
	for _, c := range goldenCases() {
		if c.name != "everything" {
			continue
		}
		if tag == tagBitmap {
			c.m.Completed = NewCompleted(6, Range{1001, 1003}, Range{1004, 1005}, Range{1007, 1010})
		}
		if planMap(c.m.Completed, c.m.Base).tag != tag {
			break
		}
		return c.m
	}
	panic("no such map")
}

func TestChangedOrCutMetadataIsCorrupt(t *testing.T) {
	for _, tag := range []uint64{tagBitmap, tagRuns} {
		for _, enc := range encodings {
			s, err := everything(tag).Encode(enc, 4096)
			if err != nil {
				t.Fatal(err)
			}
			runes := []rune(s)
			for i := len(markBase64); i < len(runes); i++ {
				if _, err := Decode(string(runes[:i])); !errors.Is(err, ErrCorrupt) {
					t.Fatalf("%v cut at %d: %v", enc, i, err)
				}
				for bit := range 15 {
					changed := append([]rune{}, runes...)
					changed[i] ^= 1 << bit
					if _, err := Decode(string(changed)); !errors.Is(err, ErrCorrupt) {
						t.Fatalf("%v with bit %d of character %d changed: %v", enc, bit, i, err)
					}
				}
			}
			for _, more := range []string{"A", "AA", "AAAA", "㐀", "\xff", "\n"} {
				if _, err := Decode(s + more); !errors.Is(err, ErrCorrupt) {
					t.Fatalf("%v with %q behind: %v", enc, more, err)
				}
			}
		}
	}
}

// seal gives data a version and a CRC that is right, as if a later release or an enemy had written it.
func seal(version byte, data []byte) string {
	sealed := append([]byte{version, 0, 0, 0, 0}, data...)
	binary.BigEndian.PutUint32(sealed[1:], checksum(sealed))
	return Base64.text(sealed)
}

func TestLaterVersionIsToldFromCorruption(t *testing.T) {
	_, err := Decode(seal(2, []byte("whatever the layout will be")))
	if !errors.Is(err, ErrVersion) || errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), "version 2") {
		t.Error(err)
	}
}

func TestSectionsOfALaterReleaseAreSkipped(t *testing.T) {
	m := everything(tagRuns)
	data := m.append(nil, planMap(m.Completed, m.Base))
	for _, tag := range []uint64{7, 127, 128, math.MaxUint64} {
		later := appendHead(append([]byte{}, data[5:]...), tag, 5)
		got, err := Decode(seal(version, append(later, "later"...)))
		if err != nil || !reflect.DeepEqual(got, m) {
			t.Errorf("tag %d: %+v, %v", tag, got, err)
		}
	}
}

func TestWhatNobodyWroteIsCorrupt(t *testing.T) {
	header := make([]byte, 16, 64)
	header = append(header, 10, 2) // base 10, leader epoch 1
	section := func(tag byte, body ...byte) []byte { return append([]byte{tag, byte(len(body))}, body...) }
	huge := binary.AppendUvarint(nil, math.MaxUint64)
	most := binary.AppendUvarint(nil, math.MaxInt64)
	for name, sections := range map[string][]byte{
		"section beyond the end":     {4, 9, 1},
		"huge section":               append([]byte{9}, huge...),
		"sections out of order":      append(section(5, 2), section(4, 2)...),
		"section twice":              append(section(4, 2), section(4, 2)...),
		"two maps":                   append(section(1, 0, 1), section(2, 0, 1, 0)...),
		"tag 0":                      section(0),
		"bytes behind starts":        section(4, 2, 0),
		"no starts":                  section(4),
		"huge starts":                section(4, huge...),
		"noted below 0":              section(5, 21),
		"noted beyond all":           section(5, binary.AppendVarint(nil, math.MaxInt64)...),
		"incarnation cut":            section(6, 0x80),
		"generation cut":             section(11, 0x80),
		"huge generation":            section(11, huge...),
		"map epoch cut":              section(1, 0x80),
		"map epoch below -1":         section(1, 3, 1),
		"empty bitmap":               section(1, 0),
		"bitmap ends in zeros":       section(1, 0, 1, 0),
		"no count of runs":           section(2, 0),
		"no runs":                    section(2, 0, 0, 0),
		"huge count of runs":         section(2, append([]byte{0}, huge...)...),
		"more runs than bits":        section(2, 0, 9, 0, 0),
		"runs cut":                   section(2, 0, 1, 0xff),
		"bits behind the runs":       section(2, 0, 1, 0, 1),
		"byte behind the runs":       section(2, 0, 1, 0, 0),
		"run beyond all offsets":     section(2, 0, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff),
		"attempts cut":               section(3, 0, 1),
		"attempts at an offset, two": section(3, 0, 1, 0, 0, 1, 0),
		"no attempts":                section(3, 0, 0, 0),
		"huge attempts":              section(3, append(append([]byte{0}, huge...), 0)...),
		"attempts beyond all":        section(3, append(most, 1, 0)...),
	} {
		if m, err := Decode(seal(version, append(header, sections...))); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: %v, %+v", name, err, m)
		}
	}
	for name, data := range map[string][]byte{
		"nothing":          {},
		"half an id":       make([]byte, 9),
		"base cut":         append(make([]byte, 16), 0x80),
		"base below 0":     append(append(make([]byte, 16), huge...), 0),
		"leader epoch -2":  append(make([]byte, 16), 0, 3),
		"huge leader epch": append(append(make([]byte, 16), 0), huge[:9]...),
	} {
		if m, err := Decode(seal(version, data)); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: %v, %+v", name, err, m)
		}
	}
}

func TestInvalidMetadataIsNotWritten(t *testing.T) {
	for name, m := range map[string]Metadata{
		"base":               {Base: -1},
		"leader epoch":       {LeaderEpoch: -2},
		"completed below":    {Base: 10, Completed: NewCompleted(1, Range{9, 12})},
		"attempts below":     {Base: 10, Attempts: []Attempt{{Offset: 9, Attempts: 1}}},
		"attempts unordered": {Base: 10, Attempts: []Attempt{{Offset: 12, Attempts: 1}, {Offset: 11, Attempts: 1}}},
		"attempts twice":     {Base: 10, Attempts: []Attempt{{Offset: 10, Attempts: 1}, {Offset: 10, Attempts: 1}}},
		"no attempts":        {Base: 10, Attempts: []Attempt{{Offset: 10}}},
		"too many attempts":  {Base: 10, Attempts: []Attempt{{Offset: 10, Attempts: math.MaxInt32 + 1}}},
		"starts":             {Starts: -1},
		"too many starts":    {Starts: math.MaxInt32 + 1},
		"noted":              {Noted: Note{Offset: -1, OK: true}},
	} {
		if _, err := m.Encode(UTF16, 4096); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// decodeWithin decodes and fails when that allocated more than 64 bytes a byte and a little.
func decodeWithin(t *testing.T, s string) (Metadata, error) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	m, err := Decode(s)
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; used > uint64(len(s))*64+8192 {
		t.Errorf("%d bytes of input allocated %d", len(s), used)
	}
	return m, err
}

func TestHostileMetadataAllocatesLittle(t *testing.T) {
	header := append(make([]byte, 16), 10, 2)
	body := make([]byte, 20_000)
	for i := range body {
		body[i] = 0x55
	}
	body[0] = 2 // leader epoch 1
	maps := func(tag uint64, body []byte) string {
		return seal(version, append(appendHead(header, tag, len(body)), body...))
	}
	if m, err := decodeWithin(t, maps(tagBitmap, body)); err != nil || m.Completed.Runs() < 79_000 {
		t.Errorf("bitmap: %d runs, %v", m.Completed.Runs(), err)
	}
	count := binary.AppendUvarint([]byte{0}, 79_996)
	if _, err := decodeWithin(t, maps(tagRuns, append(count, body[:19_999]...))); !errors.Is(err, ErrCorrupt) {
		t.Errorf("runs: %v", err)
	}
	for i := range body {
		body[i] = byte(min(1, i%3)) ^ 1 | byte(i%3&1) // the next offset, one attempt, the same time; the last is cut
	}
	if _, err := decodeWithin(t, maps(tagAttempts, body)); !errors.Is(err, ErrCorrupt) {
		t.Errorf("attempts: %v", err)
	}
	million := binary.AppendUvarint([]byte{0}, 1_000_000)
	if _, err := decodeWithin(t, maps(tagRuns, append(million, body[:1000]...))); !errors.Is(err, ErrCorrupt) {
		t.Errorf("a million runs in 1,000 bytes: %v", err)
	}
	for _, enc := range []string{markBase64, markUTF16} {
		decodeWithin(t, enc+strings.Repeat("A", 30_000))
		decodeWithin(t, enc+strings.Repeat("㐀", 10_000))
	}
}

// FuzzDecode feeds texts as they are and, so that the fuzzer gets behind the CRC, as bytes that are sealed first.
func FuzzDecode(f *testing.F) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 20 {
		m := random(r)
		for _, enc := range encodings {
			s, _ := m.Encode(enc, math.MaxInt)
			f.Add(s, []byte{})
		}
		f.Add("", m.append(nil, planMap(m.Completed, m.Base))[5:])
	}
	for _, c := range goldenCases() {
		f.Add("", append(c.m.append(nil, planMap(c.m.Completed, c.m.Base)), c.extra...)[5:])
	}
	f.Fuzz(func(t *testing.T, text string, sealed []byte) {
		for _, s := range []string{text, seal(version, sealed)} {
			m, err := Decode(s)
			if cap(m.Completed.ranges) > 4*len(s) || cap(m.Attempts) > len(s)/3 {
				t.Fatalf("%q: room for %d runs and %d attempts", s, cap(m.Completed.ranges), cap(m.Attempts))
			}
			if err != nil {
				if !errors.Is(err, ErrForeign) && !errors.Is(err, ErrVersion) && !errors.Is(err, ErrCorrupt) {
					t.Fatalf("%q: %v", s, err)
				}
				continue
			}
			again, err := m.Encode(UTF16, math.MaxInt)
			if err != nil {
				t.Fatalf("%q reads as %+v, which cannot be written: %v", s, m, err)
			}
			if got, err := Decode(again); err != nil || !reflect.DeepEqual(got, m) && !(got.Completed.Runs() == 0 && m.Completed.Runs() == 0) {
				t.Fatalf("%q: %+v, then %+v, %v", s, m, got, err)
			}
			at := m.Base
			for i, r := range m.Completed.ranges {
				if r.From < at || i > 0 && r.From == at || r.To <= r.From {
					t.Fatalf("%q: run %d is %v", s, i, r)
				}
				at = r.To
			}
		}
	})
}
