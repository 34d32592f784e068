package window

import (
	"testing"

	"github.com/sordini-go/sordini/consumer/internal/commitmeta"
)

func wantMark(t *testing.T, w *Window, offset int64) {
	t.Helper()
	if got, _ := w.Mark(); got != offset {
		t.Fatalf("mark %d, want %d", got, offset)
	}
}

func admit(t *testing.T, w *Window, offset int64, want Status) Slot {
	t.Helper()
	slot, status := w.Admit(offset, 1)
	if status != want {
		t.Fatalf("admit %d: %v, want %v", offset, status, want)
	}
	return slot
}

func wantCompleted(t *testing.T, w *Window, want ...commitmeta.Range) {
	t.Helper()
	got := w.Completed()
	var epoch int32 = -1
	if len(want) > 0 {
		epoch = got.LeaderEpoch()
	}
	if !got.Equal(commitmeta.NewCompleted(epoch, want...)) {
		t.Fatalf("completed %v, want %v", got, want)
	}
	if n := w.Holes(); n < got.Runs() || n > got.Runs()+1 {
		t.Fatalf("%d holes announced, %d runs made", n, got.Runs())
	}
}

func TestCommitNeverPassesUnfinishedRecord(t *testing.T) { // G2
	w := New(10, 1, commitmeta.Completed{})
	wantMark(t, w, 10)
	a, b, c := admit(t, w, 10, Admitted), admit(t, w, 11, Admitted), admit(t, w, 12, Admitted)
	if w.Complete(c) || w.Complete(b) {
		t.Fatal("the mark moved although 10 is in flight")
	}
	wantMark(t, w, 10)
	wantCompleted(t, w, commitmeta.Range{From: 11, To: 13})
	if !w.Complete(a) {
		t.Fatal("the mark did not move")
	}
	wantMark(t, w, 13)
	wantCompleted(t, w)
}

func TestMarkPassesGapsAndControlRecords(t *testing.T) {
	w := New(0, -1, commitmeta.Completed{})
	w.Pass(5, 1)
	wantMark(t, w, 5)
	a := admit(t, w, 8, Admitted)
	wantMark(t, w, 8)
	b := admit(t, w, 8+1<<31, Admitted)
	w.Pass(20+1<<31, 1)
	w.Pass(3, 1)
	wantMark(t, w, 8)
	if !w.Complete(a) {
		t.Fatal("the mark did not move")
	}
	wantMark(t, w, 8+1<<31)
	w.Complete(b)
	wantMark(t, w, 20+1<<31)
}

func TestCompletingTwiceOrUnknownChangesNothing(t *testing.T) {
	w := New(0, 1, commitmeta.Completed{})
	a, b := admit(t, w, 0, Admitted), admit(t, w, 1, Admitted)
	w.Complete(a)
	for name, slot := range map[string]Slot{"zero": {}, "completed": a, "forged": {id: b.id, index: 1 << 20}, "of another window": admit(t, New(1, 1, commitmeta.Completed{}), 1, Admitted)} {
		if w.Has(slot) || w.Complete(slot) {
			t.Errorf("%s slot was taken", name)
		}
	}
	if c := admit(t, w, 2, Admitted); c.index == a.index && w.Complete(a) {
		t.Error("a slot ended the record that took its place")
	}
	wantMark(t, w, 1)
	if !w.Has(b) || w.InFlight() != 2 {
		t.Error("a record was lost from the window")
	}
}

func TestRefetchedRecordIsNotHandledTwice(t *testing.T) { // G7
	w := New(10, 1, commitmeta.NewCompleted(1, commitmeta.Range{From: 11, To: 13}, commitmeta.Range{From: 20, To: 30}))
	wantCompleted(t, w, commitmeta.Range{From: 11, To: 13}, commitmeta.Range{From: 20, To: 30})
	a := admit(t, w, 10, Admitted)
	admit(t, w, 11, AlreadyDone)
	admit(t, w, 10, Behind)
	admit(t, w, 11, Behind)
	wantMark(t, w, 10)
	wantCompleted(t, w, commitmeta.Range{From: 11, To: 13}, commitmeta.Range{From: 20, To: 30})
	admit(t, w, 12, AlreadyDone)
	w.Complete(a)
	wantMark(t, w, 13)
	for i := int64(13); i < 20; i++ {
		w.Complete(admit(t, w, i, Admitted))
	}
	wantMark(t, w, 20)
	wantCompleted(t, w, commitmeta.Range{From: 20, To: 30})
	admit(t, w, 25, AlreadyDone)
	wantMark(t, w, 26)
}

// A record of a later leader epoch, at an offset that the map or the window has seen, is another record: an unclean election cut the log.
func TestRewrittenLogIsHandledAnew(t *testing.T) { // G1
	done := commitmeta.NewCompleted(3, commitmeta.Range{From: 12, To: 20})
	w := New(10, 3, done)
	w.Admit(10, 3)
	w.Admit(11, 3)
	if _, status := w.Admit(12, 3); status != AlreadyDone {
		t.Fatalf("offset 12 of the old epoch: %v", status)
	}
	if _, status := w.Admit(13, 4); status != Admitted {
		t.Fatalf("offset 13 of a new epoch: %v", status)
	}
	wantCompleted(t, w, commitmeta.Range{From: 12, To: 13})

	w = New(10, 3, commitmeta.Completed{})
	a, _ := w.Admit(10, 3)
	b, _ := w.Admit(11, 3)
	c, _ := w.Admit(12, 3)
	w.Complete(b)
	w.Pass(20, 3)
	if _, status := w.Admit(12, 4); status != Admitted || w.Truncations() != 1 {
		t.Fatalf("offset 12 written anew: %v", status)
	}
	if w.Has(c) {
		t.Error("the record that the log lost is still in flight")
	}
	if w.Next() != 13 || w.InFlight() != 2 {
		t.Errorf("next %d, %d in flight", w.Next(), w.InFlight())
	}
	wantCompleted(t, w, commitmeta.Range{From: 11, To: 12})
	w.Complete(a)
	wantMark(t, w, 12)
}
