package inbox_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/sordini-go/sordini/consumer/internal/commitmeta"
	"github.com/sordini-go/sordini/consumer/internal/inbox"
)

// read reads a retry of source offset source from the inbox.
func read(t *testing.T, ix *inbox.Index, offset, source, due int64, key uint64) inbox.ID {
	t.Helper()
	v, id, _ := ix.Read(inbox.Entry{Offset: offset, Source: source, Due: due, Key: key}, 0, nil)
	if v != inbox.Queued {
		t.Fatalf("offset %d: verdict %d, want it to wait", offset, v)
	}
	return id
}

func sources(ix *inbox.Index, ids []inbox.ID) (s []int64) {
	for _, id := range ids {
		_, source, _ := ix.At(id)
		s = append(s, source)
	}
	return s
}

func TestKeyComesDueInSourceOrder(t *testing.T) {
	ix := inbox.New(0, commitmeta.Completed{})
	read(t, ix, 0, 7, 10, 1)
	read(t, ix, 1, 9, 5, 1)
	read(t, ix, 2, 5, 30, 1) // appended again
	read(t, ix, 3, 6, 20, 2)
	if got := sources(ix, ix.Take(100, 9)); !slices.Equal(got, []int64{6, 5}) {
		t.Fatalf("due %v, want the first of each key", got)
	}
	if ix.Behind(1, 5) || !ix.Behind(1, 6) || ix.Behind(3, 6) {
		t.Error("a record waits behind the wrong ones")
	}
	ix.End(ix.Find(5, 0))
	if got := sources(ix, ix.Take(100, 9)); !slices.Equal(got, []int64{7}) {
		t.Fatalf("due %v after the first ended, want the second", got)
	}
	ix.End(ix.Find(7, 0))
	if got := sources(ix, ix.Take(4, 9)); len(got) > 0 {
		t.Fatalf("%v came before its time", got)
	}
	if got := sources(ix, ix.Take(5, 9)); !slices.Equal(got, []int64{9}) {
		t.Fatalf("due %v, want the last one", got)
	}
}

func TestRecordWaitsUntilItsSourceIsReadSoFar(t *testing.T) {
	ix := inbox.New(0, commitmeta.Completed{})
	ix.Reach(5)
	read(t, ix, 0, 9, 0, 1)
	read(t, ix, 1, 6, 0, 2)
	read(t, ix, 2, 4, 0, 3)
	ix.Read(inbox.Entry{Offset: 3, Source: 8, Key: 4, Free: true, Scope: "op"}, 0, nil)
	if got := sources(ix, ix.Take(1, 9)); !slices.Equal(got, []int64{4, 8}) {
		t.Fatalf("due %v, want what was read at the source, and what is in no order with it", got)
	}
	if ix.Reach(6) || !ix.Reach(7) {
		t.Error("the wrong ones wait no more")
	}
	if got := sources(ix, ix.Take(1, 9)); !slices.Equal(got, []int64{6}) {
		t.Fatalf("due %v, want what the source has been read up to", got)
	}
	ix.End(ix.Find(9, 0)) // and its place in the index may be another's
	read(t, ix, 4, 12, 50, 1)
	ix.Reach(20)
	if got := sources(ix, ix.Take(1, 9)); len(got) > 0 {
		t.Fatalf("%v came before its time", got)
	}
	if got := sources(ix, ix.Take(50, 9)); !slices.Equal(got, []int64{12}) {
		t.Fatalf("due %v, want 12 once", got)
	}
}

func TestFreeRecordHoldsNothing(t *testing.T) {
	ix := inbox.New(0, commitmeta.Completed{})
	ix.Read(inbox.Entry{Offset: 0, Source: 3, Due: 1, Key: 1, Free: true, Scope: "op"}, 0, nil)
	if ix.Behind(1, 8) {
		t.Error("a redriven record holds its key")
	}
	read(t, ix, 1, 2, 50, 1)
	if got := sources(ix, ix.Take(1, 9)); !slices.Equal(got, []int64{3}) {
		t.Errorf("due %v: the redriven one waits behind its key", got)
	}
}

func TestSecondCopyIsFolded(t *testing.T) {
	ix := inbox.New(0, commitmeta.Completed{})
	read(t, ix, 0, 3, 100, 1)
	if v, _, folded := ix.Read(inbox.Entry{Offset: 1, Source: 3, Due: 200, Key: 1}, 0, nil); v != inbox.Moved || folded != 0 {
		t.Fatalf("verdict %d folded %d, want the older copy to be over", v, folded)
	}
	if ix.Mark() != 1 || ix.Len() != 1 {
		t.Fatalf("mark %d with %d waiting, want 1 and 1", ix.Mark(), ix.Len())
	}
	id := ix.Take(200, 1)[0]
	if v, _, folded := ix.Read(inbox.Entry{Offset: 2, Source: 3, Due: 300, Key: 1}, 0, nil); v != inbox.Folded || folded != 2 {
		t.Fatalf("verdict %d folded %d, want a copy of what is being handled to be over", v, folded)
	}
	ix.End(id)
	if ix.Mark() != 3 {
		t.Fatalf("mark %d, want 3", ix.Mark())
	}
	if v, _, _ := ix.Read(inbox.Entry{Offset: 3, Source: 3, Key: 1}, 0, func() bool { return true }); v != inbox.Folded || ix.Mark() != 4 {
		t.Errorf("verdict %d: a copy of what has ended waits", v)
	}
	for want := range []inbox.Verdict{inbox.Queued, inbox.Folded, inbox.Folded} {
		v, id, _ := ix.Read(inbox.Entry{Offset: 4 + int64(want), Source: 3, Key: 1, Free: true, Scope: "op-1"}, 0, nil)
		if (v == inbox.Queued) != (want == 0) {
			t.Errorf("redriven copy %d: verdict %d", want, v)
		}
		if want == 0 {
			ix.Take(1, 1)
		}
		if want == 1 {
			ix.End(id)
		}
	}
}

func TestAcknowledgementMayComeAfterTheRecordWasRead(t *testing.T) {
	ix := inbox.New(0, commitmeta.Completed{})
	id := ix.Hand(inbox.Entry{Source: 3, Due: 7, Key: 1})
	if !ix.Behind(1, 4) {
		t.Error("a record on its way to the inbox does not hold its key")
	}
	if v, _, _ := ix.Read(inbox.Entry{Offset: 0, Source: 3, Due: 7, Key: 1}, 0, nil); v != inbox.Known {
		t.Fatalf("verdict %d", v)
	}
	if got := ix.Take(100, 1); len(got) > 0 {
		t.Fatal("it is handled before its hand-off was acknowledged")
	}
	if folded := ix.Handed(id, 0); folded >= 0 {
		t.Fatalf("folded %d", folded)
	}
	if got := ix.Take(100, 1); len(got) != 1 {
		t.Fatal("it does not come due")
	}
	ix.Again(id, 50)
	if ix.Mark() != 0 {
		t.Fatal("its old copy is over before the new one is acknowledged")
	}
	ix.Handed(id, 1)
	if got := ix.Take(100, 1); ix.Mark() != 1 || len(got) > 0 {
		t.Fatalf("mark %d, %d due: want the new copy to be read first", ix.Mark(), len(got))
	}
	ix.Read(inbox.Entry{Offset: 1, Source: 3, Due: 50, Key: 1}, 0, nil)
	if got := ix.Take(100, 1); len(got) != 1 {
		t.Fatal("it does not come due again")
	}
}

func TestSameOffsetOfAnotherRecordIsAnother(t *testing.T) {
	ix := inbox.New(0, commitmeta.Completed{})
	ix.Read(inbox.Entry{Offset: 0, Source: 3, Due: 1, Key: 1, Check: 11}, 0, nil)
	if ix.Find(3, 12) != 0 {
		t.Error("a record that took the offset of a lost one is taken for it")
	}
	if ix.Len() != 1 || ix.Behind(1, 9) || len(ix.Take(1, 1)) != 1 {
		t.Error("the lost one does not end by itself")
	}
}

// Property: whatever happens in whatever order, across restarts nothing that has not ended is lost, nothing that ended comes again but what the commit did not
// say, none comes early, and of a key only the first.
func TestIndexAgainstModel(t *testing.T) {
	for seed := range uint64(60) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { model(t, rand.New(rand.NewPCG(seed, 1))) })
	}
}

type copyOf struct {
	source, due int64
	key         uint64
}

func model(t *testing.T, rng *rand.Rand) {
	var log []copyOf          // the inbox
	ended := map[int64]bool{} // by source
	ix := inbox.New(0, commitmeta.Completed{})
	taken := map[inbox.ID]int64{} // source
	pending := map[inbox.ID]copyOf{}
	now, source := int64(0), int64(0)
	readAll := func(most int) {
		for ; most > 0 && ix.Next() < int64(len(log)); most-- {
			c := log[ix.Next()]
			ix.Read(inbox.Entry{Offset: ix.Next(), Source: c.source, Due: c.due, Key: c.key}, 0, func() bool { return ended[c.source] })
		}
	}
	hand := func(c copyOf) { log = append(log, c) }
	for range 3000 {
		switch n := rng.IntN(100); {
		case n < 25: // hand off something new
			c := copyOf{source, now + rng.Int64N(50), uint64(rng.IntN(6))}
			source++
			pending[ix.Hand(inbox.Entry{Source: c.source, Due: c.due, Key: c.key})] = c
		case n < 50: // a hand-off reaches the log, and is acknowledged now or later
			for id, c := range pending {
				hand(c)
				if rng.IntN(2) == 0 {
					readAll(100)
				}
				ix.Handed(id, int64(len(log)-1))
				delete(pending, id)
				break
			}
		case n < 60:
			readAll(rng.IntN(5))
		case n < 62 && len(log) > 0: // a second copy, from an owner that does not know better
			c := log[rng.IntN(len(log))]
			hand(c)
		case n < 80:
			now += rng.Int64N(5)
			for _, id := range ix.Take(now, 1+rng.IntN(4)) {
				_, s, at := ix.At(id)
				if at > now {
					t.Fatalf("source %d is early", s)
				}
				if ended[s] {
					t.Fatalf("source %d ended and comes again", s)
				}
				taken[id] = s
			}
		case n < 95: // a record ends, or is to be tried again
			for id, s := range taken {
				if rng.IntN(3) > 0 {
					ix.End(id)
					ended[s] = true
				} else {
					c := copyOf{s, now + rng.Int64N(50), 0}
					for _, old := range log {
						if old.source == s {
							c.key = old.key
						}
					}
					ix.Again(id, c.due)
					pending[id] = c
				}
				delete(taken, id)
				break
			}
		case n < 97: // the oldest gaps are closed
			for _, id := range ix.Gaps(2) {
				off, s, at := ix.At(id)
				ix.Again(id, at)
				pending[id] = copyOf{s, at, log[off].key}
			}
		default: // a new owner, from the commit
			mark, done := ix.Mark(), ix.Completed()
			for off, c := range log {
				over := int64(off) < mark || done.Contains(int64(off))
				if !over || ended[c.source] {
					continue
				}
				other := slices.IndexFunc(log, func(o copyOf) bool { return o.source == c.source })
				found := false
				for i := other; i >= 0 && i < len(log); i++ {
					found = found || log[i].source == c.source && int64(i) >= mark && !done.Contains(int64(i))
				}
				if !found {
					t.Fatalf("source %d has not ended, and no copy of it is left: mark %d, done %v", c.source, mark, done)
				}
			}
			ix = inbox.New(mark, done)
			clear(taken)
			for _, c := range pending { // never reached the log: its source comes again, and is handed off again
				hand(c)
			}
			clear(pending)
			for ix.Next() < int64(len(log)) {
				readAll(1 << 20)
			}
		}
	}
	for range 10 { // let it all end
		for id, c := range pending {
			hand(c)
			ix.Handed(id, int64(len(log)-1))
		}
		clear(pending)
		readAll(1 << 20)
		for id, s := range taken {
			ix.End(id)
			ended[s] = true
		}
		clear(taken)
		for ids := ix.Take(1<<40, 1000); len(ids) > 0; ids = ix.Take(1<<40, 1000) {
			for _, id := range ids {
				_, s, _ := ix.At(id)
				ix.End(id)
				ended[s] = true
			}
		}
	}
	if ix.Len() != 0 || ix.Held() != 0 || ix.Mark() != int64(len(log)) {
		t.Errorf("%d wait, %d hold a key, mark %d of %d", ix.Len(), ix.Held(), ix.Mark(), len(log))
	}
	for s := range source {
		if !ended[s] {
			t.Errorf("source %d is lost", s)
		}
	}
}

// TestCopyOfAFormerOwnerIsFolded: one that does not know yet has handed off the same record, and both copies are read before the own one is acknowledged.
func TestCopyOfAFormerOwnerIsFolded(t *testing.T) {
	ix := inbox.New(0, commitmeta.Completed{})
	id := ix.Hand(inbox.Entry{Source: 7, Due: 5})
	if _, _, folded := ix.Read(inbox.Entry{Offset: 0, Source: 7, Due: 5}, 0, nil); folded != -1 {
		t.Errorf("the first copy is folded at %d, and may be the own one", folded)
	}
	if _, _, folded := ix.Read(inbox.Entry{Offset: 1, Source: 7, Due: 5}, 0, nil); folded != 0 {
		t.Errorf("folded %d, want the copy at 0", folded)
	}
	if folded := ix.Handed(id, 1); folded != -1 {
		t.Errorf("the own copy is folded at %d", folded)
	}
}
