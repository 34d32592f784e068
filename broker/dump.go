package broker

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// dumpRecords is how many records of each partition a dump shows, the newest.
const dumpRecords = 20

// Dump writes what the cluster holds, for a person to read: brokers, the faults in force, how many ACLs and users there are, topics with the newest
// records of their partitions, groups with members, offsets and lag, and transactional ids.
func (c *Cluster) Dump(w io.Writer) {
	for _, n := range c.nodes {
		c.dumpBroker(w, n)
	}
	for _, in := range c.Faults() {
		fmt.Fprintln(w, in)
	}
	if n, on := c.ACLs(); on {
		fmt.Fprintf(w, "%s\n", count(n, "ACL"))
	}
	if users := c.Users(); len(users) > 0 {
		fmt.Fprintf(w, "users %s\n", strings.Join(users, ", "))
	}
	for _, t := range c.Topics() {
		c.dumpTopic(w, t)
	}
	for _, g := range c.Groups() {
		c.dumpGroup(w, g)
	}
	for _, t := range c.Transactions() {
		c.dumpTransaction(w, t)
	}
}

func count(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}

func (c *Cluster) dumpBroker(w io.Writer, n *node) {
	fmt.Fprintf(w, "broker %d %s %s", n.id, n.addr(), n.condition())
	if n.rack != "" {
		fmt.Fprintf(w, ", rack %s", n.rack)
	}
	if skew := time.Duration(n.skew.Load()); skew != 0 {
		fmt.Fprintf(w, ", clock off by %s", skew)
	}
	fmt.Fprintln(w)
}

func (c *Cluster) dumpTopic(w io.Writer, name string) {
	c.mu.RLock()
	t := c.topics[name]
	if t == nil { // deleted meanwhile
		c.mu.RUnlock()
		return
	}
	partitions, overrides := t.partitions, maps.Clone(t.overrides)
	c.mu.RUnlock()
	fmt.Fprintf(w, "topic %s, %s", name, count(len(partitions), "partition"))
	for _, k := range slices.Sorted(maps.Keys(overrides)) {
		fmt.Fprintf(w, ", %s=%s", k, overrides[k])
	}
	fmt.Fprintln(w)
	for _, p := range partitions {
		fmt.Fprintf(w, "  %s\n", p.state())
		all, err := c.LogRecords(name, p.index)
		if more := len(all) - dumpRecords; more > 0 {
			fmt.Fprintf(w, "    … %s before these\n", count(more, "record"))
			all = all[more:]
		}
		for _, r := range all {
			dumpRecord(w, r)
		}
		if err != nil {
			fmt.Fprintf(w, "    %v\n", err)
		}
	}
}

func dumpRecord(w io.Writer, r Record) {
	fmt.Fprintf(w, "    %d %s", r.Offset, r.Timestamp.UTC().Format(time.RFC3339Nano))
	switch {
	case r.Marker:
		fmt.Fprintf(w, " marker: transaction of producer %d epoch %d %s\n", r.ProducerID, r.ProducerEpoch, r.Txn)
		return
	case r.Txn != NoTxn:
		fmt.Fprintf(w, " (transaction of producer %d %s)", r.ProducerID, r.Txn)
	}
	fmt.Fprintf(w, " key=%s value=%s", printable(r.Key), printable(r.Value))
	for _, h := range r.Headers {
		fmt.Fprintf(w, " %s=%s", h.Key, printable(h.Value))
	}
	fmt.Fprintln(w)
}

func (c *Cluster) dumpGroup(w io.Writer, name string) {
	g, ok := c.Group(name)
	if !ok {
		return
	}
	fmt.Fprintf(w, "group %s %s (%s", name, g.State, g.Type)
	if g.Protocol != "" {
		fmt.Fprintf(w, ", %s", g.Protocol)
	}
	fmt.Fprintf(w, ") generation %d, coordinator %d\n", g.Generation, g.Coordinator)
	for _, m := range g.Members {
		fmt.Fprintf(w, "  member %s", m.ID)
		if m.InstanceID != "" {
			fmt.Fprintf(w, " instance %s", m.InstanceID)
		}
		fmt.Fprintf(w, " client %s %s epoch %d has", m.ClientID, m.Host, m.Epoch)
		if len(m.Partitions) == 0 {
			fmt.Fprint(w, " nothing")
		}
		for _, topic := range slices.Sorted(maps.Keys(m.Partitions)) {
			fmt.Fprintf(w, " %s%v", topic, m.Partitions[topic])
		}
		fmt.Fprintln(w)
	}
	metadata := make(map[string]string)
	for _, o := range c.Commits(name) {
		metadata[fmt.Sprintf("%s[%d]", o.Topic, o.Partition)] = o.Metadata
	}
	for _, l := range c.Lag(name) {
		place := fmt.Sprintf("%s[%d]", l.Topic, l.Partition)
		if l.Committed < 0 {
			fmt.Fprintf(w, "  %s nothing committed, lag %d", place, l.Lag)
		} else {
			fmt.Fprintf(w, "  %s committed %d, lag %d", place, l.Committed, l.Lag)
		}
		if metadata[place] != "" {
			fmt.Fprintf(w, ", metadata %s", printable([]byte(metadata[place])))
		}
		fmt.Fprintln(w)
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
