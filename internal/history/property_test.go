package history

import (
	"testing"
	"time"
)

func worldOptions() Options {
	return Options{Groups: []Group{{Name: wGroup, Topics: []string{"orders"}}}, MarksPoison: true, Limit: 5}
}

func TestRandomGoodHistoriesPass(t *testing.T) {
	n := uint64(1000)
	if testing.Short() {
		n = 30
	}
	begin := time.Now()
	var sum Counts
	for seed := range n {
		r := Check(newWorld(seed).run(60), worldOptions())
		if err := r.Err(); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		c := r.Groups[wGroup]
		sum.Handled += c.Handled
		sum.Dead += c.Dead
		sum.Skipped += c.Skipped
		sum.Taken += c.Taken
		sum.Handed += c.Handed
		sum.Duplicates += c.Duplicates
		sum.Redelivered += c.Redelivered
		sum.Overlaps += c.Overlaps
		sum.Fenced += c.Fenced
	}
	t.Logf("%d histories in %v: %+v", n, time.Since(begin), sum)
	for what, n := range map[string]int64{
		"handled": sum.Handled, "dead": sum.Dead, "skipped": sum.Skipped, "taken": sum.Taken, "handed": sum.Handed,
		"duplicate": sum.Duplicates, "redelivered": sum.Redelivered, "overlapping": sum.Overlaps, "fenced": sum.Fenced,
	} {
		if n == 0 {
			t.Errorf("no history had a %s record: the world is too tame", what)
		}
	}
}
