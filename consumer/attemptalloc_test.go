//go:build !race

package consumer

import (
	"context"
	"runtime"
	"testing"
)

// What a record costs between fetching and the end of a handler that does nothing: room for what the handler is given, many at a time.
func TestAnAttemptAllocatesLittle(t *testing.T) {
	feed, work := quickly(t, func(context.Context, *Message[string]) error { return nil })
	const n = 10_000
	feed(n)
	work() // until what is used again is there
	feed(n)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	work()
	runtime.ReadMemStats(&after)
	allocs, bytes := float64(after.Mallocs-before.Mallocs)/n, float64(after.TotalAlloc-before.TotalAlloc)/n
	t.Logf("%.2f allocations of %.0f bytes a record", allocs, bytes)
	if most := 1.5; allocs > most { // one is the text
		t.Errorf("%.2f allocations a record, want %.1f at most", allocs, most)
	}
	if most := 400.0; bytes > most {
		t.Errorf("%.0f bytes a record, want %.0f at most", bytes, most)
	}
}
