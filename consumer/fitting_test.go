package consumer

import (
	"slices"
	"testing"
	"time"

	"github.com/sordini-go/sordini/consumer/internal/commitmeta"
)

// The map goes before the attempts, the most tried before the others, the oldest before those that are alike.
func TestAttemptsGiveWayToTheMap(t *testing.T) {
	now := time.UnixMilli(1_800_000_000_000)
	meta := commitmeta.Metadata{Base: 1, Incarnation: 1 << 40}
	var ranges []commitmeta.Range
	for i := range int64(400) {
		ranges = append(ranges, commitmeta.Range{From: 2 + 50*i, To: 2 + 50*i + 1 + i%40})
	}
	meta.Completed = commitmeta.NewCompleted(0, ranges...)
	for i := range 3000 {
		meta.Attempts = append(meta.Attempts, commitmeta.Attempt{Offset: int64(1 + 50*i), Attempts: 1 + i%5, FirstFailed: now.Add(time.Duration(i) * time.Second), Due: now.Add(time.Hour)})
	}
	const limit = 4096
	l := limitOf(limit, countsBytes)
	wrote := l.encode(meta)
	text, kept := wrote.text, wrote.done
	m, err := commitmeta.Decode(text)
	if err != nil || !kept.Equal(meta.Completed) || !m.Completed.Equal(meta.Completed) {
		t.Fatalf("the map was cut to %d of %d offsets for the attempts, %v", m.Completed.Len(), meta.Completed.Len(), err)
	}
	if n := len(m.Attempts); n < 100 || len(text) > limit || len(text) < limit-50 {
		t.Fatalf("%d attempts in %d of %d characters", n, len(text), limit)
	}
	if slices.ContainsFunc(m.Attempts, func(a commitmeta.Attempt) bool { return a.Attempts < 5 }) {
		t.Error("attempts of records that were tried less are kept, and others are not")
	}
	for i, a := range m.Attempts {
		if want := int64(1 + 50*(4+5*i)); a.Offset != want {
			t.Fatalf("attempt %d is of offset %d, want %d: the oldest first", i, a.Offset, want)
		}
	}
}
