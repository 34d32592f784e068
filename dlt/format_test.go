package dlt_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/dlt"
	"github.com/sordini-go/sordini/internal/recordsize"
)

var update = flag.Bool("update", false, "write the golden files")

var (
	placedAt  = time.Date(2026, 11, 23, 17, 45, 2, 123_000_000, time.UTC)
	firstFail = placedAt.Add(time.Second)
	lastFail  = placedAt.Add(4 * time.Second)
)

func failure() dlt.Failure {
	return dlt.Failure{
		Record: &sordini.Record{
			Topic: "orders", Partition: 7, Offset: 4711, LeaderEpoch: 3, Timestamp: placedAt,
			Key: []byte("17"), Value: []byte(`{"ID":"17"}`),
			Headers: sordini.Headers{{Key: "correlation-id", Value: []byte("c-1")}, {Key: "dup", Value: []byte("1")}, {Key: "dup", Value: []byte{0xff, 0}}, {Key: "null", Value: nil}},
		},
		TopicID: [16]byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 255},
		Group:   "billing", Class: dlt.Exhausted, Err: fmt.Errorf("charge order 17: %w", &cardError{"4711"}), Attempts: 6,
		FirstFailed: firstFail, Failed: lastFail, Client: "billing host-1 sordini@v1.0.0",
	}
}

// golden is a record as text: one line a part, everything quoted.
func golden(r *sordini.Record, cut dlt.Truncated) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "topic %q\npartition %d\nkey %q\nvalue %q\ntruncated %q\n", r.Topic, r.Partition, r.Key, r.Value, cut)
	for _, h := range r.Headers {
		fmt.Fprintf(&b, "header %q %q\n", h.Key, h.Value)
	}
	return b.Bytes()
}

func TestFormatGolden(t *testing.T) {
	withStack := failure()
	withStack.Class, withStack.Stack = dlt.Panic, []byte("goroutine 1 [running]:\nmain.charge(0x1)\n")
	undecodable := failure()
	undecodable.Class, undecodable.Err, undecodable.Attempts = dlt.Decode, errors.New("invalid character 'x'"), 1
	undecodable.Record.Key, undecodable.Record.Value = nil, []byte{0, 0xff, 'x'}
	large := failure()
	large.Record.Value = bytes.Repeat([]byte("v"), 5000)
	for name, c := range map[string]struct {
		f dlt.Format
		x dlt.Failure
	}{
		"exhausted": {dlt.Format{}, failure()},
		"panic":     {dlt.Format{}, withStack},
		"decode":    {dlt.Format{}, undecodable},
		"profiles":  {dlt.Format{Profile: dlt.Spring | dlt.Kafka | dlt.Connect}, withStack},
		"redacted":  {dlt.Format{Redact: func(s string) string { return strings.ReplaceAll(s, "4711", "****") }}, failure()},
		"pointer":   {dlt.Format{Limit: 5000}, large},
	} {
		t.Run(name, func(t *testing.T) {
			r, cut := c.f.Record("orders.billing.dlt", c.x)
			got, path := golden(r, cut), filepath.Join("testdata", "v1-"+name+".golden")
			if *update {
				if err := os.WriteFile(path, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("the format has changed:\n%s\nwant:\n%s", got, want)
			}
		})
	}
}

func sameRecord(t *testing.T, got, want *sordini.Record) {
	t.Helper()
	if got.Topic != want.Topic || got.Partition != want.Partition || got.Offset != want.Offset || got.Timestamp.UnixMilli() != want.Timestamp.UnixMilli() ||
		!bytes.Equal(got.Key, want.Key) || (got.Key == nil) != (want.Key == nil) || !bytes.Equal(got.Value, want.Value) || (got.Value == nil) != (want.Value == nil) {
		t.Fatalf("got %+v\nwant %+v", got, want)
	}
	if g, w := fmt.Sprintf("%#v", []sordini.Header(got.Headers)), fmt.Sprintf("%#v", []sordini.Header(want.Headers)); len(got.Headers)+len(want.Headers) > 0 && g != w {
		t.Fatalf("headers\n%s\nwant\n%s", g, w)
	}
}

// Property: what Record writes, Parse reads, and the source record comes back byte for byte.
func TestParseGivesBackWhatRecordWrote(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	random := func() []byte {
		if rng.IntN(4) == 0 {
			return nil
		}
		b := make([]byte, rng.IntN(40))
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
		return b
	}
	classes := []dlt.Class{dlt.Decode, dlt.Permanent, dlt.Exhausted, dlt.Panic, dlt.TooLarge, dlt.Crash}
	for i := range 2000 {
		x := failure()
		x.Record = &sordini.Record{Topic: "orders", Partition: rng.Int32(), Offset: rng.Int64(), Timestamp: time.UnixMilli(rng.Int64N(1 << 60)), Key: random(), Value: random()}
		for range rng.IntN(5) {
			x.Record.Headers.Add([]string{"a", "dlt-mine", "kafka_dlt-original-topic", string(random())}[rng.IntN(4)], random())
		}
		x.Class = classes[rng.IntN(len(classes))]
		x.Stack = []byte("stack")
		x.Group = fmt.Sprintf("g/%d", i)
		f := dlt.Format{}
		r, cut := f.Record("d", x)
		if cut != dlt.Whole {
			t.Fatalf("truncated %v", cut)
		}
		l, err := dlt.Parse(r)
		if err != nil {
			t.Fatal(err)
		}
		sameRecord(t, l.Source(), x.Record)
		if l.Identity() != x.Identity() || l.Group != x.Group || l.Class != x.Class || l.TopicID != x.TopicID || l.Attempts != 6 || !l.FirstFailed.Equal(firstFail) ||
			!l.Failed.Equal(lastFail) || l.Error != x.Err.Error() || l.Fingerprint != dlt.Fingerprint(x.Class, x.Err) || l.Client != x.Client || (l.Stack != "") != (x.Class == dlt.Panic) {
			t.Fatalf("got %+v from %+v", l, x)
		}
	}
}

func TestDeadLetterOfADeadLetterReplacesHeaders(t *testing.T) {
	f := dlt.Format{Profile: dlt.Spring | dlt.Kafka | dlt.Connect}
	x := failure()
	x.Record.Headers.Add("dlt-ticket", []byte("user's own"))
	first, _ := f.Record("orders.billing.dlt", x)
	x.Record = first
	x.Record.Topic, x.Record.Offset, x.Group = "orders.billing.dlt", 5, "ops"
	second, _ := f.Record("orders.billing.dlt.ops.dlt", x)
	seen := map[string]int{}
	for _, h := range second.Headers {
		seen[h.Key]++
	}
	for name, n := range seen {
		if n > 1 && name != "dup" {
			t.Errorf("header %s is there %d times", name, n)
		}
	}
	if seen["dup"] != 2 || seen["dlt-ticket"] != 1 {
		t.Errorf("the user's headers were touched: %v", seen)
	}
	if l, err := dlt.Parse(second); err != nil || l.Topic != "orders.billing.dlt" || l.Group != "ops" || l.Offset != 5 {
		t.Errorf("the later failure does not count: %+v, %v", l, err)
	}
}

func TestRecordTouchesNeitherSourceNorTime(t *testing.T) {
	x := failure()
	x.Record.Headers = append(make(sordini.Headers, 0, 64), x.Record.Headers...) // room that appending could write to
	before := failure().Record
	now := time.Now()
	r, _ := dlt.Format{}.Record("d", x)
	sameRecord(t, x.Record, before)
	if spare := x.Record.Headers[:cap(x.Record.Headers)]; spare[len(before.Headers)].Key != "" {
		t.Error("Record wrote behind the source's headers")
	}
	if r.Timestamp.Before(now) {
		t.Errorf("the dead letter's time is %s: retention would eat it", r.Timestamp)
	}
}

func TestTooLargeLosesStackThenHeadersThenValue(t *testing.T) {
	x := failure()
	x.Class, x.Stack = dlt.Panic, bytes.Repeat([]byte("s"), 20<<10)
	x.Record.Headers.Add("big", bytes.Repeat([]byte("h"), 3000))
	x.Record.Headers.Add(sordini.HeaderType, []byte("order.placed"))
	x.Record.Value = bytes.Repeat([]byte("v"), 5000)
	x.Record.Key = bytes.Repeat([]byte("k"), 2000)

	size := func(r *sordini.Record) int { return recordsize.Batch(r.Key, r.Value, r.Headers) }
	whole, _ := dlt.Format{}.Record("d", x)
	if s := whole.Headers.Text(dlt.HeaderStack); len(s) != 8<<10 {
		t.Fatalf("a stack of %d bytes", len(s))
	}
	limit := size(whole)
	for _, want := range []dlt.Truncated{dlt.Whole, dlt.WithoutStack, dlt.WithoutHeaders, dlt.WithoutValue, dlt.WithoutKey} {
		r, cut := dlt.Format{Limit: limit}.Record("d", x)
		if cut != want {
			t.Fatalf("at %d bytes %q was left out, want %q", limit, cut, want)
		}
		if got := size(r); got > limit {
			t.Fatalf("%d bytes exceed the limit of %d", got, limit)
		}
		l, err := dlt.Parse(r)
		if err != nil || l.Identity() != x.Identity() || l.Truncated != want {
			t.Fatalf("identity %s, truncated %q, %v", l.Identity(), l.Truncated, err)
		}
		_, big := r.Headers.Get("big")
		if (l.Stack != "") != (want < dlt.WithoutStack) || big != (want < dlt.WithoutHeaders) || (r.Value != nil) != (want < dlt.WithoutValue) || (r.Key != nil) != (want < dlt.WithoutKey) {
			t.Fatalf("at %q: stack %v, headers %v, value %v, key %v", want, l.Stack != "", big, r.Value != nil, r.Key != nil)
		}
		if r.Headers.Text(sordini.HeaderType) != "order.placed" {
			t.Fatal("the type header went with the others: the letter could not be redriven")
		}
		limit = size(r) - 1
	}
	if r, cut := (dlt.Format{Limit: 10}).Record("d", x); cut != dlt.WithoutKey || r == nil {
		t.Fatal("an impossible limit gives no record")
	}
}

func TestErrorTextIsBoundedAndText(t *testing.T) {
	x := failure()
	x.Err = errors.New("\xff" + strings.Repeat("ü", 5000))
	r, _ := dlt.Format{}.Record("d", x)
	if s := r.Headers.Text(dlt.HeaderError); len(s) > 4<<10 || !strings.HasPrefix(s, "\uFFFD") || !strings.HasSuffix(s, "ü") {
		t.Errorf("%d bytes, %.10q … %q", len(s), s, s[len(s)-3:])
	}
}

func TestPanicsInUserCodeDoNotCostTheLetter(t *testing.T) {
	x := failure()
	r, _ := dlt.Format{Redact: func(string) string { panic("boom") }}.Record("d", x)
	if s := r.Headers.Text(dlt.HeaderError); strings.Contains(s, "4711") || s == "" {
		t.Errorf("error is %q", s)
	}
	var typedNil *os.PathError
	x.Err = typedNil
	r, _ = dlt.Format{}.Record("d", x)
	if s := r.Headers.Text(dlt.HeaderError); !strings.Contains(s, "PathError") {
		t.Errorf("error is %q", s)
	}
}
