package commitmeta

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// pcVector is what parallel-consumer 0.5.3.3 itself wrote (OffsetSimultaneousEncoder, every encoding), and what it meant.
type pcVector struct {
	Meaning, Encoding, Text string
	Base                    int64
	Completed               [][2]int64
}

func pcVectors(t testing.TB) (all []pcVector) {
	t.Helper()
	raw, err := os.ReadFile("testdata/parallel-consumer-0.5.3.3.json")
	if err == nil {
		err = json.Unmarshal(raw, &all)
	}
	if err != nil || len(all) != 28 {
		t.Fatalf("%d vectors, %v", len(all), err)
	}
	return all
}

func TestWhatParallelConsumerWroteIsRead(t *testing.T) {
	seen := map[string]bool{}
	for _, v := range pcVectors(t) {
		seen[v.Encoding] = true
		got, err := DecodeParallelConsumer(v.Text, v.Base)
		if err != nil {
			t.Errorf("%s, %s: %v", v.Encoding, v.Meaning, err)
			continue
		}
		var ranges [][2]int64
		for r := range got.All() {
			ranges = append(ranges, [2]int64{r.From, r.To})
		}
		if !slices.Equal(ranges, v.Completed) || got.LeaderEpoch() != -1 {
			t.Errorf("%s, %s: read as %v, written for %v", v.Encoding, v.Meaning, ranges, v.Completed)
		}
	}
	if len(seen) != len(parallelConsumer) {
		t.Errorf("encodings %v, want all %d", seen, len(parallelConsumer))
	}
}

// What is believed without being right loses records, so what contradicts itself is not believed.
func TestWhatParallelConsumerDidNotWriteIsRefused(t *testing.T) {
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	bomb := "e" + string(make([]byte, 64<<20))
	for what, c := range map[string]struct {
		data string
		base int64
		want error
	}{
		"nothing":                         {"", 5, ErrEmpty},
		"Kafka Streams":                   {"\x02\x00\x00\x00\x00\x00\x00\x00\x07", 5, ErrForeign},
		"an unknown magic":                {"xyz", 5, ErrForeign},
		"a length that is cut":            {"o\x00\x00", 5, ErrCorrupt},
		"runs that are cut":               {"n\x00\x01\x00", 5, ErrCorrupt},
		"a negative run":                  {"n\x00\x01\xff\xff", 5, ErrCorrupt},
		"a bit beyond the length":         {"l\x00\x03\x08", 5, ErrCorrupt},
		"the committed offset, by bits":   {"l\x00\x03\x01", 5, ErrCorrupt},
		"the committed offset, by runs":   {"n\x00\x00\x00\x02", 5, ErrCorrupt},
		"runs beyond the last offset":     {"e\x00\x00\x00\x01\x7f\xff\xff\xff", 1<<63 - 5, ErrCorrupt},
		"what is no zstd":                 {"pxyz", 5, ErrCorrupt},
		"what decompresses to no end":     {"p" + string(w.EncodeAll([]byte(bomb), nil)), 5, ErrCorrupt},
		"a commit that is not there (-1)": {"n\x00\x01\x00\x02", -1, ErrCorrupt},
	} {
		if got, err := DecodeParallelConsumer(base64.StdEncoding.EncodeToString([]byte(c.data)), c.base); !errors.Is(err, c.want) {
			t.Errorf("%s: read as %v, %v; want %v", what, got, err, c.want)
		}
	}
	for _, v := range pcVectors(t) {
		if _, err := Decode(v.Text); !errors.Is(err, ErrForeign) || !strings.Contains(err.Error(), "parallel-consumer") {
			t.Errorf("%s: not recognised as parallel-consumer's: %v", v.Encoding, err)
		}
	}
}

func FuzzDecodeParallelConsumer(f *testing.F) {
	for _, v := range pcVectors(f) {
		f.Add(v.Text, v.Base)
	}
	f.Fuzz(func(t *testing.T, s string, base int64) {
		c, err := DecodeParallelConsumer(s, base)
		if err == nil && c.Contains(base) {
			t.Errorf("the committed offset %d is over in %v", base, c)
		}
	})
}
