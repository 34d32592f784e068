package window

import (
	"math/rand/v2"
	"testing"

	"github.com/sordini-go/sordini/consumer/internal/commitmeta"
)

// TestAheadIsWhatCompletingEverythingPendingGives compares two windows with the same records: one where some are pending, one where the same have ended.
func TestAheadIsWhatCompletingEverythingPendingGives(t *testing.T) {
	for seed := range uint64(2000) {
		r := rand.New(rand.NewPCG(seed, 7))
		done := commitmeta.NewCompleted(1, commitmeta.Range{From: 40, To: 45}, commitmeta.Range{From: 60, To: 61})
		a, b := New(10, 1, done), New(10, 1, done)
		var sa, sb []Slot
		offset := int64(10)
		for range r.IntN(60) {
			offset += 1 + r.Int64N(2)
			x, status := a.Admit(offset, 1)
			y, _ := b.Admit(offset, 1)
			if status == Admitted {
				sa, sb = append(sa, x), append(sb, y)
			}
		}
		pending := 0
		for i := range sa {
			switch r.IntN(3) {
			case 0: // in both
				a.Complete(sa[i])
				b.Complete(sb[i])
			case 1:
				a.Pend(sa[i], true)
				a.Pend(sa[i], true) // again changes nothing
				b.Complete(sb[i])
				pending++
			}
		}
		if a.Pending() != pending {
			t.Fatalf("seed %d: %d are pending, want %d", seed, a.Pending(), pending)
		}
		mark, epoch, completed := a.Ahead()
		wantMark, wantEpoch := b.Mark()
		if want := b.Completed(); mark != wantMark || epoch != wantEpoch || !completed.Equal(want) {
			t.Fatalf("seed %d: ahead is %d epoch %d %v, want %d epoch %d %v", seed, mark, epoch, completed, wantMark, wantEpoch, want)
		}
		for i := range sa {
			a.Pend(sa[i], false)
		}
		before, _ := a.Mark()
		if now, _, _ := a.Ahead(); a.Pending() != 0 || now != before {
			t.Fatalf("seed %d: ahead is %d and the mark %d though nothing is pending", seed, now, before)
		}
	}
}
