package commitmeta

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sort"
	"testing"
	"time"
)

const brokerLimit = 4096 // offset.metadata.max.bytes of Apache Kafka by default, in UTF-16 code units

// randomCompletion is span offsets behind a stuck one, of which each has ended with probability p.
func randomCompletion(r *rand.Rand, span int64, p float64) Metadata {
	ranges := make([]Range, 0, span/2)
	for o := int64(1); o < span; o++ {
		if r.Float64() < p {
			ranges = append(ranges, Range{1e9 + o, 1e9 + o + 1})
		}
	}
	return Metadata{TopicID: [16]byte{1}, Base: 1e9, LeaderEpoch: 20, Completed: NewCompleted(20, ranges...)}
}

// isolatedHoles is n single stuck records at random distances of distance on average.
func isolatedHoles(r *rand.Rand, n int64, distance float64) Metadata {
	var ranges []Range
	at := int64(1e9)
	for range n {
		to := at + 2 + int64(r.ExpFloat64()*(distance-2))
		ranges = append(ranges, Range{at + 1, to})
		at = to
	}
	return Metadata{TopicID: [16]byte{1}, Base: 1e9, LeaderEpoch: 20, Completed: NewCompleted(20, ranges...)}
}

// fits is the greatest n whose metadata fits the broker's limit.
func fits(enc Encoding, m func(n int64) Metadata) int64 {
	return int64(sort.Search(1<<18, func(n int) bool { return m(int64(n)+1).Size(enc) > brokerLimit }))
}

// parallel-consumer keeps at most 24,500 offsets of a random pattern (bit set) or 767 isolated holes (run length) in 4,096 units, and starts to
// hold back at 18,400 and 575.
func TestCapacityIsTwiceThatOfParallelConsumer(t *testing.T) {
	patterns := []struct {
		name string
		m    func(n int64) Metadata
		peer int64
	}{}
	add := func(name string, peer int64, m func(r *rand.Rand, n int64) Metadata) {
		patterns = append(patterns, struct {
			name string
			m    func(n int64) Metadata
			peer int64
		}{name, func(n int64) Metadata { return m(rand.New(rand.NewPCG(7, 8)), n) }, peer})
	}
	for _, p := range []float64{0.5, 0.9, 0.99} {
		add(fmt.Sprintf("offsets, %v of them ended at random", p), 24_500, func(r *rand.Rand, n int64) Metadata { return randomCompletion(r, n, p) })
	}
	for _, d := range []float64{10, 100, 1e4, 1e6} {
		add(fmt.Sprintf("isolated holes, %.0f apart on average", d), 767, func(r *rand.Rand, n int64) Metadata { return isolatedHoles(r, n, d) })
	}
	t.Logf("%-42s %10s %10s %18s", "what fits 4,096 units", Base64, UTF16, "parallel-consumer")
	for _, p := range patterns {
		ascii, wide := fits(Base64, p.m), fits(UTF16, p.m)
		t.Logf("%-42s %10d %10d %18d", p.name, ascii, wide, p.peer)
		if wide < 2*p.peer {
			t.Errorf("%s: %d in UTF-16, fewer than twice %d", p.name, wide, p.peer)
		}
		if ascii < p.peer*98/100 {
			t.Errorf("%s: %d in base64, fewer than %d", p.name, ascii, p.peer)
		}
	}
}

// Who admits no more than the span that BytesOver lets through never meets ErrTooLarge, whatever ends in whichever order.
func TestBitmapBoundsTheMap(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	for range 300 {
		span := 1 + r.Int64N(5000)
		m := randomCompletion(r, span, r.Float64())
		empty := m
		empty.Completed = Completed{}
		if got := m.Bytes() - empty.Bytes(); got != m.Completed.Bytes(m.Base) {
			t.Fatalf("the map takes %d bytes, Bytes said %d", got, m.Completed.Bytes(m.Base))
		}
		if got, bound := m.Completed.Bytes(m.Base), BytesOver(span); got > bound {
			t.Fatalf("the map over %d offsets takes %d bytes, more than %d", span, got, bound)
		}
	}
}

// Records in flight end at random among what ended before, on all scales: the map grows by Growth bytes for each at most, so that admission can hold
// back in time.
func TestOneCompletionGrowsTheMapByAtMostGrowth(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	worst := 0.0
	for range 2000 {
		// Holes of up to 2^h offsets, runs of up to 2^d between.
		h, d := 1+r.IntN(12), 1+r.IntN(30)
		at := int64(1e9)
		var holes, ranges []Range
		flying := int64(0)
		for range 1 + r.IntN(300) {
			if flying > 10_000 {
				break
			}
			hole := 1 + r.Int64N(1<<h)
			holes = append(holes, Range{at, at + hole})
			flying += hole
			at += hole
			run := 1 + r.Int64N(1<<d)
			ranges = append(ranges, Range{at, at + run})
			at += run
		}
		before := NewCompleted(20, slices.Clone(ranges)...).Bytes(1e9)
		p, ended := math.Pow(r.Float64(), 3), 0
		for _, hole := range holes {
			for o := hole.From; o < hole.To; o++ {
				if r.Float64() < p {
					ranges = append(ranges, Range{o, o + 1})
					ended++
				}
			}
		}
		if ended < 8 {
			continue
		}
		after := NewCompleted(20, ranges...).Bytes(1e9)
		worst = max(worst, float64(after-before)/float64(ended))
	}
	t.Logf("at most %.2f bytes for each completion", worst)
	if worst > Growth {
		t.Errorf("%.2f bytes for each completion, Growth promises %d", worst, Growth)
	}
}

// 100 holes over a hundred billion offsets cost less than 25,000 holes over 100,000: the span does not matter. What the time is, the benchmark
// says.
func TestEncodingIsProportionalToHoles(t *testing.T) {
	r := rand.New(rand.NewPCG(13, 14))
	few := isolatedHoles(r, 100, 1e9)
	many := randomCompletion(r, 100_000, 0.5)
	best := func(m Metadata) time.Duration {
		least := time.Hour
		for range 10 {
			start := time.Now()
			if _, err := m.Encode(UTF16, 1<<20); err != nil {
				t.Fatal(err)
			}
			least = min(least, time.Since(start))
		}
		return least
	}
	a, b := best(few), best(many)
	t.Logf("100 holes over %d offsets: %v; %d holes over 100000 offsets: %v", few.Completed.End()-few.Base, a, many.Completed.Runs(), b)
	if a > b {
		t.Errorf("100 holes take %v, %d take %v", a, many.Completed.Runs(), b)
	}
}

func BenchmarkEncode(b *testing.B) {
	r := rand.New(rand.NewPCG(15, 16))
	for _, c := range []struct {
		name string
		m    Metadata
	}{
		{"in flight 100000 ended half", randomCompletion(r, 100_000, 0.5)},
		{"in flight 100000 ended 0.9", randomCompletion(r, 1_000_000, 0.9)},
		{"holes 1000 span 1e9", isolatedHoles(r, 1000, 1e6)},
		{"empty", Metadata{Base: 1}},
	} {
		for _, enc := range encodings {
			b.Run(c.name+"/"+enc.String(), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if _, err := c.m.Encode(enc, 1<<30); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(c.m.Completed.Runs()), "runs")
			})
		}
		b.Run(c.name+"/size", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				c.m.Size(UTF16)
			}
		})
		s, _ := c.m.Encode(UTF16, 1<<30)
		b.Run(c.name+"/decode", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Decode(s); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
