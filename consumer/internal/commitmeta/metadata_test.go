package commitmeta

import (
	"errors"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"
	"unicode/utf16"
	"unicode/utf8"
)

var encodings = []Encoding{Base64, UTF16}

// random returns a metadata of any shape that Encode takes.
func random(r *rand.Rand) Metadata {
	m := Metadata{Base: r.Int64N(1 << (1 + r.IntN(60))), LeaderEpoch: int32(r.IntN(100)) - 1}
	for i := range m.TopicID {
		m.TopicID[i] = byte(r.Uint32())
	}
	m.Completed = randomMap(r, m.Base)
	at := m.Base
	for range r.IntN(4) * r.IntN(4) {
		a := Attempt{Offset: at, Attempts: 1 + r.IntN(1000), FirstFailed: time.UnixMilli(r.Int64N(1 << 45)).UTC()}
		if r.IntN(2) == 0 {
			a.Due = a.FirstFailed.Add(time.Duration(r.Int64N(1<<r.IntN(40))) * time.Millisecond)
		}
		m.Attempts = append(m.Attempts, a)
		at += 1 + r.Int64N(1<<r.IntN(40))
	}
	if r.IntN(2) == 0 {
		m.Starts = r.IntN(10)
		m.Noted = Note{Offset: m.Base + r.Int64N(100) - min(m.Base, 10), OK: true}
		m.Incarnation = time.Now().UnixNano() * (r.Int64N(3) - 1)
		m.Generation = r.Int32N(1 << r.IntN(31))
	}
	return m
}

func randomMap(r *rand.Rand, base int64) Completed {
	holes, runs := 1+r.IntN(30), 1+r.IntN(30)
	at := base + r.Int64N(2)
	var ranges []Range
	for range r.IntN(100) {
		to := at + 1 + r.Int64N(1<<r.IntN(runs))
		ranges = append(ranges, Range{From: at, To: to})
		at = to + 1 + r.Int64N(1<<r.IntN(holes))
	}
	return NewCompleted(int32(r.IntN(50))-1, ranges...)
}

func TestWhatIsEncodedIsDecoded(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for i := range 5000 {
		m := random(r)
		for _, enc := range encodings {
			s, err := m.Encode(enc, math.MaxInt)
			if err != nil {
				t.Fatalf("%d: %v", i, err)
			}
			if !utf8.ValidString(s) {
				t.Fatalf("%d: not UTF-8", i)
			}
			if units := len(utf16.Encode([]rune(s))); units != m.Size(enc) {
				t.Fatalf("%d: %v: %d units, Size said %d", i, enc, units, m.Size(enc))
			}
			got, err := Decode(s)
			if err != nil {
				t.Fatalf("%d: %v: %v\n%+v", i, enc, err, m)
			}
			if !got.Completed.Equal(m.Completed) && m.Completed.Runs() > 0 {
				t.Fatalf("%d: %v: completed %v, want %v", i, enc, got.Completed, m.Completed)
			}
			want := m
			got.Completed, want.Completed = Completed{}, Completed{}
			if !reflect.DeepEqual(got, want) {
				t.Fatalf("%d: %v:\n got %+v\nwant %+v", i, enc, got, want)
			}
		}
	}
}

// Padding takes room in the text and says nothing.
func TestPaddingIsDropped(t *testing.T) {
	m := Metadata{Base: 7, LeaderEpoch: -1, Starts: 2, Incarnation: 9, Generation: 3}
	padded := m
	padded.Padding = 300
	for _, enc := range encodings {
		s, err := padded.Encode(enc, math.MaxInt)
		if err != nil || len(s) < 300 || enc.Units(padded.Bytes()) != len(utf16.Encode([]rune(s))) {
			t.Fatalf("%v: %d bytes for %d of padding, %v", enc, len(s), padded.Padding, err)
		}
		if got, err := Decode(s); err != nil || !reflect.DeepEqual(got, m) {
			t.Errorf("%v: reads as %+v, %v", enc, got, err)
		}
	}
	if _, err := (Metadata{Padding: -1}).Encode(Base64, 4096); !errors.Is(err, ErrInvalid) {
		t.Errorf("less than no padding: %v", err)
	}
}

func TestTooLargeSaysNeededAndLimit(t *testing.T) {
	m := Metadata{Base: 1}
	for _, enc := range encodings {
		needed := m.Size(enc)
		if _, err := m.Encode(enc, needed); err != nil {
			t.Fatalf("%v: at the limit: %v", enc, err)
		}
		_, err := m.Encode(enc, needed-1)
		var large *TooLargeError
		if !errors.Is(err, ErrTooLarge) || !errors.As(err, &large) || large.Needed != needed || large.Limit != needed-1 {
			t.Fatalf("%v: %v", enc, err)
		}
	}
}
