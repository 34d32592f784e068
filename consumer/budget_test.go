package consumer

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestG8FewFreeRecordsAreFetchedAfterALull: where most of the bound waits for long, the rest of it is worth a poll each time.
func TestG8FewFreeRecordsAreFetchedAfterALull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(10_000, 1<<30, 10)
		b.take(10_000, 0)
		got := make(chan int, 1)
		go func() { got <- b.wait(nil, nil) }()
		time.Sleep(time.Hour)
		synctest.Wait()
		if len(got) > 0 {
			t.Fatalf("%d records may be fetched and none is free", <-got)
		}
		b.give(3, 0)
		synctest.Wait()
		select {
		case n := <-got:
			if n != 3 {
				t.Errorf("%d records may be fetched, 3 are free", n)
			}
		default:
			t.Error("3 free records wake nobody")
		}
	})
}

func TestPollsAreNotMadeForFewRecordsWhileManyEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(10_000, 1<<30, 8)
		b.take(10_000, 0)
		b.give(100, 0)
		got := make(chan int, 1)
		go func() { got <- b.wait(nil, nil) }()
		synctest.Wait()
		b.give(1148, 0)
		synctest.Wait()
		if len(got) > 0 {
			t.Fatalf("a poll for %d records", <-got)
		}
		b.give(1, 0) // (10,000 - 8) / 8
		synctest.Wait()
		if len(got) == 0 {
			t.Fatal("1,249 free records wake nobody")
		}
		if n := <-got; n != 1249 {
			t.Errorf("%d records may be fetched, 1,249 are free", n)
		}
	})
}
