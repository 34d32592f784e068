package inbox

import (
	"runtime"
	"testing"

	"github.com/sordini-go/sordini/consumer/internal/commitmeta"
)

// A million records that wait, of 250,000 keys, cost a hundred bytes each: a fifth of what a service may take for them.
func TestAMillionWaitingTakeAHundredBytesEach(t *testing.T) {
	const n = 1_000_000
	memory := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := memory()
	ix := New(0, commitmeta.Completed{})
	for i := range int64(n) {
		ix.Read(Entry{Offset: i, Source: i, Due: i % 3 * 1000, Key: uint64(i%250_000) + 1}, 1, nil)
	}
	each := (memory() - before) / n
	if ix.Len() != n || each > 100 {
		t.Errorf("%d entries of %d bytes each", ix.Len(), each)
	}
	t.Logf("%d bytes each", each)
	runtime.KeepAlive(ix)
}
