package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"text/tabwriter"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/dlt"
)

// report is what became of the orders in the ledger. It is computed from the topics and the ledger alone: the service that is judged has no part in it.
type report struct {
	Accepted     int                       `json:"accepted"`
	Injected     int                       `json:"injected"`
	Handled      map[string]int            `json:"handled"` // by group
	Skipped      int                       `json:"skipped"` // orders; every group skips the same ones
	Retried      int                       `json:"retried"` // attempts beyond the first, of all groups
	DeadLettered map[string]map[string]int `json:"dead_lettered"`
	Lost         int                       `json:"lost"`       // orders of the ledger that did not end in a group, summed over the groups
	Duplicates   int                       `json:"duplicates"` // outcomes beyond the first, summed over the groups

	skippedBy map[string]int
	lostIDs   []string // the first few, with their group
}

// end is how an order ended in one group.
type end struct {
	status string // the outcome's, or "dead"
	cause  string // of a dead one
}

// verify reads the topics from their first record to their end and compares them with the ledger.
func verify(ctx context.Context, cluster sordini.Cluster, ledgerPath string) (*report, error) {
	entries, err := readLedger(ledgerPath)
	if err != nil {
		return nil, fmt.Errorf("read the acceptance ledger: %w", err)
	}
	r := &report{Handled: map[string]int{}, DeadLettered: map[string]map[string]int{}, skippedBy: map[string]int{}}
	for _, k := range entries {
		if k == injected {
			r.Injected++
		} else {
			r.Accepted++
		}
	}
	for _, g := range groups {
		ends, err := r.readEnds(ctx, cluster, g.name, g.outcomes, entries)
		if err != nil {
			return nil, err
		}
		r.judge(g.name, entries, ends)
	}
	return r, nil
}

// readEnds reads how the ledger's orders ended in one group. Orders that are not in the ledger were put on the topic by somebody else and are not judged.
func (r *report) readEnds(ctx context.Context, cluster sordini.Cluster, group, outcomes string, entries map[string]kind) (map[string]end, error) {
	dead, err := dlt.TopicName(Placed.Name, group)
	if err != nil {
		return nil, err
	}
	ends := make(map[string]end, len(entries))
	ended := func(id string, e end, attempts int) {
		if _, ours := entries[id]; !ours {
			return
		}
		if _, again := ends[id]; again {
			r.Duplicates++
			return
		}
		ends[id] = e
		r.Retried += max(0, attempts-1)
	}
	read := func(rec *sordini.Record) error {
		if rec.Topic == dead {
			letter, err := dlt.Parse(rec)
			if err != nil {
				return err
			}
			ended(string(rec.Key), end{status: "dead", cause: string(letter.Class)}, letter.Attempts)
			return nil
		}
		var o Outcome
		if err := json.Unmarshal(rec.Value, &o); err != nil {
			return fmt.Errorf("%s[%d] offset %d is no outcome: %w", rec.Topic, rec.Partition, rec.Offset, err)
		}
		ended(o.OrderID, end{status: o.Status}, o.Attempts)
		return nil
	}
	for _, topic := range []string{outcomes, dead} {
		err := cluster.Read(ctx, read, topic)
		if d, _ := sordini.Diagnose(err); d.Code == sordini.CodeUnknownTopic {
			continue // a service that never got so far as to create it has put nothing there
		}
		if err != nil {
			return nil, err
		}
	}
	return ends, nil
}

func (r *report) judge(group string, entries map[string]kind, ends map[string]end) {
	r.Handled[group] = 0
	r.DeadLettered[group] = map[string]int{}
	for id := range entries {
		switch e, ok := ends[id]; {
		case !ok:
			r.Lost++
			if len(r.lostIDs) < 10 {
				r.lostIDs = append(r.lostIDs, group+" "+id)
			}
		case e.status == "dead":
			r.DeadLettered[group][e.cause]++
		case e.status == skipped:
			r.skippedBy[group]++
		default:
			r.Handled[group]++
		}
	}
	r.Skipped = max(r.Skipped, r.skippedBy[group])
}

func (r *report) dead(group string) int {
	n := 0
	for _, c := range r.DeadLettered[group] {
		n += c
	}
	return n
}

// write prints the table, or one JSON object.
func (r *report) write(w io.Writer, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(w).Encode(r)
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "group\taccepted\tinjected\thandled\tdead-lettered\tskipped\t")
	for _, g := range groups {
		in := r.Accepted + r.Injected
		out := r.Handled[g.name] + r.dead(g.name) + r.skippedBy[g.name]
		verdict := "balances"
		if in != out {
			verdict = fmt.Sprintf("%d MISSING", in-out)
		}
		fmt.Fprintf(t, "%s\t%d\t%d\t%d\t%d\t%d\t  %s\n", g.name, r.Accepted, r.Injected, r.Handled[g.name], r.dead(g.name), r.skippedBy[g.name], verdict)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, g := range groups {
		for _, cause := range slices.Sorted(maps.Keys(r.DeadLettered[g.name])) {
			fmt.Fprintf(w, "  %s: %d dead-lettered as %s\n", g.name, r.DeadLettered[g.name][cause], cause)
		}
	}
	fmt.Fprintf(w, "retried %d, duplicates %d, lost %d\n", r.Retried, r.Duplicates, r.Lost)
	for _, id := range r.lostIDs {
		fmt.Fprintf(w, "  lost: %s\n", id)
	}
	return nil
}
