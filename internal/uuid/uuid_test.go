package uuid

import (
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestV7CarriesVersionVariantAndTime(t *testing.T) {
	before := time.Now().UnixMilli()
	u := V7()
	after := time.Now().UnixMilli()
	if u[6]>>4 != 7 || u[8]>>6 != 2 {
		t.Fatalf("version %d, variant %b: want 7 and 10", u[6]>>4, u[8]>>6)
	}
	var ms int64
	for _, b := range u[:6] {
		ms = ms<<8 | int64(b)
	}
	if ms < before || ms > after+1 {
		t.Fatalf("time is %d, made between %d and %d", ms, before, after)
	}
}

func TestV7GrowsAndNeverRepeatsAcrossGoroutines(t *testing.T) {
	const each = 2000
	var wg sync.WaitGroup
	got := make([][]string, 8)
	for g := range got {
		wg.Go(func() {
			for range each {
				got[g] = append(got[g], string(Append(nil, V7())))
			}
			if !slices.IsSorted(got[g]) {
				t.Errorf("goroutine %d saw an older UUID after a younger one", g)
			}
		})
	}
	wg.Wait()
	all := slices.Concat(got...)
	slices.Sort(all)
	if n := len(slices.Compact(all)); n != len(got)*each {
		t.Fatalf("%d different UUIDs of %d", n, len(got)*each)
	}
}

func TestV7GrowsWhileTheClockGoesBack(t *testing.T) {
	u := V7()
	synctest.Test(t, func(t *testing.T) { // its clock starts in the year 2000
		if v := V7(); string(v[:]) <= string(u[:]) {
			t.Fatalf("%x is not greater than %x", v, u)
		}
	})
}

func TestTextRoundTrip(t *testing.T) {
	u := V7()
	text := Append([]byte("x"), u)
	if len(text) != 1+Len {
		t.Fatalf("%d characters", len(text))
	}
	if got, err := Parse(text[1:]); err != nil || got != u {
		t.Fatalf("Parse(%s) = %x, %v; want %x", text[1:], got, err, u)
	}
	const fixed = "017F22E2-79B0-7CC3-98C4-DC0C0C07398F" // RFC 9562, appendix A.6
	got, err := Parse([]byte(fixed))
	if err != nil || string(Append(nil, got)) != "017f22e2-79b0-7cc3-98c4-dc0c0c07398f" {
		t.Fatalf("Parse(%s) = %x, %v", fixed, got, err)
	}
}

func TestParseRefuses(t *testing.T) {
	for _, bad := range []string{"", "x", "017f22e2-79b0-7cc3-98c4-dc0c0c07398", "017f22e2x79b0-7cc3-98c4-dc0c0c07398f", "017f22e2-79b0-7cc3-98c4-dc0c0c07398g", "{017f22e2-79b0-7cc3-98c4-dc0c0c07398"} {
		if _, err := Parse([]byte(bad)); err == nil {
			t.Errorf("Parse(%q) succeeds", bad)
		}
	}
}

func BenchmarkV7Text(b *testing.B) {
	b.ReportAllocs()
	buf := make([]byte, 0, Len)
	for b.Loop() {
		buf = Append(buf[:0], V7())
	}
}
