package broker

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"time"
	"unicode"
	"unicode/utf8"
)

// dumpRecords is how many records of each partition a dump shows, the newest.
const dumpRecords = 20

// Dump writes what the cluster holds, for a person to read: brokers, partitions with their newest records, groups with members and offsets, transactions.
func (c *Cluster) Dump(w io.Writer) {
	for _, n := range c.nodes {
		fmt.Fprintf(w, "broker %d %s %s\n", n.id, n.addr(), n.condition())
	}
	c.mu.RLock()
	topics := slices.SortedFunc(maps.Values(c.topics), func(a, b *topic) int {
		if a.name < b.name {
			return -1
		}
		return 1
	})
	c.mu.RUnlock()
	for _, t := range topics {
		c.dumpTopic(w, t)
	}
	for _, g := range c.groups.Groups() {
		c.dumpGroup(w, g, topics)
	}
	for _, t := range c.Transactions() {
		c.dumpTransaction(w, t)
	}
}

func (c *Cluster) dumpTopic(w io.Writer, t *topic) {
	c.mu.RLock()
	partitions, overrides := t.partitions, maps.Clone(t.overrides)
	c.mu.RUnlock()
	fmt.Fprintf(w, "topic %s", t.name)
	for _, k := range slices.Sorted(maps.Keys(overrides)) {
		fmt.Fprintf(w, " %s=%s", k, overrides[k])
	}
	fmt.Fprintln(w)
	for _, p := range partitions {
		l := p.leadership()
		fmt.Fprintf(w, "  %s[%d] offsets %d to %d, leader %d epoch %d, replicas %v, in sync %v\n",
			t.name, p.index, c.StartOffset(t.name, p.index), c.EndOffset(t.name, p.index), l.leader, l.epoch, l.replicas, l.isr)
		records, err := c.Records(t.name, p.index)
		if more := len(records) - dumpRecords; more > 0 {
			fmt.Fprintf(w, "    … %d records before these\n", more)
			records = records[more:]
		}
		for _, r := range records {
			fmt.Fprintf(w, "    %d %s key=%s value=%s", r.Offset, r.Timestamp.UTC().Format(time.RFC3339Nano), printable(r.Key), printable(r.Value))
			for _, h := range r.Headers {
				fmt.Fprintf(w, " %s=%s", h.Key, printable(h.Value))
			}
			fmt.Fprintln(w)
		}
		if err != nil {
			fmt.Fprintf(w, "    %v\n", err)
		}
	}
}

func (c *Cluster) dumpGroup(w io.Writer, name string, topics []*topic) {
	info, ok := c.groups.Group(name)
	if !ok {
		return
	}
	fmt.Fprintf(w, "group %s %s generation %d, coordinator %d\n", name, info.State, info.Generation, c.ofGroup(name))
	for _, m := range info.Members {
		fmt.Fprintf(w, "  member %s client %s %s\n", m.ID, m.ClientID, m.Host)
	}
	for _, t := range topics {
		for p := range c.Partitions(t.name) {
			offset, metadata, ok := c.Committed(name, t.name, int32(p))
			if !ok {
				continue
			}
			fmt.Fprintf(w, "  %s[%d] committed %d, lag %d", t.name, p, offset, c.EndOffset(t.name, int32(p))-offset)
			if metadata != "" {
				fmt.Fprintf(w, ", metadata %s", printable([]byte(metadata)))
			}
			fmt.Fprintln(w)
		}
	}
}

// printable shows bytes as text where they are text, and a short beginning of what is long.
func printable(b []byte) string {
	const most = 100
	if b == nil {
		return "null"
	}
	rest := ""
	if len(b) > most {
		rest = fmt.Sprintf("… (%d bytes)", len(b))
		b = b[:most]
		for len(b) > 0 && !utf8.RuneStart(b[len(b)-1]) { // do not cut a rune in two
			b = b[:len(b)-1]
		}
	}
	for _, r := range string(b) {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return strconv.QuoteToASCII(string(b)) + rest
		}
	}
	return string(b) + rest
}
