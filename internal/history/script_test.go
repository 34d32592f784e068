package history

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"
)

// tell makes a history of lines, each a word and its arguments, about the group "billing" on orders[0]:
//
//	accepted 3 a            record 3 with key a ("-" is null) and id r3; then: order=7 hash=5 undecodable by=p2 id=x
//	unknown 3 a, refused 3 a   the id is r3
//	assigned m1 5           fence 5; then: err=… at=2
//	revoking m1, revoked m1, lost m1
//	start m1 3 [2]          attempt 2 of record 3 (its key as accepted); then: fence=5 call=7 via=9 redriven key=a
//	cancel m1 3 revoked
//	ok m1 3 [cause], error m1 3 [cause], cancelled m1 3 [cause]
//	handled m1 3, dead m1 3 [class], skipped m1 3, handed m1 3 9 (to the inbox at 9), folded m1 3; then: via=9 tx=t1 redriven
//	acked m1 3 0            dead letter at 0
//	redrive 3 9
//	asks m1 4 6-8           commit.start; then: call=1 tx=t1 inbox
//	commit m1 4 6-8         the acknowledgement
//	commits m1 4 6-8        both
//	drain m1, end m1 clean
//	truncated 0-3, missed 0-3, seek 2
//	output m1 3 o3 t1, txcommit m1 t1, txabort m1 t1
//	found 3 a [id], foundout 0 o3, founddlt 3 0 a; then: hash=5
//	scanned 0-9, scannedout 0-9, scanneddlt 0-9
//	+5s                     time passes
func tell(t testing.TB, text string) []Event {
	t.Helper()
	var events []Event
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	keys := map[int64][]byte{}
	fences := map[string]int64{}
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		if strings.HasPrefix(words[0], "+") {
			d, err := time.ParseDuration(words[0][1:])
			if err != nil {
				t.Fatal(err)
			}
			at = at.Add(d)
			continue
		}
		at = at.Add(time.Millisecond)
		e := Event{At: at, Topic: "orders"}
		var args []string
		for _, w := range words[1:] {
			name, value, ok := strings.Cut(w, "=")
			switch {
			case w == "undecodable":
				e.Undecodable = true
			case w == "redriven":
				e.Redriven = true
			case w == "inbox":
				e.Topic = "orders.billing.retry"
			case !ok:
				args = append(args, w)
			case name == "order":
				e.Order = num(t, value)
			case name == "hash":
				e.Hash = uint64(num(t, value))
			case name == "by":
				e.Member = value
			case name == "id":
				e.ID = value
			case name == "fence":
				e.Fence = num(t, value)
			case name == "call":
				e.Call = num(t, value)
			case name == "tx":
				e.Tx = value
			case name == "at":
				e.Offset = num(t, value)
			case name == "err":
				e.Err = value
			case name == "via":
				e.Via = &Place{"orders.billing.retry", 0, num(t, value)}
			case name == "key":
				e.Key = []byte(value)
			default:
				t.Fatalf("%q: unknown option", line)
			}
		}
		arg := func(i int) string {
			if i < len(args) {
				return args[i]
			}
			return ""
		}
		key := func(s string) []byte {
			if s == "-" || s == "" {
				return nil
			}
			return []byte(s)
		}
		record := func() {
			e.Group, e.Member, e.Offset = "billing", arg(0), num(t, arg(1))
			if e.Fence == 0 {
				e.Fence = fences[e.Member]
			}
		}
		ranges := func(args []string) {
			for _, a := range args {
				from, to, ok := strings.Cut(a, "-")
				r := Range{num(t, from), num(t, from) + 1}
				if ok {
					r.To = num(t, to)
				}
				e.Ranges = append(e.Ranges, r)
			}
		}
		both := false
		switch words[0] {
		case "accepted", "unknown", "refused":
			e.Kind = map[string]Kind{"accepted": Accepted, "unknown": Unknown, "refused": Refused}[words[0]]
			e.Key = key(arg(1))
			if e.ID == "" {
				e.ID = "r" + arg(0)
			}
			if e.Member == "" {
				e.Member = "p1"
			}
			if e.Kind == Accepted {
				e.Offset = num(t, arg(0))
				keys[e.Offset] = e.Key
			}
		case "assigned":
			e.Kind, e.Group, e.Member, e.Fence = Assigned, "billing", arg(0), num(t, arg(1))
			fences[e.Member] = e.Fence
		case "revoking", "revoked", "lost":
			e.Kind = map[string]Kind{"revoking": Revoking, "revoked": Revoked, "lost": Lost}[words[0]]
			e.Group, e.Member = "billing", arg(0)
		case "start":
			record()
			e.Kind, e.Attempt = AttemptStart, 1
			if arg(2) != "" {
				e.Attempt = int(num(t, arg(2)))
			}
			if e.Key == nil {
				e.Key = keys[e.Offset]
			}
		case "cancel", "ok", "error", "cancelled":
			record()
			e.Kind = AttemptEnd
			e.Outcome = map[string]Outcome{"ok": Succeeded, "error": Failed, "cancelled": Cancelled}[words[0]]
			if words[0] == "cancel" {
				e.Kind = AttemptCancel
			}
			c, err := parse(causeNames[:], arg(2), "cause")
			if err != nil {
				t.Fatal(err)
			}
			e.Cause = Cause(c)
		case "handled", "dead", "skipped", "handed", "folded":
			record()
			e.Kind = Ended
			e.Outcome = map[string]Outcome{"handled": Handled, "dead": Dead, "skipped": Skipped, "handed": Handed, "folded": Folded}[words[0]]
			if e.Outcome == Handed {
				e.To = &Place{"orders.billing.retry", 0, num(t, arg(2))}
			}
			if e.Outcome == Dead {
				e.Class = arg(2)
			}
		case "acked":
			record()
			e.Kind, e.To = DeadLettered, &Place{"orders.billing.dlt", 0, num(t, arg(2))}
		case "redrive":
			e.Kind, e.Group, e.Offset, e.To = Redrive, "billing", num(t, arg(0)), &Place{"orders.billing.retry", 0, num(t, arg(1))}
		case "asks", "commit", "commits":
			record()
			e.Fence = 0
			ranges(args[2:])
			e.Kind, both = CommitStart, words[0] == "commits"
			if words[0] == "commit" {
				e.Kind = Commit
			}
		case "drain":
			e.Kind, e.Group, e.Member = DrainStart, "billing", arg(0)
		case "end":
			e.Kind, e.Group, e.Member = RunEnd, "billing", arg(0)
			e.Outcome = map[string]Outcome{"clean": Clean, "unclean": Unclean, "killed": Killed}[arg(1)]
		case "truncated":
			e.Kind = Truncated
			ranges(args)
		case "missed":
			e.Kind, e.Group = Missed, "billing"
			ranges(args)
		case "seek":
			e.Kind, e.Group, e.Offset = Seek, "billing", num(t, arg(0))
		case "output":
			record()
			e.Kind, e.ID, e.To, e.Tx = Output, arg(2), &Place{"shipped", 0, -1}, arg(3)
		case "txcommit", "txabort":
			e.Kind, e.Group, e.Member, e.Tx = TxCommit, "billing", arg(0), arg(1)
			if words[0] == "txabort" {
				e.Kind = TxAbort
			}
		case "found":
			e.Kind, e.Offset, e.Key, e.ID = Found, num(t, arg(0)), key(arg(1)), "r"+arg(0)
			if arg(2) != "" {
				e.ID = arg(2)
			}
		case "foundout":
			e.Kind, e.Topic, e.Offset, e.ID = Found, "shipped", num(t, arg(0)), arg(1)
		case "founddlt":
			e.Kind, e.Group, e.Offset = Found, "billing", num(t, arg(0))
			e.Via, e.Key = &Place{"orders.billing.dlt", 0, num(t, arg(1))}, key(arg(2))
		case "scanned", "scannedout", "scanneddlt":
			e.Kind = Scanned
			e.Topic = map[string]string{"scanned": "orders", "scannedout": "shipped", "scanneddlt": "orders.billing.dlt"}[words[0]]
			ranges(args)
		default:
			t.Fatalf("%q: unknown word", line)
		}
		events = append(events, e)
		if both {
			e.Kind = Commit
			events = append(events, e)
		}
	}
	for i := range events {
		events[i].Seq = int64(i + 1)
	}
	return events
}

func num(t testing.TB, s string) int64 {
	t.Helper()
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		t.Fatalf("number %q: %v", s, err)
	}
	return n
}

// handle is the lines of a record that is handled at its first attempt.
func handle(member string, offsets ...int) string {
	var b strings.Builder
	for _, o := range offsets {
		fmt.Fprintf(&b, "start %s %d\nok %s %d\nhandled %s %d\n", member, o, member, o, member, o)
	}
	return b.String()
}
