package history

import (
	"fmt"
	"runtime"
	"testing"
	"time"
)

// big yields a good history of one group over 12 partitions: sends, attempts, outcomes, and commits with a completion map.
func big(records, keys int, yield func(Event)) {
	const partitions = 12
	names := make([][]byte, keys)
	for i := range names {
		names[i] = fmt.Appendf(nil, "key-%d", i)
	}
	at := time.Unix(1e9, 0)
	var seq int64
	tell := func(e Event) {
		seq++
		e.Seq, e.At = seq, at
		yield(e)
	}
	for p := range int32(partitions) {
		tell(Event{Kind: Assigned, Group: "billing", Member: "m1", Topic: "orders", Partition: p, Fence: 1})
	}
	const window = 100
	for n := range records {
		p, o := int32(n%partitions), int64(n/partitions)
		key := names[(n/partitions*7919)%keys]
		r := Event{Topic: "orders", Partition: p, Offset: o, Key: key}
		e := r
		e.Kind, e.Member, e.ID, e.Order, e.Hash = Accepted, "p1", fmt.Sprintf("r%d", n), int64(n+1), uint64(n+1)
		tell(e)
		r.Group, r.Member, r.Fence = "billing", "m1", 1
		r.Kind, r.Attempt = AttemptStart, 1
		tell(r)
		r.Kind, r.Outcome = AttemptEnd, Succeeded
		tell(r)
		r.Kind, r.Outcome = Ended, Handled
		tell(r)
		if o%window == window-1 {
			// Handled in order, so the map is made up: every other offset of the last half is said to be beyond the mark.
			c := Event{Kind: CommitStart, Group: "billing", Member: "m1", Topic: "orders", Partition: p, Offset: o - window/2}
			for i := c.Offset + 1; i <= o; i += 2 {
				c.Ranges = append(c.Ranges, Range{i, i + 1})
			}
			tell(c)
			c.Kind = Commit
			tell(c)
		}
	}
}

func TestMillionsOfEventsAreJudgedInOnePassAndLittleMemory(t *testing.T) {
	records := 1_250_000 // 5 million events
	if testing.Short() || raceEnabled {
		records = 50_000
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	c := NewChecker(Options{Groups: []Group{{Name: "billing", Topics: []string{"orders"}}}})
	var judging time.Duration
	batch := make([]Event, 0, 10_000)
	judge := func() {
		begin := time.Now()
		for i := range batch {
			c.Record(batch[i])
		}
		judging += time.Since(begin)
		batch = batch[:0]
	}
	big(records, 100_000, func(e Event) {
		if batch = append(batch, e); len(batch) == cap(batch) {
			judge()
		}
	})
	judge()
	runtime.GC()
	runtime.ReadMemStats(&after)
	begin := time.Now()
	r := c.Report()
	judging += time.Since(begin)
	held := float64(after.HeapAlloc-before.HeapAlloc) / float64(records)
	t.Logf("%d events in %v (the verdict %v of it), %.0f bytes a record", r.Events, judging, time.Since(begin), held)
	runtime.KeepAlive(c)
	if !r.OK() || r.Groups["billing"].Handled != int64(records) || held > 100 {
		t.Errorf("%.0f bytes a record\n%s", held, r)
	}
}
