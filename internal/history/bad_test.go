package history

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
)

// Histories that break a guarantee, made by hand. Each must be reported under exactly the guarantees that it breaks, with the events that prove it.
func TestEveryBrokenGuaranteeIsReportedUnderItsNumber(t *testing.T) {
	three := three + "assigned m1 1\n"
	owing := Options{Groups: []Group{{Name: "billing", Topics: []string{"orders"}}}}
	for _, c := range []struct {
		name    string
		history string
		opts    Options
		want    string // guarantees, with how often when more than once
		proof   string // words that the first violation must hold
	}{
		// G1
		{name: "a drop", history: three + handle("m1", 0, 2) + "commits m1 1", want: "G1", proof: "orders[0]@1 nothing accepted"},
		{name: "a drop that is committed", history: three + handle("m1", 0, 2) + "commits m1 3", want: "G1 G2", proof: "@1"},
		{name: "a failed record that is forgotten", history: three + handle("m1", 0, 1) + "start m1 2\nerror m1 2\ncommits m1 2", want: "G1",
			proof: "@2 last attempt"},
		{name: "a group that never came", history: "accepted 0 a\naccepted 1 a", opts: owing, want: "G1*2", proof: "billing"},
		{name: "a partition that was never assigned", history: three + handle("m1", 0, 1, 2) + "commits m1 3",
			opts: Options{Groups: []Group{{Name: "billing"}, {Name: "shipping", Topics: []string{"orders"}}}}, want: "G1*3", proof: "shipping"},
		{name: "a group that begins behind the first record", history: "accepted 0 a\naccepted 1 a\nassigned m1 1 at=1\n" + handle("m1", 1), want: "G1", proof: "@0"},
		{name: "a group that began at the end and then skips", history: three + "accepted 3 b\n" + handle("m1", 1) + "end m1 killed\nassigned m2 2 at=3\n" + handle("m2", 3),
			opts: Options{Groups: []Group{{Name: "billing", StartLatest: true}}}, want: "G1*2", proof: "@2 @0"},
		{name: "handed to the inbox and forgotten", history: three + handle("m1", 0, 1) + "start m1 2\nerror m1 2\nhanded m1 2 9\ncommits m1 3", want: "G1",
			proof: "never left it"},
		{name: "redriven and forgotten", history: "accepted 0 a\nassigned m1 1\nacked m1 0 0\ndead m1 0\ncommits m1 1\nredrive 0 4", want: "G1",
			proof: "retry[0]@4 redriven"},
		{name: "failed and called handled", history: "accepted 0 a\nassigned m1 1\nstart m1 0\nerror m1 0\nhandled m1 0\ncommits m1 1", want: "G1",
			proof: "its last attempt failed"},
		{name: "called handled while it runs", history: "accepted 0 a\nassigned m1 1\nstart m1 0\nhandled m1 0\nok m1 0\ncommits m1 1", want: "G1",
			proof: "while its attempt runs"},
		{name: "taken by retention and passed in silence", history: three + handle("m1", 1, 2) + "commits m1 3\ntruncated 0-1", want: "G1", proof: "without a word"},
		{name: "taken by retention and passed by the completion map", history: three + handle("m1", 0, 2) + "commits m1 1 1-3\ntruncated 0-2", want: "G1",
			proof: "@1 without a word"},

		// G2
		{name: "an early commit", history: three + "start m1 0\nasks m1 1\nok m1 0\nhandled m1 0\ncommit m1 1\n" + handle("m1", 1, 2), want: "G2",
			proof: "@0 committed before it ended commit.start"},
		{name: "one too far", history: three + handle("m1", 0) + "commits m1 2\n" + handle("m1", 1, 2), want: "G2", proof: "@1"},
		{name: "the completion map names an unfinished record", history: three + handle("m1", 1) + "start m1 0\ncommits m1 0 0-2\nok m1 0\nhandled m1 0\n" +
			handle("m1", 2), want: "G2", proof: "@0 +0-1"},
		{name: "the completion map names a record nobody has started", history: three + handle("m1", 0) + "commits m1 1 2\n" + handle("m1", 1, 2), want: "G2", proof: "@2"},
		{name: "a dead letter committed before its ack", history: "accepted 0 a\nassigned m1 1\nstart m1 0\nerror m1 0\nasks m1 1\nacked m1 0 0\ndead m1 0\ncommit m1 1",
			want: "G2", proof: "@0"},
		{name: "a record dead before its dead letter is acknowledged", history: "accepted 0 a\nassigned m1 1\nstart m1 0\nerror m1 0\ndead m1 0\nacked m1 0 0\ncommits m1 1",
			want: "G2", proof: "before its dead letter was acknowledged"},
		{name: "a dead letter that was refused", history: "accepted 0 a\nassigned m1 1\nstart m1 0\nerror m1 0\ndead m1 0\ncommits m1 1", want: "G2"},
		{name: "an acknowledged dead letter that is not there", history: "accepted 0 a\nassigned m1 1\nacked m1 0 4\ndead m1 0\ncommits m1 1\nscanneddlt 0-9",
			want: "G2", proof: "dlt[0]@4"},
		{name: "the inbox is committed past a record that waits", history: three + handle("m1", 0, 1) +
			"start m1 2\nerror m1 2\nhanded m1 2 9\ncommits m1 3\ncommits m1 10 inbox\nstart m1 2 2 via=9\nok m1 2\nhandled m1 2 via=9", want: "G2",
			proof: "orders.billing.retry[0]@9"},
		{name: "the inbox is committed past a record that a transaction handed to it", history: three + handle("m1", 0, 1) +
			"start m1 2\nerror m1 2\nhanded m1 2 9 tx=t1\nasks m1 3 tx=t1\ntxcommit m1 t1\ncommits m1 10 inbox\nstart m1 2 2 via=9\nok m1 2\nhandled m1 2 via=9", want: "G2",
			proof: "orders.billing.retry[0]@9"},
		{name: "a record that no producer knows is passed", history: three + handle("m1", 0, 1, 2) + "commits m1 4\nfound 3 a foreign", want: "G2", proof: "@3"},
		{name: "the answer to an early commit, after a later one was asked", history: "accepted 0 a\nassigned m1 1\nasks m1 1 call=1\n" + handle("m1", 0) +
			"asks m1 1 call=2\ncommit m1 1 call=1", want: "G2", proof: "@0"},
		{name: "a sequence of commits, the second too far", history: three + handle("m1", 0) + "commits m1 1\nasks m1 2 call=1\ncommit m1 2 call=1\n" + handle("m1", 1, 2),
			want: "G2", proof: "@1"},

		// G3
		{name: "a swap", history: three + handle("m1", 2, 0, 1) + "commits m1 3", want: "G3*2", proof: "@0 starts after record 2"},
		{name: "a swap across two ownerships", history: three + handle("m1", 2) + "end m1 killed\nassigned m2 2\n" + handle("m2", 0, 1, 2) + "commits m2 3",
			want: "G3", proof: "@2 handled before record 0"},
		{name: "a redelivery skips ahead", history: three + handle("m1", 0, 2) + "end m1 killed\nassigned m2 2\n" + handle("m2", 2, 0, 1) + "commits m2 3",
			want: "G3", proof: "@0 starts after record 2"},
		{name: "an overlap", history: three + "start m1 0\nstart m1 2\nok m1 0\nhandled m1 0\nok m1 2\nhandled m1 2\n" + handle("m1", 1), want: "G3*2",
			proof: "overlap"},
		{name: "a record overlaps itself", history: "accepted 0 -\nassigned m1 1\nstart m1 0\nstart m1 0\nok m1 0\nhandled m1 0", want: "G3", proof: "one record"},
		{name: "a redriven record overlaps its key", history: three + "start m1 0\nerror m1 0\nacked m1 0 0\ndead m1 0\nredrive 0 4\nstart m1 2\n" +
			"start m1 0 via=4 redriven\nok m1 2\nhandled m1 2\nok m1 0\nhandled m1 0 via=4 redriven\n" + handle("m1", 1), want: "G3", proof: "overlap"},
		{name: "a retry is overtaken", history: three + "start m1 0\nerror m1 0\n" + handle("m1", 1) + "start m1 2\nok m1 2\nhandled m1 2\nstart m1 0 2\nerror m1 0\n" +
			"acked m1 0 0\ndead m1 0", want: "G3", proof: "@2 before record 0"},
		{name: "a record overtakes one that waits in the inbox", history: three + "start m1 0\nerror m1 0\nhanded m1 0 4\n" + handle("m1", 1) +
			"start m1 2\nerror m1 2\nacked m1 2 0\ndead m1 2\nstart m1 0 2 via=4\nok m1 0\nhandled m1 0 via=4", want: "G3", proof: "waits in the inbox"},
		{name: "null keys in a group that asked for partition order", history: "accepted 0 -\naccepted 1 -\nassigned m1 1\n" + handle("m1", 1, 0),
			opts: Options{Groups: []Group{{Name: "billing", Order: PartitionOrder}}}, want: "G3*2"},
		{name: "a fence that does not grow", history: three + handle("m1", 0, 1) + "revoked m1\nassigned m2 1\n" + handle("m2", 2), want: "G3", proof: "fence 1"},
		{name: "a fence that goes back after the group was deleted", history: three + handle("m1", 0) + "revoked m1\nassigned m2 9\n" + handle("m2", 1) +
			"end m2 clean\nassigned m3 2\n" + handle("m3", 2), want: "G3", proof: "fence 2"},
		{name: "fences that grow again below the highest", history: "accepted 3 a\n" + three + handle("m1", 0) + "revoked m1\nassigned m2 9\n" + handle("m2", 1) +
			"end m2 clean\nassigned m3 2\n" + handle("m3", 2) + "end m3 clean\nassigned m4 3\n" + handle("m4", 3), want: "G3*2", proof: "fence 3"},
		{name: "a member that was declared dead begins with a fence above its successor's", history: "accepted 0 a\nassigned m1 9\nassigned m2 2\n" + handle("m2", 0) +
			"start m1 0\nlost m1\nok m1 0", want: "G3", proof: "fence 2"},
		{name: "an attempt with another fence", history: "accepted 0 a\nassigned m1 5\nstart m1 0 fence=4\nok m1 0\nhandled m1 0", want: "G3",
			proof: "fence is 4"},

		// G5
		{name: "an attempt after revocation", history: three + handle("m1", 0, 1) + "commits m1 2\nrevoking m1\nrevoked m1\nstart m1 2\nok m1 2\nassigned m2 2\n" +
			handle("m2", 2), want: "G5", proof: "was revoked"},
		{name: "an attempt after the loss was known", history: three + handle("m1", 0, 1) + "lost m1\nstart m1 2\nok m1 2\nassigned m2 2\n" + handle("m2", 2),
			want: "G5", proof: "lost"},
		{name: "an attempt after the run", history: three + handle("m1", 0, 1) + "end m1 clean\nstart m1 2\nok m1 2\nassigned m2 2\n" + handle("m2", 2),
			want: "G5", proof: "stopped"},
		{name: "an attempt without ownership", history: three + handle("m1", 0, 1) + "start m2 2\nrevoked m1\nassigned m3 2\n" + handle("m3", 2), want: "G5",
			proof: "never assigned"},
		{name: "an attempt before the first assignment", history: "accepted 0 a\n" + handle("m1", 0) + "assigned m1 1", want: "G5", proof: "before"},
		{name: "running after revocation, not cancelled", history: "accepted 0 a\nassigned m1 1\nstart m1 0\nrevoked m1\nok m1 0\nassigned m2 2\n" + handle("m2", 0),
			want: "G5", proof: "not cancelled"},
		{name: "running after revocation, cancelled too late", history: "accepted 0 a\nassigned m1 1\nstart m1 0\nrevoked m1\ncancel m1 0 revoked\n" +
			"ok m1 0 revoked\nassigned m2 2\n" + handle("m2", 0), want: "G5"},
		{name: "running after revocation, for ever", history: "accepted 0 a\nassigned m1 1\nstart m1 0\nrevoked m1\nassigned m2 2\n" + handle("m2", 0), want: "G5"},
		{name: "committed after revocation", history: "accepted 0 a\nassigned m1 1\nstart m1 0\nok m1 0\nhandled m1 0\nrevoked m1\ncommits m1 1\nassigned m2 2",
			want: "G5", proof: "does not own"},
		{name: "a lost partition is committed", history: "accepted 0 a\nassigned m1 1\nstart m1 0\nok m1 0\nhandled m1 0\nlost m1\ncommits m1 1\nassigned m2 2",
			want: "G5", proof: "does not own"},
		{name: "another's partition is committed", history: "accepted 0 a\nassigned m1 1\n" + handle("m1", 0) + "commits m2 1", want: "G5"},
		{name: "the inbox of a lost partition is committed", history: "accepted 0 a\nassigned m1 1\nstart m1 0\nerror m1 0\nhanded m1 0 4\ncommits m1 1\n" +
			"start m1 0 2 via=4\nok m1 0\nhandled m1 0 via=4\nlost m1\nassigned m2 2\ncommits m1 5 inbox", want: "G5"},
		{name: "a fenced result is committed by the next owner", history: "accepted 0 a\nassigned m1 1\nstart m1 0\ncancel m1 0 revoked\nrevoked m1\n" +
			"ok m1 0 revoked\nhandled m1 0\nassigned m2 2\ncommits m2 1", want: "G1 G5", proof: "@0"},
		{name: "two owners to the end", history: "accepted 0 a\nassigned m1 1\nassigned m2 2\n" + handle("m2", 0), want: "G5", proof: "beside its successor"},

		// G6
		{name: "a draining attempt is counted", history: "accepted 0 a\nassigned m1 1\nstart m1 0 1\ndrain m1\ncancelled m1 0 draining\nend m1 clean\n" +
			"assigned m2 2\nstart m2 0 2\nok m2 0\nhandled m2 0", want: "G6", proof: "counted"},
		{name: "a draining attempt is dead-lettered", history: "accepted 0 a\nassigned m1 1\nstart m1 0\ndrain m1\nerror m1 0 draining\nacked m1 0 0\ndead m1 0\n" +
			"commits m1 1\nend m1 clean", want: "G6", proof: "dead-lettered"},
		{name: "a draining attempt is called handled", history: "accepted 0 a\nassigned m1 1\nstart m1 0\ndrain m1\ncancelled m1 0 draining\nhandled m1 0\n" +
			"commits m1 1\nend m1 clean", want: "G6", proof: "handled"},
		{name: "a draining attempt is committed", history: "accepted 0 a\nassigned m1 1\nstart m1 0\ndrain m1\ncancelled m1 0 draining\ncommits m1 1\nend m1 clean\n" +
			"assigned m2 2\n" + handle("m2", 0), want: "G6", proof: "committed"},
		{name: "a draining attempt of the inbox is committed", history: "accepted 0 a\nassigned m1 1\nstart m1 0\nerror m1 0\nhanded m1 0 4\ncommits m1 1\n" +
			"start m1 0 2 via=4\ndrain m1\ncancelled m1 0 draining\ncommits m1 5 inbox\nend m1 clean\nassigned m2 2\nstart m2 0 2 via=4\nok m2 0\nhandled m2 0 via=4",
			want: "G6", proof: "retry[0]@4"},
		{name: "cut before the deadline", history: "accepted 0 a\nassigned m1 1\nstart m1 0\ndrain m1\n+19s\ncancel m1 0 draining\ncancelled m1 0 draining\nend m1 clean\n" +
			"assigned m2 2\n" + handle("m2", 0), opts: Options{DrainTimeout: 20 * time.Second}, want: "G6", proof: "not after 20s"},
		{name: "cut by draining without draining", history: "accepted 0 a\nassigned m1 1\nstart m1 0\ncancelled m1 0 draining\nend m1 clean\nassigned m2 2\n" +
			handle("m2", 0), want: "G6", proof: "does not drain"},
		{name: "a clean end while a handler runs", history: "accepted 0 a\nassigned m1 1\nstart m1 0\ndrain m1\nend m1 clean\nassigned m2 2\n" + handle("m2", 0),
			want: "G6", proof: "while the handler ran"},

		// G7
		{name: "a redelivery after a clean stop", history: "accepted 0 a\nassigned m1 1\n" + handle("m1", 0) + "revoked m1\nend m1 clean\nassigned m2 2\n" + handle("m2", 0),
			want: "G7", proof: "after a clean stop"},
		{name: "a committed record after a crash", history: "accepted 0 a\nassigned m1 1\n" + handle("m1", 0) + "commits m1 1\nend m1 killed\nassigned m2 2\n" +
			handle("m2", 0), want: "G7", proof: "commit covers it"},
		{name: "a record of the completion map after a crash", history: three + handle("m1", 1) + "commits m1 0 1\nend m1 killed\nassigned m2 2\n" + handle("m2", 0, 1, 2),
			want: "G7", proof: "@1"},
		{name: "a duplicate without a crash", history: "accepted 0 a\nassigned m1 1\n" + handle("m1", 0, 0) + "commits m1 1", want: "G7", proof: "ownership that ended it"},
		{name: "an inbox record again although it is committed", history: "accepted 0 a\nassigned m1 1\nstart m1 0\nerror m1 0\nhanded m1 0 4\ncommits m1 1\n" +
			"start m1 0 2 via=4\nok m1 0\nhandled m1 0 via=4\ncommits m1 5 inbox\nend m1 killed\nassigned m2 2\nstart m2 0 2 via=4\nok m2 0\nhandled m2 0 via=4",
			want: "G7", proof: "retry[0]@4"},

		// G9
		{name: "a dead letter with other bytes", history: "accepted 0 a hash=7 undecodable\nassigned m1 1\nacked m1 0 0\ndead m1 0 decode\nfounddlt 0 0 a hash=8", want: "G9",
			proof: "another value"},
		{name: "a dead letter with another key", history: "accepted 0 a hash=7 undecodable\nassigned m1 1\nacked m1 0 0\ndead m1 0 decode\nfounddlt 0 0 - hash=7", want: "G9",
			proof: "another key"},
		{name: "a registry that is away is taken for poison", history: "accepted 0 a\nassigned m1 1\nacked m1 0 0\ndead m1 0 decode", opts: Options{MarksPoison: true},
			want: "G9", proof: "its value decodes"},
		{name: "undecodable and handled", history: "accepted 0 a undecodable\nassigned m1 1\n" + handle("m1", 0), want: "G9"},

		// G10
		{name: "a produced duplicate", history: "accepted 0 a\nassigned m1 1\n" + handle("m1", 0) + "found 0 a\nfound 1 a r0\nscanned 0-2", want: "G10",
			proof: "@1 more often than it was sent"},
		{name: "a duplicate of a send whose outcome is unknown", history: "unknown 0 a id=x\nfound 0 a x\nfound 1 a x\nscanned 0-2", want: "G10", proof: "more often"},
		{name: "a duplicate of a record nobody accounts for", history: "found 0 a x\nfound 1 a x\nscanned 0-2", want: "G10", proof: "2 times"},
		{name: "a reordered produce", history: "accepted 0 a order=2\naccepted 1 a order=1\nassigned m1 1\n" + handle("m1", 0, 1), want: "G10", proof: "@1 sent before it"},
		{name: "a reordered produce whose first outcome is unknown", history: "unknown 1 a order=1 id=x\naccepted 0 a order=2\nfound 0 a\nfound 1 a x\nassigned m1 1\n" +
			handle("m1", 0), want: "G10", proof: "@1"},
		{name: "a refused record found", history: "refused 0 a id=x\nfound 0 a x\nscanned 0-1", want: "G10", proof: "refused"},
		{name: "an accepted record that is not there", history: "accepted 0 a\naccepted 1 a\nassigned m1 1\n" + handle("m1", 0) + "found 0 a\nscanned 0-2", want: "G10",
			proof: "@1 not there"},
		{name: "another record at the receipt's place", history: "accepted 0 a\nassigned m1 1\n" + handle("m1", 0) + "found 0 a other\nscanned 0-1", want: "G10", proof: "another"},
		{name: "another record at the receipt's place, found first", history: "found 0 a other\naccepted 0 a\nassigned m1 1\n" + handle("m1", 0) + "scanned 0-1", want: "G10"},
		{name: "another value", history: "accepted 0 a hash=7\nassigned m1 1\n" + handle("m1", 0) + "found 0 a hash=8\nscanned 0-1", want: "G10", proof: "value"},
		{name: "two receipts with one offset", history: "accepted 0 a id=x\naccepted 0 a id=y\nassigned m1 1\n" + handle("m1", 0), want: "G10", proof: "one offset"},

		// G11
		{name: "aborted output visible", history: "accepted 0 a\nassigned m1 1\nstart m1 0\noutput m1 0 o0 t1\nok m1 0\nhandled m1 0 tx=t1\nasks m1 1 tx=t1\ntxabort m1 t1\n" +
			"start m1 0\nok m1 0\nhandled m1 0 tx=t2\nasks m1 1 tx=t2\ntxcommit m1 t2\nfoundout 0 o0\nscannedout 0-9", want: "G11", proof: "aborted"},
		{name: "offsets without outputs", history: "accepted 0 a\nassigned m1 1\nstart m1 0\noutput m1 0 o0 t1\nok m1 0\nhandled m1 0 tx=t1\nasks m1 1 tx=t1\ntxcommit m1 t1\n" +
			"scannedout 0-9", want: "G11", proof: "not there"},
		{name: "outputs without offsets", history: "accepted 0 a\nassigned m1 1\nstart m1 0\noutput m1 0 o0 t1\nok m1 0\nhandled m1 0 tx=t1\ntxcommit m1 t1\n" +
			"foundout 0 o0\nscannedout 0-9", want: "G11", proof: "without its offset"},
		{name: "offsets committed beside the transaction", history: "accepted 0 a\nassigned m1 1\nstart m1 0\noutput m1 0 o0 t1\nok m1 0\nhandled m1 0 tx=t1\ncommits m1 1\n" +
			"asks m1 1 tx=t1\ntxcommit m1 t1\nfoundout 0 o0\nscannedout 0-9", want: "G11", proof: "its transaction was not"},
		{name: "offsets committed after the transaction was aborted", history: "accepted 0 a\nassigned m1 1\nstart m1 0\noutput m1 0 o0 t1\nok m1 0\nhandled m1 0 tx=t1\n" +
			"txabort m1 t1\ncommits m1 1", want: "G1 G11"},
		{name: "one output in two transactions", history: "accepted 0 a\nassigned m1 1\nstart m1 0\noutput m1 0 o0 t1\nok m1 0\nhandled m1 0 tx=t1\nasks m1 1 tx=t1\n" +
			"output m1 0 o0 t2\nasks m1 1 tx=t2\ntxcommit m1 t1\ntxcommit m1 t2\nfoundout 0 o0\nfoundout 2 o0\nscannedout 0-9", want: "G11", proof: "2 transactions"},
		{name: "one output visible twice", history: "accepted 0 a\nassigned m1 1\nstart m1 0\noutput m1 0 o0 t1\nok m1 0\nhandled m1 0 tx=t1\nasks m1 1 tx=t1\n" +
			"txcommit m1 t1\nfoundout 0 o0\nfoundout 2 o0\nscannedout 0-9", want: "G11", proof: "visible 2 times"},
		{name: "a transaction whose end is unknown committed one output of two", history: "accepted 0 a\naccepted 1 a\nassigned m1 1\nstart m1 0\noutput m1 0 o0 t1\nok m1 0\n" +
			"handled m1 0 tx=t1\nstart m1 1\noutput m1 1 o1 t1\nok m1 1\nhandled m1 1 tx=t1\nasks m1 2 tx=t1\nend m1 killed\nfoundout 0 o0\nscannedout 0-9", want: "G11",
			proof: "not there"},
		{name: "a dead letter of a committed transaction is not there", history: "accepted 0 a\nassigned m1 1\nstart m1 0\nerror m1 0\nacked m1 0 4 tx=t1\ndead m1 0 tx=t1\n" +
			"asks m1 1 tx=t1\ntxcommit m1 t1\nscanneddlt 0-9", want: "G2", proof: "is not at"},
		{name: "dead without another dead letter after the transaction was aborted", history: "accepted 0 a\nassigned m1 1\nstart m1 0\nerror m1 0\nacked m1 0 0 tx=t1\n" +
			"dead m1 0 tx=t1\ntxabort m1 t1\ndead m1 0 tx=t2\nasks m1 1 tx=t2\ntxcommit m1 t2", want: "G2"},

		// The recording itself.
		{name: "an end without a start", history: "accepted 0 a\nassigned m1 1\nok m1 0\nhandled m1 0", want: "history"},
		{name: "a commit nobody asked for", history: "accepted 0 a\nassigned m1 1\n" + handle("m1", 0) + "commit m1 1", want: "history"},
		{name: "a revocation of what is not owned", history: "assigned m1 1\nrevoked m2", want: "history"},
		{name: "handed to nowhere", history: "accepted 0 a\nassigned m1 1\nhanded m1 0 -1", want: "G1 history"},
		{name: "a transaction that ends twice", history: "assigned m1 1\ntxcommit m1 t1\ntxabort m1 t1", want: "history"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := Check(tell(t, c.history), c.opts)
			if got := broken(r); got != c.want {
				t.Errorf("reported as %q, want %q\n%s", got, c.want, r)
			}
			if r.OK() || r.Err() == nil {
				t.Fatal("nothing was reported")
			}
			first := r.Violations[0]
			if len(first.Events) == 0 || len(first.Events) != len(first.Seqs) {
				t.Errorf("no events prove %s", first)
			}
			for _, word := range strings.Fields(c.proof) {
				if !strings.Contains(r.String(), word) {
					t.Errorf("no %q in %s", word, first)
				}
			}
			if strings.Count(first.String(), "\n") != 0 {
				t.Errorf("more than a line: %s", first)
			}
		})
	}
}

func TestEveryPartitionOfAnAssignedTopicIsOwed(t *testing.T) {
	events := []Event{{Kind: Assigned, Group: "billing", Member: "m1", Topic: "orders", Fence: 1}}
	for _, at := range []Place{{"orders", 1, 0}, {"invoices", 0, 0}} {
		events = append(events, Event{Kind: Accepted, Member: "p1", Topic: at.Topic, Partition: at.Partition, Offset: at.Offset, ID: "x"})
	}
	r := Check(events, Options{})
	if broken(r) != "G1" || !strings.Contains(r.String(), "billing orders[1]@0") {
		t.Errorf("want the loss in orders[1], and none of a topic that no group took:\n%s", r)
	}
}

func TestReportKeepsAFewViolationsAndCountsAll(t *testing.T) {
	text := "assigned m1 1\n"
	for i := range 5 {
		text += fmt.Sprintf("accepted %d a\n", i)
	}
	r := Check(tell(t, text), Options{Limit: 2})
	if len(r.Violations) != 2 || r.Totals[G1] != 5 || !strings.Contains(r.String(), "G1 and 3 more") {
		t.Error(r)
	}
}

// Lanes of idle keys are forgotten, but not those that have something left to say.
func TestManyKeysDoNotHideOne(t *testing.T) {
	begin := "accepted 0 a\naccepted 1 a\nassigned m1 1\n"
	for _, c := range []struct{ name, before, after, proof string }{
		{"runs, and was committed all the same", begin + "start m1 0\ncommits m1 2\n", "start m1 1\n", "handlers of one key overlap"},
		{"waits, and was committed all the same", begin + "start m1 0\nerror m1 0\ncommits m1 2\n", handle("m1", 1), "starts before record 0"},
		{"runs redriven", begin + "start m1 0\nerror m1 0\nacked m1 0 0\ndead m1 0\nredrive 0 7\ncommits m1 1\nstart m1 0 via=7 redriven\n", "start m1 1\n", "handlers of one key overlap"},
		{"was not committed", begin + handle("m1", 0, 1) + "end m1 killed\nassigned m1 2\n" + handle("m1", 1), handle("m1", 0), "starts after record 1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var text strings.Builder
			text.WriteString(c.before)
			for i := 2; i < 3000; i++ {
				fmt.Fprintf(&text, "accepted %d key-%d\n%s", i, i, handle("m1", i))
			}
			text.WriteString(c.after)
			if r := Check(tell(t, text.String()), Options{Open: true}); !strings.Contains(r.String(), c.proof) {
				t.Errorf("the key was forgotten:\n%s", r)
			}
		})
	}
}

// broken are the guarantees that a report names, with how often when more than once.
func broken(r Report) string {
	var parts []string
	for _, g := range slices.Sorted(maps.Keys(r.Totals)) {
		if n := r.Totals[g]; n > 1 {
			parts = append(parts, fmt.Sprintf("%s*%d", g, n))
		} else {
			parts = append(parts, string(g))
		}
	}
	return strings.Join(parts, " ")
}
