package history

import (
	"testing"
	"time"
)

const three = "accepted 0 a\naccepted 1 b\naccepted 2 a\n"

// Histories with every irregularity that the guarantees allow. Each must pass, and be counted as said.
var goodHistories = []struct {
	name    string
	history string
	opts    Options
	want    Counts
}{
	{name: "plain", history: three + "assigned m1 1\n" + handle("m1", 0, 1, 2) + "commits m1 3\nrevoking m1\nrevoked m1\nend m1 clean",
		want: Counts{Handled: 3}},
	{name: "handled before the producer is told", history: "assigned m1 1\nstart m1 0 key=a\nok m1 0\nhandled m1 0\naccepted 0 a\ncommits m1 1",
		want: Counts{Handled: 1}},
	{name: "no ownership recorded", history: three + handle("m1", 0) + handle("m2", 1, 2), opts: Options{Groups: []Group{{Name: "billing", Topics: []string{"orders"}}}},
		want: Counts{Handled: 3}},
	{name: "keys side by side", history: three + `assigned m1 1
			start m1 0
			start m1 1
			ok m1 1
			handled m1 1
			commits m1 0 1
			ok m1 0
			handled m1 0
			` + handle("m1", 2) + "commits m1 3", want: Counts{Handled: 3}},
	{name: "null keys overlap and swap", history: `
			accepted 0 -
			accepted 1 -
			assigned m1 1
			start m1 1
			start m1 0
			ok m1 0
			handled m1 0
			ok m1 1
			handled m1 1
			commits m1 2`, want: Counts{Handled: 2}},
	{name: "unordered group swaps a key", history: three + "assigned m1 1\n" + handle("m1", 2, 1, 0) + "commits m1 3",
		opts: Options{Groups: []Group{{Name: "billing", Order: Unordered}}}, want: Counts{Handled: 3}},
	{name: "retries hold their key and no other", history: three + `assigned m1 1
			start m1 0 1
			error m1 0
			` + handle("m1", 1) + `start m1 0 2
			ok m1 0
			handled m1 0
			` + handle("m1", 2) + "commits m1 3", want: Counts{Handled: 3}},
	{name: "a dead letter leaves the order, a skipped record too", history: three + `accepted 3 a
			assigned m1 1
			start m1 0
			error m1 0
			acked m1 0 0
			dead m1 0 permanent
			start m1 2
			error m1 2
			skipped m1 2
			` + handle("m1", 1, 3) + "commits m1 4\nfounddlt 0 0 a\nscanneddlt 0-1", want: Counts{Handled: 2, Dead: 1, Skipped: 1}},
	{name: "a dead letter whose place nobody noted", history: "accepted 0 a\nassigned m1 1\nacked m1 0 -1\ndead m1 0\ncommits m1 1\nscanneddlt 0-9", want: Counts{Dead: 1}},
	{name: "undecodable, dead without an attempt", history: `accepted 0 a hash=9 undecodable
			assigned m1 1
			acked m1 0 0
			dead m1 0 decode
			commits m1 1
			founddlt 0 0 a hash=9
			scanneddlt 0-1`, opts: Options{MarksPoison: true}, want: Counts{Dead: 1}},
	{name: "control records and compaction leave holes", history: `accepted 0 a
			accepted 7 a
			accepted 4000000000 a
			assigned m1 1
			` + handle("m1", 0, 7) + "commits m1 9\n" + handle("m1", 4000000000) + "commits m1 4000000002", want: Counts{Handled: 3}},
	{name: "crash: in flight and finished since the last commit come again", history: three + `assigned m1 1
			` + handle("m1", 0) + `commits m1 1
			` + handle("m1", 1) + `start m1 2
			asks m1 2
			end m1 killed
			assigned m2 2
			` + handle("m2", 1, 2) + "commits m2 3", want: Counts{Handled: 3, Duplicates: 1, Redelivered: 2}},
	{name: "crash: what the completion map held is not handled again", history: three + `assigned m1 1
			` + handle("m1", 1) + `commits m1 0 1
			end m1 killed
			assigned m2 2
			` + handle("m2", 0, 2) + "commits m2 3", want: Counts{Handled: 3}},
	{name: "completion map ignored and reported", history: three + `assigned m1 1
			` + handle("m1", 1) + `commits m1 0 1
			end m1 killed
			assigned m2 2 err=recreated
			` + handle("m2", 0, 1, 2) + "commits m2 3", want: Counts{Handled: 3, Duplicates: 1, Redelivered: 1}},
	{name: "crash: a dead letter comes again and succeeds", history: three + `assigned m1 1
			start m1 0
			error m1 0
			acked m1 0 0
			dead m1 0 exhausted
			` + handle("m1", 2) + `end m1 killed
			assigned m2 2
			` + handle("m2", 0, 1, 2) + "commits m2 3", want: Counts{Handled: 3, Duplicates: 2, Redelivered: 2}},
	{name: "revoked while it runs: cancelled, fenced, handled by the next", history: three + `assigned m1 1
			start m1 0
			start m1 1
			revoking m1
			ok m1 1
			handled m1 1
			cancel m1 0 revoked
			commits m1 0 1
			revoked m1
			assigned m2 2
			start m2 0
			ok m1 0 revoked
			handled m1 0
			ok m2 0
			handled m2 0
			` + handle("m2", 2) + "commits m2 3", want: Counts{Handled: 3, Overlaps: 1, Redelivered: 1, Fenced: 1}},
	{name: "a handler past its timeout outlives the revocation", history: `accepted 0 a
			assigned m1 1
			start m1 0
			cancel m1 0 timeout
			revoking m1
			revoked m1
			cancelled m1 0 timeout
			assigned m2 2
			` + handle("m2", 0) + "commits m2 1", want: Counts{Handled: 1, Redelivered: 1}},
	{name: "declared dead: goes on until it learns of it", history: three + `assigned m1 1
			start m1 0
			assigned m2 2
			start m2 0
			ok m1 0
			start m1 2
			ok m2 0
			handled m2 0
			handled m1 0
			lost m1
			ok m1 2
			` + handle("m2", 1, 2) + "commits m2 3", want: Counts{Handled: 3, Overlaps: 2, Redelivered: 1, Fenced: 1}},
	{name: "declared dead before it begins: whatever its fence, it calls no handler", history: `accepted 0 a
			assigned m1 9
			assigned m2 2
			start m2 0
			lost m1
			ok m2 0
			handled m2 0
			commits m2 1`, want: Counts{Handled: 1}},
	{name: "partition comes back to the member while its old attempt runs", history: `accepted 0 a
			assigned m1 1
			start m1 0
			cancel m1 0 revoked
			revoked m1
			assigned m1 2
			start m1 0
			ok m1 0 revoked fence=1
			ok m1 0
			handled m1 0
			commits m1 1`, want: Counts{Handled: 1, Overlaps: 1, Redelivered: 1}},
	{name: "draining cuts, the next run has the same attempt", history: three + `assigned m1 1
			` + handle("m1", 0) + `start m1 1 1
			error m1 1
			start m1 1 2
			drain m1
			+20s
			cancel m1 1 draining
			cancelled m1 1 draining
			commits m1 1
			revoked m1
			end m1 clean
			assigned m2 2
			start m2 1 2
			ok m2 1
			handled m2 1
			` + handle("m2", 2) + "commits m2 3", opts: Options{DrainTimeout: 20 * time.Second}, want: Counts{Handled: 3, Redelivered: 1}},
	{name: "succeeded although draining cancelled it", history: `accepted 0 a
			assigned m1 1
			start m1 0
			drain m1
			ok m1 0 draining
			handled m1 0
			commits m1 1
			end m1 clean`, want: Counts{Handled: 1}},
	{name: "unclean: the handler runs on", history: `accepted 0 a
			assigned m1 1
			start m1 0
			drain m1
			cancel m1 0 draining
			revoked m1
			end m1 unclean
			ok m1 0 draining
			assigned m2 2
			` + handle("m2", 0) + "commits m2 1", want: Counts{Handled: 1, Redelivered: 1}},
	{name: "commit lost and asked again", history: `accepted 0 a
			assigned m1 1
			` + handle("m1", 0) + `asks m1 1 call=1
			asks m1 1 call=2
			commit m1 1 call=2`, want: Counts{Handled: 1}},
	{name: "taken by retention, and noticed", history: three + `truncated 0-1
			assigned m1 1
			missed 0-1
			` + handle("m1", 1, 2) + "commits m1 3", want: Counts{Handled: 2, Taken: 1}},
	{name: "taken, and nobody came there", history: three + "assigned m1 1\n" + handle("m1", 0, 1) + "commits m1 2\ntruncated 0-3", want: Counts{Handled: 2, Taken: 1}},
	{name: "a new group at the end", history: three + `assigned m1 1
			commits m1 0
			` + handle("m1", 0, 1, 2) + "commits m1 3", opts: Options{Groups: []Group{{Name: "billing", StartLatest: true}}}, want: Counts{Handled: 3}},
	{name: "a new group at the end, with records before it", history: three + "assigned m1 1 at=2\n" + handle("m1", 2) + "commits m1 3",
		opts: Options{Groups: []Group{{Name: "billing", StartLatest: true}}}, want: Counts{Handled: 1}},
	{name: "sought back, handled again", history: three + "assigned m1 1\n" + handle("m1", 0, 1, 2) + "commits m1 3\nseek 1\n" + handle("m1", 1, 2) +
		"commits m1 3", want: Counts{Handled: 3, Duplicates: 2}},
	{name: "sought forward", history: three + "assigned m1 1\nseek 2\n" + handle("m1", 2) + "commits m1 3", want: Counts{Handled: 1}},
	{name: "retry through the inbox holds its key", history: three + `assigned m1 1
			start m1 0
			error m1 0
			handed m1 0 5
			` + handle("m1", 1) + `commits m1 2
			start m1 0 2 via=5
			ok m1 0
			handled m1 0 via=5
			commits m1 6 inbox
			` + handle("m1", 2) + "commits m1 3", want: Counts{Handled: 3, Handed: 1}},
	{name: "appended again at the tail of the inbox", history: `accepted 0 a
			assigned m1 1
			start m1 0
			error m1 0
			handed m1 0 5
			commits m1 1
			handed m1 0 8 via=5
			commits m1 6 inbox
			end m1 killed
			assigned m2 2
			start m2 0 2 via=8
			ok m2 0
			handled m2 0 via=8
			commits m2 9 inbox`, want: Counts{Handled: 1, Handed: 2}},
	{name: "handed off in a transaction that was aborted: nothing is there, and the inbox is committed past it", history: `accepted 0 a
			assigned m1 1
			start m1 0
			error m1 0
			handed m1 0 5 tx=t1
			txabort m1 t1
			handed m1 0 7 tx=t2
			asks m1 1 tx=t2
			txcommit m1 t2
			start m1 0 2 via=7
			ok m1 0
			handled m1 0 via=7
			commits m1 8 inbox`, want: Counts{Handled: 1, Handed: 1}},
	{name: "handed off, crashed before the commit: its source comes again, and is folded or handled", history: `accepted 0 a
			accepted 1 b
			assigned m1 1
			start m1 0
			error m1 0
			handed m1 0 5
			start m1 1
			error m1 1
			handed m1 1 6
			end m1 killed
			assigned m2 2
			folded m2 0
			start m2 0 2 via=5
			ok m2 0
			handled m2 0 via=5
			start m2 1 2 via=6
			ok m2 1
			handled m2 1 via=6
			` + handle("m2", 1) + "commits m2 2\ncommits m2 7 inbox", want: Counts{Handled: 2, Handed: 2, Duplicates: 1, Redelivered: 1}},
	{name: "redriven: beside its key's order, never beside its live ones", history: three + `assigned m1 1
			start m1 0
			error m1 0
			acked m1 0 0
			dead m1 0
			` + handle("m1", 1, 2) + `commits m1 3
			redrive 0 7
			start m1 0 via=7 redriven
			ok m1 0
			handled m1 0 via=7 redriven
			commits m1 8 inbox`, want: Counts{Handled: 3}},
	{name: "redriven and dead again before anybody has told of the redrive", history: three + `assigned m1 1
			start m1 0
			error m1 0
			acked m1 0 0
			dead m1 0
			` + handle("m1", 1, 2) + `commits m1 3
			start m1 0 via=7 redriven
			error m1 0
			acked m1 0 1
			redrive 0 7
			dead m1 0 via=7 redriven
			commits m1 8 inbox`, want: Counts{Handled: 2, Dead: 1}},
	{name: "one batch of one key", history: three + `assigned m1 1
			start m1 0 call=4
			start m1 1 call=4
			start m1 2 call=4
			ok m1 0
			ok m1 1
			ok m1 2
			handled m1 0
			handled m1 1
			handled m1 2
			commits m1 3`, want: Counts{Handled: 3}},
	{name: "sent twice because the outcome was unknown", history: `unknown 0 a order=1 id=x
			accepted 1 a order=2 id=x
			assigned m1 1
			start m1 0 key=a
			ok m1 0
			handled m1 0
			` + handle("m1", 1) + `commits m1 2
			found 0 a x
			found 1 a x
			scanned 0-2`, want: Counts{Handled: 2}},
	{name: "unknown and not there, refused and not there", history: "unknown 0 a id=x\nrefused 0 a id=y\nassigned m1 1\nscanned 0-9"},
	{name: "null keys have no order among sends", history: "accepted 0 - order=2\naccepted 1 - order=1\naccepted 2 a order=9 by=p2\naccepted 3 a order=3\nassigned m1 1\n" +
		handle("m1", 0, 1, 2, 3), want: Counts{Handled: 4}},
	{name: "found before it was accepted", history: "found 0 a\naccepted 0 a\nscanned 0-1\nassigned m1 1\n" + handle("m1", 0), want: Counts{Handled: 1}},
	{name: "transaction: aborted, then again", history: `accepted 0 a
			accepted 1 a
			assigned m1 1
			start m1 0
			output m1 0 o0 t1
			ok m1 0
			handled m1 0 tx=t1
			start m1 1
			output m1 1 o1 t1
			ok m1 1
			handled m1 1 tx=t1
			asks m1 2 tx=t1
			txabort m1 t1
			start m1 0
			output m1 0 o0 t2
			ok m1 0
			handled m1 0 tx=t2
			asks m1 1 tx=t2
			txcommit m1 t2
			start m1 1
			ok m1 1
			output m1 1 o1 t3
			handled m1 1 tx=t3
			asks m1 2 tx=t3
			txcommit m1 t3
			foundout 0 o0
			foundout 2 o1
			scannedout 0-4`, want: Counts{Handled: 2}},
	{name: "transaction: end not known, committed", history: `accepted 0 a
			assigned m1 1
			start m1 0
			output m1 0 o0 t1
			ok m1 0
			handled m1 0 tx=t1
			asks m1 1 tx=t1
			end m1 killed
			assigned m2 2
			foundout 0 o0
			scannedout 0-4`, want: Counts{Handled: 1}},
	{name: "transaction: end not known, aborted", history: `accepted 0 a
			assigned m1 1
			start m1 0
			output m1 0 o0 t1
			ok m1 0
			handled m1 0 tx=t1
			asks m1 1 tx=t1
			end m1 killed
			assigned m2 2
			start m2 0
			output m2 0 o0 t2
			ok m2 0
			handled m2 0 tx=t2
			asks m2 1 tx=t2
			txcommit m2 t2
			foundout 2 o0
			scannedout 0-4`, want: Counts{Handled: 1, Duplicates: 1, Redelivered: 1}},
	{name: "transaction without outputs, its offset in a later one", history: `accepted 0 a
			accepted 1 b
			assigned m1 1
			start m1 0
			ok m1 0
			handled m1 0 tx=t1
			txcommit m1 t1
			start m1 1
			ok m1 1
			handled m1 1 tx=t2
			asks m1 2 tx=t2
			txcommit m1 t2`, want: Counts{Handled: 2}},
	{name: "transaction with a dead letter and no output", history: `accepted 0 a
			assigned m1 1
			start m1 0
			error m1 0
			acked m1 0 0
			dead m1 0 tx=t1
			asks m1 1 tx=t1
			txcommit m1 t1`, want: Counts{Dead: 1}},
	{name: "transaction with a dead letter: aborted, then another", history: `accepted 0 a
			assigned m1 1
			start m1 0
			error m1 0
			acked m1 0 0 tx=t1
			dead m1 0 tx=t1
			asks m1 1 tx=t1
			txabort m1 t1
			acked m1 0 2 tx=t2
			dead m1 0 tx=t2
			asks m1 1 tx=t2
			txcommit m1 t2
			founddlt 0 2 a
			scanneddlt 0-9`, want: Counts{Dead: 1}},
	{name: "transaction carried out again with what was staged", history: `accepted 0 a
			accepted 1 a
			assigned m1 1
			start m1 0
			ok m1 0
			output m1 0 o0 t1
			handled m1 0 tx=t1
			start m1 1
			asks m1 1 tx=t1
			txabort m1 t1
			output m1 0 o0 t2
			handled m1 0 tx=t2
			ok m1 1
			output m1 1 o1 t2
			handled m1 1 tx=t2
			asks m1 2 tx=t2
			txcommit m1 t2
			foundout 2 o0
			foundout 3 o1
			scannedout 0-9`, want: Counts{Handled: 2}},
	{name: "an expired member stages, tries and aborts what the next owner has skipped and committed", history: `accepted 0 a
			assigned m1 1
			start m1 0
			error m1 0
			skipped m1 0 tx=t1
			assigned m2 2
			start m2 0
			error m2 0
			skipped m2 0
			asks m2 1 tx=t2
			txcommit m2 t2
			txabort m1 t1
			skipped m1 0 tx=t3
			txabort m1 t3
			lost m1`, want: Counts{Skipped: 1, Duplicates: 1, Redelivered: 1, Fenced: 1}},
	{name: "cut off", history: three + "assigned m1 1\nstart m1 0\n", opts: Options{Open: true}, want: Counts{Pending: 3}},
}

func TestEveryAllowedIrregularityPasses(t *testing.T) {
	for _, c := range goodHistories {
		t.Run(c.name, func(t *testing.T) {
			r := Check(tell(t, c.history), c.opts)
			if err := r.Err(); err != nil {
				t.Error(err)
			}
			if got := r.Groups["billing"]; got != c.want {
				t.Errorf("counts %+v\nwant   %+v", got, c.want)
			}
		})
	}
}

// A runner that writes the fence only where an ownership or an attempt begins is understood as well.
func TestFencesAreNotNeededWhereThingsEnd(t *testing.T) {
	for _, c := range goodHistories {
		events := tell(t, c.history)
		for i := range events {
			if k := events[i].Kind; k != Assigned && k != AttemptStart {
				events[i].Fence = 0
			}
		}
		if err := Check(events, c.opts).Err(); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestEventsAreNumberedByTheirPlaceIfNotByALog(t *testing.T) {
	events := tell(t, three+"assigned m1 1\n"+handle("m1", 0, 2))
	c := NewChecker(Options{})
	for i := range events {
		events[i].Seq = 0
		c.Record(events[i])
	}
	for _, r := range []Report{Check(events, Options{}), c.Report(), c.Report()} {
		if len(r.Violations) != 1 || r.Violations[0].Seqs[0] != 2 {
			t.Errorf("want the loss of what event 2 accepted:\n%s", r)
		}
	}
	if v := Check(events, Options{}).Violations[0]; len(v.Events) != 1 || v.Events[0].Offset != 1 || v.Events[0].Seq != 2 {
		t.Errorf("proved by %v", v.Events)
	}
	for i := range events { // a log that several wrote may have gaps
		events[i].Seq = int64(10*i + 7)
	}
	if v := Check(events, Options{}).Violations[0]; len(v.Events) != 1 || v.Events[0].Offset != 1 || v.Events[0].Seq != 17 {
		t.Errorf("proved by %v", v.Events)
	}
	for _, seq := range []int64{8, events[2].Seq} {
		events[3].Seq = seq
		if r := Check(events, Options{}); r.Totals[Malformed] == 0 {
			t.Errorf("an order that is none was taken: %s", r)
		}
	}
	events[3].Seq = 1 << 40
	if r := Check(events, Options{}); r.Totals[Malformed] == 0 {
		t.Errorf("a number that is too large was taken: %s", r)
	}
}
