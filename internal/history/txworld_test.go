package history

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// txWorld makes random good histories of an exactly-once group over one partition: batches in transactions that commit, abort, or are left open by a
// crash and then turn out either way.
func txWorld(seed uint64, records int) []Event {
	r := rand.New(rand.NewPCG(seed, 2))
	at := time.Unix(1e9, 0)
	var events []Event
	tell := func(e Event) {
		at = at.Add(time.Millisecond)
		e.At, e.Seq = at, int64(len(events)+1)
		events = append(events, e)
	}
	member, fence, txs := 0, int64(0), 0
	var position, shipped int64
	var visible []Event
	start := func() {
		member++
		fence++
		tell(Event{Kind: Assigned, Group: wGroup, Member: fmt.Sprintf("m%d", member), Topic: "orders", Fence: fence, Offset: position})
	}
	start()
	for o := range int64(records) {
		tell(Event{Kind: Accepted, Member: "p1", Topic: "orders", Offset: o, Key: fmt.Appendf(nil, "k%d", o%3), ID: fmt.Sprintf("r%d", o)})
	}
	for position < int64(records) {
		txs++
		about := Event{Group: wGroup, Member: fmt.Sprintf("m%d", member), Topic: "orders", Tx: fmt.Sprintf("t%d", txs)}
		tx := func(k Kind) Event { e := about; e.Kind = k; return e }
		tell(Event{Kind: TxBegin, Group: wGroup, Member: about.Member, Tx: about.Tx})
		end := min(int64(records), position+1+r.Int64N(5))
		var outputs []Event
		for o := position; o < end; o++ {
			e := tx(AttemptStart)
			e.Tx, e.Offset, e.Fence, e.Attempt, e.Key = "", o, fence, 1, fmt.Appendf(nil, "k%d", o%3)
			tell(e)
			for n := range r.IntN(3) {
				out := tx(Output)
				out.Offset, out.ID, out.To = o, fmt.Sprintf("o%d-%d", o, n), &Place{"shipped", 0, -1}
				tell(out)
				outputs = append(outputs, Event{Kind: Found, Topic: "shipped", ID: out.ID})
			}
			e.Kind, e.Outcome = AttemptEnd, Succeeded
			tell(e)
			e.Kind, e.Outcome, e.Tx = Ended, Handled, about.Tx
			tell(e)
		}
		asked := r.IntN(10) > 0
		if asked {
			c := tx(CommitStart)
			c.Offset = end
			tell(c)
		}
		publish := func() {
			for _, f := range outputs {
				f.Offset = shipped
				shipped++
				visible = append(visible, f)
			}
			shipped++ // the marker
			position = end
		}
		switch n := r.IntN(10); {
		case n < 6 && asked:
			tell(tx(TxCommit))
			publish()
		case n < 8:
			tell(tx(TxAbort))
			shipped += int64(len(outputs)) + 1
		default:
			tell(Event{Kind: RunEnd, Group: wGroup, Member: about.Member, Outcome: Killed})
			if asked && r.IntN(2) == 0 {
				publish()
			} else {
				shipped += int64(len(outputs)) + 1
			}
			start()
		}
	}
	for _, f := range visible {
		tell(f)
	}
	tell(Event{Kind: Scanned, Topic: "shipped", Ranges: []Range{{0, shipped}}})
	return events
}
